// The stretch of time that is shown, in nanoseconds after the trace's base; in the address as `from-to`.

export interface Window {
  from: number;
  to: number;
}

export function readWindow(text: string | undefined, total: number): Window {
  const whole = { from: 0, to: Math.max(total, 1) };
  const found = /^(\d{1,18})-(\d{1,18})$/.exec(text ?? '');
  if (!found) return whole;
  const [from, to] = [Number(found[1]), Math.min(Number(found[2]), whole.to)];
  return to > from ? { from, to } : whole;
}

/** As it stands in the address; undefined for the whole time. */
export function writeWindow({ from, to }: Window, total: number): string | undefined {
  const [a, b] = [
    Math.max(0, Math.round(Math.min(from, to))),
    Math.min(Math.max(total, 1), Math.round(Math.max(from, to))),
  ];
  return b <= a || (a <= 0 && b >= total) ? undefined : `${a}-${b}`;
}

/** Where a stretch is within a window, as shares of it; what lies outside is cut off. */
export function within(from: number, to: number, window: Window): { left: number; width: number } | null {
  const length = window.to - window.from;
  const [a, b] = [Math.max(from, window.from), Math.min(to, window.to)];
  if (b < a) return null;
  return { left: (a - window.from) / length, width: (b - a) / length };
}
