// Bytes of traces for tests, written by a small encoder of its own.

type Field =
  | [number, 'varint' | 'fixed64' | 'double', bigint | number]
  | [number, 'bytes', Uint8Array | number[]]
  | [number, 'text', string];

function varint(value: bigint): number[] {
  const out: number[] = [];
  let left = BigInt.asUintN(64, value);
  do {
    out.push(Number(left & 127n) | (left > 127n ? 128 : 0));
    left >>= 7n;
  } while (left > 0n);
  return out;
}

export function message(...fields: Field[]): number[] {
  return fields.flatMap(([number, kind, value]) => {
    const tag = (wire: number) => varint(BigInt(number * 8 + wire));
    if (kind === 'varint') return [...tag(0), ...varint(BigInt(value as number))];
    if (kind === 'fixed64' || kind === 'double') {
      const view = new DataView(new ArrayBuffer(8));
      if (kind === 'double') view.setFloat64(0, Number(value), true);
      else view.setBigUint64(0, BigInt.asUintN(64, BigInt(value as bigint)), true);
      return [...tag(1), ...new Uint8Array(view.buffer)];
    }
    const bytes = kind === 'text' ? [...new TextEncoder().encode(value)] : [...(value as number[])];
    return [...tag(2), ...varint(BigInt(bytes.length)), ...bytes];
  });
}

export const string = (text: string): number[] => message([1, 'text', text]);
export const pair = (key: string, value: number[]): number[] => message([1, 'text', key], [2, 'bytes', value]);

export interface MadeSpan {
  id: number;
  parent?: number;
  name?: string;
  kind?: number;
  start?: number;
  end?: number;
  status?: number;
  more?: Field[];
}

export const BASE = 1_700_000_000_000_000_001n;

const id = (value: number) =>
  Array.from({ length: 8 }, (_, i) => Number((BigInt(value) >> BigInt(8 * (7 - i))) & 255n));

export function span(made: MadeSpan): number[] {
  const { start = 0, end = 0 } = made;
  const fields: Field[] = [
    [1, 'bytes', Array(16).fill(1)],
    [2, 'bytes', id(made.id)],
  ];
  if (made.parent) fields.push([4, 'bytes', id(made.parent)]);
  fields.push([5, 'text', made.name ?? `span ${made.id}`], [6, 'varint', made.kind ?? 1]);
  fields.push([7, 'fixed64', BASE + BigInt(start)], [8, 'fixed64', BASE + BigInt(end)]);
  if (made.status) fields.push([15, 'bytes', message([3, 'varint', made.status])]);
  return message(...fields, ...(made.more ?? []));
}

/** A `TraceByIDResponse` with spans by service. */
export function trace(groups: Record<string, MadeSpan[]>, ...more: Field[]): Uint8Array {
  const resources = Object.entries(groups).map(([service, spans]): Field => {
    const resource = message(
      [1, 'bytes', pair('service.name', string(service))],
      [1, 'bytes', pair('host', string(`${service}-1`))],
    );
    const scope = message([1, 'text', 'made'], [2, 'text', '2']);
    const scopeSpans = message([1, 'bytes', scope], ...spans.map((one): Field => [2, 'bytes', span(one)]));
    return [1, 'bytes', message([1, 'bytes', resource], [2, 'bytes', scopeSpans])];
  });
  return new Uint8Array(message([1, 'bytes', message(...resources)], ...more));
}
