"""Sends a server span and a client span within it by py-zipkin: PORT V1_THRIFT | V1_JSON | V2_JSON | V2_PROTO3."""
import random
import sys

import requests
from py_zipkin import Encoding
from py_zipkin.zipkin import ZipkinAttrs, zipkin_client_span, zipkin_span

PATHS = {
    "V1_THRIFT": ("/api/v1/spans", "application/x-thrift"),
    "V1_JSON": ("/api/v1/spans", "application/json"),
    "V2_JSON": ("/api/v2/spans", "application/json"),
    "V2_PROTO3": ("/api/v2/spans", "application/x-protobuf"),
}
port, name = sys.argv[1:]
path, content_type = PATHS[name]


def transport(body):
    requests.post(f"http://127.0.0.1:{port}{path}", data=body, headers={"content-type": content_type})


random.seed(7)
attrs = ZipkinAttrs(
    trace_id="17133d482ba4f605",
    span_id="e457b5a2e4d86bd1",
    parent_span_id="53995c3f42cd8ad8",
    flags="0",
    is_sampled=True,
)
with zipkin_span(
    service_name="shop",
    span_name="GET /cart",
    zipkin_attrs=attrs,
    transport_handler=transport,
    encoding=getattr(Encoding, name),
    host="10.1.2.3",
    port=8080,
    max_span_batch_size=10,
) as root:
    tags = {"http.path": "/cart", "http.status_code": "500", "error": "timed out", "quote": 'a "b" \u00fc'}
    root.update_binary_annotations(tags)
    root.add_annotation("retry", timestamp=1700000000.25)
    with zipkin_client_span(service_name="shop", span_name="select") as child:
        child.add_sa_binary_annotation(5432, "postgres", "2001:db8::c001")
        child.update_binary_annotations({"db.statement": "select 1"})
