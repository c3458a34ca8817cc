// Spans put together: by operation for statistics, by their path from the root for structure, flame graph and
// comparison.

import type { Tree } from './tree';

export interface Statistic {
  service: string;
  name: string;
  count: number;
  errors: number;
  /** Nanoseconds, as all below. */
  total: number;
  self: number;
  p50: number;
  p95: number;
  max: number;
}

export type GroupBy = 'operation' | 'service';

/** One row for each service, or each operation of each service. */
export function statistics(tree: Tree, by: GroupBy): Statistic[] {
  const groups = new Map<number, number[]>();
  for (let row = 0; row < tree.count; row++) {
    const key = tree.service[row]! * 2 ** 26 + (by === 'operation' ? tree.name[row]! : 0);
    const rows = groups.get(key);
    if (rows) rows.push(row);
    else groups.set(key, [row]);
  }
  return [...groups.values()].map((rows) => {
    const durations = Float64Array.from(rows, (row) => tree.duration[row]!).sort();
    return {
      service: tree.services[tree.service[rows[0]!]!] ?? '',
      name: by === 'operation' ? (tree.names[tree.name[rows[0]!]!] ?? '') : '',
      count: rows.length,
      errors: rows.filter((row) => tree.status[row] === 2).length,
      total: durations.reduce((sum, one) => sum + one, 0),
      self: rows.reduce((sum, row) => sum + tree.self[row]!, 0),
      p50: quantile(durations, 0.5),
      p95: quantile(durations, 0.95),
      max: durations.at(-1) ?? 0,
    };
  });
}

/** The value at the rank ceil(q n) of sorted values, at least the first. */
export function quantile(sorted: Float64Array, q: number): number {
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0;
}

/** What some traces have at one path: sums of each trace. */
export interface PathNode {
  service: string;
  name: string;
  /** Its place in the list; parents come before children. */
  at: number;
  parent: number;
  depth: number;
  children: number[];
  count: number[];
  errors: number[];
  total: number[];
  self: number[];
  /** The self times of this node and all below. */
  weight: number[];
}

/** Puts spans with the same path of services and operations together, each trace with sums of its own. */
export function byPath(trees: readonly Tree[]): PathNode[] {
  const nodes: PathNode[] = [];
  const known = new Map<string, number>();
  trees.forEach((tree, which) => {
    const nodeOf = new Int32Array(tree.count);
    // Numbers of this trace's texts, by which most spans find their node without making a text of their own.
    const here = new Map<number, number>();
    for (let row = 0; row < tree.count; row++) {
      const above = tree.parent[row]! < 0 ? -1 : nodeOf[tree.parent[row]!]!;
      const number = ((above + 1) * tree.services.length + tree.service[row]!) * tree.names.length + tree.name[row]!;
      let at = Number.isSafeInteger(number) ? here.get(number) : undefined;
      if (at === undefined) {
        const service = tree.services[tree.service[row]!] ?? '';
        const name = tree.names[tree.name[row]!] ?? '';
        const key = JSON.stringify([above, service, name]);
        at = known.get(key) ?? addNode(nodes, { service, name, above, traces: trees.length });
        known.set(key, at);
        here.set(number, at);
      }
      nodeOf[row] = at;
      const node = nodes[at]!;
      node.count[which]!++;
      node.errors[which]! += Number(tree.status[row] === 2);
      node.total[which]! += tree.duration[row]!;
      node.self[which]! += tree.self[row]!;
    }
  });
  for (let at = nodes.length - 1; at >= 0; at--) {
    const node = nodes[at]!;
    node.self.forEach((self, which) => (node.weight[which]! += self));
    if (node.parent >= 0) node.weight.forEach((weight, which) => (nodes[node.parent]!.weight[which]! += weight));
  }
  return nodes;
}

type NewNode = { service: string; name: string; above: number; traces: number };

function addNode(nodes: PathNode[], { service, name, above, traces }: NewNode): number {
  const zeros = () => Array.from({ length: traces }, () => 0);
  const depth = above < 0 ? 0 : nodes[above]!.depth + 1;
  const at = nodes.length;
  nodes.push({
    service,
    name,
    at,
    parent: above,
    depth,
    children: [],
    count: zeros(),
    errors: zeros(),
    total: zeros(),
    self: zeros(),
    weight: zeros(),
  });
  if (above >= 0) nodes[above]!.children.push(at);
  return at;
}

/** Nodes depth first, of siblings the heaviest first; those below a collapsed one are left out. */
export function inOrder(nodes: readonly PathNode[], collapsed: ReadonlySet<number>): PathNode[] {
  const weight = (at: number) => Math.max(...nodes[at]!.weight);
  const sorted = (list: number[]) => [...list].sort((a, b) => weight(b) - weight(a) || a - b);
  const left = sorted(nodes.filter((node) => node.parent < 0).map((node) => node.at)).reverse();
  const found: PathNode[] = [];
  while (left.length > 0) {
    const node = nodes[left.pop()!]!;
    found.push(node);
    if (!collapsed.has(node.at)) left.push(...sorted(node.children).reverse());
  }
  return found;
}

export interface Flame {
  node: PathNode;
  depth: number;
  /** Shares of the whole width. */
  left: number;
  width: number;
}

/** A flame graph of one trace: widths are self times with all below, so that children never exceed their parent. */
export function flames(nodes: readonly PathNode[], focus: number, least: number): Flame[] {
  const found: Flame[] = [];
  const above: number[] = [];
  for (let at = nodes[focus]?.parent ?? -1; at >= 0; at = nodes[at]!.parent) above.unshift(at);
  above.forEach((at, depth) => found.push({ node: nodes[at]!, depth, left: 0, width: 1 }));
  const tops = nodes[focus] ? [focus] : nodes.filter((node) => node.parent < 0).map((node) => node.at);
  const whole = tops.reduce((sum, at) => sum + nodes[at]!.weight[0]!, 0) || 1;
  const left: [number[], number, number][] = [[tops, above.length, 0]];
  while (left.length > 0) {
    const [list, depth, from] = left.pop()!;
    let at = from;
    for (const one of [...list].sort((a, b) => nodes[b]!.weight[0]! - nodes[a]!.weight[0]! || a - b)) {
      const node = nodes[one]!;
      const width = node.weight[0]! / whole;
      if (width >= least) {
        found.push({ node, depth, left: at, width });
        left.push([node.children, depth + 1, at]);
      }
      at += width;
    }
  }
  return found;
}
