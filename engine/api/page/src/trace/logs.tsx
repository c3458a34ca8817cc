// The link to the logs of a span.

import { logsTemplate } from '../app/settings';
import { fillTemplate } from '../base/link';
import type { Tree } from './tree';

type Props = { tree: Tree; row: number; id: string; service: string; startMs: number };

export function LogsOfSpan({ tree, row, id, service, startMs }: Props) {
  if (logsTemplate.value === '') return null;
  const start = BigInt(Math.floor(startMs));
  const end = start + BigInt(Math.ceil(tree.duration[row]! / 1e6)) + 1n;
  const to = fillTemplate(logsTemplate.value, {
    traceId: new URLSearchParams(location.search).get('id') ?? '',
    spanId: id,
    service,
    startMs: String(start),
    endMs: String(end),
    startNs: String(start * 1_000_000n),
    endNs: String(end * 1_000_000n),
  });
  if (to === null) return null;
  return (
    <p class="detail-links">
      <a href={to} target="_blank" rel="noopener noreferrer">
        logs of this span ↗
      </a>
    </p>
  );
}
