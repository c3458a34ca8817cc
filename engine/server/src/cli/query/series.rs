//! Series that a query makes: plots, heat maps, tables.

use spanloom_traceql::ast::Metrics;

use super::AskFlags;
use super::answer::SeriesAnswer;
use super::render::unit::{Drawn, shape};
use super::render::{compare, heat, instant, series};
use super::server::{Failure, JSON, Path, Server, parsed};
use super::terminal::Terminal;

/// Series, groups or values that are shown.
const TOP: u32 = 20;

/// Asks and prints.
pub(super) async fn run(
    query: &str,
    metrics: &Metrics,
    asked: &AskFlags,
    to: &mut Server,
    json: bool,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let shape = shape(metrics);
    let is_compared = shape.drawn == Drawn::Compare;
    if is_compared && (asked.step.is_some() || asked.exemplars.is_some()) {
        let why = "--step and --exemplars mean nothing for compare(), which counts over the whole time";
        return Err(Failure::Usage(why.to_owned()));
    }
    let is_instant = asked.instant || is_compared;
    let answer = to.get(&path(query, asked, is_instant), JSON).await?;
    if json {
        terminal.say_json(&answer.body)?;
    } else {
        let answer: SeriesAnswer = parsed(&answer.body)?;
        let top = asked.top.unwrap_or(TOP) as usize;
        let style = &terminal.style;
        let text = match (shape.drawn, is_instant) {
            (Drawn::Compare, _) => compare::compare(style, &answer, top),
            (Drawn::Histogram, true) => heat::bars(style, shape.unit, &answer, top),
            (Drawn::Histogram, false) => heat::map(style, shape.unit, &answer, top),
            (Drawn::Series, true) => instant::instant(style, shape.unit, &answer, top),
            (Drawn::Series, false) => series::range(style, shape.unit, &answer, top),
        };
        terminal.say(&text)?;
    }
    terminal.show().map(|_| ())
}

fn path(query: &str, asked: &AskFlags, is_instant: bool) -> Path {
    let path = Path::new(if is_instant { "/api/metrics/query" } else { "/api/metrics/query_range" });
    let path = path
        .with("q", query)
        .with_some("since", asked.since.as_ref())
        .with_some("start", asked.start.as_ref())
        .with_some("end", asked.end.as_ref());
    match is_instant {
        true => path,
        // None unless they are asked for: nothing here would show them.
        false => path
            .with_some("step", asked.step.as_ref())
            .with("exemplars", &asked.exemplars.unwrap_or(0).to_string()),
    }
}
