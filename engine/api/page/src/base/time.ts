// Points in time and durations: what a person writes, what is shown.

const UNITS_NS: Record<string, number> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
  d: 86400e9,
  w: 604800e9,
};

/** A duration such as `1h30m` or `100ms`, in nanoseconds; null when it is none. */
export function parseDuration(text: string): number | null {
  const parts = [...text.trim().matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d|w)/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== text.trim()) return null;
  return parts.reduce((sum, part) => sum + Number(part[1]) * (UNITS_NS[part[2]!] ?? 0), 0);
}

/** A duration as a person reads it: three digits and a unit. */
export function showDuration(ns: number): string {
  if (!Number.isFinite(ns)) return '';
  const size = Math.abs(ns);
  if (size < 1e3) return `${trim(ns)} ns`;
  if (size < 1e6) return `${trim(ns / 1e3)} µs`;
  if (size < 1e9) return `${trim(ns / 1e6)} ms`;
  if (size < 120e9) return `${trim(ns / 1e9)} s`;
  if (size < 7200e9) return `${Math.floor(ns / 60e9)} min ${Math.round((ns % 60e9) / 1e9)} s`;
  return `${trim(ns / 3600e9)} h`;
}

function trim(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return String(Number(value.toFixed(digits)));
}

/**
 * A point in time in milliseconds since 1970, or null: `now`, `now-15m`, seconds, milliseconds or nanoseconds since
 * 1970, or a date with or without a time, which is local unless it names a zone.
 */
export function parseTime(text: string, nowMs: number): number | null {
  const word = text.trim();
  if (word === 'now') return nowMs;
  const relative = /^now-(.+)$/.exec(word);
  if (relative) {
    const back = parseDuration(relative[1]!);
    return back === null ? null : nowMs - back / 1e6;
  }
  if (/^\d{9,19}(\.\d+)?$/.test(word)) {
    const value = Number(word);
    return value < 1e11 ? value * 1e3 : value < 1e14 ? value : value / 1e6;
  }
  if (!/^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/.test(word)) return null;
  const iso = word.includes(':') ? word.replace(' ', 'T') : `${word}T00:00:00`;
  const ms = Date.parse(iso);
  return Number.isNaN(ms) ? null : ms;
}

/** Times are shown in the zone of the browser, or in UTC. */
export type Zone = 'local' | 'utc';

const two = (n: number) => String(n).padStart(2, '0');

/** `2026-01-02 03:04:05.678`. */
export function showTime(ms: number, zone: Zone): string {
  return `${showDay(ms, zone)} ${showClock(ms, zone)}`;
}

/** `2026-01-02`. */
export function showDay(ms: number, zone: Zone): string {
  const at = new Date(ms);
  if (Number.isNaN(at.getTime())) return '';
  const [year, month, day] =
    zone === 'utc'
      ? [at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate()]
      : [at.getFullYear(), at.getMonth(), at.getDate()];
  return `${year}-${two(month + 1)}-${two(day)}`;
}

/** `03:04:05.678`. */
export function showClock(ms: number, zone: Zone): string {
  const at = new Date(ms);
  if (Number.isNaN(at.getTime())) return '';
  const [hour, minute, second] =
    zone === 'utc'
      ? [at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()]
      : [at.getHours(), at.getMinutes(), at.getSeconds()];
  return `${two(hour)}:${two(minute)}:${two(second)}.${String(at.getUTCMilliseconds()).padStart(3, '0')}`;
}

/** How long ago, in one unit. */
export function showAgo(ms: number, nowMs: number): string {
  const seconds = Math.max(0, Math.round((nowMs - ms) / 1e3));
  if (seconds < 90) return `${seconds} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86400)} d ago`;
}

/** The range that two texts name, in milliseconds, or what is wrong with them. */
export function parseRange(from: string, to: string, nowMs: number): { from: number; to: number } | string {
  const [a, b] = [parseTime(from, nowMs), parseTime(to, nowMs)];
  const expected = 'expected a time such as now-1h, 2026-01-02 03:04:05 or seconds since 1970';
  if (a === null) return `the range begins at "${from}", ${expected}`;
  if (b === null) return `the range ends at "${to}", ${expected}`;
  if (b <= a) return `the range ends before it begins, expected an end after ${from}`;
  return { from: a, to: b };
}
