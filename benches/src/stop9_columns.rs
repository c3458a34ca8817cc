//! Stop 9, searching: what an evaluator of TraceQL, metrics and lists of tags read of a block in place.

use std::hint::black_box;

use spanloom_block::{
    Bits, Block, BlockReader, BlockTraces, Group, ListLimits, Measure, Names, TraceTable, Values, Wanted,
};
use spanloom_traceql::ast::{Attribute, Field, Intrinsic, Scope};
use spanloom_traceql::eval::Fragment;
use spanloom_traceql::plan::FieldId;

use crate::stop7_seal::build;
use crate::{Line, batches, measure, traces};

fn attribute(scope: Scope, name: &str) -> Field {
    Field::Attribute(Attribute { parent: false, scope: Some(scope), name: name.to_owned() })
}

/// Attributes that spans of the default load have.
const KEYS: [&str; 3] = ["http.response.status_code", "url.path", "db.query.text"];

/// Reads one block in all ways.
pub fn run(spans: usize) -> Vec<Line> {
    let bytes = build(&traces(&batches(spans))).bytes;
    let block = Block::from_bytes(bytes).expect("the block opens");
    let reader = block.reader().expect("the block can be read");
    let mut lines = Vec::new();
    lines.extend(fragments(&reader));
    lines.extend(metrics(&reader));
    lines.extend(lists(&reader));
    lines
}

fn fragments(reader: &BlockReader) -> Vec<Line> {
    let mut fields: Vec<Field> = KEYS.iter().map(|key| attribute(Scope::Span, key)).collect();
    fields.push(attribute(Scope::Resource, "service.name"));
    fields.push(Field::Intrinsic(Intrinsic::Status));
    let new = || BlockTraces::new(reader, &fields).expect("the block can be read");
    let count = reader.meta().traces;
    let newest: Vec<u64> = (0..count).map(|at| at * 7919 % count).collect();
    let ascending: Vec<u64> = (0..count).collect();
    let work =
        |name: &str, unit: &'static str, units: u64, places: &[u64], work: &dyn Fn(&mut dyn Fragment)| {
            measure(name, unit, units as usize, new, |mut traces: BlockTraces<'_>| {
                for &place in places {
                    work(&mut traces.trace(place).expect("the trace can be read"));
                }
            })
        };
    let see = |trace: &mut dyn Fragment, span: u32, field: u16| {
        let seen = trace.see(span, FieldId(field), &mut |value| {
            black_box(value);
        });
        seen.expect("the value can be read");
    };
    let three = |trace: &mut dyn Fragment| {
        for span in 0..trace.len().min(3) {
            (0..3).for_each(|field| see(trace, span, field));
        }
    };
    let every =
        |field: u16| move |trace: &mut dyn Fragment| (0..trace.len()).for_each(|s| see(trace, s, field));
    let spans = reader.meta().spans;
    let mut identities = work("identities", "span", spans, &ascending, &|trace| {
        let mut out = Vec::new();
        trace.identities(&mut out).expect("the trace can be read");
        black_box(out);
    });
    identities.note = format!("{:.1} spans a trace", spans as f64 / count as f64);
    vec![
        work("open a trace", "trace", count, &newest, &|trace| {
            black_box(trace.len());
        }),
        identities,
        work("services", "span", spans, &ascending, &|trace| {
            let mut sum = 0;
            trace.services(None, &mut |_, spans, _| sum += spans).expect("the trace can be read");
            black_box(sum);
        }),
        work("3 attributes of 3 spans", "trace", count, &ascending, &three),
        work("the same, traces at random", "trace", count, &newest, &three),
        work("an attribute of every span", "span", spans, &ascending, &every(0)),
        work("service.name of every span", "span", spans, &ascending, &every(3)),
        work("status of every span", "span", spans, &ascending, &every(4)),
    ]
}

fn metrics(reader: &BlockReader) -> Vec<Line> {
    let table = TraceTable::open(reader).expect("the block can be read");
    let groups = reader.groups();
    let ends = groups.iter().skip(1).map(|group| group.first_row).chain([reader.meta().spans]);
    let all: Vec<Bits> =
        groups.iter().zip(ends).map(|(g, end)| Bits::all((end - g.first_row) as usize)).collect();
    let spans = reader.meta().spans as usize;
    let work = |name: &str, durations: bool, by: &[Field]| {
        let new = || Measure::new(reader, &table, by, 10_000).expect("the block can be read");
        measure(name, "span", spans, new, |mut measure| {
            let mut sum = 0u64;
            for (group, rows) in (0..).zip(&all) {
                let mut pieces = measure.pieces(group, rows, durations).expect("the rows can be read");
                while let Some(piece) = pieces.next_piece().expect("the rows can be read") {
                    let columns = piece.starts.iter().zip(piece.groups);
                    sum = columns.fold(sum, |sum, (start, group)| sum ^ start ^ u64::from(*group));
                }
            }
            black_box(sum);
        })
    };
    vec![
        work("starts", false, &[]),
        work("starts, durations by service", true, &[attribute(Scope::Resource, "service.name")]),
        work("starts by status code", false, &[attribute(Scope::Span, KEYS[0])]),
        work("starts by url", false, &[attribute(Scope::Span, KEYS[1])]),
        measure(
            "trace table",
            "trace",
            table.len() as usize,
            || (),
            |()| {
                let table = TraceTable::open(reader).expect("the block can be read");
                black_box(table.newest_first().len());
            },
        ),
    ]
}

fn lists(reader: &BlockReader) -> Vec<Line> {
    let table = TraceTable::open(reader).expect("the block can be read");
    let limits = ListLimits { count: 0, bytes: 1 << 20 };
    let groups = reader.groups();
    let (first, last) = (groups.first().map_or(0, |g| g.min_start), groups.first().map_or(0, |g| g.max_end));
    let ends = groups.iter().skip(1).map(|group| group.first_row).chain([reader.meta().spans]);
    let len = |(group, end): (&Group, u64)| (end - group.first_row) as usize;
    let some: Vec<Bits> =
        groups.iter().zip(ends).map(len).map(|len| Bits::of(len, (0..len).step_by(5))).collect();
    let all = Wanted::default();
    let time = Wanted { time: Some((first, last)), rows: None };
    let rows = Wanted { time: None, rows: Some(&some) };
    let names = |name: &str, wanted: Wanted<'_>| {
        measure(
            name,
            "list",
            1,
            || (),
            |()| {
                let mut out = Names::default();
                reader.names(None, wanted, limits, &mut out).expect("the block can be read");
                black_box(out);
            },
        )
    };
    let values = |name: &str, field: &Field, wanted: Wanted<'_>| {
        let mut count = 0;
        let mut line = measure(
            name,
            "list",
            1,
            || (),
            |()| {
                let mut out = Values::default();
                reader.values(&table, field, wanted, limits, &mut out).expect("the block can be read");
                count = out.len();
            },
        );
        line.note = format!("{count} values");
        line
    };
    let service = attribute(Scope::Resource, "service.name");
    let mut lines = vec![
        names("names", all),
        names("names within a time", time),
        names("names of a fifth of the rows", rows),
    ];
    for (what, wanted) in [("values", all), ("within a time", time), ("a fifth", rows)] {
        lines.push(values(&format!("{what}: service.name"), &service, wanted));
        lines.push(values(&format!("{what}: name"), &Field::Intrinsic(Intrinsic::Name), wanted));
        lines.push(values(&format!("{what}: {}", KEYS[0]), &attribute(Scope::Span, KEYS[0]), wanted));
        lines.push(values(&format!("{what}: {}", KEYS[1]), &attribute(Scope::Span, KEYS[1]), wanted));
        lines.push(values(&format!("{what}: rootName"), &Field::Intrinsic(Intrinsic::RootName), wanted));
    }
    lines
}
