//! A span's row, shredded into its columns.

use parquet::schema::types::SchemaDescriptor;
use spanloom_span::Tenant;
use spanloom_span::model::{
    AnyValue, Event, KeyValue, Link, Resource, ResourceSpans, ScopeSpans, Span, Trace,
};
use spanloom_wire::json_out::{hex, integer};

use crate::leaf::{At, Leaf};
use crate::value;

/// The columns of a row group that is being filled, in the order of the schema.
pub struct Rows {
    leaves: Vec<Leaf>,
    rows: usize,
    tenant: Tenant,
    of_resource: Attributes,
    of_scope: Attributes,
    own: Attributes,
}

/// The columns from one on, taken one after the other. The schema has as many as are taken, which a test holds to.
struct Walk<'a> {
    leaves: std::slice::IterMut<'a, Leaf>,
}

impl<'a> Walk<'a> {
    /// Does something with the next column.
    fn next(&mut self, put: impl FnOnce(&mut Leaf)) {
        let leaf = self.leaves.next();
        debug_assert!(leaf.is_some(), "the schema has fewer columns");
        if let Some(leaf) = leaf {
            put(leaf);
        }
    }

    /// The next columns: those within a list, which are walked once for each item.
    fn within(&mut self, count: usize) -> &'a mut [Leaf] {
        let rest = std::mem::take(&mut self.leaves).into_slice();
        let (now, later) = rest.split_at_mut(count.min(rest.len()));
        self.leaves = later.iter_mut();
        now
    }

    fn attributes(&mut self, at: At, attributes: &Attributes) {
        self.next(|leaf| {
            attributes.each(leaf, at, |leaf, at, one| leaf.text(at, &attributes.text[one.key()]))
        });
        self.next(|leaf| {
            attributes.each(leaf, at, |leaf, at, one| {
                leaf.some_text(at, one.value().map(|value| &attributes.text[value]));
            });
        });
        self.next(|leaf| attributes.each(leaf, at, |leaf, at, one| leaf.text(at, one.kind)));
    }
}

/// Attributes as text. Those of a resource are made into text once for all of its spans.
#[derive(Default)]
struct Attributes {
    text: Vec<u8>,
    list: Vec<One>,
}

/// One of them: where in the text it is.
struct One {
    from: usize,
    key_end: usize,
    value_end: usize,
    kind: &'static str,
}

impl One {
    fn key(&self) -> std::ops::Range<usize> {
        self.from..self.key_end
    }

    fn value(&self) -> Option<std::ops::Range<usize>> {
        (self.kind != "empty").then_some(self.key_end..self.value_end)
    }
}

impl Attributes {
    fn set(&mut self, attributes: &[KeyValue]) {
        self.text.clear();
        self.list.clear();
        for KeyValue { key, value } in attributes {
            let from = self.text.len();
            self.text.extend_from_slice(key.as_bytes());
            let key_end = self.text.len();
            let kind = value::put(&mut self.text, value);
            self.list.push(One { from, key_end, value_end: self.text.len(), kind });
        }
    }

    fn each(&self, leaf: &mut Leaf, at: At, put: impl Fn(&mut Leaf, At, &One)) {
        if self.list.is_empty() {
            leaf.nothing(at);
        }
        for (index, one) in self.list.iter().enumerate() {
            put(leaf, at.item(index), one);
        }
    }
}

/// Columns of an event, and of a link.
const EVENT_COLUMNS: usize = 8;
const LINK_COLUMNS: usize = 9;

impl Rows {
    /// No rows yet.
    pub fn new(schema: &SchemaDescriptor, tenant: &Tenant) -> Self {
        let leaves = schema.columns().iter().map(|column| Leaf::new(column)).collect();
        let (of_resource, of_scope, own) = Default::default();
        Self { leaves, rows: 0, tenant: tenant.clone(), of_resource, of_scope, own }
    }

    /// The columns, in the order of the schema.
    pub fn leaves(&mut self) -> &mut [Leaf] {
        &mut self.leaves
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Bytes that they take, about.
    pub fn bytes(&self) -> usize {
        self.leaves.iter().map(Leaf::bytes).sum()
    }

    /// Says that the columns were written.
    pub fn clear(&mut self) {
        self.rows = 0;
    }

    /// Pushes a trace's spans; after each `pushed` may write what there is.
    pub fn push_trace<E>(
        &mut self,
        trace: &Trace,
        mut pushed: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        for resource in &trace.resource_spans {
            self.of_resource.set(&resource.resource.attributes);
            for scope in &resource.scope_spans {
                self.of_scope.set(&scope.scope.attributes);
                for span in &scope.spans {
                    self.push(resource, scope, span);
                    pushed(self)?;
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, resource: &ResourceSpans, scope: &ScopeSpans, span: &Span) {
        self.own.set(&span.attributes);
        self.rows += 1;
        let top = At::default();
        let mut walk = Walk { leaves: self.leaves.iter_mut() };
        walk.next(|leaf| leaf.text(top, self.tenant.as_str()));
        put_head(&mut walk, span);
        walk.next(|leaf| leaf.some_text(top, service(&resource.resource)));
        walk.attributes(top, &self.own);
        let of_event = walk.within(EVENT_COLUMNS);
        items(of_event, &span.events, &mut self.own, put_event);
        let of_link = walk.within(LINK_COLUMNS);
        items(of_link, &span.links, &mut self.own, put_link);
        walk.next(|leaf| leaf.some_text(top, filled(&scope.scope.name)));
        walk.next(|leaf| leaf.some_text(top, filled(&scope.scope.version)));
        walk.attributes(top, &self.of_scope);
        walk.attributes(top, &self.of_resource);
        for count in [
            span.dropped_attributes_count,
            span.dropped_events_count,
            span.dropped_links_count,
            scope.scope.dropped_attributes_count,
            resource.resource.dropped_attributes_count,
        ] {
            walk.next(|leaf| leaf.uint(top, count));
        }
        walk.next(|leaf| leaf.some_text(top, filled(&scope.schema_url)));
        walk.next(|leaf| leaf.some_text(top, filled(&resource.schema_url)));
        for unknown in [&span.unknown, &span.status.unknown, &scope.scope.unknown, &resource.resource.unknown]
        {
            walk.next(|leaf| leaf.some_text(top, filled(unknown)));
        }
        debug_assert!(walk.leaves.next().is_none(), "the schema has more columns");
    }
}

/// The columns from the trace's id to the status.
fn put_head(walk: &mut Walk<'_>, span: &Span) {
    let top = At::default();
    walk.next(|leaf| leaf.text(top, digits(&span.trace_id.0)));
    walk.next(|leaf| leaf.text(top, digits(&span.span_id.0)));
    walk.next(|leaf| leaf.some_text(top, filled(&digits(&span.parent_span_id))));
    walk.next(|leaf| leaf.some_text(top, filled(&span.trace_state)));
    walk.next(|leaf| leaf.uint(top, span.flags));
    walk.next(|leaf| leaf.text(top, &span.name));
    walk.next(|leaf| leaf.text(top, named(span.kind, &KINDS)));
    let (start, end) = (span.start_time_unix_nano, span.end_time_unix_nano);
    walk.next(|leaf| leaf.time(top, start));
    walk.next(|leaf| leaf.time(top, end));
    walk.next(|leaf| leaf.uint(top, end.saturating_sub(start)));
    walk.next(|leaf| leaf.uint(top, start));
    walk.next(|leaf| leaf.uint(top, end));
    walk.next(|leaf| leaf.text(top, named(span.status.code, &STATUSES)));
    walk.next(|leaf| leaf.some_text(top, filled(&span.status.message)));
}

/// The columns of a list of which each item has several.
fn items<T>(
    leaves: &mut [Leaf],
    list: &[T],
    own: &mut Attributes,
    put: impl Fn(&mut Walk<'_>, At, &T, &mut Attributes),
) {
    let top = At::default();
    if list.is_empty() {
        leaves.iter_mut().for_each(|leaf| leaf.nothing(top));
    }
    for (index, item) in list.iter().enumerate() {
        let mut walk = Walk { leaves: leaves.iter_mut() };
        put(&mut walk, top.item(index), item, own);
        debug_assert!(walk.leaves.next().is_none(), "the schema has more columns");
    }
}

fn put_event(walk: &mut Walk<'_>, at: At, event: &Event, own: &mut Attributes) {
    own.set(&event.attributes);
    walk.next(|leaf| leaf.time(at, event.time_unix_nano));
    walk.next(|leaf| leaf.uint(at, event.time_unix_nano));
    walk.next(|leaf| leaf.text(at, &event.name));
    walk.attributes(at, own);
    walk.next(|leaf| leaf.uint(at, event.dropped_attributes_count));
    walk.next(|leaf| leaf.some_text(at, filled(&event.unknown)));
}

fn put_link(walk: &mut Walk<'_>, at: At, link: &Link, own: &mut Attributes) {
    own.set(&link.attributes);
    walk.next(|leaf| leaf.text(at, digits(&link.trace_id)));
    walk.next(|leaf| leaf.text(at, digits(&link.span_id)));
    walk.next(|leaf| leaf.some_text(at, filled(&link.trace_state)));
    walk.next(|leaf| leaf.uint(at, link.flags));
    walk.attributes(at, own);
    walk.next(|leaf| leaf.uint(at, link.dropped_attributes_count));
    walk.next(|leaf| leaf.some_text(at, filled(&link.unknown)));
}

/// Protobuf does not tell what is empty from what is absent.
fn filled<T: AsRef<[u8]> + ?Sized>(text: &T) -> Option<&[u8]> {
    Some(text.as_ref()).filter(|text| !text.is_empty())
}

fn digits(id: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(id.len() * 2);
    hex(&mut out, id);
    out
}

/// The first of the resource's attributes `service.name`, if it is text, as in searches.
fn service(resource: &Resource) -> Option<&str> {
    let found = resource.attributes.iter().find(|attribute| attribute.key == "service.name");
    match found.map(|attribute| &attribute.value) {
        Some(AnyValue::Str(name)) => Some(name),
        _ => None,
    }
}

const KINDS: [&str; 6] = ["unspecified", "internal", "server", "client", "producer", "consumer"];
const STATUSES: [&str; 3] = ["unset", "ok", "error"];

/// The name of a number, as TraceQL has it; the number for one without a name.
fn named(number: i32, names: &[&str]) -> Vec<u8> {
    let name = usize::try_from(number).ok().and_then(|number| names.get(number));
    match name {
        Some(name) => name.as_bytes().to_vec(),
        None => {
            let mut out = Vec::new();
            integer(&mut out, number);
            out
        }
    }
}
