//! What a table of messages says: names, numbers and kinds of their fields.

/// A message.
pub struct Message {
    /// Its fields, those that come first in most requests first. None has a number above 31.
    pub fields: &'static [Field],
    /// Whether it may lie within itself; then its levels are counted.
    pub nests: bool,
}

/// A field.
pub struct Field {
    /// In JSON.
    pub name: &'static str,
    /// The same as nearly all senders write it: in quotes, and a colon right behind.
    pub quoted: &'static str,
    /// In the proto file.
    pub snake: &'static str,
    /// On the wire.
    pub number: u32,
    /// What it holds.
    pub kind: Kind,
    /// Whether it is a list.
    pub repeated: bool,
    /// Whether it is one of several of which one may be set; then zero values are written too.
    pub oneof: bool,
}

/// What a field holds, and how it is written.
#[derive(Clone, Copy)]
pub enum Kind {
    String,
    /// Hexadecimal text; so many bytes.
    Id(usize),
    Base64,
    Bool,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Fixed64,
    Fixed32,
    Double,
    /// Names by value.
    Enum(&'static [&'static str]),
    Message(&'static Message),
    /// A map: an object whose keys are strings. Its entries have the key as field 1 and this as field 2.
    Map(&'static Field),
    /// A `google.protobuf.Timestamp`: text as RFC 3339 has it.
    Timestamp,
    /// A message of `google/protobuf/wrappers.proto`: written as the value that it wraps.
    Wrapper(&'static Field),
}

impl Message {
    /// A message that does not lie within itself.
    pub const fn of(fields: &'static [Field]) -> Self {
        Self { fields, nests: false }
    }

    /// The field of that name. `next` is where it is looked for first: most senders write fields in order, though
    /// they leave some out.
    pub fn find(&self, name: &[u8], next: usize) -> Option<usize> {
        let (before, after) = self.fields.split_at(next.min(self.fields.len()));
        let position =
            after.iter().position(|field| field.name.as_bytes() == name).map(|index| before.len() + index);
        let position = position.or_else(|| before.iter().position(|field| field.name.as_bytes() == name));
        position.or_else(|| self.fields.iter().position(|field| field.snake.as_bytes() == name))
    }
}

/// A field: `field!("name in JSON", "name in the proto file", number, kind)`.
macro_rules! field {
    ($name:literal, $snake:literal, $number:literal, $kind:expr) => {
        $crate::json_in::schema::Field {
            name: $name,
            quoted: concat!("\"", $name, "\":"),
            snake: $snake,
            number: $number,
            kind: $kind,
            repeated: false,
            oneof: false,
        }
    };
}

/// A field that is a list.
macro_rules! list {
    ($($field:tt)*) => {
        $crate::json_in::schema::Field { repeated: true, ..field!($($field)*) }
    };
}

/// One field of a `oneof`.
macro_rules! choice {
    ($($field:tt)*) => {
        $crate::json_in::schema::Field { oneof: true, ..field!($($field)*) }
    };
}

pub(crate) use {choice, field, list};
