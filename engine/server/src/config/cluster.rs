//! What the cluster is given.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;

use base64::Engine as _;
use spanloom_ingest::{Keeps, RepairOptions, ReplicateOptions};
use spanloom_peer::{ClientTls, DialOptions, Identity, ServeOptions, ServerTls, TlsError};
use spanloom_ring::{MAX_REPLICATION, NodeName, RingOptions, Roles, TOKENS_PER_NODE, Zone};
use spanloom_span::Tenant;
use spanloom_swim::{Key, Options, Seal, Seed};

use super::cluster_keys::{ClusterSection, PresetKey};
use super::derive::wrong;
use super::keys::Config;
use super::read::ConfigError;
use super::units::Size;
use crate::cluster::ClusterOptions;

/// Nodes that gossip is tuned for until it sees how many there are.
const EXPECTED_NODES: usize = 16;

/// Shortest text that a key is made of.
const LEAST_TEXT: usize = 16;

impl ClusterSection {
    /// Whether this node is one of several.
    pub fn is_on(&self) -> bool {
        self.enabled || !self.join.is_empty()
    }

    fn settle_ms(&self) -> u64 {
        match (self.settle.0.as_millis(), self.preset) {
            (0, PresetKey::Lan) => 2_000,
            (0, PresetKey::Wan) => 10_000,
            (ms, _) => u64::try_from(ms).unwrap_or(u64::MAX),
        }
    }

    fn roles(&self) -> Result<Roles, ConfigError> {
        let mut roles = Roles::NONE;
        for name in &self.roles {
            match Roles::named(name) {
                Some(role) => roles = roles.and(role),
                None => {
                    let expected = "distributor, ingester, querier, compactor or all";
                    return wrong("cluster.roles", format!("{name:?}"), expected);
                }
            }
        }
        match roles == Roles::NONE {
            true => wrong("cluster.roles", "empty", "at least one role, or all"),
            false => Ok(roles),
        }
    }

    /// Whether this node has a role. One that is alone has all.
    pub fn has_role(&self, role: Roles) -> bool {
        !self.is_on() || self.roles().is_ok_and(|roles| roles.has(role))
    }

    fn keys(&self) -> Result<Vec<Key>, ConfigError> {
        let expected = "32 bytes in base64, or a text of at least 16 characters";
        let mut keys = Vec::new();
        for (at, hidden) in self.secret.iter().enumerate() {
            let text = hidden.reveal().unwrap_or_default();
            let raw = base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default();
            keys.push(match Key::new(&raw) {
                Ok(key) => key,
                Err(_) if text.chars().count() >= LEAST_TEXT => Key::of_text(text),
                Err(_) => {
                    let found = format!("{} characters as key {}", text.chars().count(), at + 1);
                    return wrong("cluster.secret", found, expected);
                }
            });
        }
        Ok(keys)
    }

    fn seal(&self, is_reachable: bool) -> Result<Seal, ConfigError> {
        let keys = self.keys()?;
        match (self.seal, keys.is_empty()) {
            (Some(false), _) => Ok(Seal::Off),
            (_, false) => Ok(Seal::Keys(keys)),
            (None, true) if !is_reachable => Ok(Seal::Off),
            (_, true) => wrong(
                "cluster.secret",
                "empty",
                "a key that all nodes share, or cluster.seal: false to believe whoever reaches the port",
            ),
        }
    }

    fn swim(&self, is_reachable: bool) -> Result<Options, ConfigError> {
        let preset = match self.preset {
            PresetKey::Lan => Options::lan(EXPECTED_NODES),
            PresetKey::Wan => Options::wan(EXPECTED_NODES),
        };
        if self.label.len() > 255 {
            return wrong("cluster.label", format!("{} bytes", self.label.len()), "at most 255 bytes");
        }
        Ok(Options { label: self.label.clone(), seal: self.seal(is_reachable)?, ..preset })
    }

    fn ring(&self) -> Result<RingOptions, ConfigError> {
        let replication = match self.replication {
            0 => RingOptions::default().replication,
            n => n.into(),
        };
        if replication > MAX_REPLICATION {
            return wrong("cluster.replication", replication, format!("0 to {MAX_REPLICATION}"));
        }
        let size = self.tenant_shard_size;
        if size > 0 && (size as usize) < replication {
            return wrong(
                "cluster.tenant_shard_size",
                size,
                format!("0, or at least {replication} (replication)"),
            );
        }
        Ok(RingOptions { replication, zone_aware: self.zone_aware })
    }
}

/// An address of the section, or the one of all ports.
fn address(key: &'static str, text: &str, host: IpAddr) -> Result<IpAddr, ConfigError> {
    if text.is_empty() {
        return Ok(host);
    }
    let text = if text == "localhost" { "127.0.0.1" } else { text };
    let parsed = text.trim_matches(['[', ']']).parse();
    parsed.or_else(|_| wrong(key, format!("{text:?}"), "an IP address such as 10.0.0.7, or nothing"))
}

impl Config {
    /// Where other nodes' questions are taken.
    pub fn peer_address(&self) -> Result<SocketAddr, ConfigError> {
        let cluster = &self.cluster;
        let port = self.address(cluster.peer_port)?;
        let ip = address("cluster.peer_address", &cluster.peer_address, port.ip())?;
        Ok(SocketAddr::new(ip, port.port()))
    }

    /// What spans on their way to their owners are given.
    pub fn replicate_options(&self) -> ReplicateOptions {
        let cluster = &self.cluster;
        ReplicateOptions {
            stand_in_after: cluster.stand_in_after.0,
            timeout: cluster.write_timeout.0,
            inflight_bytes: usize::try_from(cluster.inflight_bytes.0).unwrap_or(usize::MAX),
            ..ReplicateOptions::default()
        }
    }

    /// How this node fetches what it lacks.
    pub fn repair_options(&self) -> RepairOptions {
        let repair = &self.cluster.repair;
        RepairOptions { every: repair.every.0, bytes_per_second: repair.bytes_per_second.0 }
    }

    /// How long spans of a tenant are kept that are fetched now, when its blocks have so many bytes. A tenant that has
    /// nearly as many as it may is given nothing: older blocks would be removed for it, and fetched again.
    pub fn keeps(&self, tenant: &Tenant, held: impl FnOnce() -> u64) -> Keeps {
        let own = self.retention.tenants.get(tenant.as_str());
        let max_bytes = own.and_then(|own| own.max_bytes).unwrap_or(self.retention.max_bytes).0;
        if max_bytes > 0 && held() >= max_bytes - max_bytes / 10 {
            return Keeps::Nothing;
        }
        let max_age = own.and_then(|own| own.max_age).unwrap_or(self.retention.max_age).0;
        if max_age.is_zero() { Keeps::ForEver } else { Keeps::For(max_age) }
    }

    /// Limits of questions between nodes, without TLS.
    pub fn transport_options(&self) -> (DialOptions, ServeOptions) {
        let cluster = &self.cluster;
        let bytes = |size: Size| usize::try_from(size.0).unwrap_or(usize::MAX);
        let max_message = bytes(cluster.max_message);
        let max_calls = NonZeroUsize::new(cluster.max_calls as usize).unwrap_or(NonZeroUsize::MIN);
        let dial = DialOptions { max_calls, max_message, ..DialOptions::default() };
        let serve = ServeOptions {
            max_message,
            max_bytes: bytes(cluster.max_received).max(max_message),
            max_connections: cluster.max_connections as usize,
            ..ServeOptions::default()
        };
        (dial, serve)
    }

    /// TLS between nodes, for both ends; `None` when there is none.
    pub fn cluster_tls(&self) -> Result<Option<(ClientTls, ServerTls)>, ConfigError> {
        let tls = &self.cluster.tls;
        let named = [&tls.cert_file, &tls.key_file, &tls.ca_file];
        if named.iter().all(|file| file.is_empty()) {
            return Ok(None);
        }
        if named.iter().any(|file| file.is_empty()) {
            let expected = "all three of cert_file, key_file and ca_file, or none";
            return wrong("cluster.tls", "some of its files", expected);
        }
        let read = |key, path: &String| {
            std::fs::read(path).or_else(|error| wrong(key, format!("{path:?} ({error})"), "a file of PEM"))
        };
        let cert = read("cluster.tls.cert_file", &tls.cert_file)?;
        let key = read("cluster.tls.key_file", &tls.key_file)?;
        let ca = read("cluster.tls.ca_file", &tls.ca_file)?;
        let identity = Identity { certificates: &cert, key: &key };
        let name = Some(tls.server_name.as_str()).filter(|name| !name.is_empty());
        let unfit = |error: TlsError| ConfigError::Value {
            key: "cluster.tls",
            found: error.to_string(),
            expected: "a certificate, its key, and the certificates that sign nodes' ones".into(),
        };
        let client = ClientTls::new(&ca, Some(identity), name).map_err(unfit)?;
        Ok(Some((client, ServerTls::new(identity, Some(&ca)).map_err(unfit)?)))
    }

    /// What the cluster is given; `None` when this node is alone.
    pub fn cluster_options(&self) -> Result<Option<ClusterOptions>, ConfigError> {
        let cluster = &self.cluster;
        if !cluster.is_on() {
            if cluster.roles()? != Roles::ALL {
                let expected = "all, since this node is alone, or nodes to join (cluster.join)";
                return wrong("cluster.roles", cluster.roles.join(","), expected);
            }
            return Ok(None);
        }
        if cluster.max_message.0 < self.receive.max_request_bytes.0 {
            let least = self.receive.max_request_bytes;
            let expected = format!("at least {least} (receive.max_request_bytes)");
            return wrong("cluster.max_message", cluster.max_message, expected);
        }
        let port = self.address(cluster.gossip_port)?;
        let ip = address("cluster.gossip_address", &cluster.gossip_address, port.ip())?;
        let name = |text: &str| match text {
            "" => Ok(None),
            text => NodeName::new(text)
                .map(Some)
                .or_else(|error| wrong("cluster.node_name", format!("{text:?}"), error)),
        };
        let zone = Zone::new(&cluster.zone)
            .or_else(|error| wrong("cluster.zone", format!("{:?}", cluster.zone), error))?;
        let mut seeds = Vec::new();
        for text in &cluster.join {
            let expected = "host:port or name:port of another node's gossip";
            seeds.push(Seed::parse(text).or_else(|_| wrong("cluster.join", format!("{text:?}"), expected))?);
        }
        let advertise = match cluster.advertise_address.as_str() {
            "" => None,
            text => Some(address("cluster.advertise_address", text, ip)?),
        };
        if advertise.is_some_and(|ip| ip.is_unspecified()) {
            return wrong("cluster.advertise_address", &cluster.advertise_address, "an address of one host");
        }
        let ms = |time: super::units::Time| u64::try_from(time.0.as_millis()).unwrap_or(u64::MAX);
        Ok(Some(ClusterOptions {
            data_dir: self.data_dir.clone().into(),
            node_name: name(&cluster.node_name)?,
            zone,
            roles: cluster.roles()?,
            seeds,
            swim: cluster.swim(!ip.is_loopback())?,
            gossip: SocketAddr::new(ip, port.port()),
            advertise,
            peer_port: self.peer_address()?.port(),
            api_port: self.address(self.query.port)?.port(),
            ring: cluster.ring()?,
            tenant_shard_size: cluster.tenant_shard_size as usize,
            tokens: TOKENS_PER_NODE,
            settle_ms: cluster.settle_ms(),
            join_wait_ms: ms(cluster.join_wait),
            forget_after_ms: Some(ms(cluster.forget_after)).filter(|ms| *ms > 0),
            leave_on_shutdown: cluster.leave_on_shutdown,
            leave_timeout: cluster.leave_timeout.0,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::from_text;

    fn read(keys: &str) -> Result<Option<ClusterOptions>, String> {
        let config = from_text(keys, |_| None).unwrap();
        config.check().and_then(|()| config.cluster_options()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_cluster_is_off_until_it_is_asked_for() {
        assert!(read("").unwrap().is_none());
        let alone = "cluster.roles is querier, expected all, since this node is alone, or nodes to join (cluster.join)";
        assert_eq!(read("cluster: {roles: [querier]}").unwrap_err(), alone);
        let options = read("cluster: {enabled: true}\nport_offset: 10").unwrap().unwrap();
        assert_eq!(options.gossip.to_string(), "127.0.0.1:7956");
        assert_eq!((options.peer_port, options.api_port, options.settle_ms), (7957, 3210, 2_000));
        assert_eq!((options.swim.seal, options.ring.replication), (Seal::Off, 3));
        let wan =
            read("cluster: {join: ['a:7946', '[::1]:1'], preset: wan, forget_after: 1h, roles: [querier]}");
        let wan = wan.unwrap().unwrap();
        assert_eq!((wan.seeds.len(), wan.settle_ms, wan.roles), (2, 10_000, Roles::QUERIER));
        assert_eq!(wan.forget_after_ms, Some(3_600_000));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let check = |keys: &str, expected: &str| {
            let text = format!("cluster: {{enabled: true, {keys}}}");
            assert_eq!(read(&text).unwrap_err(), expected, "{keys}");
        };
        check("join: [a]", "cluster.join is \"a\", expected host:port or name:port of another node's gossip");
        check(
            "roles: [all, cook]",
            "cluster.roles is \"cook\", expected distributor, ingester, querier, compactor or all",
        );
        check("roles: []", "cluster.roles is empty, expected at least one role, or all");
        check("replication: 8", "cluster.replication is 8, expected 0 to 7");
        check(
            "tenant_shard_size: 2",
            "cluster.tenant_shard_size is 2, expected 0, or at least 3 (replication)",
        );
        check(
            "node_name: -a",
            "cluster.node_name is \"-a\", expected the node's name starts with '-', expected an ASCII letter or digit",
        );
        check(
            "gossip_address: here",
            "cluster.gossip_address is \"here\", expected an IP address such as 10.0.0.7, or nothing",
        );
        check(
            "advertise_address: 0.0.0.0",
            "cluster.advertise_address is 0.0.0.0, expected an address of one host",
        );
        check("gossip_port: 0", "cluster.gossip_port is 0 + port_offset 0, expected 1 to 65535");
        let key = "a key that all nodes share, or cluster.seal: false to believe whoever reaches the port";
        check("gossip_address: 0.0.0.0", &format!("cluster.secret is empty, expected {key}"));
        check("seal: true", &format!("cluster.secret is empty, expected {key}"));
        let short = "32 bytes in base64, or a text of at least 16 characters";
        check("secret: [short]", &format!("cluster.secret is 5 characters as key 1, expected {short}"));
    }

    #[test]
    fn keys_are_bytes_or_texts() {
        let seal = |keys: &str| {
            let options = read(&format!("cluster: {{enabled: true, gossip_address: 10.0.0.1, {keys}}}"));
            options.unwrap().unwrap().swim.seal
        };
        assert_eq!(seal("seal: false"), Seal::Off);
        let bytes = Key::new(&[7; 32]).unwrap();
        let encoded = base64::engine::general_purpose::STANDARD.encode([7; 32]);
        let text = "correct horse battery";
        let found = seal(&format!("secret: ['{encoded}', '{text}']"));
        assert_eq!(found, Seal::Keys(vec![bytes, Key::of_text(text)]));
        assert_ne!(Key::of_text(text), Key::of_text("correct horse batterz"));
    }
}
