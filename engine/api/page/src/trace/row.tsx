// The rows in sight.

import { serviceColor } from '../base/color';
import { showDuration } from '../base/time';
import { niceTicks } from '../plot/axis';
import { type CriticalPath, firstStretch } from './critical';
import type { Tree } from './tree';
import { ROW_HEIGHT } from './waterfall';
import { type Window, within } from './window';

interface Props {
  tree: Tree;
  rows: Uint32Array;
  first: number;
  last: number;
  window: Window;
  critical: CriticalPath | null;
  collapsed: ReadonlySet<number>;
  chosen: number;
  matches: Uint32Array;
  choose: (row: number) => void;
  toggle: (row: number) => void;
}

export function Rows(props: Props) {
  const { rows, first, last, matches } = props;
  const shown = Array.from(rows.subarray(first, last));
  const isMatch = matchesAmong(matches, shown);
  return (
    <>
      {shown.map((row, at) => (
        <Row key={row} row={row} place={first + at} isMatch={isMatch.has(row)} {...props} />
      ))}
    </>
  );
}

function matchesAmong(matches: Uint32Array, shown: number[]): Set<number> {
  const [low, high] = [shown[0] ?? 0, shown.at(-1) ?? 0];
  return new Set(matches.filter((row) => row >= low && row <= high));
}

const MOST_INDENT = 24;

function Row(props: Props & { row: number; place: number; isMatch: boolean }) {
  const { tree, row, place, collapsed, chosen, isMatch, choose, toggle } = props;
  const service = tree.services[tree.service[row]!] ?? '';
  const name = tree.names[tree.name[row]!] ?? '';
  const below = tree.end[row]! - row - 1;
  const isOpen = !collapsed.has(row);
  const style = ['row', row === chosen && 'chosen', isMatch && 'match'].filter(Boolean).join(' ');
  return (
    <div
      class={style}
      role="row"
      id={`row-${row}`}
      aria-rowindex={place + 1}
      aria-level={tree.depth[row]! + 1}
      aria-selected={row === chosen}
      aria-expanded={below > 0 ? isOpen : undefined}
      style={{ transform: `translateY(${place * ROW_HEIGHT}px)` }}
      onClick={() => choose(row === chosen ? -1 : row)}
    >
      <div
        class="cell-name"
        role="gridcell"
        style={{ paddingLeft: `${Math.min(tree.depth[row]!, MOST_INDENT) * 12 + 4}px` }}
      >
        {below > 0 ? (
          <button
            type="button"
            class="twist"
            tabIndex={-1}
            aria-label={isOpen ? 'collapse' : 'expand'}
            onClick={(event) => {
              event.stopPropagation();
              toggle(row);
            }}
          >
            {isOpen ? '▾' : '▸'}
          </button>
        ) : (
          <span class="twist" />
        )}
        <span class="strip" style={{ background: serviceColor(service) }} />
        {tree.status[row] === 2 && (
          <span class="bad flag" title="error" aria-label="error">
            !
          </span>
        )}
        <span class="svc">{service}</span>
        <span class="op" title={`${service} ${name}`}>
          {name}
        </span>
        {!isOpen && <span class="faint below">+{below.toLocaleString('en-US')}</span>}
      </div>
      <Bar {...props} service={service} />
    </div>
  );
}

function Bar({ tree, row, window, critical, service }: Props & { row: number; service: string }) {
  const start = tree.start[row]!;
  const place = within(start, start + tree.duration[row]!, window);
  const label = showDuration(tree.duration[row]!);
  if (!place) {
    const isBefore = start < window.from;
    return (
      <div class="cell-bar" role="gridcell">
        <span class={isBefore ? 'aside before' : 'aside after'}>{isBefore ? `‹ ${label}` : `${label} ›`}</span>
      </div>
    );
  }
  const isLabelRight = place.left + place.width < 0.85;
  const isOver = !isLabelRight && place.left < 0.15;
  const labelPlace = isLabelRight
    ? { left: `calc(${(place.left + place.width) * 100}% + 5px)` }
    : { right: `calc(${(1 - place.left) * 100}% + 5px)` };
  return (
    <div class="cell-bar" role="gridcell">
      <span
        class={tree.status[row] === 2 ? 'bar error' : 'bar'}
        style={{ left: `${place.left * 100}%`, width: `${place.width * 100}%`, background: serviceColor(service) }}
      />
      {critical && <Stretches critical={critical} row={row} window={window} />}
      {tree.events[row]! > 0 && (
        <i class="has-events" style={{ left: `${place.left * 100}%` }} title={`${tree.events[row]} events`} />
      )}
      <span
        class={isOver ? 'took over' : 'took'}
        style={isOver ? { right: '4px', background: serviceColor(service) } : labelPlace}
      >
        {label}
      </span>
    </div>
  );
}

/** The stretches of a row that the whole waited for. */
function Stretches({ critical, row, window }: { critical: CriticalPath; row: number; window: Window }) {
  const found = [];
  for (let at = firstStretch(critical, row); critical.row[at] === row; at++) {
    const place = within(critical.from[at]!, critical.to[at]!, window);
    if (!place) continue;
    const style = { left: `${place.left * 100}%`, width: `${place.width * 100}%` };
    found.push(<span key={at} class="critical" style={style} />);
  }
  return <>{found}</>;
}

/** The times above the rows, and lines down from them. */
export function Ruler({ window }: { window: Window }) {
  const ticks = niceTicks(window.from, window.to, 6).map((tick) => ({
    label: tick === 0 ? '0' : showDuration(tick),
    left: `${within(tick, tick, window)!.left * 100}%`,
  }));
  return (
    <div class="ruler" aria-hidden="true">
      <div>
        {ticks.map(({ label, left }) => (
          <span key={left} style={{ left }}>
            {label}
          </span>
        ))}
      </div>
    </div>
  );
}
