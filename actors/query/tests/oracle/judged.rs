//! The judge held against answers reckoned by hand, row by row from `docs/TRACEQL.md`.
//!
//! The trace of most rows, with starts and ends in nanoseconds after [`ZERO`]:
//!
//! ```text
//! a  server 10..110 status ok     n=1 s="cart" flag=true list=["x","y"]
//! ├─ b  client 20..70 status error n=2 flag=false, events at 25 (k=1) and 30 (k=2)
//! │  └─ c  internal 30..40 n=0 f=1.5
//! └─ d  kind 9 40..35 status 7 s=bytes list=[]
//! e  orphan 50..60 n=-3 s without a value
//! └─ f  60..61 n=2.0 list=[1,2]
//! ```
//!
//! The resource of `a` and `b` is the service `front`, with s="r"; that of the others has nothing.

use spanloom_span::model::{self, AnyValue, Event, KeyValue, Resource, ResourceSpans, ScopeSpans, Status};
use spanloom_span::{SpanId, TraceId};
use spanloom_traceql::answer::Series;

use crate::field::{Value, arithmetic};
use crate::generate_traces::{BEGIN as ZERO, Request, Store};
use crate::model::{Trace, gather};
use crate::query::{
    Aggregate, Expr, Field, Function, Intrinsic, Literal, Metrics, Op, Pattern, Relation, Scalar, Scope,
    Second, SetOp, Spans, Spelling, Stage, duration_text, pipeline_text,
};
use crate::series::{Range, quantile_of};
use crate::{judge, series};

fn pair(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.to_owned(), value }
}

fn text(text: &str) -> AnyValue {
    AnyValue::Str(text.to_owned())
}

fn list(items: &[AnyValue]) -> AnyValue {
    AnyValue::Array(items.to_vec())
}

fn id(number: u8) -> Vec<u8> {
    vec![0, 0, 0, 0, 0, 0, 0, number]
}

/// A span named after its number: 1 is `a`.
fn span(number: u8, parent: u8, kind: i32, (start, end): (u64, u64), attributes: &[KeyValue]) -> model::Span {
    model::Span {
        trace_id: TraceId([1; 16]),
        span_id: SpanId([0, 0, 0, 0, 0, 0, 0, number]),
        parent_span_id: if parent == 0 { Vec::new() } else { id(parent) },
        name: char::from(b'a' + number - 1).to_string(),
        kind,
        start_time_unix_nano: ZERO + start,
        end_time_unix_nano: ZERO + end,
        attributes: attributes.to_vec(),
        ..model::Span::default()
    }
}

fn request(resource: &[KeyValue], spans: Vec<model::Span>) -> model::Trace {
    let resource = Resource { attributes: resource.to_vec(), ..Resource::default() };
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
    model::Trace { resource_spans }
}

fn the_trace() -> Vec<Trace> {
    let status = |code, span| model::Span { status: Status { code, ..Status::default() }, ..span };
    let event = |at, k| Event {
        time_unix_nano: ZERO + at,
        attributes: vec![pair("k", AnyValue::Int(k))],
        ..Event::default()
    };
    let a = [
        pair("n", AnyValue::Int(1)),
        pair("n", AnyValue::Int(77)),
        pair("s", text("cart")),
        pair("flag", AnyValue::Bool(true)),
        pair("list", list(&[text("x"), text("y")])),
    ];
    let b = [pair("n", AnyValue::Int(2)), pair("flag", AnyValue::Bool(false))];
    let mut b = status(2, span(2, 1, 3, (20, 70), &b));
    b.events = vec![event(25, 1), event(30, 2)];
    let c = [pair("n", AnyValue::Int(0)), pair("f", AnyValue::Double(1.5))];
    let d = [pair("s", AnyValue::Bytes(vec![1])), pair("list", list(&[]))];
    let e = [pair("n", AnyValue::Int(-3)), pair("s", AnyValue::Empty)];
    let f = [pair("n", AnyValue::Double(2.0)), pair("list", list(&[AnyValue::Int(1), AnyValue::Int(2)]))];
    let front = [pair("service.name", text("front")), pair("s", text("r"))];
    let late = span(1, 0, 2, (0, 1), &[pair("n", AnyValue::Int(5))]);
    gather(&[
        request(&[], vec![span(6, 5, 0, (60, 61), &f), span(5, 99, 0, (50, 60), &e)]),
        request(&front, vec![b, status(1, span(1, 0, 2, (10, 110), &a))]),
        request(&[], vec![late, span(3, 2, 1, (30, 40), &c), status(7, span(4, 1, 9, (40, 35), &d))]),
    ])
}

fn at(name: &str) -> Expr {
    let (parent, name) = match name.strip_prefix("parent") {
        Some(rest) => (true, rest.to_owned()),
        None => (false, name.to_owned()),
    };
    let (scope, key) = name.trim_start_matches('.').split_once('.').map_or((Scope::Any, None), |(s, key)| {
        let scope = match s {
            "span" => Scope::Span,
            "resource" => Scope::Resource,
            _ => Scope::Event,
        };
        (scope, Some(key))
    });
    let key = key.unwrap_or(name.trim_start_matches('.')).to_owned();
    Expr::Field(Field::Attribute { of_parent: parent, scope, key })
}

fn it(intrinsic: Intrinsic) -> Expr {
    Expr::Field(Field::Intrinsic(intrinsic))
}

fn int(value: i64) -> Expr {
    Expr::Literal(Literal::Int(value))
}

fn word(value: &str) -> Expr {
    Expr::Literal(Literal::Str(value.to_owned()))
}

fn bin(left: Expr, op: Op, right: Expr) -> Expr {
    Expr::Binary(op, Box::new(left), Box::new(right))
}

fn not(operand: Expr) -> Expr {
    Expr::Not(Box::new(operand))
}

fn filter(condition: Expr) -> Spans {
    Spans::Filter(Some(condition))
}

fn named(names: &str) -> Spans {
    let either = |left: Expr, right: Expr| bin(left, Op::Or, right);
    let is = |name: char| bin(it(Intrinsic::Name), Op::Equal, word(&name.to_string()));
    filter(names.chars().map(is).reduce(either).unwrap())
}

/// The names of each spanset's spans, such as `ab cd`.
fn left_by(stages: &[Stage]) -> String {
    let traces = the_trace();
    let sets = judge::run(&traces[0], stages);
    let names = |set: &judge::Spanset| -> String {
        set.spans.iter().map(|span| traces[0].spans[*span].own.name.clone()).collect()
    };
    sets.iter().map(names).collect::<Vec<_>>().join(" ")
}

fn check_condition(condition: Expr, expected: &str) {
    let shown = condition.text(Spelling::Canonical);
    assert_eq!(left_by(&[Stage::Spans(filter(condition))]), expected, "{{ {shown} }}");
}

fn nil() -> Expr {
    Expr::Literal(Literal::Nil)
}

#[test]
fn conditions_hold_for_the_spans_the_page_says() {
    use Op::{Equal, Greater, GreaterEqual, Less, NotEqual};
    let check = check_condition;
    let pattern = |negated, name: &str, text, matches| Expr::Match {
        negated,
        left: Box::new(at(name)),
        pattern: Pattern { text, matches },
    };
    // Numbers by number, and the first of a key that is there twice.
    check(bin(at("span.n"), Equal, int(1)), "a");
    check(bin(at("span.n"), Equal, int(2)), "bf");
    check(bin(at("span.n"), NotEqual, int(2)), "ace");
    check(bin(at("span.n"), Greater, int(0)), "abf");
    check(bin(int(0), Greater, at("span.n")), "e");
    check(bin(at("span.n"), Equal, word("1")), "");
    check(bin(at("span.n"), NotEqual, word("1")), "");
    check(bin(it(Intrinsic::Duration), GreaterEqual, int(10)), "abce");
    check(bin(it(Intrinsic::Duration), Equal, int(0)), "d");
    // What is not there.
    check(bin(at("span.n"), Equal, nil()), "d");
    check(bin(at("span.s"), NotEqual, nil()), "ad");
    check(bin(nil(), Equal, at(".s")), "cef");
    check(bin(at(".nowhere"), NotEqual, at(".nowhere")), "");
    // Unscoped: the span first, then its resource.
    check(bin(at(".s"), Equal, word("r")), "b");
    check(bin(at(".s"), Less, word("d")), "a");
    check(bin(at("span.s"), NotEqual, word("x")), "a");
    // Lists.
    check(bin(at("span.list"), Equal, word("x")), "a");
    check(bin(at("span.list"), NotEqual, word("x")), "df");
    check(bin(at("span.list"), Greater, int(1)), "f");
    check(bin(at("span.list"), Equal, at("span.list")), "");
    check(pattern(false, "span.list", "x|z", |t| t == "x" || t == "z"), "a");
    check(pattern(true, "span.list", "x|z", |t| t == "x" || t == "z"), "df");
    check(pattern(true, ".s", "cart", |t| t == "cart"), "b");
}

#[test]
fn conditions_on_bools_events_and_places_hold_too() {
    use Intrinsic::{ChildCount, EventTime, Kind, NestedSetLeft, NestedSetParent, ParentId, Status};
    use Op::{Add, And, Divide, Equal, Less, Multiply, NotEqual, Or, Subtract};
    let check = check_condition;
    let status = |code| Expr::Literal(Literal::Status(code));
    // Bools.
    check(at("span.flag"), "a");
    check(not(at("span.flag")), "b");
    check(not(not(at("span.flag"))), "acdef");
    check(bin(at("span.flag"), Or, at("span.n")), "a");
    let alike = bin(at("span.flag"), Or, bin(at("span.n"), Equal, int(2)));
    check(bin(alike, And, bin(at("span.n"), Equal, int(1))), "a");
    check(bin(at("span.flag"), Less, Expr::Literal(Literal::Bool(true))), "");
    // Codes without a word are equal to no word.
    check(bin(it(Status), Equal, status(2)), "b");
    check(bin(it(Status), NotEqual, status(0)), "abd");
    check(bin(it(Kind), Equal, Expr::Literal(Literal::Kind(0))), "ef");
    // Two events: one is enough, different ones may do.
    check(bin(at("event.k"), Equal, int(2)), "b");
    check(bin(at("event.k"), NotEqual, int(2)), "b");
    check(bin(bin(at("event.k"), Equal, int(1)), And, bin(at("event.k"), Equal, int(2))), "b");
    check(bin(bin(at("event.k"), Add, int(0)), Equal, int(2)), "");
    check(bin(it(EventTime), Equal, int(10)), "b");
    // Arithmetic.
    check(bin(bin(at("span.n"), Multiply, int(2)), Equal, int(4)), "bf");
    check(bin(bin(int(4), Divide, at("span.n")), NotEqual, int(77)), "abef");
    check(bin(bin(at("span.n"), Subtract, at("span.f")), Less, int(0)), "c");
    check(bin(Expr::Negate(Box::new(at("span.n"))), Equal, int(3)), "e");
    // Places in the tree.
    check(bin(it(NestedSetParent), Equal, int(-1)), "a");
    check(bin(it(NestedSetParent), Equal, int(1)), "bd");
    check(bin(it(NestedSetLeft), Equal, int(0)), "ef");
    check(bin(it(ChildCount), Equal, int(1)), "be");
    check(bin(it(ParentId), NotEqual, word("")), "bcdef");
    check(bin(Expr::Field(Field::Parent), Equal, nil()), "ae");
    check(bin(at("parent.n"), Equal, int(1)), "bd");
    check(bin(at("parent.resource.s"), Equal, word("r")), "bcd");
    check(bin(at("parent.resource.s"), Equal, nil()), "aef");
}

#[test]
fn arithmetic_gives_the_values_the_page_says() {
    use Op::{Add, Divide, Modulo, Multiply, Power};
    use Value::{Duration, Float, Int, Nil};
    let check = |left: Value, op: Op, right: Value, expected: Value| {
        assert_eq!(arithmetic(op, &left, &right), expected, "{left:?} {op:?} {right:?}");
    };
    check(Int(7), Divide, Int(2), Int(3));
    check(Int(-7), Divide, Int(2), Int(-3));
    check(Int(-7), Modulo, Int(2), Int(-1));
    check(Int(7), Divide, Int(0), Nil);
    check(Float(1.0), Divide, Int(0), Float(f64::INFINITY));
    check(Int(i64::MAX), Add, Int(1), Int(i64::MIN));
    check(Int(i64::MIN), Divide, Int(-1), Int(i64::MIN));
    check(Int(2), Power, Int(10), Int(1024));
    check(Int(2), Power, Int(-1), Float(0.5));
    check(Int(3), Multiply, Float(0.5), Float(1.5));
    check(Duration(2), Add, Duration(3), Float(5.0));
    check(Value::Str("2".to_owned()), Add, Int(1), Nil);
}

#[test]
fn pipelines_leave_the_spansets_the_page_says() {
    use Relation::{Ancestor, Child, Descendant, Parent, Sibling};
    let set = |left: &str, op: SetOp, right: &str, expected: &str| {
        let spans = Spans::Set(op, Box::new(named(left)), Box::new(named(right)));
        assert_eq!(left_by(&[Stage::Spans(spans)]), expected, "{left} {op:?} {right}");
    };
    set("a", SetOp::And, "c", "ac");
    set("a", SetOp::And, "x", "");
    set("a", SetOp::Or, "x", "a");
    set("ab", SetOp::Related(Child), "abcd", "bcd");
    set("a", SetOp::Related(Descendant), "abcdef", "bcd");
    set("c", SetOp::Related(Parent), "abc", "b");
    set("c", SetOp::Related(Ancestor), "abcdef", "ab");
    set("bd", SetOp::Related(Sibling), "bd", "bd");
    set("b", SetOp::Related(Sibling), "bd", "d");
    set("ae", SetOp::Related(Sibling), "ae", "");
    set("e", SetOp::Related(Child), "f", "f");
    set("a", SetOp::Unrelated(Child), "abcdef", "acef");
    set("x", SetOp::Unrelated(Descendant), "bc", "bc");
    set("bd", SetOp::Unrelated(Sibling), "bcd", "c");
    set("ae", SetOp::Both(Descendant), "cx", "ac");
    set("cf", SetOp::Both(Parent), "b", "bc");

    let check = |stages: &[Stage], expected: &str| {
        let shown = pipeline_text(stages, Spelling::Canonical);
        assert_eq!(left_by(stages), expected, "{shown}");
    };
    let all = || Stage::Spans(Spans::Filter(None));
    let count = |op, most| Stage::Compare(op, Scalar::Count, Scalar::Literal(Literal::Int(most)));
    let of = |aggregate, expr, op, number| {
        Stage::Compare(op, Scalar::Of(aggregate, expr), Scalar::Literal(number))
    };
    check(&[all(), Stage::By(at(".s"))], "a b cef d");
    check(&[all(), Stage::By(at(".s")), count(Op::Greater, 1)], "cef");
    check(&[all(), Stage::By(at("span.n")), Stage::Spans(named("bf"))], "b f");
    check(&[all(), Stage::By(at("event.k")), Stage::Coalesce, count(Op::Equal, 6)], "abcdef");
    check(&[all(), count(Op::Greater, 6)], "");
    check(&[all(), of(Aggregate::Sum, at("span.n"), Op::Equal, Literal::Float(2.0))], "abcdef");
    check(&[all(), of(Aggregate::Avg, it(Intrinsic::Duration), Op::Equal, Literal::Int(28))], "abcdef");
    check(&[all(), of(Aggregate::Min, at("span.f"), Op::Equal, Literal::Float(1.5))], "abcdef");
    check(&[Stage::Spans(named("ab")), of(Aggregate::Max, at("span.f"), Op::NotEqual, Literal::Int(0))], "");
    let inner = vec![Stage::Spans(named("abc")), count(Op::Greater, 2)];
    let pipeline = Spans::Set(SetOp::And, Box::new(Spans::Pipeline(inner)), Box::new(named("f")));
    check(&[Stage::Spans(pipeline)], "abcf");
    // `({ ... } | count()) + 1 > 3`, over what a pipeline of its own leaves.
    let of = |names, scalar| Scalar::Pipeline(vec![Stage::Spans(named(names))], Box::new(scalar));
    let one = Box::new(Scalar::Literal(Literal::Int(1)));
    let and_one = |names| Scalar::Arithmetic(Op::Add, Box::new(of(names, Scalar::Count)), one.clone());
    let is = |left, op, value| Stage::Compare(op, left, Scalar::Literal(Literal::Int(value)));
    check(&[is(and_one("abc"), Op::Greater, 3)], "abcdef");
    check(&[Stage::Spans(named("ab")), is(and_one("abc"), Op::Greater, 3)], "");
    check(&[Stage::Spans(named("ab")), is(of("f", Scalar::Count), Op::Equal, 0)], "ab");
    let none = of("g", Scalar::Of(Aggregate::Max, at("span.n")));
    check(&[is(none, Op::NotEqual, 0)], "");
}

#[test]
fn of_two_tenants_the_one_named_first_decides() {
    let of = |number, start| request(&[], vec![span(number, 0, 1, (start, start), &[])]);
    let store = Store {
        tenants: 2,
        requests: [(0, of(1, 5)), (1, of(1, 7)), (0, of(2, 8)), (1, of(3, 9))]
            .map(|(tenant, spans)| Request { tenant, spans, seal: false })
            .into(),
        ..Store::default()
    };
    let check = |tenants: &[usize], expected: &[(&str, u64)]| {
        let traces = gather(&store.of(tenants));
        let spans = traces.iter().flat_map(|trace| &trace.spans);
        let found: Vec<_> = spans.map(|span| (span.own.name.as_str(), span.start() - ZERO)).collect();
        assert_eq!(found, expected, "{tenants:?}");
    };
    check(&[0], &[("a", 5), ("b", 8)]);
    check(&[1], &[("a", 7), ("c", 9)]);
    check(&[0, 1], &[("a", 5), ("b", 8), ("c", 9)]);
    check(&[1, 0], &[("a", 7), ("b", 8), ("c", 9)]);
}

#[test]
fn parents_are_found_among_shared_ids_and_circles_are_cut() {
    // Each row: number, parent, kind; spans start in the order of the rows. Expected: the row of each one's parent.
    let check = |rows: &[(u8, u8, i32)], expected: &[Option<usize>]| {
        let mut start = 0;
        let spans = rows.iter().map(|(number, parent, kind)| {
            start += 1;
            span(*number, *parent, *kind, (start, start), &[])
        });
        let traces = gather(&[request(&[], spans.collect())]);
        let parents: Vec<_> = traces[0].spans.iter().map(|span| span.parent).collect();
        assert_eq!(parents, expected, "{rows:?}");
    };
    check(&[(1, 0, 3), (1, 9, 2)], &[None, Some(0)]);
    check(&[(1, 0, 3), (2, 1, 3), (2, 1, 2), (3, 2, 1)], &[None, Some(0), Some(1), Some(2)]);
    check(&[(1, 0, 1), (1, 0, 4), (2, 1, 1)], &[None, None, Some(0)]);
    check(&[(1, 1, 1)], &[None]);
    check(&[(1, 2, 1), (2, 3, 1), (3, 1, 1), (4, 3, 1)], &[None, Some(2), Some(0), Some(2)]);
}

#[test]
fn numbers_of_nested_sets_follow_the_order_of_spans() {
    let traces = the_trace();
    let numbers = |index: usize| {
        let span = &traces[0].spans[index];
        (span.own.name.clone(), span.nested_left, span.nested_right, span.nested_parent)
    };
    let expected =
        [("a", 1, 8, -1), ("b", 2, 5, 1), ("c", 3, 4, 2), ("d", 6, 7, 1), ("e", 0, 0, 0), ("f", 0, 0, 0)];
    for (index, (name, left, right, parent)) in expected.into_iter().enumerate() {
        assert_eq!(numbers(index), (name.to_owned(), left, right, parent));
    }
}

#[test]
fn a_found_trace_shows_what_the_page_says() {
    let mentions = filter(bin(
        bin(at("span.n"), Op::Greater, int(1)),
        Op::And,
        bin(it(Intrinsic::Duration), Op::Less, int(51)),
    ));
    let select = Stage::Select(vec![
        Field::Intrinsic(Intrinsic::Status),
        Field::Attribute { of_parent: false, scope: Scope::Any, key: "s".to_owned() },
    ]);
    let found = judge::search(&the_trace(), &[Stage::Spans(mentions), select], None, None, 1);
    let trace = &found[0];
    assert_eq!((trace.start, trace.duration), (ZERO + 10, 100));
    assert_eq!((trace.root_name.as_deref(), trace.root_service.as_deref()), (Some("a"), Some("front")));
    let services: Vec<_> = trace.services.iter().map(|s| (s.service.as_str(), s.spans, s.errors)).collect();
    assert_eq!(services, [("", 4, 0), ("front", 2, 1)]);
    assert_eq!((trace.spansets.len(), trace.spansets[0].matched, trace.spansets[0].spans.len()), (1, 2, 1));
    let shown = [("n", AnyValue::Int(2)), ("status", text("error")), ("s", text("r"))];
    assert_eq!(trace.spansets[0].spans[0].attributes, shown.map(|(key, value)| (key.to_owned(), value)));
    // Both ends of the time asked for count: `a` ends at 110.
    let all = [Stage::Spans(Spans::Filter(None))];
    let hits = |start, end| judge::search(&the_trace(), &all, Some(ZERO + start), Some(ZERO + end), 1).len();
    assert_eq!([hits(0, 9), hits(0, 10), hits(110, 200), hits(111, 200)], [0, 1, 1, 0]);
}

/// Series as text: labels, then the samples as time after [`ZERO`] and value.
fn told(series: &[Series]) -> Vec<String> {
    let told = |one: &Series| {
        let labels: Vec<String> =
            one.labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        let samples: Vec<String> =
            one.samples.iter().map(|(time, value)| format!("{}:{value}", time - ZERO)).collect();
        format!("{} {}", labels.join(" "), samples.join(" "))
    };
    series.iter().map(told).collect()
}

#[test]
fn series_have_the_samples_the_page_says() {
    let n = || Field::Attribute { of_parent: false, scope: Scope::Span, key: "n".to_owned() };
    let leaf = |function, by: &[Field]| Metrics::Leaf {
        stages: vec![Stage::Spans(Spans::Filter(None))],
        function,
        by: by.to_vec(),
    };
    let check = |query: Metrics, start: u64, end: u64, step: Option<u64>, expected: &[&str]| {
        let range = Range { start: ZERO + start, end: ZERO + end, step };
        let found = told(&series::metrics(&the_trace(), &query, &range));
        assert_eq!(found, expected, "{}", query.text(Spelling::Canonical));
    };
    // Starts are 10 20 30 40 50 60; a sample covers what lies behind it, its own time included.
    let count = || leaf(Function::Count, &[]);
    check(count(), 15, 35, Some(20), &["__name__=Str(\"count_over_time\") 0:0 20:2 40:2"]);
    check(count(), 20, 40, None, &["__name__=Str(\"count_over_time\") 40:3"]);
    check(leaf(Function::Rate, &[]), 20, 40, Some(20), &["__name__=Str(\"rate\") 20:100000000 40:100000000"]);
    check(count(), 200, 300, Some(50), &[]);
    let service =
        Field::Attribute { of_parent: false, scope: Scope::Resource, key: "service.name".to_owned() };
    let by_service = &[service.clone(), Field::Intrinsic(Intrinsic::Status)];
    check(
        leaf(Function::Count, by_service),
        0,
        100,
        None,
        &[
            "resource.service.name=Str(\"front\") status=Str(\"error\") 100:1",
            "resource.service.name=Str(\"front\") status=Str(\"ok\") 100:1",
            "status=Int(7) 100:1",
            "status=Str(\"unset\") 100:3",
        ],
    );
    check(
        leaf(Function::Sum(n()), &[service]),
        0,
        100,
        None,
        &["resource.service.name=Str(\"front\") 100:3", "resource.service.name=Str(\"nil\") 100:-1"],
    );
    check(
        leaf(Function::Avg(n()), &[]),
        20,
        60,
        Some(20),
        &["__name__=Str(\"avg_over_time\") 20:1.5 40:0 60:-0.5"],
    );
    check(leaf(Function::Histogram(n()), &[]), 0, 100, None, &["__bucket=Double(2.0) 100:1"]);
    let duration = Field::Intrinsic(Intrinsic::Duration);
    let half = Function::Quantile(duration, vec![0.5]);
    check(leaf(half, &[]), 20, 30, None, &["p=Double(0.5) 30:0.000000016"]);
    let top = |series, most| Metrics::Then(Box::new(series), Second::Top(most));
    check(
        top(leaf(Function::Count, &[Field::Intrinsic(Intrinsic::Name)]), 1),
        20,
        40,
        Some(20),
        &["name=Str(\"a\") 20:1", "name=Str(\"c\") 40:1"],
    );
    let twice = Metrics::Arithmetic(Op::Divide, Box::new(count()), Box::new(leaf(Function::Rate, &[])));
    check(twice, 20, 40, Some(20), &[" 20:0.00000002 40:0.00000002"]);
    // Numbers among themselves come first: 7 / 2 of ints is 3.
    let number = |value| Box::new(Metrics::Number(Literal::Int(value)));
    let three = Metrics::Arithmetic(Op::Divide, number(7), number(2));
    let more = Metrics::Arithmetic(Op::Multiply, Box::new(three), Box::new(count()));
    check(more, 20, 40, None, &["__name__=Str(\"count_over_time\") 40:9"]);
}

#[test]
fn quantiles_lie_where_the_page_says() {
    let check = |exponents: &[u32], q: f64, expected: Option<f64>| {
        let buckets = exponents.iter().map(|exponent| (*exponent, false)).collect();
        assert_eq!(quantile_of(buckets, q), expected, "{exponents:?} {q}");
    };
    check(&[], 0.5, None);
    check(&[3], 0.0, Some(8.0));
    check(&[3, 3], 0.5, Some(4.0 * 2f64.sqrt()));
    check(&[1, 5, 5], 0.5, Some(8.0));
    check(&[1, 5, 5], 1.0, Some(32.0));
    check(&[1, 1, 4, 4], 0.5, Some(2.0));
}

#[test]
fn texts_are_canonical() {
    let check = |expr: Expr, expected: &str| assert_eq!(expr.text(Spelling::Canonical), expected);
    let n = || at("span.n");
    check(bin(bin(n(), Op::Or, n()), Op::And, n()), "span.n || span.n && span.n");
    check(bin(n(), Op::Or, bin(n(), Op::And, n())), "span.n || (span.n && span.n)");
    check(bin(n(), Op::Power, bin(n(), Op::Power, n())), "span.n ^ span.n ^ span.n");
    check(bin(not(n()), Op::Equal, n()), "!span.n = span.n");
    check(not(bin(n(), Op::Equal, n())), "!(span.n = span.n)");
    check(Expr::Negate(Box::new(bin(n(), Op::Power, int(2)))), "-(span.n ^ 2)");
    check(bin(n(), Op::Subtract, bin(n(), Op::Subtract, int(-1))), "span.n - (span.n - -1)");
    for (nanos, expected) in
        [(0, "0s"), (1_500_000_000, "1s500ms"), (-2_000, "-2us"), (3_600_000_000_001, "1h1ns")]
    {
        assert_eq!(duration_text(nanos), expected);
    }
}
