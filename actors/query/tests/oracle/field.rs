//! Naive values of fields and expressions: `docs/TRACEQL.md`, "Values" and "Operators within braces".

use spanloom_span::model::{AnyValue, KeyValue};

use crate::model::{Span, Trace};
use crate::query::{Expr, Field, Intrinsic, Literal, Op, Scope, kind_word, status_word};

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Nil,
    Str(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    /// Nanoseconds.
    Duration(i64),
    Status(i32),
    Kind(i32),
    Array(Vec<AnyValue>),
    /// A map or bytes: there, and equal to nothing.
    Thing(AnyValue),
}

impl Value {
    fn of_attribute(value: &AnyValue) -> Self {
        match value {
            AnyValue::Empty => Self::Nil,
            AnyValue::Str(text) => Self::Str(text.clone()),
            AnyValue::Bool(value) => Self::Bool(*value),
            AnyValue::Int(value) => Self::Int(*value),
            AnyValue::Double(value) => Self::Float(*value),
            AnyValue::Array(items) => Self::Array(items.clone()),
            AnyValue::Map(_) | AnyValue::Bytes(_) => Self::Thing(value.clone()),
        }
    }

    /// As an answer shows it.
    pub fn shown(&self) -> AnyValue {
        let word = |word: Option<&str>, code: i32| match word {
            Some(word) => AnyValue::Str(word.to_owned()),
            None => AnyValue::Int(code.into()),
        };
        match self {
            Self::Nil => AnyValue::Str("nil".to_owned()),
            Self::Str(text) => AnyValue::Str(text.clone()),
            Self::Int(value) | Self::Duration(value) => AnyValue::Int(*value),
            // Of the two zeros, which are one group, the one without a sign.
            Self::Float(value) => AnyValue::Double(*value + 0.0),
            Self::Bool(value) => AnyValue::Bool(*value),
            Self::Status(code) => word(status_word(*code), *code),
            Self::Kind(code) => word(kind_word(*code), *code),
            Self::Array(items) => AnyValue::Array(items.clone()),
            Self::Thing(thing) => thing.clone(),
        }
    }

    /// Equal for values that are one group: of the same type and equal; all NaN are one.
    pub fn group(&self) -> String {
        match self {
            Self::Float(zero) if *zero == 0.0 => "Float(0.0)".to_owned(),
            _ => format!("{self:?}"),
        }
    }

    /// As a float, durations as nanoseconds.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Int(value) | Self::Duration(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    fn is_true(&self) -> bool {
        *self == Self::Bool(true)
    }
}

/// Of a key that is there twice the first counts.
pub fn attribute(attributes: &[KeyValue], key: &str) -> Value {
    attributes.iter().find(|a| a.key == key).map_or(Value::Nil, |a| Value::of_attribute(&a.value))
}

/// The service's name, empty when there is none.
pub fn service(resource: &[KeyValue]) -> String {
    match attribute(resource, "service.name") {
        Value::Str(name) => name,
        _ => String::new(),
    }
}

/// The values of a field: several for events and links, none when it is not there.
pub fn values(trace: &Trace, span: &Span, field: &Field) -> Vec<Value> {
    let mut found = match field {
        Field::Parent => match span.parent {
            Some(parent) => intrinsics(trace, &trace.spans[parent], Intrinsic::SpanId),
            None => Vec::new(),
        },
        Field::Attribute { of_parent: true, scope, key } => match span.parent {
            Some(parent) => attributes(&trace.spans[parent], *scope, key),
            None => Vec::new(),
        },
        Field::Attribute { of_parent: false, scope, key } => attributes(span, *scope, key),
        Field::Intrinsic(intrinsic) => intrinsics(trace, span, *intrinsic),
    };
    found.retain(|value| *value != Value::Nil);
    found
}

/// Where one value is needed it is the first.
pub fn first_value(trace: &Trace, span: &Span, field: &Field) -> Value {
    values(trace, span, field).into_iter().next().unwrap_or(Value::Nil)
}

fn attributes(span: &Span, scope: Scope, key: &str) -> Vec<Value> {
    let mut found: Vec<Value> = match scope {
        Scope::Span => vec![attribute(&span.own.attributes, key)],
        Scope::Resource => vec![attribute(&span.resource.attributes, key)],
        Scope::Instrumentation => vec![attribute(&span.scope.attributes, key)],
        Scope::Event => span.own.events.iter().map(|event| attribute(&event.attributes, key)).collect(),
        Scope::Link => span.own.links.iter().map(|link| attribute(&link.attributes, key)).collect(),
        Scope::Any => {
            let order = [Scope::Span, Scope::Resource, Scope::Event, Scope::Link, Scope::Instrumentation];
            let found = order.iter().map(|scope| attributes(span, *scope, key));
            found.into_iter().find(|values| !values.is_empty()).unwrap_or_default()
        }
    };
    found.retain(|value| *value != Value::Nil);
    found
}

fn intrinsics(trace: &Trace, span: &Span, intrinsic: Intrinsic) -> Vec<Value> {
    let hex = |id: &[u8]| Value::Str(id.iter().map(|byte| format!("{byte:02x}")).collect());
    let text = |text: &str| Value::Str(text.to_owned());
    let events = || span.own.events.iter();
    let links = || span.own.links.iter();
    let one = match intrinsic {
        Intrinsic::EventName => return events().map(|event| text(&event.name)).collect(),
        Intrinsic::EventTime => {
            return events()
                .map(|event| Value::Duration(event.time_unix_nano as i64 - span.start() as i64))
                .collect();
        }
        Intrinsic::LinkTraceId => return links().map(|link| hex(&link.trace_id)).collect(),
        Intrinsic::LinkSpanId => return links().map(|link| hex(&link.span_id)).collect(),
        Intrinsic::Duration => Value::Duration(span.duration() as i64),
        Intrinsic::Name => text(&span.own.name),
        Intrinsic::Status => Value::Status(span.own.status.code),
        Intrinsic::StatusMessage => text(&span.own.status.message),
        Intrinsic::Kind => Value::Kind(span.own.kind),
        Intrinsic::RootName => trace.root().map_or(Value::Nil, |root| text(&root.own.name)),
        Intrinsic::RootServiceName => {
            trace.root().map_or(Value::Nil, |root| Value::Str(service(&root.resource.attributes)))
        }
        Intrinsic::TraceDuration => Value::Duration(trace.duration() as i64),
        Intrinsic::NestedSetLeft => Value::Int(span.nested_left),
        Intrinsic::NestedSetRight => Value::Int(span.nested_right),
        Intrinsic::NestedSetParent => Value::Int(span.nested_parent),
        Intrinsic::TraceId => hex(&trace.id.0),
        Intrinsic::SpanId => hex(&span.own.span_id.0),
        Intrinsic::ParentId if span.is_root() => Value::Nil,
        Intrinsic::ParentId => hex(&span.own.parent_span_id),
        Intrinsic::ChildCount => {
            let is_this = |at: usize| std::ptr::eq(&trace.spans[at], span);
            Value::Int(trace.spans.iter().filter(|s| s.parent.is_some_and(is_this)).count() as i64)
        }
        Intrinsic::ScopeName => text(&span.scope.name),
        Intrinsic::ScopeVersion => text(&span.scope.version),
    };
    vec![one]
}

fn literal(literal: &Literal) -> Value {
    match literal {
        Literal::Nil => Value::Nil,
        Literal::Str(text) => Value::Str(text.clone()),
        Literal::Int(value) => Value::Int(*value),
        Literal::Float(value) => Value::Float(*value),
        Literal::Bool(value) => Value::Bool(*value),
        Literal::Duration(nanos) => Value::Duration(*nanos),
        Literal::Status(code) => Value::Status(*code),
        Literal::Kind(code) => Value::Kind(*code),
    }
}

/// A number as it is written.
pub fn constant(number: &Literal) -> Value {
    literal(number)
}

/// The values of an expression: several only for a field of events or links.
fn all_values(trace: &Trace, span: &Span, expr: &Expr) -> Vec<Value> {
    match expr {
        Expr::Field(field) => values(trace, span, field),
        _ => vec![value(trace, span, expr)],
    }
}

/// The one value of an expression.
pub fn value(trace: &Trace, span: &Span, expr: &Expr) -> Value {
    let all = |expr: &Expr| all_values(trace, span, expr);
    let holds = |expr: &Expr| holds(trace, span, expr);
    match expr {
        Expr::Literal(value) => literal(value),
        Expr::Field(field) => first_value(trace, span, field),
        Expr::Not(operand) => Value::Bool(all(operand).contains(&Value::Bool(false))),
        Expr::Negate(operand) => match value(trace, span, operand) {
            Value::Int(value) => Value::Int(value.wrapping_neg()),
            Value::Float(value) => Value::Float(-value),
            Value::Duration(value) => Value::Duration(value.wrapping_neg()),
            _ => Value::Nil,
        },
        Expr::Match { negated, left, pattern } => Value::Bool(all(left).iter().any(|value| match value {
            Value::Str(text) => (pattern.matches)(text) != *negated,
            Value::Array(items) => {
                let matches = |item: &AnyValue| matches!(item, AnyValue::Str(t) if (pattern.matches)(t));
                items.iter().any(matches) != *negated
            }
            _ => false,
        })),
        Expr::Binary(Op::And, left, right) => Value::Bool(holds(left) && holds(right)),
        Expr::Binary(Op::Or, left, right) => Value::Bool(holds(left) || holds(right)),
        Expr::Binary(op, left, right) if is_comparison(*op) => {
            let is_nil = |expr: &Expr| matches!(expr, Expr::Literal(Literal::Nil));
            match (is_nil(left), is_nil(right)) {
                (false, true) => Value::Bool(all(left).is_empty() == (*op == Op::Equal)),
                (true, false) => Value::Bool(all(right).is_empty() == (*op == Op::Equal)),
                _ => {
                    let right = all(right);
                    Value::Bool(all(left).iter().any(|a| right.iter().any(|b| compare(*op, a, b))))
                }
            }
        }
        Expr::Binary(op, left, right) => {
            arithmetic(*op, &value(trace, span, left), &value(trace, span, right))
        }
    }
}

/// Whether a condition holds for a span.
pub fn holds(trace: &Trace, span: &Span, condition: &Expr) -> bool {
    all_values(trace, span, condition).iter().any(Value::is_true)
}

pub fn is_comparison(op: Op) -> bool {
    use Op::{Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual};
    matches!(op, Equal | NotEqual | Less | LessEqual | Greater | GreaterEqual)
}

fn ordered<T: PartialOrd + ?Sized>(op: Op, left: &T, right: &T) -> bool {
    match op {
        Op::Equal => left == right,
        Op::NotEqual => left != right,
        Op::Less => left < right,
        Op::LessEqual => left <= right,
        Op::Greater => left > right,
        Op::GreaterEqual => left >= right,
        _ => false,
    }
}

/// One value against another.
pub fn compare(op: Op, left: &Value, right: &Value) -> bool {
    use Value::{Array, Bool, Duration, Float, Int, Kind, Nil, Status, Str, Thing};
    let only_equality = |equal: bool| match op {
        Op::Equal => equal,
        Op::NotEqual => !equal,
        _ => false,
    };
    match (left, right) {
        (Nil | Thing(_), _) | (_, Nil | Thing(_)) | (Array(_), Array(_)) => false,
        (Array(items), _) if op == Op::NotEqual => {
            !items.iter().any(|item| compare(Op::Equal, &element(item), right))
        }
        (_, Array(items)) if op == Op::NotEqual => {
            !items.iter().any(|item| compare(Op::Equal, left, &element(item)))
        }
        (Array(items), _) => items.iter().any(|item| compare(op, &element(item), right)),
        (_, Array(items)) => items.iter().any(|item| compare(op, left, &element(item))),
        (Int(a) | Duration(a), Int(b) | Duration(b)) => ordered(op, a, b),
        (Int(_) | Duration(_) | Float(_), Int(_) | Duration(_) | Float(_)) => {
            match (left.number(), right.number()) {
                (Some(a), Some(b)) => ordered(op, &a, &b),
                _ => false,
            }
        }
        (Str(a), Str(b)) => ordered(op, a.as_bytes(), b.as_bytes()),
        (Bool(a), Bool(b)) => only_equality(a == b),
        (Status(a), Status(b)) | (Kind(a), Kind(b)) => only_equality(a == b),
        _ => false,
    }
}

/// An element that is no string, number or bool matches nothing.
fn element(item: &AnyValue) -> Value {
    match item {
        AnyValue::Str(_) | AnyValue::Int(_) | AnyValue::Double(_) | AnyValue::Bool(_) => {
            Value::of_attribute(item)
        }
        _ => Value::Nil,
    }
}

pub fn arithmetic(op: Op, left: &Value, right: &Value) -> Value {
    if let (Value::Int(a), Value::Int(b)) = (left, right) {
        return match op {
            Op::Add => Value::Int(a.wrapping_add(*b)),
            Op::Subtract => Value::Int(a.wrapping_sub(*b)),
            Op::Multiply => Value::Int(a.wrapping_mul(*b)),
            Op::Divide | Op::Modulo if *b == 0 => Value::Nil,
            Op::Divide => Value::Int(a.wrapping_div(*b)),
            Op::Modulo => Value::Int(a.wrapping_rem(*b)),
            _ if *b < 0 => Value::Float((*a as f64).powf(*b as f64)),
            _ => Value::Int((0..*b).fold(1, |power: i64, _| power.wrapping_mul(*a))),
        };
    }
    match (left.number(), right.number()) {
        (Some(a), Some(b)) => Value::Float(float_arithmetic(op, a, b)),
        _ => Value::Nil,
    }
}

pub fn float_arithmetic(op: Op, a: f64, b: f64) -> f64 {
    match op {
        Op::Add => a + b,
        Op::Subtract => a - b,
        Op::Multiply => a * b,
        Op::Divide => a / b,
        Op::Modulo => a % b,
        _ => a.powf(b),
    }
}
