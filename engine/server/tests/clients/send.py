"""Sends the trace of trace.json by the OpenTelemetry SDK for Python, as an application would.

usage: send.py PROTOCOL ENDPOINT BASE_NS COMPRESSION TENANT

PROTOCOL is grpc, http-protobuf or http-json; COMPRESSION none or gzip; TENANT may be empty. Prints one line of
JSON: the trace id, and the request as the SDK encodes it in protobuf (base64). Ends with 1 if the exporter did
not report success.
"""

import base64
import json
import pathlib
import sys

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

HERE = pathlib.Path(__file__).parent


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


def exporter(protocol, endpoint, compression, tenant):
    headers = {"x-scope-orgid": tenant} if tenant else None
    if protocol == "grpc":
        import grpc
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        how = grpc.Compression.Gzip if compression == "gzip" else grpc.Compression.NoCompression
        return OTLPSpanExporter(endpoint=endpoint, insecure=True, headers=headers, compression=how)
    if protocol == "http-protobuf":
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    else:
        from opentelemetry.exporter.otlp.common.http import Compression
        from opentelemetry.exporter.otlp.json.http import OTLPSpanExporter
    traces = endpoint + "/v1/traces"
    return OTLPSpanExporter(endpoint=traces, headers=headers, compression=Compression(compression))


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
    protocol, endpoint, base, compression, tenant = sys.argv[1:]
    wanted = json.loads((HERE / "trace.json").read_text(encoding="utf-8"))
    watched = Watched(exporter(protocol, endpoint, compression, tenant))
    provider = TracerProvider(resource=Resource.create(values(wanted["resource"])))
    provider.add_span_processor(BatchSpanProcessor(watched))
    tracer = provider.get_tracer(wanted["scope"]["name"], wanted["scope"]["version"])
    trace_id = record(tracer, wanted["spans"], int(base))
    provider.force_flush()
    provider.shutdown()
    if watched.results != [SpanExportResult.SUCCESS]:
        sys.exit(f"expected one successful export, got {watched.results}")
    request = encode_spans(watched.requests[0]).SerializeToString()
    print(json.dumps({"traceId": f"{trace_id:032x}", "request": base64.b64encode(request).decode()}))


main()
