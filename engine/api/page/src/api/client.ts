// Asking the server that the page came from.

import { signal } from '@preact/signals';

/** What the server wrote into the page. */
interface Told {
  version: string;
  multitenancy: boolean;
}

export const told: Told = readTold();

function readTold(): Told {
  if (typeof document === 'undefined') return { version: '', multitenancy: false }; // in tests and workers
  const text = document.querySelector('meta[name="spanloom"]')?.getAttribute('content') ?? '';
  const [version = '', tenancy = ''] = text.split(';');
  return { version, multitenancy: tenancy.trim() === 'multitenancy' };
}

/** On whose behalf the page asks; several with `|` between; empty for the default. */
export const tenant = signal('');

export function tenantHeaders(): Record<string, string> {
  return tenant.value === '' ? {} : { 'X-Scope-OrgID': tenant.value };
}

/** An address of the API, below the prefix that the server has. */
export function apiUrl(path: string, params: Record<string, string | number | undefined> = {}): string {
  const url = new URL(path, document.baseURI);
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== '') url.searchParams.set(name, String(value));
  }
  return url.href;
}

/** What the server said instead of an answer. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

export interface Reply<T> {
  body: T;
  headers: Headers;
}

/** Asks for JSON. */
export async function ask<T>(
  path: string,
  params: Record<string, string | number | undefined> = {},
  signal?: AbortSignal,
): Promise<Reply<T>> {
  const response = await send(apiUrl(path, params), 'application/json', signal);
  return { body: (await response.json()) as T, headers: response.headers };
}

/** Asks for text. */
export async function askText(path: string, signal?: AbortSignal): Promise<string> {
  return (await send(apiUrl(path), 'text/plain', signal)).text();
}

async function send(url: string, accept: string, signal?: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { headers: { ...tenantHeaders(), Accept: accept }, ...(signal ? { signal } : {}) });
  } catch (problem) {
    if (isAbort(problem)) throw problem;
    throw new ApiError('the server cannot be reached', 0);
  }
  if (!response.ok) {
    const said = (await response.text()).trim();
    throw new ApiError(said === '' ? `the server answers ${response.status}` : said, response.status);
  }
  return response;
}

/** Whether a question was given up by the page itself. */
export function isAbort(problem: unknown): boolean {
  return problem instanceof DOMException && problem.name === 'AbortError';
}

export function messageOf(problem: unknown): string {
  return problem instanceof Error ? problem.message : String(problem);
}
