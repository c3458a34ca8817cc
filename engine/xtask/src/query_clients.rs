//! Readers of others on the query APIs of Jaeger and Zipkin: a client of Jaeger's, gRPC stubs made of its protos, plain
//! HTTP. `engine/server/tests/query_clients/check.py` has real senders send spans, reads them back and compares.

use crate::repo::Repo;
use crate::script::Script;
use crate::steps::Outcome;

/// The check.
pub const QUERY_CLIENTS: Script = Script {
    name: "query-clients",
    folder: "engine/server/tests/query_clients",
    installs: "the readers of Jaeger and Zipkin",
};

/// The step of `cargo xtask test`.
pub fn step(repo: &Repo) -> Result<Outcome, String> {
    QUERY_CLIENTS.step(repo)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_lies_beside_the_script() {
        QUERY_CLIENTS.has(&["check.py", "requirements.txt", "proto/query.proto", "proto/storage_v1.proto"]);
    }
}
