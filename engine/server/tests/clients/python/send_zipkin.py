"""Sends a trace by py-zipkin: Zipkin's formats of version 1 and 2 by HTTP.

usage: send_zipkin.py ENCODING TRACE_FILE BASE_NS HOST:PORT ID_BITS

ENCODING is v1-thrift (py-zipkin up to 0.20), v1-json, v2-json or v2-protobuf; ID_BITS is 64 or 128, the length of
trace ids. Prints one line of JSON: the trace id. Ends with 1 if a request was not accepted.

What Zipkin has no field for is left out: the resource but its name, the attributes of events, links. The first span
begins and ends when it does: py-zipkin takes times for the others only.
"""

import json
import pathlib
import sys

from py_zipkin import Encoding, Kind
from py_zipkin.transport import SimpleHTTPTransport
from py_zipkin.zipkin import zipkin_span

ENCODINGS = {
    "v1-thrift": Encoding.V1_THRIFT,
    "v1-json": Encoding.V1_JSON,
    "v2-json": Encoding.V2_JSON,
    "v2-protobuf": Encoding.V2_PROTO3,
}
LOCAL = {"host": "192.0.2.7", "port": 8080}
REMOTE = {"service_name": "payments", "host": "198.51.100.9", "port": 443}


class Watched(SimpleHTTPTransport):
    """Counts what was accepted: py-zipkin only logs that a request failed."""

    accepted = 0

    def send(self, payload):
        super().send(payload)
        self.accepted += 1


def text(typed):
    """A typed value as a tag: {"bool": true} to true."""
    value = next(iter(typed.values()))
    return str(value).lower() if isinstance(value, bool) else str(value)


def tags(span):
    named = {key: text(value) for key, value in span["attributes"].items()}
    if span["status"]["code"] == "error":
        named["error"] = span["status"]["message"]
    return named


def child(span, service, base):
    """A span within the one that is open."""
    made = zipkin_span(
        service_name=service,
        span_name=span["name"],
        kind=Kind[span["kind"].upper()],
        timestamp=(base + span["start"]) / 10**9,
        duration=(span["end"] - span["start"]) / 10**9,
        binary_annotations=tags(span),
        **LOCAL,
    )
    with made:
        made.add_sa_binary_annotation(**REMOTE)
        for event in span["events"]:
            made.add_annotation(event["name"], (base + event["time"]) / 10**9)


def main():
    encoding, trace_file, base, endpoint, id_bits = sys.argv[1:]
    wanted = json.loads(pathlib.Path(trace_file).read_text(encoding="utf-8"))
    service = text(wanted["resource"]["service.name"])
    host, port = endpoint.split(":")
    transport = Watched(host, int(port))
    first, *others = wanted["spans"]
    root = zipkin_span(
        service_name=service,
        span_name=first["name"],
        kind=Kind[first["kind"].upper()],
        transport_handler=transport,
        sample_rate=100.0,
        use_128bit_trace_id=id_bits == "128",
        binary_annotations=tags(first),
        encoding=ENCODINGS[encoding],
        **LOCAL,
    )
    with root:
        trace_id = root.zipkin_attrs.trace_id
        for span in others:
            child(span, service, int(base))
    if transport.accepted != 1:
        sys.exit(f"expected one accepted request, got {transport.accepted}")
    print(json.dumps({"traceId": trace_id.rjust(32, "0")}))


main()
