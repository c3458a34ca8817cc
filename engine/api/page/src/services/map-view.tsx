// The map of services: who calls whom, how often, with how many errors.

import { useEffect, useMemo, useState } from 'preact/hooks';
import { isAbort, messageOf, tenant } from '../api/client';
import { type GraphEdge, type GraphNode, type ServiceGraph, serviceGraph } from '../api/graph';
import { Link, Notice, Service } from '../app/parts';
import { go, linkTo, linkWith, params } from '../app/router';
import { serviceColor } from '../base/color';
import { plural, showCount, showPercent } from '../base/number';
import { showDuration } from '../base/time';
import { quote } from '../search/query';
import { edgePath, layout, NODE_HEIGHT, NODE_WIDTH } from './layout';

export function MapView({ range }: { range: { from: number; to: number } }) {
  const [graph, setGraph] = useState<ServiceGraph | null | undefined>(undefined);
  const [problem, setProblem] = useState('');
  useEffect(() => {
    const abort = new AbortController();
    setProblem('');
    serviceGraph(range.from, range.to, abort.signal).then(setGraph, (trouble: unknown) => {
      if (!isAbort(trouble)) setProblem(messageOf(trouble));
    });
    return () => abort.abort();
  }, [range, tenant.value]);
  if (problem !== '') return <Notice kind="error">{problem}</Notice>;
  if (graph === undefined) return <p class="loading">looking who calls whom…</p>;
  if (graph === null)
    return <Notice kind="info">This server has no map of services: it answers /api/service-graph with 404.</Notice>;
  return (
    <>
      {!graph.complete && <Notice kind="warning">{graph.message || 'the map is of a part of the traces'}</Notice>}
      {graph.nodes.length === 0 ? (
        <p class="empty">No service was called in this range.</p>
      ) : (
        <>
          <p class="faint">From {plural(graph.traces, 'trace')}. Click a service or a call.</p>
          <Picture graph={graph} />
          <Chosen graph={graph} />
          <Calls graph={graph} />
        </>
      )}
    </>
  );
}

const edgeKey = (edge: GraphEdge) => `${edge.client}\u0000${edge.server}`;

function Picture({ graph }: { graph: ServiceGraph }) {
  const { nodes, width, height } = useMemo(
    () =>
      layout(
        graph.nodes.map((node) => node.name),
        graph.edges,
      ),
    [graph],
  );
  const most = Math.max(1, ...graph.edges.map((edge) => edge.calls));
  const chosen = params.value.node ?? '';
  return (
    <div class="map scroll-x">
      <svg
        viewBox={`0 0 ${width} ${height + 40}`}
        width={width}
        height={height + 40}
        role="group"
        aria-label="map of services"
      >
        <defs>
          <marker
            id="arrow"
            viewBox="0 0 8 8"
            refX="6"
            refY="4"
            markerWidth="8"
            markerHeight="8"
            markerUnits="userSpaceOnUse"
            orient="auto"
          >
            <path d="M0 0L8 4L0 8z" class="arrow" />
          </marker>
        </defs>
        {graph.edges.map((edge) => {
          const [from, to] = [nodes.get(edge.client), nodes.get(edge.server)];
          if (!from || !to) return null;
          const isFaded = chosen !== '' && edge.client !== chosen && edge.server !== chosen;
          return (
            <Edge
              key={edgeKey(edge)}
              edge={edge}
              path={edgePath(from, to, height)}
              wide={1 + 3 * (Math.log1p(edge.calls) / Math.log1p(most))}
              isFaded={isFaded}
            />
          );
        })}
        {graph.nodes.map((node) => {
          const place = nodes.get(node.name);
          return place && <Box key={node.name} node={node} x={place.x} y={place.y} isChosen={chosen === node.name} />;
        })}
      </svg>
    </div>
  );
}

function Edge({ edge, path, wide, isFaded }: { edge: GraphEdge; path: string; wide: number; isFaded: boolean }) {
  const about = edgeText(edge);
  return (
    <a
      href={tracesOf(edge)}
      onClick={follow(tracesOf(edge))}
      aria-label={`${edge.client} calls ${edge.server}: ${about}`}
    >
      <path d={path} class="edge-reach" />
      <path
        d={path}
        class={isFaded ? 'edge faded' : 'edge'}
        style={{ stroke: errorColor(edge) }}
        stroke-width={wide}
        marker-end="url(#arrow)"
      />
      <title>{`${edge.client} → ${edge.server}\n${about}`}</title>
    </a>
  );
}

function Box({ node, x, y, isChosen }: { node: GraphNode; x: number; y: number; isChosen: boolean }) {
  const share = node.spans > 0 ? node.errors / node.spans : 0;
  const to = linkWith({ node: isChosen ? undefined : node.name });
  return (
    <a href={to} onClick={follow(to)} aria-label={`${node.kind} ${node.name}`} class={isChosen ? 'box chosen' : 'box'}>
      <rect x={x} y={y} width={NODE_WIDTH} height={NODE_HEIGHT} rx={node.kind === 'service' ? 5 : 20} />
      <rect x={x + 8} y={y + 9} width={9} height={9} rx={2} style={{ fill: serviceColor(node.name) }} />
      <text x={x + 23} y={y + 18} class="name">
        {cut(node.name, 20)}
      </text>
      <text x={x + 23} y={y + 34} class="about">
        {node.kind !== 'service' ? `${node.kind} · ` : ''}
        {showCount(node.spans)}
        {share > 0 ? ` · ${showPercent(share)} errors` : ''}
      </text>
      <title>{`${node.name}\n${plural(node.spans, 'span')}, ${plural(node.errors, 'error')}`}</title>
    </a>
  );
}

function follow(to: string) {
  return (event: MouseEvent) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    go(to, false);
  };
}

/** Redder with the share of errors; a tenth is as red as it gets. */
function errorColor({ calls, errors }: GraphEdge): string {
  const share = Math.min(1, (10 * errors) / Math.max(1, calls));
  return `color-mix(in oklab, var(--bad) ${Math.round(100 * share)}%, var(--edge))`;
}

const cut = (text: string, most: number) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function edgeText(edge: GraphEdge): string {
  const errors = edge.errors > 0 ? `, ${showPercent(edge.errors / Math.max(1, edge.calls))} errors` : '';
  return `${plural(edge.calls, 'call')}${errors}, p50 ${showDuration(edge.p50Ms * 1e6)}, p95 ${showDuration(edge.p95Ms * 1e6)}`;
}

/** Traces in which the one called the other. What is no service has no spans of its own to search for. */
function tracesOf(edge: GraphEdge): string {
  const { from, to } = params.value;
  const [client, server] = [edge.client, edge.server].map((name) => `{ resource.service.name = ${quote(name)} }`);
  return linkTo('search', { q: `${client} >> ${server}`, from, to });
}

function Chosen({ graph }: { graph: ServiceGraph }) {
  const node = graph.nodes.find((one) => one.name === params.value.node);
  if (!node) return null;
  const { from, to } = params.value;
  return (
    <p class="chosen-node">
      <Service service={node.name} /> {node.kind}, {plural(node.spans, 'span')}, {plural(node.errors, 'error')} ·{' '}
      <Link to={linkTo('search', { service: node.name, from, to })}>traces</Link> ·{' '}
      <Link to={linkTo('search', { service: node.name, status: 'error', from, to })}>traces with errors</Link> ·{' '}
      <Link to={linkTo('services', { service: node.name, from, to })}>rates and durations</Link>
    </p>
  );
}

/** The same as a table, for those who do not see the picture. */
function Calls({ graph }: { graph: ServiceGraph }) {
  const chosen = params.value.node ?? '';
  const edges = graph.edges
    .filter((edge) => chosen === '' || edge.client === chosen || edge.server === chosen)
    .sort((a, b) => b.calls - a.calls);
  return (
    <div class="scroll-x">
      <table class="calls">
        <thead>
          <tr>
            <th scope="col">Caller</th>
            <th scope="col">Called</th>
            {['Calls', 'Errors', 'p50', 'p95'].map((label) => (
              <th key={label} scope="col" class="num">
                {label}
              </th>
            ))}
            <th scope="col" />
          </tr>
        </thead>
        <tbody>
          {edges.map((edge) => (
            <tr key={edgeKey(edge)}>
              <td>
                <Service service={edge.client} />
              </td>
              <td>
                <Service service={edge.server} />
              </td>
              <td class="num">{showCount(edge.calls)}</td>
              <td class={edge.errors > 0 ? 'num bad' : 'num'}>
                {edge.errors > 0 ? showPercent(edge.errors / edge.calls) : ''}
              </td>
              <td class="num">{showDuration(edge.p50Ms * 1e6)}</td>
              <td class="num">{showDuration(edge.p95Ms * 1e6)}</td>
              <td>
                <Link to={tracesOf(edge)}>traces</Link>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
