//! Operands joined by `&&` and `||`, which bind alike and to the left: read as a list, then made a tree.
//!
//! Left to itself a chain of thousands of terms would be a tree as high as it is long. Both operators are
//! associative, so a long run of one of them is grouped: `a || b || c || d` as `(a || b) || (c || d)`. The canonical
//! text shows the groups, and parses to the same tree.

use crate::ast::{BinaryOp, FieldExpr, Set, SetOp};

/// The longest run of one operator that is left as it is.
const MAX_RUN: usize = 512;

/// How many operands of a longer run form a group. A query of [`crate::MAX_QUERY_BYTES`] has room for fewer than
/// `MAX_RUN - GROUP` groups; so the operands of the first group, which prints without parentheses, and the groups
/// after it are together a run that is left as it is when it is read again.
const GROUP: usize = 256;

/// A tree and how high it is at most: 1 for a leaf.
#[derive(Debug)]
pub struct Tall<T> {
    pub tree: T,
    pub height: usize,
}

impl<T> Tall<T> {
    /// A tree without inner nodes.
    pub fn leaf(tree: T) -> Self {
        Tall { tree, height: 1 }
    }

    /// One node above the tree.
    pub fn under<U>(self, node: impl FnOnce(T) -> U) -> Tall<U> {
        Tall { tree: node(self.tree), height: self.height + 1 }
    }

    /// One node above two trees.
    pub fn join<U, V>(self, right: Tall<U>, node: impl FnOnce(T, U) -> V) -> Tall<V> {
        Tall { height: self.height.max(right.height) + 1, tree: node(self.tree, right.tree) }
    }
}

/// What `&&` and `||` join.
pub trait Joined: Sized {
    /// The operator.
    type Op: Copy + PartialEq;

    /// Two operands joined.
    fn join(op: Self::Op, left: Self, right: Self) -> Self;

    /// The operands of a tree that `op` joined; the tree again, if it did not.
    fn split(self, op: Self::Op) -> Result<(Self, Self), Self>;
}

/// Operands and what joins them, from left to right.
pub struct Chain<T: Joined> {
    first: Tall<T>,
    rest: Vec<(T::Op, Tall<T>)>,
}

impl<T: Joined> From<Tall<T>> for Chain<T> {
    fn from(first: Tall<T>) -> Self {
        Chain { first, rest: Vec::new() }
    }
}

impl<T: Joined> Chain<T> {
    /// Goes on with one more operand. Parentheses around a chain that goes on make no difference.
    pub fn push(&mut self, op: T::Op, operand: Tall<T>) {
        self.rest.push((op, operand));
    }

    /// The tree of the whole chain.
    pub fn fold(self) -> Tall<T> {
        let mut rest = self.rest.into_iter().peekable();
        let mut left = self.first;
        while let Some((op, operand)) = rest.next() {
            let mut run = vec![operand];
            while let Some((_, operand)) = rest.next_if(|(next, _)| *next == op) {
                run.push(operand);
            }
            left = fold_run(op, left, run);
        }
        left
    }
}

/// The tree of operands that one operator joins.
fn fold_run<T: Joined>(op: T::Op, first: Tall<T>, rest: Vec<Tall<T>>) -> Tall<T> {
    let join = |left: Tall<T>, right| left.join(right, |left, right| T::join(op, left, right));
    if rest.len() < MAX_RUN {
        return rest.into_iter().fold(first, join);
    }
    let mut rest = rest.into_iter().flat_map(|operand| operands(op, operand));
    let mut left = rest.by_ref().take(GROUP - 1).fold(first, join);
    while let Some(first) = rest.next() {
        left = join(left, rest.by_ref().take(GROUP - 1).fold(first, join));
    }
    left
}

/// The operands of what `op` joined, so that no group begins with a run of the same operator. Each is taken to be as
/// high as the whole.
fn operands<T: Joined>(op: T::Op, of: Tall<T>) -> Vec<Tall<T>> {
    let height = of.height;
    let mut waiting = vec![of.tree];
    let mut found = Vec::new();
    while let Some(tree) = waiting.pop() {
        match tree.split(op) {
            Ok((left, right)) => waiting.extend([right, left]),
            Err(tree) => found.push(Tall { tree, height }),
        }
    }
    found
}

impl Joined for FieldExpr {
    type Op = BinaryOp;

    fn join(op: BinaryOp, left: Self, right: Self) -> Self {
        FieldExpr::Binary { op, left: Box::new(left), right: Box::new(right) }
    }

    fn split(self, op: BinaryOp) -> Result<(Self, Self), Self> {
        match self {
            FieldExpr::Binary { op: found, left, right } if found == op => Ok((*left, *right)),
            other => Err(other),
        }
    }
}

impl Joined for Set {
    type Op = SetOp;

    fn join(op: SetOp, left: Self, right: Self) -> Self {
        Set::Combine { op, left: Box::new(left), right: Box::new(right) }
    }

    fn split(self, op: SetOp) -> Result<(Self, Self), Self> {
        match self {
            Set::Combine { op: found, left, right } if found == op => Ok((*left, *right)),
            other => Err(other),
        }
    }
}
