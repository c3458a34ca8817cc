//! Bodies that real clients sent (`golden/README.md`), and what becomes of them.

use std::fmt::Write;
use std::path::Path;

use super::*;

/// A request as lines of text.
fn render(request: &ExportTraceServiceRequest) -> String {
    let mut out = String::new();
    for resource in &request.resource_spans {
        writeln!(out, "resource {}", lines(&resource.resource.as_ref().unwrap().attributes).join(" "))
            .unwrap();
        for scope in &resource.scope_spans {
            if let Some(scope) = &scope.scope {
                writeln!(out, " scope {} {}", scope.name, scope.version).unwrap();
            }
            for span in &scope.spans {
                let [trace, id, parent] =
                    [&span.trace_id, &span.span_id, &span.parent_span_id].map(|id| super::model::hex(id));
                writeln!(out, "  span {trace} {id} parent {parent}").unwrap();
                writeln!(out, "   name {}, kind {}, flags {}", span.name, span.kind, span.flags).unwrap();
                writeln!(out, "   from {} to {}", span.start_time_unix_nano, span.end_time_unix_nano)
                    .unwrap();
                if let Some(status) = &span.status {
                    writeln!(out, "   status {} {}", status.code, status.message).unwrap();
                }
                if span.dropped_attributes_count > 0 {
                    writeln!(out, "   dropped attributes {}", span.dropped_attributes_count).unwrap();
                }
                for line in lines(&span.attributes) {
                    writeln!(out, "   {line}").unwrap();
                }
                for line in events(span) {
                    writeln!(out, "   event {line}").unwrap();
                }
            }
        }
    }
    out
}

fn check(name: &str, with: Translate) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/zipkin/golden");
    let body = std::fs::read(dir.join(name)).unwrap();
    let found = render(&translate(with, &body, &Options::default()));
    let expected = std::fs::read_to_string(dir.join(format!("{name}.txt"))).unwrap_or_default();
    assert!(found == expected, "{name} becomes\n{found}");
}

#[test]
fn what_clients_send_becomes_what_they_meant() {
    check("py-zipkin.v1.json", zipkin::v1_json);
    check("py-zipkin.v1.thrift", zipkin::v1_thrift);
    check("py-zipkin.v2.json", zipkin::v2_json);
    check("py-zipkin.v2.proto", zipkin::v2_proto);
    check("opentelemetry-python.v1.json", zipkin::v1_json);
    check("opentelemetry-python.v2.json", zipkin::v2_json);
    check("opentelemetry-python.v2.proto", zipkin::v2_proto);
    check("zipkin-js.v1.json", zipkin::v1_json);
    check("zipkin-js.v2.json", zipkin::v2_json);
}
