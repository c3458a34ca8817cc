//! The fields of a query, numbered, and where their values come from.

use std::collections::HashMap;

use super::FieldId;
use crate::MAX_FIELDS;
use crate::ast::{Attribute, Field, Intrinsic, Scope};
use crate::names;
use crate::plan::PlanError;

/// Where the value of a field comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The span, its resource, scope, events and links: whoever has the span can tell.
    Local,
    /// Another field of the span's parent.
    Parent(FieldId),
    /// The whole trace.
    Trace(Intrinsic),
}

/// Fields in the order of their first mention, each once.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields {
    pub fields: Vec<Field>,
    pub origins: Vec<Origin>,
    by_name: HashMap<String, FieldId>,
}

impl Fields {
    /// The number of a field; a new one if it was not mentioned before.
    pub fn number(&mut self, field: &Field) -> Result<FieldId, PlanError> {
        let name = field.to_string();
        if let Some(known) = self.by_name.get(&name) {
            return Ok(*known);
        }
        if self.fields.len() >= MAX_FIELDS {
            let reason = format!("the query mentions more than {MAX_FIELDS} fields");
            return Err(PlanError { part: name, reason });
        }
        let id = self.fields.len() as u16;
        self.by_name.insert(name, FieldId(id));
        self.fields.push(field.clone());
        self.origins.push(Origin::Local);
        let origin = match field {
            Field::Attribute(Attribute { parent: true, scope, name }) => {
                let of_parent = Attribute { parent: false, scope: *scope, name: name.clone() };
                Origin::Parent(self.number(&Field::Attribute(of_parent))?)
            }
            Field::Intrinsic(intrinsic) if needs_trace(*intrinsic) => Origin::Trace(*intrinsic),
            _ => Origin::Local,
        };
        self.origins[usize::from(id)] = origin;
        Ok(FieldId(id))
    }
}

fn needs_trace(intrinsic: Intrinsic) -> bool {
    use Intrinsic::{ChildCount, NestedSetLeft, NestedSetParent, NestedSetRight};
    use Intrinsic::{Parent, RootName, RootService, TraceDuration};
    matches!(
        intrinsic,
        ChildCount
            | NestedSetLeft
            | NestedSetParent
            | NestedSetRight
            | Parent
            | RootName
            | RootService
            | TraceDuration
    )
}

/// Whether a field has at most one value in a span: it is no field of events or links, and cannot be found there.
pub(super) fn is_single(field: &Field) -> bool {
    match field {
        Field::Attribute(attribute) => {
            matches!(attribute.scope, Some(Scope::Span | Scope::Resource | Scope::Instrumentation))
        }
        Field::Intrinsic(intrinsic) => !matches!(
            intrinsic,
            Intrinsic::EventName
                | Intrinsic::EventTimeSinceStart
                | Intrinsic::LinkTraceId
                | Intrinsic::LinkSpanId
        ),
    }
}

/// Whether a field is shown with the spans of an answer; the others stand elsewhere in it.
pub(super) fn is_shown(field: &Field) -> bool {
    use Intrinsic::{Duration, Name, RootName, RootService, SpanId, TraceDuration, TraceId};
    !matches!(
        field,
        Field::Intrinsic(Name | Duration | SpanId | TraceDuration | RootName | RootService | TraceId)
    )
}

/// What a field is called where a span is shown: the attribute's name without scope, or the intrinsic's name.
pub(super) fn key_of(field: &Field) -> &str {
    match field {
        Field::Attribute(attribute) => &attribute.name,
        Field::Intrinsic(intrinsic) => {
            let mut known = names::WORD_INTRINSICS.iter().chain(names::SCOPED_INTRINSICS);
            known.find(|(_, known)| known == intrinsic).map_or("", |(name, _)| name)
        }
    }
}
