//! A whole trace: its fragments joined, duplicates dropped, spans in order. `docs/TRACEQL.md`, section "The trace
//! that is judged".

use spanloom_span::{SpanId, TraceId};

use super::fragment::{Fragment, Identity, ParentId, ReadError};
use super::place::{NONE, Placed, Scratch};
use super::tree::Tree;
use crate::answer::ServiceStats;
use crate::ast::{Intrinsic, Scope};
use crate::plan::{FieldId, Origin, Plan};
use crate::value::Value;

/// A trace with all its spans, each once, numbered from 0 in the order of spans.
pub struct WholeTrace<'a, 'f> {
    id: TraceId,
    plan: &'a Plan,
    fragments: &'a mut [&'f mut (dyn Fragment + 'f)],
    scratch: &'a mut Scratch,
    dropped: bool,
    start: u64,
    end: u64,
    root: Option<u32>,
    tree_known: bool,
    root_known: bool,
}

impl<'a, 'f> WholeTrace<'a, 'f> {
    /// Joins fragments of a trace, given in the order of their arrival: of spans that agree in id and kind, the one
    /// in the first fragment stays.
    pub fn join(
        id: TraceId,
        plan: &'a Plan,
        fragments: &'a mut [&'f mut (dyn Fragment + 'f)],
        scratch: &'a mut Scratch,
    ) -> Result<Self, ReadError> {
        let dropped = scratch.place(fragments)?;
        let spans = &scratch.spans;
        let start = spans.first().map_or(0, |span| span.identity.start);
        let end = spans.iter().map(|span| span.identity.end()).max().unwrap_or(0);
        let root = spans.iter().position(|span| span.identity.parent == ParentId::Root).map(|at| at as u32);
        let (tree_known, root_known) = (false, false);
        Ok(Self { id, plan, fragments, scratch, dropped, start, end, root, tree_known, root_known })
    }

    /// Its id.
    pub fn id(&self) -> TraceId {
        self.id
    }

    /// The plan whose fields it answers.
    pub fn plan(&self) -> &'a Plan {
        self.plan
    }

    /// How many spans.
    #[inline]
    pub fn len(&self) -> u32 {
        self.scratch.spans.len() as u32
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.scratch.spans.is_empty()
    }

    /// How many fragments were joined.
    pub fn fragment_count(&self) -> usize {
        self.fragments.len()
    }

    /// Earliest start, nanoseconds since 1970.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Latest end, nanoseconds since 1970.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Nanoseconds.
    pub fn duration(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// The first root.
    pub fn root(&self) -> Option<u32> {
        self.root
    }

    /// Whether one of its spans overlaps a time, both ends included.
    pub fn overlaps(&self, start: u64, end: u64) -> bool {
        let overlaps = |span: &Placed| span.identity.start <= end && span.identity.end() >= start;
        self.scratch.spans.iter().any(overlaps)
    }

    /// What tells a span from others.
    #[inline]
    pub fn span(&self, span: u32) -> &Identity {
        &self.scratch.spans[span as usize].identity
    }

    /// A span's id.
    pub fn span_id(&self, span: u32) -> SpanId {
        SpanId(self.span(span).id.to_be_bytes())
    }

    /// The span that a fragment's span is in the whole trace; `None` when it is a duplicate of another.
    #[inline]
    pub fn whole_number(&self, fragment: usize, number: u32) -> Option<u32> {
        if self.scratch.whole.is_empty() {
            return (number < self.len()).then_some(number);
        }
        let begin = *self.scratch.begins.get(fragment)?;
        let whole = *self.scratch.whole.get(begin + number as usize)?;
        (whole != NONE).then_some(whole)
    }

    /// The fragment that a span lies in, and its number there.
    #[inline]
    pub fn place(&self, span: u32) -> (usize, u32) {
        let placed = &self.scratch.spans[span as usize];
        (placed.fragment as usize, placed.number)
    }

    /// Parents and children.
    pub fn tree(&mut self) -> &mut Tree {
        if !self.tree_known {
            let Scratch { spans, tree, .. } = &mut *self.scratch;
            tree.grow(spans.iter().map(|span| &span.identity));
            self.tree_known = true;
        }
        &mut self.scratch.tree
    }

    /// Shows the values that a field has in a span: each of them for fields of events and links, nil once when
    /// there is none.
    pub fn see(
        &mut self,
        span: u32,
        field: FieldId,
        see: &mut dyn FnMut(Value<'_>),
    ) -> Result<(), ReadError> {
        match self.plan.origin(field) {
            Origin::Local => self.see_local(span, field, see),
            Origin::Trace(intrinsic) => self.see_trace(span, intrinsic, see),
            Origin::Parent(of_parent) => match self.tree().parent(span) {
                Some(parent) => self.see_local(parent, of_parent, see),
                None => {
                    see(Value::Nil);
                    Ok(())
                }
            },
        }
    }

    #[inline]
    fn see_local(
        &mut self,
        span: u32,
        field: FieldId,
        see: &mut dyn FnMut(Value<'_>),
    ) -> Result<(), ReadError> {
        let (fragment, number) = self.place(span);
        self.fragments[fragment].see(number, field, see)
    }

    fn see_trace(
        &mut self,
        span: u32,
        field: Intrinsic,
        see: &mut dyn FnMut(Value<'_>),
    ) -> Result<(), ReadError> {
        see(match field {
            Intrinsic::TraceDuration => Value::Duration(i64::try_from(self.duration()).unwrap_or(i64::MAX)),
            Intrinsic::RootName => self.root_name()?.map_or(Value::Nil, Value::Text),
            Intrinsic::RootService => self.root_service()?.map_or(Value::Nil, Value::Text),
            Intrinsic::ChildCount => Value::Int(self.tree().child_count(span).into()),
            Intrinsic::NestedSetLeft => Value::Int(self.tree().nested_set(span).0),
            Intrinsic::NestedSetRight => Value::Int(self.tree().nested_set(span).1),
            Intrinsic::NestedSetParent => Value::Int(match self.span(span).parent {
                ParentId::Root => -1,
                _ => {
                    let tree = self.tree();
                    tree.parent(span).map_or(0, |parent| tree.nested_set(parent).0)
                }
            }),
            Intrinsic::Parent => {
                let Some(parent) = self.tree().parent(span) else {
                    see(Value::Nil);
                    return Ok(());
                };
                let id = self.span_id(parent).to_string();
                see(Value::Text(id.as_bytes()));
                return Ok(());
            }
            _ => Value::Nil,
        });
        Ok(())
    }

    /// Shows every attribute of a span and of its resource.
    pub fn attributes(
        &mut self,
        span: u32,
        see: &mut dyn FnMut(Scope, &[u8], Value<'_>),
    ) -> Result<(), ReadError> {
        let (fragment, number) = self.place(span);
        self.fragments[fragment].attributes(number, see)
    }

    /// A span's name.
    pub fn name(&mut self, span: u32, see: &mut dyn FnMut(&[u8])) -> Result<(), ReadError> {
        let (fragment, number) = self.place(span);
        self.fragments[fragment].name(number, see)
    }

    /// The root's name; `None` without a root.
    pub fn root_name(&mut self) -> Result<Option<&[u8]>, ReadError> {
        self.know_root()?;
        Ok(self.root.map(|_| &*self.scratch.root_name))
    }

    /// The `service.name` of the root's resource, empty when there is none; `None` without a root.
    pub fn root_service(&mut self) -> Result<Option<&[u8]>, ReadError> {
        self.know_root()?;
        Ok(self.root.map(|_| &*self.scratch.root_service))
    }

    fn know_root(&mut self) -> Result<(), ReadError> {
        let Some(root) = self.root.filter(|_| !self.root_known) else { return Ok(()) };
        let (fragment, number) = self.place(root);
        let Scratch { root_name, root_service, .. } = &mut *self.scratch;
        root_name.clear();
        root_service.clear();
        self.fragments[fragment].name(number, &mut |name| root_name.extend_from_slice(name))?;
        self.fragments[fragment].service(number, &mut |service| root_service.extend_from_slice(service))?;
        self.root_known = true;
        Ok(())
    }

    /// Spans by service, ascending by name.
    pub fn services(&mut self) -> Result<Vec<ServiceStats>, ReadError> {
        let mut found: Vec<ServiceStats> = Vec::new();
        let mut count = |service: &[u8], spans: u64, errors: u64| {
            if spans == 0 {
                return;
            }
            // A trace has few services; those of many are joined below.
            match found.iter_mut().rev().take(16).find(|known| known.service.as_bytes() == service) {
                Some(known) => {
                    known.spans += spans;
                    known.errors += errors;
                }
                None => {
                    let service = String::from_utf8_lossy(service).into_owned();
                    found.push(ServiceStats { service, spans, errors });
                }
            }
        };
        for (at, fragment) in self.fragments.iter_mut().enumerate() {
            let begin = self.scratch.begins[at];
            let end = self.scratch.begins.get(at + 1).copied().unwrap_or(self.scratch.whole.len());
            let keep: Option<Vec<bool>> = self
                .dropped
                .then(|| self.scratch.whole[begin..end].iter().map(|whole| *whole != NONE).collect());
            fragment.services(keep.as_deref(), &mut count)?;
        }
        found.sort_by(|left, right| left.service.cmp(&right.service));
        found.dedup_by(|next, kept| {
            let same = next.service == kept.service;
            if same {
                kept.spans += next.spans;
                kept.errors += next.errors;
            }
            same
        });
        Ok(found)
    }
}
