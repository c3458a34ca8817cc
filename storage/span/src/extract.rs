//! Some traces of a batch as a request of its own.

use bytes::Bytes;

use crate::batch::{Batch, ResourceSlice, ScopeSlice, SpanSlice, Stretch, TraceGroup};
use crate::proto::{Reader, Value, put_bytes, put_message, put_text};
use crate::slice::{gather, is_root_parent};
use crate::view::{SpanField, SpanFields};

impl Batch {
    /// A request of its own with the spans of one group alone, so that they no longer hold the whole batch.
    pub fn extract(&self, group: &TraceGroup) -> Bytes {
        self.request_of(self.group_spans(group), group.bytes as usize)
    }

    /// A request of its own with the spans of some groups alone; resources and scopes that they share come once.
    pub fn extract_all<'g>(&self, groups: impl Iterator<Item = &'g TraceGroup>) -> Bytes {
        let (mut spans, mut bytes) = (Vec::new(), 0);
        for group in groups {
            spans.extend_from_slice(self.group_spans(group));
            bytes += group.bytes as usize;
        }
        // Stable, so the spans of a trace in a scope stay in order of arrival.
        spans.sort_by_key(|span| span.scope);
        self.request_of(&spans, bytes)
    }

    /// The same as [`Batch::extract_all`], sliced; the spans, which were checked, are not walked again.
    pub fn extract_batch(&self, groups: &[&TraceGroup]) -> Self {
        let number = groups.iter().zip(0u32..);
        let mut spans: Vec<(SpanSlice, u32)> = number
            .flat_map(|(group, number)| self.group_spans(group).iter().map(move |span| (*span, number)))
            .collect();
        spans.sort_by_key(|(span, _)| span.scope);
        let slices: Vec<SpanSlice> = spans.iter().map(|(span, _)| *span).collect();
        let bytes = self.request_of(&slices, groups.iter().map(|group| group.bytes as usize).sum());
        let (resources, scopes, places) = self.slices_of(&slices, &bytes);
        // As slicing does: traces in order of first appearance, the spans of each in order of arrival.
        let mut order: Vec<u32> = Vec::with_capacity(groups.len());
        let mut place = vec![u32::MAX; groups.len()];
        for (_, number) in &spans {
            if place[*number as usize] == u32::MAX {
                place[*number as usize] = order.len() as u32;
                order.push(*number);
            }
        }
        let mut out: Vec<TraceGroup> = order.iter().map(|number| groups[*number as usize].clone()).collect();
        let had_root: Vec<bool> = out.iter().map(|group| group.root.is_some()).collect();
        out.iter_mut().for_each(|group| (group.count, group.root) = (0, None));
        let mut found = Vec::with_capacity(spans.len());
        for ((_, number), slice) in spans.iter().zip(places) {
            let at = place[*number as usize];
            let group = &mut out[at as usize];
            if had_root[at as usize] && group.root.is_none() && is_root(&bytes[slice.body.range()]) {
                group.root = Some(group.count);
            }
            group.count += 1;
            found.push((slice, at));
        }
        let spans = gather(&found, &mut out);
        Self { bytes, resources, scopes, spans, groups: out, refused_spans: 0, permit: None }
    }

    /// Where the spans of a request lie that [`Batch::request_of`] made of these, and their scopes and resources.
    fn slices_of(
        &self,
        of: &[SpanSlice],
        bytes: &Bytes,
    ) -> (Vec<ResourceSlice>, Vec<ScopeSlice>, Vec<SpanSlice>) {
        let (mut resources, mut scopes) = (Vec::<ResourceSlice>::new(), Vec::<ScopeSlice>::new());
        let (mut places, mut of) = (Vec::with_capacity(of.len()), of.iter());
        let stretch = |part: &[u8]| match part {
            [] => Stretch::default(),
            _ => {
                let from = (part.as_ptr().addr() - bytes.as_ptr().addr()) as u32;
                Stretch { from, to: from + part.len() as u32 }
            }
        };
        // What was just written is read without a failure; were it not so, the rest would be missing.
        for (_, body) in fields(bytes) {
            let resource = resources.len() as u32;
            resources.push(ResourceSlice::default());
            for (field, part) in fields(body) {
                match field {
                    1 => resources[resource as usize].resource = stretch(part),
                    3 => resources[resource as usize].schema_url = stretch(part),
                    _ => {
                        let scope = scopes.len() as u32;
                        scopes.push(ScopeSlice { resource, ..ScopeSlice::default() });
                        for (field, part) in fields(part) {
                            match field {
                                1 => scopes[scope as usize].scope = stretch(part),
                                3 => scopes[scope as usize].schema_url = stretch(part),
                                _ => {
                                    let Some(span) = of.next() else { continue };
                                    let from = self.scopes[span.scope as usize].resource;
                                    let to = &mut resources[resource as usize];
                                    to.service = moved(&self.resources[from as usize], to.resource);
                                    places.push(SpanSlice { body: stretch(part), scope });
                                }
                            }
                        }
                    }
                }
            }
        }
        (resources, scopes, places)
    }

    /// A request of these spans, of which those of a scope, and of a resource, stand together.
    fn request_of(&self, spans: &[SpanSlice], bytes: usize) -> Bytes {
        let mut out = Vec::with_capacity(bytes + bytes / 8 + 512);
        let mut at = 0;
        while at < spans.len() {
            let resource_at = self.scopes[spans[at].scope as usize].resource;
            let resource = &self.resources[resource_at as usize];
            put_message(&mut out, 1, |out| {
                put_bytes(out, 1, self.get(resource.resource));
                while at < spans.len() && self.scopes[spans[at].scope as usize].resource == resource_at {
                    at = self.extract_scope(spans, at, out);
                }
                put_text(out, 3, self.get(resource.schema_url));
            });
        }
        out.into()
    }

    fn extract_scope(&self, spans: &[SpanSlice], mut at: usize, out: &mut Vec<u8>) -> usize {
        let scope_at = spans[at].scope;
        let scope = &self.scopes[scope_at as usize];
        put_message(out, 2, |out| {
            put_bytes(out, 1, self.get(scope.scope));
            while at < spans.len() && spans[at].scope == scope_at {
                put_bytes(out, 2, self.get(spans[at].body));
                at += 1;
            }
            put_text(out, 3, self.get(scope.schema_url));
        });
        at
    }
}

/// The fields of a message that was just written: messages and texts alone.
fn fields(body: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let mut reader = Reader::new(body);
    std::iter::from_fn(move || match reader.next() {
        Ok(Some((field, Value::Bytes(part)))) => Some((field, part)),
        _ => None,
    })
}

/// Where a resource's service lies, now that its body lies elsewhere.
fn moved(resource: &ResourceSlice, to: Stretch) -> Stretch {
    if resource.service.is_empty() {
        return Stretch::default();
    }
    let by = |at: u32| at - resource.resource.from + to.from;
    Stretch { from: by(resource.service.from), to: by(resource.service.to) }
}

/// Whether a span that was checked has no parent.
fn is_root(body: &[u8]) -> bool {
    let (mut fields, mut parent): (_, &[u8]) = (SpanFields::new(body), &[]);
    while let Ok(Some(field)) = fields.next() {
        if let SpanField::ParentSpanId(id) = field {
            parent = id;
        }
    }
    is_root_parent(parent)
}
