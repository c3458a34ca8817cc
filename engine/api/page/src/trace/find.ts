// Searching within a trace, over the bytes of its spans: names, ids, keys and values, without decoding them.

import type { Columns } from './columns';
import { readDetail } from './detail';

const utf8 = new TextEncoder();

/**
 * The rows in which a text stands: in the name, the service, an id, a key or a string value, whatever its case.
 * `key=value` finds that attribute with values that begin so, whatever their type.
 */
export function findRows(bytes: Uint8Array, columns: Columns, text: string): Uint32Array {
  const wanted = text.trim().toLowerCase();
  if (wanted === '') return new Uint32Array();
  const pair = /^([^=\s]+)\s*=\s*(.+)$/.exec(wanted);
  const holds = pair ? pairFinder(bytes, columns, pair[1]!, pair[2]!) : textFinder(bytes, columns, wanted);
  return Uint32Array.from({ length: columns.count }, (_, row) => row).filter(holds);
}

function textFinder(bytes: Uint8Array, columns: Columns, wanted: string): (row: number) => boolean {
  const needle = utf8.encode(wanted);
  const inResource = columns.resources.map(([from, to]) => contains(bytes, from, to, needle));
  const id = /^[0-9a-f]{16}$/.test(wanted) ? [parseInt(wanted.slice(0, 8), 16), parseInt(wanted.slice(8), 16)] : null;
  return (row) =>
    (id !== null && columns.id[2 * row] === id[0] && columns.id[2 * row + 1] === id[1]) ||
    inResource[columns.resource[row]!]! ||
    contains(bytes, columns.from[row]!, columns.to[row]!, needle);
}

function pairFinder(bytes: Uint8Array, columns: Columns, key: string, value: string): (row: number) => boolean {
  const needle = utf8.encode(key);
  const inResource = columns.resources.map(([from, to]) => contains(bytes, from, to, needle));
  return (row) => {
    const mayBe = inResource[columns.resource[row]!]! || contains(bytes, columns.from[row]!, columns.to[row]!, needle);
    if (!mayBe) return false;
    const { attributes, resource } = readDetail(bytes, columns, row);
    return [...attributes, ...resource].some(
      (one) => one.key.toLowerCase() === key && one.value.text.toLowerCase().startsWith(value),
    );
  };
}

/** Whether `needle`, which is in lower case, stands between two places; letters of ASCII in either case. */
export function contains(bytes: Uint8Array, from: number, to: number, needle: Uint8Array): boolean {
  const first = needle[0]!;
  const other = first >= 97 && first <= 122 ? first - 32 : first;
  for (let at = from; at <= to - needle.length; at++) {
    if (bytes[at] !== first && bytes[at] !== other) continue;
    let i = 1;
    while (i < needle.length && lower(bytes[at + i]!) === needle[i]) i++;
    if (i === needle.length) return true;
  }
  return false;
}

function lower(byte: number): number {
  return byte >= 65 && byte <= 90 ? byte + 32 : byte;
}
