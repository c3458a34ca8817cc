//! What is exported reads back as the spans that went in.
#![allow(clippy::unwrap_used)] // a test answers by panicking

#[path = "../../../storage/block/tests/common/mod.rs"]
mod common;
mod readback;

use std::ops::ControlFlow;

use common::*;
use proptest::prelude::*;
use readback::{Flat, flat, json, read};
use spanloom_block::{Block, BlockError};
use spanloom_export::{About, ExportError, ExportOptions, Exported, Format, Input, Progress, export};
use spanloom_span::model::*;
use spanloom_span::{SpanId, Tenant, TraceId};

fn block(requests: &[Trace]) -> (Parts, Input) {
    let parts = parts_of(requests);
    let block = Block::from_bytes(build(&parts).0.bytes).unwrap();
    (parts, Input { name: "one.block".into(), block })
}

fn about() -> About {
    About { tenant: Tenant::new("team-a").unwrap(), blocks: vec!["one".into(), "two".into()] }
}

fn exported(inputs: &[Input], options: &ExportOptions) -> (Exported, Vec<u8>) {
    export(inputs, &about(), options, Vec::new(), &mut |_| ControlFlow::Continue(())).unwrap()
}

fn spans(parts: &Parts) -> Vec<Flat> {
    parts.values().flat_map(|parts| flat("team-a", &expected(parts).trace)).collect()
}

/// A double that is no number is not equal to itself; as text it is.
fn shown(flat: &[Flat]) -> String {
    format!("{flat:#?}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn rows_read_back_as_the_spans(requests in any_requests()) {
        let (parts, input) = block(&requests);
        let expected = spans(&parts);
        let options = ExportOptions { group_rows: 3, ..ExportOptions::all(Format::Parquet) };
        let (done, file) = exported(&[input], &options);
        let (_, groups, found) = read(file);
        prop_assert!(groups.iter().rev().skip(1).all(|rows| *rows == 3));
        prop_assert_eq!(shown(&found), shown(&expected));
        prop_assert_eq!(done, Exported { traces: parts.len() as u64, spans: expected.len() as u64 });
    }

    #[test]
    fn lines_read_back_as_the_traces(requests in any_requests()) {
        let requests: Vec<Trace> = requests.into_iter().map(sayable).collect();
        let (parts, input) = block(&requests);
        let (_, file) = exported(&[input], &ExportOptions::all(Format::OtlpJson));
        let text = String::from_utf8(file).unwrap();
        let found: Vec<Trace> = text.lines().map(json::line).collect();
        let expected: Vec<Trace> = parts.values().map(|parts| expected(parts).trace).collect();
        prop_assert_eq!(format!("{found:#?}"), format!("{expected:#?}"));
    }
}

/// Without what OTLP JSON cannot say, or what its readers refuse: later fields, and ids of other lengths.
fn sayable(mut trace: Trace) -> Trace {
    for resource in &mut trace.resource_spans {
        resource.resource.unknown.clear();
        for scope in &mut resource.scope_spans {
            scope.scope.unknown.clear();
            for span in &mut scope.spans {
                span.unknown.clear();
                span.status.unknown.clear();
                if span.parent_span_id.len() != 8 {
                    span.parent_span_id.clear();
                }
                span.events.iter_mut().for_each(|event| event.unknown.clear());
                for link in &mut span.links {
                    link.unknown.clear();
                    link.trace_id.resize(16, 1);
                    link.span_id.resize(8, 1);
                }
            }
        }
    }
    trace
}

#[test]
fn doubles_that_are_no_numbers_and_late_times_read_back() {
    let doubles = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE, 1e21, 3.0];
    let values = doubles.map(AnyValue::Double);
    let list = AnyValue::Array(values.to_vec());
    let attributes = values.into_iter().chain([list]).map(|value| KeyValue { key: "d".into(), value });
    let late = Span { start_time_unix_nano: i64::MAX as u64, end_time_unix_nano: u64::MAX, ..span(1, 1) };
    let (parts, input) = block(&[request(vec![Span { attributes: attributes.collect(), ..late }])]);
    let (_, file) = exported(&[input], &ExportOptions::all(Format::Parquet));
    assert_eq!(shown(&read(file).2), shown(&spans(&parts)));
}

#[test]
fn a_file_says_where_its_spans_are_from() {
    let (_, input) = block(&[request(vec![span(1, 1)])]);
    let about = read(exported(&[input], &ExportOptions::all(Format::Parquet)).1).0;
    let expected = [
        ("blocks", "one,two"),
        ("schema", "1"),
        ("tenant", "team-a"),
        ("version", env!("CARGO_PKG_VERSION")),
    ];
    assert_eq!(about, expected.map(|(key, value)| (format!("spanloom.{key}"), value.to_owned())).into());
}

#[test]
fn a_row_group_has_few_rows_and_few_bytes() {
    let large = |id| Span { attributes: vec![text("body", &"x".repeat(90 << 10))], ..span(1, id) };
    let (parts, input) = block(&[request((1..=14).map(large).collect())]);
    let check = |group_rows: usize, group_bytes: usize, expected: &[i64]| {
        let options = ExportOptions { group_rows, group_bytes, ..ExportOptions::all(Format::Parquet) };
        let (_, groups, found) = read(exported(std::slice::from_ref(&input), &options).1);
        assert_eq!(groups, expected, "{group_rows} rows or {group_bytes} bytes");
        assert!(found == spans(&parts), "the spans are others");
    };
    check(100, 480 << 10, &[6, 6, 2]);
    check(5, 480 << 10, &[5, 5, 4]);
    check(100, 1, &[1; 14]);
    check(14, 100 << 20, &[14]);
}

#[test]
fn a_block_without_spans_is_a_file_without_rows() {
    let (_, input) = block(&[]);
    let (done, file) = exported(std::slice::from_ref(&input), &ExportOptions::all(Format::Parquet));
    assert_eq!((done, read(file).2), (Exported::default(), Vec::new()));
    assert!(exported(&[input], &ExportOptions::all(Format::OtlpJson)).1.is_empty());
}

#[test]
fn traces_are_chosen_by_time_and_are_whole() {
    let (_, input) = block(&[request(vec![span(1, 1), span(1, 100)]), request(vec![span(2, 50)])]);
    let check = |from: u64, to: u64, expected: &[u8]| {
        let start = span(1, 0).start_time_unix_nano;
        let times = start + from..start + to;
        let options = ExportOptions { times, ..ExportOptions::all(Format::Parquet) };
        let (_, file) = exported(std::slice::from_ref(&input), &options);
        let found: Vec<u8> = read(file).2.iter().map(|flat| flat.span.trace_id.0[0]).collect();
        assert_eq!(found, expected, "{from} to {to}");
    };
    check(0, 1000, &[]);
    check(0, 1001, &[1, 1]);
    check(10_000, 20_000, &[1, 1]);
    check(60_000, 70_000, &[1, 1, 2]);
    check(75_001, 150_000, &[1, 1]);
    check(150_001, 200_000, &[]);
}

#[test]
fn whoever_watches_is_told_and_may_end_it() {
    let (_, input) = block(&[request((1..=5000).map(|id| span(1, id)).collect()), request(vec![span(2, 1)])]);
    let mut told = Vec::new();
    let options = ExportOptions::all(Format::OtlpJson);
    let ended = export(&[input], &about(), &options, Vec::new(), &mut |progress| {
        told.push(progress);
        ControlFlow::Break(())
    });
    assert!(matches!(ended, Err(ExportError::Cancelled)));
    assert_eq!(told, [Progress { spans: 5000, of: 5001 }]);
}

#[test]
fn what_is_wrong_is_said() {
    let (parts, input) = block(&[request(vec![span(1, 1)])]);
    let options = ExportOptions { max_trace_bytes: 1, ..ExportOptions::all(Format::Parquet) };
    let failed = export(std::slice::from_ref(&input), &about(), &options, Vec::new(), &mut |_| {
        ControlFlow::Continue(())
    });
    let Err(ExportError::Block { name, source: BlockError::TooLarge { limit: 1 } }) = failed else {
        panic!("{:?}", failed.map(|(done, _)| done))
    };
    assert_eq!(name, "one.block");
    drop(parts);

    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    for format in [Format::Parquet, Format::OtlpJson] {
        let options = ExportOptions::all(format);
        let failed =
            export(
                std::slice::from_ref(&input),
                &about(),
                &options,
                Full,
                &mut |_| ControlFlow::Continue(()),
            );
        let Err(error) = failed else { panic!("written to a full disk") };
        assert!(matches!(error, ExportError::Write(_)), "{error:?}");
        assert_eq!(error.to_string(), "the export could not be written: no storage space");
    }
}

#[test]
fn a_line_is_as_the_collector_reads_it() {
    let event = Event { time_unix_nano: 5, name: "e".into(), ..Event::default() };
    let link = Link { trace_id: vec![0xab; 16], span_id: vec![0xcd; 8], ..Link::default() };
    let span = Span {
        trace_id: TraceId([0x0a; 16]),
        span_id: SpanId([0xf0; 8]),
        parent_span_id: vec![1; 8],
        kind: 2,
        status: Status { code: 2, message: "m".into(), unknown: Vec::new() },
        attributes: vec![KeyValue { key: "i".into(), value: AnyValue::Int(200) }],
        events: vec![event],
        links: vec![link],
        ..span(1, 1)
    };
    let (_, input) = block(&[request(vec![span])]);
    let (_, file) = exported(&[input], &ExportOptions::all(Format::OtlpJson));
    let expected = concat!(
        r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"#,
        r#""scopeSpans":[{"scope":{"name":"library"},"spans":[{"#,
        r#""traceId":"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a","spanId":"f0f0f0f0f0f0f0f0","#,
        r#""parentSpanId":"0101010101010101","name":"operation 1","kind":2,"#,
        r#""startTimeUnixNano":"1700000000000001000","endTimeUnixNano":"1700000000000001500","#,
        r#""attributes":[{"key":"i","value":{"intValue":"200"}}],"#,
        r#""events":[{"timeUnixNano":"5","name":"e"}],"#,
        r#""links":[{"traceId":"abababababababababababababababab","spanId":"cdcdcdcdcdcdcdcd"}],"#,
        r#""status":{"message":"m","code":2}}]}]}]}"#,
        "\n"
    );
    assert_eq!(String::from_utf8(file).unwrap(), expected);
}
