//! The values of one column in one row group of an input, one after the other, and the steps by which they get into
//! the column of an output.
//!
//! Codes of a dictionary stay codes: each entry is looked up in the output once, and its number there remembered.
//! Templates stay templates. So most values are moved without their text ever being made.

use spanloom_span::model::{AnyValue, KeyValue};
use spanloom_span::view::ValueView;
use spanloom_span::{decode, encode};

use crate::columns::{Field, Storage, ValueType, flip_sign};
use crate::directory::ColumnId;
use crate::error::{BlockError, OrDamaged, Result};
use crate::merge::window::{Touched, Window};
use crate::reader::column::ColumnReader;
use crate::reader::contents::Contents;
use crate::seq::SeqView;
use crate::store::StoreView;
use crate::template::{self, MAX_NUMBERS};
use crate::writer::column::{ByteValues, Values};
use crate::writer::table::TableBuilder;

const UNKNOWN: u32 = u32::MAX;

/// Inflated pages of a dictionary that are kept, in bytes.
const KEPT_PAGES: usize = 64 << 10;

/// The values of a column in a row group.
pub(crate) enum Source<'a> {
    /// Not looked at yet, or without values.
    None,
    Ints(Window<'a>),
    Codes {
        codes: Window<'a>,
        dictionary: Box<StoreView<'a>>,
    },
    Plain {
        store: Box<StoreView<'a>>,
        next: u64,
        touched: Touched,
    },
    Templates(Box<TemplateSource<'a>>),
    /// One for each class.
    ClassInts(Box<SeqView<'a>>),
    /// One for each class, and the dictionary.
    ClassCodes(Box<(SeqView<'a>, StoreView<'a>)>),
}

/// Texts as templates and numbers.
pub(crate) struct TemplateSource<'a> {
    codes: Window<'a>,
    numbers: Vec<Window<'a>>,
    templates: StoreView<'a>,
    /// Numbers of the templates in the output's open row group.
    map: CodeMap,
    /// Row groups that the output's column had written when the map was begun.
    cuts: u32,
    text: Vec<u8>,
}

/// What the numbers of an input mean in the output, as far as it is known.
#[derive(Default)]
pub(crate) struct CodeMap(Vec<u32>);

impl CodeMap {
    /// The output's number.
    #[inline]
    pub fn get(&self, code: u64) -> Option<u32> {
        self.0.get(code as usize).copied().filter(|&known| known != UNKNOWN)
    }

    /// Remembers a number. Numbers come in ascending order, about: one that is far beyond the others is claimed by a
    /// forger, and is not worth the room.
    pub fn set(&mut self, code: u64, known: u32) {
        const AHEAD: u64 = 4096;
        let len = self.0.len() as u64;
        if code >= len {
            if code > len * 2 + AHEAD {
                return;
            }
            self.0.resize(code as usize + 1, UNKNOWN);
        }
        self.0[code as usize] = known;
    }

    /// What it takes in memory.
    pub fn held_bytes(&self) -> usize {
        self.0.capacity() * size_of::<u32>()
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

/// How a value of a row gets into the output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// Column of the input's table.
    pub column: u32,
    /// Column of the output's table.
    pub out: u32,
    pub how: How,
}

/// How a value of a row gets into the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Int,
    Code,
    Text,
    Template,
    /// One value a class.
    ClassInt,
    ClassCode,
    /// A parent's id that has not 8 bytes.
    Parent,
    /// The end of a span's events or links.
    EventsEnd,
    LinksEnd,
    /// An attribute whose key has no column in the output.
    Overflow,
}

/// What a step met that the row as a whole depends on.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Met {
    /// Whether the parent's bytes say that there is none.
    pub parent_is_zero: Option<bool>,
    /// One past the last of the span's events and links.
    pub ends: [Option<u64>; 2],
}

impl<'a> Source<'a> {
    /// Opens a column's values in a row group.
    pub fn open(block: &'a Contents, column: u32, group: u32, touched: &Touched) -> Result<Self> {
        let id = block.columns.get(column as usize).or_damaged("there is no such column")?;
        if id.storage() == Storage::Marker {
            return Ok(Self::None);
        }
        let chunk = block.chunk(column, group).or_damaged("a column has no values where a row names it")?;
        let by_class = chunk.mode.is_by_class();
        // Its checksums are compared: all of it is read.
        touched.add(block.chunk_bytes(column, group));
        Ok(match ColumnReader::of_chunk(block, chunk)? {
            ColumnReader::Marker => Self::None,
            ColumnReader::Ints(values) if by_class => Self::ClassInts(Box::new(values)),
            ColumnReader::Ints(values) => Self::Ints(Window::new(values, touched)),
            ColumnReader::Codes { codes, mut dictionary } => {
                dictionary.keep_pages(KEPT_PAGES);
                match by_class {
                    true => Self::ClassCodes(Box::new((codes, dictionary))),
                    false => {
                        Self::Codes { codes: Window::new(codes, touched), dictionary: Box::new(dictionary) }
                    }
                }
            }
            ColumnReader::Plain(store) => {
                Self::Plain { store: Box::new(store), next: 0, touched: touched.clone() }
            }
            ColumnReader::Templates(view) => Self::Templates(Box::new(TemplateSource {
                codes: Window::new(view.codes, touched),
                numbers: view.numbers.into_iter().map(|numbers| Window::new(numbers, touched)).collect(),
                templates: view.templates,
                map: CodeMap::default(),
                cuts: UNKNOWN,
                text: Vec::new(),
            })),
        })
    }

    /// How values get into the output; `None` when there are no values.
    pub fn how(&self) -> Option<How> {
        Some(match self {
            Self::None => return None,
            Self::Ints(_) => How::Int,
            Self::Codes { .. } => How::Code,
            Self::Plain { .. } => How::Text,
            Self::Templates(_) => How::Template,
            Self::ClassInts(_) => How::ClassInt,
            Self::ClassCodes(_) => How::ClassCode,
        })
    }

    /// Forgets what holds for one output.
    pub fn begin_output(&mut self) {
        if let Self::Templates(texts) = self {
            texts.cuts = UNKNOWN;
        }
    }

    /// Passes over a value.
    pub fn skip(&mut self) {
        match self {
            Self::Ints(values) => values.skip(),
            Self::Codes { codes, .. } => codes.skip(),
            Self::Plain { next, .. } => *next += 1,
            Self::Templates(texts) => {
                texts.codes.skip();
                texts.numbers.iter_mut().for_each(Window::skip);
            }
            Self::None | Self::ClassInts(_) | Self::ClassCodes(_) => {}
        }
    }

    /// The next integer, or that of the class.
    pub fn next_int(&mut self, class: u64) -> Result<u64> {
        match self {
            Self::Ints(values) => values.next(),
            Self::ClassInts(values) => values.get(class),
            _ => Err(BlockError::Damaged("a column has no integers")),
        }
    }

    /// The next bytes, or those of the class.
    pub fn next_bytes(&mut self, class: u64) -> Result<&[u8]> {
        match self {
            Self::Codes { codes, dictionary } => dictionary.get(codes.next()?),
            Self::ClassCodes(values) => values.1.get(values.0.get(class)?),
            Self::Plain { store, next, touched } => {
                *next += 1;
                touched.add(0);
                store.get(*next - 1)
            }
            Self::Templates(texts) => texts.next_text(),
            _ => Err(BlockError::Damaged("a column has no bytes")),
        }
    }

    fn dictionary(&mut self) -> Result<&mut StoreView<'a>> {
        match self {
            Self::Codes { codes, dictionary } => {
                codes.touch();
                Ok(dictionary)
            }
            Self::ClassCodes(values) => Ok(&mut values.1),
            _ => Err(BlockError::Damaged("a column has no dictionary")),
        }
    }

    /// The value of a class as the output has it: the integer, or the number of the dictionary's entry. `None` where
    /// the output's column has no dictionary.
    pub fn of_class(&mut self, class: u64, map: &mut CodeMap, out: &mut Values) -> Result<Option<u64>> {
        let code = match (&mut *self, &out) {
            (Self::ClassInts(values), Values::Ints(_)) => return values.get(class).map(Some),
            (Self::ClassCodes(values), Values::Bytes(_)) => values.0.get(class)?,
            _ => return Err(BlockError::Damaged("a column's values are of another storage than its type")),
        };
        let Values::Bytes(values) = out else { return Ok(None) };
        if !values.is_coded() {
            return Ok(None);
        }
        if let Some(known) = map.get(code) {
            return Ok(Some(u64::from(known)));
        }
        let known = values.entry(self.dictionary()?.get(code)?);
        map.set(code, known);
        Ok(Some(u64::from(known)))
    }
}

impl TemplateSource<'_> {
    fn next(&mut self) -> Result<(u64, [u64; MAX_NUMBERS])> {
        let mut numbers = [0; MAX_NUMBERS];
        for (number, column) in numbers.iter_mut().zip(&mut self.numbers) {
            *number = column.next()?;
        }
        Ok((self.codes.next()?, numbers))
    }

    fn next_text(&mut self) -> Result<&[u8]> {
        let (code, numbers) = self.next()?;
        self.fill(code, &numbers)
    }

    fn fill(&mut self, code: u64, numbers: &[u64; MAX_NUMBERS]) -> Result<&[u8]> {
        let numbers = &numbers[..self.numbers.len().min(MAX_NUMBERS)];
        let template = self.templates.get(code)?;
        template::fill(template, &mut self.text, |place| numbers.get(place).copied())
            .or_damaged("a template does not fit its numbers")?;
        Ok(&self.text)
    }

    /// Moves the next value; gives the bytes that it takes until the output's row group is written.
    fn push(&mut self, out: &mut ByteValues) -> Result<usize> {
        let (code, numbers) = self.next()?;
        if out.is_coded() || !out.takes_templates() {
            let text = self.fill(code, &numbers)?;
            out.push(text);
            return Ok(text.len());
        }
        if self.cuts != out.cuts() {
            self.map.clear();
            self.cuts = out.cuts();
        }
        let count = self.numbers.len().min(MAX_NUMBERS);
        let known = match self.map.get(code) {
            Some(known) => known,
            None => {
                self.codes.touch();
                let template = self.templates.get(code)?;
                template::is_template(template, count)
                    .then_some(())
                    .or_damaged("a template does not fit its numbers")?;
                let known = out.template(template);
                self.map.set(code, known);
                known
            }
        };
        out.push_template(known, &numbers, count);
        Ok(8 * count)
    }
}

impl Step {
    /// Moves the value of the next row.
    #[inline]
    pub fn run(
        &self,
        id: &ColumnId,
        class: u64,
        source: &mut Source<'_>,
        map: &mut CodeMap,
        out: &mut TableBuilder,
        met: &mut Met,
    ) -> Result<()> {
        out.pending_bytes += 8;
        let values = &mut out.columns[self.out as usize].values;
        match (self.how, &mut *source, values) {
            (How::Int, Source::Ints(window), Values::Ints(values)) => values.push(window.next()?),
            (How::Code, Source::Codes { codes, .. }, Values::Bytes(values)) => {
                let code = codes.next()?;
                match map.get(code).filter(|_| values.is_coded()) {
                    Some(known) => values.push_code(known),
                    None => out.pending_bytes += look_up(code, source, map, values)?,
                }
            }
            (How::Template, Source::Templates(texts), Values::Bytes(values)) => {
                out.pending_bytes += texts.push(values)?;
            }
            (How::Text | How::ClassCode, _, Values::Bytes(values)) => {
                let bytes = source.next_bytes(class)?;
                values.push(bytes);
                out.pending_bytes += bytes.len();
            }
            (How::Parent, _, Values::Bytes(values)) => {
                let bytes = source.next_bytes(class)?;
                values.push(bytes);
                met.parent_is_zero = Some(bytes.iter().all(|&byte| byte == 0));
                out.pending_bytes += bytes.len();
            }
            (How::EventsEnd, ..) => met.ends[0] = Some(source.next_int(class)?),
            (How::LinksEnd, ..) => met.ends[1] = Some(source.next_int(class)?),
            (How::Overflow, _, Values::Bytes(values)) => {
                let body = key_value(id, source, class)?;
                values.push(&body);
                out.pending_bytes += body.len();
            }
            _ => return Err(BlockError::Damaged("a column's values are of another storage than its type")),
        }
        Ok(())
    }
}

/// Moves the value of an entry whose number in the output is not known, or is not wanted.
#[cold]
fn look_up(code: u64, source: &mut Source<'_>, map: &mut CodeMap, out: &mut ByteValues) -> Result<usize> {
    let bytes = source.dictionary()?.get(code)?;
    if let Some(known) = out.push_new(bytes) {
        map.set(code, known);
    }
    Ok(bytes.len())
}

/// Whether rows of a field end a span's events or links, and how they get into the output.
pub(crate) fn how_of_field(field: u8, usual: How) -> Result<How> {
    let is_end = |f: Field| field == f as u8;
    Ok(match usual {
        _ if is_end(Field::ParentBytes) => How::Parent,
        How::Int if is_end(Field::EventsEnd) => How::EventsEnd,
        How::Int if is_end(Field::LinksEnd) => How::LinksEnd,
        _ if is_end(Field::EventsEnd) || is_end(Field::LinksEnd) => {
            return Err(BlockError::Damaged("a span's events or links are out of order"));
        }
        usual => usual,
    })
}

/// The body of a `KeyValue`, of a value that had a column of its own.
fn key_value(id: &ColumnId, source: &mut Source<'_>, class: u64) -> Result<Vec<u8>> {
    let value = match id.value_type {
        ValueType::Empty => AnyValue::Empty,
        ValueType::Bool => AnyValue::Bool(source.next_int(class)? != 0),
        ValueType::Double => AnyValue::Double(f64::from_bits(source.next_int(class)?)),
        ValueType::Int => AnyValue::Int(flip_sign(source.next_int(class)?) as i64),
        ValueType::Array => decode::value(ValueView::Array(source.next_bytes(class)?))?,
        ValueType::Map => decode::value(ValueView::Map(source.next_bytes(class)?))?,
        ValueType::Bytes => AnyValue::Bytes(source.next_bytes(class)?.to_vec()),
        ValueType::Str => AnyValue::Str(String::from_utf8_lossy(source.next_bytes(class)?).into_owned()),
    };
    let mut out = Vec::new();
    encode::put_key_value(&mut out, &KeyValue { key: id.key.clone(), value });
    Ok(out)
}
