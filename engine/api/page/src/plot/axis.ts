// Where the lines of an axis are, and what they are called.

/** At most `most` multiples of 1, 2 or 5 times a power of ten within a range. */
export function niceTicks(from: number, to: number, most: number): number[] {
  if (!(to > from) || most < 1) return [];
  const rough = (to - from) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((one) => one >= rough) ?? rough;
  const ticks: number[] = [];
  for (let i = Math.ceil(from / step - 1e-9) + 0; i * step <= to * (1 + 1e-12); i++) ticks.push(i * step);
  return ticks;
}

/** Powers of ten within a range of positive numbers; of many every second or third. */
export function logTicks(from: number, to: number, most: number): number[] {
  if (!(from > 0) || !(to >= from)) return [];
  const [first, last] = [Math.ceil(Math.log10(from) - 1e-9), Math.floor(Math.log10(to) + 1e-9)];
  const step = Math.max(1, Math.ceil((last - first + 1) / most));
  const ticks: number[] = [];
  for (let power = first; power <= last; power += step) ticks.push(10 ** power);
  return ticks;
}

const STEPS_MS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 10e3, 15e3, 30e3, 60e3, 120e3, 300e3, 600e3, 900e3, 1800e3, 3600e3,
  7200e3, 10800e3, 21600e3, 43200e3, 86400e3, 172800e3, 604800e3,
];

/** Round moments within a range of milliseconds; `offsetMs` is the zone's distance from UTC. */
export function timeTicks(from: number, to: number, most: number, offsetMs: number): number[] {
  if (!(to > from) || most < 1) return [];
  const step = STEPS_MS.find((one) => (to - from) / one <= most) ?? STEPS_MS.at(-1)!;
  const ticks: number[] = [];
  for (let at = Math.ceil((from + offsetMs) / step) * step - offsetMs; at <= to; at += step) ticks.push(at);
  return ticks;
}

/** How exactly moments must be told that are so far apart. */
export function tickLabel(text: string, spanMs: number): string {
  if (spanMs > 3 * 86400e3) return text.slice(5, 10);
  if (spanMs > 86400e3) return text.slice(5, 16);
  if (spanMs > 600e3) return text.slice(11, 16);
  return spanMs > 5e3 ? text.slice(11, 19) : text.slice(11, 23);
}
