//! Groups by the values of several fields.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::{Key, Value};

/// Groups, numbered from 0 in the order in which they were first met.
#[derive(Debug, Default)]
pub struct Groups {
    table: HashTable<u32>,
    hasher: RandomState,
    keys: Vec<Box<[Key]>>,
}

impl Groups {
    /// How many groups were met, those that were removed among them.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether none was met.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The values that a group is known by; none for a group that was removed.
    pub fn key(&self, group: u32) -> &[Key] {
        self.keys.get(group as usize).map_or(&[], |key| key)
    }

    /// The group of some values, if it was met.
    pub fn find(&self, values: &[Value<'_>]) -> Option<u32> {
        self.table.find(self.hash(values), |group| is(&self.keys[*group as usize], values)).copied()
    }

    /// The group of some values; a new one if it was not met before.
    pub fn meet(&mut self, values: &[Value<'_>]) -> u32 {
        let hash = self.hash(values);
        if let Some(known) = self.table.find(hash, |group| is(&self.keys[*group as usize], values)) {
            return *known;
        }
        let group = self.keys.len() as u32;
        self.keys.push(values.iter().map(|value| Key::of(*value)).collect());
        let Self { table, hasher, keys } = self;
        table.insert_unique(hash, group, |group| hash_keys(hasher, &keys[*group as usize]));
        group
    }

    /// Removes a group; its number stays taken.
    pub fn remove(&mut self, group: u32) {
        let Some(key) = self.keys.get_mut(group as usize) else { return };
        let hash = hash_keys(&self.hasher, key);
        if let Ok(entry) = self.table.find_entry(hash, |known| *known == group) {
            entry.remove();
        }
        *key = Box::default();
    }

    fn hash(&self, values: &[Value<'_>]) -> u64 {
        let mut state = self.hasher.build_hasher();
        values.iter().for_each(|value| Key::hash_value(*value, &mut state));
        state.finish()
    }
}

fn hash_keys(hasher: &RandomState, keys: &[Key]) -> u64 {
    let mut state = hasher.build_hasher();
    keys.iter().for_each(|key| Key::hash_value(key.value(), &mut state));
    state.finish()
}

fn is(keys: &[Key], values: &[Value<'_>]) -> bool {
    keys.len() == values.len() && keys.iter().zip(values).all(|(key, value)| key.is(*value))
}
