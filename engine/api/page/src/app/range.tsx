// The range of time that a view asks for.

import { useEffect, useState } from 'preact/hooks';
import { parseRange, showTime } from '../base/time';
import { zone } from './settings';

const PRESETS: [string, string][] = [
  ['now-5m', '5 min'],
  ['now-15m', '15 min'],
  ['now-1h', '1 h'],
  ['now-6h', '6 h'],
  ['now-24h', '24 h'],
  ['now-7d', '7 d'],
];

interface Props {
  from: string;
  to: string;
  /** The longest preset, in hours. */
  most?: number;
  set: (from: string, to: string) => void;
}

const HOURS = [5 / 60, 0.25, 1, 6, 24, 168];

export function RangePicker({ from, to, most = 168, set }: Props) {
  const isPreset = to === 'now' && PRESETS.some(([value]) => value === from);
  const [isOwn, setIsOwn] = useState(!isPreset);
  useEffect(() => setIsOwn(!isPreset), [from, to]);
  const choose = (value: string) => (value === '' ? setIsOwn(true) : set(value, 'now'));
  return (
    <span class="range" role="group" aria-label="range of time">
      <select aria-label="range" value={isOwn ? '' : from} onChange={(event) => choose(event.currentTarget.value)}>
        {PRESETS.filter((_, at) => HOURS[at]! <= most).map(([value, label]) => (
          <option key={value} value={value}>
            last {label}
          </option>
        ))}
        <option value="">from, to …</option>
      </select>
      {isOwn && <Own from={from} to={to} set={set} />}
    </span>
  );
}

function Own({ from, to, set }: Props) {
  const [range, setRange] = useState({ from: shown(from), to: shown(to) });
  useEffect(() => setRange({ from: shown(from), to: shown(to) }), [from, to, zone.value]);
  const send = () => {
    const [a, b] = [written(range.from), written(range.to)];
    if (typeof parseRange(a, b, Date.now()) !== 'string') set(a, b);
  };
  const wrong = parseRange(written(range.from), written(range.to), Date.now());
  const field = (name: 'from' | 'to') => (
    <input
      aria-label={name}
      value={range[name]}
      size={23}
      spellcheck={false}
      aria-invalid={typeof wrong === 'string'}
      title={typeof wrong === 'string' ? wrong : undefined}
      onInput={(event) => setRange({ ...range, [name]: event.currentTarget.value })}
      onChange={send}
    />
  );
  return (
    <>
      {field('from')}–{field('to')}
    </>
  );
}

/** Points in time are in the address as milliseconds, so that a link means the same elsewhere. */
function shown(text: string): string {
  return /^\d{13}$/.test(text) ? showTime(Number(text), zone.value) : text;
}

/** The other way: a date as it is shown becomes milliseconds. */
function written(text: string): string {
  const date = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?))?$/.exec(text.trim());
  if (!date) return text.trim();
  const ms = Date.parse(`${date[1]}T${date[2] ?? '00:00'}${zone.value === 'utc' ? 'Z' : ''}`);
  return Number.isNaN(ms) ? text.trim() : String(ms);
}
