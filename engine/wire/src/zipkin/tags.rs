//! What a tag says: most are attributes of their span, some stand for a field that OTLP has and Zipkin lacks.

use std::borrow::Cow;

use crate::foreign::{Scalar, put_attribute_keyed, put_text_attribute, text};

/// The value of a tag. Zipkin v2 knows text only; v1 and lenient senders know more.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Given<'a> {
    Text(Cow<'a, str>),
    /// Text that nobody has checked to be UTF-8.
    Raw(&'a [u8]),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(Cow<'a, [u8]>),
}

impl<'a> Given<'a> {
    /// The same without unchecked text.
    #[inline]
    pub fn checked(self) -> Self {
        match self {
            Given::Raw(bytes) => Given::Text(text(bytes)),
            checked => checked,
        }
    }

    /// Appends it as an attribute, whose key is known to be UTF-8. With `typed`, text that is a number or a bool
    /// becomes one.
    #[inline]
    pub fn write(&self, out: &mut Vec<u8>, field: u32, key: &[u8], typed: bool) {
        let value = match self {
            Given::Text(text) if typed => typed_text(text),
            Given::Text(text) => Scalar::Str(text),
            Given::Raw(bytes) if typed => {
                return put_attribute_keyed(out, field, key, typed_text(&text(bytes)));
            }
            Given::Raw(bytes) => return put_text_attribute(out, field, key, bytes),
            Given::Bool(value) => Scalar::Bool(*value),
            Given::Int(value) => Scalar::Int(*value),
            Given::Double(value) => Scalar::Double(*value),
            Given::Bytes(bytes) => Scalar::Bytes(bytes),
        };
        put_attribute_keyed(out, field, key, value);
    }
}

/// Text as the number or bool that it spells: `-?digits`, `-?digits.digits`, `true`, `false`, as the OpenTelemetry
/// Collector reads them. What could not be told again from the number stays text: leading zeros, more than 64 bits.
fn typed_text(text: &str) -> Scalar<'_> {
    match text {
        "true" => return Scalar::Bool(true),
        "false" => return Scalar::Bool(false),
        _ => {}
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_padded = whole.len() > 1 && whole.starts_with('0') || text == "-0";
    if !all_digits(whole) || is_padded {
        return Scalar::Str(text);
    }
    let typed = match fraction {
        None => text.parse().ok().map(Scalar::Int),
        Some(fraction) if all_digits(fraction) => text.parse().ok().map(Scalar::Double),
        Some(_) => None,
    };
    typed.unwrap_or(Scalar::Str(text))
}

/// What a key stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// An attribute of the span.
    Attribute,
    /// An attribute of the resource, which exporters put among the tags.
    Resource,
    /// A tag whose meaning shows when the whole span is known.
    Later(Later),
    /// An attribute that takes the name of one of the endpoints'.
    Network(Network),
    /// `otlp.link.N`.
    Link,
}

/// Tags that wait for the end of the span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Later {
    Error,
    StatusCode,
    StatusDescription,
    SpanKind,
    TraceState,
    ScopeName,
    ScopeVersion,
    LibraryName,
    LibraryVersion,
    DroppedAttributes,
    DroppedEvents,
    DroppedLinks,
    ServiceName,
    ServiceNameSource,
    PeerService,
}

/// How many there are.
pub(super) const LATER: usize = Later::PeerService as usize + 1;

impl Later {
    /// The key to write when it turns out to be an attribute after all.
    pub const KEYS: [&'static str; LATER] = [
        "error",
        "otel.status_code",
        "otel.status_description",
        "span.kind",
        "w3c.tracestate",
        "otel.scope.name",
        "otel.scope.version",
        "otel.library.name",
        "otel.library.version",
        "otel.dropped_attributes_count",
        "otel.dropped_events_count",
        "otel.dropped_links_count",
        "service.name",
        "otlp.service.name.source",
        "peer.service",
    ];
}

/// Attributes of endpoints that a tag may give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    HostIp = 1,
    HostPort = 2,
    PeerIp = 4,
    PeerPort = 8,
}

/// What a tag with that key stands for.
#[inline]
pub(super) fn meaning(key: &[u8]) -> Meaning {
    // Most keys begin with another word (http, db, rpc), and are known not to be special by their first letters.
    match key {
        [b'o', b't', ..] => exporters(&text(key)),
        [b'e', b'r', ..] if key == b"error" => Meaning::Later(Later::Error),
        [b's', b'p', ..] if key == b"span.kind" => Meaning::Later(Later::SpanKind),
        [b'w', b'3', ..] if key == b"w3c.tracestate" => Meaning::Later(Later::TraceState),
        [b'p', b'e', ..] if key == b"peer.service" => Meaning::Later(Later::PeerService),
        [b's', b'e', ..] if key == b"service.name" => Meaning::Later(Later::ServiceName),
        [b'n', b'e', ..] => match key {
            b"net.host.ip" => Meaning::Network(Network::HostIp),
            b"net.host.port" => Meaning::Network(Network::HostPort),
            b"net.peer.ip" => Meaning::Network(Network::PeerIp),
            b"net.peer.port" => Meaning::Network(Network::PeerPort),
            _ => Meaning::Attribute,
        },
        // The first letters of the namespaces of resources; `http` and `db` go on differently.
        [b'a', b'w', ..]
        | [b'c', b'l' | b'o', ..]
        | [b'd', b'e', ..]
        | [b'f', b'a', ..]
        | [b'h', b'o', ..]
        | [b'k', b'8', ..]
        | [b'o', b's', ..]
        | [b'p', b'r', ..]
        | [b's', b'e', ..]
        | [b't', b'e', ..]
        | [b'w', b'e', ..]
            if is_of_resource(&text(key)) =>
        {
            Meaning::Resource
        }
        _ => Meaning::Attribute,
    }
}

/// Keys that OpenTelemetry's exporters write.
fn exporters(key: &str) -> Meaning {
    if let Some(number) = key.strip_prefix("otlp.link.") {
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        return if is_number { Meaning::Link } else { Meaning::Attribute };
    }
    Meaning::Later(match key {
        "otel.status_code" => Later::StatusCode,
        "otel.status_description" => Later::StatusDescription,
        "otel.scope.name" => Later::ScopeName,
        "otel.scope.version" => Later::ScopeVersion,
        "otel.library.name" => Later::LibraryName,
        "otel.library.version" => Later::LibraryVersion,
        "otel.dropped_attributes_count" => Later::DroppedAttributes,
        "otel.dropped_events_count" => Later::DroppedEvents,
        "otel.dropped_links_count" => Later::DroppedLinks,
        "otlp.service.name.source" => Later::ServiceNameSource,
        _ => return Meaning::Attribute,
    })
}

/// Whether OpenTelemetry's semantic conventions have the key for resources: the list of the Collector's Zipkin
/// receiver (conventions 1.6.1), and what SDKs' resources hold since.
fn is_of_resource(key: &str) -> bool {
    let Some((namespace, name)) = key.split_once('.') else { return false };
    match namespace {
        "aws" => is_of_aws(name),
        "cloud" => matches!(
            name,
            "provider" | "account.id" | "region" | "availability_zone" | "platform" | "resource_id"
        ),
        "container" => matches!(name, "name" | "id" | "runtime" | "image.name" | "image.tag"),
        "deployment" => matches!(name, "environment" | "environment.name"),
        "device" => matches!(name, "id" | "model.identifier" | "model.name" | "manufacturer"),
        "faas" => matches!(name, "name" | "id" | "version" | "instance" | "max_memory"),
        "host" => {
            matches!(name, "id" | "name" | "type" | "arch" | "image.name" | "image.id" | "image.version")
        }
        "k8s" => matches!(
            name,
            "cluster.name"
                | "node.name"
                | "node.uid"
                | "namespace.name"
                | "pod.uid"
                | "pod.name"
                | "container.name"
                | "container.restart_count"
                | "replicaset.uid"
                | "replicaset.name"
                | "deployment.uid"
                | "deployment.name"
                | "statefulset.uid"
                | "statefulset.name"
                | "daemonset.uid"
                | "daemonset.name"
                | "job.uid"
                | "job.name"
                | "cronjob.uid"
                | "cronjob.name"
        ),
        "os" => matches!(name, "type" | "description" | "name" | "version"),
        "process" => matches!(
            name,
            "pid"
                | "parent_pid"
                | "executable.name"
                | "executable.path"
                | "command"
                | "command_line"
                | "command_args"
                | "owner"
                | "runtime.name"
                | "runtime.version"
                | "runtime.description"
        ),
        "service" => matches!(name, "namespace" | "instance.id" | "version"),
        "telemetry" => matches!(
            name,
            "sdk.name" | "sdk.language" | "sdk.version" | "auto.version" | "distro.name" | "distro.version"
        ),
        "webengine" => matches!(name, "name" | "version" | "description"),
        _ => false,
    }
}

/// Whether the rest of an `aws.` key is one for resources.
fn is_of_aws(name: &str) -> bool {
    let (group, name) = name.split_once('.').unwrap_or_default();
    match group {
        "ecs" => matches!(
            name,
            "container.arn" | "cluster.arn" | "launchtype" | "task.arn" | "task.family" | "task.revision"
        ),
        "eks" => name == "cluster.arn",
        "log" => matches!(name, "group.names" | "group.arns" | "stream.names" | "stream.arns"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_by_their_names() {
        for (place, key) in Later::KEYS.into_iter().enumerate() {
            let Meaning::Later(later) = meaning(key.as_bytes()) else { panic!("{key}") };
            assert_eq!(later as usize, place, "{key}");
        }
        let check = |key: &str, expected: Meaning| assert_eq!(meaning(key.as_bytes()), expected, "{key}");
        for key in [
            "telemetry.sdk.name",
            "host.name",
            "k8s.pod.name",
            "process.pid",
            "aws.ecs.task.arn",
            "service.instance.id",
            "os.type",
            "faas.name",
            "webengine.name",
            "deployment.environment",
            "cloud.region",
            "container.id",
            "device.id",
        ] {
            check(key, Meaning::Resource);
        }
        for key in [
            "",
            "o",
            "http.method",
            "host",
            "host.port",
            "process",
            "service.peer.name",
            "faas.trigger",
            "otel",
            "otel.x",
            "otlp.link.",
            "otlp.link.x",
            "errors",
            "aws.x",
            "aws.log",
            "net.peer.name",
            "ü",
        ] {
            check(key, Meaning::Attribute);
        }
        check("otlp.link.12", Meaning::Link);
        check("net.peer.port", Meaning::Network(Network::PeerPort));
    }

    #[test]
    fn text_is_typed_when_it_can_be_told_again() {
        let check = |text: &str, expected: Scalar<'_>| assert_eq!(typed_text(text), expected, "{text}");
        check("true", Scalar::Bool(true));
        check("false", Scalar::Bool(false));
        check("0", Scalar::Int(0));
        check("-12", Scalar::Int(-12));
        check("9223372036854775807", Scalar::Int(i64::MAX));
        check("1.50", Scalar::Double(1.5));
        check("-0.5", Scalar::Double(-0.5));
        for text in [
            "",
            "-",
            ".",
            "1.",
            ".5",
            "1e3",
            "+1",
            "007",
            "-0",
            "00.5",
            "9223372036854775808",
            "True",
            "1 ",
            "٣",
            "1.2.3",
            "--1",
            "NaN",
        ] {
            check(text, Scalar::Str(text));
        }
    }
}
