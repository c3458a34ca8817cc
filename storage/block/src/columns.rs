//! What a column is: a table, and in it either a fixed field or an attribute of one key and one type.
//! `docs/formats/block.md`, sections "Tables" and "Fields", has the numbers.

use spanloom_span::view::ValueView;

/// The tables of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// One row a span: traces ascending by id, in a trace by arrival.
    Spans = 0,
    /// One row an event, in the order of their spans.
    Events = 1,
    /// One row a link, in the order of their spans.
    Links = 2,
    /// One row for each distinct resource with its schema url.
    Resources = 3,
    /// One row for each distinct scope with its schema url, of one resource.
    Scopes = 4,
    /// One row a trace, ascending by id.
    Traces = 5,
}

impl Table {
    /// All tables, by number.
    pub const ALL: [Table; 6] =
        [Self::Spans, Self::Events, Self::Links, Self::Resources, Self::Scopes, Self::Traces];

    /// The table's name.
    pub fn name(self) -> &'static str {
        ["span", "event", "link", "resource", "scope", "trace"][self as usize]
    }

    /// Whether its rows are cut into row groups.
    pub(crate) fn is_grouped(self) -> bool {
        matches!(self, Self::Spans | Self::Events | Self::Links)
    }

    /// Integers in front of the columns in a shape of this table: a span's kind, status code and flags.
    pub(crate) fn shape_header(self) -> usize {
        if self == Self::Spans { 3 } else { 0 }
    }

    pub(crate) fn of(number: u8) -> Option<Self> {
        Self::ALL.get(number as usize).copied()
    }
}

/// The type of an attribute's values, and so part of the column's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ValueType {
    /// No value was set.
    Empty = 0,
    /// Text.
    Str = 1,
    /// 0 or 1.
    Bool = 2,
    /// Signed; kept with the sign bit flipped, so that order is kept.
    Int = 3,
    /// A float's bits.
    Double = 4,
    /// Body of an `ArrayValue`.
    Array = 5,
    /// Body of a `KeyValueList`.
    Map = 6,
    /// Bytes.
    Bytes = 7,
}

impl ValueType {
    const ALL: [ValueType; 8] =
        [Self::Empty, Self::Str, Self::Bool, Self::Int, Self::Double, Self::Array, Self::Map, Self::Bytes];

    pub(crate) fn of(number: u8) -> Option<Self> {
        Self::ALL.get(number as usize).copied()
    }

    pub(crate) fn of_value(value: &ValueView<'_>) -> Self {
        match value {
            ValueView::Empty => Self::Empty,
            ValueView::Str(_) => Self::Str,
            ValueView::Bool(_) => Self::Bool,
            ValueView::Int(_) => Self::Int,
            ValueView::Double(_) => Self::Double,
            ValueView::Array(_) => Self::Array,
            ValueView::Map(_) => Self::Map,
            ValueView::Bytes(_) => Self::Bytes,
        }
    }

    /// What is stored for a value of this type.
    pub(crate) fn storage(self) -> Storage {
        match self {
            Self::Empty => Storage::Marker,
            Self::Bool | Self::Int | Self::Double => Storage::Ints,
            Self::Str | Self::Array | Self::Map | Self::Bytes => Storage::Bytes,
        }
    }

    /// The type's name.
    pub fn name(self) -> &'static str {
        ["empty", "string", "bool", "int", "double", "array", "map", "bytes"][self as usize]
    }
}

/// What a column stores for a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    /// Nothing: that the row's shape names the column says all.
    Marker,
    /// An integer.
    Ints,
    /// Bytes.
    Bytes,
}

/// What a column that is no attribute holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs)] // the names are those of OTLP; the others are explained in docs/formats/block.md
pub(crate) enum Field {
    Attribute = 0,
    Shape = 1,
    Ranks = 2,
    SpanId = 3,
    Parent = 4,
    Start = 5,
    Duration = 6,
    Scope = 7,
    Name = 8,
    ParentBytes = 9,
    TraceState = 10,
    End = 11,
    DroppedAttributes = 12,
    DroppedEvents = 13,
    DroppedLinks = 14,
    StatusMessage = 15,
    StatusUnknown = 16,
    Unknown = 17,
    NewScopeSpans = 18,
    NewResourceSpans = 19,
    EventsEnd = 20,
    LinksEnd = 21,
    Overflow = 22,
    Time = 23,
    LinkTraceId = 24,
    LinkSpanId = 25,
    Flags = 26,
    SchemaUrl = 27,
    Resource = 28,
    Version = 29,
    FirstRow = 30,
    RootRow = 31,
    Errors = 32,
    SealedThrough = 33,
    FirstOrphan = 34,
    Orphan = 35,
    Class = 36,
    Marks = 37,
    Digest = 38,
}

/// How many fields there are.
pub(crate) const FIELDS: usize = 39;

/// Names, storage and whether every row has a value, by number.
const DESCRIPTIONS: [(&str, Storage, bool); FIELDS] = {
    use Storage::{Bytes, Ints, Marker};
    [
        ("attribute", Marker, false),
        ("shape", Ints, true),
        ("ranks", Ints, true),
        ("span id", Ints, true),
        ("parent", Ints, true),
        ("start", Ints, true),
        ("duration", Ints, true),
        ("scope", Ints, true),
        ("name", Bytes, true),
        ("parent bytes", Bytes, false),
        ("trace state", Bytes, false),
        ("end", Ints, false),
        ("dropped attributes", Ints, false),
        ("dropped events", Ints, false),
        ("dropped links", Ints, false),
        ("status message", Bytes, false),
        ("status unknown", Bytes, false),
        ("unknown", Bytes, false),
        ("new scope spans", Marker, false),
        ("new resource spans", Marker, false),
        ("events end", Ints, false),
        ("links end", Ints, false),
        ("overflow", Bytes, false),
        ("time", Ints, true),
        ("link trace id", Bytes, true),
        ("link span id", Bytes, true),
        ("flags", Ints, false),
        ("schema url", Bytes, true),
        ("resource", Ints, true),
        ("version", Bytes, true),
        ("first row", Ints, true),
        ("root row", Ints, true),
        ("errors", Ints, true),
        ("sealed through", Ints, true),
        ("first orphan", Ints, true),
        ("orphan", Ints, true),
        ("class", Ints, true),
        ("marks", Ints, true),
        ("digest", Ints, true),
    ]
};

impl Field {
    pub(crate) fn name(number: u8) -> &'static str {
        DESCRIPTIONS.get(number as usize).map_or("?", |d| d.0)
    }

    pub(crate) fn storage_of(number: u8) -> Storage {
        DESCRIPTIONS.get(number as usize).map_or(Storage::Marker, |d| d.1)
    }

    /// Whether every row has a value; the other fields are named in the rows' shapes, as attributes are.
    pub(crate) fn is_dense(number: u8) -> bool {
        DESCRIPTIONS.get(number as usize).is_some_and(|d| d.2)
    }

    /// The fields of a table, in the order of their columns; [`Field::Overflow`] is in all with attributes.
    pub(crate) fn of_table(table: Table) -> &'static [Field] {
        use Field::*;
        match table {
            Table::Spans => &[
                Shape,
                Ranks,
                Class,
                SpanId,
                Parent,
                Start,
                Duration,
                Scope,
                Name,
                ParentBytes,
                TraceState,
                End,
                DroppedAttributes,
                DroppedEvents,
                DroppedLinks,
                StatusMessage,
                StatusUnknown,
                Unknown,
                NewScopeSpans,
                NewResourceSpans,
                EventsEnd,
                LinksEnd,
                Overflow,
            ],
            Table::Events => &[Shape, Ranks, Time, Name, DroppedAttributes, Unknown, Overflow],
            Table::Links => &[
                Shape,
                Ranks,
                LinkTraceId,
                LinkSpanId,
                TraceState,
                DroppedAttributes,
                Flags,
                Unknown,
                Overflow,
            ],
            Table::Resources => &[Shape, Ranks, SchemaUrl, DroppedAttributes, Unknown, Overflow],
            Table::Scopes => {
                &[Shape, Ranks, Resource, Name, Version, SchemaUrl, DroppedAttributes, Unknown, Overflow]
            }
            Table::Traces => &[
                FirstRow,
                Start,
                Duration,
                RootRow,
                Errors,
                SealedThrough,
                FirstOrphan,
                Orphan,
                Marks,
                Digest,
            ],
        }
    }
}

/// The bit of a trace's marks that says that two of its spans share an id.
pub(crate) const MARK_SHARED_ID: u64 = 1;

/// Flips the sign bit, so that signed order becomes unsigned order, and back.
pub(crate) fn flip_sign(value: u64) -> u64 {
    value ^ (1 << 63)
}

/// Small signed numbers to small unsigned ones: 0, -1, 1, -2 to 0, 1, 2, 3.
pub(crate) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Back from [`zigzag`].
pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
