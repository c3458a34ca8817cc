// The order of found traces in the table.

import type { FoundTrace } from '../api/search';

export type SortKey = 'start' | 'duration' | 'spans' | 'errors' | 'name';

/** A copy in order; equals stay as they came, newest first. */
export function sortTraces(traces: readonly FoundTrace[], key: SortKey, isUp: boolean): FoundTrace[] {
  const way = isUp ? 1 : -1;
  return [...traces].sort((a, b) => way * compare(a, b, key));
}

function compare(a: FoundTrace, b: FoundTrace, key: SortKey): number {
  if (key === 'start') return a.startNs < b.startNs ? -1 : a.startNs > b.startNs ? 1 : 0;
  if (key === 'duration') return a.durationMs - b.durationMs;
  if (key === 'spans') return a.spans - b.spans;
  if (key === 'errors') return a.errors - b.errors;
  const [left, right] = [`${a.service} ${a.name}`, `${b.service} ${b.name}`];
  return left < right ? -1 : left > right ? 1 : 0;
}
