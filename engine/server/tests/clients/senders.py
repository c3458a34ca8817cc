"""The table of senders: which client, in which environment, to which port, and what is to be read back.

A sender is a script that lets a real client send one trace and prints the trace's id. The scripts in `python` run in
one of the environments that have a `*-requirements.txt` there, those in `node` in one folder of modules.
"""

import base64
import copy
import json
import pathlib
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

import compare
import shape
from expected import jaeger, opencensus, zipkin
from server import UDP_PORTS

HERE = pathlib.Path(__file__).parent
OTLP_FILE = HERE / "trace.json"
OLDER_FILE = HERE / "older_trace.json"
TIMEOUT_S = 60


@dataclass(frozen=True)
class Sender:
    """One client, and how it is to send."""

    name: str
    env: str  # of Python, or `node`
    script: str
    form: str  # which of its formats or transports
    port: str
    # What to expect of the file's spans; None for OTLP, where the SDK says what it sent.
    expected: Callable | None
    options: tuple = ()
    tenant: str = ""

    @property
    def file(self):
        return OLDER_FILE if self.expected else OTLP_FILE

    @property
    def acknowledged(self):
        """Whether the client is told that its spans were taken; then they can be read at once."""
        return self.port not in (*UDP_PORTS, "opencensus")


@dataclass
class Sent:
    """A trace that was sent."""

    sender: Sender
    trace_id: str
    differences: Callable[..., list]  # of what was read back
    spans: int
    seen: bytes | None = None

    def remember(self, found):
        """Whatever only the sender knows is the same in every answer."""
        found = compare.bytes_of(compare.normal(found))
        if self.seen not in (None, found):
            raise RuntimeError("the answer differs from the first answer for this trace")
        self.seen = found


def otlp_senders():
    for language, env, script in (("python", "otlp", "send_otel.py"), ("node", "node", "send_otel.mjs")):
        for form in ("grpc", "http-protobuf", "http-json"):
            port = "otlp-grpc" if form == "grpc" else "otlp-http"
            for suffix, compression, tenant in (("", "none", ""), ("-gzip-tenant", "gzip", "acme")):
                name = f"otlp-{language}-{form}{suffix}"
                options = (compression, tenant)
                yield Sender(name, env, script, f"otlp-{form}", port, None, options, tenant)


def older(name, env, script, form, port, expected, *options):
    return Sender(name, env, script, form, port, expected, options)


SENDERS = [
    *otlp_senders(),
    # Jaeger's clients; 64 and 128 are the bits of trace ids
    older("jaeger-python-udp-64", "retired", "send_jaeger.py", "udp", "jaeger-compact", jaeger.python, 64),
    older("jaeger-python-udp-128", "retired", "send_jaeger.py", "udp", "jaeger-compact", jaeger.python, 128),
    older("jaeger-python-3-udp", "zipkin", "send_jaeger3.py", "zipkin-compact", "zipkin-compact", zipkin.jaeger3),
    older("jaeger-node-udp-64", "node", "send_jaeger.mjs", "udp", "jaeger-binary", jaeger.node, 64),
    older("jaeger-node-udp-128", "node", "send_jaeger.mjs", "udp", "jaeger-binary", jaeger.node, 128),
    older("jaeger-node-http", "node", "send_jaeger.mjs", "http", "jaeger-http", jaeger.node, 128),
    # OpenTelemetry's exporters for Jaeger
    older("jaeger-otel-python-udp", "retired", "send_otel.py", "jaeger-udp", "jaeger-compact", jaeger.otel_python),
    older("jaeger-otel-python-http", "retired", "send_otel.py", "jaeger-http", "jaeger-http", jaeger.otel_python),
    older("jaeger-otel-python-grpc", "retired", "send_otel.py", "jaeger-grpc", "jaeger-grpc", jaeger.otel_python_grpc),
    older("jaeger-otel-node-udp", "node", "send_otel.mjs", "jaeger-udp", "jaeger-binary", jaeger.otel_node),
    older("jaeger-otel-node-http", "node", "send_otel.mjs", "jaeger-http", "jaeger-http", jaeger.otel_node),
    # Zipkin's clients
    older("zipkin-python-v1-thrift-64", "retired", "send_zipkin.py", "v1-thrift", "zipkin", zipkin.python, 64),
    older("zipkin-python-v1-thrift-128", "retired", "send_zipkin.py", "v1-thrift", "zipkin", zipkin.python, 128),
    older("zipkin-python-v1-json", "zipkin", "send_zipkin.py", "v1-json", "zipkin", zipkin.python, 128),
    older("zipkin-python-v2-json-64", "zipkin", "send_zipkin.py", "v2-json", "zipkin", zipkin.python, 64),
    older("zipkin-python-v2-json-128", "zipkin", "send_zipkin.py", "v2-json", "zipkin", zipkin.python, 128),
    older("zipkin-python-v2-protobuf-64", "zipkin", "send_zipkin.py", "v2-protobuf", "zipkin", zipkin.python, 64),
    older("zipkin-python-v2-protobuf-128", "zipkin", "send_zipkin.py", "v2-protobuf", "zipkin", zipkin.python, 128),
    older("zipkin-node-v1-thrift", "node", "send_zipkin.mjs", "v1-thrift", "zipkin", zipkin.node_thrift, 128),
    older("zipkin-node-v1-json", "node", "send_zipkin.mjs", "v1-json", "zipkin", zipkin.node, 64),
    older("zipkin-node-v2-json", "node", "send_zipkin.mjs", "v2-json", "zipkin", zipkin.node, 128),
    # OpenTelemetry's exporters for Zipkin
    older("zipkin-otel-python-v1-json", "zipkin", "send_otel.py", "zipkin-v1-json", "zipkin", zipkin.otel_python_v1),
    older("zipkin-otel-python-v2-json", "zipkin", "send_otel.py", "zipkin-v2-json", "zipkin", zipkin.otel_python),
    older("zipkin-otel-python-v2-proto", "zipkin", "send_otel.py", "zipkin-v2-protobuf", "zipkin", zipkin.otel_python),
    older("zipkin-otel-node-v2-json", "node", "send_otel.mjs", "zipkin-v2-json", "zipkin", zipkin.otel_node),
    older("opencensus-python", "retired", "send_opencensus.py", "grpc", "opencensus", opencensus.python),
]


def named(name):
    return next(sender for sender in SENDERS if sender.name == name)


@dataclass(frozen=True)
class Clients:
    """Where the environments are installed."""

    home: pathlib.Path

    def run(self, env, script, *words):
        """Runs a script; what it said. Raises when it ended with a failure."""
        done = self.attempt(env, script, *words)
        if done.returncode != 0:
            raise RuntimeError(f"the sender ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
        return json.loads(done.stdout)

    def attempt(self, env, script, *words):
        """Runs a script, however it ends."""
        if env == "node":
            command = ["node", self.home / "node" / script]
        else:
            command = [self.home / env / "bin" / "python", "-W", "ignore", HERE / "python" / script]
        command += [str(word) for word in words]
        return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)

    def send(self, sender, endpoint, *more):
        """Lets a client send its trace."""
        base = time.time_ns() - 10**9
        if sender.expected:
            base -= base % 10**9  # older formats have microseconds at best
        words = (sender.form, sender.file, base, endpoint, *sender.options, *more)
        return sent(sender, base, self.run(sender.env, sender.script, *words))


def sent(sender, base, said):
    """What is to be read back."""
    file = json.loads(sender.file.read_text(encoding="utf-8"))
    trace_id = said["traceId"]
    if sender.expected is None:
        request = compare.from_request(base64.b64decode(said["request"]))
        lost = shape.lost(request, file, base)
        if lost:
            raise RuntimeError("the sender did not make the trace of its file: " + "; ".join(lost[:8]))
        return Sent(sender, trace_id, lambda found: compare.differences(found, request), len(file["spans"]))
    expected = sender.expected(copy.deepcopy(shape.expected_spans(file)))

    def differences(found):
        return shape.differences(found, expected, base, trace_id)

    return Sent(sender, trace_id, differences, len(expected))
