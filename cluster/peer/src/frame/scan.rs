//! "Work on these blocks of the store", and what it came to: `docs/formats/peer.md`, "Scan blocks".

use bytes::Bytes;
use spanloom_span::TraceId;

use super::fields::without_payload;
use super::{Fields, FrameError, Kind, Message, Writer};
use crate::{MAX_SCAN_BLOCKS, ScanBlocks, ScanList, ScanQuestion, Scanned, StoreBlock};

const PLACES: &str = "list of places";

impl Message for ScanBlocks {
    const KIND: Kind = Kind::ScanBlocks;

    fn write(self, head: &mut Writer) -> Result<Vec<Bytes>, FrameError> {
        head.tenant(&self.tenant);
        head.u64(self.within_micros);
        write_question(head, &self.question)?;
        few(self.blocks.len())?;
        head.count(self.blocks.len(), "list of blocks")?;
        for block in self.blocks {
            head.u64(block.created);
            head.u64(block.number);
            write_places(head, &block.elsewhere)?;
            write_places(head, &block.sealed)?;
        }
        Ok(Vec::new())
    }

    fn read(head: &mut Fields<'_>, payload: Bytes) -> Result<Self, FrameError> {
        without_payload(&payload)?;
        let tenant = head.tenant()?;
        let within_micros = head.u64("time")?;
        let question = read_question(head)?;
        let count = head.u32("count of blocks")? as usize;
        few(count)?;
        let mut blocks = Vec::new();
        for _ in 0..count {
            blocks.push(StoreBlock {
                created: head.u64("block name")?,
                number: head.u64("block name")?,
                elsewhere: read_places(head)?,
                sealed: read_places(head)?,
            });
        }
        Ok(Self { tenant, within_micros, question, blocks })
    }
}

impl Message for Scanned {
    const KIND: Kind = Kind::Scanned;

    fn write(self, head: &mut Writer) -> Result<Vec<Bytes>, FrameError> {
        [self.traces, self.spans, self.bytes].into_iter().for_each(|count| head.u64(count));
        few(self.shared.len())?;
        head.count(self.shared.len(), "list of blocks")?;
        self.shared.iter().try_for_each(|places| write_places(head, places))?;
        Ok(vec![self.found])
    }

    fn read(head: &mut Fields<'_>, payload: Bytes) -> Result<Self, FrameError> {
        let (traces, spans, bytes) = (head.u64("traces")?, head.u64("spans")?, head.u64("bytes")?);
        let count = head.u32("count of blocks")? as usize;
        few(count)?;
        let mut shared = Vec::new();
        for _ in 0..count {
            shared.push(read_places(head)?);
        }
        Ok(Self { traces, spans, bytes, shared, found: payload })
    }
}

fn write_question(head: &mut Writer, question: &ScanQuestion) -> Result<(), FrameError> {
    match question {
        ScanQuestion::Search { query, start, end, limit, spans, after, floor, every } => {
            head.u8(1);
            head.text(query, "query")?;
            [*start, *end, *limit, *spans].into_iter().for_each(|number| head.u64(number));
            head.u8(u8::from(after.is_some()));
            if let Some((start, id)) = after {
                head.u64(*start);
                head.raw(&id.0);
            }
            head.u64(*floor);
            head.u8(u8::from(*every));
        }
        ScanQuestion::Series { query, first, step, count, closed, max_series, max_bytes, exemplars } => {
            head.u8(2);
            head.text(query, "query")?;
            [*first, *step].into_iter().for_each(|number| head.u64(number));
            head.u32(*count);
            head.u8(u8::from(*closed));
            [*max_series, *max_bytes, *exemplars].into_iter().for_each(|number| head.u64(number));
        }
        ScanQuestion::Names { scope, list } => {
            head.u8(3);
            scope_number(*scope)?;
            head.u8(*scope);
            write_list(head, list)?;
        }
        ScanQuestion::Values { field, list } => {
            head.u8(4);
            head.text(field, "field")?;
            write_list(head, list)?;
        }
    }
    Ok(())
}

fn read_question(head: &mut Fields<'_>) -> Result<ScanQuestion, FrameError> {
    Ok(match head.u8("question")? {
        1 => ScanQuestion::Search {
            query: head.text("query")?.to_owned(),
            start: head.u64("start")?,
            end: head.u64("end")?,
            limit: head.u64("limit")?,
            spans: head.u64("limit of spans")?,
            after: match flag(head, "page")? {
                true => Some((head.u64("page")?, TraceId(head.array("page")?))),
                false => None,
            },
            floor: head.u64("floor")?,
            every: flag(head, "flag")?,
        },
        2 => ScanQuestion::Series {
            query: head.text("query")?.to_owned(),
            first: head.u64("first sample")?,
            step: head.u64("step")?,
            count: head.u32("count of samples")?,
            closed: flag(head, "flag")?,
            max_series: head.u64("limit of series")?,
            max_bytes: head.u64("limit of bytes")?,
            exemplars: head.u64("limit of exemplars")?,
        },
        3 => {
            let scope = head.u8("scope")?;
            scope_number(scope)?;
            ScanQuestion::Names { scope, list: read_list(head)? }
        }
        4 => ScanQuestion::Values { field: head.text("field")?.to_owned(), list: read_list(head)? },
        _ => return Err(FrameError::Field { field: "question", problem: "is none of 1 to 4" }),
    })
}

fn write_list(head: &mut Writer, list: &ScanList) -> Result<(), FrameError> {
    head.u8(u8::from(list.filter.is_some()));
    if let Some(filter) = &list.filter {
        head.text(filter, "filter")?;
    }
    [list.start, list.end, list.count, list.bytes].into_iter().for_each(|number| head.u64(number));
    Ok(())
}

fn read_list(head: &mut Fields<'_>) -> Result<ScanList, FrameError> {
    Ok(ScanList {
        filter: match flag(head, "filter")? {
            true => Some(head.text("filter")?.to_owned()),
            false => None,
        },
        start: head.u64("start")?,
        end: head.u64("end")?,
        count: head.u64("limit")?,
        bytes: head.u64("limit of bytes")?,
    })
}

fn write_places(head: &mut Writer, places: &[u32]) -> Result<(), FrameError> {
    ascending(places)?;
    head.count(places.len(), PLACES)?;
    places.iter().for_each(|place| head.u32(*place));
    Ok(())
}

fn read_places(head: &mut Fields<'_>) -> Result<Vec<u32>, FrameError> {
    let places = head.u32s(PLACES)?;
    ascending(&places)?;
    Ok(places)
}

fn flag(head: &mut Fields<'_>, field: &'static str) -> Result<bool, FrameError> {
    match head.u8(field)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(FrameError::Field { field, problem: "is neither 0 nor 1" }),
    }
}

fn scope_number(scope: u8) -> Result<(), FrameError> {
    if usize::from(scope) <= ScanQuestion::SCOPES.len() {
        return Ok(());
    }
    Err(FrameError::Field { field: "scope", problem: "is none of 0 to 5" })
}

fn few(count: usize) -> Result<(), FrameError> {
    if count <= MAX_SCAN_BLOCKS {
        return Ok(());
    }
    Err(FrameError::Field { field: "list of blocks", problem: "has more than 64 entries" })
}

fn ascending(places: &[u32]) -> Result<(), FrameError> {
    if places.is_sorted_by(|a, b| a < b) {
        return Ok(());
    }
    Err(FrameError::Field { field: PLACES, problem: "is not ascending" })
}
