//! How an answer was found, as JSON of our own shape, for `explain=1`. Durations are in microseconds.

use spanloom_query::{Cursor, Explain, ExplainSource};
use spanloom_wire::Object;
use spanloom_wire::json_out::{integer, string};

use super::cursor;

/// Appends `"explain"` to an answer.
pub(super) fn put(top: &mut Object<'_>, explain: &Explain, next: Option<Cursor>) {
    top.object("explain", |o| {
        string(o.key("query"), &explain.query);
        list(o, "sources", &explain.sources, source);
        list(o, "steps", &explain.steps, |o, (name, took)| {
            string(o.key("name"), name);
            count(o, "micros", took.as_micros() as u64);
        });
        count(o, "tookMicros", explain.took.as_micros() as u64);
        if let Some(next) = next {
            string(o.key("nextCursor"), &cursor::print(next));
        }
    });
}

fn source(o: &mut Object<'_>, source: &ExplainSource) {
    string(o.key("name"), &source.name);
    if let Some(node) = &source.by {
        string(o.key("by"), node);
    }
    count(o, "spans", source.spans);
    count(o, "traces", source.traces);
    count(o, "rowGroups", source.groups);
    if let Some(why) = &source.pruned {
        string(o.key("pruned"), why);
    }
    list(o, "rowGroupsPruned", &source.groups_pruned, |o, (reason, groups)| {
        string(o.key("reason"), reason);
        count(o, "rowGroups", *groups);
    });
    count(o, "rowsRead", source.rows_read);
    count(o, "rowsMatched", source.rows_matched);
    count(o, "candidates", source.candidates);
    count(o, "joined", source.joined);
}

/// A count, also when it is 0: a person reads this.
fn count(o: &mut Object<'_>, name: &str, value: u64) {
    integer(o.key(name), value);
}

/// A list, also when it is empty.
fn list<T>(o: &mut Object<'_>, name: &str, items: &[T], write: impl Fn(&mut Object<'_>, &T)) {
    spanloom_wire::json_out::list(o.key(name), items, |out, item| {
        let mut object = Object::begin(out);
        write(&mut object, item);
        object.end();
    });
}
