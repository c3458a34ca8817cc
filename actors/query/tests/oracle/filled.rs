//! A store that was pushed, and what the judge knows of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use spanloom_span::Tenant;
use spanloom_span::model;

use crate::generate_traces::Store;
use crate::model::{Trace, gather};

/// A store that was pushed.
pub struct Filled {
    /// Each store has tenants of its own.
    pub tenants: Vec<Tenant>,
    store: Store,
    judged: RefCell<BTreeMap<Vec<usize>, Rc<Judged>>>,
}

/// What some tenants have together.
pub struct Judged {
    pub tenants: Vec<Tenant>,
    /// As they are judged.
    pub traces: Vec<Trace>,
    /// As they were pushed.
    pub requests: Vec<model::Trace>,
}

impl Filled {
    pub fn new(tenants: Vec<Tenant>, store: Store) -> Self {
        Self { tenants, store, judged: RefCell::default() }
    }

    /// What these tenants have together, the first named first.
    pub fn judged(&self, tenants: &[usize]) -> Rc<Judged> {
        let mut judged = self.judged.borrow_mut();
        let of = || {
            let requests = self.store.of(tenants);
            let named = tenants.iter().map(|tenant| self.tenants[*tenant].clone()).collect();
            Rc::new(Judged { tenants: named, traces: gather(&requests), requests })
        };
        judged.entry(tenants.to_vec()).or_insert_with(of).clone()
    }
}
