//! The seeds of the fuzz targets of this crate as ordinary tests.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test answers by panicking

#[path = "../../fuzz/corpus.rs"]
mod corpus;
#[path = "fuzz/inflate.rs"]
mod inflate;
#[path = "fuzz/jaeger.rs"]
mod jaeger;
#[path = "jaeger/model.rs"]
mod jaeger_model;
#[path = "fuzz/jaeger_proto.rs"]
mod jaeger_proto;
#[path = "fuzz/jaeger_seeds.rs"]
mod jaeger_seeds;
#[path = "fuzz/jaeger_thrift.rs"]
mod jaeger_thrift;
#[path = "fuzz/opencensus_json.rs"]
mod opencensus_json;
#[path = "fuzz/opencensus_proto.rs"]
mod opencensus_proto;
#[path = "fuzz/otlp_json.rs"]
mod otlp_json;
#[path = "fuzz/zipkin_binary.rs"]
mod zipkin_binary;
#[path = "fuzz/zipkin_json.rs"]
mod zipkin_json;
#[path = "zipkin/model.rs"]
mod zipkin_model;
#[path = "fuzz/zipkin_seeds.rs"]
mod zipkin_seeds;

const REQUEST: &str = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},
"scopeSpans":[{"scope":{"name":"tracer","version":"1"},"spans":[{"traceId":"5B8EFFF798038103D269B633813FC60C",
"spanId":"EEE19B7EC3C1B174","parentSpanId":"","name":"GET /","kind":"SPAN_KIND_SERVER","flags":257,
"startTimeUnixNano":"1544712660000000000","endTimeUnixNano":1544712661000000000,"traceState":"a=b",
"attributes":[{"key":"i","value":{"intValue":"-5"}},{"key":"d","value":{"doubleValue":"NaN"}},
{"key":"b","value":{"boolValue":false}},{"key":"y","value":{"bytesValue":"+/8="}},
{"key":"a","value":{"arrayValue":{"values":[{},{"stringValue":"\u00e9\ud83d\ude00"}]}}},
{"key":"m","value":{"kvlistValue":{"values":[{"key":"k","value":{"intValue":1e3}}]}}}],
"events":[{"timeUnixNano":1,"name":"e"}],"links":[{"traceId":"5B8EFFF798038103D269B633813FC60D","spanId":"EEE19B7EC3C1B175"}],
"status":{"code":2,"message":"bad"},"later":[{"x":null}]}],"schemaUrl":"s"}]}]}"#;

#[test]
fn otlp_json_holds_for_every_seed() {
    let nested = |levels: usize| {
        let open = r#"{"kvlistValue":{"values":[{"key":"k","value":"#.repeat(levels);
        let value = format!("{open}{{}}{}", "}]}}".repeat(levels));
        format!(r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"a","value":{value}}}]}}}}]}}"#)
    };
    let seeds = [
        ("empty", Vec::new()),
        ("nothing", b"{}".to_vec()),
        ("every-field", REQUEST.into()),
        ("snake-case", br#"{"resource_spans":[{"scope_spans":[{"spans":[{"trace_id":"01"}]}]}]}"#.to_vec()),
        ("of-2020", br#"{"resourceSpans":[{"instrumentationLibrarySpans":[{"spans":[{}]}]}]}"#.to_vec()),
        ("deep", nested(60).into()),
        ("too-deep", nested(70).into()),
        ("bad-utf8", b"{\"resourceSpans\":[{\"schemaUrl\":\"\xff\"}]}".to_vec()),
        ("cut", REQUEST.as_bytes()[..500].to_vec()),
    ];
    corpus::check("otlp_json", &seeds, otlp_json::holds);
}

#[test]
fn inflate_holds_for_every_seed() {
    let hex = |how: u8, text: &str| {
        let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        let mut out = vec![how];
        out.extend(digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()));
        out
    };
    // "hello" in each encoding, written down so that another version of a library changes nothing.
    let seeds = [
        ("empty", Vec::new()),
        ("identity", b"\0hello".to_vec()),
        ("gzip", hex(1, "1f8b08000000000000ffcb48cdc9c9070086a6103605000000")),
        ("zlib", hex(2, "789ccb48cdc9c90700062c0215")),
        ("deflate", hex(2, "cb48cdc9c90700")),
        ("zstd", hex(3, "28b52ffd200529000068656c6c6f")),
        ("zstd-large-claim", hex(3, "28b52ffde00000000000000010010000")),
        ("snappy", hex(4, "051068656c6c6f")),
        ("snappy-large-claim", hex(4, "ffffffff0f00")),
        ("snappy-framed", hex(5, "ff060000734e6150705901090000bb1f1c1968656c6c6f")),
    ];
    corpus::check("inflate", &seeds, inflate::holds);
}

const CLIENT: &[u8] = include_bytes!("opencensus/vectors/client-1.bin");
const CLIENT_JSON: &[u8] = include_bytes!("opencensus/vectors/client-1.json");
const EVERY_FIELD: &[u8] = include_bytes!("opencensus/vectors/every-field.bin");
const EVERY_FIELD_JSON: &[u8] = include_bytes!("opencensus/vectors/every-field.json");

#[test]
fn opencensus_proto_holds_for_every_seed() {
    let seed = |cut: u8, messages: &[&[u8]]| [&[cut], &messages.concat()[..]].concat();
    let events: &[u8] = &[0x12, 14, 0x4a, 12, 0x0a, 2, 0x1a, 0, 0x0a, 2, 0x12, 0, 0x0a, 2, 0x0a, 0];
    let attributes: &[u8] = &[0x12, 12, 0x3a, 10, 0x0a, 8, 0x0a, 1, 0xff, 0x12, 3, 0x10, 0xc8, 1];
    let seeds = [
        ("empty", Vec::new()),
        ("every-field", seed(255, &[EVERY_FIELD])),
        ("client", seed(255, &[CLIENT])),
        // The first message is cut off right where the second begins: 465 of 1134 bytes.
        ("two-messages", seed(105, &[CLIENT, EVERY_FIELD])),
        ("node-then-spans", seed(63, &[&[0x0a, 4, 0x1a, 2, 0x0a, 0], events, &[0x12, 0]])),
        ("events", seed(255, &[events])),
        ("bad-utf8", seed(255, &[attributes])),
        ("own-resources", seed(255, &[&[0x12, 3, 0x82, 1, 0, 0x12, 0, 0x12, 5, 0x82, 1, 2, 0x0a, 0]])),
        ("cut", seed(255, &[&EVERY_FIELD[..300]])),
        ("large-claim", seed(255, &[&[0x12, 0xff, 0xff, 0xff, 0xff, 7]])),
    ];
    corpus::check("opencensus_proto", &seeds, opencensus_proto::holds);
}

#[test]
fn opencensus_json_holds_for_every_seed() {
    let small = br#"{"node":{"attributes":{"a":"b"}}} {"spans":[{"name":{"value":"\u00e9\ud83d\ude00"},"kind":"CLIENT",
"startTime":"2026-08-01T12:00:00.5+01:00","attributes":{"attributeMap":{"d":{"doubleValue":"NaN"},"i":{"intValue":1e3}}},
"sameProcessAsParentSpan":null,"x":[{"y":[]}]}]}"#;
    let seeds = [
        ("empty", Vec::new()),
        ("nothing", b"{}".to_vec()),
        ("every-field", EVERY_FIELD_JSON.to_vec()),
        ("client", CLIENT_JSON.to_vec()),
        ("client-snake", include_bytes!("opencensus/vectors/client-1-snake.json").to_vec()),
        ("two-messages", small.to_vec()),
        ("bad-utf8", b"{\"node\":{\"serviceInfo\":{\"name\":\"\xff\"}}}".to_vec()),
        ("cut", EVERY_FIELD_JSON[..900].to_vec()),
    ];
    corpus::check("opencensus_json", &seeds, opencensus_json::holds);
}

#[test]
fn jaeger_thrift_holds_for_every_seed() {
    corpus::check("jaeger_thrift", &jaeger_seeds::thrift(), jaeger_thrift::holds);
}

#[test]
fn jaeger_proto_holds_for_every_seed() {
    corpus::check("jaeger_proto", &jaeger_seeds::protobuf(), jaeger_proto::holds);
}

#[test]
fn zipkin_json_holds_for_every_seed() {
    corpus::check("zipkin_json", &zipkin_seeds::json(), zipkin_json::holds);
}

#[test]
fn zipkin_binary_holds_for_every_seed() {
    corpus::check("zipkin_binary", &zipkin_seeds::binary(), zipkin_binary::holds);
}
