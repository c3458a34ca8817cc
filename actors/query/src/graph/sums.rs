//! Calls added up, within limits: what is over is left out and said.

use std::collections::{BTreeMap, HashMap};

use super::spread::Spread;
use super::{GraphEdge, GraphNode, NodeKind, ServiceGraph};

/// Nodes and edges so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Sums {
    /// Most nodes, and most edges.
    most: usize,
    names: HashMap<String, u32>,
    nodes: Vec<Node>,
    edges: HashMap<(u32, u32), Edge>,
    /// Whether something was left out.
    pub is_cut: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct Node {
    name: String,
    kind: NodeKind,
    /// Its own spans, and those of its callers.
    own: (u64, u64),
    of_callers: (u64, u64),
}

#[derive(Debug, Clone, PartialEq, Default)]
struct Edge {
    calls: u64,
    errors: u64,
    spread: Spread,
}

impl Sums {
    /// None yet, of so many nodes and edges at most.
    pub fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// The number of a node; `None` when there is no room for another one. What sends spans is a service, whoever else
    /// names it otherwise.
    pub fn node(&mut self, name: &str, kind: NodeKind) -> Option<u32> {
        if let Some(&number) = self.names.get(name) {
            let node = &mut self.nodes[number as usize];
            node.kind = node.kind.min(kind);
            return Some(number);
        }
        if self.nodes.len() >= self.most {
            self.is_cut = true;
            return None;
        }
        let number = self.nodes.len() as u32;
        self.names.insert(name.to_owned(), number);
        self.nodes.push(Node { name: name.to_owned(), kind, own: (0, 0), of_callers: (0, 0) });
        Some(number)
    }

    /// A span of a node's own.
    pub fn span(&mut self, node: u32, is_error: bool) {
        count(&mut self.nodes[node as usize].own, 1, u64::from(is_error));
    }

    /// A span of someone who calls a node, or whom it calls.
    pub fn span_of_caller(&mut self, node: u32, is_error: bool) {
        count(&mut self.nodes[node as usize].of_callers, 1, u64::from(is_error));
    }

    /// A call, which took so many nanoseconds.
    pub fn call(&mut self, client: u32, server: u32, is_error: bool, nanos: u64) {
        if let Some(edge) = self.edge((client, server)) {
            edge.calls += 1;
            edge.errors += u64::from(is_error);
            edge.spread.add(nanos);
        }
    }

    fn edge(&mut self, key: (u32, u32)) -> Option<&mut Edge> {
        if self.edges.len() >= self.most && !self.edges.contains_key(&key) {
            self.is_cut = true;
            return None;
        }
        Some(self.edges.entry(key).or_default())
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: Self) {
        self.is_cut |= other.is_cut;
        let mut numbers = Vec::with_capacity(other.nodes.len());
        for node in other.nodes {
            let number = self.node(&node.name, node.kind);
            if let Some(number) = number {
                let mine = &mut self.nodes[number as usize];
                count(&mut mine.own, node.own.0, node.own.1);
                count(&mut mine.of_callers, node.of_callers.0, node.of_callers.1);
            }
            numbers.push(number);
        }
        for ((client, server), theirs) in other.edges {
            let key = numbers[client as usize].zip(numbers[server as usize]);
            if let Some(mine) = key.and_then(|key| self.edge(key)) {
                mine.calls += theirs.calls;
                mine.errors += theirs.errors;
                mine.spread.merge(theirs.spread);
            }
        }
    }

    /// The graph.
    pub fn graph(&self) -> ServiceGraph {
        let nodes: BTreeMap<&str, &Node> = self.nodes.iter().map(|node| (node.name.as_str(), node)).collect();
        let name = |number: u32| self.nodes[number as usize].name.as_str();
        let edges: BTreeMap<(&str, &str), &Edge> = self
            .edges
            .iter()
            .map(|((client, server), edge)| ((name(*client), name(*server)), edge))
            .collect();
        let node = |node: &Node| {
            let (spans, errors) = if node.kind == NodeKind::Service { node.own } else { node.of_callers };
            GraphNode { name: node.name.clone(), kind: node.kind, spans, errors }
        };
        let edge = |((client, server), edge): ((&str, &str), &Edge)| GraphEdge {
            client: client.to_owned(),
            server: server.to_owned(),
            calls: edge.calls,
            errors: edge.errors,
            p50: edge.spread.quantile(0.5),
            p95: edge.spread.quantile(0.95),
        };
        ServiceGraph {
            nodes: nodes.into_values().map(node).collect(),
            edges: edges.into_iter().map(edge).collect(),
            traces: 0,
            partial: None,
        }
    }
}

fn count(into: &mut (u64, u64), spans: u64, errors: u64) {
    into.0 += spans;
    into.1 += errors;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls of named nodes, each taking a microsecond.
    fn sums(most: usize, calls: &[(&str, &str, NodeKind)]) -> Sums {
        let mut sums = Sums::new(most);
        for (client, server, kind) in calls {
            let (client, server) = (sums.node(client, NodeKind::Service), sums.node(server, *kind));
            if let (Some(client), Some(server)) = (client, server) {
                sums.span(client, false);
                sums.span_of_caller(server, true);
                sums.call(client, server, true, 1000);
            }
        }
        sums
    }

    #[test]
    fn parts_are_the_whole_however_they_are_added() {
        let all = [
            ("a", "b", NodeKind::External),
            ("a", "db", NodeKind::Database),
            ("b", "db", NodeKind::Database),
            ("a", "b", NodeKind::External),
        ];
        let whole = sums(9, &all).graph();
        for cut in 0..=all.len() {
            let (left, right) = all.split_at(cut);
            for (first, second) in [(left, right), (right, left)] {
                let mut merged = sums(9, first);
                merged.merge(sums(9, second));
                assert_eq!(merged.graph(), whole);
                assert!(!merged.is_cut);
            }
        }
        let names: Vec<_> = whole.nodes.iter().map(|node| (&*node.name, node.kind, node.spans)).collect();
        // Whoever sends spans is a service, though others call it something else.
        let expected =
            [("a", NodeKind::Service, 3), ("b", NodeKind::Service, 1), ("db", NodeKind::Database, 2)];
        assert_eq!(names, expected);
        let calls: Vec<_> =
            whole.edges.iter().map(|edge| (&*edge.client, &*edge.server, edge.calls)).collect();
        assert_eq!(calls, [("a", "b", 2), ("a", "db", 1), ("b", "db", 1)]);
        assert_eq!((whole.edges[0].errors, whole.edges[0].p50.abs_diff(1000) <= 10), (2, true));
    }

    #[test]
    fn what_is_over_the_limit_is_left_out_and_said() {
        let calls = [("a", "b", NodeKind::Service), ("a", "c", NodeKind::Service)];
        let cut = sums(2, &calls);
        assert!(cut.is_cut);
        assert_eq!((cut.graph().nodes.len(), cut.graph().edges.len()), (2, 1));
        let mut merged = sums(2, &calls[..1]);
        merged.merge(sums(2, &calls[1..]));
        assert!(merged.is_cut);
        assert_eq!(merged.graph().edges.len(), 1);
        assert!(!sums(3, &calls).is_cut);
    }
}
