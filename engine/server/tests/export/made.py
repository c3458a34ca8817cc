"""Spans of every form, made from a seed, and what they should read back as."""

import random

START = 1_700_000_000_000_000_000
KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"]
STATUSES = ["unset", "ok", "error"]
SERVICES = ["checkout", "cart", 'a "quoted" näme']

# An attribute: its OTLP value, then the type and text that it is exported as.
VALUES = [
    ({"stringValue": "GET"}, "string", "GET"),
    ({"stringValue": "200"}, "string", "200"),
    ({"stringValue": ""}, "string", ""),
    ({"stringValue": "line\nbreak \U0001f980"}, "string", "line\nbreak \U0001f980"),
    ({"intValue": "200"}, "int", "200"),
    ({"intValue": "-9223372036854775808"}, "int", "-9223372036854775808"),
    ({"doubleValue": 200.0}, "double", "200.0"),
    ({"doubleValue": 0.1}, "double", "0.1"),
    ({"doubleValue": "NaN"}, "double", "NaN"),
    ({"boolValue": False}, "bool", "false"),
    ({"bytesValue": "AP8="}, "bytes", "AP8="),
    ({}, "empty", None),
    ({"arrayValue": {"values": [{"stringValue": "a"}, {"intValue": "1"}, {"doubleValue": 1.0}]}}, "array", '["a",1,1.0]'),
    ({"kvlistValue": {"values": [{"key": "k", "value": {"boolValue": True}}]}}, "map", '{"k":true}'),
    (
        {"arrayValue": {"values": [{"bytesValue": "AA=="}]}},
        "otlp",
        '{"arrayValue":{"values":[{"bytesValue":"AA=="}]}}',
    ),
]


class Made:
    """Requests as OTLP JSON, and their spans as rows: columns by name, attributes as lists of (key, text, type)."""

    def __init__(self, traces, seed=7):
        self.random = random.Random(seed)
        self.requests, self.rows = [], {}
        for number in range(traces):
            self.requests.append({"resourceSpans": [self.resource_spans(number, part) for part in range(2)]})

    def resource_spans(self, number, part):
        service = self.random.choice(SERVICES)
        attributes, exported = self.attributes(2)
        attributes.insert(0, {"key": "service.name", "value": {"stringValue": service}})
        exported.insert(0, ("service.name", service, "string"))
        shared = {
            "service_name": service,
            "resource_attributes": exported,
            "scope_name": f"library {part}" if part else None,
        }
        spans = [self.span(number, part, place, shared) for place in range(self.random.randrange(1, 8))]
        scope = {"scope": {"name": shared["scope_name"] or ""}, "spans": spans}
        return {"resource": {"attributes": attributes}, "scopeSpans": [scope]}

    def attributes(self, most):
        chosen = self.random.sample(VALUES, self.random.randrange(most + 1))
        # Some keys come twice.
        keys = [self.random.choice(["http.status_code", "k", "", "näme"]) for _ in chosen]
        given = [{"key": key, "value": value} for key, (value, _, _) in zip(keys, chosen)]
        return given, [(key, text, kind) for key, (_, kind, text) in zip(keys, chosen)]

    def span(self, number, part, place, shared):
        # Four figures below the microsecond, and some that end before they start.
        start = START + number * 1_000_000_007 + place
        end = start + self.random.randrange(-5, 3_000_000_001)
        trace_id, span_id = f"{number + 1:032x}", f"{part + 1:08x}{place + 1:08x}"
        parent = f"{part + 1:08x}{place:08x}" if place else None
        kind, status = self.random.randrange(6), self.random.randrange(3)
        attributes, exported = self.attributes(5)
        events = [self.event(start + at) for at in range(self.random.randrange(3))]
        links = [self.link() for _ in range(self.random.randrange(3))]
        self.rows[trace_id, span_id] = {
            **shared,
            "parent_span_id": parent,
            "name": f"operation {place}",
            "kind": KINDS[kind],
            "status_code": STATUSES[status],
            "start_time_unix_nano": start,
            "end_time_unix_nano": end,
            "duration_ns": max(end - start, 0),
            "span_attributes": exported,
            "events": [row for _, row in events],
            "links": [row for _, row in links],
        }
        return {
            "traceId": trace_id,
            "spanId": span_id,
            "parentSpanId": parent or "",
            "name": f"operation {place}",
            "kind": kind,
            "startTimeUnixNano": str(start),
            "endTimeUnixNano": str(end),
            "attributes": attributes,
            "events": [given for given, _ in events],
            "links": [given for given, _ in links],
            "status": {"code": status},
        }

    def event(self, time):
        attributes, exported = self.attributes(2)
        given = {"timeUnixNano": str(time), "name": "event", "attributes": attributes}
        return given, {"time_unix_nano": time, "name": "event", "attributes": exported}

    def link(self):
        trace_id, span_id = f"{self.random.randrange(1, 1 << 128):032x}", f"{self.random.randrange(1, 1 << 64):016x}"
        attributes, exported = self.attributes(1)
        given = {"traceId": trace_id, "spanId": span_id, "attributes": attributes}
        return given, {"trace_id": trace_id, "span_id": span_id, "attributes": exported}
