//! Endpoints: the network context of a span's two sides.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::foreign::otlp::span::ATTRIBUTES;
use crate::foreign::{Fault, Foreign, Scalar, put_attribute};

/// An endpoint; what is empty or zero is not known.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Endpoint<'a> {
    pub service: Cow<'a, str>,
    pub ipv4: Address<'a>,
    pub ipv6: Address<'a>,
    pub port: u16,
}

/// An address as it came; v1 repeats it with every annotation, so it is only made text when it is written.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Address<'a> {
    #[default]
    Unknown,
    Text(Cow<'a, str>),
    Ip(IpAddr),
}

impl<'a> Address<'a> {
    /// The bytes of an address.
    pub fn ip<const N: usize>(octets: Option<[u8; N]>) -> Self
    where
        IpAddr: From<[u8; N]>,
    {
        octets.map_or(Self::Unknown, |octets| Self::Ip(octets.into()))
    }

    /// A text, which nobody checks; an empty one is no address.
    pub fn text(text: Cow<'a, str>) -> Self {
        if text.is_empty() { Self::Unknown } else { Self::Text(text) }
    }

    fn is_known(&self) -> bool {
        *self != Self::Unknown
    }
}

/// An endpoint as v1 repeats it with every annotation: most often nothing of it is needed any more.
pub(super) trait Host<'a> {
    /// Whether it names a service.
    fn is_named(&self) -> bool;
    /// Whether nothing is known.
    fn is_empty(&self) -> bool;
    /// All of it.
    fn endpoint(&self) -> Endpoint<'a>;
}

impl<'a> Host<'a> for Endpoint<'a> {
    fn is_named(&self) -> bool {
        !self.service.is_empty()
    }

    fn is_empty(&self) -> bool {
        self.service.is_empty() && !self.ipv4.is_known() && !self.ipv6.is_known() && self.port == 0
    }

    fn endpoint(&self) -> Endpoint<'a> {
        self.clone()
    }
}

/// The attributes that an endpoint becomes, those of the OpenTelemetry Collector's Zipkin receiver: the address and
/// the port; and our names for what has no place there.
pub(super) struct Names {
    pub ip: &'static str,
    pub port: &'static str,
    pub other_ipv4: &'static str,
    pub other_ipv6: &'static str,
    pub other_port: &'static str,
}

/// For the side that recorded the span.
pub(super) const LOCAL: Names = Names {
    ip: "net.host.ip",
    port: "net.host.port",
    other_ipv4: "zipkin.localEndpoint.ipv4",
    other_ipv6: "zipkin.localEndpoint.ipv6",
    other_port: "zipkin.localEndpoint.port",
};

/// For the other side.
pub(super) const REMOTE: Names = Names {
    ip: "net.peer.ip",
    port: "net.peer.port",
    other_ipv4: "zipkin.remoteEndpoint.ipv4",
    other_ipv6: "zipkin.remoteEndpoint.ipv6",
    other_port: "zipkin.remoteEndpoint.port",
};

/// The other side's name; tags of that name go first, as OpenTelemetry's specification asks.
pub(super) const PEER_SERVICE: &str = "peer.service";
/// Where it goes when there is such a tag that says otherwise.
pub(super) const OTHER_PEER_SERVICE: &str = "zipkin.remoteEndpoint.serviceName";

impl<'a> Endpoint<'a> {
    /// Takes what is not known from another account of the same side.
    pub fn fill(&mut self, other: Self) {
        let Self { service, ipv4, ipv6, port } = other;
        if self.service.is_empty() {
            self.service = service;
        }
        for (mine, theirs) in [(&mut self.ipv4, ipv4), (&mut self.ipv6, ipv6)] {
            if !mine.is_known() {
                *mine = theirs;
            }
        }
        if self.port == 0 {
            self.port = port;
        }
    }

    /// Appends address and port as attributes of a span. `ip_given` and `port_given` say that tags of these names
    /// were there; they stay, and the endpoint's go by the other names.
    pub fn write(&self, out: &mut Vec<u8>, names: &Names, ip_given: bool, port_given: bool) {
        // With both addresses, the later one is the one that the Collector keeps.
        let ipv6_name = if ip_given { names.other_ipv6 } else { names.ip };
        let ipv4_name = if ip_given || self.ipv6.is_known() { names.other_ipv4 } else { names.ip };
        for (name, address) in [(ipv4_name, &self.ipv4), (ipv6_name, &self.ipv6)] {
            match address {
                Address::Unknown => {}
                Address::Text(text) => put_attribute(out, ATTRIBUTES, name, Scalar::Str(text)),
                Address::Ip(IpAddr::V4(ip)) => {
                    let mut text = [0; 15];
                    put_attribute(out, ATTRIBUTES, name, Scalar::Str(dotted(ip.octets(), &mut text)));
                }
                Address::Ip(ip) => put_attribute(out, ATTRIBUTES, name, Scalar::Str(&ip.to_string())),
            }
        }
        if self.port != 0 {
            let name = if port_given { names.other_port } else { names.port };
            put_attribute(out, ATTRIBUTES, name, Scalar::Int(self.port.into()));
        }
    }
}

/// An IPv4 address as text: nearly every span has one, and the general way to write a number is slow.
fn dotted(octets: [u8; 4], text: &mut [u8; 15]) -> &str {
    let mut length = 0;
    let mut push = |byte: u8| {
        text[length] = byte;
        length += 1;
    };
    for (place, octet) in octets.into_iter().enumerate() {
        if place > 0 {
            push(b'.');
        }
        if octet >= 100 {
            push(b'0' + octet / 100);
        }
        if octet >= 10 {
            push(b'0' + octet / 10 % 10);
        }
        push(b'0' + octet % 10);
    }
    // Digits and dots are UTF-8.
    std::str::from_utf8(&text[..length]).unwrap_or_default()
}

/// A port that came as a number.
pub(super) fn port(number: i64, at: usize) -> Result<u16, Foreign> {
    u16::try_from(number)
        .map_err(|_| Foreign::new(Fault::Malformed, at, format!("the port {number}"), "0 to 65535"))
}

/// The bytes of an address, as many as `N`; none is no address.
pub(super) fn octets<const N: usize>(bytes: &[u8], at: usize) -> Result<Option<[u8; N]>, Foreign> {
    match <[u8; N]>::try_from(bytes) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(_) if bytes.is_empty() => Ok(None),
        Err(_) => {
            let found = format!("an address of {} bytes", bytes.len());
            Err(Foreign::new(Fault::Malformed, at, found, format!("{N} bytes")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_is_written_as_a_number() {
        for octet in 0..=255u8 {
            let octets = [octet, 0, 255 - octet, 200];
            assert_eq!(dotted(octets, &mut [0; 15]), std::net::Ipv4Addr::from(octets).to_string());
        }
    }
}
