//! Resources and scopes: each distinct one is decoded and stored once.

use std::sync::{Arc, Weak};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use spanloom_span::proto::{Reader, Value};
use spanloom_span::{Batch, ScopeSlice};

use crate::columns::{Field, Table};
use crate::error::Result;
use crate::writer::interner::Interner;
use crate::writer::span::{push_count, push_rare, unknown_fields};
use crate::writer::table::TableBuilder;

/// The tables of resources and scopes.
pub(crate) struct ScopeTables {
    pub resources: TableBuilder,
    pub scopes: TableBuilder,
    resource_rows: Interner,
    scope_rows: Interner,
    key: Vec<u8>,
    /// Rows of the scopes of the batches seen. The weak pointer keeps a batch's address from being used again, and
    /// nothing else of the batch.
    batches: HashMap<usize, BatchRows, RandomState>,
}

/// A batch, and the rows of its scopes as far as they are known.
type BatchRows = (Weak<Batch>, Vec<Option<ScopeRow>>);

/// Rows of a scope and of its resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ScopeRow {
    pub scope: u32,
    pub resource: u32,
}

impl ScopeTables {
    pub fn new() -> Self {
        Self {
            resources: TableBuilder::new(Table::Resources),
            scopes: TableBuilder::new(Table::Scopes),
            resource_rows: Interner::default(),
            scope_rows: Interner::default(),
            key: Vec::new(),
            batches: HashMap::default(),
        }
    }

    /// The rows of a scope of a batch, made when they are new.
    pub fn row(&mut self, batch: &Arc<Batch>, scope: u32) -> Result<ScopeRow> {
        let new = || (Arc::downgrade(batch), vec![None; batch.scopes().len()]);
        let (_, rows) = self.batches.entry(Arc::as_ptr(batch).addr()).or_insert_with(new);
        if let Some(Some(row)) = rows.get(scope as usize) {
            return Ok(*row);
        }
        let row = self.find(batch, &batch.scopes()[scope as usize])?;
        if let Some((_, rows)) = self.batches.get_mut(&Arc::as_ptr(batch).addr()) {
            rows[scope as usize] = Some(row);
        }
        Ok(row)
    }

    fn find(&mut self, batch: &Batch, slice: &ScopeSlice) -> Result<ScopeRow> {
        let of = &batch.resources()[slice.resource as usize];
        let resource = (batch.get(of.resource), batch.get(of.schema_url));
        self.find_bodies(resource, (batch.get(slice.scope), batch.get(slice.schema_url)))
    }

    /// The rows of a resource and a scope, made when they are new. Both are given as the bodies of their messages,
    /// with their schema urls.
    pub fn find_bodies(&mut self, resource: (&[u8], &[u8]), scope: (&[u8], &[u8])) -> Result<ScopeRow> {
        let (body, schema_url) = resource;
        self.set_key(0, body, schema_url);
        let (resource, is_new) = self.resource_rows.intern(&self.key);
        if is_new {
            push_resource(&mut self.resources, body, schema_url)?;
        }
        let (body, schema_url) = scope;
        self.set_key(resource, body, schema_url);
        let (scope, is_new) = self.scope_rows.intern(&self.key);
        if is_new {
            self.scopes.dense_int(Field::Resource, u64::from(resource));
            push_scope(&mut self.scopes, body, schema_url)?;
        }
        Ok(ScopeRow { scope, resource })
    }

    fn set_key(&mut self, resource: u32, body: &[u8], schema_url: &[u8]) {
        self.key.clear();
        self.key.extend_from_slice(&resource.to_le_bytes());
        self.key.extend_from_slice(&(body.len() as u32).to_le_bytes());
        self.key.extend_from_slice(body);
        self.key.extend_from_slice(schema_url);
    }

    /// Bytes held for the distinct ones, about.
    pub fn held_bytes(&self) -> usize {
        self.resource_rows.byte_len() + self.scope_rows.byte_len()
    }
}

fn push_resource(table: &mut TableBuilder, body: &[u8], schema_url: &[u8]) -> Result<()> {
    let mut dropped = 0;
    let mut reader = Reader::new(body);
    while let Some(field) = reader.next()? {
        match field {
            (1, Value::Bytes(b)) => table.attribute(b)?,
            (2, Value::Varint(v)) => dropped = v as u32,
            _ => {}
        }
    }
    let unknown = unknown_fields(body, |number, value| {
        matches!((number, value), (1, Value::Bytes(_)) | (2, Value::Varint(_)))
    })?;
    table.dense_bytes(Field::SchemaUrl, schema_url);
    push_count(table, Field::DroppedAttributes, dropped);
    push_rare(table, Field::Unknown, &unknown);
    table.end_row(&[])
}

fn push_scope(table: &mut TableBuilder, body: &[u8], schema_url: &[u8]) -> Result<()> {
    let (mut name, mut version, mut dropped): (&[u8], &[u8], u32) = (&[], &[], 0);
    let mut reader = Reader::new(body);
    while let Some(field) = reader.next()? {
        match field {
            (1, Value::Bytes(b)) => name = b,
            (2, Value::Bytes(b)) => version = b,
            (3, Value::Bytes(b)) => table.attribute(b)?,
            (4, Value::Varint(v)) => dropped = v as u32,
            _ => {}
        }
    }
    let unknown = unknown_fields(body, |number, value| {
        matches!((number, value), (1..=3, Value::Bytes(_)) | (4, Value::Varint(_)))
    })?;
    table.dense_bytes(Field::Name, name);
    table.dense_bytes(Field::Version, version);
    table.dense_bytes(Field::SchemaUrl, schema_url);
    push_count(table, Field::DroppedAttributes, dropped);
    push_rare(table, Field::Unknown, &unknown);
    table.end_row(&[])
}
