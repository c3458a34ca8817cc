// The spans of a trace as columns, read from the bytes of a `TraceByIDResponse` in one walk. Attributes, events and
// links are not decoded here: a span keeps where its bytes lie.
//
// Source: https://github.com/open-telemetry/opentelemetry-proto (trace.proto, resource.proto, common.proto), and
// docs/QUERY_API.md.

import { BYTES, FIXED64, Reader, VARINT } from './proto';

/** Columns in the order of arrival; `tree.ts` puts them in the order of rows. */
export interface Columns {
  count: number;
  /** When the first span begins, in nanoseconds since 1970. */
  baseNs: bigint;
  /** Nanoseconds after `baseNs`. */
  start: Float64Array;
  /** Nanoseconds; 0 where the end lies before the start. */
  duration: Float64Array;
  /** Ids, two numbers each: high half, low half. */
  id: Uint32Array;
  /** Ids of parents; both halves 0 for a root. */
  parentId: Uint32Array;
  name: Uint32Array;
  service: Uint32Array;
  kind: Uint8Array;
  /** 0 unset, 1 ok, 2 error. */
  status: Uint8Array;
  events: Uint16Array;
  /** Where the bytes of the span lie. */
  from: Uint32Array;
  to: Uint32Array;
  resource: Uint32Array;
  scope: Uint32Array;
  names: string[];
  services: string[];
  /** Where the bytes of resources and scopes lie: from, to. */
  resources: [number, number][];
  scopes: [number, number][];
  /** What is missing, when something is. */
  partial: string | null;
}

/** Texts, each once, known by their bytes. */
class Texts {
  readonly list: string[] = [];
  private readonly known = new Map<number, { bytes: Uint8Array; at: number }[]>();
  private readonly utf8 = new TextDecoder();

  at(bytes: Uint8Array): number {
    let h = 0x811c9dc5;
    for (let i = 0; i < bytes.length; i++) h = Math.imul(h ^ bytes[i]!, 0x01000193);
    let same = this.known.get(h);
    if (same === undefined) this.known.set(h, (same = []));
    for (const one of same) if (equal(one.bytes, bytes)) return one.at;
    same.push({ bytes, at: this.list.length });
    return this.list.push(this.utf8.decode(bytes)) - 1;
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** What one span says, as it is read. */
interface Raw {
  start: bigint;
  end: bigint;
}

class Builder {
  readonly raw: Raw[] = [];
  readonly ids: number[] = [];
  readonly parents: number[] = [];
  readonly numbers: number[][] = [[], [], [], [], [], [], [], [], []];
  readonly names = new Texts();
  readonly services = new Texts();
  readonly resources: [number, number][] = [];
  readonly scopes: [number, number][] = [];

  resourceSpans(reader: Reader): void {
    const groups: Reader[] = [];
    let service = new Uint8Array();
    let place: [number, number] = [0, 0];
    for (let field = reader.field(); field !== 0; field = reader.field()) {
      if (field === 1 && reader.wire === BYTES) {
        const resource = reader.message();
        place = [resource.at, resource.end];
        service = new Uint8Array(serviceName(resource));
      } else if (field === 2 && reader.wire === BYTES) groups.push(reader.message());
      else reader.skip();
    }
    this.resources.push(place);
    const at = this.services.at(service);
    for (const group of groups) this.scopeSpans(group, at);
  }

  private scopeSpans(reader: Reader, service: number): void {
    this.scopes.push([0, 0]);
    for (let field = reader.field(); field !== 0; field = reader.field()) {
      if (field === 1 && reader.wire === BYTES) {
        const scope = reader.message();
        this.scopes[this.scopes.length - 1] = [scope.at, scope.end];
      } else if (field === 2 && reader.wire === BYTES) this.span(reader.message(), service);
      else reader.skip();
    }
  }

  private span(span: Reader, service: number): void {
    const [from, to] = [span.at, span.end];
    let [start, end] = [0n, 0n];
    let [name, kind, status, events] = [new Uint8Array(), 0, 0, 0];
    let [id, parent]: [number, number][] = [[0, 0], [0, 0]];
    for (let field = span.field(); field !== 0; field = span.field()) {
      if (field === 2 && span.wire === BYTES) id = halves(span.slice());
      else if (field === 4 && span.wire === BYTES) parent = halves(span.slice());
      else if (field === 5 && span.wire === BYTES) name = span.slice() as Uint8Array<ArrayBuffer>;
      else if (field === 6 && span.wire === VARINT) kind = span.varint();
      else if (field === 7 && span.wire === FIXED64) start = span.uint64();
      else if (field === 8 && span.wire === FIXED64) end = span.uint64();
      else if (field === 11) (events++, span.skip());
      else if (field === 15 && span.wire === BYTES) status = statusCode(span.message());
      else span.skip();
    }
    this.raw.push({ start, end });
    this.ids.push(...id!);
    this.parents.push(...parent!);
    const values = [this.names.at(name), service, kind, status, events, from, to];
    [...values, this.resources.length - 1, this.scopes.length - 1].forEach((value, i) => this.numbers[i]!.push(value));
  }

  finish(partial: string | null): Columns {
    const n = this.numbers;
    let baseNs = this.raw[0]?.start ?? 0n;
    for (const span of this.raw) if (span.start < baseNs) baseNs = span.start;
    const start = Float64Array.from(this.raw, (span) => Number(span.start - baseNs));
    const duration = Float64Array.from(this.raw, (span) => Math.max(0, Number(span.end - span.start)));
    return {
      count: this.raw.length, baseNs, start, duration,
      id: Uint32Array.from(this.ids), parentId: Uint32Array.from(this.parents),
      name: Uint32Array.from(n[0]!), service: Uint32Array.from(n[1]!),
      kind: Uint8Array.from(n[2]!), status: Uint8Array.from(n[3]!), events: Uint16Array.from(n[4]!),
      from: Uint32Array.from(n[5]!), to: Uint32Array.from(n[6]!),
      resource: Uint32Array.from(n[7]!), scope: Uint32Array.from(n[8]!),
      names: this.names.list, services: this.services.list,
      resources: this.resources, scopes: this.scopes, partial,
    };
  }
}

/** An id of eight bytes as two numbers; of other lengths the last eight bytes count. */
function halves(id: Uint8Array): [number, number] {
  const half = (from: number) => {
    let value = 0;
    for (let i = from; i < from + 4; i++) value = value * 256 + (id[id.length - 8 + i] ?? 0);
    return value;
  };
  return [half(0), half(4)];
}

function statusCode(status: Reader): number {
  let code = 0;
  for (let field = status.field(); field !== 0; field = status.field()) {
    if (field === 3 && status.wire === VARINT) code = status.varint();
    else status.skip();
  }
  return code;
}

/** The bytes of the first attribute `service.name`, if it is a string. */
function serviceName(resource: Reader): Uint8Array {
  const utf8 = new TextDecoder();
  for (let field = resource.field(); field !== 0; field = resource.field()) {
    if (field !== 1 || resource.wire !== BYTES) {
      resource.skip();
      continue;
    }
    const pair = resource.message();
    let [key, value] = ['', new Uint8Array() as Uint8Array];
    for (let part = pair.field(); part !== 0; part = pair.field()) {
      if (part === 1 && pair.wire === BYTES) key = utf8.decode(pair.slice());
      else if (part === 2 && pair.wire === BYTES) {
        const any = pair.message();
        if (any.field() === 1 && any.wire === BYTES) value = any.slice();
      } else pair.skip();
    }
    if (key === 'service.name') return value;
  }
  return new Uint8Array();
}

/** Reads a `TraceByIDResponse`. */
export function readTrace(bytes: Uint8Array): Columns {
  const builder = new Builder();
  const response = new Reader(bytes, 0, bytes.length);
  let [isPartial, message] = [false, ''];
  for (let field = response.field(); field !== 0; field = response.field()) {
    if (field === 1 && response.wire === BYTES) {
      const trace = response.message();
      for (let part = trace.field(); part !== 0; part = trace.field()) {
        if (part === 1 && trace.wire === BYTES) builder.resourceSpans(trace.message());
        else trace.skip();
      }
    } else if (field === 3 && response.wire === VARINT) isPartial = response.varint() === 1;
    else if (field === 4 && response.wire === BYTES) message = response.text();
    else response.skip();
  }
  return builder.finish(isPartial ? message || 'a part of the trace is missing' : null);
}

/** An id as text, from its two numbers. */
export function idText(ids: Uint32Array, at: number): string {
  return [ids[2 * at]!, ids[2 * at + 1]!].map((half) => half.toString(16).padStart(8, '0')).join('');
}
