// Sends the trace of trace.json by the OpenTelemetry SDK for Node, as an application would.
//
// usage: send.mjs TRACE_FILE PROTOCOL ENDPOINT BASE_NS COMPRESSION TENANT
//
// PROTOCOL is grpc, http-protobuf or http-json; COMPRESSION none or gzip; TENANT may be empty. Prints one line of
// JSON: the trace id, and the request as the SDK encodes it in protobuf (base64). Ends with 1 if the exporter did
// not report success.

import { readFileSync } from 'node:fs';
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import { OTLPTraceExporter as GrpcExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';

const [traceFile, protocol, endpoint, base, compression, tenant] = process.argv.slice(2);
const wanted = JSON.parse(readFileSync(traceFile, 'utf8'));

/** Plain values of typed ones: {"k": {"int": 1}} to {"k": 1}. */
function values(typed) {
  return Object.fromEntries(Object.entries(typed).map(([key, value]) => [key, Object.values(value)[0]]));
}

/** The SDK's pair of seconds and nanoseconds, for nanoseconds after the base. */
function time(after) {
  const nanos = BigInt(base) + BigInt(after);
  return [Number(nanos / 1_000_000_000n), Number(nanos % 1_000_000_000n)];
}

async function exporter() {
  const headers = tenant ? { 'x-scope-orgid': tenant } : {};
  if (protocol === 'grpc') {
    const { Metadata } = await import('@grpc/grpc-js');
    const metadata = new Metadata();
    Object.entries(headers).forEach(([key, value]) => metadata.set(key, value));
    return new GrpcExporter({ url: endpoint, compression, metadata });
  }
  const Exporter = protocol === 'http-json' ? JsonExporter : ProtobufExporter;
  return new Exporter({ url: `${endpoint}/v1/traces`, compression, headers });
}

/** An exporter that remembers what it was given and what came of it. */
class Watched {
  constructor(inner) {
    this.inner = inner;
    this.requests = [];
    this.results = [];
  }
  export(spans, done) {
    this.inner.export(spans, (result) => {
      this.requests.push(spans);
      this.results.push(result);
      done(result);
    });
  }
  shutdown() {
    return this.inner.shutdown();
  }
  forceFlush() {
    return this.inner.forceFlush?.() ?? Promise.resolve();
  }
}

/** Makes the spans with exactly the times of the file. */
function record(tracer) {
  const made = new Map();
  for (const span of wanted.spans) {
    const parent = made.get(span.parent);
    const links = span.links.map((link) => ({
      context: { traceId: link.traceId, spanId: link.spanId, traceFlags: TraceFlags.NONE, isRemote: true },
      attributes: values(link.attributes),
    }));
    const options = {
      kind: SpanKind[span.kind.toUpperCase()],
      attributes: values(span.attributes),
      links,
      startTime: time(span.start),
    };
    const context = parent ? trace.setSpan(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
    made.set(span.name, tracer.startSpan(span.name, options, context));
  }
  for (const span of [...wanted.spans].reverse()) {
    const one = made.get(span.name);
    for (const event of span.events) {
      one.addEvent(event.name, values(event.attributes), time(event.time));
    }
    if (span.status.code !== 'unset') {
      one.setStatus({ code: SpanStatusCode[span.status.code.toUpperCase()], message: span.status.message });
    }
    one.end(time(span.end));
  }
  return made.values().next().value.spanContext().traceId;
}

const watched = new Watched(await exporter());
const provider = new NodeTracerProvider({
  resource: defaultResource().merge(resourceFromAttributes(values(wanted.resource))),
  spanProcessors: [new BatchSpanProcessor(watched)],
});
const traceId = record(provider.getTracer(wanted.scope.name, wanted.scope.version));
try {
  await provider.forceFlush();
} catch (error) {
  console.error(error); // the result below says that it failed
}
await provider.shutdown();
if (watched.results.length !== 1 || watched.results[0].code !== 0) {
  console.error('expected one successful export, got', watched.results);
  process.exit(1);
}
const request = ProtobufTraceSerializer.serializeRequest(watched.requests[0]);
console.log(JSON.stringify({ traceId, request: Buffer.from(request).toString('base64') }));
