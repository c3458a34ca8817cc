// One span with everything it says, decoded when it is looked at.

import type { Columns } from './columns';
import { BYTES, FIXED64, Reader, VARINT } from './proto';

/** A value as text, with the type it came as. */
export interface Value {
  type: 'string' | 'int' | 'float' | 'bool' | 'list' | 'map' | 'bytes' | 'none';
  text: string;
}

export interface Attribute {
  key: string;
  value: Value;
}

export interface SpanEvent {
  /** Nanoseconds after the trace's base. */
  at: number;
  name: string;
  attributes: Attribute[];
}

export interface SpanLink {
  traceId: string;
  spanId: string;
  attributes: Attribute[];
}

export interface Detail {
  traceState: string;
  statusMessage: string;
  attributes: Attribute[];
  events: SpanEvent[];
  links: SpanLink[];
  resource: Attribute[];
  scope: { name: string; version: string; attributes: Attribute[] };
  /** Attributes, events and links that the sender left out. */
  dropped: [number, number, number];
}

/** Deeper values are shown as `…`. */
const MOST_DEPTH = 16;

export function readDetail(bytes: Uint8Array, columns: Columns, row: number): Detail {
  const detail: Detail = {
    traceState: '',
    statusMessage: '',
    attributes: [],
    events: [],
    links: [],
    resource: [],
    scope: { name: '', version: '', attributes: [] },
    dropped: [0, 0, 0],
  };
  const span = new Reader(bytes, columns.from[row]!, columns.to[row]!);
  each(span, (field) => {
    if (span.wire === BYTES && field === 3) detail.traceState = span.text();
    else if (span.wire === BYTES && field === 9) detail.attributes.push(attribute(span.message()));
    else if (span.wire === BYTES && field === 11) detail.events.push(event(span.message(), columns.baseNs));
    else if (span.wire === BYTES && field === 13) detail.links.push(link(span.message()));
    else if (span.wire === BYTES && field === 15) detail.statusMessage = statusMessage(span.message());
    else if (span.wire === VARINT && field === 10) detail.dropped[0] = span.varint();
    else if (span.wire === VARINT && field === 12) detail.dropped[1] = span.varint();
    else if (span.wire === VARINT && field === 14) detail.dropped[2] = span.varint();
    else span.skip();
  });
  const resource = new Reader(bytes, ...columns.resources[columns.resource[row]!]!);
  detail.resource = attributes(resource, 1);
  const scope = new Reader(bytes, ...columns.scopes[columns.scope[row]!]!);
  each(scope, (field) => {
    if (scope.wire === BYTES && field === 1) detail.scope.name = scope.text();
    else if (scope.wire === BYTES && field === 2) detail.scope.version = scope.text();
    else if (scope.wire === BYTES && field === 3) detail.scope.attributes.push(attribute(scope.message()));
    else scope.skip();
  });
  return detail;
}

function each(reader: Reader, visit: (field: number) => void): void {
  for (let field = reader.field(); field !== 0; field = reader.field()) visit(field);
}

function attributes(reader: Reader, wanted: number): Attribute[] {
  const found: Attribute[] = [];
  each(reader, (field) => {
    if (field === wanted && reader.wire === BYTES) found.push(attribute(reader.message()));
    else reader.skip();
  });
  return found;
}

function statusMessage(status: Reader): string {
  let message = '';
  each(status, (field) => {
    if (field === 2 && status.wire === BYTES) message = status.text();
    else status.skip();
  });
  return message;
}

function event(event: Reader, baseNs: bigint): SpanEvent {
  const found: SpanEvent = { at: 0, name: '', attributes: [] };
  each(event, (field) => {
    if (field === 1 && event.wire === FIXED64) found.at = Number(event.uint64() - baseNs);
    else if (field === 2 && event.wire === BYTES) found.name = event.text();
    else if (field === 3 && event.wire === BYTES) found.attributes.push(attribute(event.message()));
    else event.skip();
  });
  return found;
}

function link(link: Reader): SpanLink {
  const found: SpanLink = { traceId: '', spanId: '', attributes: [] };
  each(link, (field) => {
    if (field === 1 && link.wire === BYTES) found.traceId = hex(link.slice());
    else if (field === 2 && link.wire === BYTES) found.spanId = hex(link.slice());
    else if (field === 4 && link.wire === BYTES) found.attributes.push(attribute(link.message()));
    else link.skip();
  });
  return found;
}

export function attribute(pair: Reader): Attribute {
  const found: Attribute = { key: '', value: { type: 'none', text: '' } };
  each(pair, (field) => {
    if (field === 1 && pair.wire === BYTES) found.key = pair.text();
    else if (field === 2 && pair.wire === BYTES) found.value = value(pair.message(), 0);
    else pair.skip();
  });
  return found;
}

function value(any: Reader, depth: number): Value {
  let found: Value = { type: 'none', text: '' };
  if (depth > MOST_DEPTH) return { type: 'list', text: '…' };
  each(any, (field) => {
    if (field === 1 && any.wire === BYTES) found = { type: 'string', text: any.text() };
    else if (field === 2 && any.wire === VARINT) found = { type: 'bool', text: String(any.varint() !== 0) };
    else if (field === 3 && any.wire === VARINT) found = { type: 'int', text: String(any.int64()) };
    else if (field === 4 && any.wire === FIXED64) found = { type: 'float', text: String(any.double()) };
    else if (field === 5 && any.wire === BYTES) found = { type: 'list', text: `[${list(any.message(), depth)}]` };
    else if (field === 6 && any.wire === BYTES) found = { type: 'map', text: `{${map(any.message(), depth)}}` };
    else if (field === 7 && any.wire === BYTES) found = { type: 'bytes', text: hex(any.slice()) };
    else any.skip();
  });
  return found;
}

/** Within lists and maps strings stand in quotes. */
const inner = (one: Value) =>
  one.type === 'string' ? JSON.stringify(one.text) : one.type === 'none' ? 'null' : one.text;

function list(array: Reader, depth: number): string {
  const found: string[] = [];
  each(array, (field) => {
    if (field === 1 && array.wire === BYTES) found.push(inner(value(array.message(), depth + 1)));
    else array.skip();
  });
  return found.join(', ');
}

function map(pairs: Reader, depth: number): string {
  const found: string[] = [];
  each(pairs, (field) => {
    if (field !== 1 || pairs.wire !== BYTES) return pairs.skip();
    const pair = pairs.message();
    let [key, text] = ['', 'null'];
    each(pair, (part) => {
      if (part === 1 && pair.wire === BYTES) key = pair.text();
      else if (part === 2 && pair.wire === BYTES) text = inner(value(pair.message(), depth + 1));
      else pair.skip();
    });
    found.push(`${JSON.stringify(key)}: ${text}`);
  });
  return found.join(', ');
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
