"""The spanloom under test: a process on a folder, all its ports shifted by one offset, and what it answers."""

import contextlib
import http.client
import json
import pathlib
import random
import signal
import socket
import subprocess
import time

PROTOBUF, JSON = "application/protobuf", "application/json"
TIMEOUT_S = 60

# The ports that senders know, by what they are for.
TCP_PORTS = {
    "query": 3200,
    "jaeger-query": 16686,
    "jaeger-query-grpc": 16685,
    "otlp-grpc": 4317,
    "otlp-http": 4318,
    "jaeger-sampling": 5778,
    "zipkin": 9411,
    "jaeger-grpc": 14250,
    "jaeger-http": 14268,
    "opencensus": 55678,
    "otlp-grpc-2020": 55680,
    "otlp-http-2020": 55681,
}
UDP_PORTS = {"zipkin-compact": 5775, "jaeger-compact": 6831, "jaeger-binary": 6832}


class Server:
    """A spanloom process on a folder."""

    def __init__(self, binary, data_dir, log_path):
        self.binary, self.data_dir, self.log_path = binary, data_dir, log_path
        self.offset = free_offset()
        self.process = None

    def port(self, name):
        return {**TCP_PORTS, **UDP_PORTS}[name] + self.offset

    def address(self, name):
        """For clients that take host and port."""
        return f"127.0.0.1:{self.port(name)}"

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

    def get(self, path, accept=JSON, tenant="", port="query"):
        """Status, content type and body."""
        headers = {"Accept": accept, **({"X-Scope-OrgID": tenant} if tenant else {})}
        return self.request("GET", path, port, headers=headers)

    def post(self, path, port, body, headers):
        """Status, content type and body."""
        return self.request("POST", path, port, body=body, headers=headers)

    def request(self, method, path, port, **rest):
        connection = http.client.HTTPConnection("127.0.0.1", self.port(port), timeout=TIMEOUT_S)
        with contextlib.closing(connection):
            connection.request(method, path, **rest)
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Type", ""), answer.read()

    def spans_of(self, trace_id):
        """How many spans of a trace there are so far."""
        status, _, body = self.get("/api/traces/" + trace_id)
        groups = json.loads(body)["batches"] if status == 200 else []
        return sum(len(scope.get("spans", [])) for group in groups for scope in group.get("scopeSpans", []))

    def metric(self, name, **labels):
        """The sum of the samples of that name that have all of the labels; 0 when there is none."""
        status, _, body = self.get("/metrics", accept="text/plain")
        if status != 200:
            raise RuntimeError(f"/metrics answers {status}, expected 200")
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        lines = [line for line in body.decode().splitlines() if line.split("{")[0].split(" ")[0] == name]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if all(label in line for label in wanted))

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
            for ports, kind in ((TCP_PORTS, socket.SOCK_STREAM), (UDP_PORTS, socket.SOCK_DGRAM)):
                for port in ports.values():
                    with socket.socket(type=kind) as one:
                        one.bind(("127.0.0.1", port + offset))
        except OSError:
            continue
        return offset
    raise RuntimeError("no free ports found")


def until(what, holds, seconds=15):
    """Asks again and again until it holds: datagrams are not acknowledged. Yields what held."""
    deadline = time.monotonic() + seconds
    while True:
        found = holds()
        if found:
            return found
        if time.monotonic() > deadline:
            raise RuntimeError(f"no {what} in {seconds} s")
        time.sleep(0.02)
