// Sends a trace by Zipkin's own client for Node: JSON of version 1 or 2, or Thrift of version 1, by HTTP.
//
// usage: send_zipkin.mjs ENCODING TRACE_FILE BASE_NS HOST:PORT ID_BITS
//
// ENCODING is v1-json, v2-json or v1-thrift; ID_BITS is 64 or 128, the length of trace ids. Prints one line of
// JSON: the trace id. Ends with 1 if a request was not accepted.
//
// What Zipkin has no field for is left out: the resource but its name, the attributes of events, links.

import { readFileSync } from 'node:fs';
import zipkin from 'zipkin';
import thriftEncoder from 'zipkin-encoder-thrift';
import transport from 'zipkin-transport-http';

const { Annotation, BatchRecorder, ExplicitContext, InetAddress, Tracer, jsonEncoder, model } = zipkin;
const [encoding, traceFile, base, endpoint, idBits] = process.argv.slice(2);
const wanted = JSON.parse(readFileSync(traceFile, 'utf8'));

/** The client's microseconds, for nanoseconds after the base. */
function time(after) {
  return Number(BigInt(base) / 1000n) + after / 1000;
}

/** A typed value as a tag: {"bool": true} to true. */
function text(typed) {
  return String(Object.values(typed)[0]);
}

/** Takes spans in Thrift, as the client's Kafka and Scribe transports do, and posts them as a Thrift list. */
class ThriftLogger {
  constructor() {
    this.spans = [];
  }
  logSpan(span) {
    this.spans.push(Buffer.from(thriftEncoder.encode(span)));
  }
  async flush() {
    const structs = 12;
    const header = Buffer.alloc(5);
    header.writeUInt8(structs);
    header.writeUInt32BE(this.spans.length, 1);
    const body = Buffer.concat([header, ...this.spans]);
    const headers = { 'Content-Type': 'application/x-thrift' };
    const answer = await fetch(`http://${endpoint}/api/v1/spans`, { method: 'POST', body, headers });
    if (answer.status !== 202) {
      throw new Error(`answer ${answer.status}, expected 202: ${await answer.text()}`);
    }
  }
}

/** The client's own transport; it sends now and then, so it is told to. */
class JsonLogger extends transport.HttpLogger {
  flush() {
    return new Promise((resolve, reject) => {
      this.on('success', resolve);
      this.on('error', reject);
      this.processQueue(this.fetchImplementation);
    });
  }
}

function logger() {
  if (encoding === 'v1-thrift') {
    return new ThriftLogger();
  }
  const version = encoding.split('-')[0];
  const encoder = version === 'v1' ? jsonEncoder.JSON_V1 : jsonEncoder.JSON_V2;
  return new JsonLogger({ endpoint: `http://${endpoint}/api/${version}/spans`, jsonEncoder: encoder });
}

/** Records one span; the annotations that begin and end it stand for its kind. */
function record(tracer, span, parent) {
  const id = parent ? tracer.createChildId(parent) : tracer.createRootId();
  const server = span.kind === 'server';
  tracer.letId(id, () => {
    const at = (annotation, after) => tracer.recordAnnotation(annotation, time(after));
    at(server ? new Annotation.ServerRecv() : new Annotation.ClientSend(), span.start);
    at(new Annotation.ServiceName(tracer.localEndpoint.serviceName), span.start);
    at(new Annotation.LocalAddr({ host: new InetAddress('192.0.2.7'), port: 8080 }), span.start);
    at(new Annotation.Rpc(span.name), span.start);
    if (!server) {
      const payments = { serviceName: 'payments', host: new InetAddress('198.51.100.9'), port: 443 };
      at(new Annotation.ServerAddr(payments), span.start);
    }
    for (const [key, value] of Object.entries(span.attributes)) {
      at(new Annotation.BinaryAnnotation(key, text(value)), span.start);
    }
    span.events.forEach((event) => at(new Annotation.Message(event.name), event.time));
    if (span.status.code === 'error') {
      at(new Annotation.BinaryAnnotation('error', span.status.message), span.end);
    }
    at(server ? new Annotation.ServerSend() : new Annotation.ClientRecv(), span.end);
  });
  return id;
}

const log = logger();
const tracer = new Tracer({
  ctxImpl: new ExplicitContext(),
  recorder: new BatchRecorder({ logger: log }),
  localEndpoint: new model.Endpoint({ serviceName: text(wanted.resource['service.name']) }),
  traceId128Bit: idBits === '128',
});
const made = new Map();
for (const span of wanted.spans) {
  made.set(span.name, record(tracer, span, made.get(span.parent)));
}
try {
  await log.flush();
} catch (error) {
  console.error('expected one accepted request, got', error);
  process.exit(1);
}
const { traceId } = made.values().next().value;
console.log(JSON.stringify({ traceId: traceId.padStart(32, '0') }));
