// Rate, errors and durations of services and their operations, from TraceQL metrics.

import { querySeries, type Series, stepFor } from '../api/series';
import { attributeField, quote } from '../search/query';

export type Which = 'entry' | 'all';

/** Spans that are counted: those with which work enters a service, or all. */
export function filterOf(which: Which, service: string, more = ''): string {
  const conditions = [
    which === 'entry' ? '(kind = server || kind = consumer)' : '',
    service === '' ? '' : `resource.service.name = ${quote(service)}`,
    more,
  ].filter((one) => one !== '');
  return conditions.length === 0 ? '{ }' : `{ ${conditions.join(' && ')} }`;
}

export const QUANTILES = [0.5, 0.95, 0.99];

/** What is known of a service or operation over the range. */
export interface Red {
  name: string;
  rate: Series | null;
  errors: Series | null;
  /** By quantile, seconds. */
  durations: Map<number, Series>;
  /** Means over the range. */
  meanRate: number;
  errorShare: number;
}

export interface RedAnswer {
  rows: Red[];
  step: number;
  partial: string;
}

/** Asks for all services, or for the operations of one. */
export async function red(
  { which, service, from, to }: { which: Which; service: string; from: number; to: number },
  signal: AbortSignal,
): Promise<RedAnswer> {
  const label = service === '' ? attributeField('resource', 'service.name') : 'name';
  const step = stepFor(from, to);
  const ask = (q: string) => querySeries({ q: `${q} by (${label})`, from, to, step }, signal);
  const quantiles = `quantile_over_time(duration, ${QUANTILES.join(', ')})`;
  const [rates, errors, durations] = await Promise.all([
    ask(`${filterOf(which, service)} | rate()`),
    ask(`${filterOf(which, service, 'status = error')} | rate()`),
    ask(`${filterOf(which, service)} | ${quantiles}`),
  ]);
  return {
    rows: collect(label, rates.series, errors.series, durations.series),
    step,
    partial: rates.partial || errors.partial || durations.partial,
  };
}

/** Puts the series of a name together, the busiest first. */
export function collect(label: string, rates: Series[], errors: Series[], durations: Series[]): Red[] {
  const rows = new Map<string, Red>();
  const row = (series: Series) => {
    const name = nameOf(series, label);
    let found = rows.get(name);
    if (!found) {
      found = { name, rate: null, errors: null, durations: new Map(), meanRate: 0, errorShare: 0 };
      rows.set(name, found);
    }
    return found;
  };
  for (const series of rates) row(series).rate = series;
  for (const series of errors) row(series).errors = series;
  for (const series of durations) row(series).durations.set(Number(series.labels.p), series);
  for (const one of rows.values()) {
    one.meanRate = mean(one.rate);
    one.errorShare = one.meanRate > 0 ? mean(one.errors) / one.meanRate : 0;
  }
  return [...rows.values()].sort((a, b) => b.meanRate - a.meanRate || (a.name < b.name ? -1 : 1));
}

/** Labels of a group are printed as the query has them; a missing one is `nil`. */
function nameOf(series: Series, label: string): string {
  const name = series.labels[label];
  return name === undefined || name === 'nil' ? '' : name;
}

function mean(series: Series | null): number {
  if (!series || series.values.length === 0) return 0;
  return series.values.reduce((sum, one) => sum + (Number.isFinite(one) ? one : 0), 0) / series.values.length;
}

/** The mean of a quantile over the times that have one, in nanoseconds; of quantiles that is a rough figure. */
export function typical(row: Red, q: number): number {
  const values = row.durations.get(q)?.values.filter((one) => Number.isFinite(one)) ?? [];
  return values.length === 0 ? NaN : (1e9 * values.reduce((sum, one) => sum + one, 0)) / values.length;
}
