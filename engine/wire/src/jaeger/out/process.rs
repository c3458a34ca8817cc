//! A resource as a process.

use std::borrow::Cow;

use spanloom_span::model::{AnyValue, Resource};

use super::tag::{OutTag, TagValue, text_of};
use crate::jaeger::process::{NO_SERVICE_NAME, VERSION_PREFIX};

/// The service's name where a resource has none, as Jaeger and OpenTelemetry's exporters write it.
pub const NO_SERVICE: &str = NO_SERVICE_NAME;

/// A process as Jaeger has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Process<'a> {
    pub service: &'a str,
    pub tags: Vec<OutTag<'a>>,
}

impl<'a> Process<'a> {
    pub fn new(resource: &'a Resource) -> Self {
        let is_of_client = is_of_jaeger_client(resource);
        let has_hostname = resource.attributes.iter().any(|attribute| attribute.key == "hostname");
        let mut process = Self { service: NO_SERVICE, tags: Vec::with_capacity(resource.attributes.len()) };
        let mut is_named = false;
        for attribute in &resource.attributes {
            let mut tag = OutTag::from(attribute);
            match (attribute.key.as_str(), &attribute.value) {
                ("service.name", AnyValue::Str(name)) if !is_named && !name.is_empty() => {
                    (process.service, is_named) = (name, true);
                    continue;
                }
                ("host.name", _) if is_of_client && !has_hostname => tag.key = "hostname",
                ("opencensus.exporterversion", AnyValue::Str(version)) if is_of_client => {
                    tag.key = "jaeger.version";
                    let version = version.strip_prefix(VERSION_PREFIX).unwrap_or(version);
                    tag.value = TagValue::Str(Cow::Borrowed(version));
                }
                _ => {}
            }
            process.tags.push(tag);
        }
        process
    }
}

/// Whether the spans came from a client of Jaeger's own: those say their version, and what they say has other names
/// than OpenTelemetry's.
pub(super) fn is_of_jaeger_client(resource: &Resource) -> bool {
    let version = text_of(&resource.attributes, "opencensus.exporterversion");
    version.is_some_and(|version| version.starts_with(VERSION_PREFIX))
}
