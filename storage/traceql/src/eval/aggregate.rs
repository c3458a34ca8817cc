//! Functions over the spans of a spanset. `docs/TRACEQL.md`, section "Pipelines".

use crate::ast::Aggregate;
use crate::value::{CompareOp, Total, Value, compare};

/// The numbers among the values of an expression.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    ints: u64,
    durations: u64,
    floats: u64,
    total: Total,
    least: Option<Value<'static>>,
    greatest: Option<Value<'static>>,
}

impl Numbers {
    /// Takes a value; one that is no number changes nothing.
    pub fn add(&mut self, value: Value<'static>) {
        match value {
            Value::Int(_) => self.ints += 1,
            Value::Duration(_) => self.durations += 1,
            Value::Float(_) => self.floats += 1,
            _ => return,
        }
        self.total.add(value);
        replace(&mut self.least, value, CompareOp::Less);
        replace(&mut self.greatest, value, CompareOp::Greater);
    }

    /// What the function makes of them; nil without any.
    pub fn value(&self, aggregate: Aggregate) -> Value<'static> {
        let count = self.ints + self.durations + self.floats;
        if count == 0 {
            return Value::Nil;
        }
        match aggregate {
            Aggregate::Count => Value::Int(count as i64),
            Aggregate::Min => self.least.unwrap_or(Value::Nil),
            Aggregate::Max => self.greatest.unwrap_or(Value::Nil),
            Aggregate::Sum if self.ints == count => Value::Int(self.total.whole() as i64),
            Aggregate::Sum if self.durations == count => Value::Duration(self.total.whole() as i64),
            Aggregate::Sum => Value::Float(self.total.value()),
            Aggregate::Avg if self.durations == count => {
                Value::Duration((self.total.whole() / i128::from(count)) as i64)
            }
            Aggregate::Avg => Value::Float(self.total.value() / count as f64),
        }
    }
}

/// Of equal ones the first stays; NaN stays only when there is nothing else.
fn replace(best: &mut Option<Value<'static>>, value: Value<'static>, better: CompareOp) {
    let replaced = match best {
        None => true,
        Some(Value::Float(best)) if best.is_nan() => true,
        Some(best) => compare(better, value, *best),
    };
    if replaced {
        *best = Some(value);
    }
}
