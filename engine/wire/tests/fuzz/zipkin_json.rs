//! What must hold for any text taken as Zipkin's JSON: the first byte says which version, and how it is read.

use serde::de::IgnoredAny;
use spanloom_wire::zipkin::{Options, v1_json, v2_json};

use super::jaeger::appends_or_refuses;

/// What every translation promises; and nothing is taken that is not JSON to others.
pub fn holds(data: &[u8]) {
    let Some((how, text)) = data.split_first() else { return };
    let options = Options { debug: how & 2 != 0, parse_string_tags: how & 4 != 0 };
    let translate = if how & 1 == 0 { v2_json } else { v1_json };
    appends_or_refuses(|room, out| {
        let result = translate(text, &options, room, out);
        if result.is_ok() {
            assert!(serde_json::from_slice::<IgnoredAny>(text).is_ok());
        }
        result
    });
}
