//! The values of one column in one row group, read in place.

use crate::columns::Storage;
use crate::directory::{Chunk, DICTIONARY_GROUP, Mode};
use crate::error::{BlockError, OrDamaged, Result};
use crate::reader::contents::Contents;
use crate::seq::SeqView;
use crate::store::{StoreKind, StoreView};
use crate::template::{self, MAX_NUMBERS};

/// The values of one column in one row group.
pub(crate) enum ColumnReader<'a> {
    /// Nothing but presence.
    Marker,
    Ints(SeqView<'a>),
    /// Codes of the dictionary.
    Codes {
        codes: SeqView<'a>,
        dictionary: StoreView<'a>,
    },
    Plain(StoreView<'a>),
    /// Codes of the templates, and their numbers.
    Templates(Box<TemplatesView<'a>>),
}

/// Texts as templates and numbers, read in place.
pub(crate) struct TemplatesView<'a> {
    pub codes: SeqView<'a>,
    pub templates: StoreView<'a>,
    pub numbers: Vec<SeqView<'a>>,
    text: Vec<u8>,
}

impl<'a> ColumnReader<'a> {
    /// Opens the values that `column` has in `group`.
    pub fn open(block: &'a Contents, column: u32, group: u32) -> Result<Self> {
        let id = block.columns.get(column as usize).or_damaged("there is no such column")?;
        if id.storage() == Storage::Marker {
            return Ok(Self::Marker);
        }
        let chunk = block.chunk(column, group).or_damaged("a column has no values where a row names it")?;
        Self::of_chunk(block, chunk)
    }

    /// Opens the values of a chunk that is not a dictionary.
    pub fn of_chunk(block: &'a Contents, chunk: &Chunk) -> Result<Self> {
        let id = block.columns.get(chunk.column as usize).or_damaged("there is no such column")?;
        Ok(match (id.storage(), chunk.mode) {
            (Storage::Ints, Mode::Ints | Mode::ClassInts) => {
                Self::Ints(SeqView::open(&block.sections, &chunk.seq)?)
            }
            (Storage::Bytes, Mode::Plain) => {
                Self::Plain(StoreView::open(&block.sections, StoreKind::Plain, &chunk.store())?)
            }
            (Storage::Bytes, Mode::Codes | Mode::ClassCodes) => {
                let dictionary = block.chunk(chunk.column, DICTIONARY_GROUP);
                let dictionary = dictionary.or_damaged("a column has codes and no dictionary")?;
                if dictionary.mode != Mode::Dictionary {
                    return Err(BlockError::Damaged("a dictionary is none"));
                }
                Self::Codes {
                    codes: SeqView::open(&block.sections, &chunk.seq)?,
                    dictionary: StoreView::open(&block.sections, StoreKind::Dictionary, &dictionary.store())?,
                }
            }
            (Storage::Bytes, Mode::Templates) => {
                Self::Templates(Box::new(TemplatesView::open(block, chunk)?))
            }
            _ => return Err(BlockError::Damaged("a column's values are of another storage than its type")),
        })
    }

    /// How many values there are to look at for one who looks at all: as [`SeqView::checks`].
    pub fn checks(&self) -> u64 {
        match self {
            Self::Marker => 0,
            Self::Ints(values) => values.checks(),
            Self::Plain(values) => values.checks(),
            Self::Codes { codes, .. } => codes.checks(),
            Self::Templates(values) => values.checks(),
        }
    }

    /// Keeps inflated pages of values that are shared, up to `room` bytes: for a reader that comes back to them in
    /// no order.
    pub fn keep_pages(&mut self, room: usize) {
        match self {
            Self::Codes { dictionary, .. } => dictionary.keep_pages(room),
            Self::Templates(values) => values.templates.keep_pages(room),
            Self::Marker | Self::Ints(_) | Self::Plain(_) => {}
        }
    }

    /// The dictionary's code of the value at `at`; `None` when the values have no dictionary.
    pub fn code(&self, at: u64) -> Result<Option<u64>> {
        match self {
            Self::Codes { codes, .. } => codes.get(at).map(Some),
            _ => Ok(None),
        }
    }

    /// How many values.
    pub fn len(&self) -> u64 {
        match self {
            Self::Marker => 0,
            Self::Ints(values) => values.len(),
            Self::Codes { codes, .. } => codes.len(),
            Self::Plain(values) => values.len(),
            Self::Templates(values) => values.codes.len(),
        }
    }

    /// Reads every value.
    pub fn verify(&mut self) -> Result<()> {
        match self {
            Self::Ints(values) => values.verify(),
            Self::Plain(values) => values.verify(),
            _ => (0..self.checks()).try_for_each(|at| self.bytes(at).map(drop)),
        }
    }

    /// The integer at `at`.
    #[inline]
    pub fn int(&self, at: u64) -> Result<u64> {
        match self {
            Self::Ints(values) => values.get(at),
            _ => Err(BlockError::Damaged("a column has no integers")),
        }
    }

    /// The bytes at `at`.
    #[inline]
    pub fn bytes(&mut self, at: u64) -> Result<&[u8]> {
        match self {
            Self::Codes { codes, dictionary } => dictionary.get(codes.get(at)?),
            Self::Plain(values) => values.get(at),
            Self::Templates(values) => values.get(at),
            _ => Err(BlockError::Damaged("a column has no bytes")),
        }
    }
}

impl<'a> TemplatesView<'a> {
    fn open(block: &'a Contents, chunk: &Chunk) -> Result<Self> {
        let [_, templates, numbers @ ..] = block.parts(chunk.column, chunk.group) else {
            return Err(BlockError::Damaged("a column has templates and they are missing"));
        };
        if templates.mode != Mode::Dictionary
            || numbers.len() > MAX_NUMBERS
            || numbers.iter().any(|part| part.mode != Mode::Ints || part.seq.len != chunk.seq.len)
        {
            return Err(BlockError::Damaged("the parts of a column with templates do not fit"));
        }
        let open = |part: &Chunk| SeqView::open(&block.sections, &part.seq);
        Ok(Self {
            codes: open(chunk)?,
            templates: StoreView::open(&block.sections, StoreKind::Dictionary, &templates.store())?,
            numbers: numbers.iter().map(open).collect::<Result<_>>()?,
            text: Vec::new(),
        })
    }

    fn checks(&self) -> u64 {
        self.numbers.iter().chain([&self.codes]).map(SeqView::checks).max().unwrap_or(0)
    }

    pub fn get(&mut self, at: u64) -> Result<&[u8]> {
        let Self { codes, templates, numbers, text } = self;
        let template = templates.get(codes.get(at)?)?;
        let number = |place: usize| numbers.get(place).and_then(|column: &SeqView<'_>| column.get(at).ok());
        template::fill(template, text, number).or_damaged("a template does not fit its numbers")?;
        Ok(text)
    }
}
