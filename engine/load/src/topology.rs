//! The terms in which a shop is described: services, the operations they offer, and what each operation calls.
//!
//! A description is plain static data ([`crate::shop`]); [`crate::compile`] turns it into span templates.

/// The language of a service, which decides its libraries, its SDK and what its exceptions look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Go.
    Go,
    /// Java.
    Java,
    /// Node.js.
    Node,
    /// Python.
    Python,
    /// .NET.
    Dotnet,
    /// Rust.
    Rust,
}

/// A service, run by several instances (pods).
#[derive(Debug)]
pub struct Service {
    /// `service.name`.
    pub name: &'static str,
    /// What it is written in.
    pub language: Language,
    /// `service.version`.
    pub version: &'static str,
    /// How many instances run.
    pub pods: u8,
    /// Where it listens.
    pub port: u16,
}

/// How an operation is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1; the fields are method, route and the pattern of the path.
    Http(&'static str, &'static str, &'static str),
    /// gRPC; the fields are package with service, and method.
    Grpc(&'static str, &'static str),
    /// A message queue; the field is the topic.
    Queue(&'static str),
}

/// How long a span's own work takes: the median in microseconds and the deviation in powers of two.
#[derive(Debug, Clone, Copy)]
pub struct Pace(pub u32, pub f32);

/// An operation that a service offers to others.
#[derive(Debug)]
pub struct Operation {
    /// Who offers it.
    pub service: &'static Service,
    /// How it is reached, and its name there.
    pub protocol: Protocol,
    /// Time of its own work.
    pub pace: Pace,
    /// What it calls, in order.
    pub calls: &'static [Call],
}

/// A step within a service that has a span of its own.
#[derive(Debug)]
pub struct Work {
    /// Span name.
    pub name: &'static str,
    /// `code.function.name`.
    pub function: &'static str,
    /// Time of its own work.
    pub pace: Pace,
    /// What it calls, in order.
    pub calls: &'static [Call],
}

/// A statement that a service sends to a database.
#[derive(Debug)]
pub struct Query {
    /// `db.system.name`: `postgresql` or `redis`.
    pub system: &'static str,
    /// `db.namespace`.
    pub database: &'static str,
    /// `db.collection.name`, or a key's family.
    pub table: &'static str,
    /// `db.operation.name`.
    pub verb: &'static str,
    /// Statement with its parameters left out.
    pub summary: &'static str,
    /// Pattern of the statement with its literals.
    pub literal: &'static str,
    /// Time it takes.
    pub pace: Pace,
}

/// What a call leads to.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// Another service: a client span here, a server span there. To a queue: a producer span here, and a
    /// consumer span there that the caller does not wait for.
    Ask(&'static Operation),
    /// An internal span.
    Do(&'static Work),
    /// A database client span.
    Read(&'static Query),
}

/// How often a call is made, one after the other or at the same time.
#[derive(Debug, Clone, Copy)]
pub enum Times {
    /// Once.
    Once,
    /// One after the other: log-normal around the median, at most the second field.
    Each(u32, u32),
    /// At the same time: log-normal around the median, at most the second field.
    Together(u32, u32),
}

/// One call of an operation.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// In how many of 1000 cases it is made.
    pub per_mille: u16,
    /// How often it is made then.
    pub times: Times,
    /// Where it leads.
    pub step: Step,
}

/// A way into the shop.
#[derive(Debug)]
pub struct Entry {
    /// How many of 1000 traces begin here.
    pub per_mille: u16,
    /// Where they begin.
    pub operation: &'static Operation,
}
