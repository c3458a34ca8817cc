"""Compares a trace that was read back with the request that was sent, field by field.

The order of spans, of groups of spans and of attributes may differ; nothing else may.
"""

import base64

from google.protobuf import json_format
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData


def from_request(bytes_):
    """The request: wire-identical to TracesData."""
    return TracesData.FromString(bytes_)


def from_protobuf_v1(body):
    """`/api/traces/{id}` as protobuf: wire-identical to TracesData."""
    return TracesData.FromString(body)


def from_protobuf_v2(body):
    """`/api/v2/traces/{id}` as protobuf: the trace is field 1, status field 3 (0, left out, when complete)."""
    fields = dict(read_fields(body))
    if fields.get(3, 0) != 0:
        raise ValueError(f"status is {fields[3]}, expected none for a complete trace")
    return TracesData.FromString(fields[1])


def from_json_v1(doc):
    """`/api/traces/{id}` as JSON: `batches` in place of `resourceSpans`."""
    if set(doc) != {"batches"}:
        raise ValueError(f"keys {sorted(doc)}, expected batches alone")
    return from_json({"resourceSpans": doc["batches"]})


def from_json_v2(doc):
    """`/api/v2/traces/{id}` as JSON."""
    if "status" in doc:
        raise ValueError(f"status is {doc['status']}, expected none for a complete trace")
    return from_json(doc["trace"])


def from_json(doc):
    check_dialect(doc, "trace")
    return json_format.ParseDict(doc, TracesData())


def check_dialect(value, path):
    """What a lenient parser would let pass: ids in base64, enums by name, 64-bit numbers as strings."""
    if isinstance(value, list):
        for at, one in enumerate(value):
            check_dialect(one, f"{path}[{at}]")
    if not isinstance(value, dict):
        return
    for key, one in value.items():
        where = f"{path}.{key}"
        if key in ("traceId", "spanId", "parentSpanId"):
            wanted = 16 if key == "traceId" else 8
            if not isinstance(one, str) or len(base64.b64decode(one, validate=True)) != wanted:
                raise ValueError(f"{where} is {one!r}, expected {wanted} bytes in base64")
        elif key == "kind" and not str(one).startswith("SPAN_KIND_"):
            raise ValueError(f"{where} is {one!r}, expected the name of a span kind")
        elif key == "code" and not str(one).startswith("STATUS_CODE_"):
            raise ValueError(f"{where} is {one!r}, expected the name of a status code")
        elif (key == "intValue" or key.endswith("UnixNano")) and not isinstance(one, str):
            raise ValueError(f"{where} is {one!r}, expected a 64-bit number as a string")
        elif key not in ("stringValue",):
            check_dialect(one, where)


def read_fields(body):
    """Number and value of every field of a protobuf message: bytes as bytes, a varint as an int."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = body[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(body):
        tag = varint()
        if tag & 7 == 0:
            yield tag >> 3, varint()
        elif tag & 7 == 2:
            length = varint()
            yield tag >> 3, body[at : at + length]
            at += length
        else:
            width = {1: 8, 5: 4}[tag & 7]
            yield tag >> 3, body[at : at + width]
            at += width


def normal(data):
    """The same trace in one order."""
    copy = TracesData()
    copy.CopyFrom(data)
    for resource in copy.resource_spans:
        sort(resource.resource.attributes)
        for scope in resource.scope_spans:
            sort(scope.scope.attributes)
            for span in scope.spans:
                sort(span.attributes)
                for part in [*span.events, *span.links]:
                    sort(part.attributes)
            scope.spans.sort(key=lambda span: (span.span_id, span.kind))
        resource.scope_spans.sort(key=bytes_of)
    copy.resource_spans.sort(key=bytes_of)
    return copy


def bytes_of(message):
    return message.SerializeToString(deterministic=True)


def sort(attributes):
    attributes.sort(key=lambda one: (one.key, bytes_of(one)))


def differences(found, expected):
    """Every place where two traces differ, as `path: found x, expected y`."""
    found, expected = normal(found), normal(expected)
    listed = list(differ(json_format.MessageToDict(found), json_format.MessageToDict(expected), "trace"))
    # Presence of an empty message does not show in a field's value, but shows in the bytes.
    if not listed and bytes_of(found) != bytes_of(expected):
        listed.append("trace: the bytes differ though the fields do not: an empty message is there on one side only")
    return listed


def differ(found, expected, path):
    if isinstance(found, dict) and isinstance(expected, dict):
        for key in sorted({*found, *expected}):
            yield from differ(found.get(key), expected.get(key), f"{path}.{key}")
    elif isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        for at, (one, other) in enumerate(zip(found, expected)):
            yield from differ(one, other, f"{path}[{at}]")
    elif found != expected:
        yield f"{path}: found {found!r}, expected {expected!r}"
