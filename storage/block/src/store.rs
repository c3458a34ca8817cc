//! Byte strings in pages: `docs/formats/block.md`, section "Stores".
//!
//! A store is either plain (the values of a column in row order, with the length of each) or a dictionary (distinct
//! values, with the end of each, so that any of them is found at once). Small stores are one page, read in place;
//! larger ones are cut into pages, each of them zstd-compressed when that pays, with its own checksum.

use rkyv::rend::{u32_le, u64_le};
use rkyv::{Archive, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{BlockError, OrDamaged, Result};
use crate::reader::section::Sections;
use crate::seq::{NONE, Seq, SeqView};
use crate::writer::output::Output;

/// Raw bytes of a plain page; a longer value has a page of its own.
const PLAIN_PAGE: usize = 16 << 10;

/// Raw bytes of a dictionary's page: smaller, since neighbours are seldom asked for together.
const DICTIONARY_PAGE: usize = 4 << 10;

/// Stores up to this size are one page.
const ONE_PAGE: usize = 4 << 10;

/// Dictionaries up to this size are one page.
const ONE_DICTIONARY_PAGE: usize = 32 << 10;

/// A page may inflate to this many bytes, or to this many times its stored size. A page that would inflate to more
/// is stored as it is, so that no small file can ask for much memory.
const MAX_INFLATED: usize = 64 << 10;
const MAX_RATIO: usize = 256;

/// The pages of a store, and where they lie in its data section. A page is compressed when its stored length
/// differs from its raw length.
#[derive(Archive, Serialize, Debug, Default)]
pub(crate) struct Pages {
    /// Number of the first value of each page.
    pub first_values: Vec<u32>,
    /// First raw byte of each page, and the end of the last.
    pub raw_starts: Vec<u64>,
    /// First stored byte of each page, and the end of the last.
    pub stored_starts: Vec<u64>,
    /// XXH3 of each page's stored bytes.
    pub sums: Vec<u64>,
}

/// A store as the directory names it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Store {
    /// Lengths (plain) or ends (dictionary).
    pub positions: Seq,
    /// Section of [`Pages`]; [`NONE`] when the data section is one page.
    pub pages: u32,
    /// Section with the pages' bytes; [`NONE`] when there are none.
    pub data: u32,
}

/// Whether a store is plain or a dictionary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreKind {
    Plain,
    Dictionary,
}

impl Store {
    /// Writes the values that lie one after the other in `bytes` and end at `ends`.
    pub fn write(out: &mut Output, kind: StoreKind, bytes: &[u8], lens: &[u32]) -> Result<Self> {
        let mut end = 0u64;
        let mut positions = Vec::with_capacity(lens.len());
        for &len in lens {
            end += u64::from(len);
            positions.push(if kind == StoreKind::Plain { u64::from(len) } else { end });
        }
        let positions = Seq::write_packed(out, &positions)?;
        let (one_page, page) = match kind {
            StoreKind::Plain => (ONE_PAGE, PLAIN_PAGE),
            StoreKind::Dictionary => (ONE_DICTIONARY_PAGE, DICTIONARY_PAGE),
        };
        if bytes.is_empty() {
            return Ok(Self { positions, pages: NONE, data: NONE });
        }
        if bytes.len() <= one_page {
            return Ok(Self { positions, pages: NONE, data: out.raw(bytes) });
        }
        let (pages, data) = cut(out, bytes, lens, page)?;
        Ok(Self { positions, pages: out.archive(&pages)?, data })
    }
}

fn cut(out: &mut Output, bytes: &[u8], lens: &[u32], page: usize) -> Result<(Pages, u32)> {
    let mut pages = Pages { stored_starts: vec![0], ..Pages::default() };
    let mut stored = Vec::new();
    let (mut from, mut end) = (0usize, 0usize);
    pages.first_values.push(0);
    pages.raw_starts.push(0);
    for (value, &len) in lens.iter().enumerate() {
        let next = end + len as usize;
        if end > from && next - from > page {
            put_page(out, &mut stored, &mut pages, &bytes[from..end])?;
            from = end;
            pages.first_values.push(value as u32);
            pages.raw_starts.push(from as u64);
        }
        end = next;
    }
    put_page(out, &mut stored, &mut pages, &bytes[from..end])?;
    pages.raw_starts.push(end as u64);
    let data = out.raw(&stored);
    Ok((pages, data))
}

fn put_page(out: &mut Output, stored: &mut Vec<u8>, pages: &mut Pages, raw: &[u8]) -> Result<()> {
    let from = stored.len();
    out.compress(raw, stored)?;
    let len = stored.len() - from;
    if len * 8 > raw.len() * 7 || raw.len() > MAX_INFLATED.max(len * MAX_RATIO) {
        stored.truncate(from);
        stored.extend_from_slice(raw);
    }
    pages.stored_starts.push(stored.len() as u64);
    pages.sums.push(xxh3_64(&stored[from..]));
    Ok(())
}

/// The pages' index, read in place.
#[derive(Clone, Copy)]
struct PagesView<'a> {
    first_values: &'a [u32_le],
    raw_starts: &'a [u64_le],
    stored_starts: &'a [u64_le],
    sums: &'a [u64_le],
}

/// A store, read in place. It keeps the page it inflated last, and where the next value in order lies.
pub(crate) struct StoreView<'a> {
    kind: StoreKind,
    positions: SeqView<'a>,
    pages: Option<PagesView<'a>>,
    data: &'a [u8],
    /// Page that `inflated` holds, or whose checksum was found right.
    checked: Option<usize>,
    inflated: Vec<u8>,
    /// Value that comes next, its page and where in the page it starts.
    next: (u64, usize, u64),
    /// Inflated pages that are kept, by their numbers, and the bytes that may yet be kept; empty where none are.
    kept: Vec<Option<Box<[u8]>>>,
    room: usize,
}

impl<'a> StoreView<'a> {
    /// Finds the store's sections.
    pub fn open(sections: &'a Sections, kind: StoreKind, store: &Store) -> Result<Self> {
        let pages = match store.pages {
            NONE => None,
            section => {
                let archive = sections.archive::<ArchivedPages>(section)?;
                let view = PagesView {
                    first_values: archive.first_values.as_slice(),
                    raw_starts: archive.raw_starts.as_slice(),
                    stored_starts: archive.stored_starts.as_slice(),
                    sums: archive.sums.as_slice(),
                };
                let pages = view.sums.len();
                let fits = view.first_values.len() == pages
                    && view.raw_starts.len() == pages + 1
                    && view.stored_starts.len() == pages + 1;
                fits.then_some(()).or_damaged("the parts of a page index do not fit")?;
                Some(view)
            }
        };
        let data = match (store.data, pages.is_some()) {
            (NONE, _) => &[][..],
            (section, true) => sections.unchecked(section)?,
            (section, false) => sections.checked(section)?,
        };
        let positions = SeqView::open(sections, &store.positions)?;
        Ok(Self {
            kind,
            positions,
            pages,
            data,
            checked: None,
            inflated: Vec::new(),
            next: (0, 0, 0),
            kept: Vec::new(),
            room: 0,
        })
    }

    /// Keeps inflated pages, up to `room` bytes: for a reader that comes back to them in no order.
    pub fn keep_pages(&mut self, room: usize) {
        self.kept.resize_with(self.pages.map_or(0, |pages| pages.sums.len()), || None);
        self.room = room;
    }

    /// How many values.
    pub fn len(&self) -> u64 {
        self.positions.len()
    }

    /// How many values there are to look at for one who looks at all. Values of equal lengths may differ, so they are
    /// as many as the bytes allow.
    pub fn checks(&self) -> u64 {
        match self.positions {
            SeqView::Const { value: 0, len } => len.min(1),
            SeqView::Const { value, len } if self.kind == StoreKind::Plain => {
                let bytes = self.pages.map_or(self.data.len() as u64, |pages| {
                    pages.raw_starts.last().map_or(0, |end| end.to_native())
                });
                len.min(bytes / value + 1)
            }
            // Equal ends: one entry, and one that is empty.
            SeqView::Const { len, .. } => len.min(2),
            _ => self.positions.checks(),
        }
    }

    /// The value at `at`. Values in ascending order cost least.
    pub fn get(&mut self, at: u64) -> Result<&[u8]> {
        let (page, from, to) = match self.kind {
            StoreKind::Plain => self.plain(at)?,
            StoreKind::Dictionary => self.entry(at)?,
        };
        let bytes = self.page(page)?;
        let range = usize::try_from(from).ok().zip(usize::try_from(to).ok());
        range.and_then(|(from, to)| bytes.get(from..to)).or_damaged("a value lies outside of its page")
    }

    fn plain(&mut self, at: u64) -> Result<(usize, u64, u64)> {
        if at != self.next.0 {
            let page = self.page_of(at);
            let first = self.pages.map_or(0, |p| p.first_values.get(page).map_or(0, |v| v.to_native()));
            let first = u64::from(first);
            if first > at {
                return Err(BlockError::Damaged("the pages of a store are out of order"));
            }
            let from = self.positions.sum(first, at)?;
            self.next = (at, page, from);
        } else if let Some(pages) = self.pages
            && pages.first_values.get(self.next.1 + 1).is_some_and(|v| u64::from(v.to_native()) == at)
        {
            self.next = (at, self.next.1 + 1, 0);
        }
        let (_, page, from) = self.next;
        let to = from.checked_add(self.positions.get(at)?).or_damaged("a value's length is out of range")?;
        self.next = (at + 1, page, to);
        Ok((page, from, to))
    }

    fn page_of(&self, at: u64) -> usize {
        let Some(pages) = self.pages else { return 0 };
        pages.first_values.partition_point(|v| u64::from(v.to_native()) <= at).saturating_sub(1)
    }

    fn entry(&self, at: u64) -> Result<(usize, u64, u64)> {
        let from = if at == 0 { 0 } else { self.positions.get(at - 1)? };
        let to = self.positions.get(at)?;
        let Some(pages) = self.pages else { return Ok((0, from, to)) };
        // By value, not by position: a page may begin with empty values.
        let page = self.page_of(at);
        let start = pages.raw_starts.get(page).map_or(0, |v| v.to_native());
        let relative = from.checked_sub(start).zip(to.checked_sub(start));
        relative.map(|(from, to)| (page, from, to)).or_damaged("a value lies before its page")
    }

    fn page(&mut self, page: usize) -> Result<&[u8]> {
        let Some(pages) = self.pages else { return Ok(self.data) };
        if self.kept.get(page).is_some_and(Option::is_some) {
            return self.kept[page].as_deref().or_damaged("there is no such page");
        }
        let part = |starts: &[u64_le]| {
            let from = usize::try_from(starts.get(page)?.to_native()).ok()?;
            Some(from..usize::try_from(starts.get(page + 1)?.to_native()).ok()?)
        };
        let stored = part(pages.stored_starts).and_then(|range| self.data.get(range));
        let stored = stored.or_damaged("a page lies outside of its section")?;
        let raw = part(pages.raw_starts).or_damaged("there is no such page")?;
        let raw_len = raw.end.checked_sub(raw.start).or_damaged("the pages of a store are out of order")?;
        if self.checked != Some(page) {
            self.checked = None;
            let (found, expected) = (xxh3_64(stored), pages.sums[page].to_native());
            if found != expected {
                return Err(BlockError::Checksum {
                    what: format!("page {page} of a store"),
                    found,
                    expected,
                });
            }
            if raw_len != stored.len() {
                inflate(stored, raw_len, &mut self.inflated)?;
            }
            self.checked = Some(page);
            if raw_len <= self.room
                && let Some(kept) = self.kept.get_mut(page)
            {
                self.room -= raw_len;
                let bytes = if raw_len == stored.len() { stored } else { &self.inflated };
                return Ok(kept.insert(bytes.into()));
            }
        }
        Ok(if raw_len == stored.len() { stored } else { &self.inflated })
    }

    /// Shows the values that are wanted by number and length, in order. A page is inflated once, and not at all when
    /// none of its values is wanted.
    pub fn visit(
        &mut self,
        mut wanted: impl FnMut(u64, usize) -> bool,
        mut see: impl FnMut(u64, &[u8]),
    ) -> Result<()> {
        let (kind, positions) = (self.kind, self.positions);
        let mut run = [0; 256];
        let (mut at, mut end) = (0u64, 0u64);
        for page in 0..self.pages.map_or(1, |pages| pages.sums.len()) {
            let (to, start) = self.page_values(page, at, end)?;
            if kind == StoreKind::Plain {
                end = 0;
            }
            while at < to {
                let run = &mut run[..256.min(to - at) as usize];
                positions.read(at, run)?;
                for &position in &*run {
                    let from = end;
                    end = match kind {
                        StoreKind::Plain => {
                            end.checked_add(position).or_damaged("a length is out of range")?
                        }
                        StoreKind::Dictionary => position,
                    };
                    let len = end.checked_sub(from).and_then(|len| usize::try_from(len).ok());
                    if wanted(at, len.or_damaged("the entries of a dictionary are out of order")?) {
                        let bytes = self.page(page)?;
                        let range = from.checked_sub(start).zip(end.checked_sub(start));
                        let value = range.and_then(|(from, to)| bytes.get(from as usize..to as usize));
                        see(at, value.or_damaged("a value lies outside of its page")?);
                    }
                    at += 1;
                }
            }
        }
        (at == self.len()).then_some(()).or_damaged("the pages of a store do not hold all its values")
    }

    /// The end of a page's values, which begin at `at`, and what positions in the page count from.
    fn page_values(&self, page: usize, at: u64, end: u64) -> Result<(u64, u64)> {
        let Some(pages) = self.pages else { return Ok((self.len(), 0)) };
        let first = |page: usize| pages.first_values.get(page).map(|v| u64::from(v.to_native()));
        let to = first(page + 1).unwrap_or(self.len());
        let start = match self.kind {
            StoreKind::Plain => 0,
            StoreKind::Dictionary => end,
        };
        let raw_start = pages.raw_starts.get(page).map(|v| v.to_native());
        let is_in_order = first(page) == Some(at)
            && to >= at
            && to <= self.len()
            && (self.kind == StoreKind::Plain || raw_start == Some(end));
        is_in_order.then_some((to, start)).or_damaged("the pages of a store are out of order")
    }

    /// Reads every page and every position.
    pub fn verify(&mut self) -> Result<()> {
        for page in 0..self.pages.map_or(0, |pages| pages.sums.len()) {
            self.page(page)?;
        }
        for at in 0..self.positions.checks() {
            self.get(at)?;
        }
        if self.len() > 0 {
            self.get(self.len() - 1)?;
        }
        Ok(())
    }
}

thread_local! {
    static INFLATER: std::cell::RefCell<Option<zstd::bulk::Decompressor<'static>>> =
        const { std::cell::RefCell::new(None) };
}

fn inflate(stored: &[u8], raw_len: usize, out: &mut Vec<u8>) -> Result<()> {
    if raw_len > MAX_INFLATED.max(stored.len().saturating_mul(MAX_RATIO)) {
        return Err(BlockError::Damaged("a page would inflate to more than its size allows"));
    }
    out.clear();
    out.reserve(raw_len);
    INFLATER.with_borrow_mut(|kept| {
        if kept.is_none() {
            *kept = zstd::bulk::Decompressor::new().ok();
        }
        let inflater = kept.as_mut().or_damaged("no memory to inflate a page")?;
        let len = inflater.decompress_to_buffer(stored, out);
        len.ok().filter(|&len| len == raw_len).or_damaged("a page does not inflate to its length")?;
        Ok(())
    })
}
