// Following new matches: the only place that knows how. It asks again and again, for as long as the server has no
// subscription; one could take its place here.

import { isAbort } from '../api/client';
import { type FoundTrace, search } from '../api/search';

const EVERY_MS = 2000;
/** Traces that began so long before the last question are asked for again: their spans may have come late. */
const OVERLAP_MS = 30_000;
const MOST = 100;
const MOST_KNOWN = 5000;

export interface Tail {
  stop: () => void;
}

/** Tells of traces when they are first seen, and again while more of them comes; and of problems. Goes on until it is stopped. */
export function follow(q: string, tell: (traces: FoundTrace[]) => void, trouble: (problem: unknown) => void): Tail {
  /** How many spans each trace had. */
  const known = new Map<string, number>();
  const abort = new AbortController();
  let timer = 0;
  let since = Date.now() - OVERLAP_MS;
  const round = async () => {
    try {
      const now = Date.now();
      // Clocks of senders may be ahead.
      const found = await search({ q, limit: MOST, from: since, to: now + 3_600_000 }, abort.signal);
      const fresh = found.traces.filter(({ id, spans }) => known.get(id) !== spans);
      if (known.size > MOST_KNOWN) known.clear();
      found.traces.forEach(({ id, spans }) => known.set(id, spans));
      since = now - OVERLAP_MS;
      if (fresh.length > 0) tell(fresh);
    } catch (problem) {
      if (isAbort(problem)) return;
      trouble(problem);
    }
    if (!abort.signal.aborted) timer = setTimeout(() => void round(), EVERY_MS) as unknown as number;
  };
  void round();
  return {
    stop: () => {
      abort.abort();
      clearTimeout(timer);
    },
  };
}
