// The structure of a trace: spans with the same path of services and operations as one row.

import { useMemo, useState } from 'preact/hooks';
import { Service } from '../app/parts';
import { plural, showCount, showPercent } from '../base/number';
import { showDuration } from '../base/time';
import { byPath, inOrder, type PathNode } from './groups';
import type { Tree } from './tree';

/** Of larger structures the first rows are shown. */
const MOST_ROWS = 2000;
const MOST_AT_FIRST = 500;

export function StructureView({ tree }: { tree: Tree }) {
  const nodes = useMemo(() => byPath([tree]), [tree]);
  const [collapsed, setCollapsed] = useState<ReadonlySet<number>>(() => atFirst(nodes));
  const rows = inOrder(nodes, collapsed);
  const whole = nodes.filter((node) => node.parent < 0).reduce((sum, node) => sum + node.weight[0]!, 0) || 1;
  return (
    <section aria-label="structure" class="scroll-x">
      <table class="structure" role="treegrid">
        <thead>
          <tr>
            <th scope="col">Service and operation</th>
            {['Spans', 'Errors', 'Mean', 'Self', 'Share'].map((label) => (
              <th key={label} scope="col" class="num">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, MOST_ROWS).map((node) => (
            <tr key={node.at} aria-level={node.depth + 1}>
              <PathCell node={node} collapsed={collapsed} setCollapsed={setCollapsed} />
              <td class="num">{showCount(node.count[0]!)}</td>
              <td class={node.errors[0]! > 0 ? 'num bad' : 'num'}>{node.errors[0]! > 0 ? node.errors[0] : ''}</td>
              <td class="num">{showDuration(node.total[0]! / node.count[0]!)}</td>
              <td class="num">{showDuration(node.self[0]!)}</td>
              <td class="num">{showPercent(node.weight[0]! / whole)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > MOST_ROWS && (
        <p class="faint">{plural(rows.length - MOST_ROWS, 'more row')} not shown; collapse some.</p>
      )}
    </section>
  );
}

/** What is collapsed at first: nothing, or in large structures all below the third level. */
function atFirst(nodes: readonly PathNode[]): Set<number> {
  if (nodes.length <= MOST_AT_FIRST) return new Set();
  return new Set(nodes.filter((node) => node.depth >= 2).map((node) => node.at));
}

type CellProps = { node: PathNode; collapsed: ReadonlySet<number>; setCollapsed: (rows: ReadonlySet<number>) => void };

/** The first cell of a row, indented, with what collapses it. */
export function PathCell({ node, collapsed, setCollapsed }: CellProps) {
  const isOpen = !collapsed.has(node.at);
  const toggle = () => {
    const next = new Set(collapsed);
    if (!next.delete(node.at)) next.add(node.at);
    setCollapsed(next);
  };
  return (
    <th scope="row" class="path" style={{ paddingLeft: `${Math.min(node.depth, 40) * 16}px` }}>
      {node.children.length > 0 ? (
        <button
          type="button"
          class="twist"
          aria-label={isOpen ? 'collapse' : 'expand'}
          aria-expanded={isOpen}
          onClick={toggle}
        >
          {isOpen ? '▾' : '▸'}
        </button>
      ) : (
        <span class="twist" />
      )}
      <Service service={node.service} /> <span>{node.name}</span>
    </th>
  );
}
