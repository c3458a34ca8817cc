//! A matcher made ready for columns: which stored values can match at all, and which integers or bytes alone do, so
//! that most columns are compared without a value being made of what they store.

use spanloom_traceql::plan::Matcher;
use spanloom_traceql::value::{CompareOp, OwnedValue, Value};

use crate::columns::{ValueType, flip_sign};

/// What stored integers or bytes stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// An attribute's value.
    Attribute(ValueType),
    /// A field's text.
    Text,
    /// Bytes that are shown as hexadecimal digits.
    Hex,
    /// An integer that is shown as 16 hexadecimal digits.
    SpanId,
    /// Nanoseconds without sign.
    Duration,
    /// Nanoseconds with sign.
    Time,
}

/// Whether values of a form match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Never,
    Always,
    Depends,
}

/// The texts that match.
#[derive(Debug, Clone)]
enum Texts {
    Never,
    Always,
    /// These alone, or all but these.
    Only(Vec<Box<[u8]>>, bool),
    Depends,
}

/// The integers that match.
#[derive(Debug, Clone)]
enum Ints {
    Never,
    Always,
    /// Ranges, both ends included.
    In(Vec<(i64, i64)>),
    Depends,
}

/// Most points of a set that are looked for one by one.
const MAX_POINTS: usize = 8;

/// A matcher, and what is known of it.
#[derive(Debug, Clone)]
pub(crate) struct Judge {
    matcher: Matcher,
    texts: Texts,
    ints: Ints,
    floats: Fate,
    arrays: Fate,
    /// Maps, bytes: there, and equal to nothing.
    others: Fate,
}

impl Judge {
    /// Finds out what can be known.
    pub fn new(matcher: &Matcher) -> Self {
        let same = |fate: Fate| {
            let (texts, ints) = match fate {
                Fate::Always => (Texts::Always, Ints::Always),
                _ => (Texts::Never, Ints::Never),
            };
            Self { matcher: matcher.clone(), texts, ints, floats: fate, arrays: fate, others: fate }
        };
        let never = || same(Fate::Never);
        match matcher {
            Matcher::NotNil => same(Fate::Always),
            Matcher::Nil | Matcher::Is(_) => never(),
            Matcher::Compare(op, constant) => {
                Self { arrays: Fate::Depends, ..never() }.with_constants(*op, std::slice::from_ref(constant))
            }
            Matcher::OneOf(set) => {
                Self { arrays: Fate::Depends, ..never() }.with_constants(CompareOp::Equal, set.constants())
            }
            Matcher::NoneOf(set) => {
                Self { arrays: Fate::Depends, ..never() }.with_constants(CompareOp::NotEqual, set.constants())
            }
            Matcher::Regex(_) | Matcher::NotRegex(_) => {
                Self { texts: Texts::Depends, arrays: Fate::Depends, ..never() }
            }
        }
    }

    fn with_constants(mut self, op: CompareOp, constants: &[OwnedValue]) -> Self {
        let texts = constants.iter().filter_map(|constant| match constant {
            OwnedValue::Text(text) => Some(text.clone()),
            _ => None,
        });
        let texts: Vec<Box<[u8]>> = texts.collect();
        if !texts.is_empty() {
            self.texts = match op {
                CompareOp::Equal => Texts::Only(texts, false),
                CompareOp::NotEqual => Texts::Only(texts, true),
                _ => Texts::Depends,
            };
        }
        let whole = constants.iter().filter_map(|constant| match constant {
            OwnedValue::Int(value) | OwnedValue::Duration(value) => Some(*value),
            _ => None,
        });
        let whole: Vec<i64> = whole.collect();
        let has_floats = constants.iter().any(|constant| matches!(constant, OwnedValue::Float(_)));
        if has_floats || !whole.is_empty() {
            self.floats = Fate::Depends;
            self.ints = if has_floats { Ints::Depends } else { ints(op, whole) };
        }
        self
    }

    /// Whether what is not there matches.
    pub fn nil(&self) -> bool {
        self.matcher.matches_nil()
    }

    /// Whether a value matches.
    #[inline]
    pub fn value(&self, value: Value<'_>) -> bool {
        self.matcher.matches(value)
    }

    /// What is known of all values of a form.
    pub fn fate(&self, form: Form) -> Fate {
        match form {
            Form::Attribute(ValueType::Empty) => Fate::Never,
            Form::Attribute(ValueType::Str) | Form::Text | Form::Hex | Form::SpanId => match &self.texts {
                Texts::Never => Fate::Never,
                Texts::Always => Fate::Always,
                Texts::Only(..) | Texts::Depends => Fate::Depends,
            },
            Form::Attribute(ValueType::Bool) => match [true, false].map(|v| self.value(Value::Bool(v))) {
                [true, true] => Fate::Always,
                [false, false] => Fate::Never,
                _ => Fate::Depends,
            },
            Form::Attribute(ValueType::Int) | Form::Duration | Form::Time => match &self.ints {
                Ints::Never => Fate::Never,
                Ints::Always => Fate::Always,
                Ints::In(_) | Ints::Depends => Fate::Depends,
            },
            Form::Attribute(ValueType::Double) => self.floats,
            Form::Attribute(ValueType::Array) => self.arrays,
            Form::Attribute(ValueType::Map | ValueType::Bytes) => self.others,
        }
    }

    /// Whether stored bytes match.
    pub fn bytes(&self, form: Form, bytes: &[u8]) -> bool {
        let mut scratch = Vec::new();
        self.value(bytes_value(form, bytes, &mut scratch))
    }

    /// Whether a stored integer matches.
    #[inline]
    pub fn int(&self, form: Form, stored: u64) -> bool {
        if form == Form::SpanId {
            let mut digits = Vec::with_capacity(16);
            put_hex(&stored.to_be_bytes(), &mut digits);
            return self.value(Value::Text(&digits));
        }
        self.value(int_value(form, stored))
    }

    /// The ranges of stored integers that match, both ends included, ascending; `None` when only trying them tells.
    pub fn ranges(&self, form: Form) -> Option<Vec<(u64, u64)>> {
        match form {
            Form::Attribute(ValueType::Bool) => {
                let of = |value: bool, range| self.value(Value::Bool(value)).then_some(range);
                Some([of(false, (0, 0)), of(true, (1, u64::MAX))].into_iter().flatten().collect())
            }
            Form::Attribute(ValueType::Int) | Form::Duration | Form::Time => {
                let ranges = match &self.ints {
                    Ints::Never => &[][..],
                    Ints::Always => &[(i64::MIN, i64::MAX)],
                    Ints::In(ranges) => ranges,
                    Ints::Depends => return None,
                };
                Some(ranges.iter().flat_map(|&range| stored_ranges(form, range)).collect())
            }
            Form::SpanId => {
                let (texts, is_out) = self.texts(form)?;
                let points =
                    texts.iter().filter_map(|id| Some(u64::from_be_bytes(id.as_ref().try_into().ok()?)));
                let mut points: Vec<u64> = points.collect();
                points.sort_unstable();
                Some(if is_out { gaps(&points) } else { points.into_iter().map(|p| (p, p)).collect() })
            }
            _ => None,
        }
    }

    /// The stored bytes that alone match, or alone do not (then true); `None` when only trying them tells.
    pub fn texts(&self, form: Form) -> Option<(Vec<Box<[u8]>>, bool)> {
        let Texts::Only(texts, is_out) = &self.texts else { return None };
        match form {
            Form::Attribute(ValueType::Str) | Form::Text => Some((texts.clone(), *is_out)),
            // Digits that cannot stand there match nothing.
            Form::Hex | Form::SpanId => {
                Some((texts.iter().filter_map(|text| from_hex(text)).collect(), *is_out))
            }
            _ => None,
        }
    }
}

/// The ranges of integers for which `value op constant` holds for one of the constants (`=`) or all (`!=`).
fn ints(op: CompareOp, mut constants: Vec<i64>) -> Ints {
    constants.sort_unstable();
    let (Some(&least), Some(&most)) = (constants.first(), constants.last()) else { return Ints::Never };
    if constants.len() > MAX_POINTS {
        return Ints::Depends;
    }
    let below = |end: i64, is_in: bool| if is_in { Some(end) } else { end.checked_sub(1) };
    let above = |start: i64, is_in: bool| if is_in { Some(start) } else { start.checked_add(1) };
    let range = |from: Option<i64>, to: Option<i64>| match (from, to) {
        (Some(from), Some(to)) if from <= to => vec![(from, to)],
        _ => Vec::new(),
    };
    Ints::In(match op {
        CompareOp::Equal => constants.into_iter().map(|point| (point, point)).collect(),
        CompareOp::NotEqual => {
            let points: Vec<u64> = constants.iter().map(|&point| flip_sign(point as u64)).collect();
            gaps(&points).iter().map(|&(a, b)| (flip_sign(a) as i64, flip_sign(b) as i64)).collect()
        }
        CompareOp::Less => range(Some(i64::MIN), below(most, false)),
        CompareOp::LessEqual => range(Some(i64::MIN), below(most, true)),
        CompareOp::Greater => range(above(least, false), Some(i64::MAX)),
        CompareOp::GreaterEqual => range(above(least, true), Some(i64::MAX)),
    })
}

/// What lies between points that ascend.
fn gaps(points: &[u64]) -> Vec<(u64, u64)> {
    let mut out = Vec::new();
    let mut from = Some(0u64);
    for &point in points {
        if let Some(start) = from
            && start < point
        {
            out.push((start, point - 1));
        }
        from = point.checked_add(1);
    }
    out.extend(from.map(|start| (start, u64::MAX)));
    out
}

/// The stored integers of values in a range.
fn stored_ranges(form: Form, (from, to): (i64, i64)) -> Vec<(u64, u64)> {
    match form {
        Form::Attribute(_) => vec![(flip_sign(from as u64), flip_sign(to as u64))],
        Form::Duration if to < 0 => Vec::new(),
        // A duration beyond what an int can hold counts as the greatest one.
        Form::Duration => vec![(from.max(0) as u64, if to == i64::MAX { u64::MAX } else { to as u64 })],
        _ => {
            let negative = (from < 0).then(|| (from as u64, to.min(-1) as u64));
            let positive = (to >= 0).then(|| (from.max(0) as u64, to as u64));
            positive.into_iter().chain(negative).collect()
        }
    }
}

/// The value that a stored integer stands for; span ids are none.
#[inline]
pub(crate) fn int_value(form: Form, stored: u64) -> Value<'static> {
    match form {
        Form::Attribute(ValueType::Bool) => Value::Bool(stored != 0),
        Form::Attribute(ValueType::Double) => Value::Float(f64::from_bits(stored)),
        Form::Duration => Value::Duration(i64::try_from(stored).unwrap_or(i64::MAX)),
        Form::Time => Value::Duration(stored as i64),
        _ => Value::Int(flip_sign(stored) as i64),
    }
}

/// The value that stored bytes stand for.
pub(crate) fn bytes_value<'a>(form: Form, bytes: &'a [u8], scratch: &'a mut Vec<u8>) -> Value<'a> {
    match form {
        Form::Attribute(ValueType::Array) => Value::Array(bytes),
        Form::Attribute(ValueType::Map) => Value::Map(bytes),
        Form::Attribute(ValueType::Bytes) => Value::Bytes(bytes),
        Form::Hex => {
            scratch.clear();
            put_hex(bytes, scratch);
            Value::Text(scratch)
        }
        _ => Value::Text(bytes),
    }
}

/// Appends the lower-case hexadecimal digits of bytes.
pub(crate) fn put_hex(bytes: &[u8], out: &mut Vec<u8>) {
    let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble & 15)];
    out.extend(bytes.iter().flat_map(|&byte| [digit(byte >> 4), digit(byte)]));
}

/// Bytes of which the text is the lower-case hexadecimal digits.
fn from_hex(text: &[u8]) -> Option<Box<[u8]>> {
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = text.as_chunks::<2>() else { return None };
    pairs.iter().map(|&[high, low]| Some(nibble(high)? << 4 | nibble(low)?)).collect()
}
