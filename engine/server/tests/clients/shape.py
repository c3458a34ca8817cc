"""A trace as plain values, in the shape of trace.json: what expectations are written in, and compared with.

Spans are named, since names are unique in our traces. Times are nanoseconds after a base; `traceState` and `dropped`
are there besides what the file has, and every span carries its resource and scope. An expected value may be one of
the matchers below, where only the sender knows the value.
"""

from opentelemetry.proto.trace.v1 import trace_pb2 as pb

from compare import differ


class Matcher:
    """Equals whatever it holds for; as an expected value it stands for all of those."""

    def __init__(self, what, holds):
        self.what, self.holds = what, holds

    def __eq__(self, other):
        return self.holds(other)

    def __repr__(self):
        return self.what


TEXT = {"string": Matcher("some text", lambda value: isinstance(value, str) and value != "")}
COUNT = {"int": Matcher("a number above 0", lambda value: isinstance(value, int) and value > 0)}


def between(first, last):
    """A time, or any other number."""
    return Matcher(f"{first} to {last}", lambda value: isinstance(value, (int, float)) and first <= value <= last)


def expected_span(span, resource, scope):
    """A span of a file, with all that a span has."""
    return {"traceState": "", "dropped": [0, 0, 0], **span, "resource": resource, "scope": scope}


def expected_spans(file):
    """All spans of a file by name, as they are when nothing is lost."""
    return {span["name"]: expected_span(span, file["resource"], file["scope"]) for span in file["spans"]}


def spans_of(data, base):
    """All spans of a trace by name."""
    found = {}
    parents = {}
    for group in data.resource_spans:
        for scope_group in group.scope_spans:
            for span in scope_group.spans:
                if span.name in found:
                    raise ValueError(f"two spans {span.name!r}")
                parents[span.span_id] = span.name
                found[span.name] = plain(span, base, group.resource, scope_group.scope)
    for span in found.values():
        span["parent"] = parents.get(span["parent"], span["parent"].hex() or None)
    return found


def plain(span, base, resource, scope):
    status = {"code": pb.Status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_").lower()}
    if span.status.message:
        status["message"] = span.status.message
    return {
        "name": span.name,
        "resource": typed(resource.attributes),
        "scope": {"name": scope.name, "version": scope.version},
        "parent": span.parent_span_id,
        "kind": pb.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        "traceState": span.trace_state,
        "start": span.start_time_unix_nano - base,
        "end": span.end_time_unix_nano - base,
        "attributes": typed(span.attributes),
        "events": [
            {"name": event.name, "time": event.time_unix_nano - base, "attributes": typed(event.attributes)}
            for event in span.events
        ],
        "links": [
            {"traceId": link.trace_id.hex(), "spanId": link.span_id.hex(), "attributes": typed(link.attributes)}
            for link in span.links
        ],
        "status": status,
        "dropped": [span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count],
    }


def typed(attributes):
    """Attributes by key."""
    found = {}
    for one in attributes:
        if one.key in found:
            raise ValueError(f"the attribute {one.key!r} stands twice")
        found[one.key] = value_of(one.value)
    return found


def value_of(value):
    kind = value.WhichOneof("value")
    if kind == "array_value":
        kinds = {one.WhichOneof("value") for one in value.array_value.values}
        inner = kinds.pop() if len(kinds) == 1 else "mixed_value"
        return {inner.removesuffix("_value") + "s": [getattr(one, inner, None) for one in value.array_value.values]}
    return {str(kind).removesuffix("_value"): getattr(value, kind) if kind else None}


def differences(data, expected, base, trace_id):
    """Every place where a trace is not the expected one, as `path: found x, expected y`."""
    strays = {
        span.trace_id.hex()
        for group in data.resource_spans
        for scope_group in group.scope_spans
        for span in scope_group.spans
        if span.trace_id.hex() != trace_id
    }
    listed = [f"trace: found spans of {one}, expected {trace_id} alone" for one in sorted(strays)]
    return listed + list(differ(spans_of(data, base), expected, "trace"))


def lost(data, file, base):
    """Every place where what an SDK encoded is not the trace of its file: so that no field of the file is lost by a
    sender without notice. The SDK may add to the resource."""
    found = spans_of(data, base)
    for span in found.values():
        span["resource"] = {key: value for key, value in span["resource"].items() if key in file["resource"]}
    return list(differ(found, expected_spans(file), "trace"))
