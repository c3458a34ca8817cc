//! What is asked over gRPC: `SearchRequest`, `SearchTagsRequest`, `SearchTagValuesRequest`, `QueryRangeRequest`,
//! `QueryInstantRequest`. Zero and empty mean that nothing was said; fields for the inner traffic of other
//! servers are skipped.

use spanloom_span::proto::{ProtoError, Reader, Value};

/// Why bytes are not the request that is expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// They are not protobuf.
    #[error("the request is not protobuf: {0}")]
    Proto(#[from] ProtoError),
    /// A field has another type than it should.
    #[error("field {0} of the request has the wrong type, expected that of its proto file")]
    Type(u32),
    /// A string is not UTF-8.
    #[error("field {0} of the request is not UTF-8")]
    Text(u32),
}

/// `SearchRequest {1 Tags, 2 MinDurationMs, 3 MaxDurationMs, 4 Limit, 5 start, 6 end, 8 Query,
/// 9 SpansPerSpanSet}`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Search {
    /// Names and values, in the order sent.
    pub tags: Vec<(String, String)>,
    /// Of the trace's duration, milliseconds.
    pub min_duration_ms: u32,
    /// Of the trace's duration, milliseconds.
    pub max_duration_ms: u32,
    /// Most traces.
    pub limit: u32,
    /// Seconds since 1970.
    pub start: u32,
    /// Seconds since 1970.
    pub end: u32,
    /// TraceQL.
    pub query: String,
    /// Most spans shown of each spanset.
    pub spans_per_spanset: u32,
}

impl Search {
    /// Reads a request.
    pub fn decode(bytes: &[u8]) -> Result<Self, RequestError> {
        let mut out = Self::default();
        each(bytes, |field| {
            match field.number {
                1 => out.tags.push(field.entry()?),
                2 => out.min_duration_ms = field.short()?,
                3 => out.max_duration_ms = field.short()?,
                4 => out.limit = field.short()?,
                5 => out.start = field.short()?,
                6 => out.end = field.short()?,
                8 => out.query = field.text()?,
                9 => out.spans_per_spanset = field.short()?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(out)
    }
}

/// `SearchTagsRequest {1 scope, 2 query, 3 start, 4 end, 5 maxTagsPerScope}`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tags {
    /// One scope alone.
    pub scope: String,
    /// TraceQL.
    pub query: String,
    /// Seconds since 1970.
    pub start: u32,
    /// Seconds since 1970.
    pub end: u32,
    /// Most names of each scope.
    pub limit: u32,
}

impl Tags {
    /// Reads a request.
    pub fn decode(bytes: &[u8]) -> Result<Self, RequestError> {
        let mut out = Self::default();
        each(bytes, |field| {
            match field.number {
                1 => out.scope = field.text()?,
                2 => out.query = field.text()?,
                3 => out.start = field.short()?,
                4 => out.end = field.short()?,
                5 => out.limit = field.short()?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(out)
    }
}

/// `SearchTagValuesRequest {1 tagName, 2 query, 4 start, 5 end, 6 maxTagValues}`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TagValues {
    /// A field.
    pub tag: String,
    /// TraceQL.
    pub query: String,
    /// Seconds since 1970.
    pub start: u32,
    /// Seconds since 1970.
    pub end: u32,
    /// Most values.
    pub limit: u32,
}

impl TagValues {
    /// Reads a request.
    pub fn decode(bytes: &[u8]) -> Result<Self, RequestError> {
        let mut out = Self::default();
        each(bytes, |field| {
            match field.number {
                1 => out.tag = field.text()?,
                2 => out.query = field.text()?,
                4 => out.start = field.short()?,
                5 => out.end = field.short()?,
                6 => out.limit = field.short()?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(out)
    }
}

/// `QueryRangeRequest {1 query, 2 start, 3 end, 4 step, 16 exemplars, 17 maxSeries}`, or a `QueryInstantRequest`,
/// which has the first three.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metrics {
    /// TraceQL.
    pub query: String,
    /// Nanoseconds since 1970.
    pub start: u64,
    /// Nanoseconds since 1970.
    pub end: u64,
    /// Nanoseconds.
    pub step: u64,
    /// Most exemplars.
    pub exemplars: u32,
    /// Most series.
    pub max_series: u32,
}

impl Metrics {
    /// Reads a `QueryRangeRequest`.
    pub fn decode_range(bytes: &[u8]) -> Result<Self, RequestError> {
        let mut out = Self::decode_instant(bytes)?;
        each(bytes, |field| {
            match field.number {
                4 => out.step = field.long()?,
                16 => out.exemplars = field.short()?,
                17 => out.max_series = field.short()?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(out)
    }

    /// Reads a `QueryInstantRequest`.
    pub fn decode_instant(bytes: &[u8]) -> Result<Self, RequestError> {
        let mut out = Self::default();
        each(bytes, |field| {
            match field.number {
                1 => out.query = field.text()?,
                2 => out.start = field.long()?,
                3 => out.end = field.long()?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(out)
    }
}

/// A field of a message.
pub(crate) struct Field<'a> {
    pub number: u32,
    value: Value<'a>,
}

/// Calls `read` with each field of a message.
pub(crate) fn each<'a>(
    bytes: &'a [u8],
    mut read: impl FnMut(Field<'a>) -> Result<(), RequestError>,
) -> Result<(), RequestError> {
    let mut reader = Reader::new(bytes);
    while let Some((number, value)) = reader.next()? {
        read(Field { number, value })?;
    }
    Ok(())
}

impl<'a> Field<'a> {
    /// The body of a message, or bytes.
    pub fn bytes(&self) -> Result<&'a [u8], RequestError> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(RequestError::Type(self.number)),
        }
    }

    pub fn long(&self) -> Result<u64, RequestError> {
        match self.value {
            Value::Varint(value) => Ok(value),
            _ => Err(RequestError::Type(self.number)),
        }
    }

    /// 32 bits; more are cut off, as protobuf has it.
    pub fn short(&self) -> Result<u32, RequestError> {
        self.long().map(|value| value as u32)
    }

    pub fn text(&self) -> Result<String, RequestError> {
        let bytes = self.bytes()?;
        let text = std::str::from_utf8(bytes).map_err(|_| RequestError::Text(self.number))?;
        Ok(text.to_owned())
    }

    /// An entry of a map from strings to strings.
    pub fn entry(&self) -> Result<(String, String), RequestError> {
        let bytes = self.bytes()?;
        let (mut key, mut value) = (String::new(), String::new());
        each(bytes, |field| {
            match field.number {
                1 => key = field.text()?,
                2 => value = field.text()?,
                _ => {}
            }
            Ok(())
        })?;
        Ok((key, value))
    }
}
