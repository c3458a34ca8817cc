//! What real clients sent (`tests/golden/jaeger`, whose README says how), and what it becomes.

use std::path::Path;

use spanloom_wire::thrift::Protocol;

use crate::{Form, ROOM, render, translate};

/// Compares with the text beside the file; `SPANLOOM_WRITE_GOLDEN=1` writes that anew.
#[track_caller]
fn check(name: &str, form: Form) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/jaeger");
    let bytes = std::fs::read(dir.join(name)).unwrap();
    let found = render::request(&translate(form, &bytes, ROOM).unwrap());
    let path = dir.join(format!("{name}.txt"));
    if std::env::var_os("SPANLOOM_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert!(found == expected, "{name} became\n{found}\nexpected\n{expected}");
    // Of a protobuf message nothing is left when it is cut to nothing, and that is an empty one.
    for cut in usize::from(form == Form::PostSpans)..bytes.len() {
        translate(form, &bytes[..cut], ROOM).expect_err("a message cut short is refused");
    }
}

#[test]
fn jaeger_client_for_python() {
    for ids in ["64", "128"] {
        check(&format!("jaeger-client-{ids}.datagram.compact"), Form::Datagram(Protocol::Compact));
        check(&format!("jaeger-client-{ids}.datagram.binary"), Form::Datagram(Protocol::Binary));
        check(&format!("jaeger-client-{ids}.batch.binary"), Form::Batch(Protocol::Binary));
    }
}

#[test]
fn jaeger_client_for_node() {
    check("jaeger-client-node.datagram.binary", Form::Datagram(Protocol::Binary));
    check("jaeger-client-node.batch.binary", Form::Batch(Protocol::Binary));
}

#[test]
fn opentelemetry_exporters_for_python() {
    check("opentelemetry.datagram.compact", Form::Datagram(Protocol::Compact));
    check("opentelemetry.batch.binary", Form::Batch(Protocol::Binary));
    check("opentelemetry.post_spans.protobuf", Form::PostSpans);
}
