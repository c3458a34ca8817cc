//! A process as a resource: its service's name, its tags, and two of them under the names that OpenTelemetry
//! has.

use crate::foreign::otlp::resource::ATTRIBUTES;
use crate::foreign::{Scalar, put_attribute, text};

use super::tag::Tag;

/// The service's name that OpenTelemetry's exporters send when there is none.
pub(super) const NO_SERVICE_NAME: &str = "OTLPResourceNoServiceName";

/// What begins the version of the sender, since the attribute's key does not say whose it is.
pub(super) const VERSION_PREFIX: &str = "Jaeger-";

/// A process while it is read.
#[derive(Debug, Default)]
pub struct Process<'a> {
    /// The name of the service.
    pub service: &'a [u8],
    attributes: Vec<u8>,
    /// What `service.name` says, `hostname` and `jaeger.version`: what becomes of them depends on the others.
    service_name: Option<Tag<'a>>,
    hostname: Option<Tag<'a>>,
    version: Option<Tag<'a>>,
    has_host_name: bool,
    has_exporter_version: bool,
}

impl<'a> Process<'a> {
    /// Takes a tag.
    pub fn tag(&mut self, tag: Tag<'a>) {
        let held = match tag.key {
            b"service.name" => &mut self.service_name,
            b"hostname" => &mut self.hostname,
            b"jaeger.version" if tag.str().is_some() => &mut self.version,
            key => {
                self.has_host_name |= key == b"host.name";
                self.has_exporter_version |= key == b"opencensus.exporterversion";
                tag.put(&mut self.attributes, ATTRIBUTES);
                return;
            }
        };
        if let Some(earlier) = held.replace(tag) {
            earlier.put(&mut self.attributes, ATTRIBUTES);
        }
    }

    /// The body of the resource.
    pub fn resource(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.attributes.len() + 64);
        match self.service_name {
            _ if !self.service.is_empty() && self.service != NO_SERVICE_NAME.as_bytes() => {
                put_attribute(&mut out, ATTRIBUTES, "service.name", Scalar::Str(&text(self.service)));
            }
            Some(tag) => tag.put(&mut out, ATTRIBUTES),
            None => {}
        }
        out.extend_from_slice(&self.attributes);
        if let Some(tag) = self.hostname {
            let key = if self.has_host_name { "hostname" } else { "host.name" };
            tag.put_as(key, &mut out, ATTRIBUTES);
        }
        match self.version {
            Some(tag) if self.has_exporter_version => tag.put(&mut out, ATTRIBUTES),
            Some(tag) => {
                let version = format!("{VERSION_PREFIX}{}", text(tag.str().unwrap_or_default()));
                put_attribute(&mut out, ATTRIBUTES, "opencensus.exporterversion", Scalar::Str(&version));
            }
            None => {}
        }
        out
    }
}
