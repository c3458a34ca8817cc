"""Sends a trace by the Jaeger client for Python: compact Thrift in one UDP datagram.

usage: send_jaeger.py udp TRACE_FILE BASE_NS HOST:PORT ID_BITS [FILLER]

ID_BITS is 64 or 128, the length of trace ids. FILLER is the length of all tags together, of `#` alone, that make the
datagram larger; the client knows no largest one. Prints one line of JSON: the trace id. Ends with 1 if the client
did not report success.
"""

import json
import pathlib
import sys
import time

import opentracing
from jaeger_client import Config, SpanContext
from jaeger_client.metrics import MetricsFactory

TIMEOUT_S = 20
FILLER_TAG = 1000  # the longest value that the client leaves whole is 1024


class Counted(MetricsFactory):
    """Counts what the client reports of itself, by name and result."""

    def __init__(self):
        self.counts = {}

    def create_counter(self, name, tags=None):
        key = (name, (tags or {}).get("result"))

        def count(value):
            self.counts[key] = self.counts.get(key, 0) + value

        return count


def tracer_of(host, port, id_bits, process_tags, service, counted):
    config = {
        "sampler": {"type": "const", "param": True},
        "local_agent": {"reporting_host": host, "reporting_port": port},
        "generate_128bit_trace_id": id_bits == 128,
        "tags": process_tags,
    }
    return Config(config, service_name=service, metrics_factory=counted).new_tracer()


def values(typed):
    """Plain values of typed ones: {"k": {"int": 1}} to {"k": 1}."""
    return {key: next(iter(value.values())) for key, value in typed.items()}


def reference(link):
    context = SpanContext(int(link["traceId"], 16), int(link["spanId"], 16), parent_id=None, flags=1)
    return opentracing.follows_from(context)


def record(tracer, wanted, base, filler):
    """Makes the spans with exactly the times of the file."""
    made = {}
    for span in wanted:
        parent = made.get(span["parent"])
        references = [opentracing.child_of(parent.context)] if parent else []
        references += [reference(link) for link in span["links"]]
        tags = {**values(span["attributes"]), "span.kind": span["kind"]}
        start = (base + span["start"]) / 10**9
        made[span["name"]] = tracer.start_span(span["name"], references=references, tags=tags, start_time=start)
    for span in reversed(wanted):
        one = made[span["name"]]
        for event in span["events"]:
            fields = {"event": event["name"], **values(event["attributes"])}
            one.log_kv(fields, timestamp=(base + event["time"]) / 10**9)
        if span["status"]["code"] == "error":
            one.set_tag("error", True)
            one.set_tag("message", span["status"]["message"])
        if span["parent"] is None:
            fill(one, filler)
        one.finish(finish_time=(base + span["end"]) / 10**9)
    return next(iter(made.values())).trace_id


def fill(span, filler):
    for at in range(0, filler, FILLER_TAG):
        span.set_tag(f"filler.{at // FILLER_TAG:03}", "#" * min(FILLER_TAG, filler - at))


def report(tracer, counted, spans):
    """Waits until the client says what became of all spans; the future that closing it gives may never end."""
    tracer.close()
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        results = ("ok", "err", "dropped")
        reported = {result: counted.counts.get(("jaeger:reporter_spans", result), 0) for result in results}
        if sum(reported.values()) == spans:
            return reported
        time.sleep(0.01)
    raise RuntimeError(f"the client did not say in {TIMEOUT_S} s what became of {spans} spans: {counted.counts}")


def main():
    trace_file, base, endpoint, id_bits, filler = (sys.argv[2:] + ["0"])[:5]
    wanted = json.loads(pathlib.Path(trace_file).read_text(encoding="utf-8"))
    host, port = endpoint.split(":")
    tags = values(wanted["resource"])
    service = tags.pop("service.name")
    counted = Counted()
    tracer = tracer_of(host, int(port), int(id_bits), tags, service, counted)
    trace_id = record(tracer, wanted["spans"], int(base), int(filler))
    reported = report(tracer, counted, len(wanted["spans"]))
    if reported["ok"] != len(wanted["spans"]):
        sys.exit(f"expected all spans reported, got {reported}")
    print(json.dumps({"traceId": f"{trace_id:032x}"}))


main()
