// The form's queries, the state of a search, the editor's words, answers of the API.

import { describe, expect, test } from 'vitest';
import { complete } from '../src/editor/complete';
import { pieces, placeAt, placeOfError } from '../src/editor/words';
import { align, stepFor } from '../src/api/series';
import { readTrace, showValue } from '../src/api/search';
import { attributeField, EMPTY_FORM, formQuery, narrow, quote, tagConditions } from '../src/search/query';
import { sortTraces } from '../src/search/sort';
import { queryOf, rangeOf, readState } from '../src/search/state';

describe('form', () => {
  const check = (form: object, expected: string) =>
    expect(formQuery({ ...EMPTY_FORM, ...form })).toEqual(
      expected.startsWith('{') ? { q: expected } : { wrong: expected },
    );

  test('what is said becomes conditions of one span', () => {
    check({}, '{ }');
    check({ service: 'shop' }, '{ resource.service.name = "shop" }');
    check({ service: 'a"\\b', operation: 'GET /\n' }, '{ resource.service.name = "a\\"\\\\b" && name = "GET /\\n" }');
    check(
      { status: 'error', min: '100ms', max: '1m30s' },
      '{ status = error && duration >= 100ms && duration <= 1m30s }',
    );
    check({ min: '5' }, 'the duration is "5", expected one such as 100ms or 1.5s');
  });

  test('tags', () => {
    const tags = (text: string, ...expected: string[]) => expect(tagConditions(text)).toEqual(expected);
    tags('');
    tags('a=b', '.a = "b"');
    tags('a.b-c="x y" d!=e', '.a.b-c = "x y"', '.d != "e"');
    tags('code=500', '(.code = 500 || .code = "500")');
    tags('code!=500 && ok=true', '.code != 500 && .code != "500"', '(.ok = true || .ok = "true")');
    tags('code>=500', '.code >= 500');
    tags('code="500"', '.code = "500"');
    tags('span.a=b resource.c=d .e=f', 'span.a = "b"', 'resource.c = "d"', '.e = "f"');
    tags('kind=server status=error', 'kind = server', 'status = error');
    tags('name=~"GET.*"', 'name =~ "GET.*"');
    tags('"a b"=c', '."a b" = "c"');
    tags('a="q\\"r"', '.a = "q\\"r"');
    expect(tagConditions('a=b c')).toEqual({ wrong: expect.stringContaining('tags have "c"') });
    expect(tagConditions('a="b')).toHaveProperty('wrong');
  });

  test('names and strings are quoted where they must be', () => {
    expect(attributeField('span', 'http.method')).toBe('span.http.method');
    expect(attributeField('span', 'a b')).toBe('span."a b"');
    expect(attributeField('resource', '<x>"')).toBe('resource."<x>\\""');
    expect(quote('"} | { } //')).toBe('"\\"} | { } //"');
  });

  test('a query is narrowed', () => {
    expect(narrow('', 'a = 1')).toBe('{ a = 1 }');
    expect(narrow('{ }', 'a = 1')).toBe('{ a = 1 }');
    expect(narrow('{ b = 2 }', 'a = 1')).toBe('{ b = 2 && a = 1 }');
    expect(narrow('{ b = 2 || c = 3 }', 'a = 1')).toBe('{ (b = 2 || c = 3) && a = 1 }');
    expect(narrow('{ b } > { c }', 'a = 1')).toBe('({ b } > { c }) && { a = 1 }');
  });
});

test('the state of a search is in the address', () => {
  const state = readState({ service: 'a', from: 'now-5m', limit: '50', live: '1' });
  expect(state).toMatchObject({ typed: '', from: 'now-5m', to: 'now', limit: 50, isLive: true, cursor: '' });
  expect(queryOf(state)).toEqual({ q: '{ resource.service.name = "a" }' });
  expect(queryOf(readState({ q: '{ .a }', service: 'a' }))).toEqual({ q: '{ .a }' });
  expect(readState({ limit: '7' }).limit).toBe(20);
  expect(rangeOf(state, 1e12)).toEqual({ from: 1e12 - 300e3, to: 1e12 + 60e3 });
  expect(rangeOf(readState({ from: 'x' }), 1e12)).toContain('begins at');
});

describe('editor', () => {
  test('pieces', () => {
    const kinds = (text: string) => pieces(text).map(({ kind, text: part }) => `${kind}:${part}`);
    expect(kinds('{ resource.service.name = "a\\"b" && duration>100ms }')).toEqual([
      'brace:{',
      'field:resource.service.name',
      'operator:=',
      'string:"a\\"b"',
      'operator:&&',
      'intrinsic:duration',
      'operator:>',
      'number:100ms',
      'brace:}',
    ]);
    expect(kinds('{ span."a b" !~ `x` } | rate() by (.c)')).toEqual([
      'brace:{',
      'field:span."a b"',
      'operator:!~',
      'string:`x`',
      'brace:}',
      'operator:|',
      'function:rate',
      'brace:(',
      'brace:)',
      'function:by',
      'brace:(',
      'field:.c',
      'brace:)',
    ]);
    expect(kinds('{ status = error && "open')).toContain('literal:error');
    expect(pieces('\u0000\u00e4 #')).toHaveLength(3);
  });

  test.each([
    ['{ ', 'field', 2],
    ['{ res', 'field', 2],
    ['{ resource.ser', 'field', 2],
    ['{ .a ', 'operator', 5],
    ['{ .a = ', 'value', 7],
    ['{ .a = "x', 'value', 7],
    ['{ status = e', 'value', 11],
    ['{ .a = 1 ', 'operator', 9],
    ['{ .a = 1 && ', 'field', 12],
    ['{ } | ', 'stage', 6],
    ['{ } | ra', 'stage', 6],
    ['{ } | rate() by (', 'field', 17],
    ['{ } ', 'nothing', 4],
    ['', 'nothing', 0],
  ])('at the end of %j stands a %s', (text, what, from) =>
    expect(placeAt(text, text.length)).toMatchObject({ what, from }),
  );

  test('errors are placed', () => {
    const text = '{ .a = 1 &&\n  "ä" }';
    expect(placeOfError('{ .a = }', 'the query is wrong: line 1, column 8: found `}`')).toEqual({
      from: 7,
      to: 8,
      said: 'found `}`',
    });
    expect(placeOfError(text, 'line 2, column 3: x')).toEqual({ from: 14, to: 17, said: 'x' });
    expect(placeOfError('{ .a', 'line 1, column 5: found the end')).toEqual({ from: 3, to: 4, said: 'found the end' });
    expect(placeOfError('{', 'line 9, column 1: x')).toBeNull();
    expect(placeOfError('{', 'too long')).toBeNull();
  });

  test('the completion is a function of the editor', () => expect(complete).toBeTypeOf('function'));
});

test('found traces are read and sorted', () => {
  const raw = (id: string, start: string, more = {}) => readTrace({ traceID: id, startTimeUnixNano: start, ...more });
  const a = raw('1', '1700000000000000001', {
    rootServiceName: 'shop',
    rootTraceName: 'x',
    durationMs: 7,
    serviceStats: { b: { spanCount: 1 }, a: { spanCount: 3, errorCount: 2 } },
    spanSets: [
      {
        matched: 2,
        spans: [{ spanID: 's', durationNanos: '5', attributes: [{ key: 'k', value: { intValue: '3' } }] }],
      },
    ],
  });
  expect(a).toMatchObject({
    id: '1'.padStart(32, '0'),
    spans: 4,
    errors: 2,
    matched: 2,
    hasRoot: true,
    startMs: 1.7e12,
  });
  expect(a.services.map((one) => one.name)).toEqual(['a', 'b']);
  expect(a.shown[0]!.attributes).toEqual([['k', '3']]);
  const b = raw('2', '1700000000000000002', { rootServiceName: '<root span not yet received>' });
  expect(b).toMatchObject({ hasRoot: false, service: '', durationMs: 0 });
  expect(sortTraces([a, b], 'start', false).map((one) => one.id)).toEqual([b.id, a.id]);
  expect(sortTraces([a, b], 'duration', true).map((one) => one.id)).toEqual([b.id, a.id]);
  expect(sortTraces([a, b], 'name', true)[0]!.id).toBe(b.id);
  expect(showValue({ arrayValue: { values: [{ stringValue: 'x' }, { boolValue: false }] } })).toBe('[x, false]');
});

test('series stand on the same times', () => {
  const series = (times: number[], values: number[]) => ({ labels: {}, times, values });
  expect(align([series([1000, 2000], [1, NaN]), series([2000, 3000], [5, 6])])).toEqual([
    [1, 2, 3],
    [1, null, null],
    [null, 5, 6],
  ]);
  expect([stepFor(0, 3600e3), stepFor(0, 60e3), stepFor(0, 1e12)]).toEqual([60, 1, 3600]);
});
