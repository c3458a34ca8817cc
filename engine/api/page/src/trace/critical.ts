// The critical path: the stretches of spans that, had they been shorter, would have made the whole shorter. From the
// root's end backwards: what ran last before this moment is what was waited for.
//
// Source: the definition in "CRISP: Critical Path Analysis of Large-Scale Microservice Architectures" (USENIX ATC '22).

import type { Tree } from './tree';

/** Stretches by row, then by time: row, from, to; nanoseconds after the trace's base. */
export interface CriticalPath {
  row: Uint32Array;
  from: Float64Array;
  to: Float64Array;
}

/** The path of the first top row's tree, or of another top row. */
export function criticalPath(tree: Pick<Tree, 'start' | 'duration' | 'end'>, root = 0): CriticalPath {
  const found: { row: number; from: number; to: number }[] = [];
  if (tree.start.length > 0) {
    const endOf = (row: number) => tree.start[row]! + tree.duration[row]!;
    // Each entry: a row, and since and until when it is looked at.
    const left: [number, number, number][] = [[root, tree.start[root]!, endOf(root)]];
    while (left.length > 0) {
      const [row, since, until] = left.pop()!;
      let to = until;
      for (const child of childrenByEnd(tree, row)) {
        const from = Math.max(tree.start[child]!, since);
        const end = Math.min(endOf(child), to);
        // Nothing that began at this moment or later was waited for.
        if (from >= to || end <= since) continue;
        if (end < to) found.push({ row, from: end, to });
        left.push([child, from, end]);
        to = from;
      }
      if (to > since) found.push({ row, from: since, to });
    }
  }
  found.sort((a, b) => a.row - b.row || a.from - b.from);
  return {
    row: Uint32Array.from(found, (one) => one.row),
    from: Float64Array.from(found, (one) => one.from),
    to: Float64Array.from(found, (one) => one.to),
  };
}

/** The children of a row, the one that ends last first. */
function childrenByEnd(tree: Pick<Tree, 'start' | 'duration' | 'end'>, row: number): number[] {
  const children: number[] = [];
  for (let child = row + 1; child < tree.end[row]!; child = tree.end[child]!) children.push(child);
  const end = (child: number) => tree.start[child]! + tree.duration[child]!;
  return children.sort((a, b) => end(b) - end(a) || a - b);
}

/** The first stretch of a row or of one behind it. */
export function firstStretch(path: CriticalPath, row: number): number {
  let [low, high] = [0, path.row.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (path.row[middle]! < row) low = middle + 1;
    else high = middle;
  }
  return low;
}
