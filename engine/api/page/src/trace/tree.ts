// The tree of a trace: who is whose parent, and the order of rows. The rules are those of docs/TRACEQL.md, "The trace
// that is judged".

import type { Columns } from './columns';

const [SERVER, CLIENT] = [2, 3];

/** A trace in the order of rows: depth first, children in the order of spans. Column `i` is row `i`. */
export interface Tree extends Columns {
  /** The row of the parent; -1 for roots and orphans. */
  parent: Int32Array;
  depth: Uint16Array;
  /** The row behind the last one below this one. */
  end: Uint32Array;
  /** 1 where a parent is named that is not there. */
  orphan: Uint8Array;
  /** Nanoseconds in which no child was running. */
  self: Float64Array;
  /** When the last span ends, in nanoseconds after `baseNs`. */
  total: number;
}

/** Puts the spans into the order of rows. */
export function buildTree(columns: Columns): Tree {
  const order = spanOrder(columns);
  const parents = findParents(columns, order);
  breakCircles(parents, order);
  const { rows, depth, end } = depthFirst(parents, order);
  const rowOf = new Uint32Array(columns.count);
  rows.forEach((span, row) => (rowOf[span] = row));
  const parent = Int32Array.from(rows, (span) => (parents[span]! < 0 ? -1 : rowOf[parents[span]!]!));
  const sorted = permute(columns, rows);
  const orphan = new Uint8Array(columns.count);
  for (let row = 0; row < columns.count; row++) {
    const isNamed = sorted.parentId[2 * row] !== 0 || sorted.parentId[2 * row + 1] !== 0;
    orphan[row] = Number(parent[row]! < 0 && isNamed);
  }
  let total = 0;
  for (let row = 0; row < columns.count; row++) total = Math.max(total, sorted.start[row]! + sorted.duration[row]!);
  return { ...sorted, parent, depth, end, orphan, self: selfTimes(sorted, parent), total };
}

/** By start, then id, then kind. */
function spanOrder({ count, start, id, kind }: Columns): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  return order.sort(
    (a, b) =>
      start[a]! - start[b]! || id[2 * a]! - id[2 * b]! || id[2 * a + 1]! - id[2 * b + 1]! || kind[a]! - kind[b]!,
  );
}

/** Spans by their ids: a table of chains, each in the order of spans. */
class ById {
  private readonly mask: number;
  private readonly heads: Int32Array;
  private readonly next: Int32Array;

  constructor(
    private readonly id: Uint32Array,
    order: Uint32Array,
  ) {
    let size = 16;
    while (size < 2 * order.length) size *= 2;
    this.mask = size - 1;
    this.heads = new Int32Array(size).fill(-1);
    this.next = new Int32Array(order.length).fill(-1);
    for (let i = order.length - 1; i >= 0; i--) {
      const span = order[i]!;
      const slot = this.slot(id[2 * span]!, id[2 * span + 1]!);
      this.next[span] = this.heads[slot]!;
      this.heads[slot] = span;
    }
  }

  private slot(high: number, low: number): number {
    const mixed = Math.imul(high ^ Math.imul(low, 0x9e3779b1), 0x85ebca6b);
    return (mixed ^ (mixed >>> 15)) & this.mask;
  }

  /** The first span with this id for which `is` holds; -1 if there is none. */
  find(high: number, low: number, is: (span: number) => boolean): number {
    for (let span = this.heads[this.slot(high, low)]!; span >= 0; span = this.next[span]!) {
      if (this.id[2 * span] === high && this.id[2 * span + 1] === low && is(span)) return span;
    }
    return -1;
  }
}

function findParents({ count, id, parentId, kind }: Columns, order: Uint32Array): Int32Array {
  const byId = new ById(id, order);
  return Int32Array.from({ length: count }, (_, span) => {
    if (kind[span] === SERVER) {
      const isClient = (other: number) => other !== span && kind[other] === CLIENT;
      const shared = byId.find(id[2 * span]!, id[2 * span + 1]!, isClient);
      if (shared >= 0) return shared;
    }
    const [high, low] = [parentId[2 * span]!, parentId[2 * span + 1]!];
    if (high === 0 && low === 0) return -1;
    const server = byId.find(high, low, (other) => other !== span && kind[other] === SERVER);
    return server >= 0 ? server : byId.find(high, low, (other) => other !== span);
  });
}

/** Where parents form a circle, the first span of it in the order of spans has none. */
function breakCircles(parents: Int32Array, order: Uint32Array): void {
  const place = new Uint32Array(parents.length);
  order.forEach((span, at) => (place[span] = at));
  const seen = new Uint32Array(parents.length); // 0: not yet; else the walk that met it first
  order.forEach((first, walk) => {
    let span = first;
    while (span >= 0 && seen[span] === 0) {
      seen[span] = walk + 1;
      span = parents[span]!;
    }
    if (span < 0 || seen[span] !== walk + 1) return;
    // The walk met itself.
    let earliest = span;
    for (let other = parents[span]!; other !== span; other = parents[other]!) {
      if (place[other]! < place[earliest]!) earliest = other;
    }
    parents[earliest] = -1;
  });
}

function depthFirst(parents: Int32Array, order: Uint32Array) {
  const count = parents.length;
  const [firstChild, nextSibling] = [new Int32Array(count).fill(-1), new Int32Array(count).fill(-1)];
  const rows = new Uint32Array(count);
  const [depth, end] = [new Uint16Array(count), new Uint32Array(count)];
  const tops: number[] = [];
  for (let i = count - 1; i >= 0; i--) {
    const span = order[i]!;
    const parent = parents[span]!;
    if (parent < 0) tops.push(span);
    else {
      nextSibling[span] = firstChild[parent]!;
      firstChild[parent] = span;
    }
  }
  // `tops` is a stack whose last is the first span, so that children can be put on it.
  const [stack, levels] = [tops, tops.map(() => 0)];
  const open: number[] = [];
  for (let row = 0; row < count; row++) {
    const [span, level] = [stack.pop()!, levels.pop()!];
    while (open.length > 0 && depth[open.at(-1)!]! >= level) end[open.pop()!] = row;
    rows[row] = span;
    depth[row] = level;
    open.push(row);
    const from = stack.length;
    for (let child = firstChild[span]!; child >= 0; child = nextSibling[child]!) {
      stack.push(child);
      levels.push(Math.min(level + 1, 65535));
    }
    reverseFrom(stack, from);
  }
  for (const row of open) end[row] = count;
  return { rows, depth, end };
}

function reverseFrom(list: number[], from: number): void {
  for (let a = from, b = list.length - 1; a < b; a++, b--) [list[a], list[b]] = [list[b]!, list[a]!];
}

function permute(columns: Columns, rows: Uint32Array): Columns {
  const pick = <T extends Float64Array | Uint32Array | Uint16Array | Uint8Array>(from: T): T => {
    const to = from.slice() as T;
    rows.forEach((span, row) => (to[row] = from[span]!));
    return to;
  };
  const pairs = (from: Uint32Array) => {
    const to = new Uint32Array(from.length);
    rows.forEach((span, row) => to.set([from[2 * span]!, from[2 * span + 1]!], 2 * row));
    return to;
  };
  const c = columns;
  return {
    ...c,
    start: pick(c.start),
    duration: pick(c.duration),
    id: pairs(c.id),
    parentId: pairs(c.parentId),
    name: pick(c.name),
    service: pick(c.service),
    kind: pick(c.kind),
    status: pick(c.status),
    events: pick(c.events),
    from: pick(c.from),
    to: pick(c.to),
    resource: pick(c.resource),
    scope: pick(c.scope),
  };
}

/** What is left of each span when the time of its children is taken away, each moment once. */
function selfTimes({ start, duration }: Columns, parent: Int32Array): Float64Array {
  const covered = new Float64Array(start.length);
  const reach = start.slice(); // through when the children so far cover it
  // Children stand in the order of their starts, so one pass is enough.
  for (let row = 0; row < start.length; row++) {
    const above = parent[row]!;
    if (above < 0) continue;
    const from = Math.max(start[row]!, reach[above]!);
    const to = Math.min(start[row]! + duration[row]!, start[above]! + duration[above]!);
    if (to > from) {
      covered[above] = covered[above]! + to - from;
      reach[above] = to;
    }
  }
  return duration.map((all, row) => Math.max(0, all - covered[row]!));
}
