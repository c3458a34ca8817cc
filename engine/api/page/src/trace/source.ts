// A trace as the page sees it: what the worker made of it, and questions to the worker.

import { apiUrl, tenantHeaders } from '../api/client';
import workerUrl from './worker?worker&url';
import type { Detail } from './detail';
import type { Answer, Ask, Loaded } from './worker';

export type { Loaded };

type Question = Ask extends infer One ? (One extends { ask: number } ? Omit<One, 'ask'> : never) : never;

interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL: (url: string) => string },
  ): { createScriptURL(url: string): string };
}

/**
 * The page's Content-Security-Policy has the browser refuse addresses of code that did not pass through the policy of
 * this name, which lets the worker's address through and nothing else.
 */
const policy = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes?.createPolicy('spanloom-worker', {
  createScriptURL: (url) => {
    if (url !== workerUrl) throw new Error('not the address of the worker');
    return url;
  },
});
const trusted = (url: string): string => policy?.createScriptURL(url) ?? url;

export class TraceSource {
  private readonly worker: Worker;
  private readonly waiting = new Map<number, (answer: Answer) => void>();
  private asked = 0;

  constructor(readonly id: string) {
    this.worker = new Worker(trusted(workerUrl), { type: 'module' });
    this.worker.onmessage = (message: MessageEvent<Answer>) => {
      this.waiting.get(message.data.ask)?.(message.data);
      this.waiting.delete(message.data.ask);
    };
  }

  async load(): Promise<Loaded> {
    const answer = await this.ask({ what: 'load', url: apiUrl(`api/v2/traces/${this.id}`), headers: tenantHeaders() });
    return taken(answer, 'loaded');
  }

  async detail(row: number): Promise<Detail> {
    return taken(await this.ask({ what: 'detail', row }), 'detail');
  }

  /** The rows in which a text stands. */
  async find(text: string): Promise<Uint32Array> {
    return taken(await this.ask({ what: 'find', text }), 'rows');
  }

  close(): void {
    this.worker.terminate();
    this.waiting.clear();
  }

  private ask(question: Question): Promise<Answer> {
    const ask = ++this.asked;
    return new Promise((resolve) => {
      this.waiting.set(ask, resolve);
      this.worker.postMessage({ ...question, ask });
    });
  }
}

type Part<K extends string> = Answer extends infer One ? (One extends Record<K, infer T> ? T : never) : never;

function taken<K extends 'loaded' | 'detail' | 'rows'>(answer: Answer, key: K): Part<K> {
  if ('failed' in answer) throw new Error(answer.failed);
  return (answer as unknown as Record<K, Part<K>>)[key];
}
