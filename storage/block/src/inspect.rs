//! A block explained: what each column takes and how it is kept.

use std::collections::BTreeSet;
use std::fmt;

use crate::columns::{Field, Table, ValueType};
use crate::directory::{DICTIONARY_GROUP, Mode};
use crate::error::Result;
use crate::meta::BlockMeta;
use crate::reader::Block;
use crate::reader::contents::Contents;
use crate::seq::SeqKind;

/// What a block holds and what it takes.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// What is known of the block.
    pub meta: BlockMeta,
    /// Row groups.
    pub groups: usize,
    /// Columns that have values, and those that are marks.
    pub columns: Vec<ColumnReport>,
    /// Bytes of the shapes of all tables.
    pub shape_bytes: u64,
    /// How many shapes the spans have.
    pub span_shapes: usize,
    /// Bytes of the trace ids.
    pub id_bytes: u64,
    /// Bytes of the filter.
    pub filter_bytes: u64,
    /// Bytes of header, directory, trailer and what fills up to 16 bytes.
    pub frame_bytes: u64,
}

/// What one column takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnReport {
    /// Its table.
    pub table: Table,
    /// Name of the field, or key of the attribute.
    pub name: String,
    /// Type of the attribute's values; `None` for a field.
    pub value_type: Option<ValueType>,
    /// How its values are kept.
    pub encodings: Vec<&'static str>,
    /// Values.
    pub values: u64,
    /// Entries of its dictionary.
    pub distinct: Option<u64>,
    /// Bytes.
    pub bytes: u64,
}

impl Block {
    /// What the block holds and what it takes, from the directory alone.
    pub fn inspect(&self) -> Result<Inspection> {
        let reader = self.reader()?;
        let block = reader.contents();
        let len = |section: u32| block.sections.places().get(section as usize).map_or(0, |place| place.len);
        let columns: Vec<ColumnReport> =
            (0..block.columns.len()).filter_map(|c| report(block, c, &len)).collect();
        let (shape_bytes, id_bytes, filter_bytes) =
            (block.shapes.iter().map(|&s| len(s)).sum::<u64>(), len(block.ids), len(block.filter));
        let known = columns.iter().map(|c| c.bytes).sum::<u64>() + shape_bytes + id_bytes + filter_bytes;
        let shapes = block.sections.archive::<crate::shape::ArchivedShapes>(block.shapes[0]);
        Ok(Inspection {
            meta: block.meta.clone(),
            groups: block.groups.len(),
            columns,
            shape_bytes,
            span_shapes: shapes.map_or(0, |shapes| crate::shape::ShapesView::new(shapes).len()),
            id_bytes,
            filter_bytes,
            frame_bytes: block.meta.file_bytes.saturating_sub(known),
        })
    }
}

fn report(block: &Contents, column: usize, len: &impl Fn(u32) -> u64) -> Option<ColumnReport> {
    let id = &block.columns[column];
    let chunks = block.chunks.iter().filter(|chunk| chunk.column as usize == column);
    let is_attribute = id.field == Field::Attribute as u8;
    let mut out = ColumnReport {
        table: id.table,
        name: if is_attribute { id.key.clone() } else { Field::name(id.field).to_owned() },
        value_type: is_attribute.then_some(id.value_type),
        encodings: Vec::new(),
        values: 0,
        distinct: None,
        bytes: 0,
    };
    let mut encodings = BTreeSet::new();
    for chunk in chunks {
        out.bytes += [chunk.seq.a, chunk.seq.b, chunk.pages, chunk.data].into_iter().map(len).sum::<u64>();
        if chunk.group == DICTIONARY_GROUP {
            out.distinct = Some(chunk.seq.len);
            continue;
        }
        if chunk.part > 0 {
            continue;
        }
        out.values += chunk.seq.len;
        encodings.insert(match (chunk.mode, chunk.seq.kind) {
            (Mode::ClassInts | Mode::ClassCodes, _) => "by class",
            (Mode::Plain, _) => "plain",
            (Mode::Templates, _) => "templates",
            (Mode::Codes, SeqKind::Const) => "dictionary, constant",
            (Mode::Codes, _) => "dictionary",
            (_, SeqKind::Const) => "constant",
            (_, SeqKind::Packed) => "packed",
            (_, SeqKind::Dict) => "packed dictionary",
        });
    }
    out.encodings = encodings.into_iter().collect();
    (out.values > 0 || (is_attribute && id.value_type == ValueType::Empty)).then_some(out)
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meta = &self.meta;
        let per_span = |bytes: u64| bytes as f64 / meta.spans.max(1) as f64;
        writeln!(f, "tenant {}, format version {}, level {}", meta.tenant, meta.version, meta.level)?;
        if let [first, .., last] | [first @ last] = &meta.replaces[..] {
            writeln!(f, "replaces {} blocks, {first} to {last}", meta.replaces.len())?;
        }
        writeln!(f, "{} spans in {} traces, {} row groups", meta.spans, meta.traces, self.groups)?;
        writeln!(
            f,
            "{} bytes ({:.1} a span) of {} raw ({:.1} a span)",
            meta.file_bytes,
            per_span(meta.file_bytes),
            meta.raw_bytes,
            per_span(meta.raw_bytes)
        )?;
        writeln!(f, "{:>10} {:>7} {:>10} {:>8}  column", "bytes", "a span", "values", "distinct")?;
        let mut columns: Vec<_> = self.columns.iter().collect();
        columns.sort_by_key(|column| std::cmp::Reverse(column.bytes));
        for column in columns {
            let distinct = column.distinct.map_or_else(String::new, |distinct| distinct.to_string());
            let value_type = column.value_type.map_or_else(String::new, |t| format!(" ({})", t.name()));
            writeln!(
                f,
                "{:>10} {:>7.2} {:>10} {:>8}  {}: {}{value_type}: {}",
                column.bytes,
                per_span(column.bytes),
                column.values,
                distinct,
                column.table.name(),
                column.name,
                column.encodings.join(" and ")
            )?;
        }
        for (name, bytes) in [
            ("shapes", self.shape_bytes),
            ("trace ids", self.id_bytes),
            ("filter", self.filter_bytes),
            ("header, directory, trailer, padding", self.frame_bytes),
        ] {
            writeln!(f, "{bytes:>10} {:>7.2} {:>10} {:>8}  {name}", per_span(bytes), "", "")?;
        }
        write!(f, "the spans have {} shapes", self.span_shapes)
    }
}
