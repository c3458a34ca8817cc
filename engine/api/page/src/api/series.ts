// `/api/metrics/query_range`: series over time.

import { ask } from './client';
import { seconds, showValue } from './search';

interface RawSeries {
  labels?: { key: string; value?: Parameters<typeof showValue>[0] }[];
  samples?: { timestampMs?: string; value?: number | string }[];
}

export interface Series {
  labels: Record<string, string>;
  /** Milliseconds since 1970, and values; NaN where there is none. */
  times: number[];
  values: number[];
}

export interface AskedSeries {
  q: string;
  from: number;
  to: number;
  /** Seconds between samples. */
  step: number;
}

export async function querySeries(
  asked: AskedSeries,
  signal?: AbortSignal,
): Promise<{ series: Series[]; partial: string }> {
  const params = {
    q: asked.q,
    start: seconds(asked.from),
    end: seconds(asked.to),
    step: `${asked.step}s`,
    exemplars: 0,
  };
  type Raw = { series?: RawSeries[]; message?: string };
  const { body } = await ask<Raw>('api/metrics/query_range', params, signal);
  return { series: (body.series ?? []).map(readSeries), partial: body.message ?? '' };
}

function readSeries(raw: RawSeries): Series {
  const samples = raw.samples ?? [];
  return {
    labels: Object.fromEntries((raw.labels ?? []).map(({ key, value }) => [key, showValue(value)])),
    times: samples.map((sample) => Number(sample.timestampMs ?? 0)),
    values: samples.map((sample) => Number(sample.value ?? 0)),
  };
}

const STEPS = [1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];

/** A round step that gives about so many samples. */
export function stepFor(from: number, to: number, samples = 90): number {
  return STEPS.find((step) => (to - from) / 1e3 / step <= samples) ?? STEPS.at(-1)!;
}

/** Puts series on the same times: the first list has the times in seconds, the others values, null where there are none. */
export function align(series: readonly Series[]): [number[], ...(number | null)[][]] {
  const times = [...new Set(series.flatMap((one) => one.times))].sort((a, b) => a - b);
  const place = new Map(times.map((time, at) => [time, at]));
  const columns = series.map((one) => {
    const column: (number | null)[] = times.map(() => null);
    one.times.forEach((time, at) => {
      const value = one.values[at]!;
      column[place.get(time)!] = Number.isFinite(value) ? value : null;
    });
    return column;
  });
  return [times.map((ms) => ms / 1e3), ...columns];
}
