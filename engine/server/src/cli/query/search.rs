//! Traces that a query finds, page by page.

use std::time::{SystemTime, UNIX_EPOCH};

use super::AskFlags;
use super::answer::SearchAnswer;
use super::render::{explain, found};
use super::server::{Failure, JSON, Path, Server, parsed};
use super::terminal::Terminal;

/// Where the next page begins.
const NEXT_CURSOR: &str = "x-spanloom-next-cursor";

/// Traces of a page when all are asked for.
const PAGE: u64 = 1000;

/// With `--all`, this many traces are enough.
const MOST_TRACES: u64 = 1_000_000;

/// Spans of a spanset with `--spans`; the API's own default is for summaries.
const SPANS: u64 = 20;

/// Asks and prints.
pub(super) async fn run(
    query: &str,
    asked: &AskFlags,
    to: &mut Server,
    json: bool,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let mut cursor = asked.cursor.clone();
    let mut traces = 0u64;
    let mut heading = Some(found::heading(&terminal.style));
    loop {
        let answer = to.get(&path(query, asked, cursor.as_deref()), JSON).await?;
        let next = answer.headers.get(NEXT_CURSOR).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let page: SearchAnswer = parsed(&answer.body)?;
        traces = traces.saturating_add(page.traces.len() as u64);
        // An answer that does not go on would be asked for without end.
        let goes_on = asked.all && next.is_some() && next != cursor && !page.traces.is_empty();
        let goes_on = goes_on && traces < MOST_TRACES;
        let reads = match json {
            true => terminal.say_json(&answer.body)?,
            false => {
                if let Some(heading) = heading.take().filter(|_| !page.traces.is_empty()) {
                    terminal.say(&heading)?;
                }
                for trace in &page.traces {
                    terminal.say(&found::trace(&terminal.style, trace, asked.spans))?;
                }
                if let Some(how) = &page.explain {
                    terminal.say(&format!("\n{}\n", explain::explain(&terminal.style, how)))?;
                }
                if !goes_on {
                    terminal.say(&found::footer(&terminal.style, traces, &page.metrics, next.as_deref()))?;
                }
                true
            }
        };
        if !terminal.show()? || !reads || !goes_on {
            return Ok(());
        }
        cursor = next;
    }
}

fn path(query: &str, asked: &AskFlags, cursor: Option<&str>) -> Path {
    let limit = asked.limit.or(asked.all.then_some(PAGE));
    let spss = asked.spss.or(asked.spans.then_some(SPANS));
    // The API wants both or neither; a start alone means until now.
    let end = asked.end.clone().or_else(|| asked.start.is_some().then(now));
    Path::new("/api/search")
        .with("q", query)
        .with_some("limit", limit)
        .with_some("spss", spss)
        .with_some("since", asked.since.as_ref())
        .with_some("start", asked.start.as_ref())
        .with_some("end", end)
        .with_some("cursor", cursor)
        .with_some("explain", asked.explain.then_some(1))
}

/// Nanoseconds since 1970.
fn now() -> String {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}
