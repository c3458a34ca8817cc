"""Sends a trace by the OpenTelemetry SDK for Python and one of its exporters, as an application would.

usage: send_otel.py EXPORTER TRACE_FILE BASE_NS HOST:PORT [COMPRESSION [TENANT]]

EXPORTER is otlp-grpc, otlp-http-protobuf, otlp-http-json, jaeger-udp, jaeger-http, jaeger-grpc, zipkin-v1-json,
zipkin-v2-json or zipkin-v2-protobuf; COMPRESSION is none or gzip. Prints one line of JSON: the trace id, and for
OTLP the request as the SDK encodes it in protobuf (base64). Ends with 1 if the exporter did not report success.

The SDK of the time of the Jaeger exporters (1.21) and of today run the same lines; packages are imported where they
are needed, since no environment has all.
"""

import base64
import json
import pathlib
import sys

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

# What a Zipkin exporter says of the process; the port is left out by default.
LOCAL_NODE = {"local_node_ipv4": "192.0.2.7", "local_node_port": 8080}


class Watched(SpanExporter):
    """An exporter that remembers what it was given and what came of it."""

    def __init__(self, exporter):
        self.exporter = exporter
        self.requests = []
        self.results = []

    def export(self, spans):
        result = self.exporter.export(spans)
        self.requests.append(list(spans))
        self.results.append(result)
        return result

    def shutdown(self):
        self.exporter.shutdown()

    def force_flush(self, timeout_millis=30000):
        return self.exporter.force_flush(timeout_millis)


def exporter(name, endpoint, compression, tenant):
    family, _, form = name.partition("-")
    if family == "otlp":
        return otlp_exporter(form, endpoint, compression, tenant)
    if family == "jaeger":
        return jaeger_exporter(form, endpoint)
    return zipkin_exporter(form, endpoint)


def otlp_exporter(form, endpoint, compression, tenant):
    headers = {"x-scope-orgid": tenant} if tenant else None
    if form == "grpc":
        import grpc
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        how = grpc.Compression.Gzip if compression == "gzip" else grpc.Compression.NoCompression
        address = f"http://{endpoint}"
        return OTLPSpanExporter(endpoint=address, insecure=True, headers=headers, compression=how)
    if form == "http-protobuf":
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    else:
        from opentelemetry.exporter.otlp.common.http import Compression
        from opentelemetry.exporter.otlp.json.http import OTLPSpanExporter
    traces = f"http://{endpoint}/v1/traces"
    return OTLPSpanExporter(endpoint=traces, headers=headers, compression=Compression(compression))


def jaeger_exporter(form, endpoint):
    if form == "grpc":
        from opentelemetry.exporter.jaeger.proto.grpc import JaegerExporter

        return JaegerExporter(collector_endpoint=endpoint, insecure=True)
    from opentelemetry.exporter.jaeger.thrift import JaegerExporter

    if form == "http":
        return JaegerExporter(collector_endpoint=f"http://{endpoint}/api/traces?format=jaeger.thrift")
    host, port = endpoint.split(":")
    return JaegerExporter(agent_host_name=host, agent_port=int(port))


def zipkin_exporter(form, endpoint):
    if form == "v2-protobuf":
        from opentelemetry.exporter.zipkin.proto.http import ZipkinExporter

        return ZipkinExporter(endpoint=f"http://{endpoint}/api/v2/spans", **LOCAL_NODE)
    from opentelemetry.exporter.zipkin.json import Protocol, ZipkinExporter

    version = {"v1-json": Protocol.V1, "v2-json": Protocol.V2}[form]
    spans = f"http://{endpoint}/api/{version.value}/spans"
    # The encoder of version 1 compares the length with a number, so it has to be set.
    return ZipkinExporter(version=version, endpoint=spans, max_tag_value_length=1024, **LOCAL_NODE)


def values(typed):
    """Plain values of typed ones: {"k": {"int": 1}} to {"k": 1}."""
    return {key: next(iter(value.values())) for key, value in typed.items()}


def record(tracer, wanted, base):
    """Makes the spans with exactly the times of the file."""
    made = {}
    for span in wanted:
        parent = made.get(span["parent"])
        context = trace.set_span_in_context(parent) if parent else None
        links = [
            trace.Link(
                trace.SpanContext(int(link["traceId"], 16), int(link["spanId"], 16), is_remote=True),
                values(link["attributes"]),
            )
            for link in span["links"]
        ]
        made[span["name"]] = tracer.start_span(
            span["name"],
            context=context,
            kind=trace.SpanKind[span["kind"].upper()],
            attributes=values(span["attributes"]),
            links=links,
            start_time=base + span["start"],
        )
    for span in reversed(wanted):
        one = made[span["name"]]
        for event in span["events"]:
            one.add_event(event["name"], values(event["attributes"]), timestamp=base + event["time"])
        status = span["status"]
        if status["code"] != "unset":
            one.set_status(trace.Status(trace.StatusCode[status["code"].upper()], status.get("message")))
        one.end(end_time=base + span["end"])
    return next(iter(made.values())).get_span_context().trace_id


def main():
    name, trace_file, base, endpoint, compression, tenant = (sys.argv[1:] + ["none", ""])[:6]
    wanted = json.loads(pathlib.Path(trace_file).read_text(encoding="utf-8"))
    # The Zipkin exporters ask the global provider for the service's name, so it is set before they are made.
    provider = TracerProvider(resource=Resource.create(values(wanted["resource"])))
    trace.set_tracer_provider(provider)
    watched = Watched(exporter(name, endpoint, compression, tenant))
    provider.add_span_processor(BatchSpanProcessor(watched))
    tracer = provider.get_tracer(wanted["scope"]["name"], wanted["scope"]["version"])
    trace_id = record(tracer, wanted["spans"], int(base))
    provider.force_flush()
    provider.shutdown()
    if watched.results != [SpanExportResult.SUCCESS]:
        sys.exit(f"expected one successful export, got {watched.results}")
    said = {"traceId": f"{trace_id:032x}"}
    if name.startswith("otlp"):
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

        request = encode_spans(watched.requests[0]).SerializeToString()
        said["request"] = base64.b64encode(request).decode()
    print(json.dumps(said))


main()
