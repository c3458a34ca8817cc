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

    /// The field of that name.
    pub fn find(&self, name: &str) -> Option<usize> {
        let position = self.fields.iter().position(|field| field.name == name);
        position.or_else(|| self.fields.iter().position(|field| field.snake == name))
    }
}

/// A field that stands once.
pub const fn field(name: &'static str, snake: &'static str, number: u32, kind: Kind) -> Field {
    Field { name, snake, number, kind, repeated: false, oneof: false }
}

/// A field that is a list.
pub const fn list(name: &'static str, snake: &'static str, number: u32, kind: Kind) -> Field {
    Field { name, snake, number, kind, repeated: true, oneof: false }
}

/// One field of a `oneof`.
pub const fn choice(name: &'static str, snake: &'static str, number: u32, kind: Kind) -> Field {
    Field { name, snake, number, kind, repeated: false, oneof: true }
}
