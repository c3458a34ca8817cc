//! What went over the wire and what was dropped, by reason.

/// Why something that came in was dropped. Nothing was changed by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// Longer than `max_packet`.
    TooLarge,
    /// It does not begin as gossip does.
    NotGossip,
    /// Another version of the envelope.
    OtherVersion,
    /// Another cluster's label.
    OtherCluster,
    /// Not sealed, and this node seals.
    Unsealed,
    /// Sealed, and this node does not.
    Sealed,
    /// Sealed with a key that is not accepted here.
    UnknownKey,
    /// The seal does not fit: another key, or changed on the way.
    BrokenSeal,
    /// It came before.
    Replayed,
    /// Sent longer ago than `max_skew_ms`, or the sender's clock is behind.
    TooOld,
    /// The sender's clock is ahead by more than `max_skew_ms`.
    FromTheFuture,
    /// It opened, but is not what this version writes.
    Malformed,
    /// A record in it could not be read; the rest was taken.
    BadRecord,
    /// From this node itself.
    Own,
    /// From a former life of a node; it was told.
    Superseded,
    /// It would exceed `max_members`.
    TooManyMembers,
    /// This node has left, or its name is another's.
    Silent,
    /// SWIM had no use for it.
    Refused,
}

impl DropReason {
    /// All reasons.
    pub const ALL: [Self; 18] = [
        Self::TooLarge,
        Self::NotGossip,
        Self::OtherVersion,
        Self::OtherCluster,
        Self::Unsealed,
        Self::Sealed,
        Self::UnknownKey,
        Self::BrokenSeal,
        Self::Replayed,
        Self::TooOld,
        Self::FromTheFuture,
        Self::Malformed,
        Self::BadRecord,
        Self::Own,
        Self::Superseded,
        Self::TooManyMembers,
        Self::Silent,
        Self::Refused,
    ];

    /// As a metric's label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::NotGossip => "not_gossip",
            Self::OtherVersion => "other_version",
            Self::OtherCluster => "other_cluster",
            Self::Unsealed => "unsealed",
            Self::Sealed => "sealed",
            Self::UnknownKey => "unknown_key",
            Self::BrokenSeal => "broken_seal",
            Self::Replayed => "replayed",
            Self::TooOld => "too_old",
            Self::FromTheFuture => "from_the_future",
            Self::Malformed => "malformed",
            Self::BadRecord => "bad_record",
            Self::Own => "own",
            Self::Superseded => "superseded",
            Self::TooManyMembers => "too_many_members",
            Self::Silent => "silent",
            Self::Refused => "refused",
        }
    }
}

/// Counts since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Datagrams to be sent.
    pub sent: u64,
    /// Their bytes, without the headers of UDP and IP.
    pub sent_bytes: u64,
    /// Datagrams that came.
    pub received: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// States of others that were merged.
    pub merged: u64,
    /// How often the process was found to have stood still, and suspected nobody for it.
    pub stalls: u64,
    dropped: [u64; DropReason::ALL.len()],
}

impl Counters {
    /// How many were dropped for a reason.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped[reason as usize]
    }

    pub(crate) fn drop_for(&mut self, reason: DropReason) {
        self.dropped[reason as usize] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_place() {
        let mut counters = Counters::default();
        for (at, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, at, "{}", reason.as_str());
            counters.drop_for(reason);
            assert_eq!(counters.dropped(reason), 1);
        }
    }
}
