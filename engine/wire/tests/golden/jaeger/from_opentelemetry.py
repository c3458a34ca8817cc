"""Writes what OpenTelemetry's Jaeger exporters 1.21.0 send for one trace: captured from their sockets.

Python 3.9; pip install opentelemetry-exporter-jaeger-thrift==1.21.0 opentelemetry-exporter-jaeger-proto-grpc==1.21.0
opentelemetry-sdk==1.21.0 protobuf==3.20.3 googleapis-common-protos==1.59.1 Deprecated
"""
import itertools
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import grpc
from opentelemetry import trace
from opentelemetry.exporter.jaeger.proto.grpc import JaegerExporter as GrpcExporter
from opentelemetry.exporter.jaeger.thrift import JaegerExporter as ThriftExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

HERE = Path(__file__).parent
START = 1_700_000_000_123_456_789
MS = 1_000_000


class Ids(IdGenerator):
    def __init__(self):
        self.traces, self.spans = itertools.count(0xA1B2 << 100), itertools.count(0xF000_0000_0000_0001)

    def generate_trace_id(self):
        return next(self.traces)

    def generate_span_id(self):
        return next(self.spans)


def spans():
    """A failed server span with an event and a link, and its client child of another scope."""
    resource = Resource({"service.name": "shop", "host.name": "web-1", "replicas": 3})
    provider = TracerProvider(resource=resource, id_generator=Ids())
    memory = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    web = provider.get_tracer("web", "1.2.3")
    database = provider.get_tracer("database")
    linked = trace.SpanContext(7 << 64 | 8, 9, False)
    root = web.start_span("POST /cart", kind=SpanKind.SERVER, start_time=START, links=[Link(linked, {"why": "queue"})],
                          attributes={"http.status_code": 503, "ratio": 0.5, "ok": True, "list": ["a", "b"]})
    root.add_event("retry", {"attempt": 2}, timestamp=START + MS)
    child = database.start_span("SELECT", context=trace.set_span_in_context(root), kind=SpanKind.CLIENT,
                                start_time=START + MS, attributes={"db.system": "mysql"})
    child.end(START + 2 * MS)
    root.set_status(Status(StatusCode.ERROR, "no stock"))
    root.end(START + 10 * MS)
    return memory.get_finished_spans()


def write(name, content):
    (HERE / f"opentelemetry.{name}").write_bytes(content)


def datagram(finished):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    ThriftExporter(agent_host_name="127.0.0.1", agent_port=server.getsockname()[1]).export(finished)
    write("datagram.compact", server.recv(65536))


def batch(finished):
    bodies = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.handle_request, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}/api/traces?format=jaeger.thrift"
    ThriftExporter(collector_endpoint=endpoint).export(finished)
    write("batch.binary", bodies[0])


def post_spans(finished):
    bodies = []

    class Handler(grpc.GenericRpcHandler):
        def service(self, call):
            assert call.method == "/jaeger.api_v2.CollectorService/PostSpans", call.method

            def post(request, _context):
                bodies.append(request)
                return b""

            return grpc.unary_unary_rpc_method_handler(post)

    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers([Handler()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    GrpcExporter(collector_endpoint=f"127.0.0.1:{port}", insecure=True).export(finished)
    server.stop(None)
    write("post_spans.protobuf", bodies[0])


if __name__ == "__main__":
    done = spans()
    datagram(done)
    batch(done)
    post_spans(done)
