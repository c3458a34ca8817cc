//! The rows of a table in a row group in which an attribute or a field matches, or is there.

use crate::columns::{Field, ValueType};
use crate::directory::{Chunk, Mode};
use crate::error::{BlockError, OrDamaged, Result};
use crate::reader::table::TableReader;
use crate::search::bits::{Bits, Set};
use crate::search::column::{Dictionaries, Question, is_dear, matching, quick};
use crate::search::counters::Touched;
use crate::search::judge::{Fate, Form, Judge};
use crate::search::rows::{Rows, extract};
use crate::search::source::{Named, Source};
use crate::seq::SeqView;
use spanloom_traceql::value::Value;

/// What a search remembers of a block from one row group to the next.
#[derive(Default)]
pub(crate) struct Memory {
    pub dictionaries: Dictionaries,
    pub touched: Touched,
}

/// What is known of a class, or of a condition over the rows of a class: bits [`MAY`] and [`MUST`].
pub(crate) type Known = u8;
/// It holds for some of the rows, perhaps.
pub(crate) const MAY: Known = 1;
/// It holds for all of them.
pub(crate) const MUST: Known = 2;

/// From yes or no.
pub(crate) fn known(holds: bool) -> Known {
    if holds { MAY | MUST } else { 0 }
}

/// Whether the source's value of some row can only be found by going through the row's items.
fn is_walked(rows: &mut Rows<'_>, source: &Source) -> Result<bool> {
    if source.is_in_overflow(rows.block, rows.group)? {
        return Ok(true);
    }
    let several = rows.label_table(|shape| Ok(source.named(shape)? == Named::Several))?;
    Ok(match rows.classes() {
        Some(_) => several.contains(&1),
        None => several.contains(&1) && !rows.labels.rows_where(&several)?.is_none(),
    })
}

/// The rows in which the attribute matches. Of rows that are not wanted nothing is said.
pub(crate) fn matching_rows(
    rows: &mut Rows<'_>,
    source: &Source,
    number: u32,
    judge: &Judge,
    memory: &mut Memory,
    wanted: Option<&Set>,
) -> Result<Set> {
    if is_walked(rows, source)? {
        return walk(rows, source, |value| value != Value::Nil && judge.value(value));
    }
    let mut found = Set::None;
    for (place, &(column, value_type)) in source.columns.iter().enumerate() {
        let ask = Question { number, form: Form::Attribute(value_type), judge };
        let of_column = match judge.fate(ask.form) {
            Fate::Never => continue,
            Fate::Always => named_rows(rows, source, place)?,
            Fate::Depends => {
                let Some(chunk) = rows.block.chunk(rows.global(column), rows.group) else { continue };
                let chunk = *chunk;
                column_rows(rows, column, &chunk, ask, memory, wanted)?
            }
        };
        found = found.or(of_column);
    }
    Ok(found)
}

/// The rows in which the attribute is there and not nil.
pub(crate) fn present_rows(rows: &mut Rows<'_>, source: &Source) -> Result<Set> {
    if is_walked(rows, source)? {
        return walk(rows, source, |value| value != Value::Nil);
    }
    let table = rows.label_table(|shape| {
        Ok(match source.named(shape)? {
            Named::One(place) => source.columns[place].1 != ValueType::Empty,
            _ => false,
        })
    })?;
    rows.labels.rows_where(&table)
}

fn named_rows(rows: &mut Rows<'_>, source: &Source, place: usize) -> Result<Set> {
    let table = rows.label_table(|shape| Ok(source.named(shape)? == Named::One(place)))?;
    rows.labels.rows_where(&table)
}

/// The rows in which a column that no shape names twice matches.
pub(crate) fn column_rows(
    rows: &mut Rows<'_>,
    column: u32,
    chunk: &Chunk,
    ask: Question<'_>,
    memory: &mut Memory,
    wanted: Option<&Set>,
) -> Result<Set> {
    let Memory { dictionaries, touched } = memory;
    if chunk.mode.is_by_class() {
        let classes = rows.classes().or_damaged("a column is by class where there are no classes")?;
        let values = matching(rows.block, chunk, ask, dictionaries, touched, None)?;
        let mut table = rows.names(column)?;
        let fits = matches!(values, Set::None | Set::All) || chunk.seq.len == classes as u64;
        fits.then_some(()).or_damaged("a column has another count of values than there are classes")?;
        table.iter_mut().enumerate().for_each(|(class, entry)| *entry &= u8::from(values.has(class)));
        return rows.labels.rows_where(&table);
    }
    if SeqView::open_constant(&chunk.seq).is_some() && matches!(chunk.mode, Mode::Plain | Mode::Templates) {
        // A damaged block may claim any number of texts that take no room.
        rows.fits(column, chunk.seq.len)?;
    }
    let values = match wanted {
        Some(Set::Some(wanted)) if is_dear(chunk, ask.form, ask.judge) => {
            let presence = rows.presence(column)?;
            let kept = match &*presence {
                Set::Some(present) => Some(extract(wanted, present)),
                _ => None,
            };
            let kept = kept.as_ref().unwrap_or(wanted);
            matching(rows.block, chunk, ask, dictionaries, touched, Some(&|at| kept.has(at)))?
        }
        _ => matching(rows.block, chunk, ask, dictionaries, touched, None)?,
    };
    rows.place(column, values)
}

/// The rows in which a field that every row has matches.
pub(crate) fn dense_rows(
    rows: &mut Rows<'_>,
    field: Field,
    ask: Question<'_>,
    memory: &mut Memory,
    wanted: Option<&Set>,
) -> Result<Set> {
    match ask.judge.fate(ask.form) {
        Fate::Never => return Ok(Set::None),
        Fate::Always => return Ok(Set::All),
        Fate::Depends => {}
    }
    let column = rows.field(field).or_damaged("a field has no column")?;
    let chunk = rows.block.chunk(rows.global(column), rows.group);
    let chunk = *chunk.or_damaged("a field that every row has has no values")?;
    let Memory { dictionaries, touched } = memory;
    if chunk.mode.is_by_class() {
        let values = matching(rows.block, &chunk, ask, dictionaries, touched, None)?;
        let classes = rows.classes().or_damaged("a column is by class where there are no classes")?;
        let table: Vec<u8> = (0..classes).map(|class| u8::from(values.has(class))).collect();
        return rows.labels.rows_where(&table);
    }
    let keep = |at: usize| wanted.is_none_or(|wanted| wanted.has(at));
    if chunk.seq.len != rows.len() as u64 {
        return Err(BlockError::Damaged("a column has another count of values than its rows name"));
    }
    matching(rows.block, &chunk, ask, dictionaries, touched, Some(&keep))
}

/// Goes through the items of each row.
fn walk(rows: &Rows<'_>, source: &Source, mut holds: impl FnMut(Value<'_>) -> bool) -> Result<Set> {
    let reader = TableReader::open(rows.block, rows.table, rows.group)?;
    let mut reader = reader.or_damaged("a row group has no rows")?;
    let mut out = Bits::none(rows.len());
    for row in 0..rows.len() {
        let (_, items) = reader.next_row()?;
        source.take(&mut reader, items, |value| {
            if holds(value) {
                out.set(row);
            }
        })?;
    }
    Ok(Set::Some(out).tidy())
}

/// What is known of each class as to whether the attribute matches.
pub(crate) fn known_of_attribute(
    rows: &mut Rows<'_>,
    source: &Source,
    number: u32,
    judge: &Judge,
    memory: &mut Memory,
) -> Result<Vec<Known>> {
    let in_overflow = source.is_in_overflow(rows.block, rows.group)?;
    let mut of_columns = Vec::with_capacity(source.columns.len());
    for &(column, value_type) in &source.columns {
        let ask = Question { number, form: Form::Attribute(value_type), judge };
        of_columns.push(known_of_column(rows, column, ask, memory)?);
    }
    known_by_shape(rows, |class, shape| {
        Ok(match source.named(shape)? {
            _ if in_overflow => MAY,
            Named::None => 0,
            Named::Several => MAY,
            Named::One(place) => of_columns[place].of(class),
        })
    })
}

/// What is known of each class as to whether the attribute is there.
pub(crate) fn known_of_presence(rows: &Rows<'_>, source: &Source) -> Result<Vec<Known>> {
    let in_overflow = source.is_in_overflow(rows.block, rows.group)?;
    known_by_shape(rows, |_, shape| {
        Ok(match source.named(shape)? {
            _ if in_overflow => MAY,
            Named::None => 0,
            Named::Several => MAY,
            Named::One(place) => known(source.columns[place].1 != ValueType::Empty),
        })
    })
}

/// What is known of each class by its number and shape; where there are no classes, of all rows as one.
pub(crate) fn known_by_shape(
    rows: &Rows<'_>,
    mut of: impl FnMut(usize, u32) -> Result<Known>,
) -> Result<Vec<Known>> {
    if let Some(classes) = rows.classes() {
        return (0..classes).map(|class| of(class, rows.shape_of(class as u32)?)).collect();
    }
    let (mut all, mut one) = (MAY | MUST, 0);
    for shape in 0..rows.shapes() {
        let known = of(0, shape)?;
        all &= known;
        one |= known;
    }
    Ok(vec![all & MUST | one & MAY])
}

/// What is known of a column's values.
pub(crate) enum KnownColumn {
    /// The same of all.
    Same(Known),
    /// By class.
    ByClass(Set),
}

impl KnownColumn {
    /// What is known of a class whose shape names the column.
    pub fn of(&self, class: usize) -> Known {
        match self {
            Self::Same(known) => *known,
            Self::ByClass(values) => known(values.has(class)),
        }
    }
}

/// What is known of a column's values without looking at those of single rows.
pub(crate) fn known_of_column(
    rows: &Rows<'_>,
    column: u32,
    ask: Question<'_>,
    memory: &mut Memory,
) -> Result<KnownColumn> {
    let same = |holds: bool| Ok(KnownColumn::Same(known(holds)));
    match ask.judge.fate(ask.form) {
        Fate::Never => return same(false),
        Fate::Always => return same(true),
        Fate::Depends => {}
    }
    let Memory { dictionaries, touched } = memory;
    let Some(chunk) = rows.block.chunk(rows.global(column), rows.group) else { return same(false) };
    if chunk.mode.is_by_class() {
        let values = matching(rows.block, chunk, ask, dictionaries, touched, None)?;
        return Ok(KnownColumn::ByClass(values));
    }
    match quick(rows.block, chunk, ask, dictionaries, touched)? {
        Some(holds) => same(holds),
        None => Ok(KnownColumn::Same(MAY)),
    }
}
