//! The spans of a batch, put together by resource and scope, in order of appearance.
//!
//! What scope a span has is known when all its tags were read, so spans are written aside first; then lengths
//! are known as well, and each byte is copied to its place once.

use std::collections::HashMap;

use spanloom_span::proto::{put_bytes, put_text, put_varint, varint_len};

use crate::foreign::otlp::{resource_spans, scope, scope_spans};
use crate::foreign::{Fault, Foreign, text};

use super::draft::Draft;
use super::special::Scope;

/// Spans while they are read.
#[derive(Debug, Default)]
pub struct Spans<'a> {
    /// The span being read.
    pub draft: Draft<'a>,
    /// The bodies of those that were read, one after the other.
    bodies: Vec<u8>,
    written: Vec<Written>,
    groups: Vec<Group<'a>>,
    index: HashMap<Group<'a>, u32>,
    room: usize,
}

/// A span that was read.
#[derive(Debug, Clone, Copy)]
struct Written {
    group: u32,
    /// Where its body ends; it begins where that of the one before ends.
    end: usize,
}

/// Spans of the same resource and scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Group<'a> {
    resource: u32,
    scope: Scope<'a>,
}

impl<'a> Spans<'a> {
    /// None yet. They may take `room` bytes.
    pub fn new(room: usize) -> Self {
        Self { room, ..Self::default() }
    }

    /// How many were read.
    pub fn count(&self) -> u64 {
        self.written.len() as u64
    }

    /// Whether what was read so far, the span being read included, fits.
    #[inline]
    pub fn check_room(&self, at: usize) -> Result<(), Foreign> {
        check_size(self.bodies.len() + self.draft.size(), self.room, at)
    }

    /// Ends the span being read, which began at `at` and is of that resource. Resources are numbered in order
    /// of appearance.
    pub fn end_span(&mut self, resource: u32, at: usize) -> Result<(), Foreign> {
        let scope = self.draft.write(&mut self.bodies, at)?;
        check_size(self.bodies.len(), self.room, at)?;
        let group = self.group_of(Group { resource, scope });
        self.written.push(Written { group, end: self.bodies.len() });
        Ok(())
    }

    /// Most spans are of the group of the one before.
    fn group_of(&mut self, group: Group<'a>) -> u32 {
        match self.written.last() {
            Some(last) if self.groups[last.group as usize] == group => last.group,
            _ => *self.index.entry(group).or_insert_with(|| {
                self.groups.push(group);
                self.groups.len() as u32 - 1
            }),
        }
    }
}

/// A `ScopeSpans` to be written.
struct Part<'s> {
    resource: u32,
    /// Its `InstrumentationScope`, empty if nothing is known of it.
    scope: Vec<u8>,
    spans: Vec<&'s [u8]>,
    /// Bytes that all of it takes.
    bytes: usize,
}

impl Spans<'_> {
    /// Appends the `ResourceSpans`. `resources` are the bodies of the resources, by number.
    pub fn put(&self, resources: &[Vec<u8>], out: &mut Vec<u8>, at: usize) -> Result<(), Foreign> {
        let parts = self.parts();
        let of_one_resource = parts.chunk_by(|a, b| a.resource == b.resource);
        let sized = of_one_resource.map(|parts| {
            // There is a resource for each number that `end_span` was given.
            let resource = resources.get(parts[0].resource as usize).map_or(&[][..], Vec::as_slice);
            let scopes: usize = parts.iter().map(|part| field_len(part.bytes)).sum();
            (resource, parts, field_len(resource.len()) + scopes)
        });
        let sized: Vec<_> = sized.collect();
        let total = sized.iter().map(|(_, _, bytes)| field_len(*bytes)).sum();
        check_size(total, self.room, at)?;
        out.reserve(total);
        for (resource, parts, bytes) in sized {
            put_header(out, 1, bytes);
            put_bytes(out, resource_spans::RESOURCE, resource);
            for part in parts {
                put_header(out, resource_spans::SCOPE_SPANS, part.bytes);
                put_text(out, scope_spans::SCOPE, &part.scope);
                part.spans.iter().for_each(|span| put_bytes(out, scope_spans::SPANS, span));
            }
        }
        Ok(())
    }

    /// One for each group, those of a resource together.
    fn parts(&self) -> Vec<Part<'_>> {
        let begin = |group: &Group<'_>| {
            let scope = scope_message(&group.scope);
            let bytes = if scope.is_empty() { 0 } else { field_len(scope.len()) };
            Part { resource: group.resource, scope, spans: Vec::new(), bytes }
        };
        let mut parts: Vec<Part<'_>> = self.groups.iter().map(begin).collect();
        let mut from = 0;
        for span in &self.written {
            let body = &self.bodies[from..span.end];
            from = span.end;
            let part = &mut parts[span.group as usize];
            part.bytes += field_len(body.len());
            part.spans.push(body);
        }
        parts.sort_by_key(|part| part.resource);
        parts
    }
}

fn check_size(bytes: usize, room: usize, at: usize) -> Result<(), Foreign> {
    if bytes <= room {
        return Ok(());
    }
    Err(Foreign::new(Fault::Room, at, format!("{bytes} bytes as OTLP"), format!("at most {room}")))
}

fn scope_message(scope: &Scope<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    put_text(&mut out, scope::NAME, text(scope.name).as_bytes());
    put_text(&mut out, scope::VERSION, text(scope.version).as_bytes());
    out
}

/// Bytes of a field with a number below 16 whose body takes so many.
fn field_len(body: usize) -> usize {
    1 + varint_len(body as u64) + body
}

/// What comes before the body of a message.
fn put_header(out: &mut Vec<u8>, field: u32, bytes: usize) {
    put_varint(out, u64::from(field) << 3 | 2);
    put_varint(out, bytes as u64);
}
