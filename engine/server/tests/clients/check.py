"""Real senders against a running spanloom: what they send is read back from both APIs.

Starts `spanloom serve` on an empty folder, lets every sender of `senders.py` send its trace, and compares what
`/api/traces/{id}` and `/api/v2/traces/{id}` answer, in JSON and in protobuf, with what was sent. Then come the cases
of `refusals.py` and `sampling.py`. Then it stops the process by SIGTERM, expects exit code 0, starts it on the same
folder and asks for all traces again.

| file | holds |
|---|---|
| `senders.py` | the table of senders, and running one |
| `trace.json`, `older_trace.json` | what they send |
| `expected/` | what is to be read back of senders that are older than OTLP |
| `server.py` | the process under test |
| `compare.py`, `shape.py` | comparing two traces; a trace as plain values |
| `refusals.py`, `sampling.py` | what is not to be taken; asking how to sample |
| `python/`, `node/` | the senders, and the pins of their packages |

Run it by `cargo xtask clients`.
"""

import argparse
import contextlib
import json
import pathlib
import sys
import tempfile

import compare
import refusals
import sampling
from senders import SENDERS, Clients
from server import JSON, PROTOBUF, Server, until

CASES = {**refusals.CASES, **sampling.CASES}
READS = [
    ("v1 json", "/api/traces/", JSON, compare.from_json_v1),
    ("v1 protobuf", "/api/traces/", PROTOBUF, compare.from_protobuf_v1),
    ("v2 json", "/api/v2/traces/", JSON, compare.from_json_v2),
    ("v2 protobuf", "/api/v2/traces/", PROTOBUF, compare.from_protobuf_v2),
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


def read_back(server, path, accept, tenant, read):
    status, kind, body = server.get(path, accept, tenant)
    if status != 200:
        raise RuntimeError(f"answer {status}, expected 200: {body[:200]!r}")
    if not kind.startswith(accept):
        raise RuntimeError(f"content type {kind!r}, expected {accept}")
    return read(json.loads(body) if accept == JSON else body)


def raise_if_any(listed):
    if listed:
        more = f" and {len(listed) - 8} more" if len(listed) > 8 else ""
        raise RuntimeError("; ".join(listed[:8]) + more)


def check_reads(checks, server, sent, when):
    for one in sent:
        name, tenant = one.sender.name, one.sender.tenant
        for form, path, accept, read in READS:
            with checks.check(f"{name}: {form} {when}"):
                found = read_back(server, path + one.trace_id, accept, tenant, read)
                raise_if_any(one.differences(found))
                one.remember(found)
        if tenant:
            with checks.check(f"{name}: unseen by another tenant {when}"):
                status = server.get("/api/traces/" + one.trace_id)[0]
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


def send_all(checks, server, clients, senders):
    sent = []
    for sender in senders:
        with checks.check(f"{sender.name}: sent"):
            one = clients.send(sender, server.address(sender.port))
            if not sender.acknowledged:
                until(f"trace of {one.spans} spans", lambda: server.spans_of(one.trace_id) == one.spans)
            sent.append(one)
    return sent


def check_cases(checks, server, clients, names):
    for name in names:
        with checks.check(name):
            CASES[name](server, clients)


def check_stop(checks, server, when):
    with checks.check(f"exit code after SIGTERM {when}"):
        code = server.stop()
        if code != 0:
            raise RuntimeError(f"exit code {code}, expected 0")


def run(checks, server, clients, senders, cases):
    server.start()
    sent = send_all(checks, server, clients, senders)
    check_reads(checks, server, sent, "at once")
    check_cases(checks, server, clients, cases)
    check_stop(checks, server, "with fresh data")
    server.start()
    check_reads(checks, server, sent, "after a restart")
    check_stop(checks, server, "after a restart")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spanloom", required=True, help="the binary")
    parser.add_argument("--clients", required=True, help="folder with the environments of the senders")
    parser.add_argument("--result", required=True, help="file to write the counts of passed and failed checks to")
    names = ", ".join([sender.name for sender in SENDERS] + list(CASES))
    parser.add_argument("--only", default="", help="those whose names begin so: " + names)
    options = parser.parse_args()
    senders = [sender for sender in SENDERS if sender.name.startswith(options.only)]
    cases = [name for name in CASES if name.startswith(options.only)]
    if not senders and not cases:
        parser.error(f"nothing begins with {options.only}, expected a beginning of {names}")
    checks = Checks()
    with tempfile.TemporaryDirectory(prefix="spanloom-clients-") as home:
        server = Server(options.spanloom, f"{home}/data", f"{home}/log.txt")
        try:
            with checks.check("the whole run"):
                run(checks, server, Clients(pathlib.Path(options.clients)), senders, cases)
        finally:
            server.kill()
            if checks.failed:
                server.print_log()
    pathlib.Path(options.result).write_text(f"{checks.passed} {checks.failed}\n")
    sys.exit(1 if checks.failed else 0)


if __name__ == "__main__":
    main()
