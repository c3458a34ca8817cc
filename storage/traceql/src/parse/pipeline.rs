//! Stages, spansets and scalars. One descent reads all three, and each operator looks at what its operands
//! turned out to be: `>` between spansets asks for children, between scalars it compares.

use super::chain::{Chain, Joined, Tall};
use super::field::{operator, right_of};
use super::{Parser, level};
use crate::ast::{
    Aggregate, Answer, BinaryOp, FieldExpr, Metrics, Pipeline, Relation, Scalar, Set, SetOp, Stage,
};
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
    Pipeline(Tall<Pipeline>),
    Scalar(Tall<Scalar>),
    Metrics(Tall<Metrics>),
}

/// What an expression turned out to be.
enum Node {
    Set(Chain<Set>),
    Scalar(Tall<Scalar>),
    Compare(BinaryOp, Tall<Scalar>, Tall<Scalar>),
    Metrics(Tall<Metrics>),
}

impl Parser<'_> {
    /// Stages, until something that is no `|`.
    pub(super) fn flow(&mut self) -> Result<Flow, ParseError> {
        let first = match self.named_stage()? {
            Some(stage) => Flow::Pipeline(stage.under(one_stage)),
            None => first_stage(self.node(level::LOGIC)?),
        };
        self.flow_after(first)
    }

    fn flow_after(&mut self, mut flow: Flow) -> Result<Flow, ParseError> {
        while self.peek_symbol() == Some("|") {
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

    fn next_stage(&mut self, pipeline: Tall<Pipeline>) -> Result<Flow, ParseError> {
        if self.eat_word("coalesce") {
            self.expect("(", "`(`")?;
            self.expect(")", "`)`")?;
            return Ok(Flow::Pipeline(pushed(pipeline, Tall::leaf(Stage::Coalesce))));
        }
        if let Some(stage) = self.named_stage()? {
            return Ok(Flow::Pipeline(pushed(pipeline, stage)));
        }
        if let Some(function) = self.function()? {
            let by = if self.eat_word("by") { self.fields()? } else { Vec::new() };
            return Ok(Flow::Metrics(pipeline.join(function, |pipeline, function| Metrics::Series {
                pipeline: Box::new(pipeline),
                function,
                by,
            })));
        }
        let start = self.at;
        let stage = match self.node(level::LOGIC)? {
            Node::Set(set) => set.fold().under(Stage::Set),
            Node::Compare(op, left, right) => {
                left.join(right, |left, right| Stage::Compare { op, left, right })
            }
            Node::Scalar(scalar) => {
                return Ok(Flow::Scalar(pipeline.join(scalar, |pipeline, scalar| {
                    Scalar::Pipeline(Box::new(pipeline), Box::new(scalar))
                })));
            }
            Node::Metrics(_) => {
                self.at = start;
                return Err(self.unexpected("a stage of a pipeline, not series"));
            }
        };
        Ok(Flow::Pipeline(pushed(pipeline, stage)))
    }

    /// `by(...)` and `select(...)`.
    fn named_stage(&mut self) -> Result<Option<Tall<Stage>>, ParseError> {
        if self.eat_word("select") {
            return Ok(Some(Tall::leaf(Stage::Select(self.fields()?))));
        }
        if !self.eat_word("by") {
            return Ok(None);
        }
        self.expect("(", "`(`")?;
        let by = self.field_expr(level::LOGIC)?;
        self.expect(")", "an operator or `)`")?;
        Ok(Some(by.under(Stage::By)))
    }

    fn node(&mut self, least: u8) -> Result<Node, ParseError> {
        self.nested(|parser| {
            let mut left = parser.node_operand()?;
            while let Some(symbol) = parser.peek_symbol() {
                let set = set_operator(symbol).map(|(_, binds)| binds);
                let Some(binds) = set.or(operator(symbol).map(|(_, binds)| binds)) else {
                    break;
                };
                if binds < least {
                    break;
                }
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
            (Node::Set(left), Node::Set(right)) => match set_operator(symbol) {
                Some((op, binds)) => return self.combine_sets(op, binds, left, right),
                None => "an operator between spansets, such as `&&` or `>>`",
            },
            (Node::Scalar(left), Node::Scalar(right)) => {
                if let Some(op) = arithmetic {
                    let joined = left.join(right, |left, right| {
                        let (left, right) = (Box::new(left), Box::new(right));
                        Scalar::Binary { op, left, right }
                    });
                    return self.bounded(joined).map(Node::Scalar);
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
                    let joined = left.join(right, |left, right| {
                        let (left, right) = (Box::new(left), Box::new(right));
                        Metrics::Math { op, left, right }
                    });
                    return self.bounded(joined).map(Node::Metrics);
                }
                "operands that go together: arithmetic takes series and numbers"
            }
        };
        self.at = place;
        Err(self.unexpected(expected))
    }

    fn combine_sets(
        &self,
        op: SetOp,
        binds: u8,
        mut left: Chain<Set>,
        right: Chain<Set>,
    ) -> Result<Node, ParseError> {
        let right = self.bounded(right.fold())?;
        if binds == level::LOGIC {
            left.push(op, right);
            return Ok(Node::Set(left));
        }
        let joined = left.fold().join(right, |left, right| Set::join(op, left, right));
        Ok(Node::Set(self.bounded(joined)?.into()))
    }

    fn node_operand(&mut self) -> Result<Node, ParseError> {
        if self.peek_symbol() == Some("{") {
            return Ok(Node::Set(self.filter()?.under(Set::Filter).into()));
        }
        if let Some(literal) = self.literal() {
            return Ok(Node::Scalar(Tall::leaf(Scalar::Literal(literal))));
        }
        if let Some(aggregate) = self.peek_word().and_then(|word| names::find(names::AGGREGATES, word)) {
            self.at += 1;
            return self.aggregate(aggregate).map(Node::Scalar);
        }
        if self.eat("(") {
            let inner = self.nested(Self::parenthesized)?;
            self.expect(")", "`|`, an operator or `)`")?;
            return Ok(inner);
        }
        Err(self.no_stage())
    }

    /// What stands between parentheses: an expression by itself, or stages.
    fn parenthesized(&mut self) -> Result<Node, ParseError> {
        let first = match self.named_stage()? {
            Some(stage) => Flow::Pipeline(stage.under(one_stage)),
            None => {
                let node = self.node(level::LOGIC)?;
                if self.peek_symbol() != Some("|") && !matches!(node, Node::Compare(..)) {
                    return Ok(node);
                }
                first_stage(node)
            }
        };
        Ok(match self.flow_after(first)? {
            Flow::Scalar(scalar) => Node::Scalar(scalar),
            Flow::Metrics(metrics) => Node::Metrics(metrics),
            Flow::Pipeline(pipeline) => Node::Set(pipeline.under(as_set).into()),
        })
    }

    /// `{ ... }`
    pub(super) fn filter(&mut self) -> Result<Tall<Option<Box<FieldExpr>>>, ParseError> {
        self.expect("{", "`{`")?;
        if self.eat("}") {
            return Ok(Tall::leaf(None));
        }
        let inner = self.field_expr(level::LOGIC)?;
        self.expect("}", "an operator or `}`")?;
        Ok(inner.under(|inner| Some(Box::new(inner))))
    }

    fn aggregate(&mut self, aggregate: Aggregate) -> Result<Tall<Scalar>, ParseError> {
        self.expect("(", "`(`")?;
        if aggregate == Aggregate::Count {
            self.expect(")", "`)`, as `count()` takes nothing")?;
            return Ok(Tall::leaf(Scalar::Aggregate(aggregate, None)));
        }
        let of = self.field_expr(level::LOGIC)?;
        self.expect(")", "an operator or `)`")?;
        Ok(of.under(|of| Scalar::Aggregate(aggregate, Some(of))))
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

/// How a symbol combines spansets, and how tightly it binds.
fn set_operator(symbol: &str) -> Option<(SetOp, u8)> {
    SET_OPERATORS.iter().find(|(known, ..)| *known == symbol).map(|(_, op, binds)| (*op, *binds))
}

fn one_stage(stage: Stage) -> Pipeline {
    Pipeline { stages: vec![stage] }
}

fn pushed(mut pipeline: Tall<Pipeline>, stage: Tall<Stage>) -> Tall<Pipeline> {
    pipeline.tree.stages.push(stage.tree);
    Tall { tree: pipeline.tree, height: pipeline.height.max(stage.height + 1) }
}

fn first_stage(node: Node) -> Flow {
    let stage = match node {
        Node::Set(set) => match set.fold() {
            // Parentheses join several spansets into one; around one they make no difference.
            Tall { tree: Set::Pipeline(pipeline), height } if gives_one(&pipeline) => {
                return Flow::Pipeline(Tall { tree: *pipeline, height });
            }
            set => set.under(Stage::Set),
        },
        Node::Compare(op, left, right) => left.join(right, |left, right| Stage::Compare { op, left, right }),
        Node::Scalar(scalar) => return Flow::Scalar(scalar),
        Node::Metrics(metrics) => return Flow::Metrics(metrics),
    };
    Flow::Pipeline(stage.under(one_stage))
}

/// Whether a pipeline gives at most one spanset for each that it takes.
fn gives_one(pipeline: &Pipeline) -> bool {
    let last = pipeline.stages.iter().rev().find(|stage| matches!(stage, Stage::By(_) | Stage::Coalesce));
    !matches!(last, Some(Stage::By(_)))
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
fn as_metrics(node: Node) -> Option<Tall<Metrics>> {
    match node {
        Node::Metrics(metrics) => Some(metrics),
        Node::Scalar(Tall { tree, height }) => Some(Tall { tree: as_number(tree)?, height }),
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
