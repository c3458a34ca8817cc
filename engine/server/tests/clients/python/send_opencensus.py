"""Sends a trace by OpenCensus for Python and its agent exporter: a gRPC stream for each span.

usage: send_opencensus.py grpc TRACE_FILE BASE_NS HOST:PORT

Prints one line of JSON: the trace id. The exporter hides what the server answers, so nothing says here whether it
took the spans. Besides what is in the file the last span has a message event, which only OpenCensus knows, and all
have a trace state.
"""

import datetime
import json
import pathlib
import sys

from opencensus.common import utils
from opencensus.ext.ocagent.trace_exporter import TraceExporter
from opencensus.trace import attributes, link, samplers, span_context, status, time_event, tracer, tracestate
from opencensus.trace.span import SpanKind

EPOCH = datetime.datetime(1970, 1, 1)
HOST_NAME = "till-7"
ERROR_CODE = 13  # INTERNAL, of the codes of gRPC


def time(nanos):
    return EPOCH + datetime.timedelta(microseconds=nanos // 1000)


def values(typed):
    """Plain values of typed ones: {"k": {"int": 1}} to {"k": 1}."""
    return {key: next(iter(value.values())) for key, value in typed.items()}


def fill(one, span, base):
    one.span_kind = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT}[span["kind"]]
    for key, value in values(span["attributes"]).items():
        one.add_attribute(key, value)
    for event in span["events"]:
        noted = attributes.Attributes(values(event["attributes"]))
        one.annotations.append(time_event.Annotation(time(base + event["time"]), event["name"], noted))
    for to in span["links"]:
        one.add_link(link.Link(to["traceId"], to["spanId"], type=link.Type.PARENT_LINKED_SPAN))
    if span["status"]["code"] == "error":
        one.set_status(status.Status(ERROR_CODE, span["status"]["message"]))


def record(tracing, spans, base):
    """Makes the spans within each other, with exactly the times of the file."""
    if not spans:
        return
    span, *within = spans
    one = tracing.start_span(span["name"])
    fill(one, span, base)
    if not within:
        sent = time_event.MessageEvent(time(base + span["start"]), 7, time_event.Type.SENT, 1024, 512)
        one.add_message_event(sent)
    one.start_time, one.end_time = (utils.to_iso_str(time(base + span[edge])) for edge in ("start", "end"))
    record(tracing, within, base)
    one.finish = lambda: None  # it would set the end to now
    tracing.end_span()


def main():
    trace_file, base, endpoint = sys.argv[2:]
    wanted = json.loads(pathlib.Path(trace_file).read_text(encoding="utf-8"))
    service = values(wanted["resource"])["service.name"]
    exporter = TraceExporter(service_name=service, host_name=HOST_NAME, endpoint=endpoint)
    context = span_context.SpanContext(tracestate=tracestate.Tracestate({"till": "open", "shop": "7"}))
    tracing = tracer.Tracer(span_context=context, sampler=samplers.AlwaysOnSampler(), exporter=exporter)
    record(tracing, wanted["spans"], int(base))
    print(json.dumps({"traceId": context.trace_id}))


main()
