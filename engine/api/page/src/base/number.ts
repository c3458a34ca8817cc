// Counts, rates and percents as text.

/** A count: `1,234`, `12.3k`, `4.5M`. */
export function showCount(value: number): string {
  const size = Math.abs(value);
  if (size < 10_000)
    return value.toLocaleString('en-US', { maximumFractionDigits: size < 10 && value % 1 !== 0 ? 2 : 0 });
  if (size < 1e6) return `${(value / 1e3).toFixed(size < 1e5 ? 1 : 0)}k`;
  if (size < 1e9) return `${(value / 1e6).toFixed(1)}M`;
  return `${(value / 1e9).toFixed(1)}G`;
}

/** Something per second. */
export function showRate(value: number): string {
  if (value === 0) return '0';
  return value < 0.01
    ? String(Number(value.toPrecision(1)))
    : value < 10
      ? String(Number(value.toFixed(2)))
      : showCount(Math.round(value));
}

/** A share as percent. */
export function showPercent(share: number): string {
  if (!Number.isFinite(share)) return '';
  const percent = share * 100;
  return percent === 0 ? '0 %' : percent < 0.1 ? '<0.1 %' : `${percent.toFixed(percent < 10 ? 1 : 0)} %`;
}

/** Bytes, in powers of 1024. */
export function showBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let [value, unit] = [bytes, 0];
  while (Math.abs(value) >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${Number(value.toFixed(value < 10 && unit > 0 ? 1 : 0))} ${units[unit]}`;
}

/** `1 span`, `2 spans`. */
export function plural(count: number, word: string, many = `${word}s`): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? word : many}`;
}
