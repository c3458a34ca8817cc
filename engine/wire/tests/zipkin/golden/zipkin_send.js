// Sends a client span by zipkin.js: PORT v1 | v2
const {Annotation, BatchRecorder, ExplicitContext, InetAddress, TraceId, Tracer, jsonEncoder} = require('zipkin');
const {option: {Some}} = require('zipkin');
const {HttpLogger} = require('zipkin-transport-http');

const [port, version] = process.argv.slice(2);
const logger = new HttpLogger({
  endpoint: `http://127.0.0.1:${port}/api/${version}/spans`,
  jsonEncoder: version === 'v1' ? jsonEncoder.JSON_V1 : jsonEncoder.JSON_V2,
  httpInterval: 100,
});
const ctxImpl = new ExplicitContext();
const tracer = new Tracer({ctxImpl, recorder: new BatchRecorder({logger}), localServiceName: 'shop'});
ctxImpl.scoped(() => {
  tracer.setId(new TraceId({
    traceId: '48485a3953bb61240000000000000001',
    parentId: new Some('5982fe77008310cc'),
    spanId: 'bd7a977555f6b982',
    sampled: new Some(true),
    flags: 0,
  }));
  tracer.recordServiceName('shop');
  tracer.recordRpc('get');
  tracer.recordAnnotation(new Annotation.LocalAddr({host: new InetAddress('10.1.2.3'), port: 80}));
  tracer.recordAnnotation(new Annotation.ClientSend());
  const host = new InetAddress('192.168.7.7');
  tracer.recordAnnotation(new Annotation.ServerAddr({serviceName: 'cart', host, port: 8080}));
  tracer.recordBinary('http.path', '/cart');
  tracer.recordBinary('error', 'timed out');
  tracer.recordMessage('retry');
  tracer.recordAnnotation(new Annotation.ClientRecv());
});
setTimeout(() => process.exit(0), 1500);
