//! What is one token: fields, literals, operators, names of functions.

use std::fmt::{self, Display, Formatter, Write};

use super::{operator, set_operator};
use crate::ast::{Aggregate, Attribute, BinaryOp, Field, Intrinsic, Literal, SetOp};
use crate::lex::ends_attribute;
use crate::names;

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
        let mut known = names::WORD_INTRINSICS.iter().chain(names::SCOPED_INTRINSICS);
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
