"""Real senders against a running spanloom: what OpenTelemetry SDKs send is read back from both APIs.

Starts `spanloom serve` on an empty folder, lets every sender send the trace of trace.json, and compares what
`/api/traces/{id}` and `/api/v2/traces/{id}` answer, in JSON and in protobuf, with what was sent. Then it stops
the process by SIGTERM, expects exit code 0, starts it on the same folder and asks everything again.

Run it by `cargo xtask clients`.
"""

import argparse
import base64
import contextlib
import http.client
import json
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time

import compare

HERE = pathlib.Path(__file__).parent
TRACE_FILE = HERE / "trace.json"
GRPC, HTTP, QUERY = 4317, 4318, 3200
PORTS = (GRPC, HTTP, QUERY, 55680, 55681)
PROTOBUF, JSON = "application/protobuf", "application/json"
TIMEOUT_S = 60

# (language, protocol) x (compression, tenant)
SENDERS = [
    (f"{language}-{protocol}{suffix}", language, protocol, compression, tenant)
    for language in ("python", "node")
    for protocol in ("grpc", "http-protobuf", "http-json")
    for suffix, compression, tenant in (("", "none", ""), ("-gzip-tenant", "gzip", "acme"))
]


class Checks:
    """Counts checks and prints each."""

    def __init__(self):
        self.passed = self.failed = 0

    @contextlib.contextmanager
    def check(self, name):
        """One check: the block passes unless it raises."""
        try:
            yield
        except Exception as problem:  # whatever it is, the check failed and the next one runs
            self.failed += 1
            print(f"FAILED {name}: {problem}", flush=True)
        else:
            self.passed += 1
            print(f"ok     {name}", flush=True)


class Server:
    """A spanloom process on a folder."""

    def __init__(self, binary, data_dir, log_path):
        self.binary, self.data_dir, self.log_path = binary, data_dir, log_path
        self.offset = free_offset()
        self.process = None

    def start(self):
        args = [self.binary, "serve", "--data-dir", self.data_dir, "--port-offset", str(self.offset)]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.get("/ready")[0] == 200:
                    return
            if self.process.poll() is not None:
                raise RuntimeError(f"spanloom ended with {self.process.returncode} before it was ready")
            if time.monotonic() > deadline:
                raise RuntimeError(f"spanloom was not ready after {TIMEOUT_S} s")
            time.sleep(0.05)

    def get(self, path, accept=JSON, tenant=""):
        """Status, content type and body."""
        connection = http.client.HTTPConnection("127.0.0.1", QUERY + self.offset, timeout=TIMEOUT_S)
        with contextlib.closing(connection):
            headers = {"Accept": accept, **({"X-Scope-OrgID": tenant} if tenant else {})}
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Type", ""), answer.read()

    def stop(self):
        """Asks it to end by SIGTERM; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=TIMEOUT_S)

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def print_log(self):
        lines = pathlib.Path(self.log_path).read_text(errors="replace").splitlines()
        print("-- the last that spanloom printed:")
        for line in lines[-40:]:
            print("   " + line)


def free_offset():
    """A port offset at which nobody listens yet."""
    for _ in range(100):
        offset = random.randrange(1000, 9000)
        try:
            for port in PORTS:
                with socket.socket() as one:
                    one.bind(("127.0.0.1", port + offset))
        except OSError:
            continue
        return offset
    raise RuntimeError("no free ports found")


def send(sender, server, node_dir, base):
    """Lets a sender send; the trace id and the request that it says it sent."""
    _, language, protocol, compression, tenant = sender
    port = (GRPC if protocol == "grpc" else HTTP) + server.offset
    what = [protocol, f"http://127.0.0.1:{port}", str(base), compression, tenant]
    if language == "python":
        args = [sys.executable, HERE / "send.py", *what]
    else:
        args = ["node", pathlib.Path(node_dir) / "send.mjs", TRACE_FILE, *what]
    done = subprocess.run(args, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the sender ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    said = json.loads(done.stdout)
    return said["traceId"], compare.from_request(base64.b64decode(said["request"]))


def read_back(server, path, accept, tenant, read):
    status, kind, body = server.get(path, accept, tenant)
    if status != 200:
        raise RuntimeError(f"answer {status}, expected 200: {body[:200]!r}")
    if not kind.startswith(accept):
        raise RuntimeError(f"content type {kind!r}, expected {accept}")
    return read(json.loads(body) if accept == JSON else body)


def expect_equal(found, expected):
    listed = compare.differences(found, expected)
    if listed:
        more = f" and {len(listed) - 8} more" if len(listed) > 8 else ""
        raise RuntimeError("; ".join(listed[:8]) + more)


READS = [
    ("v1 json", "/api/traces/", JSON, compare.from_json_v1),
    ("v1 protobuf", "/api/traces/", PROTOBUF, compare.from_protobuf_v1),
    ("v2 json", "/api/v2/traces/", JSON, compare.from_json_v2),
    ("v2 protobuf", "/api/v2/traces/", PROTOBUF, compare.from_protobuf_v2),
]


def check_reads(checks, server, sent, when):
    for (name, *_, tenant), trace_id, expected in sent:
        for form, path, accept, read in READS:
            with checks.check(f"{name}: {form} {when}"):
                expect_equal(read_back(server, path + trace_id, accept, tenant, read), expected)
        if tenant:
            with checks.check(f"{name}: unseen by another tenant {when}"):
                status = server.get("/api/traces/" + trace_id)[0]
                if status != 404:
                    raise RuntimeError(f"answer {status}, expected 404")
    with checks.check(f"an absent trace {when}"):
        absent = "00000000000000000000000000abcdef"
        status, _, body = server.get("/api/traces/" + absent)
        if (status, body) != (404, b""):
            raise RuntimeError(f"v1 answers {status} {body[:100]!r}, expected 404 and an empty body")
        status, _, body = server.get("/api/v2/traces/" + absent)
        if status != 200 or json.loads(body).get("trace") != {}:
            raise RuntimeError(f"v2 answers {status} {body[:100]!r}, expected 200 and an empty trace")


def send_all(checks, server, senders, node_dir):
    wanted = json.loads(TRACE_FILE.read_text(encoding="utf-8"))
    sent = []
    for sender in senders:
        with checks.check(f"{sender[0]}: sent"):
            base = time.time_ns() - 10**9
            trace_id, request = send(sender, server, node_dir, base)
            lost = compare.against_file(request, wanted, base)
            if lost:
                raise RuntimeError("the sender did not make the trace of trace.json: " + "; ".join(lost[:8]))
            sent.append((sender, trace_id, request))
    return sent


def check_stop(checks, server, when):
    with checks.check(f"exit code after SIGTERM {when}"):
        code = server.stop()
        if code != 0:
            raise RuntimeError(f"exit code {code}, expected 0")


def run(checks, server, senders, node_dir):
    server.start()
    sent = send_all(checks, server, senders, node_dir)
    check_reads(checks, server, sent, "at once")
    check_stop(checks, server, "with fresh data")
    server.start()
    check_reads(checks, server, sent, "after a restart")
    check_stop(checks, server, "after a restart")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spanloom", required=True, help="the binary")
    parser.add_argument("--node-dir", required=True, help="folder with node_modules and send.mjs")
    parser.add_argument("--result", required=True, help="file to write the counts of passed and failed checks to")
    parser.add_argument("--only", help="one sender: " + ", ".join(sender[0] for sender in SENDERS))
    options = parser.parse_args()
    senders = [sender for sender in SENDERS if options.only in (None, sender[0])]
    if not senders:
        parser.error(f"no sender {options.only}")
    checks = Checks()
    with tempfile.TemporaryDirectory(prefix="spanloom-clients-") as home:
        server = Server(options.spanloom, f"{home}/data", f"{home}/log.txt")
        try:
            with checks.check("the whole run"):
                run(checks, server, senders, options.node_dir)
        finally:
            server.kill()
            if checks.failed:
                server.print_log()
    pathlib.Path(options.result).write_text(f"{checks.passed} {checks.failed}\n")
    sys.exit(1 if checks.failed else 0)


if __name__ == "__main__":
    main()
