//! Stop 9, asked otherwise: which spans of a mapped block satisfy a filter.

use std::hint::black_box;

use spanloom_block::{Block, Counters, Matches};
use spanloom_span::model::AnyValue;
use spanloom_traceql::plan::Plan;

use crate::stop7_seal::build;
use crate::{Line, batches, measure, span_count, traces};

/// Searches one block, each question from its directory on.
pub fn run(spans: usize) -> Vec<Line> {
    let batches = batches(spans);
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let path = dir.path().join("one.block");
    std::fs::write(&path, build(&traces(&batches)).bytes).expect("the block can be written");
    let block = Block::open(&path).expect("the block opens");
    let (key, value) = rare_text(&block);
    let questions = [
        ("a key that is nowhere", "span.nothing = 1".to_owned()),
        ("a value that is nowhere", "resource.service.name = \"nothing\"".to_owned()),
        ("one value of many", format!("span.{key} = \"{value}\"")),
        ("a service", "resource.service.name = \"frontend\"".to_owned()),
        ("a status", "status = error".to_owned()),
        ("a duration", "duration > 100ms".to_owned()),
        ("roots", "nestedSetParent < 0".to_owned()),
        ("a number", "span.http.response.status_code >= 500".to_owned()),
        ("a pattern", format!("span.{key} =~ \".*77.*\"")),
        ("arithmetic", "span.http.response.status_code * 2 > 800".to_owned()),
    ];
    let search = |(name, condition): &(&str, String)| {
        let query = spanloom_traceql::parse(&format!("{{ {condition} }}")).expect("it is a query");
        let plan = Plan::new(&query).expect("it can be run");
        let mut counters = Counters::default();
        let mut line = measure(
            format!("search {name}"),
            "span",
            span_count(&batches),
            || (),
            |()| {
                let reader = block.reader().expect("the directory is there");
                let mut scan = reader.scan(&plan.fields, &plan.filters).expect("the block can be read");
                let mut matches = Matches::default();
                counters = Counters::default();
                for group in 0..scan.groups() {
                    scan.group(group, &mut matches, &mut counters).expect("the block can be read");
                    black_box(&matches);
                }
            },
        );
        line.note = format!(
            "{:.0} us, {} of {} spans",
            line.cpu_ns * span_count(&batches) as f64 / 1000.0,
            counters.rows_matched,
            block.meta().spans
        );
        line
    };
    questions.iter().map(search).collect()
}

/// An attribute of the block's spans with a text of its own in nearly each, and one of the texts.
fn rare_text(block: &Block) -> (String, String) {
    let inspection = block.inspect().expect("the directory is there");
    let texts = inspection.columns.iter().filter(|column| {
        column.table.name() == "span" && column.value_type.is_some_and(|of| of.name() == "string")
    });
    let key = texts.max_by_key(|column| column.bytes).map_or_else(String::new, |column| column.name.clone());
    let ids = block.trace_ids().expect("the block has ids");
    let found = ids.filter_map(|id| block.trace(&id).ok().flatten()).find_map(|trace| {
        let mut attributes = trace.spans().flat_map(|span| &span.attributes).filter(|a| a.key == key);
        match attributes.next().map(|attribute| &attribute.value) {
            Some(AnyValue::Str(text)) if !text.contains(['"', '\\']) => Some(text.clone()),
            _ => None,
        }
    });
    (format!("\"{key}\""), found.unwrap_or_default())
}
