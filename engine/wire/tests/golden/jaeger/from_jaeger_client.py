"""Writes what jaeger-client 4.8.0 sends for one trace: its spans, through its own serializers.

Python 3.9; pip install jaeger-client==4.8.0 thrift==0.25.0 six
"""
import itertools
import sys
from pathlib import Path

import opentracing
from jaeger_client import ConstSampler, Tracer, thrift
from jaeger_client.reporter import InMemoryReporter
from jaeger_client.thrift_gen.agent import Agent
from opentracing.ext import tags as ext
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.protocol.TCompactProtocol import TCompactProtocol
from thrift.transport.TTransport import TMemoryBuffer

HERE = Path(__file__).parent
START = 1_700_000_000.123456


def spans(wide):
    """A server span, its client child with a log and an error, and one that follows both."""
    reporter = InMemoryReporter()
    tracer = Tracer("shop", reporter, ConstSampler(True), generate_128bit_trace_id=wide,
                    tags={"deployment": "blue", "hostname": "web-1", "ip": "10.0.0.7", "replicas": 3})
    tracer.tags["jaeger.version"] = "Python-4.8.0"
    tracer.tags["client-uuid"] = "5c9d1b5a"
    ids = itertools.count(0x8100_0000_0000_0001, 0x11)
    tracer._random_id = lambda bits: next(ids) | (0xABCD << 64 if bits > 64 else 0)
    root = tracer.start_span("GET /cart", start_time=START, tags={
        ext.SPAN_KIND: ext.SPAN_KIND_RPC_SERVER, "http.status_code": 200, "ratio": 0.5, "ok": True,
        "big": 2**62, "negative": -7, "long": "x" * 200, "text": "Zürich"})
    child = tracer.start_span("SELECT cart", child_of=root, start_time=START + 0.001, tags={
        ext.SPAN_KIND: ext.SPAN_KIND_RPC_CLIENT, ext.ERROR: True, "db.rows": 0})
    child.log_kv({"event": "retry", "attempt": 2, "message": "again"}, timestamp=START + 0.002)
    child.log_kv({"message": "gave up"}, timestamp=START + 0.003)
    child.finish(finish_time=START + 0.004)
    after = tracer.start_span("write log", start_time=START + 0.005, references=[
        opentracing.follows_from(root.context), opentracing.follows_from(child.context)])
    after.finish(finish_time=START + 0.006)
    root.finish(finish_time=START + 0.010)
    return tracer, reporter.get_spans()


class Factory:
    def __init__(self, protocol):
        self.getProtocol = protocol


def main():
    for wide in (False, True):
        tracer, finished = spans(wide)
        process = thrift.make_process(tracer.service_name, tracer.tags, tracer.max_tag_value_length)
        batch = thrift.make_jaeger_batch(finished, process)
        name = "128" if wide else "64"
        for protocol, label in ((TCompactProtocol, "compact"), (TBinaryProtocol, "binary")):
            out = TMemoryBuffer()
            # Its constructor wants an event loop, which sending does not need.
            client = Agent.Client.__new__(Agent.Client)
            client._transport, client._oprot_factory, client._seqid = out, Factory(protocol), 1
            client.send_emitBatch(batch)
            (HERE / f"jaeger-client-{name}.datagram.{label}").write_bytes(out.getvalue())
        out = TMemoryBuffer()
        batch.write(TBinaryProtocol(out))
        (HERE / f"jaeger-client-{name}.batch.binary").write_bytes(out.getvalue())


if __name__ == "__main__":
    sys.exit(main())
