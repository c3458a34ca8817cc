//! Spans by resource and scope: Zipkin repeats both with every span, OTLP says them once.
//!
//! A span's body is written here while it is read, and its group is known when it ends. What comes out is in
//! order of appearance: resources, their scopes, their spans.

use std::collections::HashMap;

use spanloom_span::proto::{put_bytes, put_varint, varint_len};

use crate::foreign::otlp::{resource_spans, scope_spans};

/// No further one.
const END: usize = usize::MAX;

/// The spans of a request so far.
#[derive(Default)]
pub(super) struct Groups {
    /// Bodies of spans, one after the other; the last may be unfinished.
    pub body: Vec<u8>,
    spans: Vec<Placed>,
    scopes: Vec<Scope>,
    resources: Vec<Resource>,
    /// Scopes by their key, and resources by their body.
    by_key: HashMap<Vec<u8>, usize>,
    by_resource: HashMap<Vec<u8>, usize>,
    /// The key of the span before and its scope: most often those of the next.
    last_key: Vec<u8>,
    last_scope: usize,
    /// Bytes that resources and scopes take.
    heads: usize,
}

/// A finished span, and the next one of its scope.
struct Placed {
    from: usize,
    to: usize,
    next: usize,
}

/// A scope within a resource.
struct Scope {
    body: Vec<u8>,
    first: usize,
    last: usize,
    /// Bytes that its spans take as fields.
    bytes: usize,
    next: usize,
}

/// A resource.
struct Resource {
    body: Vec<u8>,
    first: usize,
    last: usize,
}

impl Groups {
    /// For a request of so many bytes, which seldom become more.
    pub fn for_bytes(bytes: usize) -> Self {
        Self { body: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// Spans finished.
    pub fn count(&self) -> u64 {
        self.spans.len() as u64
    }

    /// Bytes that all of it will take at least.
    pub fn least(&self) -> usize {
        self.body.len() + self.heads
    }

    /// Ends the span that was written from there on. `key` is the bodies of its resource and its scope, one after
    /// the other, and `scope_at` says where the latter begins.
    pub fn end_span(&mut self, from: usize, key: &mut Vec<u8>, scope_at: usize) {
        // So that no two pairs of bodies have the same key.
        key.extend_from_slice(&(scope_at as u64).to_le_bytes());
        if self.spans.is_empty() || *key != self.last_key {
            self.last_scope = match self.by_key.get(key) {
                Some(scope) => *scope,
                None => self.new_scope(key, scope_at),
            };
            std::mem::swap(key, &mut self.last_key);
        }
        let (place, to) = (self.spans.len(), self.body.len());
        let scope = &mut self.scopes[self.last_scope];
        match scope.first {
            END => scope.first = place,
            _ => self.spans[scope.last].next = place,
        }
        scope.last = place;
        scope.bytes += field_len(to - from);
        self.spans.push(Placed { from, to, next: END });
    }

    #[cold]
    fn new_scope(&mut self, key: &[u8], scope_at: usize) -> usize {
        let (resource, scope) = key[..key.len() - 8].split_at(scope_at);
        let place = self.scopes.len();
        self.scopes.push(Scope { body: scope.to_vec(), first: END, last: END, bytes: 0, next: END });
        self.by_key.insert(key.to_vec(), place);
        self.heads += scope.len();
        match self.by_resource.get(resource) {
            Some(&at) => {
                let resource = &mut self.resources[at];
                self.scopes[resource.last].next = place;
                resource.last = place;
            }
            None => {
                self.by_resource.insert(resource.to_vec(), self.resources.len());
                self.resources.push(Resource { body: resource.to_vec(), first: place, last: place });
                self.heads += resource.len();
            }
        }
        place
    }

    /// Appends all of it as `ResourceSpans`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.reserve(self.least() + 8 * self.spans.len());
        for resource in &self.resources {
            let mut bytes = field_len(resource.body.len());
            for scope in self.scopes_of(resource) {
                bytes += field_len(scope.len());
            }
            put_head(out, 1, bytes);
            put_bytes(out, resource_spans::RESOURCE, &resource.body);
            for scope in self.scopes_of(resource) {
                put_head(out, resource_spans::SCOPE_SPANS, scope.len());
                if !scope.body.is_empty() {
                    put_bytes(out, scope_spans::SCOPE, &scope.body);
                }
                let mut at = scope.first;
                while let Some(span) = self.spans.get(at) {
                    put_bytes(out, scope_spans::SPANS, &self.body[span.from..span.to]);
                    at = span.next;
                }
            }
        }
    }

    fn scopes_of(&self, resource: &Resource) -> impl Iterator<Item = &Scope> {
        std::iter::successors(self.scopes.get(resource.first), |scope| self.scopes.get(scope.next))
    }
}

impl Scope {
    /// Bytes of its `ScopeSpans`.
    fn len(&self) -> usize {
        let scope = if self.body.is_empty() { 0 } else { field_len(self.body.len()) };
        scope + self.bytes
    }
}

/// Bytes that a field of so many takes; all fields here have numbers below 16.
fn field_len(body: usize) -> usize {
    1 + varint_len(body as u64) + body
}

/// Begins a message field of so many bytes.
fn put_head(out: &mut Vec<u8>, field: u32, bytes: usize) {
    put_varint(out, u64::from(field << 3 | 2));
    put_varint(out, bytes as u64);
}
