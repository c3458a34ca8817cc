//! The graph of services, made naively: each span looks at its parent and its children.

use std::collections::BTreeMap;

use spanloom_query::{GraphEdge, GraphNode, NodeKind, ServiceGraph};
use spanloom_span::model::AnyValue;

use crate::field;
use crate::model::{CLIENT, ERROR, SERVER, Span, Trace};

const PRODUCER: i32 = 4;
const CONSUMER: i32 = 5;

/// What is known of a node: its own spans and failures, those of its callers, its kind.
#[derive(Debug, Default)]
struct Node {
    kinds: Vec<NodeKind>,
    own: (u64, u64),
    of_callers: (u64, u64),
}

/// The graph that is expected, with all durations of each edge.
#[derive(Debug, Default)]
pub struct Expected {
    nodes: BTreeMap<String, Node>,
    /// Durations and failures of calls.
    edges: BTreeMap<(String, String), Vec<(u64, bool)>>,
    traces: u64,
}

fn name(span: &Span) -> String {
    match field::service(&span.resource.attributes) {
        name if name.is_empty() => "unknown_service".to_owned(),
        name => name,
    }
}

fn is_error(span: &Span) -> bool {
    span.own.status.code == ERROR
}

fn calls_out(span: &Span) -> bool {
    [CLIENT, PRODUCER].contains(&span.own.kind)
}

fn is_called(span: &Span) -> bool {
    [SERVER, CONSUMER].contains(&span.own.kind)
}

/// The first of these attributes that is a text which says something.
fn text(span: &Span, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|key| {
        let first = span.own.attributes.iter().find(|attribute| attribute.key == *key)?;
        match &first.value {
            AnyValue::Str(text) if !text.is_empty() => Some(text.clone()),
            _ => None,
        }
    })
}

fn remote(span: &Span) -> Option<(String, NodeKind)> {
    let database = text(span, &["db.system", "db.system.name"]);
    let broker = text(span, &["messaging.system"]);
    let kind = match (&database, &broker) {
        (Some(_), _) => NodeKind::Database,
        (_, Some(_)) => NodeKind::Messaging,
        _ => NodeKind::External,
    };
    let peer = text(span, &["peer.service", "service.peer.name", "zipkin.remoteEndpoint.serviceName"]);
    let is_number = |name: &String| name.chars().all(|c| c.is_ascii_digit());
    let other = match kind {
        _ if span.own.kind == SERVER => None,
        NodeKind::Database => {
            text(span, &["db.namespace", "db.name", "db.instance"]).filter(|n| !is_number(n)).or(database)
        }
        NodeKind::Messaging => {
            text(span, &["messaging.destination.name", "messaging.destination"]).or(broker)
        }
        _ => text(span, &["server.address", "net.peer.name"]),
    };
    peer.or(other).map(|name| (name, kind))
}

/// The graph of these traces.
pub fn expected(traces: &[Trace], start: u64, end: u64) -> Expected {
    let mut graph = Expected::default();
    for trace in traces {
        if !trace.spans.iter().any(|span| span.start() <= end && span.end() >= start) {
            continue;
        }
        graph.traces += 1;
        for at in 0..trace.spans.len() {
            if (start..=end).contains(&trace.spans[at].start()) {
                graph.span(trace, at);
            }
        }
    }
    graph
}

impl Expected {
    fn span(&mut self, trace: &Trace, at: usize) {
        let span = &trace.spans[at];
        let own = name(span);
        let node = self.nodes.entry(own.clone()).or_default();
        node.kinds.push(NodeKind::Service);
        node.own.0 += 1;
        node.own.1 += u64::from(is_error(span));
        let parent = span.parent.map(|parent| &trace.spans[parent]);
        if let Some(parent) = parent.filter(|parent| name(parent) != own) {
            let failed = is_error(span) || calls_out(parent) && is_error(parent);
            // The caller may have begun before the time that is asked for.
            self.nodes.entry(name(parent)).or_default().kinds.push(NodeKind::Service);
            self.edges.entry((name(parent), own)).or_default().push((span.duration(), failed));
        }
        self.remote(trace, at, parent);
    }

    /// A call to someone who sends no spans, or by such a one.
    fn remote(&mut self, trace: &Trace, at: usize, parent: Option<&Span>) {
        let span = &trace.spans[at];
        let children = || trace.children(at).into_iter().map(|child| &trace.spans[child]);
        let is_other = |other: &Span| name(other) != name(span);
        let is_out = calls_out(span) && !children().any(|c| is_other(c) || is_called(c) || calls_out(c));
        let is_answer = parent.is_some_and(|parent| is_other(parent) || calls_out(parent));
        let is_in = is_called(span) && !is_answer && (span.own.kind == CONSUMER || parent.is_none());
        let Some((other, kind)) = remote(span).filter(|_| is_out || is_in) else { return };
        let node = self.nodes.entry(other.clone()).or_default();
        node.kinds.push(kind);
        node.of_callers.0 += 1;
        node.of_callers.1 += u64::from(is_error(span));
        let (client, server) = if is_out { (name(span), other) } else { (other, name(span)) };
        if client != server {
            let call = (span.duration(), is_error(span));
            self.edges.entry((client, server)).or_default().push(call);
        }
    }

    /// Whether the engine's graph is this one.
    pub fn compare(&self, found: &ServiceGraph) -> Result<(), String> {
        let node = |(name, node): (&String, &Node)| {
            let kind = node.kinds.iter().min().copied().unwrap_or(NodeKind::External);
            let (spans, errors) = if kind == NodeKind::Service { node.own } else { node.of_callers };
            GraphNode { name: name.clone(), kind, spans, errors }
        };
        let nodes: Vec<GraphNode> = self.nodes.iter().map(node).collect();
        same(&found.nodes, &nodes, "nodes")?;
        same(&found.traces, &self.traces, "traces")?;
        let counts = |edge: &GraphEdge| ((edge.client.clone(), edge.server.clone()), edge.calls, edge.errors);
        let expected = self.edges.iter().map(|(ends, calls)| {
            let errors = calls.iter().filter(|(_, failed)| *failed).count() as u64;
            (ends.clone(), calls.len() as u64, errors)
        });
        let edges: Vec<_> = found.edges.iter().map(counts).collect();
        same(&edges, &expected.collect::<Vec<_>>(), "edges")?;
        for (edge, calls) in found.edges.iter().zip(self.edges.values()) {
            let mut durations: Vec<u64> = calls.iter().map(|(duration, _)| *duration).collect();
            durations.sort_unstable();
            for (share, found) in [(0.5, edge.p50), (0.95, edge.p95)] {
                let rank = (durations.len() as f64 * share).ceil() as usize;
                let exact = durations[rank.max(1) - 1] as f64;
                if (found as f64 - exact).abs() > exact * 0.0101 + 0.5 {
                    return Err(format!("quantile {share}: found {found}, expected {exact} of {edge:?}"));
                }
            }
        }
        Ok(())
    }

    /// Whether there is something in it.
    pub fn is_full(&self) -> bool {
        !self.edges.is_empty()
    }
}

fn same<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T, what: &str) -> Result<(), String> {
    match found == expected {
        true => Ok(()),
        false => Err(format!("{what}:\n     found {found:?}\n  expected {expected:?}")),
    }
}
