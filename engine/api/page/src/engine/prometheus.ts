// The text form of Prometheus' metrics, as far as the server writes it.
//
// Source: https://prometheus.io/docs/instrumenting/exposition_formats/

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

export function readMetrics(text: string): Sample[] {
  const found: Sample[] = [];
  for (const line of text.split('\n')) {
    const parts = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/.exec(line);
    if (!parts) continue;
    const value = parts[3] === '+Inf' ? Infinity : parts[3] === '-Inf' ? -Infinity : Number(parts[3]);
    found.push({ name: parts[1]!, labels: readLabels(parts[2] ?? ''), value });
  }
  return found;
}

function readLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [, name, value] of text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
    labels[name!] = value!.replace(/\\(.)/g, (_, sign: string) => (sign === 'n' ? '\n' : sign));
  }
  return labels;
}

/** The sum of all samples of a name; null when there is none. */
export function sum(samples: readonly Sample[], name: string): number | null {
  const found = samples.filter((sample) => sample.name === name);
  return found.length === 0 ? null : found.reduce((all, sample) => all + sample.value, 0);
}

export interface Histogram {
  count: number;
  /** Of what was measured. */
  mean: number;
  p50: number;
  p99: number;
}

/** A histogram with all of its label sets together; null when nothing was measured. */
export function histogram(samples: readonly Sample[], name: string): Histogram | null {
  const buckets = new Map<number, number>();
  for (const sample of samples) {
    if (sample.name !== `${name}_bucket`) continue;
    const bound = sample.labels.le === '+Inf' ? Infinity : Number(sample.labels.le);
    buckets.set(bound, (buckets.get(bound) ?? 0) + sample.value);
  }
  const count = sum(samples, `${name}_count`) ?? 0;
  if (count === 0) return null;
  const sorted = [...buckets].sort((a, b) => a[0] - b[0]);
  const at = (q: number) => bound(sorted, q * count);
  return { count, mean: (sum(samples, `${name}_sum`) ?? 0) / count, p50: at(0.5), p99: at(0.99) };
}

/** Within a bucket values are taken to be spread evenly. */
function bound(sorted: readonly [number, number][], rank: number): number {
  let [below, before] = [0, 0];
  for (const [limit, count] of sorted) {
    if (count >= rank) {
      if (limit === Infinity) return below;
      return count === before ? limit : below + ((limit - below) * (rank - before)) / (count - before);
    }
    [below, before] = [limit, count];
  }
  return below;
}
