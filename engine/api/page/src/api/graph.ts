// `/api/service-graph`: which services call which.

import { ApiError, ask } from './client';

export type NodeKind = 'service' | 'database' | 'messaging' | 'external';

export interface GraphNode {
  name: string;
  kind: NodeKind;
  spans: number;
  errors: number;
}

export interface GraphEdge {
  client: string;
  server: string;
  calls: number;
  errors: number;
  p50Ms: number;
  p95Ms: number;
}

export interface ServiceGraph {
  nodes: GraphNode[];
  edges: GraphEdge[];
  traces: number;
  complete: boolean;
  message: string;
}

/** Zeros may be left out of answers. */
const NO_SPANS = { spans: 0, errors: 0 };
const NO_CALLS = { calls: 0, errors: 0, p50Ms: 0, p95Ms: 0 };

/** The map of a range; null when this server has none. */
export async function serviceGraph(from: number, to: number, signal?: AbortSignal): Promise<ServiceGraph | null> {
  try {
    const params = { start: Math.floor(from / 1e3), end: Math.ceil(to / 1e3) };
    const { body } = await ask<Partial<ServiceGraph>>('api/service-graph', params, signal);
    return {
      nodes: (body.nodes ?? []).map((node) => ({ ...NO_SPANS, ...node })),
      edges: (body.edges ?? []).map((edge) => ({ ...NO_CALLS, ...edge })),
      traces: body.traces ?? 0,
      complete: body.complete ?? true,
      message: body.message ?? '',
    };
  } catch (problem) {
    if (problem instanceof ApiError && problem.status === 404) return null;
    throw problem;
  }
}
