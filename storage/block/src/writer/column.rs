//! A column while a block is built: the values of the open row group, and the dictionary of the whole block.

use crate::columns::Storage;
use crate::directory::{Chunk, DICTIONARY_GROUP, Mode};
use crate::error::Result;
use crate::seq::Seq;
use crate::store::{Store, StoreKind};
use crate::template::{MAX_NUMBERS, Templates};
use crate::writer::interner::Interner;
use crate::writer::output::Output;

/// A dictionary that grows beyond this is given up for plain values.
const MAX_DICTIONARY_BYTES: usize = 8 << 20;

/// Distinct values before a dictionary may be judged useless.
const MIN_JUDGED: usize = 128;

/// A column of the block that is being built.
pub(crate) struct Column {
    /// 0 for an attribute, else the field's number.
    pub field: u8,
    /// Type of the attribute's values.
    pub value_type: u8,
    /// Key of the attribute.
    pub key: Box<[u8]>,
    /// Values of the open row group.
    pub values: Values,
}

/// Values of the open row group.
pub(crate) enum Values {
    /// None: the rows' shapes say all.
    Marker,
    /// Integers.
    Ints(Vec<u64>),
    /// Byte strings.
    Bytes(Box<ByteValues>),
}

impl Values {
    /// Empty, for the given storage.
    pub fn new(storage: Storage) -> Self {
        match storage {
            Storage::Marker => Self::Marker,
            Storage::Ints => Self::Ints(Vec::new()),
            Storage::Bytes => Self::Bytes(Box::default()),
        }
    }
}

/// Byte strings of the open row group: codes into the block's dictionary, or plain, one after the other.
#[derive(Default)]
pub(crate) struct ByteValues {
    dictionary: Interner,
    /// Whether a finished row group refers to the dictionary.
    in_use: bool,
    /// Whether most values are distinct, so that they are kept plain.
    is_plain: bool,
    pushed: usize,
    last: u32,
    codes: Vec<u32>,
    bytes: Vec<u8>,
    lens: Vec<u32>,
    /// In place of `bytes` and `lens` where the values came as templates, as they do from another block.
    split: Option<Box<Templates>>,
    /// Row groups that were cut, so that who knows templates by their numbers knows when these are void.
    cuts: u32,
}

impl ByteValues {
    /// Appends a value.
    #[inline]
    pub fn push(&mut self, value: &[u8]) {
        self.pushed += 1;
        if self.is_plain {
            self.push_plain(value);
        } else if self.dictionary.len() > 0 && self.dictionary.get(self.last) == value {
            self.codes.push(self.last);
        } else {
            self.push_coded(value);
        }
    }

    fn push_coded(&mut self, value: &[u8]) {
        let (code, is_new) = self.dictionary.intern(value);
        self.codes.push(code);
        self.last = code;
        let distinct = self.dictionary.len();
        let useless = distinct > MIN_JUDGED && distinct * 2 > self.pushed;
        if is_new && (useless || self.dictionary.byte_len() > MAX_DICTIONARY_BYTES) {
            self.give_up_dictionary();
        }
    }

    fn push_plain(&mut self, value: &[u8]) {
        if self.split.is_some() {
            self.push_split(|split| split.push_text(value, &mut Vec::new()));
            return;
        }
        self.bytes.extend_from_slice(value);
        self.lens.push(value.len() as u32);
    }

    /// Appends to what is split, and joins all when that no longer pays.
    fn push_split(&mut self, push: impl FnOnce(&mut Templates)) {
        let Some(split) = &mut self.split else { return };
        push(split);
        if !split.pays() {
            split.join(&mut self.bytes, &mut self.lens);
            self.split = None;
        }
    }

    /// Whether values are kept as numbers of the dictionary's entries.
    #[inline]
    pub fn is_coded(&self) -> bool {
        !self.is_plain
    }

    /// Appends the value of an entry of the dictionary. Only while [`Self::is_coded`].
    #[inline]
    pub fn push_code(&mut self, code: u32) {
        self.pushed += 1;
        self.codes.push(code);
    }

    /// Appends a value and gives its number in the dictionary, if it has one and values are still kept so.
    pub fn push_new(&mut self, value: &[u8]) -> Option<u32> {
        self.push(value);
        if self.is_plain { None } else { self.codes.last().copied() }
    }

    /// The number of a dictionary's entry, made when it is new, without a value being appended. Only while
    /// [`Self::is_coded`].
    pub fn entry(&mut self, value: &[u8]) -> u32 {
        self.dictionary.intern(value).0
    }

    /// Whether values may be appended as templates with numbers: then [`Self::template`] and
    /// [`Self::push_template`] do. Else the text is to be pushed.
    pub fn takes_templates(&mut self) -> bool {
        if self.is_plain && self.split.is_none() && self.lens.is_empty() {
            self.split = Some(Box::default());
        }
        self.split.is_some()
    }

    /// The number of a template in the open row group.
    pub fn template(&mut self, template: &[u8]) -> u32 {
        self.split.as_mut().map_or(0, |split| split.templates.intern(template).0)
    }

    /// Appends a value of a template of the open row group.
    #[inline]
    pub fn push_template(&mut self, code: u32, numbers: &[u64; MAX_NUMBERS], count: usize) {
        self.pushed += 1;
        self.push_split(|split| split.push(code, numbers, count));
    }

    /// Row groups that were cut.
    #[inline]
    pub fn cuts(&self) -> u32 {
        self.cuts
    }

    /// Bytes that stay until the block is finished, about.
    pub fn held_bytes(&self) -> usize {
        self.dictionary.held_bytes()
    }

    fn give_up_dictionary(&mut self) {
        self.is_plain = true;
        for code in std::mem::take(&mut self.codes) {
            let value = self.dictionary.get(code);
            self.bytes.extend_from_slice(value);
            self.lens.push(value.len() as u32);
        }
        if !self.in_use {
            self.dictionary = Interner::default();
        }
    }
}

impl Column {
    /// Values of the open row group that are integers or codes.
    pub fn count(&self) -> usize {
        match &self.values {
            Values::Ints(values) => values.len(),
            Values::Bytes(values) => values.codes.len(),
            Values::Marker => 0,
        }
    }

    /// An integer or code of the open row group.
    pub fn code(&self, at: usize) -> Option<u64> {
        match &self.values {
            Values::Ints(values) => values.get(at).copied(),
            Values::Bytes(values) => values.codes.get(at).map(|&code| u64::from(code)),
            Values::Marker => None,
        }
    }

    /// The codes of the open row group.
    pub fn codes(&self) -> &[u32] {
        if let Values::Bytes(values) = &self.values { &values.codes } else { &[] }
    }

    /// The integers of the open row group.
    pub fn ints(&self) -> &[u64] {
        if let Values::Ints(values) = &self.values { values } else { &[] }
    }

    /// Writes one value a class in place of the values of the open row group, and forgets them.
    pub fn cut_by_class(
        &mut self,
        out: &mut Output,
        column: u32,
        group: u32,
        by_class: &[u64],
    ) -> Result<Chunk> {
        let mode = match &mut self.values {
            Values::Bytes(values) => {
                values.codes.clear();
                values.in_use = true;
                Mode::ClassCodes
            }
            Values::Ints(values) => {
                values.clear();
                Mode::ClassInts
            }
            Values::Marker => Mode::ClassInts,
        };
        Ok(Chunk::new(column, group, mode, Seq::write(out, by_class)?))
    }

    /// Writes the values of the open row group, if there are any, and forgets them.
    pub fn cut(&mut self, out: &mut Output, column: u32, group: u32, chunks: &mut Vec<Chunk>) -> Result<()> {
        let chunk = |mode, seq| Chunk::new(column, group, mode, seq);
        match &mut self.values {
            Values::Ints(values) if !values.is_empty() => {
                chunks.push(chunk(Mode::Ints, Seq::write(out, values)?));
                values.clear();
            }
            Values::Bytes(values) if values.split.is_some() => {
                values.cuts += 1;
                let split = values.split.take().filter(|split| !split.codes.is_empty());
                if let Some(split) = split {
                    write_templates(out, &split, chunk, chunks)?;
                }
            }
            Values::Bytes(values) if !values.lens.is_empty() => {
                values.cuts += 1;
                match Templates::split(&values.bytes, &values.lens) {
                    Some(split) => write_templates(out, &split, chunk, chunks)?,
                    None => {
                        let store = Store::write(out, StoreKind::Plain, &values.bytes, &values.lens)?;
                        chunks.push(chunk(Mode::Plain, store.positions).with_store(&store));
                    }
                }
                values.bytes.clear();
                values.lens.clear();
            }
            Values::Bytes(values) if !values.codes.is_empty() => {
                let codes: Vec<u64> = values.codes.iter().map(|&code| u64::from(code)).collect();
                values.codes.clear();
                values.in_use = true;
                chunks.push(chunk(Mode::Codes, Seq::write_packed(out, &codes)?));
            }
            _ => {}
        }
        Ok(())
    }

    /// Writes the dictionary, if row groups refer to it.
    pub fn finish(&self, out: &mut Output, column: u32) -> Result<Option<Chunk>> {
        let Values::Bytes(values) = &self.values else { return Ok(None) };
        if !values.in_use {
            return Ok(None);
        }
        let (bytes, lens) = values.dictionary.parts();
        let store = Store::write(out, StoreKind::Dictionary, bytes, &lens)?;
        Ok(Some(Chunk::new(column, DICTIONARY_GROUP, Mode::Dictionary, store.positions).with_store(&store)))
    }
}

fn write_templates(
    out: &mut Output,
    split: &Templates,
    chunk: impl Fn(Mode, Seq) -> Chunk,
    chunks: &mut Vec<Chunk>,
) -> Result<()> {
    chunks.push(chunk(Mode::Templates, Seq::write_packed(out, &split.codes)?));
    let (bytes, lens) = split.templates.parts();
    let store = Store::write(out, StoreKind::Dictionary, bytes, &lens)?;
    chunks.push(chunk(Mode::Dictionary, store.positions).with_store(&store).with_part(1));
    for (place, numbers) in split.numbers.iter().enumerate() {
        chunks.push(chunk(Mode::Ints, Seq::write(out, numbers)?).with_part(2 + place));
    }
    Ok(())
}
