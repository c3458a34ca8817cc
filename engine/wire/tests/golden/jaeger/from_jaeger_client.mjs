// Writes what jaeger-client 3.19.0 sends for one trace: captured from its sockets. Ids are random.
//
// Node 20; npm install jaeger-client@3.19.0
import dgram from 'node:dgram';
import http from 'node:http';
import { createRequire } from 'node:module';
import { writeFileSync } from 'node:fs';

const jaeger = createRequire(process.cwd() + '/')('jaeger-client');
const { opentracing } = jaeger;
const START = 1700000000123.456;

function trace(reporter, name) {
  const config = { serviceName: 'shop', sampler: { type: 'const', param: 1 }, reporter };
  const tracer = jaeger.initTracer(config, { traceId128bit: true, tags: { deployment: 'blue', replicas: 3 } });
  const { Tags } = opentracing;
  const root = tracer.startSpan('GET /cart', {
    startTime: START,
    tags: { [Tags.SPAN_KIND]: Tags.SPAN_KIND_RPC_SERVER, 'http.status_code': 500, ratio: 0.5, ok: true, text: 'Zürich' },
  });
  const child = tracer.startSpan('SELECT cart', { childOf: root, startTime: START + 1 });
  child.setTag(Tags.ERROR, true);
  child.log({ event: 'retry', attempt: 2, message: 'again' }, START + 2);
  child.finish(START + 4);
  root.finish(START + 10);
  const context = root.context();
  console.log(name, context.traceIdStr, context.spanIdStr, child.context().spanIdStr);
  return new Promise((resolve) => tracer.close(resolve));
}

const udp = dgram.createSocket('udp4');
const datagrams = [];
udp.on('message', (message) => datagrams.push(message));
await new Promise((resolve) => udp.bind(0, '127.0.0.1', resolve));
await trace({ agentHost: '127.0.0.1', agentPort: udp.address().port }, 'datagram');
const bodies = [];
const server = http.createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    bodies.push([request.headers['content-type'], Buffer.concat(parts)]);
    response.writeHead(202).end();
  });
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
await trace({ collectorEndpoint: `http://127.0.0.1:${server.address().port}/api/traces` }, 'batch');
await new Promise((resolve) => setTimeout(resolve, 500));
console.log(bodies.map(([type, body]) => [type, body.length]), datagrams.map((d) => d.length));
const here = new URL('.', import.meta.url);
writeFileSync(new URL('jaeger-client-node.datagram.binary', here), datagrams[0]);
writeFileSync(new URL('jaeger-client-node.batch.binary', here), bodies[0][1]);
udp.close();
server.close();
