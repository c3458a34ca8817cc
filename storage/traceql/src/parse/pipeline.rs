//! Stages, spansets and scalars. One descent reads all three, and each operator looks at what its operands
//! turned out to be: `>` between spansets asks for children, between scalars it compares.

use super::field::{operator, right_of};
use super::{Parser, level};
use crate::ast::{Aggregate, Answer, BinaryOp, Metrics, Pipeline, Relation, Scalar, Set, SetOp, Stage};
use crate::error::{ParseError, Problem};
use crate::lex::TokenKind;
use crate::names;

/// What operators combine spansets, and how tightly they bind.
pub(crate) const SET_OPERATORS: &[(&str, SetOp, u8)] = &[
    ("&&", SetOp::And, level::LOGIC),
    ("||", SetOp::Or, level::LOGIC),
    (">", SetOp::Structural(Relation::Child, Answer::Right), level::COMPARE),
    (">>", SetOp::Structural(Relation::Descendant, Answer::Right), level::COMPARE),
    ("<", SetOp::Structural(Relation::Parent, Answer::Right), level::COMPARE),
    ("<<", SetOp::Structural(Relation::Ancestor, Answer::Right), level::COMPARE),
    ("~", SetOp::Structural(Relation::Sibling, Answer::Right), level::COMPARE),
    ("!>", SetOp::Structural(Relation::Child, Answer::Unmatched), level::COMPARE),
    ("!>>", SetOp::Structural(Relation::Descendant, Answer::Unmatched), level::COMPARE),
    ("!<", SetOp::Structural(Relation::Parent, Answer::Unmatched), level::COMPARE),
    ("!<<", SetOp::Structural(Relation::Ancestor, Answer::Unmatched), level::COMPARE),
    ("!~", SetOp::Structural(Relation::Sibling, Answer::Unmatched), level::COMPARE),
    ("&>", SetOp::Structural(Relation::Child, Answer::Both), level::COMPARE),
    ("&>>", SetOp::Structural(Relation::Descendant, Answer::Both), level::COMPARE),
    ("&<", SetOp::Structural(Relation::Parent, Answer::Both), level::COMPARE),
    ("&<<", SetOp::Structural(Relation::Ancestor, Answer::Both), level::COMPARE),
    ("&~", SetOp::Structural(Relation::Sibling, Answer::Both), level::COMPARE),
];

/// What stages add up to.
pub(super) enum Flow {
    Pipeline(Pipeline),
    Scalar(Scalar),
    Metrics(Metrics),
}

/// What an expression turned out to be.
enum Node {
    Set(Set),
    Scalar(Scalar),
    Compare(BinaryOp, Scalar, Scalar),
    Metrics(Metrics),
}

impl Parser<'_> {
    /// Stages, until something that is no `|`.
    pub(super) fn flow(&mut self) -> Result<Flow, ParseError> {
        let mut flow = self.first_stage()?;
        while self.peek_symbol() == Some("|") {
            self.count_operator()?;
            flow = match flow {
                Flow::Scalar(_) => return Err(self.unexpected("a comparison, such as `> 2`")),
                Flow::Pipeline(pipeline) => {
                    self.at += 1;
                    self.next_stage(pipeline)?
                }
                Flow::Metrics(metrics) => {
                    self.at += 1;
                    Flow::Metrics(self.second_stage(metrics)?)
                }
            };
        }
        Ok(flow)
    }

    fn first_stage(&mut self) -> Result<Flow, ParseError> {
        if let Some(stage) = self.named_stage()? {
            return Ok(Flow::Pipeline(Pipeline { stages: vec![stage] }));
        }
        Ok(match self.node(level::LOGIC)? {
            Node::Set(Set::Pipeline(pipeline)) => Flow::Pipeline(*pipeline),
            Node::Set(set) => Flow::Pipeline(Pipeline { stages: vec![Stage::Set(set)] }),
            Node::Compare(op, left, right) => {
                Flow::Pipeline(Pipeline { stages: vec![Stage::Compare { op, left, right }] })
            }
            Node::Scalar(scalar) => Flow::Scalar(scalar),
            Node::Metrics(metrics) => Flow::Metrics(metrics),
        })
    }

    fn next_stage(&mut self, mut pipeline: Pipeline) -> Result<Flow, ParseError> {
        if self.eat_word("coalesce") {
            self.expect("(", "`(`")?;
            self.expect(")", "`)`")?;
            pipeline.stages.push(Stage::Coalesce);
            return Ok(Flow::Pipeline(pipeline));
        }
        if let Some(stage) = self.named_stage()? {
            pipeline.stages.push(stage);
            return Ok(Flow::Pipeline(pipeline));
        }
        if let Some(function) = self.function()? {
            let by = if self.eat_word("by") { self.fields()? } else { Vec::new() };
            return Ok(Flow::Metrics(Metrics::Series { pipeline: Box::new(pipeline), function, by }));
        }
        let start = self.at;
        match self.node(level::LOGIC)? {
            Node::Set(set) => pipeline.stages.push(Stage::Set(set)),
            Node::Compare(op, left, right) => pipeline.stages.push(Stage::Compare { op, left, right }),
            Node::Scalar(scalar) => {
                return Ok(Flow::Scalar(Scalar::Pipeline(Box::new(pipeline), Box::new(scalar))));
            }
            Node::Metrics(_) => {
                self.at = start;
                return Err(self.unexpected("a stage of a pipeline, not series"));
            }
        }
        Ok(Flow::Pipeline(pipeline))
    }

    /// `by(...)` and `select(...)`.
    fn named_stage(&mut self) -> Result<Option<Stage>, ParseError> {
        if self.eat_word("select") {
            return Ok(Some(Stage::Select(self.fields()?)));
        }
        if !self.eat_word("by") {
            return Ok(None);
        }
        self.expect("(", "`(`")?;
        let by = self.field_expr(level::LOGIC)?;
        self.expect(")", "an operator or `)`")?;
        Ok(Some(Stage::By(by)))
    }

    fn node(&mut self, least: u8) -> Result<Node, ParseError> {
        self.nested(|parser| {
            let mut left = parser.node_operand()?;
            while let Some(symbol) = parser.peek_symbol() {
                let set =
                    SET_OPERATORS.iter().find(|(known, ..)| *known == symbol).map(|(_, _, binds)| *binds);
                let Some(binds) = set.or(operator(symbol).map(|(_, binds)| binds)) else {
                    break;
                };
                if binds < least {
                    break;
                }
                parser.count_operator()?;
                let place = parser.at;
                parser.at += 1;
                let right = parser.node(right_of(binds))?;
                left = parser.combine(symbol, place, left, right)?;
            }
            Ok(left)
        })
    }

    fn combine(&mut self, symbol: &str, place: usize, left: Node, right: Node) -> Result<Node, ParseError> {
        let op = operator(symbol).map(|(op, _)| op);
        let arithmetic = op.filter(|op| op.is_arithmetic());
        let expected = match (left, right) {
            (Node::Set(left), Node::Set(right)) => {
                if let Some((_, op, _)) = SET_OPERATORS.iter().find(|(known, ..)| *known == symbol) {
                    return Ok(Node::Set(Set::Combine {
                        op: *op,
                        left: Box::new(left),
                        right: Box::new(right),
                    }));
                }
                "an operator between spansets, such as `&&` or `>>`"
            }
            (Node::Scalar(left), Node::Scalar(right)) => {
                if let Some(op) = arithmetic {
                    let (left, right) = (Box::new(left), Box::new(right));
                    return Ok(Node::Scalar(Scalar::Binary { op, left, right }));
                }
                if let Some(op) = op.filter(|op| op.is_comparison()) {
                    return Ok(Node::Compare(op, left, right));
                }
                "arithmetic or a comparison between scalars"
            }
            (Node::Set(_), Node::Scalar(_) | Node::Compare(..))
            | (Node::Scalar(_) | Node::Compare(..), Node::Set(_)) => {
                "two spansets or two scalars, not one of each; a scalar follows a spanset after `|`"
            }
            (left, right) => {
                let operands = (as_metrics(left), as_metrics(right));
                if let (Some(left), Some(right), Some(op)) = (operands.0, operands.1, arithmetic) {
                    let (left, right) = (Box::new(left), Box::new(right));
                    return Ok(Node::Metrics(Metrics::Math { op, left, right }));
                }
                "operands that go together: arithmetic takes series and numbers"
            }
        };
        self.at = place;
        Err(self.unexpected(expected))
    }

    fn node_operand(&mut self) -> Result<Node, ParseError> {
        if self.peek_symbol() == Some("{") {
            return Ok(Node::Set(Set::Filter(self.filter()?)));
        }
        if let Some(literal) = self.literal() {
            return Ok(Node::Scalar(Scalar::Literal(literal)));
        }
        if let Some(aggregate) = self.peek_word().and_then(|word| names::find(names::AGGREGATES, word)) {
            self.at += 1;
            return self.aggregate(aggregate).map(Node::Scalar);
        }
        if self.eat("(") {
            let flow = self.nested(Self::flow)?;
            self.expect(")", "`|`, an operator or `)`")?;
            return Ok(match flow {
                Flow::Scalar(scalar) => Node::Scalar(scalar),
                Flow::Metrics(metrics) => Node::Metrics(metrics),
                Flow::Pipeline(pipeline) => Node::Set(as_set(pipeline)),
            });
        }
        Err(self.no_stage())
    }

    /// `{ ... }`
    pub(super) fn filter(&mut self) -> Result<Option<Box<crate::ast::FieldExpr>>, ParseError> {
        self.expect("{", "`{`")?;
        if self.eat("}") {
            return Ok(None);
        }
        let inner = self.field_expr(level::LOGIC)?;
        self.expect("}", "an operator or `}`")?;
        Ok(Some(Box::new(inner)))
    }

    fn aggregate(&mut self, aggregate: Aggregate) -> Result<Scalar, ParseError> {
        self.expect("(", "`(`")?;
        if aggregate == Aggregate::Count {
            self.expect(")", "`)`, as `count()` takes nothing")?;
            return Ok(Scalar::Aggregate(aggregate, None));
        }
        let of = self.field_expr(level::LOGIC)?;
        self.expect(")", "an operator or `)`")?;
        Ok(Scalar::Aggregate(aggregate, Some(of)))
    }

    fn no_stage(&self) -> ParseError {
        let TokenKind::Word(name) = self.peek() else {
            return self.unexpected("`{`, `(`, or a function such as `count()`");
        };
        let known = names::AGGREGATES.iter().map(|(name, _)| *name);
        let known: Vec<&'static str> =
            known.chain(names::METRICS.iter().chain(names::STAGES).copied()).collect();
        if known.contains(&name.as_str()) {
            return self.unexpected("`{`, `(`, or a function that fits here, such as `count()`");
        }
        let nearest = names::nearest(name, known.into_iter());
        self.problem(Problem::UnknownName { what: "function", name: name.clone(), nearest })
    }
}

/// A pipeline in parentheses; one spanset needs none.
fn as_set(mut pipeline: Pipeline) -> Set {
    if pipeline.stages.len() == 1
        && let Some(stage) = pipeline.stages.pop()
    {
        match stage {
            Stage::Set(set) => return set,
            other => pipeline.stages.push(other),
        }
    }
    Set::Pipeline(Box::new(pipeline))
}

/// Series, or numbers that can be reckoned with series.
fn as_metrics(node: Node) -> Option<Metrics> {
    match node {
        Node::Metrics(metrics) => Some(metrics),
        Node::Scalar(scalar) => as_number(scalar),
        Node::Set(_) | Node::Compare(..) => None,
    }
}

fn as_number(scalar: Scalar) -> Option<Metrics> {
    use crate::ast::Literal::{Float, Int};
    match scalar {
        Scalar::Literal(literal @ (Int(_) | Float(_))) => Some(Metrics::Number(literal)),
        Scalar::Binary { op, left, right } => {
            let (left, right) = (Box::new(as_number(*left)?), Box::new(as_number(*right)?));
            Some(Metrics::Math { op, left, right })
        }
        Scalar::Literal(_) | Scalar::Aggregate(..) | Scalar::Pipeline(..) => None,
    }
}
