// Lines over time. uPlot draws them; its code is loaded when the first chart is shown.

import { useEffect, useRef, useState } from 'preact/hooks';
import type uPlot from 'uplot';
import { useSize } from '../app/parts';
import { isDark, zone } from '../app/settings';
import { showTime } from '../base/time';
import { themeColor } from './canvas';

export interface Line {
  label: string;
  color: string;
  dash?: number[];
}

export interface ChartProps {
  title: string;
  /** What the axis reaches over, in milliseconds since 1970. */
  range: { from: number; to: number };
  lines: Line[];
  /** Times in seconds, then the values of each line. */
  data: [number[], ...(number | null)[][]];
  show: (value: number) => string;
  /** What a click on a point does: its time in seconds, and the line next to it. */
  open?: (time: number, line: number) => void;
}

const HEIGHT = 170;

export function Chart({ title, range, lines, data, show, open }: ChartProps) {
  const [box, { width }] = useSize<HTMLDivElement>();
  const host = useRef<HTMLDivElement>(null);
  const [hover, setHover] = useState<number | null>(null);
  const opened = useRef(open);
  opened.current = open;
  useEffect(() => {
    if (width === 0 || !host.current) return;
    let plot: uPlot | null = null;
    let isHere = true;
    const options = optionsOf({ lines, range, width, show, setHover, zone: zone.value, open: opened });
    void import('./uplot').then(({ default: Plot }) => {
      if (isHere && host.current) plot = new Plot(options, data as uPlot.AlignedData, host.current);
    });
    return () => {
      isHere = false;
      plot?.destroy();
    };
  }, [lines, data, width, zone.value, isDark.value]);
  return (
    <figure class="chart" ref={box}>
      <figcaption>
        <b>{title}</b> <Legend lines={lines} data={data} at={hover} show={show} />
      </figcaption>
      <div class={open ? 'plot can-open' : 'plot'} ref={host} role="img" aria-label={`${title} over time`} />
    </figure>
  );
}

function Legend({
  lines,
  data,
  at,
  show,
}: {
  lines: Line[];
  data: ChartProps['data'];
  at: number | null;
  show: ChartProps['show'];
}) {
  const time = at === null ? undefined : data[0][at];
  return (
    <span class="legend">
      {lines.slice(0, 12).map((line, i) => {
        const value = at === null ? null : data[i + 1]?.[at];
        return (
          <span key={line.label}>
            <i style={{ background: line.color }} />
            {line.label} {value !== null && value !== undefined && <b>{show(value)}</b>}
          </span>
        );
      })}
      {lines.length > 12 && <span class="faint">and {lines.length - 12} more</span>}
      {time !== undefined && <span class="faint">{showTime(time * 1e3, zone.value).slice(5, 19)}</span>}
    </span>
  );
}

interface OptionsOf {
  lines: Line[];
  range: ChartProps['range'];
  width: number;
  show: (value: number) => string;
  setHover: (at: number | null) => void;
  zone: 'local' | 'utc';
  open: { current: ChartProps['open'] };
}

function optionsOf({ lines, range, width, show, setHover, zone, open }: OptionsOf): uPlot.Options {
  const [faint, grid] = [themeColor('faint'), themeColor('line')];
  const axis = {
    stroke: faint,
    grid: { stroke: grid, width: 1 },
    ticks: { show: false },
    font: '11px system-ui, sans-serif',
  };
  const label = (_: uPlot, ticks: number[]) => {
    const far = (ticks.at(-1) ?? 0) - (ticks[0] ?? 0) > 86400;
    return ticks.map((tick) => showTime(tick * 1e3, zone).slice(far ? 5 : 11, tick % 60 === 0 ? 16 : 19));
  };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, points: { size: 6 } },
    scales: {
      x: { time: true, range: [range.from / 1e3, range.to / 1e3] },
      y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] },
    },
    series: [
      {},
      ...lines.map((line) => ({
        label: line.label,
        stroke: line.color,
        width: 1.5,
        points: { show: true, size: 4, filter: alone },
        spanGaps: false,
        ...(line.dash ? { dash: line.dash } : {}),
      })),
    ],
    axes: [
      { ...axis, size: 26, values: label },
      { ...axis, size: 64, values: (_, ticks) => ticks.map(show) },
    ],
    hooks: {
      setCursor: [(plot) => setHover(plot.cursor.idx ?? null)],
      ready: [
        (plot) => {
          plot.over.addEventListener('click', () => {
            const at = plot.cursor.idx;
            if (at !== null && at !== undefined && open.current) open.current(plot.data[0][at]!, nearestLine(plot, at));
          });
        },
      ],
    },
  };
}

/** Samples without neighbours, which no line goes through. */
function alone(plot: uPlot, line: number): number[] {
  const values = plot.data[line]!;
  const isThere = (at: number) => values[at] !== null && values[at] !== undefined;
  return Array.from(values.keys()).filter((at) => isThere(at) && !isThere(at - 1) && !isThere(at + 1));
}

/** The line that is next to the cursor at a time. */
function nearestLine(plot: uPlot, at: number): number {
  let [best, distance] = [0, Infinity];
  for (let line = 1; line < plot.data.length; line++) {
    const value = plot.data[line]![at];
    if (value === null || value === undefined) continue;
    const away = Math.abs(plot.valToPos(value, 'y') - (plot.cursor.top ?? 0));
    if (away < distance) [best, distance] = [line - 1, away];
  }
  return best;
}
