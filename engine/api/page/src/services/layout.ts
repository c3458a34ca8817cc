// Where the services of a map stand: callers left of those whom they call, in columns; the same graph has the same
// picture.
//
// Source: the steps of Sugiyama, Tagawa, Toda, "Methods for Visual Understanding of Hierarchical System Structures"
// (1981): edges that close a circle are turned, columns by longest paths, order within columns by barycentres.

export interface PlacedNode {
  name: string;
  x: number;
  y: number;
}

export interface Layout {
  nodes: Map<string, PlacedNode>;
  width: number;
  height: number;
}

export const [NODE_WIDTH, NODE_HEIGHT, GAP_X, GAP_Y, MARGIN] = [188, 44, 88, 26, 24];
const ROUNDS = 8;

export interface Call {
  client: string;
  server: string;
  calls?: number;
}

export function layout(names: readonly string[], edges: readonly Call[]): Layout {
  const flow = flows(edges);
  const sorted = [...names].sort((a, b) => (flow.get(a) ?? 0) - (flow.get(b) ?? 0) || compare(a, b));
  const known = new Set(sorted);
  const links = edges
    .filter(({ client, server }) => client !== server && known.has(client) && known.has(server))
    .map(({ client, server }) => [client, server] as [string, string])
    .sort((a, b) => compare(a[0], b[0]) || compare(a[1], b[1]));
  const forward = withoutCircles(sorted, links);
  const columns = toColumns(sorted, forward);
  order(columns, forward);
  return place(columns);
}

/** Calls that come in less those that go out: where all call each other, who calls most stands first. */
function flows(edges: readonly Call[]): Map<string, number> {
  const flow = new Map<string, number>();
  for (const { client, server, calls = 1 } of edges) {
    flow.set(client, (flow.get(client) ?? 0) - calls);
    flow.set(server, (flow.get(server) ?? 0) + calls);
  }
  return flow;
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function neighbours(links: readonly [string, string][], at: 0 | 1): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const link of links) {
    const list = found.get(link[at]);
    if (list) list.push(link[1 - at]!);
    else found.set(link[at], [link[1 - at]!]);
  }
  return found;
}

/** Turns the links that lead back to where a walk came from. Walks begin at those whom nobody calls. */
function withoutCircles(names: string[], links: [string, string][]): [string, string][] {
  const [callees, callers] = [neighbours(links, 0), neighbours(links, 1)];
  const starts = [...names.filter((name) => !callers.has(name)), ...names];
  const state = new Map<string, 'open' | 'done'>();
  const forward: [string, string][] = [];
  for (const start of starts) {
    if (state.has(start)) continue;
    const walk: { name: string; next: number }[] = [{ name: start, next: 0 }];
    state.set(start, 'open');
    while (walk.length > 0) {
      const here = walk.at(-1)!;
      const to = (callees.get(here.name) ?? [])[here.next++];
      if (to === undefined) {
        state.set(here.name, 'done');
        walk.pop();
      } else if (state.get(to) === 'open') forward.push([to, here.name]);
      else {
        forward.push([here.name, to]);
        if (!state.has(to)) {
          state.set(to, 'open');
          walk.push({ name: to, next: 0 });
        }
      }
    }
  }
  return forward;
}

/** Each name in the column behind the last of its callers. */
function toColumns(names: string[], links: [string, string][]): string[][] {
  const [callees, callers] = [neighbours(links, 0), neighbours(links, 1)];
  const waiting = new Map(names.map((name) => [name, callers.get(name)?.length ?? 0]));
  const column = new Map<string, number>();
  const ready = names.filter((name) => waiting.get(name) === 0);
  for (const name of ready) {
    const at = column.get(name) ?? 0;
    column.set(name, at);
    for (const to of callees.get(name) ?? []) {
      column.set(to, Math.max(column.get(to) ?? 0, at + 1));
      waiting.set(to, waiting.get(to)! - 1);
      if (waiting.get(to) === 0) ready.push(to);
    }
  }
  const columns: string[][] = [];
  for (const name of names) (columns[column.get(name) ?? 0] ??= []).push(name);
  return Array.from(columns, (list) => list ?? []);
}

/** Puts names near those that they are linked with, column by column, back and forth. */
function order(columns: string[][], links: [string, string][]): void {
  const around = new Map<string, string[]>();
  for (const [a, b] of links) {
    around.set(a, [...(around.get(a) ?? []), b]);
    around.set(b, [...(around.get(b) ?? []), a]);
  }
  const at = new Map<string, number>();
  const note = (list: string[]) => list.forEach((name, i) => at.set(name, (i + 0.5) / list.length));
  columns.forEach(note);
  for (let round = 0; round < ROUNDS; round++) {
    for (const list of round % 2 === 0 ? columns : [...columns].reverse()) {
      const wish = new Map(
        list.map((name) => {
          const others = around.get(name) ?? [];
          const sum = others.reduce((total, other) => total + at.get(other)!, 0);
          return [name, others.length === 0 ? at.get(name)! : sum / others.length];
        }),
      );
      list.sort((a, b) => wish.get(a)! - wish.get(b)! || compare(a, b));
      note(list);
    }
  }
}

function place(columns: string[][]): Layout {
  const most = Math.max(1, ...columns.map((list) => list.length));
  const height = 2 * MARGIN + most * NODE_HEIGHT + (most - 1) * GAP_Y;
  const nodes = new Map<string, PlacedNode>();
  columns.forEach((list, column) => {
    const tall = list.length * NODE_HEIGHT + (list.length - 1) * GAP_Y;
    const x = MARGIN + column * (NODE_WIDTH + GAP_X);
    list.forEach((name, i) => nodes.set(name, { name, x, y: (height - tall) / 2 + i * (NODE_HEIGHT + GAP_Y) }));
  });
  const width = 2 * MARGIN + columns.length * NODE_WIDTH + Math.max(0, columns.length - 1) * GAP_X;
  return { nodes, width, height };
}

/** The path of an edge between two places: a curve to the right, or around below everything where it leads back. */
export function edgePath(from: PlacedNode, to: PlacedNode, height: number): string {
  const [y1, y2] = [from.y + NODE_HEIGHT / 2, to.y + NODE_HEIGHT / 2];
  const [x1, x2] = [from.x + NODE_WIDTH, to.x - 6];
  if (to.x > from.x) {
    const bend = Math.max(30, (x2 - x1) / 2);
    return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
  }
  // Down and up in the gaps between columns, with round corners.
  const [right, left, low, r] = [x1 + 16, x2 - 10, height + 8, 8];
  return (
    `M${x1} ${y1}H${right - r}Q${right} ${y1} ${right} ${y1 + r}V${low - r}Q${right} ${low} ${right - r} ${low}` +
    `H${left + r}Q${left} ${low} ${left} ${low - r}V${y2 + r}Q${left} ${y2} ${left + r} ${y2}H${x2}`
  );
}
