//! An engine inside a program: no ports, spans pushed and traces read by calls.
//!
//! `cargo run --example embedded -p spanloom-server`
#![allow(clippy::print_stdout)]

use spanloom_server::model::{AnyValue, KeyValue, Resource, ResourceSpans, ScopeSpans, Span, Trace};
use spanloom_server::{Engine, SpanBatch, SpanId, Tenant, TraceId};

/// Pushes a trace, reads it live, seals it, reads it again.
#[tokio::main]
pub async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::temp_dir().join(format!("spanloom-embedded-{}", std::process::id()));
    let engine = Engine::builder().data_dir(&dir).start().await?;
    let tenant = Tenant::default();
    let trace_id = TraceId::parse("4bf92f3577b34da6a3ce929d0e0e4736")?;

    let accepted = engine.push(&tenant, SpanBatch::from_model(&checkout(trace_id)?)).await?;
    println!("{} spans accepted: they are on the disk and can be asked for", accepted.spans);

    let found = engine.trace(&tenant, trace_id).await?;
    let trace = found.trace.ok_or("the trace must be found at once")?;
    for span in trace.spans() {
        println!("live:   {} {}", span.span_id, span.name);
    }

    engine.flush().await?;
    let sealed = engine.trace(&tenant, trace_id).await?;
    println!("sealed: the same {} spans from {} block", trace.span_count(), sealed.blocks);
    assert_eq!(sealed.trace.as_ref(), Some(&trace));

    engine.stop().await?;
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

/// Two spans of a shop's checkout service.
pub fn checkout(trace_id: TraceId) -> Result<Trace, Box<dyn std::error::Error>> {
    let service = KeyValue { key: "service.name".into(), value: AnyValue::Str("checkout".into()) };
    let parent = Span {
        trace_id,
        span_id: SpanId::parse("00f067aa0ba902b7")?,
        name: "POST /checkout".into(),
        kind: 2,
        start_time_unix_nano: 1_700_000_000_000_000_000,
        end_time_unix_nano: 1_700_000_000_035_000_000,
        ..Span::default()
    };
    let child = Span {
        span_id: SpanId::parse("00f067aa0ba902b8")?,
        parent_span_id: parent.span_id.0.to_vec(),
        name: "SELECT cart".into(),
        kind: 3,
        ..parent.clone()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![parent, child], ..ScopeSpans::default() }];
    let resource = Resource { attributes: vec![service], ..Resource::default() };
    Ok(Trace { resource_spans: vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }] })
}
