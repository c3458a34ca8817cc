// Two traces side by side: what both have, what only one has, and how long it took in each.

import { useMemo, useState } from 'preact/hooks';
import { Link, Notice, Service, Time } from '../app/parts';
import { go, linkTo, linkWith, params } from '../app/router';
import { plural } from '../base/number';
import { showDuration } from '../base/time';
import { byPath, inOrder, type PathNode } from './groups';
import type { Loaded } from './source';
import { PathCell } from './structure-view';
import { useTrace } from './view';

const MOST_ROWS = 2000;

export function CompareView() {
  const { a = '', b = '' } = params.value;
  return (
    <div class="compare">
      <h1>Two traces</h1>
      <div class="sides">
        <Choice name="a" id={a} />
        <Choice name="b" id={b} />
      </div>
      {a !== '' && b !== '' ? (
        <Both key={`${a} ${b}`} a={a} b={b} />
      ) : (
        <p class="faint">
          Name the other trace by its id, or mark two in the <Link to={linkTo('search')}>search</Link>.
        </p>
      )}
    </div>
  );
}

function Choice({ name, id }: { name: 'a' | 'b'; id: string }) {
  return (
    <label>
      {name.toUpperCase()}
      <input
        value={id}
        size={36}
        spellcheck={false}
        placeholder="trace id"
        onChange={(event) => go(linkWith({ [name]: event.currentTarget.value.trim().toLowerCase() }))}
      />
    </label>
  );
}

function Both({ a, b }: { a: string; b: string }) {
  const [left, right] = [useTrace(a, 0), useTrace(b, 0)];
  const problem = left.problem || right.problem;
  if (problem !== '') return <Notice kind="error">{problem}</Notice>;
  if (!left.loaded || !right.loaded) return <p class="loading">reading both traces…</p>;
  const missing = [left.loaded, right.loaded].findIndex((one) => one.tree.count === 0);
  if (missing >= 0) return <Notice kind="info">There is no trace {[a, b][missing]}.</Notice>;
  return (
    <>
      <div class="sides">
        <Side id={a} loaded={left.loaded} />
        <Side id={b} loaded={right.loaded} />
      </div>
      <Differences left={left.loaded} right={right.loaded} />
    </>
  );
}

function Side({ id, loaded: { tree } }: { id: string; loaded: Loaded }) {
  const errors = tree.status.reduce((sum, one) => sum + Number(one === 2), 0);
  return (
    <p>
      <Link to={linkTo('trace', { id })}>
        <Service service={tree.services[tree.service[0]!] ?? ''} /> {tree.names[tree.name[0]!]}
      </Link>
      <br />
      <span class="faint">
        <Time ms={Number(tree.baseNs / 1000n) / 1e3} /> · {showDuration(tree.total)} · {plural(tree.count, 'span')} ·{' '}
        {plural(errors, 'error')}
      </span>
    </p>
  );
}

function Differences({ left, right }: { left: Loaded; right: Loaded }) {
  const nodes = useMemo(() => byPath([left.tree, right.tree]), [left, right]);
  const [collapsed, setCollapsed] = useState<ReadonlySet<number>>(new Set());
  const onlyChanged = params.value.changed === '1';
  const rows = inOrder(nodes, collapsed).filter((node) => !onlyChanged || verdict(node) !== 'same');
  const most = Math.max(...nodes.map((node) => Math.abs(node.total[1]! - node.total[0]!)), 1);
  return (
    <>
      <label class="check">
        <input
          type="checkbox"
          checked={onlyChanged}
          onChange={() => go(linkWith({ changed: onlyChanged ? undefined : '1' }), true)}
        />
        only what differs
      </label>
      <div class="scroll-x">
        <table class="differences">
          <thead>
            <tr>
              <th scope="col">Service and operation</th>
              {['Spans A', 'Spans B', 'Time A', 'Time B', 'B − A'].map((label) => (
                <th key={label} scope="col" class="num">
                  {label}
                </th>
              ))}
              <th scope="col">
                <span class="sr">difference</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, MOST_ROWS).map((node) => (
              <Row key={node.at} node={node} most={most} collapsed={collapsed} setCollapsed={setCollapsed} />
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

/** A tenth of the time either way counts as the same. */
function verdict({ count, total }: PathNode): 'only-a' | 'only-b' | 'slower' | 'faster' | 'same' {
  if (count[1] === 0) return 'only-a';
  if (count[0] === 0) return 'only-b';
  const [a, b] = [total[0]!, total[1]!];
  return b > a * 1.1 ? 'slower' : b < a * 0.9 ? 'faster' : 'same';
}

const SAID = { 'only-a': 'only in A', 'only-b': 'only in B', slower: 'slower in B', faster: 'faster in B', same: '' };

type RowProps = {
  node: PathNode;
  most: number;
  collapsed: ReadonlySet<number>;
  setCollapsed: (rows: ReadonlySet<number>) => void;
};

function Row({ node, most, collapsed, setCollapsed }: RowProps) {
  const is = verdict(node);
  const by = node.total[1]! - node.total[0]!;
  const time = (which: number) => (node.count[which] === 0 ? '–' : showDuration(node.total[which]!));
  return (
    <tr class={is}>
      <PathCell node={node} collapsed={collapsed} setCollapsed={setCollapsed} />
      <td class="num">{node.count[0]}</td>
      <td class="num">{node.count[1]}</td>
      <td class="num">{time(0)}</td>
      <td class="num">{time(1)}</td>
      <td class="num">
        {by > 0 ? '+' : by < 0 ? '−' : ''}
        {showDuration(Math.abs(by))}
      </td>
      <td class="difference">
        {by !== 0 && (
          <span class={by > 0 ? 'delta more' : 'delta less'} style={{ width: `${(Math.abs(by) / most) * 60}px` }} />
        )}
        <span class="faint">{SAID[is]}</span>
      </td>
    </tr>
  );
}
