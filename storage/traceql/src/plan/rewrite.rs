//! Conditions that are cheaper said otherwise: alternatives as one lookup, roots without nested sets.

use super::FieldId;
use super::filter::{Expr, Test};
use super::matcher::Matcher;
use super::pattern::Pattern;
use super::set::{Class, ValueSet};
use crate::ast::{Field, Intrinsic};
use crate::value::{CompareOp, OwnedValue, Value, compare};

/// One of the conditions; `.a = 1 || .a = 2` is one lookup, `.a =~ "x" || .a =~ "y"` one pattern.
pub(super) fn any(of: Vec<Expr>) -> Expr {
    join(
        of,
        Expr::any,
        |list| if let Expr::Any(list) = list { Ok(list) } else { Err(list) },
        |test| {
            let group = match &test.matcher {
                Matcher::Compare(CompareOp::Equal, _) | Matcher::OneOf(_) => Group::Equal(None),
                Matcher::Regex(_) => Group::Regex,
                _ => return None,
            };
            Some((test.field, group))
        },
    )
}

/// All of the conditions; `.a != 1 && .a != 2` is one lookup where the field has one value: of several, one may
/// differ from 1 and another from 2.
pub(super) fn all(of: Vec<Expr>, is_single: impl Fn(FieldId) -> bool) -> Expr {
    join(
        of,
        Expr::all,
        |list| if let Expr::All(list) = list { Ok(list) } else { Err(list) },
        |test| {
            if !is_single(test.field) {
                return None;
            }
            let group = match &test.matcher {
                Matcher::Compare(CompareOp::NotEqual, constant) => {
                    Group::Equal(Some(Class::of(constant.as_value())?))
                }
                Matcher::NoneOf(set) => Group::Equal(Some(Class::of(set.constants().first()?.as_value())?)),
                Matcher::NotRegex(_) => Group::Regex,
                _ => return None,
            };
            Some((test.field, group))
        },
    )
}

/// Tests of one field that go into one matcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    Equal(Option<Class>),
    Regex,
}

fn join(
    of: Vec<Expr>,
    flat: impl Fn(Vec<Expr>) -> Expr,
    list: impl FnOnce(Expr) -> Result<Vec<Expr>, Expr>,
    group_of: impl Fn(&Test) -> Option<(FieldId, Group)>,
) -> Expr {
    let parts = match list(flat(of)) {
        Ok(parts) => parts,
        Err(single) => return single,
    };
    let mut groups: Vec<((FieldId, Group), usize, Vec<Matcher>)> = Vec::new();
    let mut joined: Vec<Expr> = Vec::with_capacity(parts.len());
    for part in parts {
        let key = if let Expr::Test(test) = &part { group_of(test) } else { None };
        let (Some(key), Expr::Test(test)) = (key, &part) else {
            joined.push(part);
            continue;
        };
        // Few fields have many alternatives; the last group is nearly always the one.
        match groups.iter_mut().rev().take(64).find(|(known, ..)| *known == key) {
            Some((_, _, members)) => members.push(test.matcher.clone()),
            None => {
                groups.push((key, joined.len(), vec![test.matcher.clone()]));
                joined.push(part);
            }
        }
    }
    for ((field, _), at, members) in groups {
        if members.len() > 1
            && let Some(matcher) = merge(&members)
        {
            joined[at] = Expr::Test(Test { field, matcher });
        }
    }
    flat(joined)
}

/// One matcher for several of a group.
fn merge(members: &[Matcher]) -> Option<Matcher> {
    let constants = || {
        let each = members.iter().flat_map(|member| match member {
            Matcher::Compare(_, constant) => std::slice::from_ref(constant),
            Matcher::OneOf(set) | Matcher::NoneOf(set) => set.constants(),
            _ => &[],
        });
        ValueSet::new(each.cloned())
    };
    let patterns = || {
        let each = members.iter().filter_map(|member| match member {
            Matcher::Regex(pattern) | Matcher::NotRegex(pattern) => Some(pattern.clone()),
            _ => None,
        });
        Pattern::any(&each.collect::<Vec<_>>())
    };
    Some(match members.first()? {
        Matcher::Compare(CompareOp::Equal, _) | Matcher::OneOf(_) => Matcher::OneOf(constants()),
        Matcher::Compare(CompareOp::NotEqual, _) | Matcher::NoneOf(_) => Matcher::NoneOf(constants()),
        Matcher::Regex(_) => Matcher::Regex(patterns()),
        Matcher::NotRegex(_) => Matcher::NotRegex(patterns()),
        _ => return None,
    })
}

/// What a comparison of `nestedSetParent` comes to.
#[derive(Debug, PartialEq)]
pub(super) enum Root {
    /// The same for every span.
    Known(bool),
    /// The span is a root, or is not.
    Is(bool),
}

/// Whether a comparison of `nestedSetParent` with a constant only tells roots (-1) from other spans (0 and above).
pub(super) fn nested_set_parent(field: &Field, op: CompareOp, constant: &OwnedValue) -> Option<Root> {
    if *field != Field::Intrinsic(Intrinsic::NestedSetParent) {
        return None;
    }
    let bound = constant.as_value().as_number()?;
    let same_for_others = match op {
        CompareOp::Equal | CompareOp::NotEqual => bound < 0.0 || bound.fract() != 0.0,
        CompareOp::Less | CompareOp::GreaterEqual => bound <= 0.0,
        CompareOp::LessEqual | CompareOp::Greater => bound < 0.0,
    };
    if !same_for_others {
        return None;
    }
    let holds = |value| compare(op, Value::Int(value), constant.as_value());
    Some(match (holds(-1), holds(0)) {
        (root, other) if root == other => Root::Known(root),
        (root, _) => Root::Is(root),
    })
}
