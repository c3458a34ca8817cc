//! Random stores: few distinct keys and values, so that questions hit, and every odd shape that traces come in.

use spanloom_span::model::{
    AnyValue, Event, KeyValue, Link, Resource, ResourceSpans, Scope, ScopeSpans, Span, Status, Trace,
};
use spanloom_span::{SpanId, TraceId};

use crate::dice::Dice;

/// Nanoseconds since 1970 at which stores begin; a multiple of every step that is asked for in whole seconds.
pub const BEGIN: u64 = 1_700_000_000_000_000_000 / 420_000_000_000 * 420_000_000_000;
/// Spans start on multiples of this, as a rule, so that many start at once and on the borders of steps.
pub const TICK: u64 = 500_000_000;
/// How many ticks a store lasts.
pub const TICKS: usize = 120;

pub const STRINGS: [&str; 10] =
    ["cart", "car", "checkout", "Error", "a", "ab", "b", "", "two words", "Größe"];
pub const SERVICES: [&str; 4] = ["cart", "checkout", "front", "two words"];
pub const NAMES: [&str; 5] = ["GET /", "ab", "cart", "query", ""];
pub const MESSAGES: [&str; 3] = ["", "Error", "timed out"];
pub const INTS: [i64; 10] = [-5, -1, 0, 1, 2, 3, 5, 7, 100, 500];
pub const FLOATS: [f64; 7] = [-0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 100.0];
const ODD_FLOATS: [f64; 5] = [-0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300];
pub const EVENT_NAMES: [&str; 3] = ["exception", "log", ""];
pub const VERSIONS: [&str; 3] = ["", "1.0", "2.1"];

/// Keys, and what their values are as a rule.
pub const KEYS: [&str; 8] = ["s", "n", "f", "flag", "list", "any", "big", "odd key"];

/// Requests in the order they are pushed, and after which of them everything is sealed.
#[derive(Debug, Clone, Default)]
pub struct Store {
    /// At least one.
    pub tenants: usize,
    /// How the house keeps spans that it is pushed to, one of `MANNERS`.
    pub manner: usize,
    pub requests: Vec<Request>,
}

#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Whose, by number.
    pub tenant: usize,
    pub spans: Trace,
    /// Whether all live spans are sealed afterwards.
    pub seal: bool,
}

impl Store {
    /// What was pushed for some tenants: all of the first, then all of the next.
    pub fn of(&self, tenants: &[usize]) -> Vec<Trace> {
        let of = |tenant: usize| self.requests.iter().filter(move |request| request.tenant == tenant);
        tenants.iter().copied().flat_map(of).map(|request| request.spans.clone()).collect()
    }
}

/// A span on its way into a request, with the resource and scope it is to have.
struct Loose {
    resource: usize,
    scope: usize,
    span: Span,
}

/// A store of this many traces, or of 20 to 60.
pub fn store(dice: &mut Dice, traces: Option<usize>) -> Store {
    let resources: Vec<Resource> = (0..dice.between(2, 6)).map(|_| resource(dice)).collect();
    let scopes: Vec<Scope> = (0..dice.between(1, 3)).map(|_| scope(dice)).collect();
    let tenants = dice.weighted(&[0, 60, 25, 15]);
    let manner = if traces.is_some() { 0 } else { dice.weighted(&[45, 25, 22, 8]) };
    // In some stores many traces start at once.
    let ticks = if dice.percent(20) { 3 } else { TICKS };
    // Every tenant has one request at least.
    let count = dice.between(tenants, 7);
    let owners: Vec<usize> =
        (0..count).map(|request| if request < tenants { request } else { dice.below(tenants) }).collect();
    let mut requests: Vec<Vec<Loose>> = owners.iter().map(|_| Vec::new()).collect();
    let some = dice.between(20, 60);
    for number in 0..traces.unwrap_or(some) {
        let id = trace_id(dice, number);
        // Of some traces all tenants have a part, and some are there twice, with the same ids and other contents.
        for _ in 0..if tenants > 1 && dice.percent(15) { 2 } else { 1 } {
            let owner = (!dice.percent(20)).then(|| dice.below(tenants));
            let mine = (0..count).filter(|request| owner.is_none_or(|owner| owners[*request] == owner));
            let mine: Vec<usize> = mine.collect();
            let first = *dice.one(&mine);
            for span in trace(dice, id, ticks) {
                // Most spans come with the first ones of their trace; the others are late or early.
                let request = if dice.percent(60) { first } else { *dice.one(&mine) };
                let (resource, scope) = (dice.below(resources.len()), dice.below(scopes.len()));
                requests[request].push(Loose { resource, scope, span });
            }
        }
    }
    let pushed = |(spans, tenant)| Request {
        tenant,
        spans: packed(dice, spans, &resources, &scopes),
        seal: dice.percent(45),
    };
    let requests = requests.into_iter().zip(owners).map(pushed).collect();
    Store { tenants, manner, requests }
}

fn trace_id(dice: &mut Dice, number: usize) -> TraceId {
    let mut id = [0; 16];
    id[12..].copy_from_slice(&(number as u32 + 1).to_be_bytes());
    if dice.percent(50) {
        id[0] = dice.below(256) as u8;
    }
    TraceId(id)
}

/// Spans of equal resource and scope together or apart, in the order they come.
fn packed(dice: &mut Dice, loose: Vec<Loose>, resources: &[Resource], scopes: &[Scope]) -> Trace {
    let mut out = Trace::default();
    let mut last: Option<(usize, usize)> = None;
    for Loose { resource, scope, span } in loose {
        let same_resource = last.is_some_and(|(known, _)| known == resource) && dice.percent(80);
        if !same_resource {
            let resource = resources[resource].clone();
            out.resource_spans.push(ResourceSpans { resource, ..ResourceSpans::default() });
        }
        let same_scope = same_resource && last == Some((resource, scope)) && dice.percent(80);
        if let Some(resource_spans) = out.resource_spans.last_mut() {
            if !same_scope {
                let scope = scopes[scope].clone();
                resource_spans.scope_spans.push(ScopeSpans { scope, ..ScopeSpans::default() });
            }
            if let Some(scope_spans) = resource_spans.scope_spans.last_mut() {
                scope_spans.spans.push(span);
            }
        }
        last = Some((resource, scope));
    }
    out
}

fn resource(dice: &mut Dice) -> Resource {
    let mut attributes = attributes(dice, 3);
    if dice.percent(85) {
        let name = match dice.below(30) {
            0 => AnyValue::Int(5),
            1 => AnyValue::Empty,
            _ => AnyValue::Str((*dice.one(&SERVICES)).to_owned()),
        };
        attributes.insert(0, KeyValue { key: "service.name".to_owned(), value: name });
    }
    Resource { attributes, ..Resource::default() }
}

fn scope(dice: &mut Dice) -> Scope {
    let name = (*dice.one(&["", "lib.http", "lib.db"])).to_owned();
    let version = (*dice.one(&VERSIONS)).to_owned();
    Scope { name, version, attributes: attributes(dice, 3), ..Scope::default() }
}

fn attributes(dice: &mut Dice, most: usize) -> Vec<KeyValue> {
    // A key may come twice, and then the first one counts.
    (0..dice.between(0, most))
        .map(|_| {
            let key = *dice.one(&KEYS);
            KeyValue { key: key.to_owned(), value: any_value(dice, key) }
        })
        .collect()
}

fn any_value(dice: &mut Dice, key: &str) -> AnyValue {
    let string = |dice: &mut Dice| AnyValue::Str((*dice.one(&STRINGS)).to_owned());
    let int = |dice: &mut Dice| AnyValue::Int(*dice.one(&INTS));
    let float = |dice: &mut Dice| AnyValue::Double(*dice.one(&FLOATS));
    let key = if dice.percent(12) { "any" } else { key };
    match key {
        "s" | "odd key" => string(dice),
        "n" => int(dice),
        "f" if dice.percent(5) => AnyValue::Double(*dice.one(&ODD_FLOATS)),
        "f" => float(dice),
        "flag" => AnyValue::Bool(dice.percent(50)),
        "list" => array(dice),
        "big" => AnyValue::Int(*dice.one(&[i64::MIN, i64::MAX, i64::MAX - 1, 1 << 53, (1 << 53) + 1])),
        _ => match dice.below(9) {
            0 => string(dice),
            1 => int(dice),
            2 => float(dice),
            3 => AnyValue::Bool(dice.percent(50)),
            4 => array(dice),
            5 => AnyValue::Empty,
            6 => AnyValue::Bytes(vec![1, 2, dice.below(2) as u8]),
            7 => AnyValue::Map(vec![KeyValue { key: "inner".to_owned(), value: int(dice) }]),
            _ => AnyValue::Int(1),
        },
    }
}

fn array(dice: &mut Dice) -> AnyValue {
    let kind = dice.below(6);
    let items = (0..dice.between(0, 3)).map(|_| match if kind == 5 { dice.below(6) } else { kind } {
        0 | 1 => AnyValue::Str((*dice.one(&STRINGS)).to_owned()),
        2 => AnyValue::Int(*dice.one(&INTS)),
        3 => AnyValue::Double(*dice.one(&FLOATS)),
        4 => AnyValue::Bool(dice.percent(50)),
        _ => AnyValue::Array(vec![AnyValue::Int(1)]),
    });
    AnyValue::Array(items.collect())
}

fn span_id(number: usize) -> SpanId {
    SpanId((number as u64).to_be_bytes())
}

/// The spans of a trace in any order, duplicates among them.
fn trace(dice: &mut Dice, id: TraceId, ticks: usize) -> Vec<Span> {
    let begin = BEGIN + dice.below(ticks) as u64 * TICK;
    let count = dice.between(1, 12);
    let mut spans: Vec<Span> = Vec::new();
    for number in 1..=count {
        let mut span = span(dice, id, begin);
        span.span_id = span_id(number);
        span.parent_span_id = parent(dice, number, count);
        if !spans.is_empty() && dice.percent(8) {
            share(dice, &spans, &mut span);
        }
        spans.push(span);
    }
    if dice.percent(30) {
        let mut again = dice.one(&spans).clone();
        if dice.percent(50) {
            // The same span by id and kind, with other contents: the first to arrive counts.
            again = Span { span_id: again.span_id, kind: again.kind, ..span(dice, id, begin) };
        }
        spans.push(again);
    }
    for index in (1..spans.len()).rev() {
        if dice.percent(50) {
            spans.swap(index, dice.below(index + 1));
        }
    }
    spans
}

/// Another span's id, with another kind, as Zipkin's servers have their client's.
fn share(dice: &mut Dice, spans: &[Span], span: &mut Span) {
    let other = dice.one(spans);
    span.span_id = other.span_id;
    if dice.percent(70) {
        span.kind = if other.kind == 2 { 3 } else { 2 };
        span.parent_span_id.clone_from(&other.parent_span_id);
    }
}

fn parent(dice: &mut Dice, number: usize, count: usize) -> Vec<u8> {
    let id = |number: usize| span_id(number).0.to_vec();
    match dice.weighted(&[8, 2, 70, 8, 4, 2, 2]) {
        0 => Vec::new(),
        1 => vec![0; 8],
        2 if number > 1 => id(dice.between(1, number - 1)),
        2 => Vec::new(),
        3 => id(dice.between(1, count)),
        4 => id(1000 + number),
        5 => id(number),
        _ => vec![0, 0, 0, 1],
    }
}

fn span(dice: &mut Dice, id: TraceId, begin: u64) -> Span {
    let start = match dice.percent(80) {
        true => begin + dice.below(8) as u64 * TICK,
        false => begin + dice.below(4_000_000_000) as u64,
    };
    let end = match dice.weighted(&[70, 15, 10, 5]) {
        0 => start + *dice.one(&[1, 2, 1_000, 1_000_000, 5_000_000, TICK, TICK + 1, 2 * TICK, 4 * TICK]),
        1 => start + dice.below(1_000_000_000) as u64,
        2 => start,
        _ => start - dice.below(5) as u64 * TICK,
    };
    let kind = *dice.one(&[0, 1, 1, 2, 2, 2, 3, 3, 4, 5]);
    let code = *dice.one(&[0, 0, 0, 1, 2, 2]);
    Span {
        trace_id: id,
        name: (*dice.one(&NAMES)).to_owned(),
        kind: if dice.percent(3) { 9 } else { kind },
        start_time_unix_nano: start,
        end_time_unix_nano: end,
        attributes: attributes(dice, 5),
        events: (0..dice.between(0, 9).saturating_sub(6)).map(|_| event(dice, start)).collect(),
        links: (0..dice.between(0, 9).saturating_sub(7)).map(|_| link(dice)).collect(),
        status: Status {
            message: (*dice.one(&MESSAGES)).to_owned(),
            code: if dice.percent(3) { 7 } else { code },
            ..Status::default()
        },
        ..Span::default()
    }
}

fn event(dice: &mut Dice, start: u64) -> Event {
    Event {
        time_unix_nano: start + *dice.one(&[0, 1, 3, 1_000_000, TICK]) - *dice.one(&[0, 0, 0, 0, 2, TICK]),
        name: (*dice.one(&EVENT_NAMES)).to_owned(),
        attributes: attributes(dice, 3),
        ..Event::default()
    }
}

fn link(dice: &mut Dice) -> Link {
    let mut trace_id = vec![0; 16];
    trace_id[15] = dice.between(1, 3) as u8;
    Link {
        trace_id,
        span_id: span_id(dice.between(1, 3)).0.to_vec(),
        attributes: attributes(dice, 3),
        ..Link::default()
    }
}
