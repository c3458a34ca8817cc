//! Groups within a limit. When there are more, those that come first stay: whichever order they come in and however
//! the work is split, the same ones, with everything that was ever added to them.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::value::{Groups, Key, Value, order};

/// The labels that the values of a group become.
#[derive(Debug, Default)]
pub(super) struct Labels {
    /// Their names; none where groups are not series.
    pub names: Box<[Arc<str>]>,
    /// The name of the label that follows, of histograms and quantiles.
    pub own: Option<&'static str>,
}

/// Groups by values, each with something of its own.
#[derive(Debug)]
pub(super) struct Bounded<T> {
    /// The labels that the groups become, if they do: then they come in the order of series.
    labels: Labels,
    groups: Groups,
    /// By group; none for one that was given up.
    kept: Vec<Option<T>>,
    live: usize,
    limit: usize,
    /// What comes after this was given up.
    bound: Option<Box<[Key]>>,
    dropped: bool,
}

impl<T: Default> Bounded<T> {
    /// Groups in the order of their values.
    pub fn new(limit: usize) -> Self {
        Self::labelled(limit, Labels::default())
    }

    /// Groups in the order of the series that they become.
    pub fn labelled(limit: usize, labels: Labels) -> Self {
        let groups = Groups::default();
        Self { labels, groups, kept: Vec::new(), live: 0, limit: limit.max(1), bound: None, dropped: false }
    }

    /// The group of some values; `None` when it is given up.
    pub fn meet(&mut self, values: &[Value<'_>]) -> Option<u32> {
        if let Some(known) = self.groups.find(values) {
            return Some(known);
        }
        if let Some(bound) = &self.bound
            && self.order(values.iter().copied(), bound.iter().map(Key::value)).is_gt()
        {
            self.dropped = true;
            return None;
        }
        let group = self.groups.meet(values);
        self.kept.push(Some(T::default()));
        self.live += 1;
        if self.live > self.limit.saturating_mul(2) {
            self.prune();
        }
        self.kept[group as usize].is_some().then_some(group)
    }

    /// What belongs to a group; `None` when it was given up.
    pub fn get_mut(&mut self, group: u32) -> Option<&mut T> {
        self.kept.get_mut(group as usize)?.as_mut()
    }

    /// Adds the groups of another.
    pub fn merge(&mut self, other: Self, mut add: impl FnMut(&mut T, T)) {
        self.dropped |= other.dropped;
        for (group, value) in (0..).zip(other.kept) {
            let Some(value) = value else { continue };
            let key: Vec<Value<'_>> = other.groups.key(group).iter().map(Key::value).collect();
            if let Some(mine) = self.meet(&key).and_then(|group| self.get_mut(group)) {
                add(mine, value);
            }
        }
    }

    /// Groups that were not given up, with their values, in the order in which they came.
    pub fn live(&self) -> impl Iterator<Item = (&[Key], &T)> {
        let kept = (0..).zip(&self.kept);
        kept.filter_map(|(group, kept)| Some((self.groups.key(group), kept.as_ref()?)))
    }

    /// Most groups that are there at a time.
    pub fn most(&self) -> usize {
        self.limit.saturating_mul(2)
    }

    /// Whether groups were given up.
    pub fn has_dropped(&self) -> bool {
        self.dropped
    }

    /// Notes that groups were given up.
    pub fn set_dropped(&mut self) {
        self.dropped = true;
    }

    /// Adds a group as it is; false when it is there, or there are too many.
    pub fn put(&mut self, values: &[Value<'_>], of: T) -> bool {
        if self.groups.find(values).is_some() || self.live >= self.most() {
            return false;
        }
        let group = self.meet(values);
        let place = group.and_then(|group| self.get_mut(group));
        place.map(|place| *place = of).is_some()
    }

    /// The groups in order, within the limit; and whether others were given up.
    pub fn in_order(&self) -> (Vec<(&[Key], &T)>, bool) {
        let live = self.live_in_order();
        let dropped = self.dropped || live.len() > self.limit;
        let kept = live.into_iter().take(self.limit);
        let of = |group: u32| Some((self.groups.key(group), self.kept[group as usize].as_ref()?));
        (kept.filter_map(of).collect(), dropped)
    }

    fn live_in_order(&self) -> Vec<u32> {
        let mut live: Vec<u32> =
            (0..).zip(&self.kept).filter(|(_, kept)| kept.is_some()).map(|(group, _)| group).collect();
        let values = |group: u32| self.groups.key(group).iter().map(Key::value);
        live.sort_by(|left, right| self.order(values(*left), values(*right)));
        live
    }

    fn order<'a, V: Iterator<Item = Value<'a>> + Clone>(
        &self,
        left: V,
        right: impl Iterator<Item = Value<'a>> + Clone,
    ) -> Ordering {
        let (of_left, of_right) = (self.labels.of(left.clone()), self.labels.of(right.clone()));
        order_of_labels(of_left, of_right).then_with(|| order_of(left, right))
    }

    fn prune(&mut self) {
        let live = self.live_in_order();
        let (kept, given_up) = live.split_at(self.limit.min(live.len()));
        self.bound = kept.last().map(|last| self.groups.key(*last).into());
        for group in given_up {
            self.groups.remove(*group);
            self.kept[*group as usize] = None;
        }
        self.live = kept.len();
        self.dropped = true;
    }
}

impl Labels {
    /// Names and values, as an answer has them: nil is left out, but not when all are. The value of the label that
    /// follows is nil.
    fn of<'a>(
        &self,
        values: impl Iterator<Item = Value<'a>> + Clone,
    ) -> impl Iterator<Item = (&str, Value<'a>)> {
        let names = self.names.iter().map(|name| &**name);
        let named = names.zip(values.clone()).filter(|(_, value)| *value != Value::Nil);
        let none = !{ values }.any(|value| value != Value::Nil);
        let first = self.names.first().filter(|_| none).map(|first| (&**first, Value::Text(b"nil")));
        first.into_iter().chain(named).chain(self.own.map(|own| (own, Value::Nil)))
    }
}

fn order_of_labels<'a, 'n>(
    left: impl Iterator<Item = (&'n str, Value<'a>)>,
    right: impl Iterator<Item = (&'n str, Value<'a>)>,
) -> Ordering {
    let mut right = right.fuse();
    for (name, value) in left {
        let Some((other_name, other)) = right.next() else { return Ordering::Greater };
        match name.cmp(other_name).then_with(|| order(value, other)) {
            Ordering::Equal => {}
            unequal => return unequal,
        }
    }
    if right.next().is_some() { Ordering::Less } else { Ordering::Equal }
}

fn order_of<'a>(left: impl Iterator<Item = Value<'a>>, right: impl Iterator<Item = Value<'a>>) -> Ordering {
    let mut right = right.fuse();
    for value in left {
        let Some(other) = right.next() else { return Ordering::Greater };
        match order(value, other) {
            Ordering::Equal => {}
            unequal => return unequal,
        }
    }
    if right.next().is_some() { Ordering::Less } else { Ordering::Equal }
}
