"""Sends spans of the OpenTelemetry SDK by one of its Zipkin exporters: PORT v1-json | v2-json | v2-proto."""
import sys

from opentelemetry.exporter.zipkin import json as zipkin_json
from opentelemetry.exporter.zipkin.encoder import Protocol
from opentelemetry.exporter.zipkin.proto import http as zipkin_proto
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import SpanKind, Status, StatusCode


class Ids(IdGenerator):
    last = 0x1112131415161710

    def generate_span_id(self):
        Ids.last += 1
        return Ids.last

    def generate_trace_id(self):
        return 0x0102030405060708090A0B0C0D0E0F10


v1 = f"http://127.0.0.1:{sys.argv[1]}/api/v1/spans"
v2 = f"http://127.0.0.1:{sys.argv[1]}/api/v2/spans"
ip = "10.1.2.3"
exporter = {
    "v1-json": lambda: zipkin_json.ZipkinExporter(Protocol.V1, v1, local_node_ipv4=ip, max_tag_value_length=128),
    "v2-json": lambda: zipkin_json.ZipkinExporter(
        Protocol.V2, v2, local_node_ipv4=ip, local_node_ipv6="::1", local_node_port=80
    ),
    "v2-proto": lambda: zipkin_proto.ZipkinExporter(v2, local_node_ipv4=ip),
}[sys.argv[2]]()
provider = TracerProvider(
    resource=Resource.create({"service.name": "shop", "host.name": "pod-1"}),
    id_generator=Ids(),
    span_limits=SpanLimits(max_span_attributes=6),
)
processor = BatchSpanProcessor(exporter, schedule_delay_millis=60000)
provider.add_span_processor(processor)
tracer = provider.get_tracer("shop.http", "1.2")
start = 1700000000000000000
many = {"http.method": "GET", "ratio": 0.5, "ok": True, "list": ["a", "b"], "n": 7, "long": "x" * 200, "more": 1}
with tracer.start_as_current_span(
    "GET /cart", kind=SpanKind.SERVER, start_time=start, end_on_exit=False, attributes=many
) as root:
    event = {"key": "cart:7", "tries": 3, "hot": False, "sizes": [1, 2]}
    root.add_event("cache miss", event, timestamp=start + 500_000)
    root.add_event("plain", timestamp=start + 600_000)
    with tracer.start_as_current_span(
        "select", kind=SpanKind.CLIENT, start_time=start + 1_000_000, end_on_exit=False,
        attributes={"peer.service": "postgres"},
    ) as child:
        child.set_status(Status(StatusCode.ERROR, "timed out"))
        child.end(start + 2_000_000)
    with tracer.start_as_current_span("render", start_time=start + 3_000_000, end_on_exit=False) as inner:
        inner.set_status(Status(StatusCode.OK))
        inner.end(start + 3_500_000)
    root.end(start + 4_000_000)
processor.force_flush()
