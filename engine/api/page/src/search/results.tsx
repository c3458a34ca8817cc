// What was found: a scatter of starts and durations, and a table.

import { Fragment } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { type Found, type FoundTrace } from '../api/search';
import { useKeys } from '../app/keys';
import { Button, Link, Service, Time } from '../app/parts';
import { go, linkTo, linkWith, params } from '../app/router';
import { serviceColor } from '../base/color';
import { plural, showBytes, showCount } from '../base/number';
import { showDuration } from '../base/time';
import { Matched } from './matched';
import { Scatter } from './scatter';
import type { SearchState } from './state';
import { type SortKey, sortTraces } from './sort';

interface Props {
  traces: FoundTrace[];
  found: Found | null;
  state: SearchState;
  isBusy: boolean;
  isLive: boolean;
  failed: boolean;
}

export function Results({ traces, found, state, isBusy, isLive, failed }: Props) {
  const [key, isUp] = readSort(params.value.sort);
  const rows = sortTraces(traces, key, isUp);
  const withSpans = params.value.matched === '1';
  const [chosen, setChosen] = useState(-1);
  useEffect(() => setChosen(-1), [found]);
  const move = (step: number) => setChosen(Math.min(rows.length - 1, Math.max(0, chosen + step)));
  const openRow = () => rows[chosen] && go(traceLink(rows[chosen]!));
  useKeys([
    { keys: 'j', about: 'next trace', run: () => move(1) },
    { keys: 'k', about: 'trace before', run: () => move(-1) },
    { keys: 'Enter', about: 'open the trace', run: openRow },
  ]);
  const [marked, setMarked] = useState<string[]>([]);
  const mark = (id: string) =>
    setMarked(marked.includes(id) ? marked.filter((one) => one !== id) : [...marked.slice(-1), id]);
  return (
    <section class="results" aria-label="results" aria-busy={isBusy}>
      <div class="results-head">
        <span role="status">{summary(rows.length, found, isBusy, isLive, failed)}</span>
        <span class="grow" />
        {marked.length === 2 && (
          <Link to={linkTo('compare', { a: marked[0]!, b: marked[1]! })} class="button">
            compare the two
          </Link>
        )}
        <Button
          pressed={withSpans}
          title="the spans that matched, with the fields that the query names"
          onClick={() => go(linkWith({ matched: withSpans ? undefined : '1' }), true)}
        >
          matched spans
        </Button>
        <Pages found={found} state={state} />
      </div>
      {rows.length > 0 && (
        <>
          <Scatter traces={rows} open={(trace) => go(traceLink(trace))} />
          <Table withSpans={withSpans} rows={rows} sort={[key, isUp]} chosen={chosen} marked={marked} mark={mark} />
        </>
      )}
      {rows.length === 0 && !isBusy && !failed && found && (
        <p class="empty">
          No trace in this range.{' '}
          <Link to={linkWith({ from: 'now-24h', to: undefined, cursor: undefined })}>Look at the last 24 h</Link>
        </p>
      )}
    </section>
  );
}

export function traceLink(trace: FoundTrace): string {
  return linkTo('trace', { id: trace.id });
}

function summary(count: number, found: Found | null, isBusy: boolean, isLive: boolean, failed: boolean): string {
  if (isLive) return `following: ${plural(count, 'trace')} so far`;
  if (isBusy) return 'searching…';
  if (!found || failed) return '';
  const { inspectedSpans, inspectedBytes } = found;
  return `${plural(count, 'trace')}${found.nextCursor ? ', and more' : ''} · ${showCount(inspectedSpans)} spans looked at, ${showBytes(inspectedBytes)} read`;
}

function Pages({ found, state }: { found: Found | null; state: SearchState }) {
  if (!found || (found.nextCursor === '' && state.cursor === '')) return null;
  return (
    <span class="pages">
      {state.cursor !== '' && <Link to={linkWith({ cursor: undefined })}>newest</Link>}
      {state.cursor !== '' && <Button onClick={() => history.back()}>‹ before</Button>}
      {found.nextCursor !== '' && (
        <Link to={linkWith({ cursor: found.nextCursor })} class="button">
          older ›
        </Link>
      )}
    </span>
  );
}

function readSort(text = ''): [SortKey, boolean] {
  const [key, way] = text.split('-');
  const keys: SortKey[] = ['start', 'duration', 'spans', 'errors', 'name'];
  return keys.includes(key as SortKey) ? [key as SortKey, way === 'up'] : ['start', false];
}

const COLUMNS: [SortKey, string, string][] = [
  ['start', 'Start', ''],
  ['name', 'Root', ''],
  ['duration', 'Duration', 'num'],
  ['spans', 'Spans', 'num'],
  ['errors', 'Errors', 'num'],
];

type TableProps = {
  withSpans: boolean;
  rows: FoundTrace[];
  sort: [SortKey, boolean];
  chosen: number;
  marked: string[];
  mark: (id: string) => void;
};

function Table({ withSpans, rows, sort: [key, isUp], chosen, marked, mark }: TableProps) {
  const longest = Math.max(...rows.map((trace) => trace.durationMs), 1);
  return (
    <div class="scroll-x">
      <table class="traces">
        <thead>
          <tr>
            <th scope="col" class="mark">
              <span class="sr">compare</span>
            </th>
            {COLUMNS.map(([column, label, style]) => (
              <th
                key={column}
                scope="col"
                class={style}
                aria-sort={column !== key ? 'none' : isUp ? 'ascending' : 'descending'}
              >
                <Link to={linkWith({ sort: `${column}-${column === key && !isUp ? 'up' : 'down'}` })}>
                  {label}
                  {column === key ? (isUp ? ' ↑' : ' ↓') : ''}
                </Link>
              </th>
            ))}
            <th scope="col">Services</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((trace, at) => (
            <Fragment key={trace.id}>
              <Row {...{ trace, longest, mark }} isChosen={at === chosen} isMarked={marked.includes(trace.id)} />
              {withSpans && <Matched trace={trace} />}
            </Fragment>
          ))}
        </tbody>
      </table>
    </div>
  );
}

type RowProps = {
  trace: FoundTrace;
  longest: number;
  isChosen: boolean;
  isMarked: boolean;
  mark: (id: string) => void;
};

function Row({ trace, longest, isChosen, isMarked, mark }: RowProps) {
  return (
    <tr class={isChosen ? 'chosen' : ''} aria-selected={isChosen}>
      <td class="mark">
        <input
          type="checkbox"
          checked={isMarked}
          onChange={() => mark(trace.id)}
          aria-label={`compare ${trace.name}`}
        />
      </td>
      <td class="nowrap">
        <Time ms={trace.startMs} />
      </td>
      <td class="root">
        <Link to={traceLink(trace)}>
          {trace.hasRoot ? (
            <>
              <Service service={trace.service} /> <span class="op">{trace.name}</span>
            </>
          ) : (
            <em>root not yet received</em>
          )}
        </Link>
        {trace.matched > 0 && trace.matched < trace.spans && <span class="faint"> {trace.matched} matched</span>}
      </td>
      <td class="num duration">
        {trace.durationMs === 0 ? '<1 ms' : showDuration(trace.durationMs * 1e6)}
        <span
          class="length"
          style={{ width: `${(100 * trace.durationMs) / longest}%`, background: serviceColor(trace.service) }}
        />
      </td>
      <td class="num">{trace.spans}</td>
      <td class={trace.errors > 0 ? 'num bad' : 'num'}>{trace.errors > 0 ? trace.errors : ''}</td>
      <td class="shares">
        <Shares trace={trace} />
      </td>
    </tr>
  );
}

/** A bar with a part for each service, by its spans. */
function Shares({ trace }: { trace: FoundTrace }) {
  const title = trace.services.map((one) => `${one.name || 'no service'}: ${plural(one.spans, 'span')}`).join('\n');
  return (
    <span class="share-bar" title={title} role="img" aria-label={title}>
      {trace.services.map((one) => (
        <span
          key={one.name}
          class={one.errors > 0 ? 'has-errors' : ''}
          style={{ flexGrow: String(one.spans), background: serviceColor(one.name) }}
        />
      ))}
    </span>
  );
}
