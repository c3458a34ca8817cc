// `/api/search`, as the page shows it.

import { ask } from './client';

interface RawValue {
  stringValue?: string;
  intValue?: string;
  doubleValue?: number | string;
  boolValue?: boolean;
  arrayValue?: { values?: RawValue[] };
}
interface RawSpan {
  spanID: string;
  name?: string;
  startTimeUnixNano?: string;
  durationNanos?: string;
  attributes?: { key: string; value?: RawValue }[];
}
interface RawTrace {
  traceID: string;
  rootServiceName?: string;
  rootTraceName?: string;
  startTimeUnixNano?: string;
  durationMs?: number;
  spanSets?: { spans?: RawSpan[]; matched?: number }[];
  serviceStats?: Record<string, { spanCount?: number; errorCount?: number }>;
}
interface RawAnswer {
  traces?: RawTrace[];
  metrics?: Record<string, number | string>;
}

export interface FoundSpan {
  id: string;
  name: string;
  startMs: number;
  durationNs: number;
  attributes: [string, string][];
}

export interface FoundTrace {
  id: string;
  service: string;
  name: string;
  /** False while the root has not come. */
  hasRoot: boolean;
  startNs: bigint;
  startMs: number;
  /** Whole milliseconds. */
  durationMs: number;
  spans: number;
  errors: number;
  /** By name: spans and errors. */
  services: { name: string; spans: number; errors: number }[];
  matched: number;
  shown: FoundSpan[];
}

export interface Found {
  traces: FoundTrace[];
  nextCursor: string;
  /** What is missing, when something is. */
  partial: string;
  inspectedSpans: number;
  inspectedBytes: number;
}

export interface Asked {
  q: string;
  /** Milliseconds since 1970. */
  from: number;
  to: number;
  limit: number;
  cursor?: string;
  spss?: number;
}

export async function search(asked: Asked, signal?: AbortSignal): Promise<Found> {
  const { q, limit, cursor, spss } = asked;
  const params = { q, limit, cursor, spss, start: seconds(asked.from), end: seconds(asked.to) };
  const { body, headers } = await ask<RawAnswer>('api/search', params, signal);
  return {
    traces: (body.traces ?? []).map(readTrace),
    nextCursor: headers.get('x-spanloom-next-cursor') ?? '',
    partial: headers.get('x-spanloom-partial') ?? '',
    inspectedSpans: Number(body.metrics?.inspectedSpans ?? 0),
    inspectedBytes: Number(body.metrics?.inspectedBytes ?? 0),
  };
}

export function seconds(ms: number): string {
  return (ms / 1e3).toFixed(3);
}

/** What the API says in place of a root's service. */
const NO_ROOT = '<root span not yet received>';

export function readTrace(raw: RawTrace): FoundTrace {
  const stats = Object.entries(raw.serviceStats ?? {}).map(([name, one]) => ({
    name,
    spans: one.spanCount ?? 0,
    errors: one.errorCount ?? 0,
  }));
  stats.sort((a, b) => b.spans - a.spans || (a.name < b.name ? -1 : 1));
  const startNs = BigInt(raw.startTimeUnixNano ?? '0');
  const sets = raw.spanSets ?? [];
  const shown = sets.flatMap((set) => set.spans ?? []).map(readSpan);
  const hasRoot = raw.rootServiceName !== NO_ROOT;
  return {
    id: raw.traceID.padStart(32, '0'),
    service: hasRoot ? (raw.rootServiceName ?? '') : '',
    name: raw.rootTraceName ?? '',
    hasRoot,
    startNs,
    startMs: Number(startNs / 1000n) / 1e3,
    durationMs: raw.durationMs ?? 0,
    spans: stats.reduce((sum, one) => sum + one.spans, 0),
    errors: stats.reduce((sum, one) => sum + one.errors, 0),
    services: stats,
    matched: sets.reduce((sum, set) => sum + (set.matched ?? 0), 0),
    shown,
  };
}

function readSpan(raw: RawSpan): FoundSpan {
  return {
    id: raw.spanID,
    name: raw.name ?? '',
    startMs: Number(BigInt(raw.startTimeUnixNano ?? '0') / 1000n) / 1e3,
    durationNs: Number(raw.durationNanos ?? 0),
    attributes: (raw.attributes ?? []).map(({ key, value }) => [key, showValue(value)]),
  };
}

export function showValue(value: RawValue | undefined): string {
  if (value === undefined) return '';
  if (value.arrayValue) return `[${(value.arrayValue.values ?? []).map(showValue).join(', ')}]`;
  return String(value.stringValue ?? value.intValue ?? value.doubleValue ?? value.boolValue ?? '');
}
