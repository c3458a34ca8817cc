//! TCompact: varints, zigzag for signed numbers, field numbers as differences, bools within their field's
//! header.

use crate::foreign::{Fault, Foreign};

use super::cursor::{Cursor, malformed};
use super::{Field, Fields, Limits, List, Map, Message, MessageKind, Reader, Type};

/// The first byte of a message.
pub(super) const PROTOCOL: u8 = 0x82;
/// The lower five bits of the second.
pub(super) const VERSION: u8 = 1;

/// Reads TCompact from a slice.
#[derive(Debug, Clone)]
pub struct CompactReader<'a> {
    cursor: Cursor<'a>,
    /// The value of the bool field whose header was read last.
    pending: Option<bool>,
}

impl<'a> CompactReader<'a> {
    /// Starts at the first byte of a message or value.
    pub fn new(bytes: &'a [u8], limits: Limits) -> Result<Self, Foreign> {
        Ok(Self { cursor: Cursor::new(bytes, limits)?, pending: None })
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Foreign> {
        match self.cursor.rest().first() {
            Some(&byte) if byte < 0x80 => {
                self.cursor.byte()?;
                Ok(u64::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Foreign> {
        let at = self.cursor.at();
        let mut value = 0u64;
        for place in 0..10 {
            let byte = self.cursor.byte()?;
            if place == 9 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(malformed(at, "a varint of more than 64 bits".to_owned(), "at most 64"))
    }

    /// A signed number: its lowest bit says whether it is negative.
    #[inline]
    fn zigzag(&mut self) -> Result<i64, Foreign> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// A signed number of fewer bits.
    #[inline]
    fn narrow<N: TryFrom<i64>>(&mut self, name: &'static str) -> Result<N, Foreign> {
        let at = self.cursor.at();
        let value = self.zigzag()?;
        N::try_from(value).map_err(|_| malformed(at, format!("the number {value}"), name))
    }

    /// A length or count: what an `i32` can hold.
    #[inline]
    fn size(&mut self) -> Result<usize, Foreign> {
        let at = self.cursor.at();
        let size = self.varint()?;
        match i32::try_from(size) {
            Ok(size) => Ok(size as usize),
            Err(_) => Err(malformed(at, format!("the length {size}"), "one of 31 bits")),
        }
    }

    /// The type of a container's elements. Some writers give an empty container no type.
    #[inline]
    fn element(&self, code: u8, count: usize, at: usize) -> Result<Type, Foreign> {
        match type_of(code) {
            Some(kind) => Ok(kind),
            None if count == 0 => Ok(Type::Struct),
            None => Err(malformed(at, format!("elements of type {code}"), "a TCompact type")),
        }
    }
}

/// Types by code. Bools have two: as a field the code is the value, as an element writers take either.
const TYPES: [Option<Type>; 16] = {
    let mut types = [None; 16];
    types[1] = Some(Type::Bool);
    types[2] = Some(Type::Bool);
    types[3] = Some(Type::I8);
    types[4] = Some(Type::I16);
    types[5] = Some(Type::I32);
    types[6] = Some(Type::I64);
    types[7] = Some(Type::Double);
    types[8] = Some(Type::Bytes);
    types[9] = Some(Type::List);
    types[10] = Some(Type::Set);
    types[11] = Some(Type::Map);
    types[12] = Some(Type::Struct);
    types[13] = Some(Type::Uuid);
    types
};

/// The type of a code, which has four bits.
#[inline]
fn type_of(code: u8) -> Option<Type> {
    TYPES[usize::from(code & 0x0f)]
}

#[inline]
pub(super) fn code_of(kind: Type) -> u8 {
    match kind {
        Type::Bool => 1,
        Type::I8 => 3,
        Type::I16 => 4,
        Type::I32 => 5,
        Type::I64 => 6,
        Type::Double => 7,
        Type::Bytes => 8,
        Type::List => 9,
        Type::Set => 10,
        Type::Map => 11,
        Type::Struct => 12,
        Type::Uuid => 13,
    }
}

/// The fewest bytes that a value takes.
fn least(kind: Type) -> usize {
    match kind {
        Type::Double => 8,
        Type::Uuid => 16,
        _ => 1,
    }
}

impl<'a> Reader<'a> for CompactReader<'a> {
    #[inline]
    fn cursor(&self) -> &Cursor<'a> {
        &self.cursor
    }

    #[inline]
    fn cursor_mut(&mut self) -> &mut Cursor<'a> {
        &mut self.cursor
    }

    fn message(&mut self) -> Result<Message<'a>, Foreign> {
        let first = self.cursor.byte()?;
        if first != PROTOCOL {
            let found = match first {
                0x80 => "0x80, as TBinary begins".to_owned(),
                _ => format!("{first:#04x}"),
            };
            return Err(malformed(0, found, "a TCompact message (0x82)"));
        }
        let second = self.cursor.byte()?;
        if second & 0x1f != VERSION {
            return Err(malformed(1, format!("version {}", second & 0x1f), "version 1 of TCompact"));
        }
        let Some(kind) = MessageKind::from_code(second >> 5) else {
            return Err(malformed(1, format!("message type {}", second >> 5), "1 to 4"));
        };
        let at = self.cursor.at();
        let sequence = self.varint()?;
        // Some writers send the 32 bits as they are, others with the sign spread over 64.
        if sequence > u64::from(u32::MAX) && sequence >> 31 != (1 << 33) - 1 {
            return Err(malformed(at, format!("the sequence number {sequence}"), "one of 32 bits"));
        }
        Ok(Message { name: self.bytes()?, kind, sequence: sequence as i32 })
    }

    // Inlined, a field stays in registers; through memory it costs more than reading it.
    #[inline(always)]
    fn field(&mut self, fields: &mut Fields) -> Result<Option<Field>, Foreign> {
        let at = self.cursor.at();
        let header = self.cursor.byte()?;
        self.pending = None;
        if header == 0 {
            return Ok(None);
        }
        let Some(kind) = type_of(header) else {
            let found = format!("type {} of a field of {}", header & 0x0f, fields.within);
            return Err(malformed(at, found, "a TCompact type"));
        };
        if kind == Type::Bool {
            self.pending = Some(header & 0x0f == 1);
        }
        let id = match header >> 4 {
            0 => self.i16()?,
            step => fields.last.checked_add(i16::from(step)).ok_or_else(|| too_high(at))?,
        };
        fields.last = id;
        Ok(Some(Field { id, kind, at, within: fields.within }))
    }

    #[inline(always)]
    fn comes(&mut self, fields: &mut Fields, id: i16, kind: Type) -> bool {
        // A bool is its header: `field` reads it.
        let step @ 1..=15 = id.wrapping_sub(fields.last) else { return false };
        let comes = kind != Type::Bool && self.cursor.again(&[(step as u8) << 4 | code_of(kind)]);
        if comes {
            fields.last = id;
            self.pending = None;
        }
        comes
    }

    #[inline]
    fn list(&mut self) -> Result<List, Foreign> {
        let at = self.cursor.at();
        let header = self.cursor.byte()?;
        let count = match header >> 4 {
            15 => self.size()?,
            short => usize::from(short),
        };
        let kind = self.element(header & 0x0f, count, at)?;
        self.cursor.container(count, least(kind))?;
        Ok(List { kind, count })
    }

    fn map(&mut self) -> Result<Map, Foreign> {
        let count = self.size()?;
        if count == 0 {
            return Ok(Map { key: Type::Struct, value: Type::Struct, count });
        }
        let at = self.cursor.at();
        let kinds = self.cursor.byte()?;
        let (key, value) = (self.element(kinds >> 4, count, at)?, self.element(kinds & 0x0f, count, at)?);
        self.cursor.container(count, least(key) + least(value))?;
        Ok(Map { key, value, count })
    }

    #[inline]
    fn bool(&mut self) -> Result<bool, Foreign> {
        if let Some(value) = self.pending.take() {
            return Ok(value);
        }
        let at = self.cursor.at();
        match self.cursor.byte()? {
            1 => Ok(true),
            // Two by the specification, zero by older writers.
            0 | 2 => Ok(false),
            byte => Err(malformed(at, format!("the bool {byte}"), "0, 1 or 2")),
        }
    }

    #[inline]
    fn i8(&mut self) -> Result<i8, Foreign> {
        Ok(self.cursor.byte()? as i8)
    }

    #[inline]
    fn i16(&mut self) -> Result<i16, Foreign> {
        self.narrow("one of 16 bits")
    }

    #[inline]
    fn i32(&mut self) -> Result<i32, Foreign> {
        self.narrow("one of 32 bits")
    }

    #[inline]
    fn i64(&mut self) -> Result<i64, Foreign> {
        self.zigzag()
    }

    /// Little endian, as all of Apache's writers do.
    #[inline]
    fn double(&mut self) -> Result<f64, Foreign> {
        Ok(f64::from_le_bytes(self.cursor.array()?))
    }

    #[inline]
    fn bytes(&mut self) -> Result<&'a [u8], Foreign> {
        let length = self.size()?;
        self.cursor.string(length)
    }

    #[inline]
    fn uuid(&mut self) -> Result<[u8; 16], Foreign> {
        self.cursor.array()
    }
}

#[cold]
fn too_high(at: usize) -> Foreign {
    Foreign::new(Fault::Malformed, at, "a field number above 32767", "one of 16 bits")
}
