"""Jaeger's senders: compact and binary Thrift, protobuf.

Tags keep their types. `span.kind` becomes the kind, `error` the status, `otel.scope.*` and `otel.library.*` the scope,
`hostname` and `jaeger.version` attributes of other names. A log is an event, named by its field `event`; a reference
that is not to the parent is a link.
"""

from shape import TEXT

from . import NO_SCOPE, doubles, each

FOLLOWS_FROM = {"opentracing.ref_type": {"string": "follows_from"}}


def native(spans, version):
    """What both of Jaeger's own clients say."""
    root, child = spans.values()
    resource = {
        **root["resource"],
        "host.name": TEXT,
        "ip": TEXT,
        "opencensus.exporterversion": {"string": f"Jaeger-{version}"},
    }
    each(spans, scope=NO_SCOPE, resource=resource)
    child["links"][0]["attributes"] = FOLLOWS_FROM
    child["attributes"]["message"] = {"string": child["status"].pop("message")}
    root["attributes"]["sampler.type"] = {"string": "const"}
    root["attributes"]["sampler.param"] = {"bool": True}
    return spans


def python(spans):
    return native(spans, "Python-4.8.0")


def node(spans):
    native(spans, "Node-3.19.0")
    for span in spans.values():
        span["attributes"] = doubles(span["attributes"])
        for event in span["events"]:
            event["attributes"] = doubles(event["attributes"])
    each(spans, resource={**doubles(next(iter(spans.values()))["resource"]), "client-uuid": TEXT})
    return spans


def sdk_resource(language, service):
    """What an SDK adds to the resource that it was given."""
    return {
        **service,
        "telemetry.sdk.language": {"string": language},
        "telemetry.sdk.name": {"string": "opentelemetry"},
        "telemetry.sdk.version": TEXT,
    }


def otel_python(spans):
    """The process is only a name; the resource stands among each span's tags."""
    resource = sdk_resource("python", next(iter(spans.values()))["resource"])
    for span in spans.values():
        span["attributes"].update(resource)
    each(spans, resource={"service.name": resource["service.name"]})
    return otel_events_and_links(spans)


def otel_python_grpc(spans):
    """The resource stands in the process and among each span's tags."""
    resource = sdk_resource("python", next(iter(spans.values()))["resource"])
    for span in spans.values():
        span["attributes"].update(resource)
    each(spans, resource=resource)
    return otel_events_and_links(spans)


def otel_events_and_links(spans):
    """The exporter writes the name of an event as the field `message`, where others write `event`. The Collector
    leaves such an event without a name; we take the message for it, and keep it as what it is, too."""
    for span in spans.values():
        for event in span["events"]:
            event["attributes"]["message"] = {"string": event["name"]}
        for link in span["links"]:
            link["attributes"] = FOLLOWS_FROM
    return spans


def otel_node(spans):
    """As Python's, but numbers are doubles, and events have names."""
    resource = sdk_resource("nodejs", next(iter(spans.values()))["resource"])
    for span in spans.values():
        span["attributes"] = doubles({**span["attributes"], **resource})
        for event in span["events"]:
            event["attributes"] = doubles(event["attributes"])
        for link in span["links"]:
            link["attributes"] = FOLLOWS_FROM
    each(spans, resource={"service.name": resource["service.name"]})
    return spans
