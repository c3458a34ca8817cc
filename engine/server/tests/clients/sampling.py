"""Clients that ask how to sample do as they are told.

Jaeger's clients ask the agent's port 5778 and, where there is no agent, the collector's HTTP port.
"""

import json

from server import until

SERVICE = "asks-how-to-sample"


def strategy(server, port, path):
    """What the server tells our service, as type and parameter of a client's sampler."""
    status, kind, body = server.get(f"{path}?service={SERVICE}", port=port)
    if status != 200 or not kind.startswith("application/json"):
        raise RuntimeError(f"{path} answers {status} {kind!r} {body[:100]!r}, expected 200 and JSON")
    told = json.loads(body)
    if told["strategyType"] == "PROBABILISTIC":
        return "probabilistic", told["probabilisticSampling"]["samplingRate"]
    return "ratelimiting", told["rateLimitingSampling"]["maxTracesPerSecond"]


def follows(server, told, said):
    """The client uses the sampler that it was told, and what it samples arrives with the tags that say so."""
    found = (said["type"], said["param"])
    if found != told:
        raise RuntimeError(f"the client's sampler is {found}, expected {told}")
    if told == ("probabilistic", 1) and not said["sampled"]:
        raise RuntimeError("the client did not sample a span, expected it to sample all")
    if said["sampled"]:
        until("sampled span", lambda: server.spans_of(said["traceId"]) == 1)


def python(server, clients):
    told = strategy(server, "jaeger-sampling", "/sampling")
    agent, sampling = server.address("jaeger-compact"), server.address("jaeger-sampling")
    follows(server, told, clients.run("retired", "sample_jaeger.py", SERVICE, agent, sampling))


def node(port, path):
    def case(server, clients):
        told = strategy(server, port, path)
        agent, sampling = server.address("jaeger-binary"), server.address(port)
        follows(server, told, clients.run("node", "sample_jaeger.mjs", SERVICE, agent, sampling, path))

    return case


def nobody(server, _):
    """A question that names no service is refused."""
    for port, path in (("jaeger-sampling", "/sampling"), ("jaeger-http", "/api/sampling")):
        status = server.get(path, port=port)[0]
        if status != 400:
            raise RuntimeError(f"{path} without a service answers {status}, expected 400")


CASES = {
    "sampling-python": python,
    "sampling-node": node("jaeger-sampling", "/sampling"),
    "sampling-node-of-the-collector": node("jaeger-http", "/api/sampling"),
    "sampling-node-of-the-collector-by-the-agents-path": node("jaeger-http", "/sampling"),
    "sampling-for-nobody": nobody,
}
