"""Readers of Jaeger and Zipkin on Spanloom: what their senders sent is read back by their query APIs.

Starts `spanloom serve` on an empty folder; OpenTelemetry's exporters for Jaeger (Thrift over HTTP) and Zipkin (v2 JSON) send
spans to it, and a jaeger-collector's storage calls write some. Then they are read by jaeger-mcp (a client of Jaeger's HTTP
API), by gRPC stubs of `jaeger.api_v2`, `jaeger.api_v3`, `jaeger.storage.v1` and `jaeger.storage.v2` made of the protos beside
this file, and over HTTP, and compared with what was sent. Run it by `cargo xtask query-clients`.
"""

import argparse
import asyncio
import json
import os
import pathlib
import sys
import tempfile
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "clients"))

import grpc
from grpc_tools import protoc
from opentelemetry.exporter.jaeger.thrift import JaegerExporter
from opentelemetry.exporter.zipkin.json import ZipkinExporter
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as otlp_service
from opentelemetry.proto.trace.v1 import trace_pb2 as otlp
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode

from server import Server


def same(found, expected, what):
    if found != expected:
        raise RuntimeError(f"{what}: found {found!r}, expected {expected!r}")


def has(found, expected, what):
    if not set(expected) <= set(found):
        raise RuntimeError(f"{what}: found {found!r}, expected {expected!r} among it")


def send(exporter, names):
    """A request of `names[0]` to `names[1]`, which asks a database and fails; its trace id."""

    def tracer(name):
        provider = TracerProvider(resource=Resource({"service.name": name}))
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        return provider.get_tracer("check", "1.0")

    caller, called = tracer(names[0]), tracer(names[1])
    with caller.start_as_current_span("GET /", kind=SpanKind.SERVER, attributes={"n": 5, "ok": True}) as root:
        root.add_event("began", {"why": "check"})
        with caller.start_as_current_span("GET", kind=SpanKind.CLIENT):
            with called.start_as_current_span("get", kind=SpanKind.SERVER) as span:
                span.set_status(StatusCode.ERROR, "no room")
                attributes = {"db.system": "postgresql", "peer.service": f"{names[1]}-db"}
                with called.start_as_current_span("SELECT", kind=SpanKind.CLIENT, attributes=attributes):
                    time.sleep(0.002)
    return format(root.get_span_context().trace_id, "032x")


class Checks:
    """Checks on a running server."""

    def __init__(self, server, stubs):
        self.server = server
        for name, module in stubs.items():
            setattr(self, name, module)
        self.channel = grpc.insecure_channel(server.address("jaeger-query-grpc"))
        jaeger = JaegerExporter(
            collector_endpoint=f"http://{server.address('jaeger-http')}/api/traces?format=jaeger.thrift")
        zipkin = ZipkinExporter(endpoint=f"http://{server.address('zipkin')}/api/v2/spans")
        self.of_jaeger = send(jaeger, ("shop", "cart"))
        self.of_zipkin = send(zipkin, ("page", "store"))

    def get(self, port, path, expected=200):
        status, content_type, body = self.server.get(path, port=port)
        same(status, expected, f"status of {path}: {body[:300]}")
        if expected == 200:
            same(content_type, "application/json", f"content type of {path}")
        return json.loads(body)

    def jaeger(self, path, expected=200):
        found = self.get("jaeger-query", path, expected)
        same(set(found), {"data", "total", "limit", "offset", "errors"}, f"fields of {path}")
        return found["data"] if expected == 200 else found["errors"]

    # -- Jaeger over HTTP

    def check_names(self):
        has(self.jaeger("/api/services"), ["shop", "cart", "page", "store"], "services")
        same(self.jaeger("/api/services/shop/operations"), ["GET", "GET /"], "operations of shop")
        kinds = [{"name": "GET", "spanKind": "client"}, {"name": "GET /", "spanKind": "server"}]
        same(self.jaeger("/api/operations?service=shop"), kinds, "operations with kinds")
        same(self.jaeger("/api/operations?service=shop&spanKind=client"), kinds[:1], "operations of a kind")

    def check_trace(self):
        trace, = self.jaeger("/api/traces/" + self.of_jaeger)
        spans = {span["operationName"]: span for span in trace["spans"]}
        same(set(spans), {"GET /", "GET", "get", "SELECT"}, "spans")
        root, failed = spans["GET /"], spans["get"]
        same(root["references"], [], "references of the root")
        parent = {"refType": "CHILD_OF", "traceID": self.of_jaeger, "spanID": spans["GET"]["spanID"]}
        same(failed["references"], [parent], "references of a child")
        tags = {tag["key"]: (tag["type"], tag["value"]) for tag in root["tags"]}
        same((tags["n"], tags["ok"], tags["span.kind"]),
             (("int64", 5), ("bool", True), ("string", "server")), "tags")
        tags = {tag["key"]: tag["value"] for tag in failed["tags"]}
        same((tags["error"], tags["otel.status_description"]), (True, "no room"), "tags of a failure")
        fields = {field["key"]: field["value"] for field in root["logs"][0]["fields"]}
        same((fields["why"], "began" in fields.values()), ("check", True), "a log")
        same(trace["processes"][failed["processID"]]["serviceName"], "cart", "the service")
        same(trace["warnings"], None, "warnings")

    def check_search(self):
        def found(**parameters):
            query = urllib.parse.urlencode(parameters)
            return {trace["traceID"] for trace in self.jaeger("/api/traces?" + query)}

        one = {self.of_jaeger}
        same(found(service="shop"), one, "by service")
        same(found(service="shop", operation="GET /"), one, "by operation")
        same(found(service="shop", operation="get"), set(), "by another's operation")
        same(found(service="shop", tags='{"n":"5","ok":"true"}'), one, "by tags")
        same(found(service="shop", tag="n:6"), set(), "by a wrong tag")
        same(found(service="cart", tags='{"error":"true"}'), one, "by failure")
        same(found(service="shop", tags='{"error":"true"}'), set(), "by another's failure")
        same(found(service="cart", minDuration="2ms"), one, "by duration")
        same(found(service="cart", maxDuration="1us"), set(), "by a short duration")
        same(found(service="cart", tags='{"otel.scope.name":"check"}'), one, "by scope")
        same(found(traceID=self.of_zipkin), {self.of_zipkin}, "by id")
        now = int(time.time() * 1e6)
        same(found(service="shop", start=now - 60_000_000, end=now), one, "by time")
        same(found(service="shop", start=1, end=60_000_000), set(), "by another time")

    def check_refusals(self):
        same(self.jaeger("/api/traces/abcd", 404), [{"code": 404, "msg": "trace not found"}], "no trace")
        same(self.jaeger("/api/traces", 400)[0]["msg"], "parameter 'service' is required", "no service")
        same(self.get("jaeger-query", "/api/v3/traces/abcd", 404),
             {"error": {"httpCode": 404, "message": "trace not found"}}, "no trace in v3")

    def check_dependencies(self):
        until = f"endTs={int(time.time() * 1000) + 1000}&lookback=3600000"
        edges = [("cart", "cart-db", 1), ("page", "store", 1), ("shop", "cart", 1), ("store", "store-db", 1)]
        found = self.jaeger("/api/dependencies?" + until)
        same([(one["parent"], one["child"], one["callCount"]) for one in found], edges, "Jaeger's dependencies")
        found = self.get("zipkin", "/api/v2/dependencies?" + until)
        same([(one["parent"], one["child"], one["callCount"]) for one in found], edges, "Zipkin's dependencies")
        same([one.get("errorCount", 0) for one in found], [0, 1, 1, 0], "failures")
        graph = self.get("query", f"/api/service-graph?start={int(time.time()) - 60}&end={int(time.time()) + 1}")
        same([(e["client"], e["server"], e["calls"]) for e in graph["edges"]], edges, "the graph")
        same((graph["complete"], graph["traces"]), (True, 2), "the graph")
        kinds = {node["name"]: node["kind"] for node in graph["nodes"]}
        same((kinds["cart-db"], kinds["cart"]), ("database", "service"), "kinds of nodes")

    def check_metrics(self):
        query = "service=cart&lookback=120000&step=30000&ratePer=60000&endTs=" + str(int(time.time() * 1000) + 30_000)
        for measure, positive in (("calls", True), ("errors", True), ("latencies", True)):
            family = self.get("jaeger-query", f"/api/metrics/{measure}?{query}&quantile=0.95")
            same(family["type"], "GAUGE", "type of a family")
            line, = family["metrics"]
            same(line["labels"], [{"name": "service_name", "value": "cart"}], "labels")
            values = [point["gaugeValue"]["doubleValue"] for point in line["metricPoints"]]
            same(max(values) > 0, positive, f"{measure}: {values}")

    def check_v3(self):
        trace = self.get("jaeger-query", "/api/v3/traces/" + self.of_jaeger)["result"]
        same(sum(len(s["spans"]) for r in trace["resourceSpans"] for s in r["scopeSpans"]), 4, "spans in v3")
        times = {"query.startTimeMin": "2020-01-01T00:00:00Z", "query.startTimeMax": "2100-01-01T00:00:00Z"}
        now = time.time()
        form = "%Y-%m-%dT%H:%M:%SZ"
        times = {"query.startTimeMin": time.strftime(form, time.gmtime(now - 3600)),
                 "query.startTimeMax": time.strftime(form, time.gmtime(now + 60))}
        query = urllib.parse.urlencode({"query.serviceName": "cart", **times})
        summary, = self.get("jaeger-query", "/api/v3/trace-summaries?" + query)["summaries"]
        same((summary["traceId"], summary["rootServiceName"], summary["rootOperationName"], summary["spanCount"],
              summary["errorSpanCount"], len(summary["services"])),
             (self.of_jaeger, "shop", "GET /", 4, 1, 2), "a summary")

    def check_transform(self):
        trace = self.get("jaeger-query", "/api/v3/traces/" + self.of_jaeger)["result"]
        body = json.dumps(trace).encode()
        status, _, answer = self.server.post("/api/transform", "jaeger-query", body, {"Content-Type": "application/json"})
        same(status, 200, "status of a transformation")
        asked, = self.jaeger("/api/traces/" + self.of_jaeger)
        same(json.loads(answer)["data"], [asked], "what was transformed")

    # -- a client of others

    def check_jaeger_mcp(self):
        os.environ["JAEGER_URL"] = f"http://{self.server.address('jaeger-query')}"
        from jaeger_mcp import tools

        def told(result):
            return getattr(result, "structuredContent", None) or getattr(result, "structured_content", None) or result

        async def ask():
            services = told(await tools.jaeger_list_services())
            has(services["services"], ["cart", "page", "shop", "store"], "jaeger-mcp: services")
            operations = told(await tools.jaeger_list_operations(service="shop"))
            same(sorted(operations["operations"]), ["GET", "GET /"], "jaeger-mcp: operations")
            found = told(await tools.jaeger_search_traces(service="shop"))
            one, = found["traces"]
            same((one["trace_id"], one["root_operation"], one["root_service"], one["span_count"], one["errors_count"]),
                 (self.of_jaeger, "GET /", "shop", 4, 1), "jaeger-mcp: a trace found")
            trace = told(await tools.jaeger_get_trace(trace_id=self.of_zipkin))
            same((trace["span_count"], trace["root_service"], trace["service_count"]), (4, "page", 2),
                 "jaeger-mcp: a trace")
            links = told(await tools.jaeger_get_dependencies())
            edges = {(link["parent"], link["child"]) for link in links["edges"]}
            has(edges, [("shop", "cart"), ("page", "store")], "jaeger-mcp: dependencies")

        asyncio.run(ask())

    # -- Jaeger over gRPC

    def check_api_v2(self):
        q, stub = self.query, self.query_grpc.QueryServiceStub(self.channel)
        has(stub.GetServices(q.GetServicesRequest()).services, ["cart", "shop"], "api_v2: services")
        found = stub.GetOperations(q.GetOperationsRequest(service="shop", span_kind="server")).operations
        same([(one.name, one.span_kind) for one in found], [("GET /", "server")], "api_v2: operations")
        id = bytes.fromhex(self.of_jaeger)
        chunks = stub.GetTrace(q.GetTraceRequest(trace_id=id))
        self.check_spans([span for chunk in chunks for span in chunk.spans], "api_v2: a trace")
        parameters = q.TraceQueryParameters(service_name="cart", tags={"error": "true"}, search_depth=5)
        chunks = stub.FindTraces(q.FindTracesRequest(query=parameters))
        self.check_spans([span for chunk in chunks for span in chunk.spans], "api_v2: found")
        links = stub.GetDependencies(self.until(q.GetDependenciesRequest())).dependencies
        has([(link.parent, link.child, link.call_count) for link in links], [("shop", "cart", 1)], "api_v2: links")
        self.fails(lambda: list(stub.GetTrace(q.GetTraceRequest(trace_id=bytes(15) + b"\1"))), "NOT_FOUND")
        self.fails(lambda: stub.ArchiveTrace(q.ArchiveTraceRequest(trace_id=id)), "UNIMPLEMENTED")

    def until(self, request):
        request.start_time.FromSeconds(int(time.time()) - 600)
        request.end_time.FromSeconds(int(time.time()) + 1)
        return request

    def fails(self, call, code):
        try:
            call()
        except grpc.RpcError as error:
            same(error.code().name, code, "code")
        else:
            raise RuntimeError(f"expected {code}")

    def check_spans(self, spans, what):
        same(sorted(span.operation_name for span in spans), ["GET", "GET /", "SELECT", "get"], what)
        root = next(span for span in spans if span.operation_name == "GET /")
        same((root.trace_id.hex(), root.process.service_name), (self.of_jaeger, "shop"), what)
        tags = {tag.key: tag for tag in root.tags}
        same((tags["n"].v_int64, tags["ok"].v_bool, tags["span.kind"].v_str), (5, True, "server"), what)

    def check_api_v3(self):
        q, stub = self.query_v3, self.query_v3_grpc.QueryServiceStub(self.channel)
        has(stub.GetServices(q.GetServicesRequest()).services, ["page"], "api_v3: services")
        same([one.name for one in stub.GetOperations(q.GetOperationsRequest(service="page")).operations],
             ["GET", "GET /"], "api_v3: operations")
        same(self.names(stub.GetTrace(q.GetTraceRequest(trace_id=self.of_zipkin))), 4, "api_v3: a trace")
        parameters = q.TraceQueryParameters(service_name="page", attributes={"n": "5"})
        self.between(parameters)
        same(self.names(stub.FindTraces(q.FindTracesRequest(query=parameters))), 4, "api_v3: found")
        chunks = list(stub.FindTraceSummaries(q.FindTracesRequest(query=parameters)))
        summary, = [one for chunk in chunks for one in chunk.summaries]
        same((summary.trace_id, summary.root_service_name, summary.span_count), (self.of_zipkin, "page", 4),
             "api_v3: a summary")
        links = stub.GetDependencies(self.until(q.GetDependenciesRequest())).dependencies
        has([(link.parent, link.child) for link in links], [("page", "store")], "api_v3: links")

    def between(self, parameters):
        parameters.start_time_min.FromSeconds(int(time.time()) - 600)
        parameters.start_time_max.FromSeconds(int(time.time()) + 1)

    def names(self, chunks):
        read = [otlp.TracesData.FromString(chunk.SerializeToString()) for chunk in chunks]
        return sum(len(s.spans) for data in read for r in data.resource_spans for s in r.scope_spans)

    def check_storage_v1(self):
        q, s = self.query, self.storage_v1
        reader = self.storage_v1_grpc.SpanReaderPluginStub(self.channel)
        writer = self.storage_v1_grpc.SpanWriterPluginStub(self.channel)
        can = self.storage_v1_grpc.PluginCapabilitiesStub(self.channel).Capabilities(s.CapabilitiesRequest())
        same(can, s.CapabilitiesResponse(), "storage.v1: capabilities")
        span = self.model.Span(trace_id=bytes(15) + b"\x77", span_id=bytes(7) + b"\x78", operation_name="written")
        span.process.service_name = "collector"
        span.tags.add(key="jaeger.is", v_type=1, v_bool=True)
        span.start_time.GetCurrentTime()
        span.duration.FromMilliseconds(7)
        writer.WriteSpan(s.WriteSpanRequest(span=span))
        writer.Close(s.CloseWriterRequest())
        chunks = reader.GetTrace(q.GetTraceRequest(trace_id=span.trace_id))
        same([one for chunk in chunks for one in chunk.spans], [span], "storage.v1: what was written")
        has(reader.GetServices(q.GetServicesRequest()).services, ["collector", "shop"], "storage.v1: services")
        same([one.name for one in reader.GetOperations(q.GetOperationsRequest(service="collector")).operations],
             ["written"], "storage.v1: operations")
        parameters = q.TraceQueryParameters(service_name="collector", tags={"jaeger.is": "true"}, search_depth=3)
        self.between(parameters)
        parameters.start_time_max.FromSeconds(int(time.time()) + 60)
        request = q.FindTracesRequest(query=parameters)
        same(list(reader.FindTraceIDs(request).trace_ids), [span.trace_id], "storage.v1: ids")
        same([one.operation_name for chunk in reader.FindTraces(request) for one in chunk.spans], ["written"],
             "storage.v1: found")
        links = self.storage_v1_grpc.DependenciesReaderPluginStub(self.channel)
        links = links.GetDependencies(self.until(q.GetDependenciesRequest())).dependencies
        has([(link.parent, link.child) for link in links], [("shop", "cart")], "storage.v1: links")

    def check_storage_v2(self):
        s, reader = self.storage_v2, self.storage_v2_grpc.TraceReaderStub(self.channel)
        written = otlp_service.ExportTraceServiceRequest()
        group = written.resource_spans.add()
        group.resource.attributes.add(key="service.name").value.string_value = "otel"
        now = time.time_ns()
        group.scope_spans.add().spans.add(trace_id=bytes(15) + b"\x99", span_id=bytes(7) + b"\x9a", name="exported",
                                          start_time_unix_nano=now - 5000, end_time_unix_nano=now)
        export = self.channel.unary_unary(
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=otlp_service.ExportTraceServiceResponse.FromString)
        export(written)
        ids = [bytes(15) + b"\x99", bytes(15) + b"\x01", bytes.fromhex(self.of_jaeger)]
        request = s.GetTracesRequest(query=[s.GetTraceParams(trace_id=id) for id in ids])
        same(self.names(reader.GetTraces(request)), 5, "storage.v2: traces")
        has(reader.GetServices(s.GetServicesRequest()).services, ["otel", "shop"], "storage.v2: services")
        same([one.name for one in reader.GetOperations(s.GetOperationsRequest(service="otel")).operations],
             ["exported"], "storage.v2: operations")
        parameters = s.TraceQueryParameters(service_name="shop", operation_name="GET /")
        parameters.attributes.add(key="n", value=b"\x18\x05")
        self.between(parameters)
        request = s.FindTracesRequest(query=parameters)
        same(self.names(reader.FindTraces(request)), 4, "storage.v2: found")
        same([one.trace_id.hex() for one in reader.FindTraceIDs(request).trace_ids], [self.of_jaeger],
             "storage.v2: ids")
        links = self.storage_v2_grpc.DependencyReaderStub(self.channel)
        links = links.GetDependencies(self.until(s.GetDependenciesRequest())).dependencies
        has([(link.parent, link.child) for link in links], [("shop", "cart")], "storage.v2: links")

    # -- Zipkin

    def check_zipkin(self):
        for prefix in ("", "/zipkin"):
            api = prefix + "/api/v2"
            has(self.get("zipkin", api + "/services"), ["page", "store"], "Zipkin: services")
            same(self.get("zipkin", api + "/spans?serviceName=page"), ["GET", "GET /"], "Zipkin: names")
            same(self.get("zipkin", api + "/remoteServices?serviceName=store"), ["store-db"], "Zipkin: remote")
        spans = {span["name"]: span for span in self.get("zipkin", "/api/v2/trace/" + self.of_zipkin)}
        root, failed = spans["GET /"], spans["get"]
        same((root["traceId"], root["kind"], root["localEndpoint"]["serviceName"]), (self.of_zipkin, "SERVER", "page"),
             "Zipkin: a span")
        same((root["tags"]["n"], root["tags"]["ok"]), ("5", "true"), "Zipkin: tags")
        same((failed["tags"]["error"], failed["parentId"]), ("no room", spans["GET"]["id"]), "Zipkin: a failure")
        same(spans["SELECT"]["remoteEndpoint"]["serviceName"], "store-db", "Zipkin: the other side")

        def found(**parameters):
            traces = self.get("zipkin", "/api/v2/traces?" + urllib.parse.urlencode(parameters))
            return [trace[0]["traceId"] for trace in traces]

        one = [self.of_zipkin]
        same(found(serviceName="page"), one, "Zipkin: by service")
        same(found(serviceName="page", spanName="get /"), [], "Zipkin: by another name")
        same(found(serviceName="page", annotationQuery="n=5 and ok"), one, "Zipkin: by tags")
        same(found(serviceName="store", annotationQuery="error"), one, "Zipkin: by failure")
        same(found(serviceName="store", annotationQuery="error=no room"), one, "Zipkin: by why it failed")
        same(found(serviceName="store", remoteServiceName="store-db", minDuration=1000), one, "Zipkin: by the other side")
        same(found(serviceName="page", endTs=1000), [], "Zipkin: by another time")
        both = self.get("zipkin", f"/api/v2/traceMany?traceIds={self.of_zipkin},{self.of_jaeger}")
        same([len(trace) for trace in both], [4, 4], "Zipkin: several")
        has(self.get("zipkin", "/api/v2/autocompleteKeys"), ["n", "ok"], "Zipkin: keys")
        same(self.get("zipkin", "/api/v2/autocompleteValues?key=n"), ["5"], "Zipkin: values")
        same(self.server.get("/api/v2/trace/abcd", port="zipkin")[0], 404, "Zipkin: no trace")
        same(self.get("zipkin", "/zipkin/config.json")["searchEnabled"], True, "Zipkin: what its page asks")


def stubs(folder):
    """Modules of the protos beside this file."""
    protos = sorted((HERE / "proto").glob("*.proto"))
    well_known = pathlib.Path(protoc.__file__).parent / "_proto"
    words = ["protoc", f"-I{HERE / 'proto'}", f"-I{well_known}", f"--python_out={folder}", f"--grpc_python_out={folder}"]
    if protoc.main([*words, *map(str, protos)]) != 0:
        raise RuntimeError("the protos cannot be compiled")
    sys.path.insert(0, str(folder))
    modules = {}
    for proto in protos:
        modules[proto.stem] = __import__(proto.stem + "_pb2")
        modules[proto.stem + "_grpc"] = __import__(proto.stem + "_pb2_grpc")
    return modules


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--spanloom", required=True)
    parser.add_argument("--result", required=True)
    arguments = parser.parse_args()
    passed, failed = 0, 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "stubs").mkdir()
        server = Server(arguments.spanloom, folder / "data", folder / "log")
        try:
            server.start()
            checks = Checks(server, stubs(folder / "stubs"))
            # Others write spans of their own, which the ones before do not expect.
            names = sorted(name for name in dir(Checks) if name.startswith("check_") and name != "check_spans")
            names.sort(key=lambda name: "storage" in name)
            for name in names:
                try:
                    getattr(checks, name)()
                    passed += 1
                    print(f"ok    {name.removeprefix('check_')}")
                except Exception as error:  # the others are run all the same
                    failed += 1
                    print(f"FAIL  {name.removeprefix('check_')}: {type(error).__name__}: {error}")
            same(server.stop(), 0, "exit code")
        except Exception as error:
            failed += 1
            print(f"FAIL  {type(error).__name__}: {error}")
        finally:
            if failed:
                server.print_log()
            server.kill()
    pathlib.Path(arguments.result).write_text(f"{passed} {failed}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
