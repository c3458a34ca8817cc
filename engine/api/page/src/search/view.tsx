// Searching: a form or TraceQL, and what was found.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { ApiError, isAbort, messageOf, tenant } from '../api/client';
import { type Found, type FoundTrace, search } from '../api/search';
import { useKeys } from '../app/keys';
import { Button, Notice } from '../app/parts';
import { go, linkWith, params } from '../app/router';
import { SearchBar } from './bar';
import { Kept } from './kept-view';
import { remember } from './kept';
import { Results } from './results';
import { queryOf, rangeOf, readState, type SearchState } from './state';
import { follow } from './tail';

const MOST_LIVE = 500;

interface Outcome {
  found: Found | null;
  problem: string;
  /** The query that the problem is of. */
  wrongQuery: string;
  isBusy: boolean;
}

const NOTHING: Outcome = { found: null, problem: '', wrongQuery: '', isBusy: false };

export function SearchView() {
  const state = readState(params.value);
  const query = queryOf(state);
  const [round, setRound] = useState(0);
  const range = useMemo(() => rangeOf(state, Date.now()), [state.from, state.to, round, state.cursor]);
  const outcome = useSearch(state, query, range, round);
  const live = useTail(state.isLive, 'q' in query ? query.q : '');
  const again = () => setRound(round + 1);
  useKeys([
    { keys: '/', about: 'to the query', run: focusQuery },
    { keys: 'r', about: 'search again', run: again },
    { keys: 'l', about: 'follow new matches', run: () => toggleLive(state) },
  ]);
  const traces = state.isLive ? live.traces : (outcome.found?.traces ?? []);
  return (
    <div class="search">
      <h1 class="sr">Search</h1>
      <SearchBar
        state={state}
        query={query}
        range={typeof range === 'string' ? null : range}
        wrong={outcome.wrongQuery === ('q' in query ? query.q : '') ? outcome.problem : ''}
        again={again}
        actions={
          <>
            <Button pressed={state.isLive} onClick={() => toggleLive(state)} title="follow new matches (l)">
              live
            </Button>
            <Kept state={state} query={query} />
          </>
        }
      />
      {outcome.problem !== '' && <Notice kind="error">{outcome.problem}</Notice>}
      {live.problem !== '' && <Notice kind="error">{live.problem}</Notice>}
      {outcome.found?.partial && <Notice kind="warning">the answer lacks something: {outcome.found.partial}</Notice>}
      <Results
        traces={traces}
        found={state.isLive ? null : outcome.found}
        state={state}
        isBusy={outcome.isBusy}
        isLive={state.isLive}
        failed={outcome.problem !== ''}
      />
    </div>
  );
}

function toggleLive(state: SearchState) {
  go(linkWith({ live: state.isLive ? undefined : '1', cursor: undefined }));
}

function focusQuery() {
  const host = document.querySelector('.editor-host');
  const inner = host?.shadowRoot?.querySelector<HTMLElement>('.cm-content');
  (inner ?? document.querySelector<HTMLElement>('.search-bar input, .search-bar textarea'))?.focus();
}

function useSearch(
  state: SearchState,
  query: { q: string } | { wrong: string },
  range: { from: number; to: number } | string,
  round: number,
): Outcome {
  const [outcome, setOutcome] = useState<Outcome>(NOTHING);
  const said = 'wrong' in query ? query.wrong : typeof range === 'string' ? range : '';
  const q = 'q' in query ? query.q : '';
  useEffect(() => {
    if (said !== '') return setOutcome({ ...NOTHING, problem: said });
    if (state.isLive || typeof range === 'string') return setOutcome(NOTHING);
    const abort = new AbortController();
    setOutcome((before) => ({ ...before, problem: '', wrongQuery: '', isBusy: true }));
    const asked = { q, ...range, limit: state.limit, cursor: state.cursor };
    search(asked, abort.signal).then(
      (found) => {
        setOutcome({ ...NOTHING, found });
        if (q !== '{ }') remember({ q, from: state.from, to: state.to });
      },
      (problem: unknown) => {
        if (isAbort(problem)) return;
        const isQuery = problem instanceof ApiError && problem.status === 400;
        setOutcome({ ...NOTHING, problem: messageOf(problem), wrongQuery: isQuery ? q : '' });
      },
    );
    return () => abort.abort();
  }, [q, said, state.from, state.to, state.limit, state.cursor, state.isLive, round, tenant.value]);
  return outcome;
}

function useTail(isLive: boolean, q: string): { traces: FoundTrace[]; problem: string } {
  const [traces, setTraces] = useState<FoundTrace[]>([]);
  const [problem, setProblem] = useState('');
  const newest = useRef<FoundTrace[]>([]);
  useEffect(() => {
    newest.current = [];
    setTraces([]);
    setProblem('');
    if (!isLive || q === '') return;
    const tell = (fresh: FoundTrace[]) => {
      const isFresh = new Set(fresh.map(({ id }) => id));
      newest.current = [...fresh, ...newest.current.filter(({ id }) => !isFresh.has(id))].slice(0, MOST_LIVE);
      setTraces(newest.current);
      setProblem('');
    };
    const tail = follow(q, tell, (trouble) => setProblem(messageOf(trouble)));
    return () => tail.stop();
  }, [isLive, q, tenant.value]);
  return { traces, problem };
}
