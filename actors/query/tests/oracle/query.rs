//! A query as a tree of our own, and its text.

/// How intrinsics are spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// As names in an answer are.
    Canonical,
    /// With the scope, where there is one.
    Long,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Any,
    Span,
    Resource,
    Event,
    Link,
    Instrumentation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intrinsic {
    Duration,
    Name,
    Status,
    StatusMessage,
    Kind,
    RootName,
    RootServiceName,
    TraceDuration,
    NestedSetLeft,
    NestedSetRight,
    NestedSetParent,
    TraceId,
    SpanId,
    ParentId,
    ChildCount,
    EventName,
    EventTime,
    LinkTraceId,
    LinkSpanId,
    ScopeName,
    ScopeVersion,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    Attribute {
        of_parent: bool,
        scope: Scope,
        key: String,
    },
    Intrinsic(Intrinsic),
    /// The parent as such, to be compared with nil.
    Parent,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    Nil,
    Str(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    /// Nanoseconds.
    Duration(i64),
    /// The code that OTLP gives the word.
    Status(i32),
    /// The code that OTLP gives the word.
    Kind(i32),
}

/// A regular expression, and what it means when it is anchored at both ends.
#[derive(Debug, Clone, Copy)]
pub struct Pattern {
    pub text: &'static str,
    pub matches: fn(&str) -> bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    And,
    Or,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
}

#[derive(Debug, Clone)]
pub enum Expr {
    Literal(Literal),
    Field(Field),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    Binary(Op, Box<Expr>, Box<Expr>),
    /// `=~`, or `!~` when it is negated.
    Match {
        negated: bool,
        left: Box<Expr>,
        pattern: Pattern,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    Child,
    Descendant,
    Parent,
    Ancestor,
    Sibling,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetOp {
    And,
    Or,
    /// `>` and its kin.
    Related(Relation),
    /// `!>` and its kin.
    Unrelated(Relation),
    /// `&>` and its kin.
    Both(Relation),
}

#[derive(Debug, Clone)]
pub enum Spans {
    /// `{ x }`; `{}` without a condition.
    Filter(Option<Expr>),
    /// `( pipeline )`.
    Pipeline(Vec<Stage>),
    Set(SetOp, Box<Spans>, Box<Spans>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregate {
    Min,
    Max,
    Sum,
    Avg,
}

#[derive(Debug, Clone)]
pub enum Scalar {
    Literal(Literal),
    Count,
    Of(Aggregate, Expr),
    Arithmetic(Op, Box<Scalar>, Box<Scalar>),
    /// `( pipeline | scalar )`.
    Pipeline(Vec<Stage>, Box<Scalar>),
}

#[derive(Debug, Clone)]
pub enum Stage {
    Spans(Spans),
    By(Expr),
    Coalesce,
    Select(Vec<Field>),
    Compare(Op, Scalar, Scalar),
}

#[derive(Debug, Clone)]
pub enum Function {
    Count,
    Rate,
    Min(Field),
    Max(Field),
    Avg(Field),
    Sum(Field),
    Histogram(Field),
    Quantile(Field, Vec<f64>),
    /// `compare`: condition, `top`, start and end.
    Compare(Option<Expr>, Option<usize>, Option<(u64, u64)>),
}

#[derive(Debug, Clone)]
pub enum Metrics {
    Leaf { stages: Vec<Stage>, function: Function, by: Vec<Field> },
    Number(Literal),
    Arithmetic(Op, Box<Metrics>, Box<Metrics>),
    Then(Box<Metrics>, Second),
}

/// What follows series.
#[derive(Debug, Clone)]
pub enum Second {
    Top(usize),
    Bottom(usize),
    Keep(Op, Literal),
}

impl Intrinsic {
    pub fn text(self, spelling: Spelling) -> &'static str {
        let (canonical, long) = match self {
            Self::Duration => ("duration", "span:duration"),
            Self::Name => ("name", "span:name"),
            Self::Status => ("status", "span:status"),
            Self::StatusMessage => ("statusMessage", "span:statusMessage"),
            Self::Kind => ("kind", "span:kind"),
            Self::RootName => ("rootName", "trace:rootName"),
            Self::RootServiceName => ("rootServiceName", "trace:rootService"),
            Self::TraceDuration => ("traceDuration", "trace:duration"),
            Self::NestedSetLeft => ("nestedSetLeft", "nestedSetLeft"),
            Self::NestedSetRight => ("nestedSetRight", "nestedSetRight"),
            Self::NestedSetParent => ("nestedSetParent", "nestedSetParent"),
            Self::TraceId => ("trace:id", "trace:id"),
            Self::SpanId => ("span:id", "span:id"),
            Self::ParentId => ("span:parentID", "span:parentID"),
            Self::ChildCount => ("span:childCount", "span:childCount"),
            Self::EventName => ("event:name", "event:name"),
            Self::EventTime => ("event:timeSinceStart", "event:timeSinceStart"),
            Self::LinkTraceId => ("link:traceID", "link:traceID"),
            Self::LinkSpanId => ("link:spanID", "link:spanID"),
            Self::ScopeName => ("instrumentation:name", "instrumentation:name"),
            Self::ScopeVersion => ("instrumentation:version", "instrumentation:version"),
        };
        if spelling == Spelling::Long { long } else { canonical }
    }
}

impl Field {
    pub fn text(&self, spelling: Spelling) -> String {
        match self {
            Self::Attribute { of_parent, scope, key } => {
                let parent = if *of_parent { "parent" } else { "" };
                let scope = match scope {
                    Scope::Any => "",
                    Scope::Span => "span",
                    Scope::Resource => "resource",
                    Scope::Event => "event",
                    Scope::Link => "link",
                    Scope::Instrumentation => "instrumentation",
                };
                let dot = if *of_parent && !scope.is_empty() { "." } else { "" };
                let key = if key.contains(' ') { format!("{key:?}") } else { key.clone() };
                format!("{parent}{dot}{scope}.{key}")
            }
            Self::Intrinsic(intrinsic) => intrinsic.text(spelling).to_owned(),
            Self::Parent => "parent".to_owned(),
        }
    }
}

impl Literal {
    pub fn text(&self) -> String {
        match self {
            Self::Nil => "nil".to_owned(),
            Self::Str(text) => format!("{text:?}"),
            Self::Int(i64::MIN) => "minInt".to_owned(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => format!("{value:?}"),
            Self::Bool(value) => value.to_string(),
            Self::Duration(nanos) => duration_text(*nanos),
            Self::Status(code) => status_word(*code).unwrap_or("unset").to_owned(),
            Self::Kind(code) => kind_word(*code).unwrap_or("unspecified").to_owned(),
        }
    }
}

/// `1h30m`, `1s500ms`, `-2us`, `0s`.
pub fn duration_text(nanos: i64) -> String {
    let mut left = nanos.unsigned_abs();
    let mut text = if nanos < 0 { "-".to_owned() } else { String::new() };
    if nanos == 0 {
        return "0s".to_owned();
    }
    let units = [
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
        ("ns", 1),
    ];
    for (unit, size) in units {
        if left >= size {
            text += &format!("{}{unit}", left / size);
            left %= size;
        }
    }
    text
}

pub fn status_word(code: i32) -> Option<&'static str> {
    ["unset", "ok", "error"].get(usize::try_from(code).ok()?).copied()
}

pub fn kind_word(code: i32) -> Option<&'static str> {
    let words = ["unspecified", "internal", "server", "client", "producer", "consumer"];
    words.get(usize::try_from(code).ok()?).copied()
}

impl Op {
    fn text(self) -> &'static str {
        match self {
            Self::And => "&&",
            Self::Or => "||",
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::Power => "^",
        }
    }

    /// How tightly it binds: the higher, the tighter. `!` stands at 4, unary minus at 7, a value at 8.
    fn level(self) -> u8 {
        match self {
            Self::And | Self::Or => 1,
            Self::Add | Self::Subtract => 3,
            Self::Multiply | Self::Divide | Self::Modulo => 5,
            Self::Power => 6,
            _ => 2,
        }
    }
}

/// An operator between two texts of known levels, with the parentheses that it needs and no others.
fn joined(op: &str, level: u8, right_first: bool, left: (String, u8), right: (String, u8)) -> String {
    let within = |(text, own): (String, u8), closer: bool| {
        let needs = own < level || (own == level && !closer);
        if needs { format!("({text})") } else { text }
    };
    format!("{} {op} {}", within(left, !right_first), within(right, right_first))
}

impl Expr {
    pub fn text(&self, spelling: Spelling) -> String {
        let behind = |operand: &Expr, level: u8| {
            let text = operand.text(spelling);
            if operand.level() < level { format!("({text})") } else { text }
        };
        match self {
            Self::Literal(literal) => literal.text(),
            Self::Field(field) => field.text(spelling),
            Self::Not(operand) => format!("!{}", behind(operand, 4)),
            Self::Negate(operand) => format!("-{}", behind(operand, 7)),
            Self::Binary(op, left, right) => {
                let (left, right) =
                    ((left.text(spelling), left.level()), (right.text(spelling), right.level()));
                joined(op.text(), op.level(), *op == Op::Power, left, right)
            }
            Self::Match { negated, left, pattern } => {
                let op = if *negated { "!~" } else { "=~" };
                format!("{} {op} {:?}", behind(left, 2), pattern.text)
            }
        }
    }

    fn level(&self) -> u8 {
        match self {
            Self::Literal(_) | Self::Field(_) => 8,
            Self::Not(_) => 4,
            Self::Negate(_) => 7,
            Self::Binary(op, ..) => op.level(),
            Self::Match { .. } => 2,
        }
    }
}

impl SetOp {
    fn text(self) -> &'static str {
        match self {
            Self::And => "&&",
            Self::Or => "||",
            Self::Related(Relation::Child) => ">",
            Self::Related(Relation::Descendant) => ">>",
            Self::Related(Relation::Parent) => "<",
            Self::Related(Relation::Ancestor) => "<<",
            Self::Related(Relation::Sibling) => "~",
            Self::Unrelated(Relation::Child) => "!>",
            Self::Unrelated(Relation::Descendant) => "!>>",
            Self::Unrelated(Relation::Parent) => "!<",
            Self::Unrelated(Relation::Ancestor) => "!<<",
            Self::Unrelated(Relation::Sibling) => "!~",
            Self::Both(Relation::Child) => "&>",
            Self::Both(Relation::Descendant) => "&>>",
            Self::Both(Relation::Parent) => "&<",
            Self::Both(Relation::Ancestor) => "&<<",
            Self::Both(Relation::Sibling) => "&~",
        }
    }

    fn level(self) -> u8 {
        if matches!(self, Self::And | Self::Or) { 1 } else { 2 }
    }
}

impl Spans {
    pub fn text(&self, spelling: Spelling) -> String {
        match self {
            Self::Filter(None) => "{}".to_owned(),
            Self::Filter(Some(condition)) => format!("{{ {} }}", condition.text(spelling)),
            Self::Pipeline(stages) => format!("({})", pipeline_text(stages, spelling)),
            Self::Set(op, left, right) => {
                let (left, right) =
                    ((left.text(spelling), left.level()), (right.text(spelling), right.level()));
                joined(op.text(), op.level(), false, left, right)
            }
        }
    }

    fn level(&self) -> u8 {
        if let Self::Set(op, ..) = self { op.level() } else { 8 }
    }
}

impl Scalar {
    pub fn text(&self, spelling: Spelling) -> String {
        match self {
            Self::Literal(literal) => literal.text(),
            Self::Count => "count()".to_owned(),
            Self::Of(aggregate, expr) => {
                let name = match aggregate {
                    Aggregate::Min => "min",
                    Aggregate::Max => "max",
                    Aggregate::Sum => "sum",
                    Aggregate::Avg => "avg",
                };
                format!("{name}({})", expr.text(spelling))
            }
            Self::Pipeline(stages, scalar) => {
                format!("({} | {})", pipeline_text(stages, spelling), scalar.text(spelling))
            }
            Self::Arithmetic(op, left, right) => {
                let (left, right) =
                    ((left.text(spelling), left.level()), (right.text(spelling), right.level()));
                joined(op.text(), op.level(), *op == Op::Power, left, right)
            }
        }
    }

    fn level(&self) -> u8 {
        if let Self::Arithmetic(op, ..) = self { op.level() } else { 8 }
    }
}

fn fields_text(fields: &[Field], spelling: Spelling) -> String {
    fields.iter().map(|field| field.text(spelling)).collect::<Vec<_>>().join(", ")
}

pub fn pipeline_text(stages: &[Stage], spelling: Spelling) -> String {
    let stages: Vec<String> = stages
        .iter()
        .map(|stage| match stage {
            Stage::Spans(spans) => spans.text(spelling),
            Stage::By(expr) => format!("by({})", expr.text(spelling)),
            Stage::Coalesce => "coalesce()".to_owned(),
            Stage::Select(fields) => format!("select({})", fields_text(fields, spelling)),
            Stage::Compare(op, left, right) => {
                format!("{} {} {}", left.text(spelling), op.text(), right.text(spelling))
            }
        })
        .collect();
    stages.join(" | ")
}

impl Function {
    /// The function's name, which is also the value of `__name__`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Count => "count_over_time",
            Self::Rate => "rate",
            Self::Min(_) => "min_over_time",
            Self::Max(_) => "max_over_time",
            Self::Avg(_) => "avg_over_time",
            Self::Sum(_) => "sum_over_time",
            Self::Histogram(_) => "histogram_over_time",
            Self::Quantile(..) => "quantile_over_time",
            Self::Compare(..) => "compare",
        }
    }

    /// What it measures, when it measures something.
    pub fn measured(&self) -> Option<&Field> {
        match self {
            Self::Count | Self::Rate | Self::Compare(..) => None,
            Self::Min(field) | Self::Max(field) | Self::Avg(field) | Self::Sum(field) => Some(field),
            Self::Histogram(field) | Self::Quantile(field, _) => Some(field),
        }
    }

    fn text(&self, spelling: Spelling) -> String {
        let arguments = match self {
            Self::Quantile(field, quantiles) => {
                let quantiles: String = quantiles.iter().map(|q| format!(", {q:?}")).collect();
                field.text(spelling) + &quantiles
            }
            Self::Compare(condition, top, range) => {
                let top = top.map(|top| format!(", {top}")).unwrap_or_default();
                let range = range.map(|(start, end)| format!(", {start}, {end}")).unwrap_or_default();
                Spans::Filter(condition.clone()).text(spelling) + &top + &range
            }
            _ => self.measured().map(|field| field.text(spelling)).unwrap_or_default(),
        };
        format!("{}({arguments})", self.name())
    }
}

impl Metrics {
    pub fn text(&self, spelling: Spelling) -> String {
        match self {
            Self::Leaf { stages, function, by } => {
                let pipeline = pipeline_text(stages, spelling);
                let function = function.text(spelling);
                match by.is_empty() {
                    true => format!("{pipeline} | {function}"),
                    false => format!("{pipeline} | {function} by({})", fields_text(by, spelling)),
                }
            }
            Self::Number(literal) => literal.text(),
            Self::Arithmetic(op, left, right) => {
                let within = |side: &Metrics| match side {
                    Self::Number(literal) => literal.text(),
                    _ => format!("({})", side.text(spelling)),
                };
                format!("{} {} {}", within(left), op.text(), within(right))
            }
            Self::Then(series, second) => {
                let second = match second {
                    Second::Top(count) => format!("topk({count})"),
                    Second::Bottom(count) => format!("bottomk({count})"),
                    Second::Keep(op, literal) => format!("{} {}", op.text(), literal.text()),
                };
                format!("{} | {second}", series.text(spelling))
            }
        }
    }
}
