//! What may stand at a place.

use super::place::{Last, Place, What};
use super::{Expected, WordKind};
use crate::ast::{BinaryOp, Field, Intrinsic, Scope};
use crate::names;
use crate::parse::SET_OPERATORS;

const COMPARISONS: &[&str] = &["=", "!=", "=~", "!~", ">", ">=", "<", "<="];
const EQUALITY: &[&str] = &["=", "!="];
const ORDER: &[&str] = &["=", "!=", ">", ">=", "<", "<="];
const CONNECTIVES: &[&str] = &["&&", "||"];
const ARITHMETIC: &[&str] = &["+", "-", "*", "/", "%", "^"];
const BOOLEANS: &[&str] = &["true", "false"];
const STATUSES: &[&str] = &["error", "ok", "unset"];
const KINDS: &[&str] = &["server", "client", "internal", "producer", "consumer", "unspecified"];
const LIMITS: &[&str] = &["topk", "bottomk"];
const STAGES: &[&str] = &["by", "select", "coalesce"];
const SCOPES: &[&str] = &["span.", "resource.", "event.", "link.", "instrumentation."];
const PARENT_SCOPES: &[&str] = &["parent.", "parent.span.", "parent.resource."];

/// What may stand at `place`, where `typed` is typed already.
pub fn choices(place: &Place, typed: &str) -> Vec<Expected> {
    let mut choices = Choices { typed, found: Vec::new() };
    match place.inside.what {
        What::Braces | What::Expression => choices.in_expression(&place.inside.last),
        What::Fields => choices.in_list(&place.inside.last),
        What::FieldAndNumbers if place.inside.last == Last::Nothing => choices.field(),
        What::FilterAndNumbers if place.inside.last == Last::Nothing => {
            choices.words(WordKind::Stage, &["{"])
        }
        What::FieldAndNumbers | What::FilterAndNumbers | What::Nothing => {}
        What::Hints => choices.in_hints(&place.inside.last),
        What::Stages => choices.in_stages(place),
    }
    choices.found
}

struct Choices<'a> {
    typed: &'a str,
    found: Vec<Expected>,
}

impl Choices<'_> {
    /// The words that begin with what is typed, in either case; a scope that is typed needs no offer.
    fn words(&mut self, kind: WordKind, words: &[&'static str]) {
        let typed = self.typed;
        let begins =
            |word: &str| word.get(..typed.len()).is_some_and(|start| start.eq_ignore_ascii_case(typed));
        let wanted = words.iter().filter(|word| begins(word) && (kind != WordKind::Scope || **word != typed));
        self.found.extend(wanted.map(|word| Expected::Word(kind, word)));
    }

    fn in_expression(&mut self, last: &Last) {
        match last {
            Last::Comparison(field, op) => self.value(field, *op),
            Last::Field(field) => {
                self.words(WordKind::Operator, comparisons(field));
                self.words(WordKind::Operator, CONNECTIVES);
                if is_number(field) {
                    self.words(WordKind::Operator, ARITHMETIC);
                }
            }
            Last::Nothing | Last::Operator | Last::Pipe => {
                self.field();
                self.words(WordKind::Keyword, BOOLEANS);
            }
            _ => {
                self.words(WordKind::Operator, CONNECTIVES);
                self.words(WordKind::Operator, COMPARISONS);
                self.words(WordKind::Operator, ARITHMETIC);
            }
        }
    }

    fn in_list(&mut self, last: &Last) {
        if matches!(last, Last::Nothing | Last::Operator) {
            self.field();
        }
    }

    fn in_hints(&mut self, last: &Last) {
        match last {
            Last::Nothing | Last::Operator => self.words(WordKind::Hint, names::HINTS),
            Last::Hint(false) => self.words(WordKind::Operator, &["="]),
            Last::Hint(true) => self.words(WordKind::Keyword, BOOLEANS),
            _ => {}
        }
    }

    fn in_stages(&mut self, place: &Place) {
        let series = place.inside.series;
        match &place.inside.last {
            Last::Nothing => self.words(WordKind::Stage, &["{"]),
            Last::Pipe if series => {
                self.words(WordKind::Function, LIMITS);
                self.words(WordKind::Operator, ORDER);
            }
            Last::Pipe => {
                self.words(WordKind::Function, names::METRICS);
                self.aggregates();
                self.words(WordKind::Stage, STAGES);
                self.words(WordKind::Stage, &["{"]);
            }
            Last::SetOperator => self.words(WordKind::Stage, &["{"]),
            Last::Operator if !series => self.aggregates(),
            Last::Spanset => {
                self.words(WordKind::Operator, &["|"]);
                let sets: Vec<&'static str> = SET_OPERATORS.iter().map(|(symbol, ..)| *symbol).collect();
                self.words(WordKind::Operator, &sets);
                self.hints(place);
            }
            Last::Scalar => {
                self.words(WordKind::Operator, if place.inside.compared { &["|"] } else { ORDER });
                self.words(WordKind::Operator, ARITHMETIC);
                self.hints(place);
            }
            Last::Function => {
                self.words(WordKind::Stage, &["by"]);
                self.after_stage(place);
            }
            Last::Series => {
                self.words(WordKind::Operator, ARITHMETIC);
                self.after_stage(place);
            }
            Last::Stage => self.after_stage(place),
            _ => {}
        }
    }

    fn after_stage(&mut self, place: &Place) {
        self.words(WordKind::Operator, &["|"]);
        self.hints(place);
    }

    fn aggregates(&mut self) {
        let aggregates: Vec<&'static str> = names::AGGREGATES.iter().map(|(name, _)| *name).collect();
        self.words(WordKind::Function, &aggregates);
    }

    /// `with` stands after the whole query only.
    fn hints(&mut self, place: &Place) {
        if place.is_outermost() {
            self.words(WordKind::Keyword, &["with"]);
        }
    }

    /// An attribute or an intrinsic.
    fn field(&mut self) {
        if let Some(attribute) = attribute(self.typed) {
            self.found.push(attribute);
        }
        self.words(WordKind::Scope, SCOPES);
        self.words(WordKind::Scope, PARENT_SCOPES);
        let known = names::WORD_INTRINSICS.iter().chain(names::SCOPED_INTRINSICS).map(|(name, _)| *name);
        self.words(WordKind::Intrinsic, &known.collect::<Vec<_>>());
    }

    /// What a field is compared with.
    fn value(&mut self, field: &Field, op: BinaryOp) {
        if !self.typed.is_empty()
            && let Some(attribute) = attribute(self.typed)
        {
            return self.found.push(attribute);
        }
        let prefix = self.typed.strip_prefix(['"', '`']).unwrap_or(self.typed).to_owned();
        let quoted = prefix.len() < self.typed.len();
        if field != &Field::Intrinsic(Intrinsic::Parent) {
            self.found.push(Expected::Value { field: field.clone(), prefix });
        }
        if quoted || matches!(op, BinaryOp::Regex | BinaryOp::NotRegex) {
            return;
        }
        match field {
            Field::Intrinsic(Intrinsic::Status) => self.words(WordKind::Keyword, STATUSES),
            Field::Intrinsic(Intrinsic::Kind) => self.words(WordKind::Keyword, KINDS),
            Field::Intrinsic(Intrinsic::Parent) => self.words(WordKind::Keyword, &["nil"]),
            Field::Intrinsic(_) => {}
            Field::Attribute(_) if op.is_order() => {}
            Field::Attribute(_) => self.words(WordKind::Keyword, &["true", "false", "nil"]),
        }
    }
}

/// The attribute whose name is being typed, if it can be one: nothing yet, or something with a scope.
fn attribute(typed: &str) -> Option<Expected> {
    let (parent, rest) = match typed.strip_prefix("parent.") {
        Some(rest) => (true, rest),
        None => (false, typed),
    };
    let scoped = names::SCOPES.iter().find_map(|(name, scope)| {
        let reachable = !parent || matches!(scope, Scope::Span | Scope::Resource);
        let rest = rest.strip_prefix(name)?.strip_prefix('.')?;
        reachable.then_some((Some(*scope), rest))
    });
    let bare = if parent || rest.is_empty() { Some(rest) } else { rest.strip_prefix('.') };
    let (scope, prefix) = scoped.or(bare.map(|rest| (None, rest)))?;
    let digits = !parent && scope.is_none() && prefix.starts_with(|c: char| c.is_ascii_digit());
    let prefix =
        prefix.replace("\\\"", "\u{0}").replace('"', "").replace('\u{0}', "\"").replace("\\\\", "\\");
    (!digits).then_some(Expected::Attribute { parent, scope, prefix })
}

/// The operators that compare a field.
fn comparisons(field: &Field) -> &'static [&'static str] {
    match field {
        Field::Attribute(_) => COMPARISONS,
        Field::Intrinsic(Intrinsic::Status | Intrinsic::Kind | Intrinsic::Parent) => EQUALITY,
        Field::Intrinsic(_) if is_number(field) => ORDER,
        Field::Intrinsic(_) => COMPARISONS,
    }
}

/// Whether there is arithmetic over a field.
fn is_number(field: &Field) -> bool {
    use Intrinsic::{ChildCount, Duration, EventTimeSinceStart, TraceDuration};
    use Intrinsic::{NestedSetLeft, NestedSetParent, NestedSetRight};
    match field {
        Field::Attribute(_) => true,
        Field::Intrinsic(Duration | TraceDuration | EventTimeSinceStart | ChildCount) => true,
        Field::Intrinsic(NestedSetLeft | NestedSetParent | NestedSetRight) => true,
        Field::Intrinsic(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::OPERATORS;

    #[test]
    fn what_is_offered_is_in_the_language() {
        let known = |symbol: &str| OPERATORS.iter().any(|(known, ..)| *known == symbol);
        for symbol in [COMPARISONS, EQUALITY, ORDER, CONNECTIVES, ARITHMETIC].concat() {
            assert!(known(symbol), "{symbol}");
        }
        for word in [BOOLEANS, STATUSES, KINDS].concat() {
            assert!(names::WORD_LITERALS.iter().any(|(known, _)| *known == word), "{word}");
        }
        for scope in [SCOPES, PARENT_SCOPES].concat() {
            let last = scope.trim_start_matches("parent.").trim_end_matches('.');
            assert!(last.is_empty() || names::find(names::SCOPES, last).is_some(), "{scope}");
        }
        for stage in [STAGES, LIMITS].concat() {
            assert!(names::STAGES.contains(&stage), "{stage}");
        }
    }
}
