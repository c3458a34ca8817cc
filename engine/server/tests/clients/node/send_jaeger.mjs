// Sends a trace by the Jaeger client for Node: binary Thrift, in UDP datagrams or by HTTP.
//
// usage: send_jaeger.mjs FORM TRACE_FILE BASE_NS HOST:PORT ID_BITS
//
// FORM is udp or http; ID_BITS is 64 or 128, the length of trace ids. Prints one line of JSON: the trace id. Ends
// with 1 if the client did not report success.

import { readFileSync } from 'node:fs';
import jaeger from 'jaeger-client';
import opentracing from 'opentracing';

const [form, traceFile, base, endpoint, idBits] = process.argv.slice(2);
const wanted = JSON.parse(readFileSync(traceFile, 'utf8'));

/** Plain values of typed ones: {"k": {"int": 1}} to {"k": 1}. */
function values(typed) {
  return Object.fromEntries(Object.entries(typed).map(([key, value]) => [key, Object.values(value)[0]]));
}

/** The client's milliseconds, for nanoseconds after the base. */
function time(after) {
  return Number(BigInt(base) / 1_000_000n) + after / 1e6;
}

function reporter() {
  if (form === 'http') {
    return { collectorEndpoint: `http://${endpoint}/api/traces` };
  }
  const [host, port] = endpoint.split(':');
  return { agentHost: host, agentPort: Number(port) };
}

/** The client's own context of a span that another process made. */
function reference(link) {
  const flags = 1;
  const context = jaeger.SpanContext.fromString(`${link.traceId}:${link.spanId}:0:${flags}`);
  return opentracing.followsFrom(context);
}

/** Makes the spans with exactly the times of the file. */
function record(tracer) {
  const made = new Map();
  for (const span of wanted.spans) {
    const parent = made.get(span.parent);
    const references = [...(parent ? [opentracing.childOf(parent.context())] : []), ...span.links.map(reference)];
    const tags = { ...values(span.attributes), [opentracing.Tags.SPAN_KIND]: span.kind };
    made.set(span.name, tracer.startSpan(span.name, { references, tags, startTime: time(span.start) }));
  }
  for (const span of [...wanted.spans].reverse()) {
    const one = made.get(span.name);
    for (const event of span.events) {
      one.log({ event: event.name, ...values(event.attributes) }, time(event.time));
    }
    if (span.status.code === 'error') {
      one.addTags({ error: true, message: span.status.message });
    }
    one.finish(time(span.end));
  }
  return made.values().next().value.context().traceIdStr;
}

const failures = [];
const logger = { info() {}, error: (message) => failures.push(message) };
const { 'service.name': serviceName, ...tags } = values(wanted.resource);
const config = { serviceName, sampler: { type: 'const', param: 1 }, reporter: reporter() };
const tracer = jaeger.initTracer(config, { logger, tags, traceId128bit: idBits === '128' });
const traceId = record(tracer);
await new Promise((closed) => tracer.close(closed));
if (failures.length > 0) {
  console.error('expected no failure, got', failures);
  process.exit(1);
}
console.log(JSON.stringify({ traceId: traceId.padStart(32, '0') }));
