//! `/api/metrics/…`: rates, errors and latencies of services over time, for the page's tab "Monitor". Computed from
//! spans by series of TraceQL, so nothing else has to be set up.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use spanloom_query::MetricsRequest;
use spanloom_span::Tenant;
use spanloom_span::model::AnyValue;
use spanloom_traceql::answer::Series;
use spanloom_traceql::ast::{BinaryOp, Kind};
use spanloom_wire::jaeger::answer::{self, Line};

use super::asked::units;
use super::failed::Failed;
use super::tenants_of;
use crate::answer::{Format, with_type, write};
use crate::conditions::join;
use crate::foreign::filter::{Filter, is_error, kind, one_of, service};
use crate::params::{Params, wrong};
use crate::parts::whole;
use crate::search::asked::within;
use crate::service::Inner;
use crate::time::{self, SECOND};
use crate::{Queries, QueryError, partial};

/// Milliseconds in nanoseconds.
const MS: u64 = 1_000_000;

/// As Jaeger has them, where nothing is said.
const USUAL_LOOKBACK: u64 = 3600 * SECOND;
const USUAL_STEP: u64 = 5 * SECOND;
const USUAL_RATE: u64 = 600 * SECOND;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Measure {
    /// The quantile of durations, in milliseconds.
    Latencies(f64),
    /// Calls a second.
    Calls,
    /// Errors as a part of the calls.
    Errors,
}

/// What is asked, as it was said.
#[derive(Debug, Clone, PartialEq)]
struct Asked {
    measure: Measure,
    services: Vec<String>,
    kinds: Vec<Kind>,
    by_operation: bool,
    /// Nanoseconds since 1970.
    end: u64,
    lookback: u64,
    step: u64,
    /// How long a time each rate is of.
    rate: u64,
}

impl Asked {
    fn from_params(measure: &str, params: &Params, now: u64) -> Result<Self, Failed> {
        let measure = match measure {
            "calls" => Measure::Calls,
            "errors" => Measure::Errors,
            "latencies" => {
                let expected = "a number from 0 to 1";
                let in_bounds = |text: &str| text.parse().ok().filter(|q: &f64| (0.0..=1.0).contains(q));
                let quantile = params.read("quantile", expected, in_bounds)?;
                Measure::Latencies(quantile.ok_or_else(|| wrong("quantile", "", expected))?)
            }
            other => {
                let message = format!("there is no measure {other:?}, expected latencies, calls or errors");
                return Err(Failed::Other(StatusCode::NOT_FOUND, message));
            }
        };
        let all = |name: &'static str| {
            params.0.iter().filter(move |(known, value)| known == name && !value.is_empty())
        };
        let services: Vec<String> = all("service").map(|(_, service)| service.clone()).collect();
        if services.is_empty() {
            let message = "unable to parse param 'service': please provide at least one service name";
            return Err(QueryError::Invalid(message.into()).into());
        }
        let kinds = all("spanKind").map(|(_, kind)| span_kind(kind)).collect::<Result<Vec<_>, _>>()?;
        let of = |name, usual| Ok::<u64, QueryError>(units(params, name, MS)?.unwrap_or(usual));
        Ok(Self {
            measure,
            services,
            kinds: if kinds.is_empty() { vec![Kind::Server] } else { kinds },
            by_operation: params.flag("groupByOperation")?,
            end: of("endTs", now)?,
            lookback: of("lookback", USUAL_LOOKBACK)?,
            step: of("step", USUAL_STEP)?.max(MS),
            rate: of("ratePer", USUAL_RATE)?,
        })
    }

    fn filter(&self) -> Filter {
        let services = one_of(self.services.iter().map(|name| service(name)).collect());
        let kinds = one_of(self.kinds.iter().map(|known| kind(*known)).collect());
        Filter::default().and(join(BinaryOp::And, services, kinds))
    }

    /// How many steps a rate is of.
    fn window(&self) -> u64 {
        (self.rate / self.step).max(1)
    }

    /// A query for series, over the time shown and `before` it.
    fn series(&self, filter: Filter, function: &str, before: u64, tenants: &[Tenant]) -> MetricsRequest {
        let by = if self.by_operation { "resource.service.name, name" } else { "resource.service.name" };
        let end = self.end - self.end % self.step;
        let start = end.saturating_sub(self.lookback).saturating_sub(before);
        MetricsRequest {
            tenants: tenants.to_vec(),
            query: format!("{} | {function} by ({by})", filter.into_query()),
            start: start - start % self.step,
            end: end.max(1),
            step: Some(self.step),
            ..MetricsRequest::default()
        }
    }
}

fn span_kind(name: &str) -> Result<Kind, QueryError> {
    Ok(match name {
        "SPAN_KIND_UNSPECIFIED" => Kind::Unspecified,
        "SPAN_KIND_INTERNAL" => Kind::Internal,
        "SPAN_KIND_SERVER" => Kind::Server,
        "SPAN_KIND_CLIENT" => Kind::Client,
        "SPAN_KIND_PRODUCER" => Kind::Producer,
        "SPAN_KIND_CONSUMER" => Kind::Consumer,
        _ => return Err(wrong("spanKind", name, "one such as SPAN_KIND_SERVER")),
    })
}

/// `/api/metrics/latencies`, `/api/metrics/calls`, `/api/metrics/errors`.
pub(super) async fn measure<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Path(measure): Path<String>,
    Query(params): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let asked = Asked::from_params(&measure, &Params(params), time::now())?;
    let tenants = tenants_of(&inner, &headers)?;
    let limits = &inner.config.limits;
    within("query.max_metrics_range", asked.lookback, time::nanos(limits.max_metrics_range))?;
    let intervals = (asked.lookback / asked.step).saturating_add(asked.window());
    if intervals > limits.max_intervals {
        let message = format!(
            "lookback, ratePer and step make {intervals} intervals, expected at most {} (query.max_intervals)",
            limits.max_intervals
        );
        return Err(QueryError::OverLimit { limit: "query.max_intervals", message }.into());
    }
    let (lines, missing) = inner.within_time(lines(&inner, &tenants, &asked)).await?;
    let (name, help) = described(&asked);
    let body = move || answer::metrics(&name, &help, &lines);
    let response = write(&inner, &headers, Format::Json, false, body).await?;
    Ok(partial::said(response, missing.as_deref()))
}

/// `/api/metrics/minstep`: a millisecond.
pub(super) async fn min_step() -> Response {
    with_type(StatusCode::OK, "application/json", answer::min_step(1))
}

/// The name and the help of the family, as Jaeger has them.
fn described(asked: &Asked) -> (String, String) {
    let (of, grouped) = match asked.by_operation {
        true => ("service_operation", "service & operation"),
        false => ("service", "service"),
    };
    let (what, help) = match asked.measure {
        Measure::Latencies(quantile) => ("latencies", format!("{quantile:.2}th quantile latency")),
        Measure::Calls => ("call_rate", "calls/sec".into()),
        Measure::Errors => {
            ("error_rate", "error rate, computed as a fraction of errors/sec over calls/sec".into())
        }
    };
    (format!("{of}_{what}"), format!("{help}, grouped by {grouped}"))
}

/// A line for each service, or each of its operations.
type Lines = BTreeMap<(String, Option<String>), Vec<(u64, f64)>>;

async fn lines<Q: Queries>(
    inner: &Inner<Q>,
    tenants: &[Tenant],
    asked: &Asked,
) -> Result<(Vec<Line>, Option<String>), QueryError> {
    let ask = async |filter: Filter, function: &str, before: u64| {
        let request = asked.series(filter, function, before, tenants);
        let part = whole(inner.queries.metrics(request).await?).await?;
        Ok::<_, QueryError>((by_labels(part.series), part.partial))
    };
    let before = asked.step.saturating_mul(asked.window());
    let (lines, partial) = match asked.measure {
        Measure::Latencies(quantile) => {
            let function = format!("quantile_over_time(duration, {quantile:?})");
            let (mut lines, partial) = ask(asked.filter(), &function, 0).await?;
            let in_ms = |(_, value): &mut (u64, f64)| *value *= 1000.0;
            lines.values_mut().flatten().for_each(in_ms);
            (lines, partial)
        }
        Measure::Calls => {
            let (calls, partial) = ask(asked.filter(), "count_over_time()", before).await?;
            let rate = |points: Vec<_>| {
                let seconds = before as f64 / 1e9;
                sliding(asked, &points).map(|(time, count)| (time, count / seconds)).collect()
            };
            (calls.into_iter().map(|(labels, points)| (labels, rate(points))).collect(), partial)
        }
        Measure::Errors => {
            let (calls, partial) = ask(asked.filter(), "count_over_time()", before).await?;
            let failed = asked.filter().and(is_error(true));
            let (errors, of_errors) = ask(failed, "count_over_time()", before).await?;
            let parts = |(labels, points): (_, Vec<_>)| {
                let errors: BTreeMap<u64, f64> =
                    errors.get(&labels).map(|points| sliding(asked, points).collect()).unwrap_or_default();
                let share = |(time, calls): (u64, f64)| (time, errors.get(&time).unwrap_or(&0.0) / calls);
                (labels, sliding(asked, &points).filter(|(_, calls)| *calls > 0.0).map(share).collect())
            };
            (calls.into_iter().map(parts).collect(), partial.or(of_errors))
        }
    };
    let line = |((service, operation), points)| Line { service, operation, points };
    Ok((lines.into_iter().map(line).collect(), partial))
}

/// At each step of the time shown, the sum of what was counted in the window that ends there.
fn sliding(asked: &Asked, points: &[(u64, f64)]) -> impl Iterator<Item = (u64, f64)> {
    let counts: BTreeMap<u64, f64> = points.iter().copied().collect();
    let end = asked.end - asked.end % asked.step;
    let first = end.saturating_sub(asked.lookback);
    let first = first - first % asked.step;
    let reach = asked.step * asked.window();
    let steps = (end - first) / asked.step;
    let step = asked.step;
    let mut sum: f64 =
        counts.range(..=first).filter(|(time, _)| **time + reach > first).map(|(_, n)| n).sum();
    (0..=steps).map(move |number| {
        let at = first + number * step;
        if number > 0 {
            sum += counts.get(&at).unwrap_or(&0.0);
            sum -= at.checked_sub(reach).and_then(|gone| counts.get(&gone)).unwrap_or(&0.0);
        }
        (at, sum)
    })
}

fn by_labels(series: Vec<Series>) -> Lines {
    let mut lines = Lines::new();
    for one in series {
        let text = |name: &str| {
            let label = one.labels.iter().find(|(label, _)| label == name);
            label.and_then(|(_, value)| match value {
                AnyValue::Str(text) => Some(text.clone()),
                _ => None,
            })
        };
        let service = text("resource.service.name").unwrap_or_default();
        let operation = text("name").or_else(|| text("span:name"));
        lines.insert((service, operation), one.samples);
    }
    lines
}
