// The worker of one trace: fetches its bytes, makes columns and the tree of them, and keeps the bytes for what is
// asked later. The page stays responsive while a large trace is read.

import { readTrace } from './columns';
import { type CriticalPath, criticalPath } from './critical';
import { type Detail, readDetail } from './detail';
import { findRows } from './find';
import { buildTree, type Tree } from './tree';

/** What the page asks; `ask` comes back with the answer. */
export type Ask =
  | { ask: number; what: 'load'; url: string; headers: Record<string, string> }
  | { ask: number; what: 'detail'; row: number }
  | { ask: number; what: 'find'; text: string };

/** What a trace takes: bytes and milliseconds. */
export interface Timings {
  bytes: number;
  fetchMs: number;
  /** Until the columns are there, in order, and the critical path is known. */
  readMs: number;
}

export interface Loaded {
  tree: Tree;
  critical: CriticalPath;
  timings: Timings;
}

export type Answer = { ask: number } & (
  { failed: string } | { loaded: Loaded } | { detail: Detail } | { rows: Uint32Array }
);

let bytes = new Uint8Array();
let tree: Tree | null = null;

async function load(url: string, headers: Record<string, string>): Promise<Loaded> {
  const began = performance.now();
  const response = await fetch(url, { headers: { ...headers, Accept: 'application/protobuf' } });
  if (!response.ok) throw new Error((await response.text()).trim() || `the server answers ${response.status}`);
  bytes = new Uint8Array(await response.arrayBuffer());
  const fetched = performance.now();
  tree = buildTree(readTrace(bytes));
  const critical = criticalPath(tree);
  const timings = { bytes: bytes.length, fetchMs: fetched - began, readMs: performance.now() - fetched };
  return { tree, critical, timings };
}

async function answer(asked: Ask): Promise<Answer> {
  const { ask } = asked;
  try {
    if (asked.what === 'load') return { ask, loaded: await load(asked.url, asked.headers) };
    if (tree === null) throw new Error('no trace is loaded');
    if (asked.what === 'detail') return { ask, detail: readDetail(bytes, tree, asked.row) };
    return { ask, rows: findRows(bytes, tree, asked.text) };
  } catch (problem) {
    return { ask, failed: problem instanceof Error ? problem.message : String(problem) };
  }
}

self.onmessage = async (message: MessageEvent<Ask>) => {
  self.postMessage(await answer(message.data));
};
