// Recent and saved searches, kept in this browser.

import { keptSignal } from '../app/settings';

export interface KeptSearch {
  q: string;
  from: string;
  to: string;
  name?: string;
}

const MOST_RECENT = 20;

function isList(value: unknown): value is KeptSearch[] {
  const isText = (one: unknown) => typeof one === 'string';
  return (
    Array.isArray(value) &&
    value.every((one: Partial<KeptSearch> | null) => isText(one?.q) && isText(one?.from) && isText(one?.to))
  );
}

export const recent = keptSignal<KeptSearch[]>('recent', [], isList);
export const saved = keptSignal<KeptSearch[]>('saved', [], isList);

const same = (a: KeptSearch, b: KeptSearch) => a.q === b.q;

/** The last searches, the newest first, each query once. */
export function remember(search: KeptSearch): void {
  recent.value = [search, ...recent.value.filter((one) => !same(one, search))].slice(0, MOST_RECENT);
}

export function save(search: KeptSearch): void {
  saved.value = [search, ...saved.value.filter((one) => !same(one, search))];
}

export function forget(search: KeptSearch): void {
  saved.value = saved.value.filter((one) => !same(one, search));
}
