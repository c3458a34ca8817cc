// What a search is, read from the address.

import type { Params } from '../base/link';
import { parseRange } from '../base/time';
import { EMPTY_FORM, type Form, formQuery } from './query';

export const LIMITS = [20, 50, 100, 500];

export interface SearchState {
  /** The query as it is written; empty while the form says it. */
  typed: string;
  form: Form;
  from: string;
  to: string;
  limit: number;
  cursor: string;
  isLive: boolean;
}

export function readState(params: Params): SearchState {
  const form = { ...EMPTY_FORM };
  for (const name of Object.keys(form) as (keyof Form)[]) form[name] = params[name] ?? '';
  const limit = Number(params.limit);
  return {
    typed: params.q ?? '',
    form,
    from: params.from ?? 'now-1h',
    to: params.to ?? 'now',
    limit: LIMITS.includes(limit) ? limit : LIMITS[0]!,
    cursor: params.cursor ?? '',
    isLive: params.live === '1',
  };
}

/** The query to ask, or what is wrong. */
export function queryOf(state: SearchState): { q: string } | { wrong: string } {
  return state.typed === '' ? formQuery(state.form) : { q: state.typed };
}

/** The range to ask for in milliseconds, or what is wrong. An end that is now takes in what comes from clocks ahead. */
export function rangeOf(state: SearchState, nowMs: number): { from: number; to: number } | string {
  const range = parseRange(state.from, state.to, nowMs);
  if (typeof range === 'string') return range;
  return state.to === 'now' ? { ...range, to: range.to + 60_000 } : range;
}
