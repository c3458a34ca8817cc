// The engine itself: what runs, what is kept, what each stage takes, and the cluster if there is one.

import { useEffect, useState } from 'preact/hooks';
import { ask, askText, isAbort, messageOf, told } from '../api/client';
import { useKeys } from '../app/keys';
import { Notice } from '../app/parts';
import { showBytes, showCount } from '../base/number';
import { showDuration } from '../base/time';
import { Cluster, type ClusterPage } from './cluster';
import { histogram, readMetrics, type Sample, sum } from './prometheus';
import { readSections, type Section } from './sections';

const EVERY_MS = 3000;

interface State {
  sections: Section[];
  samples: Sample[];
  before: Sample[];
  seconds: number;
  cluster: ClusterPage | null;
  ready: string;
}

export function EngineView() {
  const [state, setState] = useState<State | null>(null);
  const [problem, setProblem] = useState('');
  const [round, setRound] = useState(0);
  useKeys([{ keys: 'r', about: 'ask again', run: () => setRound(round + 1) }]);
  useEffect(() => {
    const abort = new AbortController();
    let timer = 0;
    let last: { samples: Sample[]; at: number } | null = null;
    const look = async () => {
      try {
        const [runtime, metrics, ring] = await Promise.all([
          askText('status/runtime', abort.signal),
          askText('metrics', abort.signal),
          ask<ClusterPage>('ring', { format: 'json' }, abort.signal),
        ]);
        const [samples, at] = [readMetrics(metrics), performance.now()];
        const [before, seconds] = [last?.samples ?? [], last ? (at - last.at) / 1e3 : 0];
        last = { samples, at };
        setState({ sections: readSections(runtime), samples, before, seconds, cluster: ring.body, ready: '' });
        setProblem('');
      } catch (trouble) {
        if (isAbort(trouble)) return;
        setProblem(messageOf(trouble));
      }
      timer = setTimeout(() => void look(), EVERY_MS) as unknown as number;
    };
    void look();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [round]);
  return (
    <div class="engine">
      <h1>
        Engine <span class="faint">Spanloom {told.version}</span>
      </h1>
      {problem !== '' && <Notice kind="error">{problem}</Notice>}
      {!state && problem === '' && <p class="loading">asking…</p>}
      {state && (
        <>
          <Figures {...state} />
          <Stages samples={state.samples} />
          <Cluster page={state.cluster} />
          <div class="cards">
            {state.sections.map((section) => (
              <Card key={section.title} section={section} />
            ))}
          </div>
        </>
      )}
    </div>
  );
}

/** What is asked first of a server: a number with its name. */
function Figures({ samples, before, seconds }: State) {
  const rate = (name: string) => {
    const [now, then] = [sum(samples, name), sum(before, name)];
    return now === null || then === null || seconds === 0 ? null : Math.max(0, (now - then) / seconds);
  };
  const perSecond = rate('spanloom_spans_accepted_total');
  const [held, budget] = [sum(samples, 'spanloom_held_bytes'), sum(samples, 'spanloom_memory_budget_bytes')];
  const figures: [string, string][] = [
    ['spans/s taken in', perSecond === null ? '…' : showCount(Math.round(perSecond))],
    ['spans taken in', show(sum(samples, 'spanloom_spans_accepted_total'), showCount)],
    ['spans refused', show(sum(samples, 'spanloom_receive_refused_spans_total'), showCount)],
    ['live traces', show(sum(samples, 'spanloom_live_traces'), showCount)],
    ['of memory budget', held !== null && budget ? `${Math.round((100 * held) / budget)} %` : '–'],
    ['blocks', show(sum(samples, 'spanloom_blocks'), showCount)],
    ['in blocks', show(sum(samples, 'spanloom_block_size_bytes'), showBytes)],
    ['in the log', show(sum(samples, 'spanloom_log_size_bytes'), showBytes)],
    ['disk free', show(sum(samples, 'spanloom_disk_free_bytes'), showBytes)],
  ];
  return (
    <dl class="figures">
      {figures.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

const show = (value: number | null, as: (value: number) => string) => (value === null ? '–' : as(value));

const STAGES: [string, string][] = [
  ['spanloom_receive_duration_seconds', 'receive: a request, from its first byte to the answer'],
  ['spanloom_slice_seconds', 'slice: check the bytes, cut them by trace'],
  ['spanloom_route_seconds', 'route: find the owners'],
  ['spanloom_replication_seconds', 'replicate: hand over to other nodes'],
  ['spanloom_log_write_seconds', 'log: append a group'],
  ['spanloom_log_sync_seconds', 'log: sync a group'],
  ['spanloom_shard_seconds', 'shard: hand a request to its traces'],
  ['spanloom_acknowledge_seconds', 'acknowledge: from taken in to durable'],
  ['spanloom_seal_seconds', 'seal: write a block'],
  ['spanloom_api_duration_seconds', 'answer a question'],
];

function Stages({ samples }: { samples: Sample[] }) {
  const rows = STAGES.map(([name, label]) => ({ label, found: histogram(samples, name) }));
  return (
    <section class="scroll-x">
      <h2>Stages since the start</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">Stage</th>
            {['Times', 'Mean', 'p50', 'p99'].map((label) => (
              <th key={label} scope="col" class="num">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ label, found }) => (
            <tr key={label}>
              <td>{label}</td>
              <td class="num">{found ? showCount(found.count) : '–'}</td>
              {[found?.mean, found?.p50, found?.p99].map((value, at) => (
                <td key={at} class="num">
                  {value === undefined ? '' : showDuration(value * 1e9)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Card({ section: { title, rows } }: { section: Section }) {
  return (
    <section class="card">
      <h2>{title}</h2>
      <dl>
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{/^bytes|bytes$|bytes of/.test(name) && /^\d+$/.test(value) ? showBytes(Number(value)) : value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
