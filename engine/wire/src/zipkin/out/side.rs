//! The two sides of a span, from the attributes that endpoints became: the reverse of `endpoint.rs`.

use std::net::IpAddr;

use spanloom_span::model::{AnyValue, KeyValue};

use crate::json_out::{Object, integer};
use crate::zipkin::endpoint::{LOCAL, Names, OTHER_PEER_SERVICE, PEER_SERVICE, REMOTE};

/// Both sides.
pub(super) struct Sides<'a> {
    pub local: Side<'a>,
    pub remote: Side<'a>,
}

/// One side; what is empty or zero is not known.
#[derive(Default)]
pub(super) struct Side<'a> {
    service: &'a str,
    ipv4: &'a str,
    ipv6: &'a str,
    port: u16,
    /// Attributes that it was made of.
    taken: Vec<&'static str>,
}

impl<'a> Sides<'a> {
    /// The sides that a span's attributes tell.
    pub fn of(attributes: &'a [KeyValue]) -> Self {
        let (local, mut remote) = (Side::of(&LOCAL, attributes), Side::of(&REMOTE, attributes));
        for key in [OTHER_PEER_SERVICE, PEER_SERVICE] {
            if remote.service.is_empty()
                && let Some(name) = text(attributes, key)
            {
                remote.service = name;
                remote.taken.push(key);
            }
        }
        Self { local, remote }
    }

    /// Whether an attribute of that key is one of a side's.
    pub fn has_taken(&self, key: &str) -> bool {
        self.local.taken.contains(&key) || self.remote.taken.contains(&key)
    }
}

impl<'a> Side<'a> {
    fn of(names: &Names, attributes: &'a [KeyValue]) -> Self {
        let mut side = Self::default();
        if let Some(ip) = text(attributes, names.other_ipv6) {
            (side.ipv6, _) = (ip, side.taken.push(names.other_ipv6));
        }
        if let Some(ip) = text(attributes, names.other_ipv4) {
            (side.ipv4, _) = (ip, side.taken.push(names.other_ipv4));
        }
        // Beside addresses of other names it was a tag of the sender's, unless both addresses were there.
        if let Some(ip) = text(attributes, names.ip) {
            match ip.parse() {
                Ok(IpAddr::V6(_)) if side.ipv6.is_empty() => {
                    (side.ipv6, _) = (ip, side.taken.push(names.ip));
                }
                Ok(IpAddr::V4(_)) if side.ipv6.is_empty() && side.ipv4.is_empty() => {
                    (side.ipv4, _) = (ip, side.taken.push(names.ip));
                }
                _ => {}
            }
        }
        for key in [names.other_port, names.port] {
            if side.port == 0
                && let Some(port) = port(attributes, key)
            {
                (side.port, _) = (port, side.taken.push(key));
            }
        }
        side
    }

    /// Writes the endpoint, unless nothing is known of it.
    pub fn put(&self, o: &mut Object<'_>, name: &str, service: &str) {
        let service = if service.is_empty() { self.service } else { service };
        let is_empty = self.ipv4.is_empty() && self.ipv6.is_empty() && self.port == 0;
        if service.is_empty() && is_empty {
            return;
        }
        o.object(name, |o| {
            o.text("serviceName", service);
            o.text("ipv4", self.ipv4);
            o.text("ipv6", self.ipv6);
            if self.port != 0 {
                integer(o.key("port"), self.port);
            }
        });
    }
}

fn first<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a AnyValue> {
    attributes.iter().find(|attribute| attribute.key == key).map(|attribute| &attribute.value)
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    match first(attributes, key)? {
        AnyValue::Str(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

fn port(attributes: &[KeyValue], key: &str) -> Option<u16> {
    match first(attributes, key)? {
        AnyValue::Int(port) => u16::try_from(*port).ok().filter(|port| *port != 0),
        _ => None,
    }
}
