// Found traces as points: when they began, how long they took. Crosses have errors.

import { useEffect, useRef, useState } from 'preact/hooks';
import type { FoundTrace } from '../api/search';
import { useSize } from '../app/parts';
import { isDark, zone } from '../app/settings';
import { serviceColor } from '../base/color';
import { plural } from '../base/number';
import { showDuration, showTime } from '../base/time';
import { logTicks, tickLabel, timeTicks } from '../plot/axis';
import { prepare, themeColor } from '../plot/canvas';

const HEIGHT = 150;
const [LEFT, RIGHT, TOP, BOTTOM] = [56, 12, 8, 22];
const NEAR = 12;

interface Point {
  x: number;
  y: number;
  trace: FoundTrace;
}

export function Scatter({ traces, open }: { traces: FoundTrace[]; open: (trace: FoundTrace) => void }) {
  const [box, { width }] = useSize<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const points = useRef<Point[]>([]);
  const [near, setNear] = useState<Point | null>(null);
  const shownZone = zone.value;
  useEffect(() => {
    const context = canvas.current && width > 0 ? prepare(canvas.current, width, HEIGHT) : null;
    if (context) points.current = draw(context, traces, width, shownZone);
    setNear(null);
  }, [traces.map((trace) => trace.id).join(), width, shownZone, isDark.value]);
  const find = (event: MouseEvent) => {
    const frame = canvas.current!.getBoundingClientRect();
    setNear(nearest(points.current, event.clientX - frame.left, event.clientY - frame.top));
  };
  const label = `${plural(traces.length, 'trace')} by start and duration; the table has the same`;
  return (
    <div class="scatter" ref={box}>
      <canvas
        ref={canvas}
        role="img"
        aria-label={label}
        class={near ? 'pointing' : ''}
        onMouseMove={find}
        onMouseLeave={() => setNear(null)}
        onClick={() => near && open(near.trace)}
      />
      {near && <Tip point={near} width={width} />}
    </div>
  );
}

function Tip({ point: { x, y, trace }, width }: { point: Point; width: number }) {
  const isRight = x > width / 2;
  const place = isRight ? { right: `${width - x + 10}px` } : { left: `${x + 10}px` };
  return (
    <div class="tip" style={{ ...place, top: `${Math.max(0, y - 20)}px` }}>
      <b>{trace.hasRoot ? `${trace.service} ${trace.name}` : 'root not yet received'}</b>
      <br />
      {showTime(trace.startMs, zone.value)} · {trace.durationMs === 0 ? '<1 ms' : showDuration(trace.durationMs * 1e6)}{' '}
      · {plural(trace.spans, 'span')}
      {trace.errors > 0 && `, ${plural(trace.errors, 'error')}`}
    </div>
  );
}

function nearest(points: Point[], x: number, y: number): Point | null {
  let [best, distance]: [Point | null, number] = [null, NEAR];
  for (const point of points) {
    const d = Math.hypot(point.x - x, point.y - y);
    if (d < distance) [best, distance] = [point, d];
  }
  return best;
}

/** Traces below a millisecond have the duration 0 in answers. */
const height = (trace: FoundTrace) => Math.max(trace.durationMs, 0.5);

function draw(context: CanvasRenderingContext2D, traces: FoundTrace[], width: number, shown: 'local' | 'utc'): Point[] {
  const [inner, depth] = [width - LEFT - RIGHT, HEIGHT - TOP - BOTTOM];
  let [first, last] = [Infinity, -Infinity];
  let [low, high] = [Infinity, -Infinity];
  for (const trace of traces) {
    [first, last] = [Math.min(first, trace.startMs), Math.max(last, trace.startMs)];
    [low, high] = [Math.min(low, height(trace)), Math.max(high, height(trace))];
  }
  if (last - first < 10) [first, last] = [first - 5, last + 5];
  [low, high] = [10 ** Math.floor(Math.log10(low)), 10 ** Math.ceil(Math.log10(high) + 1e-9)];
  if (low === high) high = low * 10;
  const x = (ms: number) => LEFT + (inner * (ms - first)) / (last - first);
  const y = (ms: number) => TOP + depth * (1 - Math.log(ms / low) / Math.log(high / low));
  axes(context, { first, last, low, high, x, y, width, shown });
  const points = traces.map((trace) => ({ x: x(trace.startMs), y: y(height(trace)), trace }));
  for (const point of points) mark(context, point);
  return points;
}

interface Axes {
  first: number;
  last: number;
  low: number;
  high: number;
  x: (ms: number) => number;
  y: (ms: number) => number;
  width: number;
  shown: 'local' | 'utc';
}

function axes(context: CanvasRenderingContext2D, { first, last, low, high, x, y, width, shown }: Axes): void {
  context.font = '11px system-ui, sans-serif';
  context.fillStyle = themeColor('faint');
  context.strokeStyle = themeColor('line');
  context.lineWidth = 1;
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  for (const tick of logTicks(low, high, 4)) {
    const at = Math.round(y(tick)) + 0.5;
    context.beginPath();
    context.moveTo(LEFT, at);
    context.lineTo(width - RIGHT, at);
    context.stroke();
    context.fillText(showDuration(tick * 1e6), LEFT - 8, at);
  }
  context.textAlign = 'center';
  context.textBaseline = 'bottom';
  const offset = shown === 'utc' ? 0 : -new Date(first).getTimezoneOffset() * 60e3;
  for (const tick of timeTicks(first, last, Math.max(2, width / 130), offset)) {
    context.fillText(tickLabel(showTime(tick, shown), last - first), x(tick), HEIGHT - 2);
  }
}

function mark(context: CanvasRenderingContext2D, { x, y, trace }: Point): void {
  if (trace.errors > 0) {
    context.strokeStyle = themeColor('bad');
    context.lineWidth = 2;
    context.beginPath();
    context.moveTo(x - 3.5, y - 3.5);
    context.lineTo(x + 3.5, y + 3.5);
    context.moveTo(x - 3.5, y + 3.5);
    context.lineTo(x + 3.5, y - 3.5);
    context.stroke();
    return;
  }
  context.globalAlpha = 0.8;
  context.fillStyle = serviceColor(trace.service);
  context.beginPath();
  context.arc(x, y, 3.5, 0, 2 * Math.PI);
  context.fill();
  context.globalAlpha = 1;
}
