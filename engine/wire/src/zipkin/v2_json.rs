//! v2 JSON: a list of spans as `zipkin2-api.yaml` has them.

use super::draft::{Draft, Sheet};
use super::{Micros, Options, json, shown};
use crate::foreign::otlp::kind;
use crate::foreign::{Fault, Foreign};
use crate::json_in::pull::Json;

/// Appends a list of spans; yields how many there were. At most `room` bytes are written.
pub fn v2_json(bytes: &[u8], options: &Options, room: usize, out: &mut Vec<u8>) -> Result<u64, Foreign> {
    json::spans(bytes, options, room, out, read_span)
}

fn read_span<'a>(json: &mut Json<'a>, sheet: &mut Sheet<'_>, draft: &mut Draft<'a>) -> Result<(), Foreign> {
    let mut members = json.object("a span")?;
    while let Some(key) = json.key(&mut members)? {
        match &*key {
            "traceId" => draft.trace_id = json::read_id(json)?,
            "id" => draft.span_id = json::read_id(json)?,
            "parentId" => draft.parent_id = json::read_id(json)?,
            "name" => draft.name = json::text(json, "a name")?.unwrap_or_default(),
            "kind" => draft.kind = read_kind(json)?,
            "timestamp" => draft.start = json::micros(json)?.and_then(Micros::or_absent),
            "duration" => draft.duration = json::duration(json)?,
            "localEndpoint" => draft.local = json::endpoint(json)?,
            "remoteEndpoint" => draft.remote = json::endpoint(json)?,
            "annotations" => read_annotations(json, sheet, draft)?,
            "tags" => read_tags(json, sheet, draft)?,
            "debug" => draft.debug = json::flag(json)?,
            "shared" => draft.shared = json::flag(json)?,
            _ => json.skip()?,
        }
    }
    Ok(())
}

fn read_kind(json: &mut Json<'_>) -> Result<u64, Foreign> {
    let at = json::place(json);
    let Some(text) = json::text(json, "a kind")? else { return Ok(0) };
    Ok(match &*text {
        "CLIENT" => kind::CLIENT,
        "SERVER" => kind::SERVER,
        "PRODUCER" => kind::PRODUCER,
        "CONSUMER" => kind::CONSUMER,
        // Protobuf's JSON has the last.
        "" | "SPAN_KIND_UNSPECIFIED" => 0,
        _ => {
            let found = format!("the kind {:?}", shown(&text));
            let expected = "CLIENT, SERVER, PRODUCER or CONSUMER";
            return Err(Foreign::new(Fault::Malformed, at, found, expected));
        }
    })
}

fn read_annotations<'a>(
    json: &mut Json<'a>,
    sheet: &mut Sheet<'_>,
    draft: &mut Draft<'a>,
) -> Result<(), Foreign> {
    if json.null()? {
        return Ok(());
    }
    let mut elements = json.list("a list of annotations")?;
    while json.element(&mut elements)? {
        let (mut at, mut value) = (Micros { nanos: 0 }, None);
        let mut members = json.object("an annotation")?;
        while let Some(key) = json.key(&mut members)? {
            match &*key {
                "timestamp" => at = json::micros(json)?.unwrap_or(at),
                "value" => value = json::text(json, "a value")?,
                _ => json.skip()?,
            }
        }
        draft.annotation(sheet, at, value.unwrap_or_default().as_bytes());
    }
    Ok(())
}

fn read_tags<'a>(json: &mut Json<'a>, sheet: &mut Sheet<'_>, draft: &mut Draft<'a>) -> Result<(), Foreign> {
    if json.null()? {
        return Ok(());
    }
    let mut members = json.object("tags")?;
    while let Some(key) = json.key(&mut members)? {
        if let Some(value) = json::given(json)? {
            draft.tag(sheet, key.as_bytes(), value);
        }
    }
    Ok(())
}
