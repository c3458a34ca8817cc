// Everything that a span says. All of it is text: nothing here becomes markup.

import { useEffect, useState } from 'preact/hooks';
import { messageOf } from '../api/client';
import { Button, Copy, Link, Notice, Service, Time } from '../app/parts';
import { linkTo } from '../app/router';
import { safeLink } from '../base/link';
import { showDuration } from '../base/time';
import { attributeField, quote } from '../search/query';
import { idText } from './columns';
import type { Attribute, Detail, SpanEvent } from './detail';
import { LogsOfSpan } from './logs';
import type { TraceSource } from './source';
import type { Tree } from './tree';

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];
const STATUSES = ['unset', 'ok', 'error'];

type Props = { tree: Tree; row: number; source: TraceSource; close: () => void; show: (row: number) => void };

export function DetailPanel({ tree, row, source, close, show }: Props) {
  const [detail, setDetail] = useState<Detail | null>(null);
  const [problem, setProblem] = useState('');
  useEffect(() => {
    source.detail(row).then(setDetail, (trouble: unknown) => setProblem(messageOf(trouble)));
  }, [source, row, tree]);
  const service = tree.services[tree.service[row]!] ?? '';
  const name = tree.names[tree.name[row]!] ?? '';
  const id = idText(tree.id, row);
  const startMs = Number((tree.baseNs + BigInt(Math.round(tree.start[row]!))) / 1000n) / 1e3;
  return (
    <aside class="detail" aria-label="span">
      <header>
        <h2>
          <Service service={service} /> <span>{name}</span>
        </h2>
        <Button class="quiet" aria-label="close the span" onClick={close}>
          ×
        </Button>
      </header>
      <dl class="facts-list">
        <Fact name="duration">
          {showDuration(tree.duration[row]!)} <span class="faint">self {showDuration(tree.self[row]!)}</span>
        </Fact>
        <Fact name="start">
          <Time ms={startMs} /> <span class="faint">+{showDuration(tree.start[row]!)}</span>
        </Fact>
        <Fact name="kind">{KINDS[tree.kind[row]!] ?? String(tree.kind[row])}</Fact>
        <Fact name="status">
          <span class={tree.status[row] === 2 ? 'bad' : ''}>
            {STATUSES[tree.status[row]!] ?? String(tree.status[row])}
          </span>{' '}
          {detail?.statusMessage}
        </Fact>
        <Fact name="span id">
          <code>{id}</code> <Copy text={id} label="copy the span id" />
        </Fact>
        {tree.parent[row]! >= 0 && (
          <Fact name="parent">
            <Button class="small" onClick={() => show(tree.parent[row]!)}>
              {tree.names[tree.name[tree.parent[row]!]!] || 'no name'}
            </Button>
          </Fact>
        )}
        {detail?.traceState && <Fact name="trace state">{detail.traceState}</Fact>}
        {detail?.scope.name && (
          <Fact name="scope">
            {detail.scope.name} {detail.scope.version}
          </Fact>
        )}
      </dl>
      <LogsOfSpan tree={tree} row={row} id={id} service={service} startMs={startMs} />
      <p class="detail-links">
        <Filter q={`resource.service.name = ${quote(service)} && name = ${quote(name)}`}>
          traces with this operation
        </Filter>
      </p>
      {problem !== '' && <Notice kind="error">{problem}</Notice>}
      {detail && <Parts detail={detail} spanStart={tree.start[row]!} />}
    </aside>
  );
}

function Fact({ name, children }: { name: string; children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Filter({ q, children }: { q: string; children: preact.ComponentChildren }) {
  return <Link to={linkTo('search', { q: `{ ${q} }` })}>{children}</Link>;
}

function Parts({ detail, spanStart }: { detail: Detail; spanStart: number }) {
  const [attributes, events, links] = detail.dropped;
  return (
    <>
      <Attributes title="Span" scope="span" list={detail.attributes} />
      {detail.events.length > 0 && (
        <section>
          <h3>Events</h3>
          {detail.events.map((event, at) => (
            <Event key={at} event={event} spanStart={spanStart} />
          ))}
        </section>
      )}
      {detail.links.length > 0 && (
        <section>
          <h3>Links</h3>
          {detail.links.map((link, at) => (
            <div key={at} class="event">
              <Link to={linkTo('trace', { id: link.traceId, span: link.spanId })}>
                <code>
                  {link.traceId} {link.spanId}
                </code>
              </Link>
              <List scope="link" list={link.attributes} />
            </div>
          ))}
        </section>
      )}
      <Attributes title="Resource" scope="resource" list={detail.resource} />
      <Attributes title="Scope" scope="instrumentation" list={detail.scope.attributes} />
      {attributes + events + links > 0 && (
        <p class="faint">
          The sender left out {attributes} attributes, {events} events, {links} links.
        </p>
      )}
    </>
  );
}

function Event({ event, spanStart }: { event: SpanEvent; spanStart: number }) {
  const isException = event.name === 'exception';
  return (
    <div class={isException ? 'event exception' : 'event'}>
      <b>{event.name || 'no name'}</b> <span class="faint">+{showDuration(event.at - spanStart)}</span>
      <List scope="event" list={event.attributes} />
    </div>
  );
}

function Attributes({ title, scope, list }: { title: string; scope: string; list: Attribute[] }) {
  if (list.length === 0) return null;
  return (
    <section>
      <h3>{title}</h3>
      <List scope={scope} list={list} />
    </section>
  );
}

function List({ scope, list }: { scope: string; list: Attribute[] }) {
  if (list.length === 0) return null;
  const sorted = [...list].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return (
    <table class="attributes">
      <tbody>
        {sorted.map((one, at) => (
          <AttributeRow key={at} scope={scope} attribute={one} />
        ))}
      </tbody>
    </table>
  );
}

function AttributeRow({ scope, attribute: { key, value } }: { scope: string; attribute: Attribute }) {
  const link = value.type === 'string' ? safeLink(value.text) : null;
  return (
    <tr>
      <th scope="row">{key}</th>
      <td class={`value ${value.type}`} title={value.type}>
        {link === null ? (
          value.text
        ) : (
          <a href={link} target="_blank" rel="noopener noreferrer">
            {value.text}
          </a>
        )}
      </td>
      <td class="tools">
        <Copy text={value.text} label={`copy the value of ${key}`} />
        {literal(value) !== null && (
          <Link
            class="small"
            to={linkTo('search', { q: `{ ${attributeField(scope, key)} = ${literal(value)} }` })}
            label={`filter for ${key}`}
            title="filter for this"
          >
            filter
          </Link>
        )}
      </td>
    </tr>
  );
}

/** A value as TraceQL writes it; null for those that it has no sign for. */
function literal({ type, text }: Attribute['value']): string | null {
  if (type === 'string') return quote(text);
  if (type === 'int' || type === 'bool') return text;
  return type === 'float' && /^-?\d+(\.\d+)?$/.test(text) ? text : null;
}
