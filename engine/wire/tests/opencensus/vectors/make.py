"""Makes the files beside it: what the OpenCensus client for Python sends. README.md says how to run it."""

import datetime
import json
import os
import random
from concurrent import futures

import grpc
from google.protobuf import json_format
from opencensus.ext.ocagent.trace_exporter import TraceExporter
from opencensus.proto.agent.trace.v1 import trace_service_pb2
from opencensus.proto.trace.v1 import trace_pb2
from opencensus.trace import (attributes, link, samplers, span_context, status, time_event, tracer,
                              tracestate)

HERE = os.path.dirname(os.path.abspath(__file__))


def received_by_a_server(send):
    """Runs `send` with the address of a server; returns the messages it received, byte for byte."""
    messages = []

    class Handler(grpc.GenericRpcHandler):
        def service(self, details):
            assert details.method == '/opencensus.proto.agent.trace.v1.TraceService/Export'

            def export(stream, _context):
                for message in stream:
                    messages.append(message)
                    yield b''

            return grpc.stream_stream_rpc_method_handler(export)

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    server.add_generic_rpc_handlers([Handler()])
    port = server.add_insecure_port('127.0.0.1:0')
    server.start()
    send(f'127.0.0.1:{port}')
    server.stop(None)
    return messages


def trace(endpoint):
    """A server span with a client span in it."""
    random.seed(7)
    exporter = TraceExporter(service_name='shop', host_name='host-1', endpoint=endpoint)
    exporter.node.identifier.pid = 4242
    state = tracestate.Tracestate()
    state['congo'] = 't61rcWkgMzE'
    state['rojo'] = '00f067aa0ba902b7'
    context = span_context.SpanContext(
        trace_id='4bf92f3577b34da6a3ce929d0e0e4736', span_id='00f067aa0ba902b7', tracestate=state)
    made = tracer.Tracer(span_context=context, sampler=samplers.AlwaysOnSampler(), exporter=exporter)
    with made.span(name='GET /cart') as server:
        server.span_kind = 1
        server.add_attribute('http.method', 'GET')
        server.add_attribute('http.path', '/cart/é')
        server.add_attribute('http.status_code', 500)
        server.add_attribute('retry', True)
        server.add_attribute('share', 0.25)
        server.add_annotation('looked up', items=3, cache='miss')
        server.add_message_event(time_event.MessageEvent(
            timestamp=datetime.datetime(2026, 8, 1, 12, 0, 0, 250000), id=1, type=time_event.Type.RECEIVED,
            uncompressed_size_bytes=1200, compressed_size_bytes=300))
        server.add_link(link.Link(
            trace_id='0af7651916cd43dd8448eb211c80319c', span_id='b7ad6b7169203331',
            type=link.Type.PARENT_LINKED_SPAN, attributes=attributes.Attributes({'why': 'batch'})))
        server.set_status(status.Status(13, 'no stock'))
        with made.span(name='stock.Get') as client:
            client.span_kind = 2
            client.add_attribute('rpc.service', 'stock')


def every_field():
    """A request in which every field of the proto files is set, spans with their own resource among them."""
    text = open(os.path.join(HERE, 'every-field.json'), encoding='utf-8').read()
    return json_format.Parse(text, trace_service_pb2.ExportTraceServiceRequest())


def write(name, data):
    with open(os.path.join(HERE, name), 'wb') as file:
        file.write(data)


def main():
    messages = received_by_a_server(trace)
    for index, message in enumerate(messages):
        write(f'client-{index}.bin', message)
        request = trace_service_pb2.ExportTraceServiceRequest.FromString(message)
        write(f'client-{index}.json', json_format.MessageToJson(request, sort_keys=True).encode() + b'\n')
        snake = json_format.MessageToJson(
            request, sort_keys=True, preserving_proto_field_name=True, use_integers_for_enums=True,
            including_default_value_fields=True, indent=None)
        write(f'client-{index}-snake.json', snake.encode() + b'\n')
    request = every_field()
    write('every-field.bin', request.SerializeToString(deterministic=True))
    # What the file says is what protobuf's own JSON says.
    assert json.loads(json_format.MessageToJson(request)) == json.load(
        open(os.path.join(HERE, 'every-field.json'), encoding='utf-8'))


if __name__ == '__main__':
    main()
