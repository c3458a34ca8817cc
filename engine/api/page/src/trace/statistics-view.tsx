// Statistics of a trace: a row for each operation or service.

import { useMemo } from 'preact/hooks';
import { Link, Service } from '../app/parts';
import { linkWith, params } from '../app/router';
import { showCount, showPercent } from '../base/number';
import { showDuration } from '../base/time';
import { type GroupBy, type Statistic, statistics } from './groups';
import type { Tree } from './tree';

const COLUMNS: [keyof Statistic, string][] = [
  ['count', 'Spans'],
  ['errors', 'Errors'],
  ['total', 'Total'],
  ['self', 'Self'],
  ['p50', 'p50'],
  ['p95', 'p95'],
  ['max', 'Max'],
];

export function StatisticsView({ tree }: { tree: Tree }) {
  const by: GroupBy = params.value.by === 'service' ? 'service' : 'operation';
  const [key, isUp] = readSort(params.value.statsort);
  const rows = useMemo(() => statistics(tree, by), [tree, by]);
  const sorted = [...rows].sort((a, b) => (isUp ? 1 : -1) * order(a, b, key));
  const allSelf = rows.reduce((sum, row) => sum + row.self, 0) || 1;
  return (
    <section aria-label="statistics">
      <div class="toolbar">
        <nav class="switch" aria-label="group by">
          {(['operation', 'service'] as const).map((one) => (
            <Link
              key={one}
              to={linkWith({ by: one === 'operation' ? undefined : one })}
              class={one === by ? 'button on' : 'button'}
            >
              {one}
            </Link>
          ))}
        </nav>
      </div>
      <div class="scroll-x">
        <table class="statistics">
          <thead>
            <tr>
              <Head column="service" label="Service" sort={key} isUp={isUp} />
              {by === 'operation' && <Head column="name" label="Operation" sort={key} isUp={isUp} />}
              {COLUMNS.map(([column, label]) => (
                <Head key={column} column={column} label={label} sort={key} isUp={isUp} isNumber />
              ))}
              <th scope="col">Share of self time</th>
            </tr>
          </thead>
          <tbody>
            {sorted.map((row) => (
              <tr key={`${row.service}\n${row.name}`}>
                <td>
                  <Service service={row.service} />
                </td>
                {by === 'operation' && (
                  <td class="wrap">
                    <Link to={linkWith({ tab: undefined, find: row.name })}>{row.name || 'no name'}</Link>
                  </td>
                )}
                <td class="num">{showCount(row.count)}</td>
                <td class={row.errors > 0 ? 'num bad' : 'num'}>{row.errors > 0 ? showCount(row.errors) : ''}</td>
                {[row.total, row.self, row.p50, row.p95, row.max].map((ns, at) => (
                  <td key={at} class="num">
                    {showDuration(ns)}
                  </td>
                ))}
                <td class="share">
                  <span class="meter" style={{ width: `${(70 * row.self) / allSelf}%` }} />{' '}
                  {showPercent(row.self / allSelf)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

type HeadProps = { column: keyof Statistic; label: string; sort: keyof Statistic; isUp: boolean; isNumber?: boolean };

function Head({ column, label, sort, isUp, isNumber }: HeadProps) {
  const isSorted = column === sort;
  return (
    <th scope="col" class={isNumber ? 'num' : ''} aria-sort={isSorted ? (isUp ? 'ascending' : 'descending') : 'none'}>
      <Link to={linkWith({ statsort: `${column}-${isSorted && !isUp ? 'up' : 'down'}` })}>
        {label}
        {isSorted ? (isUp ? ' ↑' : ' ↓') : ''}
      </Link>
    </th>
  );
}

function readSort(text = ''): [keyof Statistic, boolean] {
  const [key, way] = text.split('-');
  const keys = ['service', 'name', ...COLUMNS.map(([column]) => column)] as (keyof Statistic)[];
  return keys.includes(key as keyof Statistic) ? [key as keyof Statistic, way === 'up'] : ['self', false];
}

function order(a: Statistic, b: Statistic, key: keyof Statistic): number {
  const [left, right] = [a[key], b[key]];
  return left < right ? -1 : left > right ? 1 : 0;
}
