//! Writing either format: for tests, seeds and senders of load. The caller gives counts that are true.

use super::{MessageKind, Protocol, Type, binary, compact};

/// Writes values one after the other.
#[derive(Debug, Clone)]
pub struct Writer {
    protocol: Protocol,
    out: Vec<u8>,
    /// The number of the field before, of the innermost struct.
    last: i16,
}

impl Writer {
    /// Begins with nothing.
    pub fn new(protocol: Protocol) -> Self {
        Self { protocol, out: Vec::new(), last: 0 }
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// The header of a message; the struct of its arguments is to follow. TBinary's is strict.
    pub fn message(&mut self, name: &str, kind: MessageKind, sequence: i32) {
        match self.protocol {
            Protocol::Binary => {
                self.i32((binary::VERSION | u32::from(kind.code())) as i32);
                self.bytes(name.as_bytes());
                self.i32(sequence);
            }
            Protocol::Compact => {
                self.out.extend([compact::PROTOCOL, compact::VERSION | kind.code() << 5]);
                self.varint(u64::from(sequence as u32));
                self.bytes(name.as_bytes());
            }
        }
    }

    /// A struct whose fields `write` writes.
    pub fn structure(&mut self, write: impl FnOnce(&mut Self)) {
        let outer = std::mem::take(&mut self.last);
        write(self);
        self.out.push(0);
        self.last = outer;
    }

    /// The header of a field; its value is to follow. A bool goes through [`Writer::bool_field`] instead.
    pub fn field(&mut self, id: i16, kind: Type) {
        match self.protocol {
            Protocol::Binary => {
                self.out.push(binary::code_of(kind));
                self.i16(id);
            }
            Protocol::Compact => self.compact_field(id, compact::code_of(kind)),
        }
    }

    fn compact_field(&mut self, id: i16, code: u8) {
        match i32::from(id) - i32::from(self.last) {
            step @ 1..=15 => self.out.push((step as u8) << 4 | code),
            _ => {
                self.out.push(code);
                self.i16(id);
            }
        }
        self.last = id;
    }

    /// A field with a bool.
    pub fn bool_field(&mut self, id: i16, value: bool) {
        match self.protocol {
            Protocol::Binary => {
                self.field(id, Type::Bool);
                self.bool(value);
            }
            Protocol::Compact => self.compact_field(id, if value { 1 } else { 2 }),
        }
    }

    /// A field with an `i32`.
    pub fn i32_field(&mut self, id: i16, value: i32) {
        self.field(id, Type::I32);
        self.i32(value);
    }

    /// A field with an `i64`.
    pub fn i64_field(&mut self, id: i16, value: i64) {
        self.field(id, Type::I64);
        self.i64(value);
    }

    /// A field with a double.
    pub fn double_field(&mut self, id: i16, value: f64) {
        self.field(id, Type::Double);
        self.double(value);
    }

    /// A field with a string or bytes.
    pub fn bytes_field(&mut self, id: i16, value: &[u8]) {
        self.field(id, Type::Bytes);
        self.bytes(value);
    }

    /// A field with a struct.
    pub fn struct_field(&mut self, id: i16, write: impl FnOnce(&mut Self)) {
        self.field(id, Type::Struct);
        self.structure(write);
    }

    /// A field with a list of structs, each of which `write` writes.
    pub fn structs_field<T>(&mut self, id: i16, items: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.field(id, Type::List);
        self.list(Type::Struct, items.len());
        for item in items {
            self.structure(|out| write(out, item));
        }
    }

    /// The header of a list or set; its elements are to follow.
    pub fn list(&mut self, kind: Type, count: usize) {
        match self.protocol {
            Protocol::Binary => {
                self.out.push(binary::code_of(kind));
                self.i32(count as i32);
            }
            Protocol::Compact if count < 15 => self.out.push((count as u8) << 4 | compact::code_of(kind)),
            Protocol::Compact => {
                self.out.push(0xf0 | compact::code_of(kind));
                self.varint(count as u64);
            }
        }
    }

    /// The header of a map; its keys and values are to follow in turn.
    pub fn map(&mut self, key: Type, value: Type, count: usize) {
        match self.protocol {
            Protocol::Binary => {
                self.out.extend([binary::code_of(key), binary::code_of(value)]);
                self.i32(count as i32);
            }
            Protocol::Compact => {
                self.varint(count as u64);
                if count > 0 {
                    self.out.push(compact::code_of(key) << 4 | compact::code_of(value));
                }
            }
        }
    }

    /// A bool as an element.
    pub fn bool(&mut self, value: bool) {
        self.out.push(match (self.protocol, value) {
            (_, true) => 1,
            (Protocol::Binary, false) => 0,
            (Protocol::Compact, false) => 2,
        });
    }

    /// An `i8`.
    pub fn i8(&mut self, value: i8) {
        self.out.push(value as u8);
    }

    /// An `i16`.
    pub fn i16(&mut self, value: i16) {
        match self.protocol {
            Protocol::Binary => self.out.extend(value.to_be_bytes()),
            Protocol::Compact => self.zigzag(value.into()),
        }
    }

    /// An `i32`.
    pub fn i32(&mut self, value: i32) {
        match self.protocol {
            Protocol::Binary => self.out.extend(value.to_be_bytes()),
            Protocol::Compact => self.zigzag(value.into()),
        }
    }

    /// An `i64`.
    pub fn i64(&mut self, value: i64) {
        match self.protocol {
            Protocol::Binary => self.out.extend(value.to_be_bytes()),
            Protocol::Compact => self.zigzag(value),
        }
    }

    /// A double.
    pub fn double(&mut self, value: f64) {
        match self.protocol {
            Protocol::Binary => self.out.extend(value.to_be_bytes()),
            Protocol::Compact => self.out.extend(value.to_le_bytes()),
        }
    }

    /// A string or bytes.
    pub fn bytes(&mut self, value: &[u8]) {
        match self.protocol {
            Protocol::Binary => self.i32(value.len() as i32),
            Protocol::Compact => self.varint(value.len() as u64),
        }
        self.out.extend_from_slice(value);
    }

    /// The bytes of a UUID.
    pub fn uuid(&mut self, value: [u8; 16]) {
        self.out.extend(value);
    }

    fn zigzag(&mut self, value: i64) {
        self.varint((value << 1 ^ value >> 63) as u64);
    }

    fn varint(&mut self, value: u64) {
        spanloom_span::proto::put_varint(&mut self.out, value);
    }
}
