// The whole trace in small, and which stretch of its time is shown below: drag to choose one, double-click for all.

import { useEffect, useRef, useState } from 'preact/hooks';
import { useSize } from '../app/parts';
import { isDark } from '../app/settings';
import { serviceColor } from '../base/color';
import { showDuration } from '../base/time';
import { prepare, themeColor } from '../plot/canvas';
import type { Tree } from './tree';
import type { Window } from './window';

const HEIGHT = 56;
/** Of larger traces every so-manyth span is drawn. */
const MOST_DRAWN = 20_000;

type Props = { tree: Tree; window: Window; setWindow: (window: Window) => void };

export function Minimap({ tree, window, setWindow }: Props) {
  const [box, { width }] = useSize<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [drag, setDrag] = useState<[number, number] | null>(null);
  useEffect(() => {
    const context = canvas.current && width > 0 ? prepare(canvas.current, width, HEIGHT) : null;
    if (context) draw(context, tree, width);
  }, [tree, width, isDark.value]);
  const timeAt = (event: PointerEvent) => {
    const frame = canvas.current!.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - frame.left) / frame.width)) * tree.total;
  };
  const finish = (event: PointerEvent) => {
    if (!drag) return;
    const [from, to] = [Math.min(drag[0], timeAt(event)), Math.max(drag[0], timeAt(event))];
    setDrag(null);
    if (to - from > tree.total / 500) setWindow({ from, to });
  };
  const total = Math.max(tree.total, 1);
  const shown = drag ? { from: Math.min(...drag), to: Math.max(...drag) } : window;
  return (
    <div class="overview">
      <div
        class="minimap"
        ref={box}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          setDrag([timeAt(event), timeAt(event)]);
        }}
        onPointerMove={(event) => drag && setDrag([drag[0], timeAt(event)])}
        onPointerUp={finish}
        onDblClick={() => setWindow({ from: 0, to: total })}
        title="drag to show a stretch of time, double-click for all (z)"
      >
        <canvas ref={canvas} role="img" aria-label={`the whole trace, ${showDuration(tree.total)}`} />
        <span class="shade" style={{ left: '0', width: `${(100 * shown.from) / total}%` }} />
        <span class="shade" style={{ right: '0', width: `${100 - (100 * shown.to) / total}%` }} />
      </div>
    </div>
  );
}

function draw(context: CanvasRenderingContext2D, tree: Tree, width: number): void {
  const step = Math.ceil(tree.count / MOST_DRAWN);
  const scale = width / Math.max(tree.total, 1);
  const high = Math.max(1, Math.min(4, HEIGHT / tree.count - 0.5));
  const colors = tree.services.map(serviceColor);
  const bad = themeColor('bad');
  for (let row = 0; row < tree.count; row += step) {
    context.fillStyle = tree.status[row] === 2 ? bad : colors[tree.service[row]!]!;
    const wide = Math.max(1, tree.duration[row]! * scale);
    context.fillRect(tree.start[row]! * scale, (row / tree.count) * (HEIGHT - high), wide, high);
  }
}
