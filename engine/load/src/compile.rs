//! Turns the description of the shop into what generation reads: span shapes with encoded attributes, the graph
//! of calls between them, and instances with encoded resources.

use std::collections::HashMap;

use spanloom_span::proto::put_message;

use crate::attributes::{self, Attribute, Known, Level, Role, Source};
use crate::encode::{self, Draw, Piece, Shape};
use crate::pattern::Pattern;
use crate::resource;
use crate::topology::{Call, Entry, Operation, Pace, Protocol, Query, Service, Step, Times, Work};

/// The shop as generation sees it.
#[derive(Debug)]
pub struct Shop {
    /// Every instance of every service.
    pub instances: Vec<Instance>,
    /// First instance and how many, for each service.
    pub services: Vec<(usize, u32)>,
    /// Kinds of span.
    pub shapes: Vec<Shape>,
    /// The graph of calls.
    pub nodes: Vec<Node>,
    /// Where traces begin: sum of the weights so far, and the node.
    pub entries: Vec<(u32, usize)>,
}

/// One instance (pod) of a service.
#[derive(Debug)]
pub struct Instance {
    /// Its address.
    pub address: String,
    /// The `Resource` field of its `ResourceSpans`.
    pub resource: Vec<u8>,
    /// The `InstrumentationScope` field of each of its `ScopeSpans`.
    pub scopes: Vec<Vec<u8>>,
}

/// A span and the calls below it.
#[derive(Debug)]
pub struct Node {
    /// Its shape.
    pub shape: usize,
    /// The service that does it.
    pub service: usize,
    /// What it calls, in order.
    pub edges: Vec<Edge>,
}

/// A call between two nodes.
#[derive(Debug)]
pub struct Edge {
    /// In how many of 1000 cases it is made.
    pub per_mille: u16,
    /// How often then.
    pub times: Times,
    /// Shape of the client or producer span on the caller's side; none for a step within the instance.
    pub via: Option<usize>,
    /// Whether the caller waits; false for queues.
    pub waits: bool,
    /// What is called.
    pub to: usize,
}

impl Shop {
    /// Compiles the entries and everything that they reach.
    pub fn new(entries: &'static [Entry], level: Level) -> Self {
        let mut compiler = Compiler { level, ..Compiler::default() };
        let mut weight = 0;
        let mut starts = Vec::new();
        for entry in entries {
            weight += u32::from(entry.per_mille);
            starts.push((weight, compiler.operation(entry.operation)));
        }
        let mut instances = Vec::new();
        let mut services = Vec::new();
        for (ordinal, service) in compiler.services.iter().enumerate() {
            services.push((instances.len(), u32::from(service.pods)));
            for pod in 0..service.pods {
                let address = format!("10.4.{}.{}", ordinal % 8 + 1, ordinal * 8 + usize::from(pod) + 3);
                instances.push(Instance {
                    resource: resource::encode(service, pod, &address, level),
                    scopes: compiler.scopes[ordinal].iter().map(|(n, v)| scope_field(n, v)).collect(),
                    address,
                });
            }
        }
        Self { instances, services, shapes: compiler.shapes, nodes: compiler.nodes, entries: starts }
    }
}

fn scope_field(name: &str, version: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put_message(&mut out, 1, |o| {
        spanloom_span::proto::put_bytes(o, 1, name.as_bytes());
        spanloom_span::proto::put_bytes(o, 2, version.as_bytes());
    });
    out
}

struct Compiler {
    level: Level,
    services: Vec<&'static Service>,
    scopes: Vec<Vec<(&'static str, &'static str)>>,
    shapes: Vec<Shape>,
    nodes: Vec<Node>,
    /// Nodes by the address of their description and the service that does them.
    seen: HashMap<(usize, usize), usize>,
}

impl Default for Compiler {
    fn default() -> Self {
        Self {
            level: Level::Default,
            services: Vec::new(),
            scopes: Vec::new(),
            shapes: Vec::new(),
            nodes: Vec::new(),
            seen: HashMap::new(),
        }
    }
}

fn address_of<T>(description: &'static T) -> usize {
    std::ptr::from_ref(description) as usize
}

impl Compiler {
    fn service(&mut self, service: &'static Service) -> usize {
        if let Some(at) = self.services.iter().position(|s| std::ptr::eq(*s, service)) {
            return at;
        }
        self.services.push(service);
        self.scopes.push(Vec::new());
        self.services.len() - 1
    }

    fn operation(&mut self, operation: &'static Operation) -> usize {
        let service = self.service(operation.service);
        let key = (address_of(operation), service);
        if let Some(&node) = self.seen.get(&key) {
            return node;
        }
        let terms = Terms::of_operation(operation);
        let role = match operation.protocol {
            Protocol::Http(..) => Role::HttpServer,
            Protocol::Grpc(..) => Role::GrpcServer,
            Protocol::Queue(_) => Role::Consumer,
        };
        let shape = self.shape(service, role, &terms, operation.pace);
        self.node(key, shape, operation.calls)
    }

    fn work(&mut self, work: &'static Work, service: usize) -> usize {
        let key = (address_of(work), service);
        if let Some(&node) = self.seen.get(&key) {
            return node;
        }
        let terms = Terms {
            name: work.name.to_owned(),
            code: work.function,
            ..Terms::of_service(self.services[service])
        };
        let shape = self.shape(service, Role::Internal, &terms, work.pace);
        self.node(key, shape, work.calls)
    }

    fn query(&mut self, query: &'static Query, service: usize) -> usize {
        let key = (address_of(query), service);
        if let Some(&node) = self.seen.get(&key) {
            return node;
        }
        let terms = Terms::of_query(query, self.services[service]);
        let role = if query.system == "redis" { Role::Cache } else { Role::Sql };
        let shape = self.shape(service, role, &terms, query.pace);
        self.node(key, shape, &[])
    }

    fn node(&mut self, key: (usize, usize), shape: usize, calls: &'static [Call]) -> usize {
        let edges = calls.iter().map(|call| self.edge(call, key.1)).collect();
        self.nodes.push(Node { shape, service: key.1, edges });
        self.seen.insert(key, self.nodes.len() - 1);
        self.nodes.len() - 1
    }

    fn edge(&mut self, call: &Call, service: usize) -> Edge {
        let (via, waits, to) = match call.step {
            Step::Do(work) => (None, true, self.work(work, service)),
            Step::Read(query) => (None, true, self.query(query, service)),
            Step::Ask(operation) => {
                let mut terms = Terms::of_operation(operation);
                let role = match operation.protocol {
                    Protocol::Http(method, ..) => {
                        method.clone_into(&mut terms.name);
                        Role::HttpClient
                    }
                    Protocol::Grpc(..) => Role::GrpcClient,
                    Protocol::Queue(topic) => {
                        terms.name = format!("send {topic}");
                        Role::Producer
                    }
                };
                let via = self.shape(service, role, &terms, Pace(120, 0.9));
                (Some(via), role != Role::Producer, self.operation(operation))
            }
        };
        Edge { per_mille: call.per_mille, times: call.times, via, waits, to }
    }

    fn shape(&mut self, service: usize, role: Role, terms: &Terms, pace: Pace) -> usize {
        let owner = self.services[service];
        let library = match role {
            Role::Internal => (owner.name, owner.version),
            _ => attributes::library(owner.language, role),
        };
        let scopes = &mut self.scopes[service];
        let scope = scopes.iter().position(|s| *s == library).unwrap_or_else(|| {
            scopes.push(library);
            scopes.len() - 1
        });
        let list = attributes::of_role(role).iter().chain(attributes::COMMON);
        let pieces = pieces(list.filter(|a| a.level <= self.level), terms);
        self.shapes.push(Shape::new(scope, role, &terms.name, pieces, owner.language, pace, self.level));
        self.shapes.len() - 1
    }
}

/// What [`Known`] names, for one operation.
#[derive(Default)]
struct Terms {
    name: String,
    method: &'static str,
    route: &'static str,
    path: &'static str,
    package: &'static str,
    function: &'static str,
    server: &'static str,
    port: u16,
    database: &'static str,
    table: &'static str,
    verb: &'static str,
    summary: &'static str,
    literal: &'static str,
    topic: &'static str,
    code: &'static str,
}

impl Terms {
    fn of_service(service: &'static Service) -> Self {
        Self { server: service.name, port: service.port, ..Self::default() }
    }

    fn of_operation(operation: &Operation) -> Self {
        let base = Self::of_service(operation.service);
        match operation.protocol {
            Protocol::Http(method, route, path) => {
                Self { name: format!("{method} {route}"), method, route, path, ..base }
            }
            Protocol::Grpc(package, function) => {
                Self { name: format!("{package}/{function}"), package, function, ..base }
            }
            Protocol::Queue(topic) => Self { name: format!("process {topic}"), topic, ..base },
        }
    }

    fn of_query(query: &Query, service: &'static Service) -> Self {
        let name = match query.system {
            "redis" => query.verb.to_owned(),
            _ => format!("{} {}", query.verb, query.table),
        };
        Self {
            name,
            database: query.database,
            table: query.table,
            verb: query.verb,
            summary: query.summary,
            literal: query.literal,
            ..Self::of_service(service)
        }
    }

    fn known(&self, key: &str, known: Known) -> Piece {
        let text = |value: &str| Piece::Fixed(encode::text(key, value));
        let drawn = |value: &str| Piece::Draw(encode::head(key), Draw::Pattern(Pattern::new(value)));
        let numbers = |values: &[i64]| values.iter().map(|v| encode::int(key, *v)).collect::<Vec<_>>();
        match known {
            Known::Method => text(self.method),
            Known::Route => text(self.route),
            Known::Path => drawn(self.path),
            Known::Url => drawn(&format!("http://{}:{}{}", self.server, self.port, self.path)),
            Known::HttpStatus => {
                Piece::Outcome(numbers(&[200, 200, 200, 304, 201]), numbers(&[500, 503, 502]))
            }
            Known::Package => text(self.package),
            Known::Function => text(self.function),
            Known::GrpcStatus => Piece::Outcome(numbers(&[0]), numbers(&[14, 13, 4])),
            Known::ErrorType => Piece::Outcome(Vec::new(), vec![encode::text(key, "500")]),
            Known::Server => text(self.server),
            Known::ServerPort => Piece::Fixed(encode::int(key, i64::from(self.port))),
            Known::PeerAddress => Piece::Draw(encode::head(key), Draw::PeerAddress),
            Known::Database => text(self.database),
            Known::Table => text(self.table),
            Known::Verb => text(self.verb),
            Known::Summary => text(self.summary),
            Known::Literal => drawn(self.literal),
            Known::Topic => text(self.topic),
            Known::Code => text(self.code),
        }
    }
}

/// Encodes a list of attributes; those that never vary become one run of bytes.
fn pieces<'a>(list: impl Iterator<Item = &'a Attribute>, terms: &Terms) -> Vec<Piece> {
    let mut out: Vec<Piece> = Vec::new();
    for attribute in list {
        let key = attribute.key;
        let piece = match attribute.source {
            Source::Text(value) => Piece::Fixed(encode::text(key, value)),
            Source::Int(value) => Piece::Fixed(encode::int(key, value)),
            Source::Truth(value) => Piece::Fixed(encode::truth(key, value)),
            Source::Pick(values) => Piece::Pick(values.iter().map(|v| encode::text(key, v)).collect()),
            Source::Pattern(text) => Piece::Draw(encode::head(key), Draw::Pattern(Pattern::new(text))),
            Source::Below(n) => Piece::Draw(encode::head(key), Draw::Below(n)),
            Source::Size(median) => Piece::Draw(encode::head(key), Draw::Size(median)),
            Source::EphemeralPort => Piece::Draw(encode::head(key), Draw::EphemeralPort),
            Source::Amount => Piece::Draw(encode::head(key), Draw::Amount),
            Source::Of(known) => terms.known(key, known),
        };
        match (out.last_mut(), piece) {
            (_, piece) if attribute.per_mille < 1000 => {
                out.push(Piece::Maybe(attribute.per_mille, Box::new(piece)))
            }
            (Some(Piece::Fixed(run)), Piece::Fixed(more)) => run.extend_from_slice(&more),
            (_, piece) => out.push(piece),
        }
    }
    out
}
