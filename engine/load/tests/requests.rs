//! The generated requests, checked against prost's decoding of them.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::collections::{HashMap, HashSet};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use spanloom_load::sample::{Sample, Sampler};
use spanloom_load::{Generator, GeneratorOptions, Profile, Request};
use spanloom_span::slice::{SliceLimits, slice};

fn requests(profile: Profile, seed: u64, spans: u64) -> Vec<Request> {
    let options = GeneratorOptions { max_spans: Some(spans), ..GeneratorOptions::new(profile, seed) };
    Generator::with(options, Sampler::none()).collect()
}

fn decode(request: &Request) -> ResourceSpans {
    let mut message = ExportTraceServiceRequest::decode(request.bytes.clone()).unwrap();
    assert_eq!(message.encode_to_vec(), request.bytes, "the encoding is canonical");
    assert_eq!(message.resource_spans.len(), 1);
    message.resource_spans.remove(0)
}

fn spans(resource: ResourceSpans) -> Vec<Span> {
    resource.scope_spans.into_iter().flat_map(|scope: ScopeSpans| scope.spans).collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let bytes =
        |seed| -> Vec<_> { requests(Profile::Default, seed, 30_000).into_iter().map(|r| r.bytes).collect() };
    assert_eq!(bytes(1), bytes(1));
    assert_ne!(bytes(1), bytes(2));
}

#[test]
fn a_profile_has_the_size_of_its_name() {
    for profile in [Profile::Small, Profile::Default, Profile::Large] {
        let requests = requests(profile, 7, 200_000);
        let bytes: usize = requests.iter().map(|r| r.bytes.len()).sum();
        let count: usize = requests.iter().map(|r| r.spans.len()).sum();
        let found = bytes as f64 / count as f64;
        println!("{profile:?}: {found:.1} B/span, {} spans/request", count / requests.len());
        let expected = profile.bytes_per_span();
        assert!((found / expected - 1.0).abs() < 0.03, "{profile:?}: {found} B/span, expected {expected}");
        assert!((150..500).contains(&(count / requests.len())), "{} spans a request", count / requests.len());
    }
}

#[test]
fn traces_are_whole_and_realistic() {
    let requests = requests(Profile::Default, 3, 150_000);
    let mut traces: HashMap<Vec<u8>, Vec<Span>> = HashMap::new();
    let mut requests_of: HashMap<Vec<u8>, HashSet<u64>> = HashMap::new();
    let mut ids = HashSet::new();
    let (mut errors, mut total, mut links, mut attributes) = (0, 0, 0, (usize::MAX, 0));
    for (place, request) in requests.iter().enumerate() {
        assert_eq!(request.number, place as u64);
        let decoded = decode(request);
        let resource = decoded.resource.as_ref().unwrap().attributes.len();
        let spans = spans(decoded);
        let listed: Vec<_> = request.spans.iter().map(|(t, s)| (t.0.to_vec(), s.0.to_vec())).collect();
        assert_eq!(spans.iter().map(|s| (s.trace_id.clone(), s.span_id.clone())).collect::<Vec<_>>(), listed);
        for span in spans {
            assert!(span.span_id.len() == 8 && span.span_id != [0; 8] && ids.insert(span.span_id.clone()));
            assert!(span.trace_id.len() == 16 && span.trace_id != [0; 16]);
            assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
            let failed = span.status.as_ref().is_some_and(|s| s.code == 2);
            assert_eq!(failed, span.events.iter().any(|e| e.name == "exception"));
            total += 1;
            errors += usize::from(failed);
            links += span.links.len();
            let count = span.attributes.len() + resource;
            attributes = (attributes.0.min(count), attributes.1.max(count));
            let keys: HashSet<_> = span.attributes.iter().map(|a| &a.key).collect();
            assert_eq!(keys.len(), span.attributes.len(), "a key twice in {}", span.name);
            requests_of.entry(span.trace_id.clone()).or_default().insert(request.number);
            traces.entry(span.trace_id.clone()).or_default().push(span);
        }
    }
    for spans in traces.values() {
        let ids: HashSet<_> = spans.iter().map(|s| &s.span_id).collect();
        assert_eq!(spans.iter().filter(|s| s.parent_span_id.is_empty()).count(), 1, "one root");
        assert!(spans.iter().all(|s| s.parent_span_id.is_empty() || ids.contains(&s.parent_span_id)));
    }
    let mean = total as f64 / traces.len() as f64;
    let largest = traces.values().map(Vec::len).max().unwrap();
    let single = traces.values().filter(|t| t.len() == 1).count() as f64 / traces.len() as f64;
    let spread = requests_of.values().filter(|r| r.len() > 1).count() as f64 / traces.len() as f64;
    let error_share = errors as f64 / total as f64;
    println!(
        "mean {mean:.1} largest {largest} single {single:.2} errors {error_share:.4} links {links} spread {spread:.2} attributes {attributes:?}"
    );
    assert!((13.0..17.0).contains(&mean), "{mean}");
    assert!((300..=1_500).contains(&largest), "{largest}");
    assert!((0.15..0.5).contains(&single), "{single}");
    assert!((0.015..0.025).contains(&error_share), "{error_share}");
    assert!(links > 100 && spread > 0.5, "{links} {spread}");
    assert!(attributes.0 >= 12, "{attributes:?}");
}

#[test]
fn the_walk_takes_every_request() {
    for profile in [Profile::Small, Profile::Default, Profile::Large] {
        for request in requests(profile, 5, 20_000) {
            let batch = slice(request.bytes.clone(), &SliceLimits::default()).unwrap();
            let traces: HashSet<_> = request.spans.iter().map(|(trace, _)| *trace).collect();
            assert_eq!((batch.spans().len(), batch.groups().len()), (request.spans.len(), traces.len()));
            assert_eq!(batch.resources().len(), 1);
        }
    }
}

#[test]
fn the_sample_is_bounded_and_whole() {
    let (mut sample, sampler) = Sample::new(50);
    let options = GeneratorOptions { max_spans: Some(60_000), ..GeneratorOptions::new(Profile::Small, 9) };
    for request in Generator::with(options, sampler) {
        let acknowledged = request.number != 3;
        sample.add(request.parts, acknowledged);
    }
    let traces = sample.finish();
    assert_eq!(traces.len(), 50);
    let ids: HashSet<_> = traces.iter().map(|t| t.trace).collect();
    assert_eq!(ids.len(), 50);
}
