//! A node and a resource into the attributes of one resource.
//!
//! What the node says of itself is stronger than its own attributes, and those are stronger than the resource's
//! labels: each key stands once.

use spanloom_span::proto::Value;

use super::fields::{identifier, library, node as from_node, resource as from_resource, service};
use super::read::Run;
use super::value::{string_entry, timestamp};
use crate::foreign::{Foreign, Scalar, otlp, put_attribute, text};
use crate::rfc3339;

/// `telemetry.sdk.language` by the number of a `LibraryInfo.Language`.
const LANGUAGES: [&str; 11] =
    ["", "cpp", "dotnet", "erlang", "go", "java", "nodejs", "php", "python", "ruby", "webjs"];

/// The key of OpenCensus that OpenTelemetry calls otherwise.
const ZONE: (&[u8], &str) = (b"cloud.zone", "cloud.availability_zone");

/// Attributes being written, and which keys there are so far.
struct Attributes<'o> {
    out: &'o mut Vec<u8>,
    /// Keys of those that the node says of itself: at most eight.
    own: Vec<&'static str>,
}

impl Attributes<'_> {
    fn own(&mut self, key: &'static str, value: Scalar<'_>) {
        put_attribute(self.out, otlp::resource::ATTRIBUTES, key, value);
        self.own.push(key);
    }

    fn own_text(&mut self, key: &'static str, value: &[u8]) {
        if !value.is_empty() {
            self.own(key, Scalar::Str(&text(value)));
        }
    }

    fn other(&mut self, key: &[u8], value: &[u8]) {
        if !self.own.iter().any(|own| own.as_bytes() == key) {
            put_attribute(self.out, otlp::resource::ATTRIBUTES, &text(key), Scalar::Str(&text(value)));
        }
    }
}

/// Appends the attributes of the resource that a node and a resource are together.
pub fn put_resource(run: Run<'_>, out: &mut Vec<u8>, node: &[u8], resource: &[u8]) -> Result<(), Foreign> {
    let mut to = Attributes { out, own: Vec::with_capacity(8) };
    let attributes = put_node(run, &mut to, node)?;
    let mut labels = Vec::new();
    let mut fields = run.fields("Resource", resource);
    while let Some(field) = fields.next()? {
        match field {
            (from_resource::TYPE, Value::Bytes(kind)) => to.own_text("opencensus.resourcetype", kind),
            (from_resource::LABELS, Value::Bytes(body)) => labels.push(string_entry(run, body)?),
            (number @ 1..=2, _) => return fields.wrong_type(number),
            _ => {}
        }
    }
    for (key, value) in &attributes {
        to.other(key, value);
    }
    let mut taken: Vec<&[u8]> = attributes.iter().map(|(key, _)| *key).collect();
    taken.sort_unstable();
    for (key, value) in labels {
        let key = if key == ZONE.0 { ZONE.1.as_bytes() } else { key };
        if taken.binary_search(&key).is_err() {
            to.other(key, value);
        }
    }
    Ok(())
}

/// A key and its text.
type Pair<'m> = (&'m [u8], &'m [u8]);

/// Writes what a node says of itself; yields its other attributes.
fn put_node<'m>(run: Run<'_>, to: &mut Attributes<'_>, body: &'m [u8]) -> Result<Vec<Pair<'m>>, Foreign> {
    let (mut attributes, mut parts) = (Vec::new(), [None; 4]);
    let mut fields = run.fields("Node", body);
    while let Some(field) = fields.next()? {
        match field {
            (from_node::ATTRIBUTES, Value::Bytes(body)) => attributes.push(string_entry(run, body)?),
            (number @ 1..=3, Value::Bytes(body)) => {
                fields.once(&mut parts[number as usize], body, "a part of a node")?;
            }
            (number @ 1..=4, _) => return fields.wrong_type(number),
            _ => {}
        }
    }
    let part = |number: u32| parts[number as usize].unwrap_or_default();
    put_service(run, to, part(from_node::SERVICE_INFO))?;
    put_identifier(run, to, part(from_node::IDENTIFIER))?;
    put_library(run, to, part(from_node::LIBRARY_INFO))?;
    Ok(attributes)
}

fn put_service(run: Run<'_>, to: &mut Attributes<'_>, body: &[u8]) -> Result<(), Foreign> {
    let mut name: &[u8] = &[];
    let mut fields = run.fields("ServiceInfo", body);
    while let Some(field) = fields.next()? {
        match field {
            (service::NAME, Value::Bytes(text)) => name = text,
            (service::NAME, _) => return fields.wrong_type(service::NAME),
            _ => {}
        }
    }
    to.own_text("service.name", name);
    Ok(())
}

fn put_identifier(run: Run<'_>, to: &mut Attributes<'_>, body: &[u8]) -> Result<(), Foreign> {
    let (mut host, mut pid, mut start): (&[u8], u32, _) = (&[], 0, None);
    let mut fields = run.fields("ProcessIdentifier", body);
    while let Some(field) = fields.next()? {
        match field {
            (identifier::HOST_NAME, Value::Bytes(text)) => host = text,
            (identifier::PID, Value::Varint(v)) => pid = v as u32,
            (identifier::START_TIMESTAMP, Value::Bytes(body)) => {
                fields.once(&mut start, body, "a start timestamp")?;
            }
            (number @ 1..=3, _) => return fields.wrong_type(number),
            _ => {}
        }
    }
    to.own_text("host.name", host);
    if pid != 0 {
        to.own("process.pid", Scalar::Int(pid.into()));
    }
    if let Some(body) = start {
        let (seconds, nanos) = timestamp(run, body)?;
        to.own_text("opencensus.starttime", rfc3339::format(seconds, nanos).unwrap_or_default().as_bytes());
    }
    Ok(())
}

fn put_library(run: Run<'_>, to: &mut Attributes<'_>, body: &[u8]) -> Result<(), Foreign> {
    let (mut language, mut exporter, mut core): (u64, &[u8], &[u8]) = (0, &[], &[]);
    let mut fields = run.fields("LibraryInfo", body);
    while let Some(field) = fields.next()? {
        match field {
            (library::LANGUAGE, Value::Varint(v)) => language = v,
            (library::EXPORTER_VERSION, Value::Bytes(text)) => exporter = text,
            (library::CORE_LIBRARY_VERSION, Value::Bytes(text)) => core = text,
            (number @ 1..=3, _) => return fields.wrong_type(number),
            _ => {}
        }
    }
    let language = usize::try_from(language).ok().and_then(|number| LANGUAGES.get(number)).unwrap_or(&"");
    to.own_text("telemetry.sdk.language", language.as_bytes());
    to.own_text("telemetry.sdk.version", core);
    to.own_text("opencensus.exporterversion", exporter);
    Ok(())
}
