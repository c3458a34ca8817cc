//! The questions' names on the wire.

use http::{HeaderMap, HeaderValue, header};

/// The gRPC service that all questions are methods of.
pub(crate) const SERVICE: &str = "spanloom.peer.v1.Peer";

/// What the messages are.
pub(crate) const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/grpc+spanloom");

/// A question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Push,
    FindTrace,
    ListBlocks,
    ReadBlock,
    ExchangeMembers,
    ListTenants,
    ListTraces,
    PushSliced,
    ScanBlocks,
}

impl Method {
    /// All of them, each at its own index.
    pub(crate) const ALL: [Self; 9] = [
        Self::Push,
        Self::FindTrace,
        Self::ListBlocks,
        Self::ReadBlock,
        Self::ExchangeMembers,
        Self::ListTenants,
        Self::ListTraces,
        Self::PushSliced,
        Self::ScanBlocks,
    ];

    /// Its path.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Push => "/spanloom.peer.v1.Peer/Push",
            Self::FindTrace => "/spanloom.peer.v1.Peer/FindTrace",
            Self::ListBlocks => "/spanloom.peer.v1.Peer/ListBlocks",
            Self::ReadBlock => "/spanloom.peer.v1.Peer/ReadBlock",
            Self::ExchangeMembers => "/spanloom.peer.v1.Peer/ExchangeMembers",
            Self::ListTenants => "/spanloom.peer.v1.Peer/ListTenants",
            Self::ListTraces => "/spanloom.peer.v1.Peer/ListTraces",
            Self::PushSliced => "/spanloom.peer.v1.Peer/PushSliced",
            Self::ScanBlocks => "/spanloom.peer.v1.Peer/ScanBlocks",
        }
    }

    /// The question of a path.
    pub(crate) fn of(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.path() == path)
    }

    /// Whether questions or answers are large, so that small ones are not to wait behind them.
    pub(crate) fn is_bulk(self) -> bool {
        matches!(
            self,
            Self::Push
                | Self::PushSliced
                | Self::ListBlocks
                | Self::ReadBlock
                | Self::ListTraces
                | Self::ScanBlocks
        )
    }
}

/// Whether the headers are those of a gRPC message.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    let Some(found) = headers.get(header::CONTENT_TYPE) else { return false };
    found
        .as_bytes()
        .strip_prefix(b"application/grpc")
        .is_some_and(|rest| matches!(rest, [] | [b'+' | b';', ..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_has_a_path_of_the_service_and_an_index() {
        for (index, method) in Method::ALL.into_iter().enumerate() {
            assert_eq!(method as usize, index);
            assert!(method.path().strip_prefix('/').unwrap().starts_with(SERVICE), "{}", method.path());
            assert_eq!(Method::of(method.path()), Some(method));
        }
        assert_eq!(Method::of("/spanloom.peer.v1.Peer/Pull"), None);
    }

    #[test]
    fn only_grpc_is_grpc() {
        for (text, expected) in [
            ("application/grpc", true),
            ("application/grpc+spanloom", true),
            ("application/grpc; charset=x", true),
            ("application/grpc-web", false),
            ("text/html", false),
        ] {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(text))]);
            assert_eq!(is_grpc(&headers), expected, "{text}");
        }
        assert!(!is_grpc(&HeaderMap::new()));
    }
}
