//! What is remembered between messages.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use proptest::prelude::*;
use prost::Message;
use spanloom_wire::Fault;
use spanloom_wire::opencensus::{MAX_REMEMBERED, Stream};

use crate::model::{Node, Request, Resource, Service, Span, expected};
use crate::vectors::{CLIENT_SPAN, EVERY_FIELD, SERVER_SPAN};
use crate::{any, translate};

fn node(name: &str) -> Option<Node> {
    Some(Node { service_info: Some(Service { name: name.to_owned() }), ..Default::default() })
}

fn resource(kind: &str) -> Option<Resource> {
    Some(Resource { kind: kind.to_owned(), ..Default::default() })
}

/// The service and the kind of resource of a message's spans.
fn seen(request: &ExportTraceServiceRequest) -> String {
    let attributes = &request.resource_spans[0].resource.as_ref().unwrap().attributes;
    let text = |key: &str| {
        let found = attributes.iter().find(|a| a.key == key).map(|a| format!("{:?}", a.value));
        found.map_or(String::new(), |text| text.split('"').nth(1).unwrap_or_default().to_owned())
    };
    format!("{} {}", text("service.name"), text("opencensus.resourcetype"))
}

#[test]
fn node_and_resource_hold_until_another_comes() {
    let mut stream = Stream::default();
    let mut send = |node: Option<Node>, resource: Option<Resource>| {
        let message = Request { node, resource, spans: vec![Span::default()] };
        seen(&translate(&mut stream, &message.encode_to_vec()).unwrap())
    };
    assert_eq!(send(None, None), " ");
    assert_eq!(send(node("a"), None), "a ");
    assert_eq!(send(None, None), "a ");
    assert_eq!(send(None, resource("r")), "a r");
    assert_eq!(send(node("b"), None), "b r");
    assert_eq!(send(None, resource("s")), "b s");
    assert_eq!(send(Some(Node::default()), None), " s");
    assert_eq!(send(None, Some(Resource::default())), " ");
}

#[test]
fn the_first_message_may_have_no_spans() {
    let mut stream = Stream::default();
    let first = Request { node: node("a"), resource: resource("r"), spans: Vec::new() };
    let mut out = vec![7];
    assert_eq!(stream.translate(&first.encode_to_vec(), 0, &mut out), Ok(0));
    assert_eq!(out, [7]);
    let second = Request { spans: vec![Span::default()], ..Default::default() };
    assert_eq!(seen(&translate(&mut stream, &second.encode_to_vec()).unwrap()), "a r");
}

#[test]
fn a_message_that_fails_changes_nothing() {
    let mut stream = Stream::default();
    let known = Request { node: node("a"), resource: resource("r"), spans: Vec::new() };
    translate(&mut stream, &known.encode_to_vec()).unwrap();
    let before = stream.clone();
    let message = Request { node: node("b"), resource: resource("s"), spans: vec![Span::default(); 3] };
    let bytes = message.encode_to_vec();
    let mut out = vec![7];
    for end in 0..bytes.len() {
        let mut copy = stream.clone();
        if copy.translate(&bytes[..end], 1 << 20, &mut out).is_err() {
            assert_eq!((&copy, &out[..]), (&before, &[7][..]), "cut at {end}");
        }
        out.truncate(1);
    }
}

#[test]
fn the_room_is_that_of_what_is_written() {
    for message in [CLIENT_SPAN, SERVER_SPAN, EVERY_FIELD] {
        let mut whole = Vec::new();
        Stream::default().translate(message, 1 << 20, &mut whole).unwrap();
        for room in 0..whole.len() + 3 {
            let (mut stream, mut out) = (Stream::default(), vec![7]);
            match stream.translate(message, room, &mut out) {
                Ok(_) => assert!(room >= whole.len() && out[1..] == whole, "{room}"),
                Err(error) => {
                    assert!(room < whole.len() && error.fault == Fault::Room, "{room}: {error}");
                    assert_eq!((stream, out), (Stream::default(), vec![7]));
                }
            }
        }
    }
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut stream = Stream::default();
    let check = |stream: &mut Stream, message: Request, fits: bool| {
        let found = stream.translate(&message.encode_to_vec(), 1 << 20, &mut Vec::new());
        match found {
            Ok(_) => assert!(fits),
            Err(error) => {
                assert_eq!((error.fault, fits), (Fault::Limit, false), "{error}");
                assert!(error.to_string().contains("expected at most 16384"), "{error}");
            }
        }
    };
    // A node of one short field has five bytes more than its name; a resource of one, three.
    let name = "n".repeat(MAX_REMEMBERED - 6);
    let named = |name: &str| Request { node: node(name), ..Default::default() };
    check(&mut stream, named(&name), true);
    assert!(stream.remembered() < 3 * MAX_REMEMBERED, "{}", stream.remembered());
    check(&mut stream, named(&format!("{name}n")), false);
    let kind = "r".repeat(MAX_REMEMBERED - 3);
    let typed = |kind: &str| Request { resource: resource(kind), ..Default::default() };
    check(&mut stream, typed(&kind), true);
    check(&mut stream, typed(&format!("{kind}r")), false);
    let own = |kind: &str| Request {
        spans: vec![Span { resource: resource(kind), ..Default::default() }],
        ..Default::default()
    };
    check(&mut stream, own(&kind), true);
    check(&mut stream, own(&format!("{kind}r")), false);
}

proptest! {
    /// Each message is translated as if it had the last node and the last resource itself.
    #[test]
    fn a_stream_is_its_last_node_and_resource(messages in proptest::collection::vec(any::request(), 1..5)) {
        let mut stream = Stream::default();
        let (mut node, mut resource) = (None, None);
        for message in messages {
            node = message.node.clone().or(node);
            resource = message.resource.clone().or(resource);
            let found = translate(&mut stream, &message.encode_to_vec()).unwrap();
            prop_assert_eq!(found, expected(node.as_ref(), resource.as_ref(), &message.spans));
        }
    }
}
