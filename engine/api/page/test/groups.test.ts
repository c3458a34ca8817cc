// Spans put together, flames, the map's layout, metrics, and what the engine says.

import { describe, expect, test } from 'vitest';
import { histogram, readMetrics, sum } from '../src/engine/prometheus';
import { readSections } from '../src/engine/sections';
import { logTicks, niceTicks, tickLabel, timeTicks } from '../src/plot/axis';
import { edgePath, layout, NODE_WIDTH } from '../src/services/layout';
import { collect, filterOf, typical } from '../src/services/red';
import { readTrace } from '../src/trace/columns';
import { byPath, flames, inOrder, quantile, statistics } from '../src/trace/groups';
import { buildTree } from '../src/trace/tree';
import { trace } from './made';

const slow = buildTree(
  readTrace(
    trace({
      shop: [{ id: 1, name: 'order', start: 0, end: 100 }],
      cart: [
        { id: 2, parent: 1, name: 'get', start: 10, end: 30, status: 2 },
        { id: 3, parent: 1, name: 'get', start: 40, end: 80 },
        { id: 4, parent: 3, name: 'sql', start: 50, end: 60 },
      ],
    }),
  ),
);
const fast = buildTree(
  readTrace(
    trace({
      mail: [{ id: 9, parent: 1, name: 'send', start: 20, end: 30 }],
      shop: [{ id: 1, name: 'order', start: 0, end: 50 }],
    }),
  ),
);

describe('groups', () => {
  test('statistics by operation and by service', () => {
    const by = Object.fromEntries(statistics(slow, 'operation').map((row) => [row.name, row]));
    expect(by.get).toMatchObject({
      service: 'cart',
      count: 2,
      errors: 1,
      total: 60,
      self: 50,
      p50: 20,
      p95: 40,
      max: 40,
    });
    expect(statistics(slow, 'service').map(({ service, count, self }) => [service, count, self])).toEqual([
      ['shop', 1, 40],
      ['cart', 3, 60],
    ]);
    expect(quantile(Float64Array.of(), 0.5)).toBe(0);
  });

  test('paths of two traces are put together', () => {
    const nodes = byPath([slow, fast]);
    const rows = inOrder(nodes, new Set()).map((node) => [
      node.depth,
      node.service,
      node.name,
      ...node.count,
      ...node.total,
    ]);
    expect(rows).toEqual([
      [0, 'shop', 'order', 1, 1, 100, 50],
      [1, 'cart', 'get', 2, 0, 60, 0],
      [2, 'cart', 'sql', 1, 0, 10, 0],
      [1, 'mail', 'send', 0, 1, 0, 10],
    ]);
    expect(nodes[0]!.weight).toEqual([100, 50]);
    expect(inOrder(nodes, new Set([0]))).toHaveLength(1);
  });

  test('flames never exceed their parents', () => {
    const nodes = byPath([slow]);
    const parts = flames(nodes, -1, 0).map(({ node, depth, left, width }) => [node.name, depth, left, width]);
    expect(parts).toEqual([
      ['order', 0, 0, 1],
      ['get', 1, 0, 0.6],
      ['sql', 2, 0, 0.1],
    ]);
    const get = nodes.find((node) => node.name === 'get')!.at;
    expect(flames(nodes, get, 0).map(({ node, width }) => [node.name, width])).toEqual([
      ['order', 1],
      ['get', 1],
      ['sql', 10 / 60],
    ]);
    expect(flames(nodes, -1, 0.2)).toHaveLength(2);
  });
});

describe('layout', () => {
  const edges = [
    ['a', 'b'],
    ['b', 'c'],
    ['c', 'a'],
    ['a', 'd'],
    ['d', 'd'],
    ['a', 'unknown'],
  ].map(([client, server]) => ({ client: client!, server: server! }));

  test('callers stand left of the called, circles are no trouble, order of input is none', () => {
    const one = layout(['a', 'b', 'c', 'd'], edges);
    const x = (name: string) => one.nodes.get(name)!.x;
    expect(x('a')).toBeLessThan(x('b'));
    expect(x('b')).toBeLessThan(x('c'));
    expect(x('d')).toBe(x('b'));
    expect(layout(['d', 'c', 'b', 'a'], [...edges].reverse())).toEqual(one);
  });

  test('no two stand on one another', () => {
    const names = Array.from({ length: 30 }, (_, i) => `s${i}`);
    const many = names.flatMap((client, i) => [2, 5, 11].map((by) => ({ client, server: `s${(i * by + 1) % 30}` })));
    const places = [...layout(names, many).nodes.values()];
    expect(new Set(places.map(({ x, y }) => `${x} ${y}`)).size).toBe(30);
  });

  test('edges lead right, or around', () => {
    const [left, right] = [
      { name: 'l', x: 0, y: 0 },
      { name: 'r', x: 2 * NODE_WIDTH, y: 50 },
    ];
    expect(edgePath(left, right, 100)).toMatch(/^M\d+ \d+C/);
    expect(edgePath(right, left, 100)).toContain('V100');
    expect(layout([], []).nodes.size).toBe(0);
  });
});

test('series of a name are put together', () => {
  const label = 'resource.service.name';
  const series = (name: string, values: number[], more = {}) => ({
    labels: { [label]: name, ...more },
    times: values.map((_, i) => i),
    values,
  });
  const rows = collect(
    label,
    [series('a', [1, 1]), series('b', [2, 4])],
    [series('b', [0, 3])],
    [series('a', [0.5, NaN], { p: '0.95' })],
  );
  expect(rows.map(({ name, meanRate, errorShare }) => [name, meanRate, errorShare])).toEqual([
    ['b', 3, 0.5],
    ['a', 1, 0],
  ]);
  expect(typical(rows[1]!, 0.95)).toBe(5e8);
  expect(typical(rows[0]!, 0.95)).toBeNaN();
  expect(filterOf('all', '')).toBe('{ }');
  expect(filterOf('entry', 'a"b', 'status = error')).toBe(
    '{ (kind = server || kind = consumer) && resource.service.name = "a\\"b" && status = error }',
  );
});

test('metrics and status are read', () => {
  const text =
    '# HELP x\nx_bucket{le="0.1",p="a}"} 1\nx_bucket{le="0.2"} 3\nx_bucket{le="+Inf"} 4\nx_sum 0.8\nx_count 4\ny{a="q\\"\\n"} 5\ny 2e1\nbroken\n';
  const samples = readMetrics(text);
  expect(sum(samples, 'y')).toBe(25);
  expect(sum(samples, 'z')).toBeNull();
  expect(samples.find((one) => one.name === 'y')!.labels).toEqual({ a: 'q"\n' });
  const found = histogram(samples, 'x')!;
  expect([found.count, found.mean]).toEqual([4, 0.2]);
  expect(found.p50).toBeCloseTo(0.15);
  expect(found.p99).toBe(0.2);
  expect(histogram(samples, 'y')).toBeNull();
  expect(readSections('live\n  traces      4\n  a long name  b  c\n\nkept\n')).toEqual([
    {
      title: 'live',
      rows: [
        ['traces', '4'],
        ['a long name', 'b  c'],
      ],
    },
    { title: 'kept', rows: [] },
  ]);
});

test('ticks', () => {
  expect(niceTicks(0, 100, 6)).toEqual([0, 20, 40, 60, 80, 100]);
  expect(niceTicks(3, 3, 6)).toEqual([]);
  expect(logTicks(0.1, 1000, 3)).toEqual([0.1, 10, 1000]);
  expect(timeTicks(0, 60_000, 4, 0)).toEqual([0, 15_000, 30_000, 45_000, 60_000]);
  expect(tickLabel('2026-01-02 03:04:05.678', 3600e3)).toBe('03:04');
});
