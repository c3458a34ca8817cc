//! v1 JSON: a list of spans as `zipkin-api.yaml` has them.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::draft::{Draft, Sheet};
use super::endpoint::Endpoint;
use super::tags::Given;
use super::v1::Sides;
use super::{Micros, Options, json};
use crate::foreign::Foreign;
use crate::json_in::pull::Json;

/// Appends a list of spans; yields how many there were. At most `room` bytes are written.
pub fn v1_json(bytes: &[u8], options: &Options, room: usize, out: &mut Vec<u8>) -> Result<u64, Foreign> {
    let mut hosts = Hosts::default();
    json::spans(bytes, options, room, out, |json, sheet, draft| read_span(json, sheet, draft, &mut hosts))
}

/// The endpoint that was read last. v1 writes it with every annotation, most often in the same words.
#[derive(Default)]
struct Hosts<'a> {
    text: &'a str,
    last: Endpoint<'a>,
    none: Endpoint<'a>,
}

impl<'a> Hosts<'a> {
    /// Reads an endpoint.
    #[inline]
    fn read(&mut self, json: &mut Json<'a>) -> Result<(), Foreign> {
        if !json.repeats(self.text) {
            let from = json::place(json);
            self.last = json::endpoint(json)?;
            self.text = json.since(from);
        }
        Ok(())
    }

    /// The endpoint of an annotation, if it has one.
    fn of(&self, has_host: bool) -> &Endpoint<'a> {
        if has_host { &self.last } else { &self.none }
    }
}

fn read_span<'a>(
    json: &mut Json<'a>,
    sheet: &mut Sheet<'_>,
    draft: &mut Draft<'a>,
    hosts: &mut Hosts<'a>,
) -> Result<(), Foreign> {
    let mut sides = Sides::default();
    let mut members = json.object("a span")?;
    while let Some(key) = json.key(&mut members)? {
        match &*key {
            "traceId" => draft.trace_id = json::read_id(json)?,
            "id" => draft.span_id = json::read_id(json)?,
            "parentId" => draft.parent_id = json::read_id(json)?,
            "name" => draft.name = json::text(json, "a name")?.unwrap_or_default(),
            "timestamp" => draft.start = json::micros(json)?.and_then(Micros::or_absent),
            "duration" => draft.duration = json::duration(json)?,
            "debug" => draft.debug = json::flag(json)?,
            "annotations" => read_annotations(json, sheet, draft, &mut sides, hosts)?,
            "binaryAnnotations" => read_binary_annotations(json, sheet, draft, &mut sides, hosts)?,
            _ => json.skip()?,
        }
    }
    sides.end(sheet, draft);
    Ok(())
}

fn read_annotations<'a>(
    json: &mut Json<'a>,
    sheet: &mut Sheet<'_>,
    draft: &mut Draft<'a>,
    sides: &mut Sides<'a>,
    hosts: &mut Hosts<'a>,
) -> Result<(), Foreign> {
    if json.null()? {
        return Ok(());
    }
    let mut elements = json.list("a list of annotations")?;
    while json.element(&mut elements)? {
        let (mut at, mut value, mut has_host) = (Micros { nanos: 0 }, None, false);
        let mut members = json.object("an annotation")?;
        while let Some(key) = json.key(&mut members)? {
            match &*key {
                "timestamp" => at = json::micros(json)?.unwrap_or(at),
                "value" => value = json::text(json, "a value")?,
                "endpoint" => {
                    hosts.read(json)?;
                    has_host = true;
                }
                _ => json.skip()?,
            }
        }
        sides.annotation(sheet, draft, at, value.unwrap_or_default().as_bytes(), hosts.of(has_host));
    }
    Ok(())
}

fn read_binary_annotations<'a>(
    json: &mut Json<'a>,
    sheet: &mut Sheet<'_>,
    draft: &mut Draft<'a>,
    sides: &mut Sides<'a>,
    hosts: &mut Hosts<'a>,
) -> Result<(), Foreign> {
    if json.null()? {
        return Ok(());
    }
    let mut elements = json.list("a list of binary annotations")?;
    while json.element(&mut elements)? {
        let (mut name, mut value, mut kind, mut has_host) = (None, None, None, false);
        let mut members = json.object("a binary annotation")?;
        while let Some(key) = json.key(&mut members)? {
            match &*key {
                "key" => name = json::text(json, "a key")?,
                "value" => value = json::given(json)?,
                "type" => kind = json::text(json, "a type")?,
                "endpoint" => {
                    hosts.read(json)?;
                    has_host = true;
                }
                _ => json.skip()?,
            }
        }
        if let Some(value) = value {
            let value = as_kind(value, kind.as_deref());
            sides.binary_annotation(
                sheet,
                draft,
                name.unwrap_or_default().as_bytes(),
                value,
                hosts.of(has_host),
            );
        }
    }
    Ok(())
}

/// The value by its type, which the oldest senders give, as text where JSON's numbers do not reach.
fn as_kind<'a>(value: Given<'a>, kind: Option<&str>) -> Given<'a> {
    let Given::Text(text) = &value else { return value };
    let typed = match kind {
        Some("BOOL") => text.parse().ok().map(Given::Bool),
        Some("I16" | "I32" | "I64") => text.parse().ok().map(Given::Int),
        Some("DOUBLE") => text.parse().ok().map(Given::Double),
        Some("BYTES") => STANDARD.decode(&**text).ok().map(|bytes| Given::Bytes(Cow::Owned(bytes))),
        _ => None,
    };
    typed.unwrap_or(value)
}
