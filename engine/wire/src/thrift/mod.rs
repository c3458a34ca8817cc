//! Apache Thrift's two wire formats over a slice: TBinary and TCompact, as far as tracing formats use them.
//!
//! Nothing is copied or allocated while reading, and nothing is believed: a length is checked against what is
//! left before it is used, a container of n elements must have room for n of the smallest, nesting is
//! counted. [`Limits`] names the bounds. What is read is a stream of fields; unknown ones are skipped by
//! their type:
//!
//! ```
//! use spanloom_wire::Foreign;
//! use spanloom_wire::thrift::{CompactReader, Fields, Limits, Reader, Type};
//!
//! /// `struct Endpoint { 1: i32 ipv4, 3: string service_name }`
//! fn endpoint<'a>(input: &mut impl Reader<'a>) -> Result<(i32, &'a [u8]), Foreign> {
//!     let (mut ipv4, mut service) = (0, &b""[..]);
//!     let mut fields = Fields::new("Endpoint");
//!     while let Some(field) = input.field(&mut fields)? {
//!         match field.id {
//!             1 => ipv4 = input.i32_of(&field)?,
//!             3 => service = input.bytes_of(&field)?,
//!             _ => input.skip(field.kind)?,
//!         }
//!     }
//!     Ok((ipv4, service))
//! }
//!
//! let bytes = [0x15, 0x02, 0x28, 0x04, b'c', b'a', b'r', b't', 0x00];
//! let mut input = CompactReader::new(&bytes, Limits::default())?;
//! assert_eq!(endpoint(&mut input)?, (1, &b"cart"[..]));
//! # Ok::<(), Foreign>(())
//! ```
//!
//! Sources: <https://github.com/apache/thrift/blob/master/doc/specs/thrift-binary-protocol.md> and
//! `thrift-compact-protocol.md` beside it.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | types, limits, headers: what both formats share |
//! | `reader.rs` | what a reader can do, and how values are skipped |
//! | `cursor.rs` | the slice and the place in it |
//! | `binary.rs` | TBinary, strict and old |
//! | `compact.rs` | TCompact |
//! | `write.rs` | writing either |

mod binary;
mod compact;
mod cursor;
mod reader;
#[cfg(test)]
mod tests;
mod write;

pub use binary::BinaryReader;
pub use compact::CompactReader;
#[cfg(test)]
pub(crate) use cursor::Cursor;
pub use reader::Reader;
pub use write::Writer;

/// Which of the two formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// TBinaryProtocol: fixed widths, big endian.
    Binary,
    /// TCompactProtocol: varints, field ids as differences.
    Compact,
}

impl Protocol {
    /// The name it is known by.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Binary => "TBinary",
            Protocol::Compact => "TCompact",
        }
    }
}

/// What a message may hold. Each bound guards against a sender that is wrong or hostile, and is far above
/// what real clients send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole message. The listeners bound bodies and datagrams before; this one is the last.
    pub max_bytes: usize,
    /// Bytes of one string or binary value.
    pub max_string_bytes: usize,
    /// Elements of one list, set or map. That many must also fit into what is left of the message.
    pub max_elements: usize,
    /// Levels of containers and structs within a value that is skipped, at most [`DEEPEST`].
    pub max_depth: u32,
}

/// No limit lets a skipped value nest deeper than this: skipping it takes as many frames of the stack. It is
/// what Apache's own readers allow (`TConfiguration`).
pub const DEEPEST: u32 = 64;

impl Default for Limits {
    /// 64 MiB a message (as large as the largest span that is taken), 16 MiB a string, a million elements, 32
    /// levels.
    fn default() -> Self {
        Self { max_bytes: 64 << 20, max_string_bytes: 16 << 20, max_elements: 1 << 20, max_depth: 32 }
    }
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// True or false.
    Bool,
    /// 8 bits, signed.
    I8,
    /// 16 bits, signed.
    I16,
    /// 32 bits, signed.
    I32,
    /// 64 bits, signed.
    I64,
    /// A double.
    Double,
    /// A string or bytes: they are the same on the wire.
    Bytes,
    /// Fields.
    Struct,
    /// Pairs.
    Map,
    /// Elements, each once.
    Set,
    /// Elements.
    List,
    /// 16 bytes.
    Uuid,
}

impl Type {
    /// The name that Thrift's language has for it.
    pub fn name(self) -> &'static str {
        match self {
            Type::Bool => "bool",
            Type::I8 => "i8",
            Type::I16 => "i16",
            Type::I32 => "i32",
            Type::I64 => "i64",
            Type::Double => "double",
            Type::Bytes => "string",
            Type::Struct => "struct",
            Type::Map => "map",
            Type::Set => "set",
            Type::List => "list",
            Type::Uuid => "uuid",
        }
    }
}

/// A field's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its number in the struct.
    pub id: i16,
    /// The type of its value.
    pub kind: Type,
    /// Where its header begins.
    pub at: usize,
    /// The struct that it stands in.
    pub within: &'static str,
}

/// Where in a struct the reading is: TCompact counts a field's number from that of the field before.
#[derive(Debug, Clone, Copy)]
pub struct Fields {
    last: i16,
    within: &'static str,
}

impl Fields {
    /// At the beginning of a struct of that name, which errors mention.
    #[inline]
    pub fn new(within: &'static str) -> Self {
        Self { last: 0, within }
    }
}

/// The header of a list or set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct List {
    /// The type of each element.
    pub kind: Type,
    /// How many elements follow.
    pub count: usize,
}

/// The header of a map. An empty one may not say its types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Map {
    /// The type of each key.
    pub key: Type,
    /// The type of each value.
    pub value: Type,
    /// How many pairs follow.
    pub count: usize,
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// A call whose caller waits.
    Call,
    /// An answer.
    Reply,
    /// An answer that says what failed.
    Exception,
    /// A call whose caller does not wait.
    OneWay,
}

/// The header of a message: a call of a service's method, before the struct of its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// The method's name.
    pub name: &'a [u8],
    /// Whether it is a call or an answer.
    pub kind: MessageKind,
    /// The caller's number for it.
    pub sequence: i32,
}

impl MessageKind {
    fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => MessageKind::Call,
            2 => MessageKind::Reply,
            3 => MessageKind::Exception,
            4 => MessageKind::OneWay,
            _ => return None,
        })
    }

    fn code(self) -> u8 {
        match self {
            MessageKind::Call => 1,
            MessageKind::Reply => 2,
            MessageKind::Exception => 3,
            MessageKind::OneWay => 4,
        }
    }
}
