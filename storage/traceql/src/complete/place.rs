//! The pieces before the cursor, followed to the place that the cursor is in. Nothing is judged: what does not fit is
//! passed over, and braces or parentheses that were left open are taken to end where something begins that cannot
//! stand in them.

use crate::ast::{BinaryOp, Field};
use crate::lex::{Piece, TokenKind};
use crate::names;
use crate::parse::OPERATORS;

/// What the cursor is in, from outside to inside, and what stands before it there.
#[derive(Debug, Default)]
pub struct Place {
    outer: Vec<Inside>,
    pub inside: Inside,
}

/// One pair of brackets, or none: the query itself.
#[derive(Debug, Default)]
pub struct Inside {
    pub what: What,
    pub last: Last,
    /// Whether a function over time stands before.
    pub series: bool,
    /// Whether scalars are compared since the last `|`.
    pub compared: bool,
}

/// What brackets hold.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Stages, by themselves or between parentheses.
    #[default]
    Stages,
    /// `{ ... }`
    Braces,
    /// An expression over a span between parentheses: a group, or what a function takes.
    Expression,
    /// Fields and nothing else.
    Fields,
    /// A field, then numbers.
    FieldAndNumbers,
    /// A filter in braces, then numbers.
    FilterAndNumbers,
    /// `with(...)`
    Hints,
    /// Nothing, or numbers.
    Nothing,
}

/// What stands before the cursor, within the same brackets.
#[derive(Debug, Default, Clone, PartialEq)]
pub enum Last {
    #[default]
    Nothing,
    /// `|`
    Pipe,
    /// An operator, or a comma; an operand follows.
    Operator,
    /// An operator between spansets; a spanset follows.
    SetOperator,
    /// A comparison with a field; a value follows.
    Comparison(Field, BinaryOp),
    /// A field.
    Field(Field),
    /// A value, or an expression in parentheses.
    Operand,
    /// A spanset.
    Spanset,
    /// A stage that takes no operators.
    Stage,
    /// A number for each spanset.
    Scalar,
    /// Series right after their function, so that `by` may follow.
    Function,
    /// Series.
    Series,
    /// The name of a function or a stage; `(` follows.
    Name(String),
    /// The name of a hint, and `=` if it is there.
    Hint(bool),
    /// Nothing can follow.
    End,
}

impl Place {
    /// Whether an operator can follow.
    pub fn wants_operator(&self) -> bool {
        use Last::{Field, Operand, Scalar, Series, Spanset};
        matches!(self.inside.last, Field(_) | Operand | Spanset | Scalar | Series)
    }

    /// Whether the cursor is in no brackets.
    pub fn is_outermost(&self) -> bool {
        self.outer.is_empty()
    }

    /// Goes on by one piece.
    pub fn follow(&mut self, piece: &Piece) {
        match &piece.kind {
            Some(TokenKind::Symbol(symbol)) => self.symbol(symbol),
            Some(TokenKind::Attribute(attribute)) => self.field(Field::Attribute(attribute.clone())),
            Some(TokenKind::Intrinsic(intrinsic)) => self.field(Field::Intrinsic(*intrinsic)),
            Some(TokenKind::Word(word)) => self.word(word),
            _ => self.value(),
        }
    }

    fn symbol(&mut self, symbol: &'static str) {
        match symbol {
            "{" => {
                self.leave_until(&[What::Stages, What::FilterAndNumbers]);
                self.enter(What::Braces);
            }
            "(" => {
                let what = self.parentheses();
                self.enter(what);
            }
            "}" => {
                if self.leave_until(&[What::Braces]) {
                    self.leave();
                }
                self.inside.last = Last::Spanset;
            }
            ")" => self.close(),
            "|" => {
                self.leave_until(&[What::Stages]);
                self.inside.last = Last::Pipe;
                self.inside.compared = false;
            }
            "," => self.inside.last = Last::Operator,
            _ => self.operator(symbol),
        }
    }

    fn operator(&mut self, symbol: &str) {
        let op = OPERATORS.iter().find(|(known, ..)| *known == symbol).map(|(_, op, _)| *op);
        let compares =
            |op: BinaryOp| op.is_comparison() || matches!(op, BinaryOp::Regex | BinaryOp::NotRegex);
        let last = std::mem::replace(&mut self.inside.last, Last::Operator);
        match (last, op) {
            (Last::Field(field), Some(op)) if compares(op) => self.inside.last = Last::Comparison(field, op),
            (Last::Scalar, Some(op)) if compares(op) => self.inside.compared = true,
            (Last::Pipe, Some(_)) => self.inside.compared = true,
            (Last::Spanset, _) => self.inside.last = Last::SetOperator,
            (Last::Hint(_), Some(BinaryOp::Equal)) => self.inside.last = Last::Hint(true),
            _ => {}
        }
    }

    fn word(&mut self, word: &str) {
        if self.inside.what == What::Stages && is_name(word) {
            self.inside.last = Last::Name(word.to_owned());
        } else if self.inside.what == What::Hints && self.inside.last != Last::Hint(true) {
            self.inside.last = Last::Hint(false);
        } else if let Some(intrinsic) = names::find(names::WORD_INTRINSICS, word) {
            self.field(Field::Intrinsic(intrinsic));
        } else {
            self.value();
        }
    }

    fn field(&mut self, field: Field) {
        let compared = matches!(self.inside.last, Last::Comparison(..));
        self.inside.last = if compared { Last::Operand } else { Last::Field(field) };
    }

    fn value(&mut self) {
        self.inside.last = match self.inside.what {
            What::Stages if self.inside.series && self.inside.compared => Last::Stage,
            What::Stages if self.inside.series => Last::Series,
            What::Stages => Last::Scalar,
            What::Hints => Last::End,
            _ => Last::Operand,
        };
    }

    /// What the parentheses hold that begin here.
    fn parentheses(&self) -> What {
        let Last::Name(name) = &self.inside.last else {
            return if self.inside.what == What::Stages { What::Stages } else { What::Expression };
        };
        match name.as_str() {
            "by" if self.inside.series => What::Fields,
            "select" => What::Fields,
            "with" => What::Hints,
            "compare" => What::FilterAndNumbers,
            "count" | "coalesce" | "topk" | "bottomk" | "rate" | "count_over_time" => What::Nothing,
            name if names::METRICS.contains(&name) => What::FieldAndNumbers,
            _ => What::Expression,
        }
    }

    fn enter(&mut self, what: What) {
        let inner = Inside { what, ..Inside::default() };
        self.outer.push(std::mem::replace(&mut self.inside, inner));
    }

    /// Leaves one pair of brackets and says what was left.
    fn leave(&mut self) -> Option<Inside> {
        let outer = self.outer.pop()?;
        Some(std::mem::replace(&mut self.inside, outer))
    }

    /// Leaves brackets until inside of one of these; if there is none, stays.
    fn leave_until(&mut self, wanted: &[What]) -> bool {
        let is_wanted = |inside: &Inside| wanted.contains(&inside.what);
        let found = is_wanted(&self.inside) || self.outer.iter().any(is_wanted);
        while found && !is_wanted(&self.inside) {
            self.leave();
        }
        found
    }

    /// A closing parenthesis. Braces that were left open within it end here too.
    fn close(&mut self) {
        if self.inside.what == What::Braces && self.leave().is_some() {
            self.inside.last = Last::Spanset;
        }
        let Some(left) = self.leave() else {
            return;
        };
        self.inside.last = match &self.inside.last {
            Last::Name(name) => self.after_call(&name.clone()),
            _ if self.inside.what != What::Stages => Last::Operand,
            _ if left.series => {
                self.inside.series = true;
                Last::Series
            }
            _ if left.last == Last::Scalar && !left.compared => Last::Scalar,
            _ => Last::Spanset,
        };
    }

    /// What stands there once the function is called.
    fn after_call(&mut self, name: &str) -> Last {
        if names::METRICS.contains(&name) {
            self.inside.series = true;
            return Last::Function;
        }
        match name {
            "with" => Last::End,
            name if names::STAGES.contains(&name) => Last::Stage,
            _ => Last::Scalar,
        }
    }
}

/// Whether a word begins a stage or calls a function.
fn is_name(word: &str) -> bool {
    let aggregate = names::AGGREGATES.iter().any(|(known, _)| *known == word);
    aggregate || names::METRICS.contains(&word) || names::STAGES.contains(&word)
}
