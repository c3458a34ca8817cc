"""Sends a trace by the Jaeger client for Python of version 3: Zipkin's spans in compact Thrift, in one UDP datagram to
the first port that Jaeger's agent had.

usage: send_jaeger3.py zipkin-compact TRACE_FILE BASE_NS HOST:PORT

Prints one line of JSON: the trace id, of 64 bits. Ends with 1 if the client did not report success.
"""

import json
import pathlib
import sys
import time

import opentracing
import tornado.gen

# Tornado 6 has it no more. The client marks a method so that it never calls, as no answer is sent to it.
tornado.gen.engine = tornado.gen.coroutine

from jaeger_client import Config  # noqa: E402
from jaeger_client.metrics import MetricsFactory  # noqa: E402

TIMEOUT_S = 20


class Reported(MetricsFactory):
    """Counts the spans that the client reported."""

    spans = 0

    def create_counter(self, name, tags=None):
        if (name, tags) != ("jaeger.spans", {"reported": "true"}):
            return lambda value: None

        def count(value):
            self.spans += value

        return count


def values(typed):
    """Plain values of typed ones: {"k": {"int": 1}} to {"k": 1}."""
    return {key: next(iter(value.values())) for key, value in typed.items()}


def record(tracer, wanted, base):
    """Makes the spans with exactly the times of the file."""
    made = {}
    for span in wanted:
        start = (base + span["start"]) / 10**9
        tags = {**values(span["attributes"]), "span.kind": span["kind"]}
        if span["kind"] == "client":
            tags.update({"peer.service": "payments", "peer.ipv4": "198.51.100.9", "peer.port": 443})
        parent = made.get(span["parent"])
        made[span["name"]] = tracer.start_span(span["name"], child_of=parent, tags=tags, start_time=start)
    for span in reversed(wanted):
        one = made[span["name"]]
        for event in span["events"]:
            fields = {"event": event["name"], **values(event["attributes"])}
            one.log_kv(fields, timestamp=(base + event["time"]) / 10**9)
        if span["status"]["code"] == "error":
            one.set_tag("error", True)
        one.finish(finish_time=(base + span["end"]) / 10**9)
    return next(iter(made.values())).trace_id


def main():
    trace_file, base, endpoint = sys.argv[2:]
    wanted = json.loads(pathlib.Path(trace_file).read_text(encoding="utf-8"))
    host, port = endpoint.split(":")
    config = {
        "sampler": {"type": "const", "param": True},
        "local_agent": {"reporting_host": host, "reporting_port": port},
    }
    service = values(wanted["resource"])["service.name"]
    reported = Reported()
    Config(config, service_name=service, metrics_factory=reported).initialize_tracer()
    trace_id = record(opentracing.tracer, wanted["spans"], int(base))
    # Not closed: closing drops what is still on the way to the reporter.
    deadline = time.monotonic() + TIMEOUT_S
    while reported.spans < len(wanted["spans"]):
        if time.monotonic() > deadline:
            sys.exit(f"the client reported {reported.spans} spans in {TIMEOUT_S} s, expected {len(wanted['spans'])}")
        time.sleep(0.01)
    print(json.dumps({"traceId": f"{trace_id:032x}"}))


main()
