//! Parents and children of a whole trace's spans. `docs/TRACEQL.md`, section "The trace that is judged".
//!
//! Every walk is a loop: a trace may be one chain of all its spans.

use foldhash::HashMap;

use super::fragment::{Identity, ParentId};
use super::place::NONE;

/// OTLP's codes.
const SERVER: i32 = 2;
const CLIENT: i32 = 3;

/// Parents and children, numbered in the order of spans. What costs more than finding the parents is found when it
/// is asked for.
#[derive(Debug, Default)]
pub struct Tree {
    /// The first span of each id.
    ids: HashMap<u64, u32>,
    /// Ids that several spans have.
    shared: HashMap<u64, Shared>,
    parents: Vec<u32>,
    is_root: Vec<bool>,
    /// Spans with their parents before them; empty when the order of spans is such an order.
    parents_first: Vec<u32>,
    /// Empty until asked for.
    children: Children,
    /// Empty until asked for.
    nested: Vec<(i64, i64)>,
}

/// The spans of one id.
#[derive(Debug, Clone, Copy)]
struct Shared {
    first: u32,
    second: u32,
    server: u32,
    client: u32,
}

impl Shared {
    fn add(&mut self, span: u32, kind: i32) {
        match kind {
            SERVER => self.server = span,
            CLIENT => self.client = span,
            _ => {}
        }
    }

    /// The one that is the parent of `child`.
    fn parent_of(&self, child: u32) -> u32 {
        let found =
            [self.server, self.first, self.second].into_iter().find(|span| *span != NONE && *span != child);
        found.unwrap_or(NONE)
    }
}

/// Children as lists, in the order of spans.
#[derive(Debug, Default)]
struct Children {
    first: Vec<u32>,
    next: Vec<u32>,
    count: Vec<u32>,
}

impl Tree {
    /// Finds the parents of the spans of a trace, in the order of spans.
    pub fn grow<'i>(&mut self, spans: impl Iterator<Item = &'i Identity> + Clone) {
        self.ids.clear();
        self.shared.clear();
        self.parents.clear();
        self.is_root.clear();
        self.parents_first.clear();
        self.children.clear();
        self.nested.clear();
        self.know_ids(spans.clone());
        for (at, span) in (0..).zip(spans) {
            self.is_root.push(span.parent == ParentId::Root);
            self.parents.push(self.find_parent(at, span));
        }
        let before = |(at, parent): (u32, &u32)| *parent == NONE || *parent < at;
        if !(0..).zip(&self.parents).all(before) {
            self.cut_circles();
            self.parents_first = self.walk_down();
        }
    }

    fn know_ids<'i>(&mut self, spans: impl Iterator<Item = &'i Identity> + Clone) {
        use std::collections::hash_map::Entry;
        let mut collided = false;
        for (at, span) in (0..).zip(spans.clone()) {
            match self.ids.entry(span.id) {
                Entry::Vacant(free) => {
                    free.insert(at);
                }
                Entry::Occupied(first) => {
                    collided = true;
                    let new = Shared { first: *first.get(), second: at, server: NONE, client: NONE };
                    self.shared.entry(span.id).or_insert(new);
                }
            }
        }
        if collided {
            for (at, span) in (0..).zip(spans) {
                if let Some(shared) = self.shared.get_mut(&span.id) {
                    shared.add(at, span.kind);
                }
            }
        }
    }

    fn find_parent(&self, at: u32, span: &Identity) -> u32 {
        if span.parent == ParentId::Root {
            return NONE;
        }
        if span.kind == SERVER
            && !self.shared.is_empty()
            && let Some(shared) = self.shared.get(&span.id)
            && shared.client != NONE
        {
            return shared.client;
        }
        let ParentId::Id(id) = span.parent else { return NONE };
        if !self.shared.is_empty()
            && let Some(shared) = self.shared.get(&id)
        {
            return shared.parent_of(at);
        }
        self.ids.get(&id).copied().filter(|parent| *parent != at).unwrap_or(NONE)
    }

    /// Makes the first span of each circle an orphan.
    fn cut_circles(&mut self) {
        // By which walk a span was reached.
        let mut walks = vec![NONE; self.parents.len()];
        for walk in 0..self.parents.len() as u32 {
            let mut at = walk;
            while at != NONE && walks[at as usize] == NONE {
                walks[at as usize] = walk;
                at = self.parents[at as usize];
            }
            if at == NONE || walks[at as usize] != walk {
                continue;
            }
            let (meeting, mut first) = (at, at);
            loop {
                at = self.parents[at as usize];
                first = first.min(at);
                if at == meeting {
                    break;
                }
            }
            self.parents[first as usize] = NONE;
        }
    }

    /// Every span after its parent.
    fn walk_down(&mut self) -> Vec<u32> {
        self.children.grow(&self.parents);
        let children = &self.children;
        let tops = (0..).zip(&self.parents).filter(|(_, parent)| **parent == NONE).map(|(at, _)| at);
        let mut order: Vec<u32> = tops.collect();
        let mut at = 0;
        while let Some(&span) = order.get(at) {
            let mut child = children.first[span as usize];
            while child != NONE {
                order.push(child);
                child = children.next[child as usize];
            }
            at += 1;
        }
        order
    }

    /// The parent of a span.
    #[inline]
    pub fn parent(&self, span: u32) -> Option<u32> {
        self.parents.get(span as usize).copied().filter(|parent| *parent != NONE)
    }

    /// Spans with their parents before them.
    pub fn parents_first(&self) -> impl DoubleEndedIterator<Item = u32> {
        let in_order = self.parents_first.is_empty();
        (0..self.parents.len() as u32)
            .map(move |at| if in_order { at } else { self.parents_first[at as usize] })
    }

    /// How many spans have this one as their parent.
    pub fn child_count(&mut self, span: u32) -> u32 {
        self.children().count[span as usize]
    }

    /// The nested set numbers of a span, left and right; 0 for orphans and all below them.
    pub fn nested_set(&mut self, span: u32) -> (i64, i64) {
        if self.nested.is_empty() {
            self.number();
        }
        self.nested[span as usize]
    }

    fn children(&mut self) -> &Children {
        if self.children.first.is_empty() {
            self.children.grow(&self.parents);
        }
        &self.children
    }

    fn number(&mut self) {
        self.children();
        let Self { children, nested, .. } = self;
        nested.resize(self.parents.len(), (0, 0));
        let mut last = 0;
        let mut count = || {
            last += 1;
            last
        };
        for root in (0..self.parents.len()).filter(|at| self.is_root[*at]) {
            let mut at = root;
            nested[at].0 = count();
            'tree: loop {
                let child = children.first[at];
                if child != NONE {
                    at = child as usize;
                    nested[at].0 = count();
                    continue;
                }
                loop {
                    nested[at].1 = count();
                    if at == root {
                        break 'tree;
                    }
                    let next = children.next[at];
                    if next != NONE {
                        at = next as usize;
                        nested[at].0 = count();
                        break;
                    }
                    at = self.parents[at] as usize;
                }
            }
        }
    }
}

impl Children {
    fn clear(&mut self) {
        self.first.clear();
        self.next.clear();
        self.count.clear();
    }

    fn grow(&mut self, parents: &[u32]) {
        self.clear();
        self.first.resize(parents.len(), NONE);
        self.next.resize(parents.len(), NONE);
        self.count.resize(parents.len(), 0);
        for (at, parent) in (0..parents.len() as u32).zip(parents).rev() {
            if let Some(count) = self.count.get_mut(*parent as usize) {
                *count += 1;
                self.next[at as usize] = std::mem::replace(&mut self.first[*parent as usize], at);
            }
        }
    }
}
