//! What a search answers with. `docs/TRACEQL.md`, section "Searching".

use super::{ReadError, Spanset, WholeTrace};
use crate::answer::{FoundSpan, FoundSpanset, FoundTrace};
use crate::value::Value;
use spanloom_span::model::AnyValue;

/// A trace that was found, with the first `spans_per_spanset` spans of each of the spansets that are left of it.
pub fn found_trace(
    trace: &mut WholeTrace<'_, '_>,
    spansets: &[Spanset],
    spans_per_spanset: usize,
) -> Result<FoundTrace, ReadError> {
    let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let mut found = FoundTrace {
        id: trace.id(),
        root_service: text(trace.root_service()?),
        root_name: text(trace.root_name()?),
        start: trace.start(),
        duration: trace.duration(),
        services: trace.services()?,
        spansets: Vec::with_capacity(spansets.len()),
    };
    for spanset in spansets {
        let shown = spanset.spans.iter().take(spans_per_spanset);
        let spans = shown.map(|span| found_span(trace, *span)).collect::<Result<_, _>>()?;
        let attributes = spanset.attributes.iter().map(|(name, value)| {
            let value = match value.as_value() {
                Value::Nil => AnyValue::Str("nil".to_owned()),
                value => value.to_any(),
            };
            (name.to_string(), value)
        });
        let attributes = attributes.collect();
        found.spansets.push(FoundSpanset { attributes, spans, matched: spanset.spans.len() as u64 });
    }
    Ok(found)
}

fn found_span(trace: &mut WholeTrace<'_, '_>, span: u32) -> Result<FoundSpan, ReadError> {
    let plan = trace.plan();
    let identity = *trace.span(span);
    let mut found = FoundSpan {
        id: trace.span_id(span),
        name: String::new(),
        start: identity.start,
        duration: identity.duration,
        attributes: Vec::new(),
    };
    trace.name(span, &mut |name| found.name = String::from_utf8_lossy(name).into_owned())?;
    for field in &plan.shown {
        let mut first = true;
        trace.see(span, *field, &mut |value| {
            if std::mem::take(&mut first) && value != Value::Nil {
                found.attributes.push((plan.key(*field).to_owned(), value.to_any()));
            }
        })?;
    }
    Ok(found)
}
