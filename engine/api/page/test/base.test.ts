// Times, durations, addresses, links, colours, numbers.

import { describe, expect, test } from 'vitest';
import { hash, serviceColor } from '../src/base/color';
import { fillTemplate, href, readParams, readTraceId, safeLink } from '../src/base/link';
import { plural, showBytes, showCount, showPercent, showRate } from '../src/base/number';
import {
  parseDuration,
  parseRange,
  parseTime,
  showAgo,
  showClock,
  showDay,
  showDuration,
  showTime,
} from '../src/base/time';

describe('time', () => {
  test.each([
    ['1h30m', 5400e9],
    ['100ms', 1e8],
    ['1.5s', 1.5e9],
    ['7d', 604800e9],
    ['3µs', 3000],
    ['', null],
    ['5', null],
    ['5x', null],
    ['1s!', null],
    ['-1s', null],
  ])('duration %s', (text, ns) => expect(parseDuration(text)).toBe(ns));

  const now = Date.UTC(2026, 0, 2, 3, 4, 5);
  test.each([
    ['now', now],
    ['now-15m', now - 900e3],
    ['now-x', null],
    ['1700000000', 1.7e12],
    ['1700000000123', 1700000000123],
    ['1700000000000000000', 1.7e12],
    ['2026-01-02T03:04:05Z', now],
    ['2026-01-02 03:04:05+00:00', now],
    ['2026-01-02T05:04:05+02:00', now],
    ['2026-13-01T00:00:00Z', null],
    ['tomorrow', null],
    ['', null],
  ])('point %s', (text, ms) => expect(parseTime(text, now)).toBe(ms));

  test('a date without a zone is local', () => {
    expect(parseTime('2026-01-02 03:04', now)).toBe(new Date(2026, 0, 2, 3, 4).getTime());
    expect(parseTime('2026-01-02', now)).toBe(new Date(2026, 0, 2).getTime());
  });

  test('ranges', () => {
    expect(parseRange('now-1h', 'now', now)).toEqual({ from: now - 3600e3, to: now });
    expect(parseRange('now', 'now-1h', now)).toContain('ends before it begins');
    expect(parseRange('x', 'now', now)).toContain('begins at "x"');
    expect(parseRange('now-1h', 'y', now)).toContain('ends at "y"');
  });

  test.each([
    [0, '0 ns'],
    [999, '999 ns'],
    [1500, '1.5 µs'],
    [123456, '123 µs'],
    [1e6, '1 ms'],
    [15.34e9, '15.3 s'],
    [150e9, '2 min 30 s'],
    [7200e9, '2 h'],
    [NaN, ''],
  ])('%d ns is shown', (ns, text) => expect(showDuration(ns)).toBe(text));

  test('times are shown in UTC and in the local zone', () => {
    expect(showTime(now + 78, 'utc')).toBe('2026-01-02 03:04:05.078');
    const local = new Date(now);
    expect(showClock(now, 'local').slice(0, 2)).toBe(String(local.getHours()).padStart(2, '0'));
    expect(showDay(now, 'local').slice(8)).toBe(String(local.getDate()).padStart(2, '0'));
    expect(showTime(NaN, 'utc')).toBe(' ');
  });

  test.each([
    [5e3, '5 s ago'],
    [300e3, '5 min ago'],
    [4 * 3600e3, '4 h ago'],
    [5 * 86400e3, '5 d ago'],
    [-5e3, '0 s ago'],
  ])('%d ms ago', (ms, text) => expect(showAgo(now - ms, now)).toBe(text));
});

describe('addresses', () => {
  test('what is written is read', () => {
    const params = { view: 'trace', id: 'ab', q: '{ .a = "x&y=z #1" }', empty: '' };
    expect(href({})).toBe('./');
    expect(readParams(href(params).slice(2))).toEqual({ view: 'trace', id: 'ab', q: params.q });
    expect(readParams('?a=1&a=2&__proto__=x')).toHaveProperty('a', '1');
  });

  test('ids of traces are digits and nothing else', () => {
    expect(readTraceId(' AB12 ')).toBe('ab12'.padStart(32, '0'));
    for (const wrong of ['', '..', '../../shutdown', 'x1', '1'.repeat(33), '1?a', '1 2'])
      expect(readTraceId(wrong)).toBeNull();
  });

  test.each([
    ['https://example.org/a?b=c', 'https://example.org/a?b=c'],
    ['HTTP://example.org', 'http://example.org/'],
    ['javascript:alert(1)', null],
    [' https://example.org', null],
    ['data:text/html,x', null],
    ['//example.org', null],
    ['https://', null],
    ['java\nscript:alert(1)', null],
  ])('link %j', (text, expected) => expect(safeLink(text)).toBe(expected));

  test.each([
    ['https://logs.example/?q=${traceId}&s=${service}', 'https://logs.example/?q=ab&s=a%2Fb%26c%3D%22'],
    ['https://logs.example/${service}', 'https://logs.example/a%2Fb%26c%3D%22'],
    ['https://${service}/x', null],
    ['javascript:${traceId}', null],
    ['https://logs.example/${other}', null],
    ['${traceId}', null],
    ['', null],
    ['https://logs.example/${constructor}', null],
  ])('template %s', (template, expected) =>
    expect(fillTemplate(template, { traceId: 'ab', service: 'a/b&c="' })).toBe(expected),
  );
});

test('a service has one colour, and services differ', () => {
  expect(serviceColor('cart')).toBe(serviceColor('cart'));
  expect(hash('cart')).toBe(hash('cart'));
  const names = Array.from({ length: 40 }, (_, i) => `service-${i}`);
  expect(new Set(names.map(serviceColor)).size).toBeGreaterThan(20);
});

test('numbers', () => {
  expect([0, 7, 0.25, 1234, 12345, 123456, 4.5e6, 2e9].map(showCount)).toEqual([
    '0',
    '7',
    '0.25',
    '1,234',
    '12.3k',
    '123k',
    '4.5M',
    '2.0G',
  ]);
  expect([0, 0.001, 0.5, 2500].map(showRate)).toEqual(['0', '0.001', '0.5', '2,500']);
  expect([0, 0.0001, 0.015, 0.5, NaN].map(showPercent)).toEqual(['0 %', '<0.1 %', '1.5 %', '50 %', '']);
  expect([0, 1023, 1536, 5e9].map(showBytes)).toEqual(['0 B', '1023 B', '1.5 KiB', '4.7 GiB']);
  expect([plural(1, 'span'), plural(2, 'span')]).toEqual(['1 span', '2 spans']);
});
