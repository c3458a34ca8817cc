//! Distinct values, numbered.

use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use spanloom_traceql::value::Value;

/// A value that is kept.
#[derive(Debug, Clone)]
enum Kept {
    /// One that refers to nothing.
    Plain(Value<'static>),
    /// The bytes of another, and what makes it of them.
    Bytes(Box<[u8]>, fn(&[u8]) -> Value<'_>),
}

impl Kept {
    fn new(value: Value<'_>) -> Self {
        match value {
            Value::Text(bytes) => Self::Bytes(bytes.into(), |bytes| Value::Text(bytes)),
            Value::Array(bytes) => Self::Bytes(bytes.into(), |bytes| Value::Array(bytes)),
            Value::Map(bytes) => Self::Bytes(bytes.into(), |bytes| Value::Map(bytes)),
            Value::Bytes(bytes) => Self::Bytes(bytes.into(), |bytes| Value::Bytes(bytes)),
            Value::Nil => Self::Plain(Value::Nil),
            Value::Bool(value) => Self::Plain(Value::Bool(value)),
            Value::Int(value) => Self::Plain(Value::Int(value)),
            Value::Float(value) => Self::Plain(Value::Float(value)),
            Value::Duration(value) => Self::Plain(Value::Duration(value)),
            Value::Status(code) => Self::Plain(Value::Status(code)),
            Value::Kind(code) => Self::Plain(Value::Kind(code)),
        }
    }

    fn get(&self) -> Value<'_> {
        match self {
            Self::Plain(value) => *value,
            Self::Bytes(bytes, make) => make(bytes),
        }
    }
}

/// Distinct values, numbered in the order in which they came. Floats are told apart by their bits.
#[derive(Default)]
pub struct ValueSet {
    values: Vec<Kept>,
    numbers: HashTable<u32>,
    hasher: RandomState,
    bytes: usize,
}

impl ValueSet {
    /// How many values.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// What the values take in memory, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// A value by its number.
    pub fn get(&self, number: u32) -> Option<Value<'_>> {
        self.values.get(number as usize).map(Kept::get)
    }

    /// The values in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = Value<'_>> {
        self.values.iter().map(Kept::get)
    }

    /// Whether a value is among them.
    pub fn has(&self, value: Value<'_>) -> bool {
        let is_it = |&number: &u32| is_same(self.values[number as usize].get(), value);
        self.numbers.find(hash_of(&self.hasher, value), is_it).is_some()
    }

    /// The number of a value, which is kept when it is new.
    pub fn number(&mut self, value: Value<'_>) -> u32 {
        let Self { values, numbers, hasher, bytes } = self;
        let hash = hash_of(hasher, value);
        let is_it = |&number: &u32| is_same(values[number as usize].get(), value);
        if let Some(&number) = numbers.find(hash, is_it) {
            return number;
        }
        let number = values.len() as u32;
        numbers.insert_unique(hash, number, |&number| hash_of(hasher, values[number as usize].get()));
        let kept = Kept::new(value);
        *bytes += size_of::<Kept>() + 8 + if let Kept::Bytes(bytes, _) = &kept { bytes.len() } else { 0 };
        values.push(kept);
        number
    }
}

fn is_same(a: Value<'_>, b: Value<'_>) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (a, b) => a == b,
    }
}

fn hash_of(hasher: &RandomState, value: Value<'_>) -> u64 {
    let mut state = hasher.build_hasher();
    std::mem::discriminant(&value).hash(&mut state);
    match value {
        Value::Nil => {}
        Value::Bool(value) => state.write_u8(value.into()),
        Value::Int(value) | Value::Duration(value) => state.write_i64(value),
        Value::Float(value) => state.write_u64(value.to_bits()),
        Value::Status(code) | Value::Kind(code) => state.write_i32(code),
        Value::Text(bytes) | Value::Array(bytes) | Value::Map(bytes) | Value::Bytes(bytes) => {
            state.write(bytes);
        }
    }
    state.finish()
}
