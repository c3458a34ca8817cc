// Sends a trace by the OpenTelemetry SDK for Node and one of its exporters, as an application would.
//
// usage: send_otel.mjs EXPORTER TRACE_FILE BASE_NS HOST:PORT [COMPRESSION [TENANT]]
//
// EXPORTER is otlp-grpc, otlp-http-protobuf, otlp-http-json, jaeger-udp, jaeger-http or zipkin-v2-json;
// COMPRESSION none or gzip. Prints one line of JSON: the trace id, and for OTLP the request as the SDK encodes it in
// protobuf (base64). Ends with 1 if the exporter did not report success.

import { readFileSync } from 'node:fs';
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';

const [name, traceFile, base, endpoint, compression = 'none', tenant = ''] = process.argv.slice(2);
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
  const form = name.slice(name.indexOf('-') + 1);
  if (name.startsWith('otlp')) {
    return otlpExporter(form);
  }
  if (name.startsWith('jaeger')) {
    return jaegerExporter(form);
  }
  const { ZipkinExporter } = await import('@opentelemetry/exporter-zipkin');
  return new ZipkinExporter({ url: `http://${endpoint}/api/v2/spans` });
}

async function otlpExporter(form) {
  const headers = tenant ? { 'x-scope-orgid': tenant } : {};
  if (form === 'grpc') {
    const { Metadata } = await import('@grpc/grpc-js');
    const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-grpc');
    const metadata = new Metadata();
    Object.entries(headers).forEach(([key, value]) => metadata.set(key, value));
    return new OTLPTraceExporter({ url: `http://${endpoint}`, compression, metadata });
  }
  const { OTLPTraceExporter } = await (form === 'http-json'
    ? import('@opentelemetry/exporter-trace-otlp-http')
    : import('@opentelemetry/exporter-trace-otlp-proto'));
  return new OTLPTraceExporter({ url: `http://${endpoint}/v1/traces`, compression, headers });
}

async function jaegerExporter(form) {
  const { JaegerExporter } = await import('@opentelemetry/exporter-jaeger');
  if (form === 'http') {
    return new JaegerExporter({ endpoint: `http://${endpoint}/api/traces` });
  }
  const [host, port] = endpoint.split(':');
  return new JaegerExporter({ host, port: Number(port) });
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
const said = { traceId };
if (name.startsWith('otlp')) {
  said.request = Buffer.from(ProtobufTraceSerializer.serializeRequest(watched.requests[0])).toString('base64');
}
console.log(JSON.stringify(said));
