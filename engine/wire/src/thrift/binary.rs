//! TBinary: fixed widths, big endian. Message headers may be strict (with a version) or old (without).

use crate::foreign::Foreign;

use super::cursor::{Cursor, malformed};
use super::{Field, Fields, Limits, List, Map, Message, MessageKind, Reader, Type};

/// The upper half of a strict message's first word.
pub(super) const VERSION: u32 = 0x8001_0000;

/// The longest name that a method may have in an old header. Without it, a text's first letters would be
/// taken for a length.
const MAX_METHOD_NAME: u32 = 1024;
/// How a message begins.
const BEGIN: &str = "a TBinary message (0x8001 or the length of a method's name)";

/// Reads TBinary from a slice.
#[derive(Debug, Clone)]
pub struct BinaryReader<'a> {
    cursor: Cursor<'a>,
}

impl<'a> BinaryReader<'a> {
    /// Starts at the first byte of a message or value.
    pub fn new(bytes: &'a [u8], limits: Limits) -> Result<Self, Foreign> {
        Ok(Self { cursor: Cursor::new(bytes, limits)? })
    }

    /// A length or count: an `i32` that is not negative.
    #[inline]
    fn size(&mut self) -> Result<usize, Foreign> {
        let at = self.cursor.at();
        let size = self.i32()?;
        if size < 0 {
            return Err(malformed(at, format!("the length {size}"), "one that is not negative"));
        }
        Ok(size as usize)
    }

    /// The type of a container's elements. Some writers give an empty container no type.
    #[inline]
    fn element(&self, code: u8, count: usize, at: usize) -> Result<Type, Foreign> {
        match type_of(code) {
            Some(kind) => Ok(kind),
            None if count == 0 => Ok(Type::Struct),
            None => Err(malformed(at, format!("elements of type {code}"), "a TBinary type")),
        }
    }

    #[cold]
    fn slow_bytes(&mut self) -> Result<&'a [u8], Foreign> {
        let length = self.size()?;
        self.cursor.string(length)
    }

    /// A header that begins with this word, whose upper bit is set.
    fn strict(&mut self, word: u32) -> Result<Message<'a>, Foreign> {
        if word & 0xffff_0000 != VERSION {
            let found = match word >> 24 {
                0x82 => "0x82, as TCompact begins".to_owned(),
                _ => format!("{word:#010x}"),
            };
            return Err(malformed(0, found, BEGIN));
        }
        let kind = message_kind(word as u8, 3)?;
        let name = self.bytes()?;
        Ok(Message { name, kind, sequence: self.i32()? })
    }
}

fn message_kind(code: u8, at: usize) -> Result<MessageKind, Foreign> {
    MessageKind::from_code(code).ok_or_else(|| malformed(at, format!("message type {code}"), "1 to 4"))
}

/// Types by code. A table, since it is asked for each field.
const TYPES: [Option<Type>; 17] = {
    let mut types = [None; 17];
    types[2] = Some(Type::Bool);
    types[3] = Some(Type::I8);
    types[4] = Some(Type::Double);
    types[6] = Some(Type::I16);
    types[8] = Some(Type::I32);
    types[10] = Some(Type::I64);
    types[11] = Some(Type::Bytes);
    types[12] = Some(Type::Struct);
    types[13] = Some(Type::Map);
    types[14] = Some(Type::Set);
    types[15] = Some(Type::List);
    types[16] = Some(Type::Uuid);
    types
};

#[inline]
fn type_of(code: u8) -> Option<Type> {
    TYPES.get(usize::from(code)).copied().flatten()
}

#[inline]
pub(super) fn code_of(kind: Type) -> u8 {
    match kind {
        Type::Bool => 2,
        Type::I8 => 3,
        Type::Double => 4,
        Type::I16 => 6,
        Type::I32 => 8,
        Type::I64 => 10,
        Type::Bytes => 11,
        Type::Struct => 12,
        Type::Map => 13,
        Type::Set => 14,
        Type::List => 15,
        Type::Uuid => 16,
    }
}

/// The fewest bytes that a value takes.
fn least(kind: Type) -> usize {
    match kind {
        Type::Bool | Type::I8 | Type::Struct => 1,
        Type::I16 => 2,
        Type::I32 | Type::Bytes => 4,
        Type::I64 | Type::Double => 8,
        Type::Set | Type::List => 5,
        Type::Map => 6,
        Type::Uuid => 16,
    }
}

impl<'a> Reader<'a> for BinaryReader<'a> {
    #[inline]
    fn cursor(&self) -> &Cursor<'a> {
        &self.cursor
    }

    #[inline]
    fn cursor_mut(&mut self) -> &mut Cursor<'a> {
        &mut self.cursor
    }

    fn message(&mut self) -> Result<Message<'a>, Foreign> {
        let word = u32::from_be_bytes(self.cursor.array()?);
        if word & 0x8000_0000 != 0 {
            return self.strict(word);
        }
        if word > MAX_METHOD_NAME {
            return Err(malformed(0, format!("a method's name of {word} bytes"), BEGIN));
        }
        let name = self.cursor.string(word as usize)?;
        let at = self.cursor.at();
        let kind = message_kind(self.cursor.byte()?, at)?;
        Ok(Message { name, kind, sequence: self.i32()? })
    }

    // Inlined, a field stays in registers; through memory it costs more than reading it.
    #[inline(always)]
    fn field(&mut self, fields: &mut Fields) -> Result<Option<Field>, Foreign> {
        let at = self.cursor.at();
        let code = self.cursor.byte()?;
        if code == 0 {
            return Ok(None);
        }
        let Some(kind) = type_of(code) else {
            return Err(malformed(
                at,
                format!("type {code} of a field of {}", fields.within),
                "a TBinary type",
            ));
        };
        Ok(Some(Field { id: self.i16()?, kind, at, within: fields.within }))
    }

    #[inline(always)]
    fn comes(&mut self, _: &mut Fields, id: i16, kind: Type) -> bool {
        let [high, low] = id.to_be_bytes();
        self.cursor.again(&[code_of(kind), high, low])
    }

    #[inline]
    fn list(&mut self) -> Result<List, Foreign> {
        let at = self.cursor.at();
        let code = self.cursor.byte()?;
        let count = self.size()?;
        let kind = self.element(code, count, at)?;
        self.cursor.container(count, least(kind))?;
        Ok(List { kind, count })
    }

    fn map(&mut self) -> Result<Map, Foreign> {
        let at = self.cursor.at();
        let [key, value] = self.cursor.array()?;
        let count = self.size()?;
        let (key, value) = (self.element(key, count, at)?, self.element(value, count, at + 1)?);
        self.cursor.container(count, least(key) + least(value))?;
        Ok(Map { key, value, count })
    }

    #[inline]
    fn bool(&mut self) -> Result<bool, Foreign> {
        let at = self.cursor.at();
        match self.cursor.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            byte => Err(malformed(at, format!("the bool {byte}"), "0 or 1")),
        }
    }

    #[inline]
    fn i8(&mut self) -> Result<i8, Foreign> {
        Ok(self.cursor.byte()? as i8)
    }

    #[inline]
    fn i16(&mut self) -> Result<i16, Foreign> {
        Ok(i16::from_be_bytes(self.cursor.array()?))
    }

    #[inline]
    fn i32(&mut self) -> Result<i32, Foreign> {
        Ok(i32::from_be_bytes(self.cursor.array()?))
    }

    #[inline]
    fn i64(&mut self) -> Result<i64, Foreign> {
        Ok(i64::from_be_bytes(self.cursor.array()?))
    }

    #[inline]
    fn double(&mut self) -> Result<f64, Foreign> {
        Ok(f64::from_be_bytes(self.cursor.array()?))
    }

    #[inline]
    fn bytes(&mut self) -> Result<&'a [u8], Foreign> {
        // In one step when all is well; else the slow way says what is not.
        if let Some((length, rest)) = self.cursor.rest().split_first_chunk()
            && let Ok(length) = usize::try_from(i32::from_be_bytes(*length))
            && length <= self.cursor.limits.max_string_bytes
            && let Some((bytes, rest)) = rest.split_at_checked(length)
        {
            self.cursor.go_on(rest);
            return Ok(bytes);
        }
        self.slow_bytes()
    }

    #[inline]
    fn uuid(&mut self) -> Result<[u8; 16], Foreign> {
        self.cursor.array()
    }
}
