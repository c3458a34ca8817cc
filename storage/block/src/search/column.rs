//! Which values of a column in a row group match. Codes and integers are compared as they are packed; a dictionary is
//! read once for each question, however many row groups refer to it; texts are compared by length before a page is
//! inflated, and by their numbers where they are kept as templates.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use crate::columns::Storage;
use crate::directory::{Chunk, DICTIONARY_GROUP, Mode};
use crate::error::{BlockError, OrDamaged, Result};
use crate::reader::column::{ColumnReader, TemplatesView};
use crate::reader::contents::Contents;
use crate::search::bits::{Bits, Set};
use crate::search::counters::Touched;
use crate::search::judge::{Fate, Form, Judge};
use crate::seq::SeqView;
use crate::store::{StoreKind, StoreView};
use crate::template::{MAX_NUMBERS, Parsed, fill, parse};

/// Most values that a column may have in a row group, and most entries of a dictionary: more than fit into what a
/// row group or dictionary may take. A damaged block may claim more where they are all equal.
pub(crate) const MAX_VALUES: u64 = 1 << 24;

/// A question to a column: number of the judge (equal ones share what is remembered), how values are shown, and the
/// judge.
#[derive(Clone, Copy)]
pub(crate) struct Question<'q> {
    pub number: u32,
    pub form: Form,
    pub judge: &'q Judge,
}

/// Which entries of a dictionary match.
enum Entries {
    None,
    All,
    /// This one alone.
    One(u64),
    /// A byte for each entry, not 0 where it matches.
    Some(Vec<u8>),
}

/// What is remembered of a block's dictionaries, by column and judge.
#[derive(Default)]
pub(crate) struct Dictionaries(HashMap<(u32, u32), Entries, foldhash::fast::RandomState>);

impl Dictionaries {
    fn entries(
        &mut self,
        block: &Contents,
        column: u32,
        ask: Question<'_>,
        touched: &mut Touched,
    ) -> Result<&Entries> {
        match self.0.entry((column, ask.number)) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(new) => {
                let chunk = block.chunk(column, DICTIONARY_GROUP);
                let chunk = chunk.or_damaged("a column has codes and no dictionary")?;
                touched.chunk(block, chunk);
                Ok(new.insert(matching_entries(block, chunk, ask)?))
            }
        }
    }
}

fn matching_entries(block: &Contents, chunk: &Chunk, ask: Question<'_>) -> Result<Entries> {
    if chunk.mode != Mode::Dictionary || chunk.seq.len > MAX_VALUES {
        return Err(BlockError::Damaged("a dictionary is none"));
    }
    let mut store = StoreView::open(&block.sections, StoreKind::Dictionary, &chunk.store())?;
    let mut found = Vec::new();
    let mut table = Vec::new();
    each_text(&mut store, ask, |_| true, |at| found.push(at))?;
    let is_out = ask.judge.texts(ask.form).is_some_and(|(_, is_out)| is_out);
    Ok(match (&found[..], is_out) {
        ([], false) => Entries::None,
        ([], true) => Entries::All,
        ([one], false) => Entries::One(*one),
        (found, is_out) => {
            table.resize(store.len() as usize, u8::from(is_out));
            for &at in found {
                if let Some(entry) = table.get_mut(at as usize) {
                    *entry = u8::from(!is_out);
                }
            }
            Entries::Some(table)
        }
    })
}

/// Shows the numbers of the values that match; where all but some texts match, of those that do not.
fn each_text(
    store: &mut StoreView<'_>,
    ask: Question<'_>,
    mut wanted: impl FnMut(u64) -> bool,
    mut see: impl FnMut(u64),
) -> Result<()> {
    let Question { form, judge, .. } = ask;
    let Some((texts, _)) = judge.texts(form) else {
        return store.visit(
            |at, _| wanted(at),
            |at, bytes| {
                if judge.bytes(form, bytes) {
                    see(at);
                }
            },
        );
    };
    store.visit(
        |at, len| texts.iter().any(|text| text.len() == len) && wanted(at),
        |at, bytes| {
            if texts.iter().any(|text| **text == *bytes) {
                see(at);
            }
        },
    )
}

/// Chooses values by their numbers.
pub(crate) type Wanted<'w> = dyn Fn(usize) -> bool + 'w;

/// The values of a chunk that match; of those that are not wanted nothing is said.
pub(crate) fn matching(
    block: &Contents,
    chunk: &Chunk,
    ask: Question<'_>,
    dictionaries: &mut Dictionaries,
    touched: &mut Touched,
    wanted: Option<&Wanted<'_>>,
) -> Result<Set> {
    if chunk.seq.len > MAX_VALUES {
        return Err(BlockError::Damaged("a column has more values than a row group can have"));
    }
    match ask.judge.fate(ask.form) {
        Fate::Never => return Ok(Set::None),
        Fate::Always => return Ok(Set::All),
        Fate::Depends => {}
    }
    if let Some(known) = quick(block, chunk, ask, dictionaries, touched)? {
        return Ok(Set::of(known));
    }
    block.parts(chunk.column, chunk.group).iter().for_each(|part| touched.chunk(block, part));
    let keep = |at: u64| wanted.is_none_or(|wanted| wanted(at as usize));
    Ok(match ColumnReader::of_chunk(block, chunk)? {
        ColumnReader::Marker => Set::None,
        ColumnReader::Ints(values) => ints(values, ask)?,
        ColumnReader::Codes { codes, .. } => {
            coded(codes, dictionaries.entries(block, chunk.column, ask, touched)?)?
        }
        ColumnReader::Plain(mut values) => {
            let mut out = Bits::none(chunk.seq.len as usize);
            each_text(&mut values, ask, keep, |at| out.set(at as usize))?;
            inverted(Set::Some(out).tidy(), ask)
        }
        ColumnReader::Templates(mut values) => match by_numbers(&mut values, ask)? {
            Some(found) => inverted(found, ask),
            None => by_text(&mut values, ask, keep)?,
        },
    })
}

/// Whether all values of a chunk match or none does, if that is known without looking at each.
pub(crate) fn quick(
    block: &Contents,
    chunk: &Chunk,
    ask: Question<'_>,
    dictionaries: &mut Dictionaries,
    touched: &mut Touched,
) -> Result<Option<bool>> {
    let id = block.columns.get(chunk.column as usize).or_damaged("there is no such column")?;
    let constant = match SeqView::open_constant(&chunk.seq) {
        Some(value) if chunk.seq.len > 0 => Some(value),
        _ => None,
    };
    Ok(match (chunk.mode, id.storage()) {
        (Mode::Codes | Mode::ClassCodes, Storage::Bytes) => {
            match (dictionaries.entries(block, chunk.column, ask, touched)?, constant) {
                (Entries::None, _) => Some(false),
                (Entries::All, _) => Some(true),
                (entries, Some(code)) => Some(entries.has(code)?),
                _ => None,
            }
        }
        (Mode::Ints | Mode::ClassInts, Storage::Ints) => constant.map(|value| ask.judge.int(ask.form, value)),
        _ => None,
    })
}

/// Whether looking at the values of a chunk is dear: each text is made and matched.
pub(crate) fn is_dear(chunk: &Chunk, form: Form, judge: &Judge) -> bool {
    match chunk.mode {
        Mode::Plain | Mode::Templates => judge.fate(form) == Fate::Depends && judge.texts(form).is_none(),
        _ => false,
    }
}

impl Entries {
    fn has(&self, code: u64) -> Result<bool> {
        Ok(match self {
            Self::None => false,
            Self::All => true,
            Self::One(one) => *one == code,
            Self::Some(table) => {
                let entry = usize::try_from(code).ok().and_then(|code| table.get(code));
                *entry.or_damaged("a code names no entry of its dictionary")? != 0
            }
        })
    }
}

fn inverted(found: Set, ask: Question<'_>) -> Set {
    match ask.judge.texts(ask.form) {
        Some((_, true)) => found.not(),
        _ => found,
    }
}

fn coded(codes: SeqView<'_>, entries: &Entries) -> Result<Set> {
    let mut out = Bits::none(codes.len() as usize);
    match (codes, entries) {
        (_, Entries::None) => return Ok(Set::None),
        (_, Entries::All) => return Ok(Set::All),
        (SeqView::Const { value, .. }, entries) => return Ok(Set::of(entries.has(value)?)),
        (SeqView::Packed(codes), Entries::One(code)) => codes.select(*code, *code, &mut out),
        (SeqView::Packed(codes), Entries::Some(table)) => codes.select_in(table, &mut out),
        (codes @ SeqView::Dict { .. }, entries) => {
            for at in 0..codes.len() {
                if entries.has(codes.get(at)?)? {
                    out.set(at as usize);
                }
            }
            Some(())
        }
    }
    .or_damaged("a code names no entry of its dictionary")?;
    Ok(Set::Some(out).tidy())
}

fn ints(values: SeqView<'_>, ask: Question<'_>) -> Result<Set> {
    let Question { form, judge, .. } = ask;
    let mut out = Bits::none(values.len() as usize);
    match values {
        SeqView::Const { value, .. } => return Ok(Set::of(judge.int(form, value))),
        SeqView::Packed(values) => match judge.ranges(form) {
            Some(ranges) => ranges.iter().try_for_each(|&(low, high)| values.select(low, high, &mut out)),
            None => values.runs(|first, run| {
                let holds =
                    run.iter().enumerate().map(|(at, &value)| u64::from(judge.int(form, value)) << at);
                out.add_word(first / 64, holds.fold(0, |word, bit| word | bit));
            }),
        },
        SeqView::Dict { distinct, codes } => {
            let mut table = Vec::new();
            distinct
                .runs(|_, run| table.extend(run.iter().map(|&value| u8::from(judge.int(form, value)))))
                .or_damaged("an integer lies outside of its sequence")?;
            match table.iter().filter(|&&entry| entry != 0).count() {
                0 => return Ok(Set::None),
                1 => {
                    let code = table.iter().position(|&entry| entry != 0).unwrap_or(0) as u64;
                    codes.select(code, code, &mut out)
                }
                _ => codes.select_in(&table, &mut out),
            }
        }
    }
    .or_damaged("an integer lies outside of its sequence")?;
    Ok(Set::Some(out).tidy())
}

/// Values that match as texts, which are made one after the other.
fn by_text(values: &mut TemplatesView<'_>, ask: Question<'_>, keep: impl Fn(u64) -> bool) -> Result<Set> {
    let len = values.codes.len();
    let mut out = Bits::none(len as usize);
    let (mut templates, mut ends) = (Vec::new(), vec![0]);
    values.templates.visit(
        |_, _| true,
        |_, template| {
            templates.extend_from_slice(template);
            ends.push(templates.len());
        },
    )?;
    let (mut codes, mut numbers) = ([0; 64], [[0; 64]; MAX_NUMBERS]);
    let mut text = Vec::new();
    for first in (0..len).step_by(64) {
        let run = 0..64.min(len - first) as usize;
        if !run.clone().any(|at| keep(first + at as u64)) {
            continue;
        }
        values.codes.read(first, &mut codes[run.clone()])?;
        for (numbers, column) in numbers.iter_mut().zip(&values.numbers) {
            column.read(first, &mut numbers[run.clone()])?;
        }
        for at in run.filter(|&at| keep(first + at as u64)) {
            let code = codes[at] as usize;
            let template = ends.get(code).zip(ends.get(code.wrapping_add(1)));
            let template = template.and_then(|(&from, &to)| templates.get(from..to));
            let number = |place: usize| numbers[..values.numbers.len()].get(place).map(|column| column[at]);
            let made = template.and_then(|template| fill(template, &mut text, number));
            made.or_damaged("a template does not fit its numbers")?;
            if ask.judge.bytes(ask.form, &text) {
                out.set(first as usize + at);
            }
        }
    }
    Ok(Set::Some(out).tidy())
}

/// Values that are one of the texts asked for, found by their templates and numbers; `None` when only making the
/// texts tells.
fn by_numbers(values: &mut TemplatesView<'_>, ask: Question<'_>) -> Result<Option<Set>> {
    let Some((texts, _)) = ask.judge.texts(ask.form) else { return Ok(None) };
    if values.templates.len() > MAX_VALUES {
        return Err(BlockError::Damaged("a column has more templates than a row group can have"));
    }
    let (mut candidates, mut is_sure) = (Vec::new(), true);
    values.templates.visit(
        |_, _| true,
        |code, template| {
            for text in &texts {
                match parse(template, text) {
                    Parsed::No => {}
                    Parsed::Numbers(numbers, count) => candidates.push((code, numbers, count)),
                    Parsed::Unsure => is_sure = false,
                }
            }
        },
    )?;
    if !is_sure {
        return Ok(None);
    }
    let mut found = Set::None;
    for (code, numbers, count) in candidates {
        let wanted = numbers.get(..count).unwrap_or_default();
        if values.numbers.len() < wanted.len() {
            continue;
        }
        // Numbers are read first: they tell texts apart, where templates hardly do.
        let mut rows = Set::All;
        let columns = wanted.iter().copied().zip(values.numbers.iter().copied());
        for (number, column) in columns.chain([(code, values.codes)]) {
            rows = where_equal(rows, column, number)?;
        }
        found = found.or(rows);
    }
    Ok(Some(found))
}

/// Few enough places to look at each of them.
const FEW: usize = 64;

/// Those of some places where a sequence has a value.
fn where_equal(places: Set, values: SeqView<'_>, wanted: u64) -> Result<Set> {
    match places {
        Set::None => Ok(Set::None),
        Set::Some(few) if few.count() <= FEW => {
            let mut out = Bits::none(few.len());
            for at in few.iter() {
                if values.get(at as u64)? == wanted {
                    out.set(at);
                }
            }
            Ok(Set::Some(out).tidy())
        }
        places => Ok(places.and(equal(values, wanted)?)),
    }
}

/// The places of a value.
fn equal(values: SeqView<'_>, wanted: u64) -> Result<Set> {
    let mut out = Bits::none(values.len() as usize);
    match values {
        SeqView::Const { value, .. } => return Ok(Set::of(value == wanted)),
        SeqView::Packed(values) => values.select(wanted, wanted, &mut out),
        SeqView::Dict { distinct, codes } => {
            let code = (0..distinct.len()).find(|&at| distinct.get(at) == Some(wanted));
            let Some(code) = code else { return Ok(Set::None) };
            codes.select(code, code, &mut out)
        }
    }
    .or_damaged("an integer lies outside of its sequence")?;
    Ok(Set::Some(out).tidy())
}
