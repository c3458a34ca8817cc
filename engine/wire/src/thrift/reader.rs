//! What a reader can do, whatever the format, and how values are skipped.

use crate::foreign::{Fault, Foreign};

use super::cursor::{Cursor, malformed};
use super::{DEEPEST, Field, Fields, List, Map, Message, Type};

/// Reads one value after the other. Each error says where it is; after one there is nothing to go on with.
pub trait Reader<'a>: Sized {
    /// The place in the message.
    #[doc(hidden)]
    fn cursor(&self) -> &Cursor<'a>;

    /// The same, to move it.
    #[doc(hidden)]
    fn cursor_mut(&mut self) -> &mut Cursor<'a>;

    /// The header of a message.
    fn message(&mut self) -> Result<Message<'a>, Foreign>;

    /// The next field of a struct, or `None` at its end.
    fn field(&mut self, fields: &mut Fields) -> Result<Option<Field>, Foreign>;

    /// Passes over the header of the next field when it is that one; false when another comes next, which
    /// [`Reader::field`] then reads. Who asks in the order that writers write in saves most of what a field costs.
    /// A reader may always say no.
    #[inline]
    fn comes(&mut self, _fields: &mut Fields, _id: i16, _kind: Type) -> bool {
        false
    }

    /// The header of a list or a set: its elements follow.
    fn list(&mut self) -> Result<List, Foreign>;

    /// The header of a map: keys and values follow in turn.
    fn map(&mut self) -> Result<Map, Foreign>;

    /// A bool: a field's or an element.
    fn bool(&mut self) -> Result<bool, Foreign>;

    /// An `i8`.
    fn i8(&mut self) -> Result<i8, Foreign>;

    /// An `i16`.
    fn i16(&mut self) -> Result<i16, Foreign>;

    /// An `i32`; enums are such.
    fn i32(&mut self) -> Result<i32, Foreign>;

    /// An `i64`.
    fn i64(&mut self) -> Result<i64, Foreign>;

    /// A double.
    fn double(&mut self) -> Result<f64, Foreign>;

    /// A string or bytes. Whether it is UTF-8 is not looked at.
    fn bytes(&mut self) -> Result<&'a [u8], Foreign>;

    /// The bytes of a UUID.
    fn uuid(&mut self) -> Result<[u8; 16], Foreign>;

    /// Bytes read so far.
    #[inline]
    fn position(&self) -> usize {
        self.cursor().at()
    }

    /// The bytes read since a position.
    #[inline]
    fn since(&self, position: usize) -> &'a [u8] {
        self.cursor().since(position)
    }

    /// Passes over a value that is the same, byte for byte, as one read before, which had these bytes; false when
    /// another comes next. In both formats what a struct's bytes mean does not depend on where they are.
    #[inline]
    fn again(&mut self, bytes: &[u8]) -> bool {
        !bytes.is_empty() && self.cursor_mut().again(bytes)
    }

    /// Bytes that are left.
    #[inline]
    fn left(&self) -> usize {
        self.cursor().left()
    }

    /// The value of a field that is to be a bool.
    #[inline]
    fn bool_of(&mut self, field: &Field) -> Result<bool, Foreign> {
        field.expect(Type::Bool)?;
        self.bool()
    }

    /// The value of a field that is to be an `i16`.
    #[inline]
    fn i16_of(&mut self, field: &Field) -> Result<i16, Foreign> {
        field.expect(Type::I16)?;
        self.i16()
    }

    /// The value of a field that is to be an `i32`.
    #[inline]
    fn i32_of(&mut self, field: &Field) -> Result<i32, Foreign> {
        field.expect(Type::I32)?;
        self.i32()
    }

    /// The value of a field that is to be an `i64`.
    #[inline]
    fn i64_of(&mut self, field: &Field) -> Result<i64, Foreign> {
        field.expect(Type::I64)?;
        self.i64()
    }

    /// The value of a field that is to be a double.
    #[inline]
    fn double_of(&mut self, field: &Field) -> Result<f64, Foreign> {
        field.expect(Type::Double)?;
        self.double()
    }

    /// The value of a field that is to be a string or bytes.
    #[inline]
    fn bytes_of(&mut self, field: &Field) -> Result<&'a [u8], Foreign> {
        field.expect(Type::Bytes)?;
        self.bytes()
    }

    /// The header of a field that is to be a list of structs: how many follow.
    #[inline]
    fn structs_of(&mut self, field: &Field) -> Result<usize, Foreign> {
        field.expect(Type::List)?;
        self.structs()
    }

    /// The header of a list that is to be one of structs: how many follow.
    #[inline]
    fn structs(&mut self) -> Result<usize, Foreign> {
        let at = self.position();
        let list = self.list()?;
        // Some writers give the list no type, or any, when nothing is in it.
        if list.kind != Type::Struct && list.count > 0 {
            let found = format!("a list of {}", list.kind.name());
            return Err(malformed(at, found, "a list of struct"));
        }
        Ok(list.count)
    }

    /// Passes over a value of that type.
    fn skip(&mut self, kind: Type) -> Result<(), Foreign> {
        let levels = self.cursor().limits.max_depth.min(DEEPEST);
        skip(self, kind, levels)
    }

    /// That nothing is left: the end of a message.
    fn end(&self) -> Result<(), Foreign> {
        match self.left() {
            0 => Ok(()),
            left => Err(malformed(self.position(), format!("{left} more bytes"), "the end")),
        }
    }
}

impl Field {
    /// Whether its value is of that type.
    #[inline]
    pub fn expect(&self, kind: Type) -> Result<(), Foreign> {
        if self.kind == kind { Ok(()) } else { Err(self.wrong(kind)) }
    }

    #[cold]
    fn wrong(&self, kind: Type) -> Foreign {
        let found = format!("field {} of {} as {}", self.id, self.within, self.kind.name());
        Foreign::new(Fault::Malformed, self.at, found, kind.name())
    }
}

/// Passes over a value with at most so many levels of containers and structs.
fn skip<'a, R: Reader<'a>>(input: &mut R, kind: Type, levels: u32) -> Result<(), Foreign> {
    match kind {
        Type::Bool => drop(input.bool()?),
        Type::I8 => drop(input.i8()?),
        Type::I16 => drop(input.i16()?),
        Type::I32 => drop(input.i32()?),
        Type::I64 => drop(input.i64()?),
        Type::Double => drop(input.double()?),
        Type::Bytes => drop(input.bytes()?),
        Type::Uuid => drop(input.uuid()?),
        Type::Struct | Type::Map | Type::Set | Type::List => {
            let Some(levels) = levels.checked_sub(1) else { return Err(too_deep(input)) };
            skip_inside(input, kind, levels)?;
        }
    }
    Ok(())
}

/// What a container or struct holds. Each element takes at least a byte, so the work is bounded by the
/// message.
fn skip_inside<'a, R: Reader<'a>>(input: &mut R, kind: Type, levels: u32) -> Result<(), Foreign> {
    match kind {
        Type::Struct => {
            let mut fields = Fields::new("a skipped struct");
            while let Some(field) = input.field(&mut fields)? {
                skip(input, field.kind, levels)?;
            }
        }
        Type::Map => {
            let map = input.map()?;
            for _ in 0..map.count {
                skip(input, map.key, levels)?;
                skip(input, map.value, levels)?;
            }
        }
        _ => {
            let list = input.list()?;
            for _ in 0..list.count {
                skip(input, list.kind, levels)?;
            }
        }
    }
    Ok(())
}

#[cold]
fn too_deep<'a>(input: &impl Reader<'a>) -> Foreign {
    let most = input.cursor().limits.max_depth.min(DEEPEST);
    let expected = format!("at most {most} levels");
    Foreign::new(Fault::Limit, input.position(), "a value that nests deeper", expected)
}
