//! A block searched in bulk finds the rows that are found when its traces are read and judged span by span.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "../examples/shop/mod.rs"]
mod shop;

use common::*;
use proptest::prelude::*;
use shop::Random;
use spanloom_block::{Block, Counters, Matches};
use spanloom_span::TraceId;
use spanloom_span::model::*;
use spanloom_traceql::eval::{ModelFragment, Scratch, WholeTrace};
use spanloom_traceql::plan::{FilterId, Plan};

fn plan(query: &str) -> Plan {
    let parsed = spanloom_traceql::parse(query).unwrap_or_else(|error| panic!("{query}\n{error}"));
    Plan::new(&parsed).unwrap_or_else(|error| panic!("{query}\n{error}"))
}

/// The rows for which each filter holds, judged on whole traces.
fn judged(traces: &[(TraceId, Trace)], plan: &Plan) -> Vec<Vec<bool>> {
    let mut out = vec![Vec::new(); plan.filters.len()];
    let mut scratch = Scratch::default();
    for (id, trace) in traces {
        let mut fragment = ModelFragment::new(plan, trace);
        let mut fragments: [&mut dyn spanloom_traceql::eval::Fragment; 1] = [&mut fragment];
        let mut whole = WholeTrace::join(*id, plan, &mut fragments, &mut scratch).unwrap();
        for number in 0..trace.span_count() as u32 {
            let span = whole.whole_number(0, number).unwrap();
            for (filter, out) in plan.filters.iter().zip(&mut out) {
                out.push(filter.expr.eval(&mut |field, see| whole.see(span, field, see)).unwrap());
            }
        }
    }
    out
}

/// The rows for which each filter holds, and whether that is exact, as the scan says.
fn scanned(block: &Block, plan: &Plan) -> Vec<(Vec<bool>, bool)> {
    let reader = block.reader().unwrap();
    let mut scan = reader.scan(&plan.fields, &plan.filters).unwrap();
    let exact = |filter: usize| FilterId(filter as u16);
    let mut out: Vec<(Vec<bool>, bool)> =
        (0..plan.filters.len()).map(|filter| (Vec::new(), scan.is_exact(exact(filter)))).collect();
    let (mut matches, mut counters) = (Matches::default(), Counters::default());
    for group in 0..scan.groups() {
        scan.group(group, &mut matches, &mut counters).unwrap();
        for (bits, (out, _)) in matches.filters().iter().zip(&mut out) {
            assert_eq!(bits.len(), matches.rows());
            out.extend((0..bits.len()).map(|row| bits.has(row)));
        }
    }
    let matched: usize = out.iter().map(|(rows, _)| rows.iter().filter(|&&row| row).count()).sum();
    assert_eq!((counters.groups, counters.rows_matched), (u64::from(scan.groups()), matched as u64));
    let pruned = counters.pruned_by_time + counters.pruned_by_duration + counters.pruned_by_values;
    assert!(pruned <= counters.groups && counters.rows_read <= block.meta().spans);
    out
}

/// Compares both, and gives how many rows match; `usize::MAX` of rows that only may.
fn check(block: &Block, traces: &[(TraceId, Trace)], query: &str) -> usize {
    let plan = plan(query);
    let (expected, found) = (judged(traces, &plan), scanned(block, &plan));
    let mut matched = 0;
    for (number, (expected, (found, exact))) in expected.iter().zip(&found).enumerate() {
        assert!(*exact || plan.filters[number].reads_trace, "{query}");
        let name = || format!("filter {number} of {query}: {:?}", plan.filters[number].expr);
        assert_eq!(found.len(), expected.len(), "{}", name());
        let wrong =
            |row: &usize| if *exact { found[*row] != expected[*row] } else { expected[*row] && !found[*row] };
        let wrong: Vec<usize> = (0..found.len()).filter(wrong).collect();
        if let Some(&first) = wrong.first() {
            let (_, span) =
                traces.iter().flat_map(|(id, trace)| trace.spans().map(move |s| (id, s))).nth(first).unwrap();
            panic!("{}\nrows {wrong:?} are wrong; row {first} is found {}: {span:#?}", name(), found[first]);
        }
        matched += expected.iter().filter(|&&row| row).count();
    }
    matched
}

/// A block, and its traces read back.
fn block_of(requests: &[Trace], group_rows: usize) -> (Block, Vec<(TraceId, Trace)>) {
    let block = Block::from_bytes(build_in_groups(&parts_of(requests), group_rows).0.bytes).unwrap();
    let traces = block.trace_ids().unwrap().map(|id| (id, block.trace(&id).unwrap().unwrap())).collect();
    (block, traces)
}

/// A key that is too long for a column of its own.
fn long_key() -> String {
    "long".repeat(300)
}

/// Constants that occur in the traces, as the language writes them.
fn constants(traces: &[(TraceId, Trace)]) -> Vec<String> {
    let mut out = Vec::new();
    let quote = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let hex = |bytes: &[u8]| quote(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let literal = |value: &AnyValue| match value {
        AnyValue::Str(text) if !text.contains('\n') => Some(quote(text)),
        AnyValue::Int(value) => Some(value.to_string()).filter(|text| *text != i64::MIN.to_string()),
        AnyValue::Double(value) => Some(format!("{value:?}")).filter(|text| !text.contains('e')),
        AnyValue::Bool(value) => Some(value.to_string()),
        _ => None,
    };
    for (id, trace) in traces {
        out.push(hex(&id.0));
        for span in trace.spans() {
            out.extend([hex(&span.span_id.0), hex(&span.parent_span_id), quote(&span.name)]);
            out.push(quote(&span.status.message));
            out.push(format!("{}ns", span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano) >> 1));
            out.extend(span.events.iter().map(|event| quote(&event.name)));
            out.extend(span.links.iter().flat_map(|link| [hex(&link.trace_id), hex(&link.span_id)]));
            let of_children = span.events.iter().flat_map(|event| &event.attributes);
            for attribute in span.attributes.iter().chain(of_children) {
                match &attribute.value {
                    AnyValue::Array(elements) => out.extend(elements.iter().filter_map(literal)),
                    value => out.extend(literal(value)),
                }
            }
        }
    }
    out.sort();
    out.dedup();
    out
}

const KEYS: [&str; 9] = ["a", "b", "ab", "ca", "copy", "same", "kind", "everywhere", "absent"];
const SCOPES: [&str; 7] = [".", "span.", "span.", "resource.", "event.", "link.", "instrumentation."];
const INTRINSICS: [&str; 17] = [
    "name",
    "kind",
    "status",
    "statusMessage",
    "duration",
    "span:id",
    "span:parentID",
    "trace:id",
    "event:name",
    "event:timeSinceStart",
    "link:traceID",
    "link:spanID",
    "instrumentation:name",
    "instrumentation:version",
    "nestedSetParent",
    "rootName",
    "span:childCount",
];
const FEW: [&str; 16] = [
    "\"\"", "\"a\"", "\"b\"", "\"ab\"", "0", "1", "-2", "0.5", "true", "false", "5ns", "1s", "error", "ok",
    "server", "internal",
];
const PATTERNS: [&str; 5] = ["\".*\"", "\"a.*\"", "\"[a-c ]{2}\"", "\"/[0-9]/.*\"", "\"\""];
const OPERATORS: [&str; 8] = ["=", "=", "=", "!=", "<", "<=", ">", ">="];

fn pick<'p>(random: &mut Random, of: &[&'p str]) -> &'p str {
    of[random.below(of.len() as u64) as usize]
}

fn field(random: &mut Random) -> String {
    match random.below(5) {
        0 | 1 => pick(random, &INTRINSICS).to_owned(),
        2 if random.below(3) == 0 => format!("{}{}", pick(random, &SCOPES), long_key()),
        2 if random.below(5) == 0 => format!("parent.{}", pick(random, &KEYS)),
        _ => format!("{}{}", pick(random, &SCOPES), pick(random, &KEYS)),
    }
}

fn constant(random: &mut Random, constants: &[String]) -> String {
    if constants.is_empty() || random.below(3) == 0 {
        return pick(random, &FEW).to_owned();
    }
    constants[random.below(constants.len() as u64) as usize].clone()
}

fn condition(random: &mut Random, known: &[String], depth: u32) -> String {
    let deeper = depth < 3 && random.below(2) == 0;
    if deeper {
        let left = condition(random, known, depth + 1);
        return match random.below(5) {
            0 => format!("!({left})"),
            1 | 2 => format!("({left} && {})", condition(random, known, depth + 1)),
            _ => format!("({left} || {})", condition(random, known, depth + 1)),
        };
    }
    let of = field(random);
    match random.below(10) {
        0 => format!("{of} = nil"),
        1 => format!("{of} != nil"),
        2 => format!("{of} {} {}", pick(random, &["=~", "!~"]), pick(random, &PATTERNS)),
        3 => format!("{of} {} {}", pick(random, &OPERATORS), field(random)),
        4 if random.below(2) == 0 => {
            let (plus, op) = (pick(random, &["+", "-", "*"]), pick(random, &OPERATORS));
            format!("{of} {plus} {} {op} {}", field(random), constant(random, known))
        }
        5 => {
            let (a, b) = (constant(random, known), constant(random, known));
            format!("({of} = {a} || {of} = {b})")
        }
        _ => format!("{of} {} {}", pick(random, &OPERATORS), constant(random, known)),
    }
}

/// What random spans seldom have: a key in all places, one that goes to the overflow column.
fn spice(requests: &mut [Trace]) {
    let mut number = 0;
    let resource_spans = requests.iter_mut().flat_map(|request| &mut request.resource_spans);
    for resource in resource_spans {
        let mut add = |list: &mut Vec<KeyValue>, often: u64| {
            number += 1;
            if number % often == 0 {
                list.push(text("everywhere", ["a", "b", "ab"][number as usize / 3 % 3]));
            }
            if number % 7 == 0 {
                let value = AnyValue::Int(number as i64 % 3);
                list.insert(0, KeyValue { key: long_key(), value });
            }
        };
        add(&mut resource.resource.attributes, 2);
        for scope in &mut resource.scope_spans {
            add(&mut scope.scope.attributes, 2);
            for span in &mut scope.spans {
                add(&mut span.attributes, 4);
                span.events.iter_mut().for_each(|event| add(&mut event.attributes, 2));
                span.links.iter_mut().for_each(|link| add(&mut link.attributes, 3));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn any_filter_finds_what_judging_each_span_finds(
        requests in any_requests(),
        copies in prop_oneof![Just(1u8), Just(3), Just(40)],
        group_rows in prop_oneof![Just(1usize), Just(9), Just(64), Just(700), Just(65_536)],
        spiced in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let mut requests: Vec<Trace> = (0..copies).flat_map(|copy| renamed(&requests, copy)).collect();
        if spiced {
            spice(&mut requests);
        }
        let group_rows = if copies == 40 { group_rows.max(9) } else { group_rows };
        let (block, traces) = block_of(&requests, group_rows);
        let constants = constants(&traces);
        let mut random = Random(seed);
        for _ in 0..if copies == 40 { 24 } else { 60 } {
            let condition = condition(&mut random, &constants, 0);
            check(&block, &traces, &format!("{{ {condition} }}"));
        }
    }
}

#[test]
fn a_shop_is_searched() {
    let (block, traces) = block_of(&shop::requests(600), 4096);
    assert!(block.reader().unwrap().groups().len() > 1);
    let ids: Vec<&Span> = traces.iter().flat_map(|(_, trace)| trace.spans()).collect();
    let value = |key: &str, at: usize| {
        let found = ids[at..].iter().find_map(|span| span.attributes.iter().find(|a| a.key == key)).unwrap();
        match &found.value {
            AnyValue::Str(text) => text.clone(),
            other => panic!("{other:?}"),
        }
    };
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let either = |of: &str| {
        format!("{{ ({of} && span.thread.id > 50) || (!({of}) && span.http.response.body.size < 900) }}")
    };
    let table: Vec<(String, bool)> = [
        (format!("{{ span.url.path = \"{}\" }}", value("url.path", 1000)), true),
        (format!("{{ span.url.path != \"{}\" }}", value("url.path", 1000)), true),
        (format!("{{ span.request.id = \"{}\" }}", value("request.id", 7000)), true),
        (format!("{{ .request.id = \"{}\" || span.url.path = \"/x\" }}", value("request.id", 70)), true),
        ("{ span.request.id = \"00000000-0000-0000-0000-000000000000\" }".into(), false),
        ("{ span.url.path =~ \"/api/v1/1/items/1.*\" && kind = server }".into(), true),
        ("{ span.url.path = \"/api/v1/1/items/01\" }".into(), false),
        ("{ resource.service.name = \"service-3\" }".into(), true),
        ("{ .service.name = \"service-3\" && span.http.response.status_code = 500 }".into(), true),
        ("{ resource.service.name = \"nobody\" }".into(), false),
        ("{ span.http.response.status_code >= 400 && span.http.response.status_code < 500 }".into(), true),
        ("{ span.http.response.body.size > 19990 }".into(), true),
        ("{ span.feature.new_cart }".into(), true),
        ("{ !span.feature.new_cart && span.db.system != nil }".into(), true),
        ("{ span.db.system = nil && duration > 300ms }".into(), true),
        ("{ name = \"GET /api/v1/7\" }".into(), true),
        ("{ name =~ \".*/4[0-9]\" && kind = client }".into(), true),
        ("{ nestedSetParent < 0 }".into(), true),
        ("{ span:parentID = nil }".into(), true),
        (format!("{{ span:parentID = \"{}\" }}", hex(&ids[1].parent_span_id)), true),
        (format!("{{ span:id = \"{}\" }}", hex(&ids[4100].span_id.0)), true),
        (format!("{{ trace:id = \"{}\" }}", hex(&traces[400].0.0)), true),
        ("{ span.thread.id = span.http.response.body.size }".into(), true),
        ("{ span.thread.id * 300 > span.http.response.body.size && kind = internal }".into(), true),
        ("{ span.cloud.region = \"eu-west-1\" || span.cloud.region = \"us-west-2\" }".into(), true),
        ("{ span.cloud.region =~ \"eu-.*\" } && { span.cloud.region !~ \"eu-.*\" }".into(), true),
        ("{ span.nothing = 1 || .nothing = \"x\" }".into(), false),
        ("{ duration > 1h }".into(), false),
        ("{ status = error }".into(), false),
        ("{ rootName = \"GET /api/v1/1\" && kind = server }".into(), true),
        // What classes decide, and differently for rows that they leave open.
        (either("span.http.route = \"/api/v1/1/items/{id}\""), true),
        (either("resource.service.name = \"service-3\""), true),
        (either("name = \"GET /api/v1/7\""), true),
        (either("kind = server"), true),
        (either("span.db.system != nil"), true),
        ("{ }".into(), true),
    ]
    .into();
    for (query, some) in table {
        assert_eq!(check(&block, &traces, &query) > 0, some, "{query}");
    }
}

/// A row group is passed over when its spans' times or durations exclude it, and when nothing in it can match.
#[test]
fn row_groups_are_passed_over() {
    let at = |id: u64| Span {
        start_time_unix_nano: 1_000_000 * id,
        end_time_unix_nano: 1_000_000 * id + 1000 * id,
        attributes: vec![text("phase", if id < 40 { "early" } else { "late" })],
        ..span(1, id)
    };
    let (block, _) = block_of(&[request((1..=100).map(at).collect())], 20);
    let check = |query: &str, time: Option<(u64, u64)>, expected: [u64; 6]| {
        let plan = plan(query);
        let reader = block.reader().unwrap();
        let mut scan = reader.scan(&plan.fields, &plan.filters).unwrap();
        if let Some((from, to)) = time {
            scan = scan.within(from, to);
        }
        let (mut matches, mut c) = (Matches::default(), Counters::default());
        (0..scan.groups()).for_each(|group| scan.group(group, &mut matches, &mut c).unwrap());
        let found = [
            c.groups,
            c.pruned_by_time,
            c.pruned_by_duration,
            c.pruned_by_values,
            c.rows_read,
            c.rows_matched,
        ];
        assert_eq!(found, expected, "{query}");
        assert!(c.bytes_touched > 0 || c.rows_read == 0, "{query}");
    };
    check("{ duration > 90us }", None, [5, 0, 4, 0, 20, 10]);
    check("{ duration > 90us && span.phase = \"early\" }", None, [5, 0, 4, 1, 0, 0]);
    check("{ duration > 1s }", None, [5, 0, 5, 0, 0, 0]);
    check("{ }", None, [5, 0, 0, 0, 0, 100]);
    check("{ span.nothing = 1 }", None, [5, 0, 0, 5, 0, 0]);
    check("{ span.phase = \"never\" }", None, [5, 0, 0, 5, 0, 0]);
    check("{ }", Some((25_000_000, 35_000_000)), [5, 4, 0, 0, 0, 20]);
    check("{ }", Some((0, 1)), [5, 5, 0, 0, 0, 0]);
}

/// A key that has a column for one type, and goes to the overflow column with another.
#[test]
fn keys_beyond_the_columns_are_found() {
    let int = |key: String, value: i64| KeyValue { key, value: AnyValue::Int(value) };
    let of = |id: u64| {
        let mut span = Span {
            attributes: (0..100).map(|i| int(format!("key {}", id * 100 + i), i as i64)).collect(),
            ..span(1, id)
        };
        if id == 1 {
            span.attributes.insert(0, int("late".into(), 1));
        }
        if id > 60 {
            let both = [int("late".into(), id as i64), text("late", &format!("text {id}"))];
            let both =
                if id.is_multiple_of(2) { both.into_iter().rev().collect::<Vec<_>>() } else { both.into() };
            span.attributes.splice(5..5, both);
        }
        span
    };
    for group_rows in [10, 65_536] {
        let (block, traces) = block_of(&[request((1..80).map(of).collect())], group_rows);
        for (query, expected) in [
            ("{ span.late = 71 }", 1),
            ("{ span.late = 70 }", 0),
            ("{ span.late = \"text 70\" }", 1),
            ("{ span.late = \"text 71\" }", 0),
            ("{ span.late != nil }", 20),
            ("{ span.\"key 7950\" = 50 }", 1),
            ("{ span.\"key 7950\" = nil }", 78),
            ("{ span.late + 0 = 71 }", 1),
            ("{ .late =~ \"text.*\" }", 9),
        ] {
            assert_eq!(check(&block, &traces, query), expected, "{query}");
        }
    }
}
