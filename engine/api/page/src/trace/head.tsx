// The head of a trace: what it is, how long it took, where else to look.

import { ask, messageOf } from '../api/client';
import { Button, Copy, Link, Service, Time } from '../app/parts';
import { linkTo, linkWith } from '../app/router';
import { logsTemplate } from '../app/settings';
import { fillTemplate } from '../base/link';
import { plural, showBytes } from '../base/number';
import { showDuration } from '../base/time';
import type { Loaded } from './source';
import type { Tab } from './view';

interface Props {
  id: string;
  loaded: Loaded;
  tabs: readonly Tab[];
  tab: Tab;
  isLive: boolean;
  again: () => void;
}

export function TraceHead({ id, loaded, tabs, tab, isLive, again }: Props) {
  const { tree, timings } = loaded;
  const startMs = Number(tree.baseNs / 1000n) / 1e3;
  const errors = tree.status.reduce((sum, one) => sum + Number(one === 2), 0);
  const depth = tree.depth.reduce((most, one) => Math.max(most, one), 0) + 1;
  const took = `read in ${Math.round(timings.fetchMs + timings.readMs)} ms, ${showBytes(timings.bytes)}`;
  return (
    <header class="trace-head">
      <h1>
        {tree.orphan[0] || tree.parentId[0] ? <em>root not yet received · </em> : null}
        <Service service={tree.services[tree.service[0]!] ?? ''} /> {tree.names[tree.name[0]!]}
      </h1>
      <p class="facts">
        <b>{showDuration(tree.total)}</b>
        <span>
          <Time ms={startMs} />
        </span>
        <span title={took}>{plural(tree.count, 'span')}</span>
        <span>{plural(tree.services.length, 'service')}</span>
        <span>{plural(depth, 'level')}</span>
        {errors > 0 && <span class="bad">{plural(errors, 'error')}</span>}
        <span class="id">
          <code>{id}</code> <Copy text={id} label="copy the trace id" />
        </span>
      </p>
      <div class="actions">
        <nav class="switch" aria-label="ways to look at the trace">
          {tabs.map((one) => (
            <Link
              key={one}
              to={linkWith({ tab: one === 'waterfall' ? undefined : one })}
              class={one === tab ? 'button on' : 'button'}
            >
              {one}
            </Link>
          ))}
        </nav>
        <span class="grow" />
        {isLive && <Button onClick={again}>read again</Button>}
        <Logs id={id} loaded={loaded} />
        <Link to={linkTo('compare', { a: id })} class="button">
          compare
        </Link>
        <Button onClick={() => void download(id)}>JSON</Button>
      </div>
    </header>
  );
}

function Logs({ id, loaded: { tree } }: { id: string; loaded: Loaded }) {
  if (logsTemplate.value === '') return null;
  const startMs = tree.baseNs / 1_000_000n;
  const endMs = startMs + BigInt(Math.ceil(tree.total / 1e6)) + 1n;
  const to = fillTemplate(logsTemplate.value, {
    traceId: id,
    spanId: '',
    service: tree.services[tree.service[0]!] ?? '',
    startMs: String(startMs),
    endMs: String(endMs),
    startNs: String(startMs * 1_000_000n),
    endNs: String(endMs * 1_000_000n),
  });
  if (to === null) return null;
  return (
    <a class="button" href={to} target="_blank" rel="noopener noreferrer">
      logs ↗
    </a>
  );
}

/** The trace as OTLP JSON, as a file. */
async function download(id: string): Promise<void> {
  try {
    const { body } = await ask<{ trace?: unknown }>(`api/v2/traces/${id}`);
    const address = URL.createObjectURL(new Blob([JSON.stringify(body.trace ?? {})], { type: 'application/json' }));
    const link = document.createElement('a');
    link.href = address;
    link.download = `trace-${id}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  } catch (problem) {
    alert(messageOf(problem));
  }
}
