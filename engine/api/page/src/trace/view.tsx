// A trace: what it is about, and the ways to look at it.

import { useEffect, useMemo, useState } from 'preact/hooks';
import { messageOf, tenant } from '../api/client';
import { useKeys } from '../app/keys';
import { Notice } from '../app/parts';
import { go, linkWith, params } from '../app/router';
import { readTraceId } from '../base/link';
import { plural } from '../base/number';
import { FlameView } from './flame-view';
import { TraceHead } from './head';
import { useLive } from './live';
import { type Loaded, TraceSource } from './source';
import { StatisticsView } from './statistics-view';
import { StructureView } from './structure-view';
import { Waterfall } from './waterfall';

const TABS = ['waterfall', 'flame', 'statistics', 'structure'] as const;
/** Live traces with more spans are read again only when a person asks. */
const MOST_REREAD = 5000;

export type Tab = (typeof TABS)[number];

export function TraceView() {
  const named = params.value.id ?? '';
  const id = readTraceId(named) ?? named;
  const [round, setRound] = useState(0);
  const { source, loaded, problem } = useTrace(id, round);
  const again = () => setRound((before) => before + 1);
  const size = loaded?.tree.count ?? 0;
  const isLive = useLive(id, loaded !== null, () => size <= MOST_REREAD && again());
  useKeys(TABS.map((tab, at) => ({ keys: String(at + 1), about: tab, run: () => go(linkWith({ tab }), true) })));
  useEffect(() => {
    document.title = loaded ? `${nameOf(loaded)} · Spanloom` : 'Spanloom';
    return () => void (document.title = 'Spanloom');
  }, [loaded]);
  if (problem !== '') return <Notice kind="error">{problem}</Notice>;
  if (!loaded || !source) return <p class="loading">reading the trace…</p>;
  const { tree } = loaded;
  if (tree.count === 0) return <Notice kind="info">There is no trace {id}.</Notice>;
  const tab = TABS.find((one) => one === params.value.tab) ?? 'waterfall';
  const orphans = tree.orphan.reduce((sum, one) => sum + one, 0);
  return (
    <div class="trace" data-spans={tree.count}>
      <TraceHead id={id} loaded={loaded} tabs={TABS} tab={tab} isLive={isLive} again={again} />
      {isLive && (
        <Notice kind="info">
          not yet complete: spans of this trace are still being taken in.{' '}
          {size <= MOST_REREAD ? 'It is read again as they come.' : 'It is too large to be read again by itself.'}
        </Notice>
      )}
      {tree.partial && <Notice kind="warning">{tree.partial}</Notice>}
      {orphans > 0 && (
        <Notice kind="warning">
          {plural(orphans, 'span')} {orphans === 1 ? 'names a parent' : 'name parents'} not in this trace.
        </Notice>
      )}
      {tab === 'waterfall' && <Waterfall loaded={loaded} source={source} />}
      {tab === 'flame' && <FlameView tree={tree} />}
      {tab === 'statistics' && <StatisticsView tree={tree} />}
      {tab === 'structure' && <StructureView tree={tree} />}
    </div>
  );
}

export function nameOf({ tree }: Loaded): string {
  return `${tree.services[tree.service[0]!] ?? ''} ${tree.names[tree.name[0]!] ?? ''}`.trim();
}

/** Spans are never changed, so a trace with as many of them is the one that is shown. */
function isSame(before: Loaded | null, now: Loaded): boolean {
  return before !== null && before.tree.count === now.tree.count && before.tree.partial === now.tree.partial;
}

/** Reads a trace; what was read before stays until the new one is there. */
export function useTrace(id: string, round: number) {
  const source = useMemo(() => {
    const known = readTraceId(id);
    return known === null ? null : new TraceSource(known);
  }, [id]);
  const [state, setState] = useState<{ loaded: Loaded | null; problem: string }>({ loaded: null, problem: '' });
  useEffect(() => () => source?.close(), [source]);
  useEffect(() => {
    if (!source)
      return setState({ loaded: null, problem: `"${id}" is no trace id, expected 1 to 32 hexadecimal digits` });
    let isHere = true;
    source.load().then(
      (loaded) => isHere && setState((before) => (isSame(before.loaded, loaded) ? before : { loaded, problem: '' })),
      (problem: unknown) => isHere && setState({ loaded: null, problem: messageOf(problem) }),
    );
    return () => void (isHere = false);
  }, [source, round, tenant.value]);
  return { source, ...state };
}
