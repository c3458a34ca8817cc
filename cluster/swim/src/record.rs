//! What a node says of itself: state, zone, roles, addresses, tokens; and, apart from it, its load.

use spanloom_ring::{MAX_TOKENS, MemberState, Roles, Zone};

use crate::Error;

/// Longest `host:port` in bytes.
pub const ENDPOINT_MAX: usize = 200;

/// What a node announces. It is spread whenever it changes, so nothing that changes every second belongs here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it is in its life.
    pub state: MemberState,
    /// What it does.
    pub roles: Roles,
    /// Its zone of availability.
    pub zone: Zone,
    /// `host:port` of its peer transport. At most 200 bytes.
    pub peer: String,
    /// `host:port` of its query API; empty when it has none. At most 200 bytes.
    pub api: String,
    /// Its places on the ring, ascending, none twice; at most [`MAX_TOKENS`].
    pub tokens: Vec<u32>,
}

impl Record {
    /// Checks every field.
    pub fn check(&self) -> Result<(), Error> {
        let bad = |field, found, expected| Err(Error::Record { field, found, expected });
        if !is_endpoint(&self.peer) {
            return bad("peer address", format!("{:?}", self.peer), "host:port of at most 200 bytes");
        }
        if !self.api.is_empty() && !is_endpoint(&self.api) {
            return bad(
                "API address",
                format!("{:?}", self.api),
                "nothing, or host:port of at most 200 bytes",
            );
        }
        if self.tokens.len() > MAX_TOKENS {
            return bad("list of tokens", format!("{} long", self.tokens.len()), "at most 512");
        }
        if !self.tokens.is_sorted_by(|a, b| a < b) {
            return bad("list of tokens", "out of order".into(), "ascending, none twice");
        }
        Ok(())
    }
}

fn is_endpoint(text: &str) -> bool {
    let plain = text.len() <= ENDPOINT_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
    let parts = text.rsplit_once(':');
    plain
        && parts
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// How busy a node is. It rides in every datagram that the node sends, and is passed on by nobody: another node knows
/// it as of the last probe between the two, which is some `probe_period * nodes / 4` ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Bytes of live traces.
    pub live_bytes: u64,
    /// Spans taken in a second.
    pub spans_per_second: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_checked() {
        let good = Record {
            state: MemberState::Active,
            roles: Roles::INGESTER.and(Roles::QUERIER),
            zone: Zone::new("eu-1a").unwrap(),
            peer: "ingest-0.local:7947".into(),
            api: String::new(),
            tokens: vec![1, 5, u32::MAX],
        };
        let check = |change: fn(&mut Record), expected: &str| {
            let mut record = good.clone();
            change(&mut record);
            let found = record.check().err().map_or(String::new(), |error| error.to_string());
            assert_eq!(found, expected);
        };
        check(|_| {}, "");
        check(|record| record.api = "[::1]:3200".into(), "");
        check(
            |record| record.peer = "ingest-0".into(),
            r#"the record's peer address is "ingest-0", expected host:port of at most 200 bytes"#,
        );
        check(
            |record| record.api = "a:0".into(),
            r#"the record's API address is "a:0", expected nothing, or host:port of at most 200 bytes"#,
        );
        check(
            |record| record.tokens = vec![2, 2],
            "the record's list of tokens is out of order, expected ascending, none twice",
        );
        check(
            |record| record.tokens = (0..513).collect(),
            "the record's list of tokens is 513 long, expected at most 512",
        );
    }
}
