//! What every span, event, link or scope has.

use spanloom_traceql::ast::Intrinsic;
use spanloom_traceql::value::Value;

use crate::columns::{Field, Table, ValueType};
use crate::error::{BlockError, OrDamaged, Result};
use crate::reader::contents::Contents;
use crate::search::lookup::rows::SlotId;
use crate::search::lookup::{Found, Lookup, NOWHERE, OfTrace, OpenGroup, SpanRow};

impl Lookup<'_> {
    pub(super) fn decided_intrinsic(&mut self, at: SpanRow, intrinsic: Intrinsic) -> Result<Found> {
        let key = self.group(at.group)?.spans.key(at.row)?;
        let head = self.head(at.group, key)?;
        Ok(match intrinsic {
            Intrinsic::Kind => Found::Kind(head.kind),
            Intrinsic::Status => Found::Status(head.status),
            Intrinsic::EventName | Intrinsic::EventTimeSinceStart if !head.has_events => Found::Nil,
            Intrinsic::LinkTraceId | Intrinsic::LinkSpanId if !head.has_links => Found::Nil,
            Intrinsic::Name | Intrinsic::StatusMessage => {
                let found = self.text_of_span(at, intrinsic)?;
                let is_decided = match found {
                    Found::Value { slot, .. } => self.group(at.group)?.spans.is_by_class(slot),
                    _ => true,
                };
                if is_decided { found } else { Found::ByRow }
            }
            Intrinsic::InstrumentationName | Intrinsic::InstrumentationVersion => {
                let (scope, is_decided) = self.scope(at)?;
                if is_decided { self.text_of_scope(scope, intrinsic)? } else { Found::ByRow }
            }
            _ => Found::ByRow,
        })
    }

    pub(super) fn text_of_span(&mut self, at: SpanRow, intrinsic: Intrinsic) -> Result<Found> {
        let base = self.block.table_columns(Table::Spans).start;
        let message = self.block.field_column(Table::Spans, Field::StatusMessage);
        let spans = &mut self.group(at.group)?.spans;
        let (slot, place) = if intrinsic == Intrinsic::Name {
            let slot = spans.field(Field::Name)?;
            (slot, spans.dense(slot, at.row)?)
        } else {
            let key = spans.key(at.row)?;
            let (_, items) = spans.items(spans.shape_of(key)?)?;
            let column = message.map_or(NOWHERE, |column| column - base);
            if !items.iter().any(|item| item.to_native() == column) {
                return Ok(Found::Empty);
            }
            let slot = spans.slot(column)?;
            (slot, spans.place(slot, at.row)?)
        };
        Ok(Found::Value { table: Table::Spans, value_type: ValueType::Str, slot, at: place })
    }

    pub(super) fn text_of_scope(&mut self, scope: u64, intrinsic: Intrinsic) -> Result<Found> {
        let field = if intrinsic == Intrinsic::InstrumentationName { Field::Name } else { Field::Version };
        let scopes = self.scopes.as_mut().or_damaged("there are no scopes")?;
        let slot = scopes.field(field)?;
        Ok(Found::Value { table: Table::Scopes, value_type: ValueType::Str, slot, at: scope })
    }

    pub(super) fn see_intrinsic(
        &mut self,
        at: SpanRow,
        of: OfTrace<'_>,
        intrinsic: Intrinsic,
        see: &mut dyn FnMut(Value<'_>),
    ) -> Result<()> {
        match intrinsic {
            Intrinsic::Duration => {
                let nanos = self.dense(at, Field::Duration)?;
                see(Value::Duration(i64::try_from(nanos).unwrap_or(i64::MAX)));
            }
            Intrinsic::TraceId => see_hex(of.id, &mut self.scratch, see),
            Intrinsic::SpanId => {
                let id = self.dense(at, Field::SpanId)?;
                see_hex(&id.to_be_bytes(), &mut self.scratch, see);
            }
            Intrinsic::ParentId => return self.see_parent_id(at, of, see),
            Intrinsic::EventName | Intrinsic::EventTimeSinceStart => {
                return self.see_children(at, Table::Events, intrinsic, see);
            }
            Intrinsic::LinkTraceId | Intrinsic::LinkSpanId => {
                return self.see_children(at, Table::Links, intrinsic, see);
            }
            Intrinsic::Name | Intrinsic::StatusMessage => {
                let found = self.text_of_span(at, intrinsic)?;
                return self.show(at.group, found, see);
            }
            Intrinsic::InstrumentationName | Intrinsic::InstrumentationVersion => {
                let (scope, _) = self.scope(at)?;
                let found = self.text_of_scope(scope, intrinsic)?;
                return self.show(at.group, found, see);
            }
            Intrinsic::Kind | Intrinsic::Status => {
                let found = self.decided_intrinsic(at, intrinsic)?;
                return self.show(at.group, found, see);
            }
            _ => see(Value::Nil),
        }
        Ok(())
    }

    pub(super) fn dense(&mut self, at: SpanRow, field: Field) -> Result<u64> {
        let spans = &mut self.group(at.group)?.spans;
        let slot = spans.field(field)?;
        let place = spans.dense(slot, at.row)?;
        spans.int(slot, place)
    }

    pub(super) fn see_children(
        &mut self,
        at: SpanRow,
        table: Table,
        intrinsic: Intrinsic,
        see: &mut dyn FnMut(Value<'_>),
    ) -> Result<()> {
        let children = self.children(at, table)?;
        if children.is_empty() {
            see(Value::Nil);
            return Ok(());
        }
        let field = match intrinsic {
            Intrinsic::EventName => Field::Name,
            Intrinsic::EventTimeSinceStart => Field::Time,
            Intrinsic::LinkTraceId => Field::LinkTraceId,
            _ => Field::LinkSpanId,
        };
        let mut scratch = std::mem::take(&mut self.scratch);
        let rows = self.rows(table, at.group)?;
        let slot = rows.field(field)?;
        for row in children {
            if field == Field::Time {
                see(Value::Duration(rows.int(slot, row)? as i64));
                continue;
            }
            let bytes = rows.bytes(slot, row)?;
            if field == Field::Name { see(Value::Text(bytes)) } else { see_hex(bytes, &mut scratch, see) }
        }
        self.scratch = scratch;
        Ok(())
    }

    pub(super) fn see_parent_id(
        &mut self,
        at: SpanRow,
        of: OfTrace<'_>,
        see: &mut dyn FnMut(Value<'_>),
    ) -> Result<()> {
        let block = self.block;
        if let Some((slot, place)) = self.group(at.group)?.parent_bytes(at.row, block)? {
            let mut scratch = std::mem::take(&mut self.scratch);
            let bytes = self.group(at.group)?.spans.bytes(slot, place)?;
            if is_zero(bytes) {
                see(Value::Nil)
            } else {
                see_hex(bytes, &mut scratch, see)
            }
            self.scratch = scratch;
            return Ok(());
        }
        match self.parent(at, of)? {
            Some(id) if id != 0 => see_hex(&id.to_be_bytes(), &mut self.scratch, see),
            _ => see(Value::Nil),
        }
        Ok(())
    }

    /// The id of a span's parent, where it is a span id.
    pub(super) fn parent(&mut self, at: SpanRow, of: OfTrace<'_>) -> Result<Option<u64>> {
        let code = self.dense(at, Field::Parent)?;
        if code == 0 {
            return Ok(None);
        }
        if code.is_multiple_of(2) {
            let orphan = self
                .block
                .trace_column(Field::FirstOrphan)?
                .get(of.place)?
                .checked_add((code - 2) / 2)
                .or_damaged("an orphan is out of range")?;
            return self.block.orphan(orphan).map(Some);
        }
        let row = self.group(at.group)?.first_row + at.row;
        let parent = parent_row(row, code).filter(|&parent| parent >= of.first_row);
        let parent = parent.or_damaged("a parent lies outside of its trace")?;
        let (group, rows) = self.block.group_of(parent).or_damaged("a parent lies outside of its trace")?;
        if parent >= rows.end {
            return Err(BlockError::Damaged("a parent lies outside of its trace"));
        }
        self.dense(SpanRow { group, row: parent - rows.start }, Field::SpanId).map(Some)
    }
}

impl OpenGroup<'_> {
    /// Where the parent id of a row lies that is no span id, if it has one.
    pub fn parent_bytes(&mut self, row: u64, block: &Contents) -> Result<Option<(SlotId, u64)>> {
        let Some(column) = block.field_column(Table::Spans, Field::ParentBytes) else { return Ok(None) };
        if block.chunks_of(column).is_empty() {
            return Ok(None);
        }
        let column = column - block.table_columns(Table::Spans).start;
        let key = self.spans.key(row)?;
        let (_, items) = self.spans.items(self.spans.shape_of(key)?)?;
        if !items.iter().any(|item| item.to_native() == column) {
            return Ok(None);
        }
        let slot = self.spans.slot(column)?;
        Ok(Some((slot, self.spans.place(slot, row)?)))
    }
}

/// The row of a parent that lies in the trace, from the code that its child keeps.
pub(crate) fn parent_row(row: u64, code: u64) -> Option<u64> {
    let row = i64::try_from(row).ok()?.checked_sub(crate::columns::unzigzag((code - 1) / 2))?;
    u64::try_from(row).ok()
}

/// Shows bytes as lower-case hexadecimal digits.
fn see_hex(bytes: &[u8], scratch: &mut Vec<u8>, see: &mut dyn FnMut(Value<'_>)) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    scratch.clear();
    for byte in bytes {
        scratch.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    see(Value::Text(scratch));
}

/// Whether a parent id is that of a root.
pub(crate) fn is_zero(id: &[u8]) -> bool {
    id.iter().all(|&byte| byte == 0)
}
