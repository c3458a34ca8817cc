"""What is to be read back of older_trace.json from each sender that is older than OTLP.

Written by the rules that OpenTelemetry published for translations and by the senders' sources, not by our decoders:
a decoder that misreads a field does not misread it here too. Each function takes the file as `shape.expected_spans`
gives it and changes what the sender says otherwise or cannot say.

Sources: OpenTelemetry's specification, "OpenTelemetry to Jaeger" and "OpenTelemetry to Zipkin transformation"; where
it is silent, what the OpenTelemetry Collector's receivers do.
"""

NO_SCOPE = {"name": "", "version": ""}


def each(spans, **fields):
    """Sets fields of all spans."""
    for span in spans.values():
        span.update(fields)


def values(typed):
    """Plain values of typed ones: {"k": {"int": 1}} to {"k": 1}."""
    return {key: next(iter(value.values())) for key, value in typed.items()}


def doubles(attributes):
    """JavaScript has one kind of number, and its Jaeger client calls it a double."""
    return {key: {"double": float(value["int"])} if "int" in value else value for key, value in attributes.items()}


def texts(attributes):
    """Zipkin's tags are texts."""
    return {key: {"string": text_of(value)} for key, value in attributes.items()}


def text_of(typed):
    value = next(iter(typed.values()))
    return str(value).lower() if isinstance(value, bool) else str(value)
