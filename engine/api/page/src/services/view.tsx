// Services: how much, how many errors, how long; and who calls whom.

import { useMemo, useState } from 'preact/hooks';
import { useKeys } from '../app/keys';
import { Link } from '../app/parts';
import { RangePicker } from '../app/range';
import { go, linkWith, params } from '../app/router';
import { parseRange } from '../base/time';
import { MapView } from './map-view';
import { RedView } from './red-view';

/** The longest range that the metrics of a server answer by default. */
const MOST_HOURS = 24;

export function ServicesView() {
  const { from = 'now-1h', to = 'now', view } = params.value;
  const [round, setRound] = useState(0);
  const range = useMemo(() => parseRange(from, to, Date.now()), [from, to, round]);
  useKeys([{ keys: 'r', about: 'ask again', run: () => setRound(round + 1) }]);
  return (
    <div class="services">
      <div class="toolbar">
        <h1 class="sr">{view === 'map' ? 'Map of services' : 'Services'}</h1>
        <RangePicker from={from} to={to} most={MOST_HOURS} set={(a, b) => go(linkWith({ from: a, to: b }))} />
        <Link to={linkWith({ view: view === 'map' ? 'services' : 'map' })} class="button">
          {view === 'map' ? 'rates and durations' : 'map'}
        </Link>
      </div>
      {typeof range === 'string' ? (
        <p class="notice error" role="alert">
          {range}
        </p>
      ) : view === 'map' ? (
        <MapView range={range} />
      ) : (
        <RedView range={range} />
      )}
    </div>
  );
}
