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

  /** The number of the text between two places. */
  at(bytes: Uint8Array, from: number, to: number): number {
    let h = 0x811c9dc5;
    for (let i = from; i < to; i++) h = Math.imul(h ^ bytes[i]!, 0x01000193);
    let same = this.known.get(h);
    if (same === undefined) this.known.set(h, (same = []));
    for (const one of same) if (isEqual(one.bytes, bytes, from, to)) return one.at;
    const found = bytes.subarray(from, to);
    same.push({ bytes: found, at: this.list.length });
    return this.list.push(this.utf8.decode(found)) - 1;
  }
}

function isEqual(known: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
  if (known.length !== to - from) return false;
  for (let i = 0; i < known.length; i++) if (known[i] !== bytes[from + i]) return false;
  return true;
}

/** What is kept of a span as whole numbers of 32 bits: so many columns. */
const [ID, PARENT, START, END, NAME, SERVICE, KIND, STATUS, EVENTS, FROM, TO, RESOURCE, SCOPE] = [
  0, 2, 4, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16,
] as const;
const WIDTH = 17;

class Builder {
  /** `WIDTH` numbers a span; times and ids are two each, high half first. */
  private numbers = new Uint32Array(WIDTH * 1024);
  private count = 0;
  private readonly names = new Texts();
  private readonly services = new Texts();
  private readonly resources: [number, number][] = [];
  private readonly scopes: [number, number][] = [];

  resourceSpans(reader: Reader): void {
    const groups: Reader[] = [];
    let service: [number, number] = [0, 0];
    let place: [number, number] = [0, 0];
    for (let field = reader.field(); field !== 0; field = reader.field()) {
      if (field === 1 && reader.wire === BYTES) {
        const resource = reader.message();
        place = [resource.at, resource.end];
        service = serviceName(resource);
      } else if (field === 2 && reader.wire === BYTES) groups.push(reader.message());
      else reader.skip();
    }
    this.resources.push(place);
    const at = this.services.at(reader.bytes, ...service);
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
    const at = this.count++ * WIDTH;
    if (at + WIDTH > this.numbers.length) {
      const larger = new Uint32Array(this.numbers.length * 2);
      larger.set(this.numbers);
      this.numbers = larger;
    }
    const n = this.numbers;
    n[at + FROM] = span.at;
    n[at + TO] = span.end;
    n[at + SERVICE] = service;
    n[at + RESOURCE] = this.resources.length - 1;
    n[at + SCOPE] = this.scopes.length - 1;
    let [nameFrom, nameTo] = [0, 0];
    for (let field = span.field(); field !== 0; field = span.field()) {
      if (field === 2 && span.wire === BYTES) readId(span, n, at + ID);
      else if (field === 4 && span.wire === BYTES) readId(span, n, at + PARENT);
      else if (field === 5 && span.wire === BYTES) {
        nameTo = span.length();
        nameFrom = span.at;
        span.at = nameTo;
      } else if (field === 6 && span.wire === VARINT) n[at + KIND] = span.varint();
      else if (field === 7 && span.wire === FIXED64) readTime(span, n, at + START);
      else if (field === 8 && span.wire === FIXED64) readTime(span, n, at + END);
      else if (field === 15 && span.wire === BYTES) n[at + STATUS] = statusCode(span.message());
      else {
        if (field === 11) n[at + EVENTS]!++;
        span.skip();
      }
    }
    n[at + NAME] = this.names.at(span.bytes, nameFrom, nameTo);
  }

  finish(partial: string | null): Columns {
    const { numbers: n, count } = this;
    const pick = <T extends Uint32Array | Uint16Array | Uint8Array>(column: T, which: number): T => {
      for (let span = 0; span < count; span++) column[span] = n[span * WIDTH + which]!;
      return column;
    };
    const pairs = (which: number) =>
      Uint32Array.from({ length: 2 * count }, (_, i) => n[(i >> 1) * WIDTH + which + (i & 1)]!);
    return {
      count,
      ...this.times(),
      id: pairs(ID),
      parentId: pairs(PARENT),
      name: pick(new Uint32Array(count), NAME),
      service: pick(new Uint32Array(count), SERVICE),
      kind: pick(new Uint8Array(count), KIND),
      status: pick(new Uint8Array(count), STATUS),
      events: pick(new Uint16Array(count), EVENTS),
      from: pick(new Uint32Array(count), FROM),
      to: pick(new Uint32Array(count), TO),
      resource: pick(new Uint32Array(count), RESOURCE),
      scope: pick(new Uint32Array(count), SCOPE),
      names: this.names.list,
      services: this.services.list,
      resources: this.resources,
      scopes: this.scopes,
      partial,
    };
  }

  /** Times are reckoned from the first span's start, so that differences are exact in doubles. */
  private times(): Pick<Columns, 'baseNs' | 'start' | 'duration'> {
    const { numbers: n, count } = this;
    const [high, low] = [n[START]!, n[START + 1]!];
    const [start, duration] = [new Float64Array(count), new Float64Array(count)];
    let first = 0;
    for (let span = 0; span < count; span++) {
      const at = span * WIDTH;
      const [startHigh, startLow] = [n[at + START]!, n[at + START + 1]!];
      start[span] = (startHigh - high) * 2 ** 32 + (startLow - low);
      duration[span] = Math.max(0, (n[at + END]! - startHigh) * 2 ** 32 + (n[at + END + 1]! - startLow));
      first = Math.min(first, start[span]!);
    }
    for (let span = 0; span < count; span++) start[span]! -= first;
    return { baseNs: count === 0 ? 0n : (BigInt(high) << 32n) + BigInt(low) + BigInt(first), start, duration };
  }
}

/** An id of eight bytes as two numbers; of other lengths the last eight bytes count. */
function readId(reader: Reader, into: Uint32Array, at: number): void {
  const [end, from, bytes] = [reader.length(), reader.at, reader.bytes];
  into[at] = into[at + 1] = 0;
  for (let i = Math.max(from, end - 8); i < end; i++) {
    const half = end - i > 4 ? at : at + 1;
    into[half] = into[half]! * 256 + bytes[i]!;
  }
  reader.at = end;
}

function readTime(reader: Reader, into: Uint32Array, at: number): void {
  into[at + 1] = reader.uint32();
  into[at] = reader.uint32();
}

function statusCode(status: Reader): number {
  let code = 0;
  for (let field = status.field(); field !== 0; field = status.field()) {
    if (field === 3 && status.wire === VARINT) code = status.varint();
    else status.skip();
  }
  return code;
}

/** Where the first attribute `service.name` lies, if it is a string. */
function serviceName(resource: Reader): [number, number] {
  const utf8 = new TextDecoder();
  for (let field = resource.field(); field !== 0; field = resource.field()) {
    if (field !== 1 || resource.wire !== BYTES) {
      resource.skip();
      continue;
    }
    const pair = resource.message();
    let key = '';
    let place: [number, number] = [0, 0];
    for (let part = pair.field(); part !== 0; part = pair.field()) {
      if (part === 1 && pair.wire === BYTES) key = utf8.decode(pair.slice());
      else if (part === 2 && pair.wire === BYTES) {
        const any = pair.message();
        if (any.field() === 1 && any.wire === BYTES) {
          const end = any.length();
          place = [any.at, end];
        }
      } else pair.skip();
    }
    if (key === 'service.name') return place;
  }
  return [0, 0];
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
