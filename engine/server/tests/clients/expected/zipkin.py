"""Zipkin's senders, in version 1 and 2 of its formats.

Tags are texts. The name of the local endpoint is the service, its address and port and those of the remote endpoint
are attributes of the span; `cs`, `cr`, `sr` and `ss` of version 1 are the kind, `sa` the remote endpoint. An
annotation is an event. The tag `error` is the status, its text the message. Links have no place.
"""

import json

from shape import TEXT, between

from . import NO_SCOPE, each, texts, values
from .jaeger import sdk_resource

LOCAL = {"net.host.ip": {"string": "192.0.2.7"}, "net.host.port": {"int": 8080}}
REMOTE = {
    "peer.service": {"string": "payments"},
    "net.peer.ip": {"string": "198.51.100.9"},
    "net.peer.port": {"int": 443},
}
# Tags that say something of the process: they become attributes of the resource.
OF_RESOURCE = (
    "service.name",
    "service.instance.id",
    "deployment.environment",
    "telemetry.sdk.language",
    "telemetry.sdk.name",
    "telemetry.sdk.version",
)


def native(spans):
    """What Zipkin's own clients say."""
    root, child = spans.values()
    for span in spans.values():
        span["attributes"] = {**texts(span["attributes"]), **LOCAL}
        span["links"] = []
        for event in span["events"]:
            event["attributes"] = {}
    child["attributes"].update(REMOTE)
    each(spans, scope=NO_SCOPE, resource={"service.name": root["resource"]["service.name"]})
    return spans


def node(spans):
    return native(spans)


def node_thrift(spans):
    """The Thrift library of Node writes of each character the low byte."""
    for span in native(spans).values():
        for value in span["attributes"].values():
            if "string" in value:
                value["string"] = "".join(chr(ord(letter) & 0xFF) for letter in value["string"])
    return spans


def python(spans):
    """The first span has its own clock; see send_zipkin.py."""
    root, _ = native(spans).values()
    root["start"] = root["end"] = between(0, 600 * 10**9)
    return spans


def jaeger3(spans):
    """Jaeger's client of version 3 says all it can in Zipkin's spans: tags as Python writes values, fields of a log as
    JSON, and on its first span the process. Its address of the other side is a bool of the four bytes `0x01`."""
    root, child = spans.values()
    logs = [{"event": event["name"], **values(event["attributes"])} for event in child["events"]]
    tags = {span["name"]: values(span["attributes"]) for span in spans.values()}
    native(spans)
    for span in spans.values():
        as_python = {key: {"string": str(value)} for key, value in tags[span["name"]].items()}
        span["attributes"].update(as_python)
        span["attributes"]["net.host.ip"] = TEXT
        del span["attributes"]["net.host.port"]
    for event, log in zip(child["events"], logs):
        event["name"] = json.dumps(log)
    child["status"] = {"code": "error", "message": "True"}
    root["attributes"].update(
        {
            "sampler.type": {"string": "const"},
            "sampler.param": {"string": "True"},
            "jaeger.version": {"string": "Python-3.7.1"},
            "jaeger.hostname": TEXT,
        }
    )
    return spans


def otel(spans, language, added):
    """What the exporters of OpenTelemetry say, besides: all attributes of the resource, as tags of each span. `added`
    is what this SDK adds to the resource."""
    root, _ = spans.values()
    resource = {**sdk_resource(language, root["resource"]), **added}
    of_resource = {key: value for key, value in resource.items() if key in OF_RESOURCE}
    tags = {key: value for key, value in resource.items() if key not in OF_RESOURCE}
    for span in spans.values():
        span["attributes"] = texts({**span["attributes"], **tags})
        span["links"] = []
    each(spans, resource=of_resource)
    return spans


def otel_python(spans):
    """Attributes of events are kept, in an annotation of JSON."""
    otel(spans, "python", {"service.instance.id": TEXT})
    for span in spans.values():
        span["attributes"].update(LOCAL)
    return spans


def otel_python_v1(spans):
    """The exporter writes no annotation that says the kind."""
    each(otel_python(spans), kind="unspecified")
    return spans


def otel_node(spans):
    """Neither scope nor attributes of events are sent."""
    otel(spans, "nodejs", {})
    each(spans, scope=NO_SCOPE)
    for span in spans.values():
        for event in span["events"]:
            event["attributes"] = {}
    return spans
