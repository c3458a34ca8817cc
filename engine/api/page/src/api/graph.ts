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

/** The map of a range; null when this server has none. */
export async function serviceGraph(from: number, to: number, signal?: AbortSignal): Promise<ServiceGraph | null> {
  try {
    const params = { start: Math.floor(from / 1e3), end: Math.ceil(to / 1e3) };
    const { body } = await ask<Partial<ServiceGraph>>('api/service-graph', params, signal);
    return {
      nodes: (body.nodes ?? []).map((node) => ({ ...node, spans: node.spans ?? 0, errors: node.errors ?? 0 })),
      edges: (body.edges ?? []).map((edge) => ({ ...edge, calls: edge.calls ?? 0, errors: edge.errors ?? 0 })),
      traces: body.traces ?? 0,
      complete: body.complete ?? true,
      message: body.message ?? '',
    };
  } catch (problem) {
    if (problem instanceof ApiError && problem.status === 404) return null;
    throw problem;
  }
}
