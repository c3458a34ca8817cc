//! The tree to canonical text: one space around operators, parentheses only where the tree needs them, each
//! intrinsic in its scoped spelling. What is printed parses to the same tree.

use std::fmt::{self, Display, Formatter, Write};

use crate::ast::{
    Aggregate, Attribute, BinaryOp, Body, Field, FieldExpr, Function, Hint, Intrinsic, Literal, Metrics,
    OverTime, Pipeline, Query, Scalar, SecondStage, Set, SetOp, Stage,
};
use crate::lex::ends_attribute;
use crate::names;
use crate::parse::{OPERATORS, SET_OPERATORS, level};

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.body {
            Body::Search(pipeline) => pipeline.fmt(f)?,
            Body::Metrics(metrics) => metrics.fmt(f)?,
        }
        if !self.hints.is_empty() {
            f.write_str(" with(")?;
            list(f, &self.hints)?;
            f.write_char(')')?;
        }
        Ok(())
    }
}

impl Display for Hint {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

impl Display for Pipeline {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (at, stage) in self.stages.iter().enumerate() {
            let between = if at == 0 { "" } else { " | " };
            write!(f, "{between}{stage}")?;
        }
        Ok(())
    }
}

impl Display for Stage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Stage::Set(set) => set.fmt(f),
            Stage::Compare { op, left, right } => write!(f, "{left} {op} {right}"),
            Stage::By(of) => write!(f, "by({of})"),
            Stage::Coalesce => f.write_str("coalesce()"),
            Stage::Select(fields) => {
                f.write_str("select(")?;
                list(f, fields)?;
                f.write_char(')')
            }
        }
    }
}

impl Display for Set {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Set::Filter(filter) => braces(f, filter.as_deref()),
            Set::Pipeline(pipeline) => write!(f, "({pipeline})"),
            Set::Combine { op, left, right } => {
                let binds = set_operator(*op).1;
                operand(f, &**left, set_binds(left) < binds)?;
                write!(f, " {op} ")?;
                operand(f, &**right, set_binds(right) <= binds)
            }
        }
    }
}

impl Display for Scalar {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::Literal(literal) => literal.fmt(f),
            Scalar::Aggregate(aggregate, None) => write!(f, "{aggregate}()"),
            Scalar::Aggregate(aggregate, Some(of)) => write!(f, "{aggregate}({of})"),
            Scalar::Pipeline(pipeline, scalar) => write!(f, "({pipeline} | {scalar})"),
            Scalar::Binary { op, left, right } => binary(f, *op, &**left, &**right, scalar_binds),
        }
    }
}

impl Display for Metrics {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Metrics::Number(number) => number.fmt(f),
            Metrics::Math { op, left, right } => binary(f, *op, &**left, &**right, metrics_binds),
            Metrics::Series { pipeline, function, by } => {
                write!(f, "{pipeline} | {function}")?;
                if by.is_empty() {
                    return Ok(());
                }
                f.write_str(" by(")?;
                list(f, by)?;
                f.write_char(')')
            }
            Metrics::Then(source, stages) => {
                source.fmt(f)?;
                stages.iter().try_for_each(|stage| write!(f, " | {stage}"))
            }
        }
    }
}

impl Display for Function {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Function::Rate => f.write_str("rate()"),
            Function::CountOverTime => f.write_str("count_over_time()"),
            Function::OverTime(statistic, field) => {
                let name = match statistic {
                    OverTime::Min => "min",
                    OverTime::Max => "max",
                    OverTime::Avg => "avg",
                    OverTime::Sum => "sum",
                    OverTime::Histogram => "histogram",
                };
                write!(f, "{name}_over_time({field})")
            }
            Function::Quantile(field, quantiles) => {
                write!(f, "quantile_over_time({field}")?;
                quantiles.iter().try_for_each(|quantile| write!(f, ", {quantile:?}"))?;
                f.write_char(')')
            }
            Function::Compare { selection, top, window } => {
                f.write_str("compare(")?;
                braces(f, selection.as_deref())?;
                if let Some(top) = top {
                    write!(f, ", {}", Literal::Int(*top))?;
                }
                if let Some((from, until)) = window {
                    write!(f, ", {}, {}", Literal::Int(*from), Literal::Int(*until))?;
                }
                f.write_char(')')
            }
        }
    }
}

impl Display for SecondStage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            SecondStage::Topk(limit) => write!(f, "topk({})", Literal::Int(*limit)),
            SecondStage::Bottomk(limit) => write!(f, "bottomk({})", Literal::Int(*limit)),
            SecondStage::Filter(op, value) => write!(f, "{op} {value}"),
        }
    }
}

impl Display for FieldExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            FieldExpr::Literal(literal) => literal.fmt(f),
            FieldExpr::Field(field) => field.fmt(f),
            FieldExpr::Not(of) => {
                f.write_char('!')?;
                operand(f, &**of, field_binds(of) < level::NOT)
            }
            FieldExpr::Negate(of) => {
                f.write_char('-')?;
                operand(f, &**of, field_binds(of) < level::NEGATE || is_unsigned(of))
            }
            FieldExpr::Binary { op, left, right } => binary(f, *op, &**left, &**right, field_binds),
        }
    }
}

impl Display for Field {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Field::Attribute(attribute) => attribute.fmt(f),
            Field::Intrinsic(intrinsic) => intrinsic.fmt(f),
        }
    }
}

impl Display for Attribute {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.parent {
            f.write_str("parent.")?;
        }
        let scope = names::SCOPES.iter().find(|(_, scope)| Some(*scope) == self.scope).map(|(name, _)| *name);
        match scope {
            Some(scope) => write!(f, "{scope}.")?,
            None if !self.parent => f.write_char('.')?,
            None => {}
        }
        let name = &self.name;
        let like_scope = self.parent && (name.starts_with("span.") || name.starts_with("resource."));
        let like_number = name.starts_with(|c: char| c.is_ascii_digit());
        if !like_scope && !like_number && !name.contains(|c| c == '"' || ends_attribute(c)) {
            return f.write_str(name);
        }
        write!(f, "\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

impl Display for Intrinsic {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut known = names::SCOPED_INTRINSICS.iter().chain(names::WORD_INTRINSICS);
        f.write_str(known.find(|(_, known)| known == self).map_or("", |(name, _)| name))
    }
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Int(number) if *number != i64::MIN => number.fmt(f),
            Literal::Float(number) => write!(f, "{number:?}"),
            Literal::Text(text) => quote(f, text),
            Literal::Duration(ns) => duration(f, *ns),
            word => {
                let found = names::WORD_LITERALS.iter().find(|(_, known)| known == word);
                f.write_str(found.map_or("", |(name, _)| name))
            }
        }
    }
}

impl Display for BinaryOp {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(operator(*self).0)
    }
}

impl Display for SetOp {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(set_operator(*self).0)
    }
}

impl Display for Aggregate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(names::AGGREGATES.iter().find(|(_, known)| known == self).map_or("", |(name, _)| name))
    }
}

fn list<T: Display>(f: &mut Formatter<'_>, items: &[T]) -> fmt::Result {
    for (at, item) in items.iter().enumerate() {
        let between = if at == 0 { "" } else { ", " };
        write!(f, "{between}{item}")?;
    }
    Ok(())
}

fn braces(f: &mut Formatter<'_>, filter: Option<&FieldExpr>) -> fmt::Result {
    match filter {
        Some(filter) => write!(f, "{{ {filter} }}"),
        None => f.write_str("{}"),
    }
}

fn operand(f: &mut Formatter<'_>, value: &impl Display, parentheses: bool) -> fmt::Result {
    if parentheses { write!(f, "({value})") } else { value.fmt(f) }
}

fn binary<T: Display>(
    f: &mut Formatter<'_>,
    op: BinaryOp,
    left: &T,
    right: &T,
    binds_of: impl Fn(&T) -> u8,
) -> fmt::Result {
    let (symbol, binds) = operator(op);
    // Only `^` groups to the right.
    let (least_left, least_right) =
        if binds == level::POWER { (binds + 1, binds) } else { (binds, binds + 1) };
    operand(f, left, binds_of(left) < least_left)?;
    write!(f, " {symbol} ")?;
    operand(f, right, binds_of(right) < least_right)
}

fn operator(op: BinaryOp) -> (&'static str, u8) {
    let found = OPERATORS.iter().find(|(_, known, _)| *known == op);
    found.map_or(("", level::ATOM), |(symbol, _, binds)| (symbol, *binds))
}

fn set_operator(op: SetOp) -> (&'static str, u8) {
    let found = SET_OPERATORS.iter().find(|(_, known, _)| *known == op);
    found.map_or(("", level::ATOM), |(symbol, _, binds)| (symbol, *binds))
}

fn field_binds(of: &FieldExpr) -> u8 {
    match of {
        FieldExpr::Binary { op, .. } => operator(*op).1,
        FieldExpr::Not(_) => level::NOT,
        FieldExpr::Negate(_) => level::NEGATE,
        FieldExpr::Literal(_) | FieldExpr::Field(_) => level::ATOM,
    }
}

fn set_binds(of: &Set) -> u8 {
    if let Set::Combine { op, .. } = of { set_operator(*op).1 } else { level::ATOM }
}

fn scalar_binds(of: &Scalar) -> u8 {
    if let Scalar::Binary { op, .. } = of { operator(*op).1 } else { level::ATOM }
}

fn metrics_binds(of: &Metrics) -> u8 {
    match of {
        Metrics::Number(_) => level::ATOM,
        Metrics::Math { op, .. } => operator(*op).1,
        Metrics::Series { .. } | Metrics::Then(..) => 0,
    }
}

/// A number whose sign, put before it, would be read as its own.
fn is_unsigned(of: &FieldExpr) -> bool {
    match of {
        FieldExpr::Literal(Literal::Int(number) | Literal::Duration(number)) => *number >= 0,
        FieldExpr::Literal(Literal::Float(number)) => number.is_sign_positive(),
        _ => false,
    }
}

fn quote(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

/// The largest units first: `1h30m`, `1s500ms`.
fn duration(f: &mut Formatter<'_>, ns: i64) -> fmt::Result {
    const UNITS: &[(u64, &str)] = &[
        (3_600_000_000_000, "h"),
        (60_000_000_000, "m"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
        (1, "ns"),
    ];
    if ns == 0 {
        return f.write_str("0s");
    }
    if ns < 0 {
        f.write_char('-')?;
    }
    let mut left = ns.unsigned_abs();
    for (unit, name) in UNITS {
        if left >= *unit {
            write!(f, "{}{name}", left / unit)?;
            left %= unit;
        }
    }
    Ok(())
}
