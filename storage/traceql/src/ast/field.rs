//! Expressions over one span: literals, attributes, intrinsics and the operators between them.

/// An expression over one span.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldExpr {
    /// A value as written.
    Literal(Literal),
    /// A value of the span.
    Field(Field),
    /// `!x`
    Not(Box<FieldExpr>),
    /// `-x`, where `x` is no number as written (`-1` is a literal).
    Negate(Box<FieldExpr>),
    /// Two operands.
    Binary {
        /// The operator.
        op: BinaryOp,
        /// Left operand.
        left: Box<FieldExpr>,
        /// Right operand.
        right: Box<FieldExpr>,
    },
}

/// A value that a span has, or may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// Set by the sender.
    Attribute(Attribute),
    /// Known of every span.
    Intrinsic(Intrinsic),
}

/// An attribute by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Whether it is the parent span's (`parent.`).
    pub parent: bool,
    /// Where it is looked for; `None` is everywhere, in the order span, resource, event, link, instrumentation.
    pub scope: Option<Scope>,
    /// The name, without quotes.
    pub name: String,
}

/// Where an attribute is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are the words of the language")]
pub enum Scope {
    Span,
    Resource,
    Event,
    Link,
    Instrumentation,
}

/// What is known of every span without its sender setting an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are the words of the language, listed in `names.rs`")]
pub enum Intrinsic {
    Duration,
    Name,
    Status,
    StatusMessage,
    Kind,
    Parent,
    RootName,
    RootService,
    TraceDuration,
    NestedSetLeft,
    NestedSetRight,
    NestedSetParent,
    TraceId,
    SpanId,
    ParentId,
    ChildCount,
    EventName,
    EventTimeSinceStart,
    LinkTraceId,
    LinkSpanId,
    InstrumentationName,
    InstrumentationVersion,
}

/// A value as written.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the variants are the types of the language")]
pub enum Literal {
    Nil,
    Bool(bool),
    Int(i64),
    /// Finite.
    Float(f64),
    Text(String),
    /// In nanoseconds.
    Duration(i64),
    Status(Status),
    Kind(Kind),
}

/// The status of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are the words of the language")]
pub enum Status {
    Ok,
    Error,
    Unset,
}

/// The kind of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are the words of the language")]
pub enum Kind {
    Unspecified,
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

/// An operator with two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are named as their symbols are read")]
pub enum BinaryOp {
    And,
    Or,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    /// `=~`, anchored at both ends.
    Regex,
    NotRegex,
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
}

impl BinaryOp {
    /// Whether both operands and the value are numbers.
    pub fn is_arithmetic(self) -> bool {
        use BinaryOp::{Add, Div, Mod, Mul, Pow, Sub};
        matches!(self, Add | Sub | Mul | Div | Mod | Pow)
    }

    /// Whether it compares by equality or order (a regex match is neither).
    pub fn is_comparison(self) -> bool {
        use BinaryOp::{Equal, NotEqual};
        matches!(self, Equal | NotEqual) || self.is_order()
    }

    /// Whether it compares by order.
    pub fn is_order(self) -> bool {
        use BinaryOp::{Greater, GreaterEqual, Less, LessEqual};
        matches!(self, Less | LessEqual | Greater | GreaterEqual)
    }
}
