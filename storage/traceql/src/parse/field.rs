//! Expressions over one span: what stands between braces.

use super::chain::{Chain, Joined, Tall};
use super::{Parser, level};
use crate::ast::{BinaryOp, FieldExpr};
use crate::error::ParseError;

/// What a symbol means between values, and how tightly it binds.
pub(crate) const OPERATORS: &[(&str, BinaryOp, u8)] = &[
    ("&&", BinaryOp::And, level::LOGIC),
    ("||", BinaryOp::Or, level::LOGIC),
    ("=", BinaryOp::Equal, level::COMPARE),
    ("!=", BinaryOp::NotEqual, level::COMPARE),
    ("<", BinaryOp::Less, level::COMPARE),
    ("<=", BinaryOp::LessEqual, level::COMPARE),
    (">", BinaryOp::Greater, level::COMPARE),
    (">=", BinaryOp::GreaterEqual, level::COMPARE),
    ("=~", BinaryOp::Regex, level::COMPARE),
    ("!~", BinaryOp::NotRegex, level::COMPARE),
    ("+", BinaryOp::Add, level::SUM),
    ("-", BinaryOp::Sub, level::SUM),
    ("*", BinaryOp::Mul, level::PRODUCT),
    ("/", BinaryOp::Div, level::PRODUCT),
    ("%", BinaryOp::Mod, level::PRODUCT),
    ("^", BinaryOp::Pow, level::POWER),
];

/// The operator of a symbol, and how tightly it binds.
pub(super) fn operator(symbol: &str) -> Option<(BinaryOp, u8)> {
    OPERATORS.iter().find(|(known, ..)| *known == symbol).map(|(_, op, binds)| (*op, *binds))
}

/// How tightly the right operand of an operator must bind: `^` takes its like, the others leave it.
pub(super) fn right_of(binds: u8) -> u8 {
    if binds == level::POWER { level::POWER } else { binds + 1 }
}

impl Parser<'_> {
    /// An expression whose operators bind at least as tightly as `least`.
    pub(super) fn field_expr(&mut self, least: u8) -> Result<Tall<FieldExpr>, ParseError> {
        let chain = self.field_chain(least)?;
        self.bounded(chain.fold())
    }

    fn field_chain(&mut self, least: u8) -> Result<Chain<FieldExpr>, ParseError> {
        self.nested(|parser| {
            let mut chain = parser.field_operand()?;
            while let Some((op, binds)) = parser.peek_symbol().and_then(operator) {
                if binds < least {
                    break;
                }
                parser.at += 1;
                let right = parser.field_expr(right_of(binds))?;
                if binds == level::LOGIC {
                    chain.push(op, right);
                } else {
                    let joined = chain.fold().join(right, |left, right| FieldExpr::join(op, left, right));
                    chain = parser.bounded(joined)?.into();
                }
            }
            Ok(chain)
        })
    }

    fn field_operand(&mut self) -> Result<Chain<FieldExpr>, ParseError> {
        if let Some(literal) = self.literal() {
            return Ok(Tall::leaf(FieldExpr::Literal(literal)).into());
        }
        if let Some(field) = self.field() {
            return Ok(Tall::leaf(FieldExpr::Field(field)).into());
        }
        if self.eat("!") {
            let of = self.field_expr(level::PRODUCT)?;
            return Ok(of.under(|of| FieldExpr::Not(Box::new(of))).into());
        }
        if self.eat("-") {
            let of = self.nested(Self::field_operand)?.fold();
            return Ok(of.under(|of| FieldExpr::Negate(Box::new(of))).into());
        }
        if self.eat("(") {
            let inner = self.field_chain(level::LOGIC)?;
            self.expect(")", "an operator or `)`")?;
            return Ok(inner);
        }
        Err(self.no_value("an attribute, an intrinsic, a value or `(`"))
    }
}
