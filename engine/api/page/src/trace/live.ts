// Whether spans of a trace are still in memory, not yet sealed into a block: then more may come.

import { useEffect, useState } from 'preact/hooks';
import { ask, tenant } from '../api/client';

const EVERY_MS = 3000;
/** Of a trace that is not sealed after so long, nothing is asked any more. */
const MOST_ROUNDS = 200;

/** Asks for the roots among the live spans alone, so that the answer is short. */
async function isTraceLive(id: string, signal: AbortSignal): Promise<boolean> {
  type Raw = { trace?: { resourceSpans?: unknown[] } };
  const params = { mode: 'ingesters', q: '{ nestedSetParent < 0 }' };
  const { body } = await ask<Raw>(`api/v2/traces/${id}`, params, signal);
  return (body.trace?.resourceSpans ?? []).length > 0;
}

/** Whether it is live; `again` is called for every look that finds it so. */
export function useLive(id: string, isLoaded: boolean, again: () => void): boolean {
  const [isLive, setIsLive] = useState(false);
  useEffect(() => {
    if (!isLoaded || id === '') return;
    const abort = new AbortController();
    let timer = 0;
    let rounds = 0;
    const look = () => {
      isTraceLive(id, abort.signal).then(
        (found) => {
          setIsLive(found);
          if (found && rounds > 0) again();
          if (found && ++rounds < MOST_ROUNDS) timer = setTimeout(look, EVERY_MS) as unknown as number;
        },
        () => undefined, // it is a remark beside the trace, not worth an error
      );
    };
    look();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [id, isLoaded, tenant.value]);
  return isLive;
}
