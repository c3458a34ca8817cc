// The flame graph of a trace: where its time went, by path. A click shows one part alone.

import { useMemo } from 'preact/hooks';
import { go, linkWith, params } from '../app/router';
import { serviceColor } from '../base/color';
import { plural, showPercent } from '../base/number';
import { showDuration } from '../base/time';
import { byPath, type Flame, flames } from './groups';
import type { Tree } from './tree';

const ROW_HEIGHT = 20;
/** Narrower parts are not drawn, as a share of the width. */
const LEAST = 0.0008;

export function FlameView({ tree }: { tree: Tree }) {
  const nodes = useMemo(() => byPath([tree]), [tree]);
  const focus = Number(params.value.focus ?? -1);
  const parts = useMemo(() => flames(nodes, focus, LEAST), [nodes, focus]);
  const depth = parts.reduce((most, part) => Math.max(most, part.depth), 0) + 1;
  const whole = nodes.filter((node) => node.parent < 0).reduce((sum, node) => sum + node.weight[0]!, 0) || 1;
  const show = (at: number) => go(linkWith({ focus: at === focus || nodes[at]!.parent < 0 ? undefined : at }));
  return (
    <section aria-label="flame graph">
      <p class="faint">
        Widths are time spent in the spans themselves and all below them, {showDuration(whole)} in all; spans with the
        same path are one part. Click a part to see it alone, its top to go back.
      </p>
      <div class="flame" style={{ height: `${depth * ROW_HEIGHT}px` }}>
        {parts.map((part) => (
          <Part key={part.node.at} part={part} whole={whole} show={show} />
        ))}
      </div>
    </section>
  );
}

function Part({
  part: { node, depth, left, width },
  whole,
  show,
}: {
  part: Flame;
  whole: number;
  show: (at: number) => void;
}) {
  const about =
    `${node.service} ${node.name}\n${plural(node.count[0]!, 'span')}, ` +
    `${showDuration(node.weight[0]!)} (${showPercent(node.weight[0]! / whole)}), self ${showDuration(node.self[0]!)}`;
  return (
    <button
      type="button"
      class={node.errors[0]! > 0 ? 'flame-part error' : 'flame-part'}
      title={about}
      aria-label={about}
      style={{
        left: `${left * 100}%`,
        width: `${width * 100}%`,
        top: `${depth * ROW_HEIGHT}px`,
        borderLeftColor: serviceColor(node.service),
        '--part': serviceColor(node.service),
      }}
      onClick={() => show(node.at)}
    >
      {width > 0.03 && (
        <>
          <b>{node.name}</b> {node.service}
        </>
      )}
    </button>
  );
}
