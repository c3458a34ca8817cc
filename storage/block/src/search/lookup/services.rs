//! The services of a trace's spans: `service.name` of their resources, counted by class.

use std::ops::Range;

use hashbrown::HashMap;
use spanloom_traceql::value::Value;

use crate::columns::{Table, ValueType};
use crate::error::Result;
use crate::reader::contents::Contents;
use crate::search::lookup::rows::MAX_REMEMBERED;
use crate::search::lookup::source::Keyed;
use crate::search::lookup::{Found, Lookup, OpenGroup, SpanRow};

/// OTLP's code of the status error.
const ERROR: i32 = 2;

const UNKNOWN: u32 = u32::MAX;

/// The services that were met in a block, numbered.
pub(crate) struct Services {
    key: Keyed,
    /// Where the name of each lies.
    names: Vec<Found>,
    /// The number of each name: by code of the dictionary, or by row of the resource.
    numbers: HashMap<(bool, u64), u32, foldhash::fast::FixedState>,
    /// The number of each scope's.
    of_scopes: HashMap<u64, u32, foldhash::fast::FixedState>,
    /// Spans, and those with status error, of each.
    counts: Vec<(u64, u64)>,
    /// Those with a count.
    counted: Vec<u32>,
}

impl Services {
    /// None are met yet.
    pub fn new(block: &Contents) -> Self {
        Self {
            key: Keyed::of(block, Table::Resources, b"service.name"),
            names: Vec::new(),
            numbers: HashMap::default(),
            of_scopes: HashMap::default(),
            counts: Vec::new(),
            counted: Vec::new(),
        }
    }

    /// Starts with nothing counted. Forgets what it knows when it knows much.
    pub fn begin(&mut self, lookup: &mut Lookup<'_>) {
        for number in self.counted.drain(..) {
            self.counts[number as usize] = (0, 0);
        }
        if self.of_scopes.len() > MAX_REMEMBERED {
            lookup.close();
            (self.names, self.counts) = (Vec::new(), Vec::new());
            (self.numbers, self.of_scopes) = (HashMap::default(), HashMap::default());
        }
    }

    /// Counts rows of a group, which have these keys; `keep` says which of them count.
    pub fn count(
        &mut self,
        lookup: &mut Lookup<'_>,
        group: u32,
        rows: Range<u64>,
        keys: &[u64],
        keep: Option<&[bool]>,
    ) -> Result<()> {
        let mut nth = 0;
        while nth < keys.len() {
            nth = self.count_known(lookup.group(group)?, keys, keep, nth);
            let Some(&key) = keys.get(nth) else { break };
            let at = SpanRow { group, row: rows.start + nth as u64 };
            let number = self.look_up(lookup, at, key)?;
            let is_error = lookup.head(group, key)?.status == ERROR;
            self.add(number, is_error);
            nth += 1;
        }
        Ok(())
    }

    /// Counts rows from the `nth` on whose keys are known to decide the service. Gives the first whose key is not.
    fn count_known(
        &mut self,
        group: &OpenGroup<'_>,
        keys: &[u64],
        keep: Option<&[bool]>,
        mut nth: usize,
    ) -> usize {
        for &key in &keys[nth..] {
            if keep.is_none_or(|keep| keep.get(nth) == Some(&true)) {
                match group.services.get(key as usize) {
                    Some(&known) if known != UNKNOWN => self.add(known / 2, known % 2 == 1),
                    _ => return nth,
                }
            }
            nth += 1;
        }
        nth
    }

    #[inline]
    fn add(&mut self, number: u32, is_error: bool) {
        let count = &mut self.counts[number as usize];
        if count.0 == 0 {
            self.counted.push(number);
        }
        count.0 += 1;
        count.1 += u64::from(is_error);
    }

    /// Shows what was counted.
    pub fn show(&mut self, lookup: &mut Lookup<'_>, see: &mut dyn FnMut(&[u8], u64, u64)) -> Result<()> {
        for &number in &self.counted {
            let (spans, errors) = self.counts[number as usize];
            see_text(lookup, self.names[number as usize], &mut |name| see(name, spans, errors))?;
        }
        Ok(())
    }

    /// Shows the service of a span.
    pub fn of_span(
        &mut self,
        lookup: &mut Lookup<'_>,
        at: SpanRow,
        see: &mut dyn FnMut(&[u8]),
    ) -> Result<()> {
        let group = lookup.group(at.group)?;
        let key = group.spans.key(at.row)?;
        let known = group.services.get(key as usize).copied().unwrap_or(UNKNOWN);
        let number = if known == UNKNOWN { self.look_up(lookup, at, key)? } else { known / 2 };
        see_text(lookup, self.names[number as usize], see)
    }

    /// The number of a span's service; remembered for its key when that decides it.
    fn look_up(&mut self, lookup: &mut Lookup<'_>, at: SpanRow, key: u64) -> Result<u32> {
        let (scope, is_decided) = lookup.scope(at)?;
        let number = match self.of_scopes.get(&scope) {
            Some(&number) => number,
            None => {
                let number = self.of_scope(lookup, scope)?;
                self.of_scopes.insert(scope, number);
                number
            }
        };
        let is_error = lookup.head(at.group, key)?.status == ERROR;
        let key = key as usize;
        if is_decided && key < MAX_REMEMBERED {
            let known = &mut lookup.group(at.group)?.services;
            if known.len() <= key {
                known.resize(key + 1, UNKNOWN);
            }
            known[key] = number * 2 + u32::from(is_error);
        }
        Ok(number)
    }

    fn of_scope(&mut self, lookup: &mut Lookup<'_>, scope: u64) -> Result<u32> {
        let resource = lookup.resource(scope)?;
        // Resources belong to no row group.
        let (found, _) = lookup.find_in(0, resource, &mut self.key)?;
        // A code tells texts apart, of which the key has one column alone; all that is no text is one.
        let (found, code) = match found {
            Found::Value { value_type: ValueType::Str, .. } => (found, lookup.code(0, found)?),
            Found::Overflow { .. } => (found, None),
            _ => (Found::Nil, Some(u64::MAX)),
        };
        let next = self.names.len() as u32;
        let number = *self.numbers.entry((code.is_some(), code.unwrap_or(resource))).or_insert(next);
        if number == next {
            self.names.push(found);
            self.counts.push((0, 0));
        }
        Ok(number)
    }
}

fn see_text(lookup: &mut Lookup<'_>, found: Found, see: &mut dyn FnMut(&[u8])) -> Result<()> {
    lookup.show(0, found, &mut |value| {
        see(if let Value::Text(text) = value { text } else { b"" });
    })
}
