// Rate, errors and durations: charts over time, and a table of services or of one service's operations.

import { useEffect, useMemo, useState } from 'preact/hooks';
import { isAbort, messageOf, tenant } from '../api/client';
import { align } from '../api/series';
import { Link, Notice, Service } from '../app/parts';
import { go, linkTo, linkWith, params } from '../app/router';
import { serviceColor } from '../base/color';
import { showPercent, showRate } from '../base/number';
import { showDuration } from '../base/time';
import { Chart } from '../plot/chart';
import { quote } from '../search/query';
import { filterOf, QUANTILES, type Red, red, type RedAnswer, typical, type Which } from './red';
import { Spark } from './spark';

/** Charts show so many lines, the busiest ones. */
const MOST_LINES = 10;

export function RedView({ range }: { range: { from: number; to: number } }) {
  const service = params.value.service ?? '';
  const which: Which = params.value.spans === 'all' ? 'all' : 'entry';
  const [answer, setAnswer] = useState<RedAnswer | null>(null);
  const [problem, setProblem] = useState('');
  useEffect(() => {
    const abort = new AbortController();
    setProblem('');
    red({ which, service, ...range }, abort.signal).then(setAnswer, (trouble: unknown) => {
      if (!isAbort(trouble)) setProblem(messageOf(trouble));
    });
    return () => abort.abort();
  }, [range, service, which, tenant.value]);
  if (problem !== '') return <Notice kind="error">{problem}</Notice>;
  if (!answer) return <p class="loading">counting…</p>;
  return (
    <>
      <div class="toolbar">
        <h2>
          {service === '' ? (
            'All services'
          ) : (
            <>
              <Link to={linkWith({ service: undefined })}>All services</Link> › <Service service={service} />
            </>
          )}
        </h2>
        <nav class="switch" aria-label="which spans are counted">
          <Link
            to={linkWith({ spans: undefined })}
            class={which === 'entry' ? 'button on' : 'button'}
            title="kind server or consumer"
          >
            entry spans
          </Link>
          <Link to={linkWith({ spans: 'all' })} class={which === 'all' ? 'button on' : 'button'}>
            all spans
          </Link>
        </nav>
        {service !== '' && (
          <Link to={linkTo('search', { service, from: params.value.from, to: params.value.to })} class="button">
            traces
          </Link>
        )}
      </div>
      {answer.partial && <Notice kind="warning">{answer.partial}</Notice>}
      {answer.rows.length === 0 ? (
        <p class="empty">
          No such spans in this range.{' '}
          {which === 'entry' && <Link to={linkWith({ spans: 'all' })}>Count spans of every kind</Link>}
        </p>
      ) : (
        <Charts answer={answer} range={range} service={service} which={which} />
      )}
    </>
  );
}

/** Where a click on a chart leads: the traces of that moment. */
function tracesAt(row: Red, service: string, which: Which, time: number, step: number, more = ''): string {
  const within =
    service === ''
      ? filterOf(which, row.name, more)
      : filterOf(which, service, [`name = ${quote(row.name)}`, more].filter(Boolean).join(' && '));
  return linkTo('search', { q: within, from: Math.round((time - step) * 1e3), to: Math.round(time * 1e3) });
}

type ChartsProps = { answer: RedAnswer; range: { from: number; to: number }; service: string; which: Which };

function Charts({ answer, range, service, which }: ChartsProps) {
  const { rows, step } = answer;
  const shown = rows.slice(0, MOST_LINES);
  const color = (row: Red) => serviceColor(row.name);
  const charts = useMemo(() => {
    const lines = shown.map((row) => ({ label: row.name || 'none', color: color(row) }));
    const of = (pick: (row: Red) => Red['rate']) =>
      align(shown.map((row) => pick(row) ?? { labels: {}, times: [], values: [] }));
    return {
      lines,
      rate: of((row) => row.rate),
      errors: of((row) => row.errors),
      durations: of((row) => row.durations.get(0.95) ?? null),
    };
  }, [answer]);
  const open = (more: string) => (time: number, line: number) =>
    go(tracesAt(shown[line]!, service, which, time, step, more));
  return (
    <>
      <div class="charts">
        <Chart range={range} title="spans/s" lines={charts.lines} data={charts.rate} show={showRate} open={open('')} />
        <Chart
          range={range}
          title="errors/s"
          lines={charts.lines}
          data={charts.errors}
          show={showRate}
          open={open('status = error')}
        />
        <Chart
          range={range}
          title="p95"
          lines={charts.lines}
          data={charts.durations}
          show={(s) => showDuration(s * 1e9)}
          open={open('')}
        />
      </div>
      <p class="faint">A click on a chart shows the traces of that moment.</p>
      <Table rows={rows} service={service} which={which} />
    </>
  );
}

function Table({ rows, service, which }: { rows: Red[]; service: string; which: Which }) {
  const to = (row: Red) =>
    service === ''
      ? linkWith({ service: row.name })
      : linkTo('search', {
          q: filterOf(which, service, `name = ${quote(row.name)}`),
          from: params.value.from,
          to: params.value.to,
        });
  return (
    <div class="scroll-x">
      <table class="red">
        <thead>
          <tr>
            <th scope="col">{service === '' ? 'Service' : 'Operation'}</th>
            <th scope="col">Over time</th>
            <th scope="col" class="num">
              Spans/s
            </th>
            <th scope="col" class="num">
              Errors
            </th>
            {QUANTILES.map((q) => (
              <th key={q} scope="col" class="num" title="mean of this quantile over the intervals">
                p{q * 100}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.name}>
              <td>
                <Link to={to(row)}>{service === '' ? <Service service={row.name} /> : row.name || 'no name'}</Link>
              </td>
              <td>{row.rate && <Spark values={row.rate.values} color={serviceColor(service || row.name)} />}</td>
              <td class="num">{showRate(row.meanRate)}</td>
              <td class={row.errorShare > 0 ? 'num bad' : 'num'}>
                {row.errorShare > 0 ? showPercent(row.errorShare) : ''}
              </td>
              {QUANTILES.map((q) => (
                <td key={q} class="num">
                  {showDuration(typical(row, q))}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
