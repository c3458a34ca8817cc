"""OpenCensus: protobuf on a gRPC stream.

The node's identifier, library and service are attributes of the resource. A status other than 0 is an error; a
message event is an event named `message`.
"""

from shape import COUNT, TEXT

from . import NO_SCOPE, each

# The Collector drops the type of a link and which of the codes a status has; we keep them, under names of ours.
LINK_TYPE = {"opencensus.link.type": {"string": "PARENT_LINKED_SPAN"}}
STATUS_CODE = {"opencensus.status_code": {"int": 13}}


def python(spans):
    root, child = spans.values()
    resource = {
        "service.name": root["resource"]["service.name"],
        "host.name": {"string": "till-7"},
        "process.pid": COUNT,
        "opencensus.starttime": TEXT,
        "opencensus.exporterversion": {"string": "0.0.1"},
        "telemetry.sdk.language": {"string": "python"},
        "telemetry.sdk.version": {"string": "0.11.4"},
    }
    each(spans, scope=NO_SCOPE, resource=resource, traceState="till=open,shop=7")
    child["links"][0]["attributes"] = LINK_TYPE
    child["attributes"].update(STATUS_CODE)
    child["events"].append(
        {
            "name": "message",
            "time": child["start"],
            "attributes": {
                "message.type": {"string": "SENT"},
                "messaging.message_id": {"int": 7},
                "messaging.message_payload_size_bytes": {"int": 1024},
                "messaging.message_payload_compressed_size_bytes": {"int": 512},
            },
        }
    )
    return spans
