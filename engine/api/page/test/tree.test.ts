// The tree of a trace and its critical path.

import { describe, expect, test } from 'vitest';
import { idText, readTrace } from '../src/trace/columns';
import { criticalPath, firstStretch } from '../src/trace/critical';
import { buildTree } from '../src/trace/tree';
import { type MadeSpan, trace } from './made';

const tree = (spans: MadeSpan[]) => buildTree(readTrace(trace({ s: spans })));
const ids = (list: Iterable<number>, from: Uint32Array) => Array.from(list, (row) => parseInt(idText(from, row), 16));

describe('tree', () => {
  test('rows are depth first, children by start', () => {
    const made = tree([
      { id: 4, parent: 2, start: 30, end: 35 },
      { id: 3, parent: 1, start: 50, end: 60 },
      { id: 2, parent: 1, start: 10, end: 40 },
      { id: 1, start: 0, end: 100 },
      { id: 5, parent: 2, start: 20, end: 25 },
    ]);
    expect(ids([0, 1, 2, 3, 4], made.id)).toEqual([1, 2, 5, 4, 3]);
    expect([...made.depth]).toEqual([0, 1, 2, 2, 1]);
    expect([...made.end]).toEqual([5, 4, 3, 4, 5]);
    expect([...made.parent]).toEqual([-1, 0, 1, 1, 0]);
    expect(made.total).toBe(100);
    expect([...made.self]).toEqual([60, 20, 5, 5, 10]);
  });

  test('orphans and circles are tops, each span once', () => {
    const made = tree([
      { id: 1, start: 0, end: 9 },
      { id: 2, parent: 77, start: 1, end: 2 },
      { id: 3, parent: 4, start: 3, end: 4 },
      { id: 4, parent: 3, start: 2, end: 5 },
      { id: 5, parent: 5, start: 4, end: 5 },
      { id: 6, parent: 3, start: 5, end: 6 },
    ]);
    expect(ids([0, 1, 2, 3, 4, 5], made.id)).toEqual([1, 2, 4, 3, 6, 5]);
    expect([...made.orphan]).toEqual([0, 1, 1, 0, 0, 1]);
    expect([...made.depth]).toEqual([0, 0, 0, 1, 2, 0]);
  });

  test('spans that share an id: the server is below the client, others below the server', () => {
    const made = tree([
      { id: 1, kind: 3, start: 0, end: 10, name: 'client' },
      { id: 1, kind: 2, start: 1, end: 9, name: 'server' },
      { id: 2, parent: 1, start: 2, end: 3, name: 'inner' },
    ]);
    expect(Array.from(made.name, (at) => made.names[at])).toEqual(['client', 'server', 'inner']);
    expect([...made.depth]).toEqual([0, 1, 2]);
  });

  test('a deep trace needs no deep stack', () => {
    const count = 20_000;
    const numbers = (of: (span: number) => number) => Float64Array.from({ length: count }, (_, span) => of(span));
    const ids = (of: (span: number) => number) =>
      Uint32Array.from({ length: 2 * count }, (_, at) => (at % 2 === 0 ? 0 : of(at >> 1)));
    const columns = readTrace(trace({ s: [{ id: 1 }] }));
    const made = buildTree({
      ...columns,
      count,
      id: ids((span) => span + 1),
      parentId: ids((span) => span),
      start: numbers((span) => span),
      duration: numbers((span) => 2 * (count - span)),
      kind: new Uint8Array(count),
      status: new Uint8Array(count),
      events: new Uint16Array(count),
      name: new Uint32Array(count),
      service: new Uint32Array(count),
      from: new Uint32Array(count),
      to: new Uint32Array(count),
      resource: new Uint32Array(count),
      scope: new Uint32Array(count),
    });
    expect(made.depth[count - 1]).toBe(count - 1);
    expect(criticalPath(made).row).toHaveLength(2 * count - 1);
  });
});

describe('critical path', () => {
  const stretches = (spans: MadeSpan[]) => {
    const made = tree(spans);
    const path = criticalPath(made);
    return Array.from(path.row, (row, at) => [...ids([row], made.id), path.from[at], path.to[at]]);
  };

  test('what ran last before each moment was waited for', () => {
    expect(stretches([{ id: 1, start: 0, end: 100 }])).toEqual([[1, 0, 100]]);
    expect(
      stretches([
        { id: 1, start: 0, end: 100 },
        { id: 2, parent: 1, start: 10, end: 60 },
        { id: 3, parent: 1, start: 20, end: 80 },
        { id: 4, parent: 3, start: 30, end: 50 },
      ]),
    ).toEqual([
      [1, 0, 10],
      [1, 80, 100],
      [2, 10, 20],
      [3, 20, 30],
      [3, 50, 80],
      [4, 30, 50],
    ]);
  });

  test('children that outlive their parent, or began before it, are cut', () => {
    expect(
      stretches([
        { id: 1, start: 10, end: 50 },
        { id: 2, parent: 1, start: 30, end: 90 },
      ]),
    ).toEqual([
      [1, 0, 20],
      [2, 20, 40],
    ]);
    expect(
      stretches([
        { id: 1, start: 10, end: 50 },
        { id: 2, parent: 1, start: 0, end: 20 },
      ]),
    ).toEqual([
      [1, 20, 50],
      [2, 10, 20],
    ]);
  });

  test('its stretches add up to the whole, without overlap', () => {
    let seed = 7;
    const random = (n: number) => (seed = (seed * 48271) % 2147483647) % n;
    for (let round = 0; round < 50; round++) {
      const spans: MadeSpan[] = [{ id: 1, start: 500, end: 1500 }];
      for (let id = 2; id < 40; id++) {
        const start = random(1900);
        spans.push({ id, parent: 1 + random(id - 1), start, end: start + random(800) });
      }
      const made = tree(spans);
      const root = ids(Array(made.count).keys(), made.id).indexOf(1);
      const path = criticalPath(made, root);
      const list = Array.from(path.from, (from, at) => [from, path.to[at]!] as const).sort((a, b) => a[0] - b[0]);
      let at = made.start[root]!;
      for (const [from, to] of list) {
        expect(from).toBe(at);
        at = to;
      }
      expect(at).toBe(made.start[root]! + made.duration[root]!);
    }
  });

  test('stretches of a row are found', () => {
    const path = { row: Uint32Array.of(1, 1, 4), from: new Float64Array(3), to: new Float64Array(3) };
    expect([0, 1, 2, 4, 5].map((row) => firstStretch(path, row))).toEqual([0, 0, 2, 2, 3]);
  });
});
