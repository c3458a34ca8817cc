// The waterfall: a row for each span that is not hidden, of which only those in sight exist in the document.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { useKeys } from '../app/keys';
import { Button, useSize } from '../app/parts';
import { go, linkWith, params } from '../app/router';
import { plural } from '../base/number';
import { idText } from './columns';
import { DetailPanel } from './detail-view';
import { Minimap } from './minimap';
import { Rows, Ruler } from './row';
import { carried, inSight, parentsFrom, placeOf, reveal, visibleRows } from './rows';
import type { Loaded, TraceSource } from './source';
import type { Tree } from './tree';
import { readWindow, writeWindow } from './window';

export const ROW_HEIGHT = 24;
const MORE_ROWS = 12;

export function Waterfall({ loaded, source }: { loaded: Loaded; source: TraceSource }) {
  const { tree, critical } = loaded;
  const [collapsed, setCollapsed] = useState<ReadonlySet<number>>(new Set());
  const readBefore = useRef(tree);
  useEffect(() => {
    if (readBefore.current !== tree) setCollapsed(carried(collapsed, readBefore.current, tree));
    readBefore.current = tree;
  }, [tree]);
  const rows = useMemo(() => visibleRows(tree.end, collapsed), [tree, collapsed]);
  const window = readWindow(params.value.zoom, tree.total);
  const chosen = useMemo(() => rowOfSpan(tree, params.value.span), [tree, params.value.span]);
  const matches = useMatches(source, tree, params.value.find ?? '');
  const scroller = useRef<HTMLDivElement>(null);
  const [box, { height }] = useSize<HTMLDivElement>();
  const [top, setTop] = useState(0);
  const isCritical = params.value.critical === '1';

  const show = (row: number) => {
    const opened = reveal(collapsed, tree.parent, row);
    const among = opened.size === collapsed.size ? rows : visibleRows(tree.end, opened);
    if (opened.size !== collapsed.size) setCollapsed(opened);
    const at = placeOf(among, row) * ROW_HEIGHT;
    const element = scroller.current;
    if (!element) return;
    const isSeen = at >= element.scrollTop && at + ROW_HEIGHT <= element.scrollTop + element.clientHeight;
    if (!isSeen) requestAnimationFrame(() => (element.scrollTop = Math.max(0, at - element.clientHeight / 3)));
  };
  const choose = (row: number) => go(linkWith({ span: row < 0 ? undefined : idText(tree.id, row) }), true);
  const toggle = (row: number) => {
    if (tree.end[row]! === row + 1) return;
    const next = new Set(collapsed);
    if (!next.delete(row)) next.add(row);
    setCollapsed(next);
  };
  useEffect(() => {
    if (chosen >= 0) show(chosen);
  }, [chosen]);
  useEffect(() => {
    if (matches.length > 0 && !matches.includes(chosen)) choose(matches[0]!);
  }, [matches]);
  useWaterfallKeys({ tree, rows, chosen, matches, collapsed, choose, toggle, setCollapsed });

  const [first, last] = inSight(top, height, ROW_HEIGHT, rows.length, MORE_ROWS);
  return (
    <div class="waterfall-view">
      <Toolbar
        tree={tree}
        rows={rows.length}
        matches={matches}
        chosen={chosen}
        choose={choose}
        setCollapsed={setCollapsed}
      />
      <Minimap
        tree={tree}
        window={window}
        setWindow={(next) => go(linkWith({ zoom: writeWindow(next, tree.total) }), true)}
      />
      <div class={chosen >= 0 ? 'panes has-detail' : 'panes'}>
        <div class="rows-frame">
          <Ruler window={window} />
          <div class="rows-box" ref={box}>
            <div
              class="rows-scroll"
              ref={scroller}
              role="treegrid"
              aria-label="spans"
              aria-rowcount={rows.length}
              aria-activedescendant={chosen >= 0 ? `row-${chosen}` : undefined}
              tabIndex={0}
              onScroll={(event) => setTop(event.currentTarget.scrollTop)}
            >
              <div class="rows-space" role="rowgroup" style={{ height: `${rows.length * ROW_HEIGHT}px` }}>
                <Rows
                  tree={tree}
                  rows={rows}
                  first={first}
                  last={last}
                  window={window}
                  critical={isCritical ? critical : null}
                  collapsed={collapsed}
                  chosen={chosen}
                  matches={matches}
                  choose={choose}
                  toggle={toggle}
                />
              </div>
            </div>
          </div>
        </div>
        {chosen >= 0 && (
          <DetailPanel key={chosen} tree={tree} row={chosen} source={source} close={() => choose(-1)} show={choose} />
        )}
      </div>
    </div>
  );
}

function rowOfSpan(tree: Tree, span = ''): number {
  if (!/^[0-9a-f]{16}$/.test(span)) return -1;
  const [high, low] = [parseInt(span.slice(0, 8), 16), parseInt(span.slice(8), 16)];
  for (let row = 0; row < tree.count; row++) {
    if (tree.id[2 * row] === high && tree.id[2 * row + 1] === low) return row;
  }
  return -1;
}

/** The next row with an error, from the first again behind the last; the same row when there is none. */
function nextError(tree: Tree, chosen: number): number {
  for (let step = 1; step <= tree.count; step++) {
    const row = (chosen + step + tree.count) % tree.count;
    if (tree.status[row] === 2) return row;
  }
  return chosen;
}

function useMatches(source: TraceSource, tree: Tree, text: string): Uint32Array {
  const [matches, setMatches] = useState(new Uint32Array());
  useEffect(() => {
    let isHere = true;
    if (text === '') setMatches(new Uint32Array());
    else
      source.find(text).then(
        (found) => isHere && setMatches(found as Uint32Array<ArrayBuffer>),
        () => undefined,
      );
    return () => void (isHere = false);
  }, [source, tree, text]);
  return matches;
}

type ToolbarProps = {
  tree: Tree;
  rows: number;
  matches: Uint32Array;
  chosen: number;
  choose: (row: number) => void;
  setCollapsed: (rows: ReadonlySet<number>) => void;
};

function Toolbar({ tree, rows, matches, chosen, choose, setCollapsed }: ToolbarProps) {
  const find = params.value.find ?? '';
  const isCritical = params.value.critical === '1';
  const at = matches.indexOf(chosen);
  const step = (by: number) => choose(matches[(at + by + matches.length) % matches.length]!);
  return (
    <div class="toolbar">
      <input
        type="search"
        class="find"
        aria-label="find in this trace"
        placeholder="find: text or key=value"
        value={find}
        spellcheck={false}
        onInput={(event) => go(linkWith({ find: event.currentTarget.value }), true)}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && matches.length > 0) step(event.shiftKey ? -1 : 1);
        }}
      />
      {find !== '' && (
        <span role="status" class="faint">
          {matches.length === 0 ? 'none' : `${at + 1} of ${matches.length.toLocaleString('en-US')}`}
        </span>
      )}
      {matches.length > 0 && (
        <>
          <Button class="small" aria-label="match before" onClick={() => step(-1)}>
            ↑
          </Button>
          <Button class="small" aria-label="next match" onClick={() => step(1)}>
            ↓
          </Button>
        </>
      )}
      <span class="grow" />
      <span class="faint">{rows < tree.count && `${plural(rows, 'row')} shown`}</span>
      <Button onClick={() => setCollapsed(new Set())}>expand all</Button>
      <Button onClick={() => setCollapsed(parentsFrom(tree.depth, tree.end, 1))}>collapse</Button>
      <Button pressed={isCritical} onClick={() => go(linkWith({ critical: isCritical ? undefined : '1' }), true)}>
        critical path
      </Button>
    </div>
  );
}

interface KeysOf {
  tree: Tree;
  rows: Uint32Array;
  chosen: number;
  matches: Uint32Array;
  collapsed: ReadonlySet<number>;
  choose: (row: number) => void;
  toggle: (row: number) => void;
  setCollapsed: (rows: ReadonlySet<number>) => void;
}

function useWaterfallKeys({ tree, rows, chosen, matches, collapsed, choose, toggle, setCollapsed }: KeysOf): void {
  const at = chosen < 0 ? -1 : placeOf(rows, chosen);
  const move = (by: number) => choose(rows[Math.min(rows.length - 1, Math.max(0, at + by))]!);
  const close = () => {
    if (chosen < 0) return;
    if (tree.end[chosen]! > chosen + 1 && !collapsed.has(chosen)) toggle(chosen);
    else if (tree.parent[chosen]! >= 0) choose(tree.parent[chosen]!);
  };
  const match = (by: number) => {
    if (matches.length > 0) choose(matches[(matches.indexOf(chosen) + by + matches.length) % matches.length]!);
  };
  const critical = () => go(linkWith({ critical: params.peek().critical === '1' ? undefined : '1' }), true);
  useKeys([
    { keys: 'ArrowDown', about: 'next span', run: () => move(1) },
    { keys: 'ArrowUp', about: 'span before', run: () => move(-1) },
    { keys: 'j', about: '', run: () => move(1) },
    { keys: 'k', about: '', run: () => move(-1) },
    { keys: 'ArrowLeft', about: 'collapse, or to the parent', run: close },
    { keys: 'ArrowRight', about: 'expand', run: () => chosen >= 0 && collapsed.has(chosen) && toggle(chosen) },
    { keys: '/', about: 'find in the trace', run: () => document.querySelector<HTMLElement>('input.find')?.focus() },
    { keys: 'n', about: 'next match', run: () => match(1) },
    { keys: 'N', about: 'match before', run: () => match(-1) },
    { keys: 'x', about: 'next error', run: () => choose(nextError(tree, chosen)) },
    { keys: 'c', about: 'critical path', run: critical },
    { keys: 'e', about: 'expand all', run: () => setCollapsed(new Set()) },
    { keys: 'E', about: 'collapse', run: () => setCollapsed(parentsFrom(tree.depth, tree.end, 1)) },
    { keys: 'z', about: 'whole time', run: () => go(linkWith({ zoom: undefined }), true) },
    { keys: 'Escape', about: 'close the span', run: () => choose(-1) },
  ]);
}
