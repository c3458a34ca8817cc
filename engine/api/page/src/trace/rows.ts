// Which rows are shown when some are collapsed, and which of them are in sight.

/** The rows that are not below a collapsed one. `end` is the row behind the last one below each. */
export function visibleRows(end: Uint32Array, collapsed: ReadonlySet<number>): Uint32Array {
  const rows = new Uint32Array(end.length);
  let count = 0;
  for (let row = 0; row < end.length; row = collapsed.has(row) ? end[row]! : row + 1) rows[count++] = row;
  return rows.subarray(0, count);
}

/** Rows with something below them that are at least so deep. */
export function parentsFrom(depth: Uint16Array, end: Uint32Array, level: number): Set<number> {
  const found = new Set<number>();
  for (let row = 0; row < end.length; row++) {
    if (end[row]! > row + 1 && depth[row]! >= level) found.add(row);
  }
  return found;
}

/** Opens what hides a row. */
export function reveal(collapsed: ReadonlySet<number>, parent: Int32Array, row: number): Set<number> {
  const open = new Set(collapsed);
  for (let above = parent[row]!; above >= 0; above = parent[above]!) open.delete(above);
  return open;
}

/** Where a row stands among those that are shown, or where it would stand. */
export function placeOf(rows: Uint32Array, row: number): number {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle]! < row) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The rows in sight, with some more on both sides: first, and behind the last. */
export function inSight(top: number, height: number, rowHeight: number, count: number, more: number): [number, number] {
  const first = Math.max(0, Math.floor(top / rowHeight) - more);
  return [first, Math.min(count, Math.ceil((top + height) / rowHeight) + more)];
}

/** What is collapsed in a trace that was read again, when rows have moved. */
export function carried(
  collapsed: ReadonlySet<number>,
  before: { id: Uint32Array },
  now: { id: Uint32Array; end: Uint32Array },
): Set<number> {
  if (collapsed.size === 0) return new Set();
  const key = (id: Uint32Array, row: number) => id[2 * row]! * 2 ** 21 + (id[2 * row + 1]! % 2 ** 21);
  const keys = new Set([...collapsed].map((row) => key(before.id, row)));
  const found = new Set<number>();
  for (let row = 0; row < now.end.length; row++) {
    if (now.end[row]! > row + 1 && keys.has(key(now.id, row))) found.add(row);
  }
  return found;
}
