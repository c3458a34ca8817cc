//! The tree to canonical text: one space around operators, parentheses only where the tree needs them, each
//! intrinsic by its word if it has one (`duration`), else with its scope (`span:id`). What is printed parses to the
//! same tree.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the printer: pipelines, spansets, scalars, expressions |
//! | `metrics.rs` | functions over time, second stages, arithmetic over series |
//! | `name.rs` | fields, literals, operators: what is one token |
//! | `part.rs` | a part of a query, and where it begins in the text |

mod metrics;
mod name;
mod part;

use std::fmt::{self, Display, Formatter, Write};

use crate::ast::{
    BinaryOp, Body, Field, FieldExpr, Function, Hint, Literal, Metrics, Pipeline, Query, Scalar, SecondStage,
    Set, SetOp, Stage,
};
use crate::parse::{OPERATORS, SET_OPERATORS, level};

pub(crate) use part::{Part, place_in_source};

/// The text so far, and where the wanted part began in it.
#[derive(Default)]
struct Printer<'a> {
    out: String,
    wanted: Option<Part<'a>>,
    found: Option<usize>,
}

/// How tightly a tree binds as an operand.
trait Binds {
    fn binds(&self) -> u8;
}

impl Printer<'_> {
    /// Remembers where `part` begins, if it is wanted.
    fn enter(&mut self, part: Part<'_>) {
        if self.found.is_none() && self.wanted.is_some_and(|wanted| wanted.is(part)) {
            self.found = Some(self.out.len());
        }
    }

    fn text(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// Something that is one token.
    fn token(&mut self, token: &impl Display) {
        // Writing to a string cannot fail.
        let _written = write!(self.out, "{token}");
    }

    fn query(&mut self, of: &Query) {
        match &of.body {
            Body::Search(pipeline) => self.pipeline(pipeline),
            Body::Metrics(metrics) => self.metrics(metrics),
        }
        if !of.hints.is_empty() {
            self.text(" with(");
            self.list(&of.hints, Self::hint);
            self.text(")");
        }
    }

    fn hint(&mut self, of: &Hint) {
        self.enter(Part::Hint(of));
        self.text(&of.name);
        self.text("=");
        self.token(&of.value);
    }

    fn pipeline(&mut self, of: &Pipeline) {
        for (at, stage) in of.stages.iter().enumerate() {
            self.text(if at == 0 { "" } else { " | " });
            self.stage(stage);
        }
    }

    fn stage(&mut self, of: &Stage) {
        self.enter(Part::Stage(of));
        match of {
            Stage::Set(set) => self.set(set),
            Stage::Compare { op, left, right } => {
                self.scalar(left);
                self.symbol(op);
                self.scalar(right);
            }
            Stage::By(of) => {
                self.text("by(");
                self.expr(of);
                self.text(")");
            }
            Stage::Coalesce => self.text("coalesce()"),
            Stage::Select(fields) => {
                self.text("select(");
                self.list(fields, Self::field);
                self.text(")");
            }
        }
    }

    fn set(&mut self, of: &Set) {
        match of {
            Set::Filter(filter) => self.filter(filter.as_deref()),
            Set::Pipeline(pipeline) => {
                self.text("(");
                self.pipeline(pipeline);
                self.text(")");
            }
            Set::Combine { op, left, right } => {
                let binds = of.binds();
                self.operand(&**left, binds, Self::set);
                self.symbol(op);
                self.operand(&**right, binds + 1, Self::set);
            }
        }
    }

    fn filter(&mut self, of: Option<&FieldExpr>) {
        match of {
            Some(of) => {
                self.text("{ ");
                self.expr(of);
                self.text(" }");
            }
            None => self.text("{}"),
        }
    }

    fn scalar(&mut self, of: &Scalar) {
        self.enter(Part::Scalar(of));
        match of {
            Scalar::Literal(literal) => self.token(literal),
            Scalar::Aggregate(aggregate, of) => {
                self.token(aggregate);
                self.text("(");
                if let Some(of) = of {
                    self.expr(of);
                }
                self.text(")");
            }
            Scalar::Pipeline(pipeline, scalar) => {
                self.text("(");
                self.pipeline(pipeline);
                self.text(" | ");
                self.scalar(scalar);
                self.text(")");
            }
            Scalar::Binary { op, left, right } => self.binary(*op, &**left, &**right, Self::scalar),
        }
    }

    fn expr(&mut self, of: &FieldExpr) {
        self.enter(Part::Expr(of));
        match of {
            FieldExpr::Literal(literal) => self.token(literal),
            FieldExpr::Field(field) => self.field(field),
            FieldExpr::Not(of) => {
                self.text("!");
                self.operand(&**of, level::NOT, Self::expr);
            }
            FieldExpr::Negate(of) => {
                self.text("-");
                let least = if is_unsigned(of) { level::ATOM + 1 } else { level::NEGATE };
                self.operand(&**of, least, Self::expr);
            }
            FieldExpr::Binary { op, left, right } => self.binary(*op, &**left, &**right, Self::expr),
        }
    }

    fn field(&mut self, of: &Field) {
        self.enter(Part::Field(of));
        self.token(of);
    }

    fn binary<T: Binds>(&mut self, op: BinaryOp, left: &T, right: &T, print: fn(&mut Self, &T)) {
        let binds = operator(op).1;
        // Only `^` groups to the right.
        let right_first = binds == level::POWER;
        self.operand(left, binds + u8::from(right_first), print);
        self.symbol(&op);
        self.operand(right, binds + u8::from(!right_first), print);
    }

    /// An operand, in parentheses if it binds less than `least`.
    fn operand<T: Binds>(&mut self, of: &T, least: u8, print: fn(&mut Self, &T)) {
        let parentheses = of.binds() < least;
        self.text(if parentheses { "(" } else { "" });
        print(self, of);
        self.text(if parentheses { ")" } else { "" });
    }

    /// An operator between spaces.
    fn symbol(&mut self, op: &impl Display) {
        self.text(" ");
        self.token(op);
        self.text(" ");
    }

    fn list<T>(&mut self, items: &[T], print: fn(&mut Self, &T)) {
        for (at, item) in items.iter().enumerate() {
            self.text(if at == 0 { "" } else { ", " });
            print(self, item);
        }
    }
}

fn operator(op: BinaryOp) -> (&'static str, u8) {
    let found = OPERATORS.iter().find(|(_, known, _)| *known == op);
    found.map_or(("", level::ATOM), |(symbol, _, binds)| (symbol, *binds))
}

fn set_operator(op: SetOp) -> (&'static str, u8) {
    let found = SET_OPERATORS.iter().find(|(_, known, _)| *known == op);
    found.map_or(("", level::ATOM), |(symbol, _, binds)| (symbol, *binds))
}

impl Binds for FieldExpr {
    fn binds(&self) -> u8 {
        match self {
            FieldExpr::Binary { op, .. } => operator(*op).1,
            FieldExpr::Not(_) => level::NOT,
            FieldExpr::Negate(_) => level::NEGATE,
            FieldExpr::Literal(_) | FieldExpr::Field(_) => level::ATOM,
        }
    }
}

impl Binds for Set {
    fn binds(&self) -> u8 {
        if let Set::Combine { op, .. } = self { set_operator(*op).1 } else { level::ATOM }
    }
}

impl Binds for Scalar {
    fn binds(&self) -> u8 {
        if let Scalar::Binary { op, .. } = self { operator(*op).1 } else { level::ATOM }
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

/// `Display` by a function of the printer.
macro_rules! display {
    ($($tree:ty: $print:ident),* $(,)?) => {$(
        impl Display for $tree {
            fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
                let mut printer = Printer::default();
                printer.$print(self);
                f.write_str(&printer.out)
            }
        }
    )*};
}

display! {
    Query: query,
    Hint: hint,
    Pipeline: pipeline,
    Stage: stage,
    Set: set,
    Scalar: scalar,
    FieldExpr: expr,
    Metrics: metrics,
    Function: function,
    SecondStage: second_stage,
}
