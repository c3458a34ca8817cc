"""Lets the Jaeger client for Python ask how to sample, and says what it made of the answer.

usage: sample_jaeger.py SERVICE AGENT_HOST:PORT SAMPLING_HOST:PORT

Waits until the client has heard a strategy, then makes one span. Prints one line of JSON: the type and the parameter
of the client's sampler, whether it sampled the span, and the trace id. Ends with 1 if it heard none.
"""

import json
import sys
import time

from jaeger_client import Config
from jaeger_client.metrics import MetricsFactory

TIMEOUT_S = 20
POLLS_S = 0.2


class Heard(MetricsFactory):
    """Counts the strategies that the client heard and could not hear."""

    def __init__(self):
        self.counts = {"ok": 0, "err": 0}

    def create_counter(self, name, tags=None):
        if name != "jaeger:sampler_queries":
            return lambda value: None
        return lambda value: self.counts.update({tags["result"]: self.counts[tags["result"]] + value})


def wait_for(what, holds):
    deadline = time.monotonic() + TIMEOUT_S
    while not holds():
        if time.monotonic() > deadline:
            sys.exit(f"no {what} in {TIMEOUT_S} s")
        time.sleep(0.01)


def main():
    service, agent, sampling = sys.argv[1:]
    host, port = agent.split(":")
    config = {
        "local_agent": {"reporting_host": host, "reporting_port": port, "sampling_port": sampling.split(":")[1]},
        "sampling_refresh_interval": POLLS_S,
        "generate_128bit_trace_id": True,
    }
    heard = Heard()
    tracer = Config(config, service_name=service, metrics_factory=heard).new_tracer()
    # The second answer: what the first one said is in use by then.
    wait_for(f"strategy ({heard.counts})", lambda: heard.counts["ok"] >= 2)
    span = tracer.start_span("sampled as told")
    span.finish()
    closed = tracer.close()
    wait_for("end of the reporter", closed.done)
    _, tags = tracer.sampler.sampler.is_sampled(span.trace_id, "")
    said = {
        "type": tags["sampler.type"],
        "param": tags["sampler.param"],
        "sampled": span.is_sampled(),
        "traceId": f"{span.trace_id:032x}",
    }
    print(json.dumps(said))


main()
