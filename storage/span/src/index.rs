//! The slices of a batch as bytes: what slicing found in a request, so that whoever is sent both need not walk the
//! request again. `docs/formats/peer.md`, "Push sliced", has the layout.
//!
//! Reading them checks that they fit the request: every stretch lies in it, every index points to something, and each
//! span's own trace id is that of its trace. That the spans are valid in themselves (UTF-8, lengths, depth) is taken from
//! whoever sliced it; all who read spans later go on with errors where they are not.

use bytes::Bytes;

use crate::TraceId;
use crate::batch::{Batch, ResourceSlice, ScopeSlice, SpanSlice, Stretch, TraceGroup};
use crate::proto::put_varint;
use crate::view::{SpanField, SpanFields};

/// Slices that are not those of the request that they came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the slices that came with the request do not fit it: {0}")]
pub struct IndexError(&'static str);

type Result<T> = std::result::Result<T, IndexError>;

impl Batch {
    /// Its slices as bytes: some 8 for each span.
    pub fn index(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.spans.len() * 6 + self.groups.len() * 40);
        put_varint(&mut out, self.resources.len() as u64);
        for resource in &self.resources {
            [resource.resource, resource.schema_url, resource.service]
                .iter()
                .for_each(|part| put_stretch(&mut out, *part));
        }
        put_varint(&mut out, self.scopes.len() as u64);
        for scope in &self.scopes {
            put_varint(&mut out, scope.resource.into());
            [scope.scope, scope.schema_url].iter().for_each(|part| put_stretch(&mut out, *part));
        }
        put_varint(&mut out, self.refused_spans.into());
        put_varint(&mut out, self.groups.len() as u64);
        let mut end = 0;
        for group in &self.groups {
            out.extend_from_slice(&group.id.0);
            put_varint(&mut out, group.count.into());
            put_varint(&mut out, group.errors.into());
            out.extend_from_slice(&group.start.to_le_bytes());
            out.extend_from_slice(&group.end.to_le_bytes());
            put_varint(&mut out, group.root.map_or(0, |root| u64::from(root - group.first) + 1));
            for span in self.group_spans(group) {
                put_varint(&mut out, span.scope.into());
                put_varint(&mut out, span.body.len() as u64);
                // Most follow closely on the one before.
                let ahead = i64::from(span.body.from) - end;
                put_varint(&mut out, (ahead << 1 ^ ahead >> 63) as u64);
                end = span.body.to.into();
            }
        }
        out
    }

    /// A request that was sliced before, with its slices.
    pub fn indexed(bytes: Bytes, index: &[u8]) -> Result<Self> {
        let len = u32::try_from(bytes.len()).map_err(|_| IndexError("it has 4 GiB or more"))?;
        let mut read = Index { rest: index, len };
        let resources = read.list(3, |read| {
            let (resource, schema_url) = (read.stretch()?, read.stretch()?);
            Ok(ResourceSlice { resource, schema_url, service: read.stretch()? })
        })?;
        let scopes = read.list(3, |read| {
            let resource = read.below(resources.len(), "a scope of no resource")?;
            Ok(ScopeSlice { resource, scope: read.stretch()?, schema_url: read.stretch()? })
        })?;
        let refused_spans = read.number()?;
        let mut spans = Vec::with_capacity(read.rest.len() / 6);
        let mut end = 0;
        let groups = read.list(35, |read| read.group(&bytes, scopes.len(), &mut spans, &mut end))?;
        if !read.rest.is_empty() {
            return Err(IndexError("bytes are left over"));
        }
        Ok(Self { bytes, resources, scopes, spans, groups, refused_spans, permit: None })
    }
}

fn put_stretch(out: &mut Vec<u8>, stretch: Stretch) {
    put_varint(out, stretch.len() as u64);
    if !stretch.is_empty() {
        put_varint(out, stretch.from.into());
    }
}

struct Index<'a> {
    rest: &'a [u8],
    /// Bytes of the request.
    len: u32,
}

impl Index<'_> {
    fn varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for (place, &byte) in self.rest.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                self.rest = &self.rest[place + 1..];
                return Ok(value);
            }
        }
        Err(IndexError("a number is cut short or too long"))
    }

    fn number(&mut self) -> Result<u32> {
        u32::try_from(self.varint()?).map_err(|_| IndexError("a number is 4 Gi or more"))
    }

    fn below(&mut self, count: usize, what: &'static str) -> Result<u32> {
        let number = self.number()?;
        if (number as usize) < count { Ok(number) } else { Err(IndexError(what)) }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(IndexError("they are cut short"))?;
        self.rest = rest;
        Ok(*taken)
    }

    fn within(&self, from: u32, len: u32) -> Result<Stretch> {
        let to = from.checked_add(len).filter(|to| *to <= self.len);
        Ok(Stretch { from, to: to.ok_or(IndexError("a stretch lies beyond its end"))? })
    }

    fn stretch(&mut self) -> Result<Stretch> {
        match self.number()? {
            0 => Ok(Stretch::default()),
            len => {
                let from = self.number()?;
                self.within(from, len)
            }
        }
    }

    /// As many as the count before them says, each of which takes at least so many bytes.
    fn list<T>(&mut self, least: usize, mut one: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let count = self.number()? as usize;
        if count > self.rest.len() / least {
            return Err(IndexError("they are cut short"));
        }
        (0..count).map(|_| one(self)).collect()
    }

    fn group(
        &mut self,
        request: &Bytes,
        scopes: usize,
        spans: &mut Vec<SpanSlice>,
        end: &mut u32,
    ) -> Result<TraceGroup> {
        let id = TraceId(self.array()?);
        if id == TraceId::default() {
            return Err(IndexError("a trace id is zero"));
        }
        let (count, errors) = (self.number()?, self.number()?);
        let (start, latest) = (u64::from_le_bytes(self.array()?), u64::from_le_bytes(self.array()?));
        let root = self.number()?.checked_sub(1);
        if count == 0 || errors > count || root.is_some_and(|root| root >= count) {
            return Err(IndexError("a trace has no spans, or fewer than are told of"));
        }
        // Requests are below 4 GiB, so a span of at least one byte each gives fewer than 4 Gi.
        let first = spans.len() as u32;
        let mut bytes = 0u32;
        for _ in 0..count {
            let (scope, len) = (self.below(scopes, "a span of no scope")?, self.number()?);
            let ahead = self.varint()?;
            let ahead = (ahead >> 1) as i64 ^ -((ahead & 1) as i64);
            let from = i64::from(*end).checked_add(ahead).and_then(|from| u32::try_from(from).ok());
            let body = self.within(from.ok_or(IndexError("a span lies nowhere"))?, len)?;
            if !is_of(&request[body.range()], id) {
                return Err(IndexError("a span is of another trace"));
            }
            *end = body.to;
            bytes = bytes.checked_add(len).ok_or(IndexError("a trace is larger than the request"))?;
            spans.push(SpanSlice { body, scope });
        }
        let root = root.map(|root| first + root);
        Ok(TraceGroup { id, first, count, bytes, errors, start, end: latest, root })
    }
}

/// Whether a span is of a trace.
#[inline]
fn is_of(body: &[u8], id: TraceId) -> bool {
    // Nearly all senders write the trace id first.
    if let Some((&[0x0a, 16], rest)) = body.split_first_chunk::<2>()
        && rest.first_chunk::<16>() == Some(&id.0)
    {
        return true;
    }
    let mut fields = SpanFields::new(body);
    let mut found: &[u8] = &[];
    while let Ok(Some(field)) = fields.next() {
        if let SpanField::TraceId(bytes) = field {
            found = bytes;
        }
    }
    found == id.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;

    use super::*;
    use crate::slice::tests::request;
    use crate::slice::{SliceLimits, slice};

    fn sliced(bytes: &Bytes) -> Batch {
        slice(bytes.clone(), &SliceLimits::default()).unwrap()
    }

    #[track_caller]
    fn same(left: &Batch, right: &Batch) {
        assert_eq!(left.bytes, right.bytes);
        assert_eq!(left.resources, right.resources);
        assert_eq!(left.scopes, right.scopes);
        assert_eq!(left.spans, right.spans);
        assert_eq!(left.groups, right.groups);
        assert_eq!(left.refused_spans, right.refused_spans);
    }

    proptest! {
        #[test]
        fn slices_come_back_as_they_were(request in request()) {
            let bytes = Bytes::from(request.encode_to_vec());
            let batch = sliced(&bytes);
            same(&Batch::indexed(bytes, &batch.index()).unwrap(), &batch);
        }

        #[test]
        fn what_is_extracted_is_sliced_as_by_a_walk(request in request(), keep in any::<u8>()) {
            let batch = sliced(&request.encode_to_vec().into());
            let groups = batch.groups().iter().zip(0..).filter(|(_, at)| keep >> at & 1 == 1);
            let groups: Vec<_> = groups.map(|(group, _)| group).collect();
            let extracted = batch.extract_batch(&groups);
            assert_eq!(extracted.bytes, batch.extract_all(groups.into_iter()));
            same(&extracted, &sliced(extracted.bytes()));
        }

        #[test]
        fn slices_that_do_not_fit_are_refused_or_stay_within(
            request in request(),
            at in any::<prop::sample::Index>(),
            flip in 1u8..,
            cut in any::<bool>(),
        ) {
            let bytes = Bytes::from(request.encode_to_vec());
            let mut index = sliced(&bytes).index();
            let at = at.index(index.len());
            if cut { index.truncate(at) } else { index[at] ^= flip }
            if let Ok(batch) = Batch::indexed(bytes, &index) {
                prop_assert!(!cut);
                let spans: u32 = batch.groups().iter().map(|group| group.count).sum();
                prop_assert_eq!(spans as usize, batch.spans().len());
                for group in batch.groups() {
                    prop_assert!(group.root.is_none_or(|root| (root as usize) < batch.spans().len()));
                    for span in batch.group_spans(group) {
                        prop_assert!(is_of(batch.get(span.body), group.id));
                        let scope = batch.scopes()[span.scope as usize];
                        let resource = batch.resources()[scope.resource as usize];
                        let parts = [scope.scope, scope.schema_url, resource.resource, resource.service];
                        assert!(parts.iter().all(|part| batch.get(*part).len() == part.len()));
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let check = |request: &[u8], index: &[u8], expected: &str| {
            let error = Batch::indexed(Bytes::copy_from_slice(request), index).unwrap_err();
            let expected = format!("the slices that came with the request do not fit it: {expected}");
            assert_eq!(error.to_string(), expected);
        };
        check(b"", b"", "a number is cut short or too long");
        check(b"", &[0, 0, 0, 0, 9], "bytes are left over");
        check(b"", &[255, 255, 3, 0], "they are cut short");
        check(b"", &[1, 1, 0, 0, 0], "a stretch lies beyond its end");
        check(b"", &[0, 1, 0, 0, 0], "a scope of no resource");
        let group = [&[0, 0, 0, 1], &[7; 16][..], &[1, 0], &[0; 16], &[0], &[0, 0, 0]].concat();
        check(b"", &group, "a span of no scope");
        let of_none = [&[0, 0, 0, 1], &[7; 16][..], &[0, 0], &[0; 16], &[0], &[0, 0, 0]].concat();
        check(b"", &of_none, "a trace has no spans, or fewer than are told of");
        let zero = [&[0, 0, 0, 1], &[0; 16][..], &[1, 0], &[0; 16], &[0], &[0, 0, 0]].concat();
        check(b"", &zero, "a trace id is zero");
        let other =
            [&[1, 0, 0, 0, 1, 0, 0, 0, 0, 1], &[7; 16][..], &[1, 0], &[0; 16], &[0], &[0, 18, 0]].concat();
        let span = [&[10, 16], &[8; 16][..]].concat();
        check(&span, &other, "a span is of another trace");
    }
}
