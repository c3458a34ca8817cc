"""What real clients send wrongly, what arrives in part, and the largest that fits: refused, counted, or taken whole.

After each refusal a good trace is sent to the same port and read back: nothing else was disturbed. Bytes that are
cut short are those of a real client, captured from it by a port of our own.
"""

import contextlib
import gzip
import http.server
import json
import socket
import threading

import compare
from senders import named
from server import JSON, until

# What the listeners for datagrams count, by protocol and reason.
DROPPED = "spanloom_receive_datagrams_dropped_total"
# The most that a Jaeger agent took, and the most that its clients make.
LARGEST_DATAGRAM = 65_000
GOOD = {
    "jaeger-compact": "jaeger-python-udp-128",
    "jaeger-binary": "jaeger-node-udp-128",
    "jaeger-http": "jaeger-node-http",
    "zipkin": "zipkin-python-v2-json-128",
}


def expect_arrival(server, one):
    """The trace arrives, and is what was sent."""
    until(f"trace of {one.spans} spans", lambda: server.spans_of(one.trace_id) == one.spans)
    body = server.get("/api/v2/traces/" + one.trace_id, JSON)[2]
    listed = one.differences(compare.from_json_v2(json.loads(body)))
    if listed:
        raise RuntimeError("; ".join(listed[:8]))


def expect_good(server, clients, port):
    """A good trace sent to the port arrives."""
    expect_arrival(server, clients.send(named(GOOD[port]), server.address(port)))


def expect_absence(server, one):
    status = server.get("/api/traces/" + one.trace_id)[0]
    if status != 404:
        raise RuntimeError(f"the refused trace answers {status}, expected 404")


def expect_status(found, expected, what):
    status, _, body = found
    if status != expected:
        raise RuntimeError(f"{what} answers {status} {body[:200]!r}, expected {expected}")


@contextlib.contextmanager
def counted(server, port, reason):
    """One more dropped datagram of that port is counted."""
    labels = {"protocol": port.replace("-", "_"), "reason": reason}
    before = server.metric(DROPPED, **labels)
    yield
    until(f"{DROPPED} of {labels} above {before:g}", lambda: server.metric(DROPPED, **labels) == before + 1)


def capture_datagram(clients, sender, *more):
    """What a client sends, and its bytes."""
    with socket.socket(type=socket.SOCK_DGRAM) as port:
        port.bind(("127.0.0.1", 0))
        port.settimeout(20)
        one = clients.send(sender, f"127.0.0.1:{port.getsockname()[1]}", *more)
        return one, port.recv(1 << 16)


class Taking(http.server.BaseHTTPRequestHandler):
    """Takes a body, whole or in chunks."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while length := int(self.rfile.readline(), 16):
                body += self.rfile.read(length)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken = (self.path, self.headers["Content-Type"], body)
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def capture_request(clients, sender):
    """What a client sends by HTTP, and path, content type and body."""
    with http.server.HTTPServer(("127.0.0.1", 0), Taking) as port:
        threading.Thread(target=port.serve_forever, daemon=True).start()
        try:
            one = clients.send(sender, f"127.0.0.1:{port.server_port}")
        finally:
            port.shutdown()
        return one, *port.taken


def send_datagram(server, port, data):
    with socket.socket(type=socket.SOCK_DGRAM) as one:
        one.sendto(data, ("127.0.0.1", server.port(port)))


def wrong_protocol(server, clients):
    """Jaeger's client for Node knows only the binary protocol, and people point it to the compact port."""
    with counted(server, "jaeger-compact", "malformed"):
        one = clients.send(named("jaeger-node-udp-128"), server.address("jaeger-compact"))
    expect_absence(server, one)
    expect_good(server, clients, "jaeger-compact")


def half_a_datagram(port):
    def case(server, clients):
        one, data = capture_datagram(clients, named(GOOD[port]))
        with counted(server, port, "truncated"):
            send_datagram(server, port, data[: len(data) // 2])
        expect_absence(server, one)
        send_datagram(server, port, data)
        expect_arrival(server, one)

    return case


def half_a_batch(server, clients):
    """Half of a Thrift batch by HTTP: the sender is told, and the whole is taken."""
    one, path, kind, body = capture_request(clients, named(GOOD["jaeger-http"]))
    half = server.post(path, "jaeger-http", body[: len(body) // 2], {"Content-Type": kind})
    expect_status(half, 400, "half a batch")
    expect_absence(server, one)
    expect_status(server.post(path, "jaeger-http", body, {"Content-Type": kind}), 202, "the whole batch")
    expect_arrival(server, one)


def lying_gzip(server, clients):
    """A gzip body whose last four bytes claim another length, one whose checksum is wrong, and one cut short."""
    one, path, kind, body = capture_request(clients, named(GOOD["zipkin"]))
    headers = {"Content-Type": kind, "Content-Encoding": "gzip"}
    packed = gzip.compress(body)
    longer = packed[:-4] + (len(body) + 1).to_bytes(4, "little")
    other = packed[:-8] + bytes(byte ^ 0xFF for byte in packed[-8:-4]) + packed[-4:]
    for what, lie in (("another length", longer), ("another checksum", other), ("a cut", packed[: len(packed) // 2])):
        expect_status(server.post(path, "zipkin", lie, headers), 400, f"gzip with {what}")
    expect_absence(server, one)
    expect_status(server.post(path, "zipkin", packed, headers), 202, "honest gzip")
    expect_arrival(server, one)


def largest_datagram(server, clients):
    """A datagram of the most bytes that clients make is taken whole."""
    sender = named(GOOD["jaeger-compact"])
    # Ids and lengths take a byte or two more or less from one trace to the next.
    slack = 16
    guess = LARGEST_DATAGRAM - 2000
    filler = guess + LARGEST_DATAGRAM - slack - len(capture_datagram(clients, sender, guess)[1])
    one, data = capture_datagram(clients, sender, filler)
    if not LARGEST_DATAGRAM - 2 * slack <= len(data) <= LARGEST_DATAGRAM:
        raise RuntimeError(f"the datagram has {len(data)} bytes, expected {LARGEST_DATAGRAM} or a little less")
    send_datagram(server, "jaeger-compact", data)
    until("trace of a full datagram", lambda: server.spans_of(one.trace_id) == one.spans)
    text = server.get("/api/traces/" + one.trace_id, JSON)[2]
    if text.count(b"#") != filler:
        raise RuntimeError(f"of {filler} bytes in attributes {text.count(b'#')} were read back")


def too_large_a_datagram(server, clients):
    """80 kB never arrive: the sender's kernel refuses to send them, and the client says so. Nothing is counted."""
    sender = named(GOOD["jaeger-compact"])
    before = server.metric(DROPPED)
    words = (sender.form, sender.file, 10**18, server.address("jaeger-compact"), *sender.options, 80_000)
    done = clients.attempt(sender.env, sender.script, *words)
    if done.returncode == 0 or "'err': 2" not in done.stderr:
        raise RuntimeError(f"the client says {done.stdout}{done.stderr}, expected that it could not send 2 spans")
    expect_good(server, clients, "jaeger-compact")
    if server.metric(DROPPED) != before:
        raise RuntimeError("a datagram was counted as dropped, expected none to arrive")


CASES = {
    "refused-binary-on-the-compact-port": wrong_protocol,
    "refused-half-a-datagram-compact": half_a_datagram("jaeger-compact"),
    "refused-half-a-datagram-binary": half_a_datagram("jaeger-binary"),
    "refused-half-a-batch-by-http": half_a_batch,
    "refused-lying-gzip": lying_gzip,
    "refused-80-kB-datagram": too_large_a_datagram,
    "taken-largest-datagram": largest_datagram,
}
