// Names of attributes and their values, kept for a minute: completion asks for them with every key.

import { ask, tenant } from './client';
import { seconds } from './search';

const KEPT_MS = 60_000;
const MOST_VALUES = 500;

interface Range {
  from: number;
  to: number;
}

const kept = new Map<string, { at: number; value: Promise<unknown> }>();

function once<T>(key: string, fetch: () => Promise<T>): Promise<T> {
  const now = Date.now();
  const known = kept.get(key);
  if (known && now - known.at < KEPT_MS) return known.value as Promise<T>;
  if (kept.size > 200) kept.clear();
  const value = fetch();
  kept.set(key, { at: now, value });
  value.catch(() => kept.delete(key));
  return value;
}

/** Names by scope. */
export function tagNames(range: Range): Promise<{ scope: string; tags: string[] }[]> {
  return once(`names ${tenant.value} ${minute(range)}`, async () => {
    const params = { start: seconds(range.from), end: seconds(range.to), limit: 2000 };
    type Raw = { scopes?: { name: string; tags?: string[] }[] };
    const { body } = await ask<Raw>('api/v2/search/tags', params);
    return (body.scopes ?? []).map(({ name, tags }) => ({ scope: name, tags: tags ?? [] }));
  });
}

export interface TagValue {
  type: string;
  value: string;
}

/** Values of a field of TraceQL, such as `resource.service.name`, of spans that match a filter. */
export function tagValues(field: string, range: Range, q = ''): Promise<TagValue[]> {
  return once(`values ${tenant.value} ${field} ${q} ${minute(range)}`, async () => {
    const params = { start: seconds(range.from), end: seconds(range.to), limit: MOST_VALUES, q };
    const path = `api/v2/search/tag/${encodeURIComponent(field)}/values`;
    const { body } = await ask<{ tagValues?: TagValue[] }>(path, params);
    return body.tagValues ?? [];
  });
}

/** Ranges of the same minute share their answers. */
function minute({ from, to }: Range): string {
  return `${Math.floor(from / KEPT_MS)} ${Math.floor(to / KEPT_MS)}`;
}
