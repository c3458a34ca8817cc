//! Names and values of attributes.

use clap::{Args, ValueEnum};

use super::answer::{TagsAnswer, ValuesAnswer};
use super::render::names;
use super::server::{Failure, JSON, Path, Server, parsed};
use super::terminal::Terminal;

const TAGS_EXAMPLES: &str = "Examples:
  spanloom query tags                                          every name, as a query writes it
  spanloom query tags --scope resource
  spanloom query tags --q '{ resource.service.name = \"shop\" }'  names of this service's spans";

const VALUES_EXAMPLES: &str = "Examples:
  spanloom query values resource.service.name
  spanloom query values .http.status_code --q '{ status = error }'
  spanloom query values name --limit 10";

/// Which spans count.
#[derive(Debug, Args)]
struct Which {
    /// TraceQL, one filter: only spans that match it count
    #[arg(long, value_name = "TRACEQL")]
    q: Option<String>,
    /// From when: seconds since 1970, nanoseconds, or 2026-01-02T03:04:05Z [default: all that is kept]
    #[arg(long, value_name = "TIME")]
    start: Option<String>,
    /// Until when
    #[arg(long, value_name = "TIME")]
    end: Option<String>,
    /// Most names of a scope, or most values [default: no limit]
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

/// Flags of `query tags`.
#[derive(Debug, Args)]
#[command(after_help = TAGS_EXAMPLES)]
pub(super) struct TagsFlags {
    /// One scope alone
    #[arg(long, value_enum)]
    scope: Option<ScopeName>,
    #[command(flatten)]
    which: Which,
}

/// Where the name of an attribute stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ScopeName {
    Resource,
    Span,
    Event,
    Link,
    Instrumentation,
    /// The fields that every span has.
    Intrinsic,
}

/// Flags of `query values`.
#[derive(Debug, Args)]
#[command(after_help = VALUES_EXAMPLES)]
pub(super) struct ValuesFlags {
    /// A field of TraceQL: resource.service.name, .user, name
    #[arg(value_name = "TAG")]
    tag: String,
    #[command(flatten)]
    which: Which,
}

impl Which {
    fn put(&self, path: Path) -> Path {
        path.with_some("q", self.q.as_ref())
            .with_some("start", self.start.as_ref())
            .with_some("end", self.end.as_ref())
            .with_some("limit", self.limit)
    }
}

/// Asks for names and prints them.
pub(super) async fn tags(
    flags: &TagsFlags,
    to: &mut Server,
    json: bool,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let scope = flags.scope.and_then(|scope| scope.to_possible_value());
    let path =
        Path::new("/api/v2/search/tags").with_some("scope", scope.as_ref().map(|scope| scope.get_name()));
    let answer = to.get(&flags.which.put(path), JSON).await?;
    match json {
        true => terminal.say_json(&answer.body)?,
        false => {
            let text = names::tags(&terminal.style, &parsed::<TagsAnswer>(&answer.body)?);
            terminal.say(&text)?
        }
    };
    terminal.show().map(|_| ())
}

/// Asks for values and prints them.
pub(super) async fn values(
    flags: &ValuesFlags,
    to: &mut Server,
    json: bool,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let path = Path::new("/api/v2/search/tag").step(&flags.tag).step("values");
    let answer = to.get(&flags.which.put(path), JSON).await?;
    match json {
        true => terminal.say_json(&answer.body)?,
        false => {
            let text = names::values(&terminal.style, &parsed::<ValuesAnswer>(&answer.body)?);
            terminal.say(&text)?
        }
    };
    terminal.show().map(|_| ())
}
