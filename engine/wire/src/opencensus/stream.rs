//! What is remembered of a stream; a message into `ResourceSpans`.

use spanloom_span::proto::Value;

use super::fields::request;
use super::json;
use super::read::{Fields, Run};
use super::resource::put_resource;
use super::span::{Parts, put_span};
use crate::foreign::{Fault, Foreign, otlp, put_resource_spans, try_message, whole};
use crate::json_in;

/// Most bytes of a node, and of a resource, that a stream remembers. Usual ones take some hundreds.
pub const MAX_REMEMBERED: usize = 16 << 10;

/// One stream of `TraceService/Export`: the node and the resource that its last messages had.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stream {
    node: Vec<u8>,
    resource: Vec<u8>,
    /// What both are as attributes of OTLP.
    attributes: Vec<u8>,
}

/// A message, as far as it is the same for all its spans.
#[derive(Default)]
struct Request<'m> {
    node: Option<&'m [u8]>,
    resource: Option<&'m [u8]>,
}

impl Stream {
    /// Appends a message's spans, at most `room` bytes of them, and yields how many there are. A message without
    /// spans is right, too: the first of a stream often has none.
    pub fn translate(&mut self, message: &[u8], room: usize, out: &mut Vec<u8>) -> Result<u64, Foreign> {
        let run = Run::new(message, out, room);
        let request = Request::read(run, message)?;
        let node = request.node.unwrap_or(&self.node);
        let mut changed = None;
        if request.node.is_some() || request.resource.is_some() {
            let attributes = changed.insert(Vec::new());
            put_resource(run, attributes, node, request.resource.unwrap_or(&self.resource))?;
        }
        let attributes = changed.as_deref().unwrap_or(&self.attributes);
        let spans = whole(out, |out| {
            let spans = put_spans(run, out, message, node, attributes)?;
            // Once more, as the lengths of what lies around the spans came last.
            run.check_room(out, message)?;
            Ok(spans)
        })?;
        if let Some(attributes) = changed {
            self.remember(request, attributes);
        }
        Ok(spans)
    }

    /// The same of a body of `POST /v1/trace`: messages as JSON, one after the other. When one of them fails, none
    /// of the body is taken. Positions in errors count from the first byte of the text; those of faults that the
    /// protobuf form of a message would have, too, from the first byte of that.
    pub fn translate_json(&mut self, body: &[u8], room: usize, out: &mut Vec<u8>) -> Result<u64, Foreign> {
        let before = out.len();
        let (mut stream, mut spans) = (self.clone(), 0);
        whole(out, |out| {
            json_in::each(body, &json::REQUEST, |message| {
                let left = room.saturating_sub(out.len() - before);
                spans += stream.translate(message, left, out)?;
                Ok(())
            })
        })?;
        *self = stream;
        Ok(spans)
    }

    /// Bytes that are remembered.
    pub fn remembered(&self) -> usize {
        self.node.len() + self.resource.len() + self.attributes.len()
    }

    fn remember(&mut self, request: Request<'_>, attributes: Vec<u8>) {
        if let Some(node) = request.node {
            self.node = node.to_vec();
        }
        if let Some(resource) = request.resource {
            self.resource = resource.to_vec();
        }
        self.attributes = attributes;
    }
}

impl<'m> Request<'m> {
    fn read(run: Run<'_>, message: &'m [u8]) -> Result<Self, Foreign> {
        let mut found = Request::default();
        let mut fields = run.fields("the request", message);
        while let Some(field) = fields.next()? {
            match field {
                (request::NODE, Value::Bytes(body)) => {
                    fields.once(&mut found.node, body, "a node")?;
                    check_length(run, body, "a node")?;
                }
                (request::RESOURCE, Value::Bytes(body)) => {
                    fields.once(&mut found.resource, body, "a resource")?;
                    check_length(run, body, "a resource")?;
                }
                (request::SPANS, Value::Bytes(_)) => {}
                (number @ 1..=3, _) => return fields.wrong_type(number),
                _ => {}
            }
        }
        Ok(found)
    }
}

fn check_length(run: Run<'_>, body: &[u8], what: &'static str) -> Result<(), Foreign> {
    if body.len() <= MAX_REMEMBERED {
        return Ok(());
    }
    let found = format!("{what} of {} bytes", body.len());
    Err(Foreign::new(Fault::Limit, run.at(body), found, format!("at most {MAX_REMEMBERED}")))
}

/// Writes the spans of a message: those of the stream's resource together, then those that have one of their own,
/// together as long as it is the same.
fn put_spans(
    run: Run<'_>,
    out: &mut Vec<u8>,
    message: &[u8],
    node: &[u8],
    attributes: &[u8],
) -> Result<u64, Foreign> {
    let before = out.len();
    let (mut usual, mut apart) = (0, 0);
    put_resource_spans(
        out,
        |out| out.extend_from_slice(attributes),
        |out| {
            let mut spans = Spans::new(run, message);
            while let Some((body, parts)) = spans.next()? {
                if parts.resource().is_some() {
                    apart += 1;
                } else {
                    put_one(run, out, body, &parts)?;
                    usual += 1;
                }
            }
            Ok(())
        },
    )?;
    if usual == 0 {
        out.truncate(before);
    }
    if apart > 0 {
        put_apart(run, out, message, node)?;
    }
    Ok(usual + apart)
}

/// Writes the spans that have a resource of their own. Nothing is kept of them meanwhile, however many there are.
fn put_apart(run: Run<'_>, out: &mut Vec<u8>, message: &[u8], node: &[u8]) -> Result<(), Foreign> {
    let mut spans = Spans::new(run, message);
    let mut attributes = Vec::new();
    let mut next = spans.next_apart()?;
    while let Some((resource, first)) = next {
        check_length(run, resource, "a resource")?;
        attributes.clear();
        put_resource(run, &mut attributes, node, resource)?;
        next = put_resource_spans(
            out,
            |out| out.extend_from_slice(&attributes),
            |out| {
                let mut parts = first;
                loop {
                    put_one(run, out, resource, &parts)?;
                    match spans.next_apart()? {
                        Some((found, next)) if found == resource => parts = next,
                        other => return Ok(other),
                    }
                }
            },
        )?;
    }
    Ok(())
}

fn put_one(run: Run<'_>, out: &mut Vec<u8>, place: &[u8], parts: &Parts<'_>) -> Result<(), Foreign> {
    try_message(out, otlp::scope_spans::SPANS, |out| put_span(run, out, parts))?;
    run.check_room(out, place)
}

/// Reads span after span of a message.
struct Spans<'m, 'a> {
    run: Run<'a>,
    fields: Fields<'m, 'a>,
}

impl<'m, 'a> Spans<'m, 'a> {
    fn new(run: Run<'a>, message: &'m [u8]) -> Self {
        Self { run, fields: run.fields("the request", message) }
    }

    /// The next span: its bytes, and where its fields lie in them.
    fn next(&mut self) -> Result<Option<(&'m [u8], Parts<'m>)>, Foreign> {
        while let Some(field) = self.fields.next()? {
            if let (request::SPANS, Value::Bytes(body)) = field {
                return Ok(Some((body, Parts::read(self.run, body)?)));
            }
        }
        Ok(None)
    }

    /// The next span that has a resource of its own, with that.
    fn next_apart(&mut self) -> Result<Option<(&'m [u8], Parts<'m>)>, Foreign> {
        while let Some((_, parts)) = self.next()? {
            if let Some(resource) = parts.resource() {
                return Ok(Some((resource, parts)));
            }
        }
        Ok(None)
    }
}
