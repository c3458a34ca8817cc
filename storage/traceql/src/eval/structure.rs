//! Structural operators: spans by where they stand to others. Each takes time linear in the trace.

use super::tree::Tree;
use crate::ast::{Answer, Relation};

/// What `left op right` gives; operands and result are in the order of spans.
pub(super) fn relate(
    tree: &mut Tree,
    count: usize,
    relation: Relation,
    answer: Answer,
    left: &[u32],
    right: &[u32],
) -> Vec<u32> {
    let matched = stand_to(tree, count, relation, left, right);
    match answer {
        Answer::Right => matched,
        Answer::Unmatched => {
            let mut matched = matched.into_iter().peekable();
            right.iter().copied().filter(|span| matched.next_if_eq(span).is_none()).collect()
        }
        Answer::Both => union(&matched, &stand_to(tree, count, inverse(relation), right, left)),
    }
}

/// The relation as seen from the other side.
fn inverse(relation: Relation) -> Relation {
    match relation {
        Relation::Child => Relation::Parent,
        Relation::Descendant => Relation::Ancestor,
        Relation::Parent => Relation::Child,
        Relation::Ancestor => Relation::Descendant,
        Relation::Sibling => Relation::Sibling,
    }
}

/// The right spans that are a child, descendant ... of a left one.
fn stand_to(tree: &Tree, count: usize, relation: Relation, left: &[u32], right: &[u32]) -> Vec<u32> {
    if left.is_empty() || right.is_empty() {
        return Vec::new();
    }
    let parent = |span: u32| tree.parent(span).map(|parent| parent as usize);
    let kept = |keep: &dyn Fn(u32) -> bool| right.iter().copied().filter(|span| keep(*span)).collect();
    match relation {
        Relation::Child => {
            let is_left = marks(count, left);
            kept(&|span| parent(span).is_some_and(|parent| is_left[parent]))
        }
        Relation::Parent => {
            let mut has_left = vec![false; count];
            left.iter().filter_map(|span| parent(*span)).for_each(|parent| has_left[parent] = true);
            kept(&|span| has_left[span as usize])
        }
        Relation::Descendant => {
            let is_left = marks(count, left);
            let mut below_left = vec![false; count];
            for span in tree.parents_first() {
                below_left[span as usize] =
                    parent(span).is_some_and(|parent| is_left[parent] || below_left[parent]);
            }
            kept(&|span| below_left[span as usize])
        }
        Relation::Ancestor => {
            let is_left = marks(count, left);
            let mut above_left = vec![false; count];
            for span in tree.parents_first().rev() {
                if let Some(parent) = parent(span) {
                    above_left[parent] |= is_left[span as usize] || above_left[span as usize];
                }
            }
            kept(&|span| above_left[span as usize])
        }
        Relation::Sibling => {
            let is_left = marks(count, left);
            let mut left_children = vec![0u32; count];
            left.iter().filter_map(|span| parent(*span)).for_each(|parent| left_children[parent] += 1);
            kept(&|span| {
                let itself = u32::from(is_left[span as usize]);
                parent(span).is_some_and(|parent| left_children[parent] > itself)
            })
        }
    }
}

fn marks(count: usize, spans: &[u32]) -> Vec<bool> {
    let mut marks = vec![false; count];
    spans.iter().for_each(|span| marks[*span as usize] = true);
    marks
}

/// The spans of both sides, each once, in the order of spans.
pub(super) fn union(left: &[u32], right: &[u32]) -> Vec<u32> {
    let mut union = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.iter().copied().peekable(), right.iter().copied().peekable());
    loop {
        union.push(match (left.peek(), right.peek()) {
            (Some(a), Some(b)) => {
                let least = *a.min(b);
                left.next_if_eq(&least);
                right.next_if_eq(&least);
                least
            }
            (Some(a), None) => {
                let rest = *a;
                left.next();
                rest
            }
            (None, Some(b)) => {
                let rest = *b;
                right.next();
                rest
            }
            (None, None) => return union,
        });
    }
}
