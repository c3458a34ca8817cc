//! Values as keys of groups, and the order that labels are sorted by.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use spanloom_span::encode::put_any_value;
use spanloom_span::model::AnyValue;

use super::{OwnedValue, Value};

/// A value that a group is known by. Values of different types are different (`1` and `1.0`); `-0.0` is `0.0`, and
/// one NaN is like another; arrays and maps are compared by what they hold, however it is encoded.
#[derive(Debug, Clone)]
pub struct Key(OwnedValue);

impl Key {
    /// The key of a value.
    pub fn of(value: Value<'_>) -> Self {
        Self(match value {
            Value::Float(value) => OwnedValue::Float(plain(value)),
            Value::Array(_) => OwnedValue::Array(canonical(&value.to_any()).into()),
            Value::Map(_) => OwnedValue::Map(canonical(&value.to_any()).into()),
            value => value.into(),
        })
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> Value<'_> {
        self.0.as_value()
    }

    /// Whether it is the key of a value.
    #[inline]
    pub fn is(&self, value: Value<'_>) -> bool {
        match (self.value(), value) {
            (Value::Float(left), Value::Float(right)) => left.to_bits() == plain(right).to_bits(),
            (Value::Array(_), Value::Array(_)) | (Value::Map(_), Value::Map(_)) => {
                order(self.value(), Key::of(value).value()).is_eq()
            }
            (left, right) => left == right,
        }
    }

    /// Hashes a value as its key is hashed.
    #[inline]
    pub fn hash_value(value: Value<'_>, state: &mut impl Hasher) {
        match value {
            Value::Nil => state.write_u8(0),
            Value::Bool(value) => state.write_u8(1 + u8::from(value)),
            Value::Int(value) => state.write_i64(value),
            Value::Duration(value) => state.write_i64(value),
            Value::Float(value) => state.write_u64(plain(value).to_bits()),
            Value::Status(code) | Value::Kind(code) => state.write_i32(code),
            Value::Text(bytes) | Value::Bytes(bytes) => state.write(bytes),
            Value::Array(_) | Value::Map(_) => state.write(&canonical(&value.to_any())),
        }
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Key::hash_value(self.value(), state);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        order(self.value(), other.value())
    }
}

fn plain(value: f64) -> f64 {
    if value.is_nan() {
        f64::NAN
    } else if value == 0.0 {
        0.0
    } else {
        value
    }
}

/// Body of the array or map, encoded by us.
fn canonical(value: &AnyValue) -> Vec<u8> {
    let mut out = Vec::new();
    put_any_value(&mut out, value);
    let mut reader = spanloom_span::proto::Reader::new(&out);
    match reader.next() {
        Ok(Some((_, spanloom_span::proto::Value::Bytes(body)))) => body.to_vec(),
        _ => Vec::new(),
    }
}

/// A total order of values: nil, booleans, numbers, strings (a status and a kind count as their words), arrays,
/// maps, bytes. Numbers are compared exactly; NaN comes after them; of equal ones of different type the int comes
/// first, then the duration, then the float. Arrays and maps follow the bytes of their encoding.
pub fn order(left: Value<'_>, right: Value<'_>) -> Ordering {
    let by_value = match (plain_of(left), plain_of(right)) {
        (Plain::Number(left), Plain::Number(right)) => left.order(right),
        (Plain::Bytes(left_rank, left), Plain::Bytes(right_rank, right)) => {
            left_rank.cmp(&right_rank).then_with(|| left.cmp(right))
        }
        (left, right) => left.rank().cmp(&right.rank()),
    };
    by_value.then_with(|| type_rank(left).cmp(&type_rank(right)))
}

/// A value as far as its order goes.
enum Plain<'a> {
    Fixed(u8),
    Number(Number),
    Bytes(u8, &'a [u8]),
}

impl Plain<'_> {
    fn rank(&self) -> u8 {
        match self {
            Plain::Fixed(rank) | Plain::Bytes(rank, _) => *rank,
            Plain::Number(_) => 3,
        }
    }
}

fn plain_of(value: Value<'_>) -> Plain<'_> {
    match value {
        Value::Nil => Plain::Fixed(0),
        Value::Bool(value) => Plain::Fixed(1 + u8::from(value)),
        Value::Int(value) | Value::Duration(value) => Plain::Number(Number::Whole(value)),
        Value::Float(value) => Plain::Number(Number::Float(value)),
        Value::Text(text) => Plain::Bytes(4, text),
        Value::Status(code) | Value::Kind(code) => match value.word() {
            Some(word) => Plain::Bytes(4, word.as_bytes()),
            None => Plain::Number(Number::Whole(code.into())),
        },
        Value::Array(body) => Plain::Bytes(5, body),
        Value::Map(body) => Plain::Bytes(6, body),
        Value::Bytes(bytes) => Plain::Bytes(7, bytes),
    }
}

fn type_rank(value: Value<'_>) -> u8 {
    match value {
        Value::Int(_) => 0,
        Value::Duration(_) => 1,
        Value::Float(_) => 2,
        Value::Status(_) => 4,
        Value::Kind(_) => 5,
        _ => 3,
    }
}

#[derive(Clone, Copy)]
enum Number {
    Whole(i64),
    Float(f64),
}

impl Number {
    fn order(self, other: Number) -> Ordering {
        match (self, other) {
            (Number::Whole(left), Number::Whole(right)) => left.cmp(&right),
            (Number::Whole(left), Number::Float(right)) => whole_to_float(left, right),
            (Number::Float(left), Number::Whole(right)) => whole_to_float(right, left).reverse(),
            (Number::Float(left), Number::Float(right)) => {
                left.partial_cmp(&right).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
            }
        }
    }
}

/// Exact, where a conversion would round.
fn whole_to_float(left: i64, right: f64) -> Ordering {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    if right.is_nan() || right >= BEYOND {
        return Ordering::Less;
    }
    if right < -BEYOND {
        return Ordering::Greater;
    }
    let whole = right.trunc();
    left.cmp(&(whole as i64)).then_with(|| whole.partial_cmp(&right).unwrap_or(Ordering::Equal))
}

/// The order of labels' values: that of [`order`].
pub fn label_order(left: &AnyValue, right: &AnyValue) -> Ordering {
    let (mut left_body, mut right_body) = (Vec::new(), Vec::new());
    order(borrowed(left, &mut left_body), borrowed(right, &mut right_body))
}

fn borrowed<'a>(value: &'a AnyValue, body: &'a mut Vec<u8>) -> Value<'a> {
    match value {
        AnyValue::Empty => Value::Nil,
        AnyValue::Str(text) => Value::Text(text.as_bytes()),
        AnyValue::Bool(value) => Value::Bool(*value),
        AnyValue::Int(value) => Value::Int(*value),
        AnyValue::Double(value) => Value::Float(*value),
        AnyValue::Bytes(bytes) => Value::Bytes(bytes),
        AnyValue::Array(_) => {
            *body = canonical(value);
            Value::Array(body)
        }
        AnyValue::Map(_) => {
            *body = canonical(value);
            Value::Map(body)
        }
    }
}
