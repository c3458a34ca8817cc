// Reading a trace: protobuf, what a span says, rows, windows of time, what is found.

import { describe, expect, test } from 'vitest';
import { idText, readTrace } from '../src/trace/columns';
import { readDetail } from '../src/trace/detail';
import { findRows } from '../src/trace/find';
import { ProtoError } from '../src/trace/proto';
import { carried, inSight, parentsFrom, placeOf, reveal, visibleRows } from '../src/trace/rows';
import { buildTree } from '../src/trace/tree';
import { readWindow, within, writeWindow } from '../src/trace/window';
import { BASE, type MadeSpan, message, pair, string, trace } from './made';

describe('columns', () => {
  const bytes = trace({
    a: [{ id: 1, name: 'root', kind: 2, start: 1000, end: 5000, status: 2 }],
    b: [
      { id: 2, parent: 1, name: 'child', start: 1001, end: 900 },
      { id: 0xfedcba98, parent: 1, name: 'root', start: 0, end: 10 },
    ],
  });

  test('spans are read with names and services once', () => {
    const columns = readTrace(bytes);
    expect(columns.count).toBe(3);
    expect(columns.baseNs).toBe(BASE);
    expect([...columns.start]).toEqual([1000, 1001, 0]);
    expect([...columns.duration]).toEqual([4000, 0, 10]); // what ends before it starts has none
    expect(Array.from(columns.name, (at) => columns.names[at])).toEqual(['root', 'child', 'root']);
    expect(columns.names).toHaveLength(2);
    expect(Array.from(columns.service, (at) => columns.services[at])).toEqual(['a', 'b', 'b']);
    expect([...columns.kind]).toEqual([2, 1, 1]);
    expect([...columns.status]).toEqual([2, 0, 0]);
    expect(idText(columns.id, 2)).toBe('00000000fedcba98');
    expect(idText(columns.parentId, 1)).toBe('0000000000000001');
    expect(columns.partial).toBeNull();
  });

  test('an answer that lacks something says so', () => {
    const said = trace({ a: [{ id: 1 }] }, [3, 'varint', 1], [4, 'text', 'node b is silent']);
    expect(readTrace(said).partial).toBe('node b is silent');
    expect(readTrace(new Uint8Array()).count).toBe(0);
  });

  test('bytes that are cut or changed are refused or read, and nothing else', () => {
    for (let end = 0; end < bytes.length; end++) {
      try {
        readTrace(bytes.subarray(0, end));
      } catch (problem) {
        expect(problem).toBeInstanceOf(ProtoError);
      }
    }
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice();
      changed[at] = changed[at]! ^ 0xff;
      try {
        const columns = readTrace(changed);
        const made = buildTree(columns);
        expect(made.count).toBeLessThan(10);
        for (let row = 0; row < made.count; row++) readDetail(changed, made, row);
      } catch (problem) {
        expect(problem).toBeInstanceOf(ProtoError);
      }
    }
  });

  test('unknown fields are passed over', () => {
    const more = trace(
      {
        a: [
          {
            id: 1,
            more: [
              [99, 'text', 'x'],
              [98, 'varint', 7],
              [97, 'fixed64', 1n],
            ],
          },
        ],
      },
      [50, 'text', 'y'],
    );
    expect(readTrace(more).count).toBe(1);
  });
});

describe('detail', () => {
  const list = message([1, 'bytes', string('a')], [1, 'bytes', message([3, 'varint', -1])]);
  const map = message([1, 'bytes', pair('k', message([2, 'varint', 1]))]);
  const values: [string, number[]][] = [
    ['string', string('<b>')],
    ['int', message([3, 'varint', -5])],
    ['true', message([2, 'varint', 1])],
    ['float', message([4, 'double', 0.5])],
    ['bytes', message([7, 'bytes', [1, 255]])],
    ['list', message([5, 'bytes', list])],
    ['map', message([6, 'bytes', map])],
    ['none', []],
  ];
  const event = message([1, 'fixed64', BASE + 7n], [2, 'text', 'e'], [3, 'bytes', pair('x', string('y'))]);
  const link = message([1, 'bytes', Array(16).fill(0xab)], [2, 'bytes', Array(8).fill(0xcd)]);
  const bytes = trace({
    s: [
      {
        id: 1,
        status: 2,
        more: [
          ...values.map(([key, value]): [number, 'bytes', number[]] => [9, 'bytes', pair(key, value)]),
          [11, 'bytes', event],
          [13, 'bytes', link],
          [3, 'text', 'a=b'],
          [10, 'varint', 2],
        ],
      },
    ],
  });

  test('everything that a span says', () => {
    const columns = readTrace(bytes);
    const detail = readDetail(bytes, columns, 0);
    expect(detail.attributes.map(({ key, value }) => [key, value.type, value.text])).toEqual([
      ['string', 'string', '<b>'],
      ['int', 'int', '-5'],
      ['true', 'bool', 'true'],
      ['float', 'float', '0.5'],
      ['bytes', 'bytes', '01ff'],
      ['list', 'list', '["a", -1]'],
      ['map', 'map', '{"k": true}'],
      ['none', 'none', ''],
    ]);
    expect(detail.events).toEqual([
      { at: 7, name: 'e', attributes: [{ key: 'x', value: { type: 'string', text: 'y' } }] },
    ]);
    expect(detail.links[0]).toMatchObject({ traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8) });
    expect(detail.traceState).toBe('a=b');
    expect(detail.dropped).toEqual([2, 0, 0]);
    expect(detail.scope).toMatchObject({ name: 'made', version: '2' });
    expect(detail.resource.map(({ key }) => key)).toEqual(['service.name', 'host']);
    expect(columns.events[0]).toBe(1);
  });

  test('values that are nested without end do not end the page', () => {
    let deep = string('x');
    for (let i = 0; i < 300; i++) deep = message([5, 'bytes', message([1, 'bytes', deep])]);
    const nested = trace({ s: [{ id: 1, more: [[9, 'bytes', pair('deep', deep)]] }] });
    expect(readDetail(nested, readTrace(nested), 0).attributes[0]!.value.text).toContain('…');
  });
});

test('rows that are collapsed, revealed, in sight', () => {
  const [end, depth] = [Uint32Array.of(6, 4, 3, 4, 6, 6), Uint16Array.of(0, 1, 2, 2, 1, 2)];
  const parent = Int32Array.of(-1, 0, 1, 1, 0, 4);
  expect([...visibleRows(end, new Set())]).toEqual([0, 1, 2, 3, 4, 5]);
  expect([...visibleRows(end, new Set([1]))]).toEqual([0, 1, 4, 5]);
  expect([...visibleRows(end, new Set([0, 1]))]).toEqual([0]);
  expect([...parentsFrom(depth, end, 1)]).toEqual([1, 4]);
  expect([...reveal(new Set([0, 1, 4]), parent, 2)]).toEqual([4]);
  expect([0, 1, 2, 4, 9].map((row) => placeOf(Uint32Array.of(0, 1, 4, 5), row))).toEqual([0, 1, 2, 2, 4]);
  expect(inSight(240, 100, 24, 1000, 2)).toEqual([8, 17]);
  expect(inSight(0, 100, 24, 3, 5)).toEqual([0, 3]);
  const before = { id: Uint32Array.of(0, 1, 0, 2, 0, 3) };
  expect([
    ...carried(new Set([1]), before, { id: Uint32Array.of(0, 1, 0, 9, 0, 2, 0, 3), end: Uint32Array.of(4, 2, 4, 4) }),
  ]).toEqual([2]);
});

test('windows of time', () => {
  expect(readWindow(undefined, 100)).toEqual({ from: 0, to: 100 });
  expect(readWindow('20-50', 100)).toEqual({ from: 20, to: 50 });
  expect(readWindow('50-20', 100)).toEqual({ from: 0, to: 100 });
  expect(readWindow('20-500', 100)).toEqual({ from: 20, to: 100 });
  expect(writeWindow({ from: 50.4, to: 20 }, 100)).toBe('20-50');
  expect(writeWindow({ from: -5, to: 200 }, 100)).toBeUndefined();
  expect(within(10, 30, { from: 20, to: 40 })).toEqual({ left: 0, width: 0.5 });
  expect(within(50, 60, { from: 20, to: 40 })).toBeNull();
});

test('spans are found by text, id and attribute', () => {
  const attribute = (key: string, value: number[]): MadeSpan['more'] => [[9, 'bytes', pair(key, value)]];
  const bytes = trace({
    shop: [
      { id: 1, name: 'POST /Cart' },
      { id: 2, name: 'x', more: attribute('http.Status', message([3, 'varint', 504])) },
    ],
    pay: [{ id: 0xabc, name: 'y', more: attribute('user', string('Änne')) }],
  });
  const columns = readTrace(bytes);
  const check = (text: string, rows: number[]) => expect([...findRows(bytes, columns, text)], text).toEqual(rows);
  check('cart', [0]);
  check('CART', [0]);
  check('shop', [0, 1]);
  check('http.status', [1]);
  check('http.status=504', [1]);
  check('http.status = 5', [1]);
  check('http.status=4', []);
  check('user=änne', [2]);
  check('0000000000000abc', [2]);
  check('host=pay-1', [2]);
  check('  ', []);
});
