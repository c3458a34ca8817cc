//! The named profiles: how large a span is, counted as bytes of OTLP protobuf requests divided by their spans.

use crate::attributes::Level;

/// Size of the generated spans.
///
/// | profile | bytes a span | attributes on the span | on its resource | content |
/// |---|---|---|---|---|
/// | `small` | 264 | 5 to 8 | 8 | the required attributes of the conventions, as a lean SDK sends them |
/// | `default` | 402 | 9 to 14 | 13 | with peers, protocols, users, statements, stack traces of exceptions |
/// | `large` | 1,700 | 17 to 25 | 21 | with one to four log events, headers, full URLs, statements with literals, user agents, sessions, request ids |
///
/// What varies, in every profile: random span ids (8 bytes) and trace ids (16 bytes); times in nanoseconds, with
/// log-normal durations; about 2 % of the spans failed, with an exception event; ephemeral ports; user ids out of
/// 10,000 and product ids out of 20,000, both by Zipf's law. On some spans of `default` and all of `large` there
/// are values that hardly repeat: request ids, statements with literals, full URLs. The rest (methods, routes,
/// hosts, versions, status codes) has few values, as in real traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// About 264 bytes a span.
    Small,
    /// About 402 bytes a span.
    #[default]
    Default,
    /// About 1,700 bytes a span.
    Large,
}

impl Profile {
    /// The bytes a span that the profile promises, within 3 %.
    pub fn bytes_per_span(self) -> f64 {
        match self {
            Self::Small => 264.0,
            Self::Default => 402.0,
            Self::Large => 1_700.0,
        }
    }

    /// The attributes that it has.
    pub(crate) fn level(self) -> Level {
        match self {
            Self::Small => Level::Small,
            Self::Default => Level::Default,
            Self::Large => Level::Large,
        }
    }
}
