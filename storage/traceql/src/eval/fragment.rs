//! What a source (a block, live requests) must tell of its part of a trace.

use crate::ast::Scope;
use crate::plan::FieldId;
use crate::value::Value;

/// A source could not be read.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ReadError(pub Box<dyn std::error::Error + Send + Sync>);

/// The parent of a span as its source knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParentId {
    /// None: the span is a root.
    Root,
    /// A span id, as a big-endian integer.
    Id(u64),
    /// An id that is no span id, so that no span can have it.
    Other,
}

/// What tells a span from others and puts it in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The span id, as a big-endian integer.
    pub id: u64,
    /// OTLP's code.
    pub kind: i32,
    /// Its parent.
    pub parent: ParentId,
    /// Nanoseconds since 1970.
    pub start: u64,
    /// Nanoseconds; 0 when the span ends before it starts.
    pub duration: u64,
}

/// The spans of one trace that one source holds, in order of arrival, numbered from 0.
pub trait Fragment {
    /// How many spans.
    fn len(&self) -> u32;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends what tells each span from the others, in order.
    fn identities(&mut self, out: &mut Vec<Identity>) -> Result<(), ReadError>;

    /// Whether no two spans of the fragment share an id, if the source knows; `None` when it would have to look.
    /// A source that knows, either way, has no two spans that agree in id and kind; of others' they are looked for,
    /// and the first one stays.
    fn ids_are_distinct(&self) -> Option<bool> {
        None
    }

    /// Shows the values that a field of the plan has in a span: each of them for fields of events and links, nil
    /// once when there is none. Fields that need the whole trace (`rootName`, `rootServiceName`, `traceDuration`,
    /// nested sets, `span:childCount`, `parent` and `parent.` attributes) are never asked for.
    fn see(&mut self, span: u32, field: FieldId, see: &mut dyn FnMut(Value<'_>)) -> Result<(), ReadError>;

    /// Shows every attribute of the span ([`Scope::Span`]) and of its resource ([`Scope::Resource`]): key and value.
    /// Of a key that one of them has twice, the first alone.
    fn attributes(
        &mut self,
        span: u32,
        see: &mut dyn FnMut(Scope, &[u8], Value<'_>),
    ) -> Result<(), ReadError>;

    /// The span's name.
    fn name(&mut self, span: u32, see: &mut dyn FnMut(&[u8])) -> Result<(), ReadError>;

    /// The `service.name` of the span's resource; empty when it has none or it is no string.
    fn service(&mut self, span: u32, see: &mut dyn FnMut(&[u8])) -> Result<(), ReadError>;

    /// Counts spans by service: calls `see` with a service's name, spans and spans with status error. A service may
    /// be shown several times. `keep` says which spans count; `None` is all.
    fn services(
        &mut self,
        keep: Option<&[bool]>,
        see: &mut dyn FnMut(&[u8], u64, u64),
    ) -> Result<(), ReadError>;
}
