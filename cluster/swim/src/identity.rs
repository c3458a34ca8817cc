//! Who a node is: its name, which life of it this is, and where it listens.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;

use crate::wire::{Reader, name_of, put_text, put_u48};
use crate::{Error, NodeName};

/// Generations are times in 48 bits.
const GENERATION_END: u64 = 1 << 48;

/// One life of a node. Of two with the same name the later generation counts, then the later renewal; the other one
/// is over. It is in every datagram and every update, so it is short: 16 bytes and the name with IPv4, 28 with IPv6.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// None: whoever listens at the address.
    name: Option<NodeName>,
    generation: u64,
    renewal: u16,
    address: SocketAddr,
}

impl Identity {
    /// A node that starts: its name, the start's time in milliseconds since 1970 (so that a restart has a later one),
    /// and the UDP address at which the others reach it.
    pub fn new(name: NodeName, generation_ms: u64, address: SocketAddr) -> Result<Self, Error> {
        if generation_ms >= GENERATION_END {
            return Err(Error::Malformed("a generation exceeds 48 bits"));
        }
        let address = checked(address)?;
        Ok(Self { name: Some(name), generation: generation_ms, renewal: 0, address })
    }

    /// Whoever listens at `address`: to ask for being let in.
    pub(crate) fn whoever(address: SocketAddr) -> Self {
        Self { name: None, generation: 0, renewal: 0, address }
    }

    /// The name, which outlives the process.
    pub fn name(&self) -> &NodeName {
        self.name.as_ref().unwrap_or(&WHOEVER)
    }

    /// Whether it has this name; whoever listens at an address may have any, and counts as not having it.
    pub(crate) fn is_named(&self, name: &NodeName) -> bool {
        self.name.as_ref() == Some(name)
    }

    /// When the process started, in milliseconds since 1970; later than that when its clock was found to be behind
    /// that of its former life.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// How often it was declared down although it lived, and came back.
    pub fn renewal(&self) -> u16 {
        self.renewal
    }

    /// Where it listens for gossip.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether this one counts where both have the same name. Total: the address decides between equal times.
    pub(crate) fn outranks(&self, other: &Self) -> bool {
        let rank = |one: &Self| (one.generation, one.renewal, one.address);
        rank(self) > rank(other)
    }

    /// The same process once more, after it was declared down. `None` at the end of time.
    pub(crate) fn renewed(&self) -> Option<Self> {
        match self.renewal.checked_add(1) {
            Some(renewal) => Some(Self { renewal, ..self.clone() }),
            None => self.after(self.generation),
        }
    }

    /// The same process with a generation later than `generation`. `None` at the end of time.
    pub(crate) fn after(&self, generation: u64) -> Option<Self> {
        let generation = generation.max(self.generation) + 1;
        (generation < GENERATION_END).then(|| Self { generation, renewal: 0, ..self.clone() })
    }

    /// Appends its bytes: `docs/formats/gossip.md`, "Identity".
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        put_text(out, self.name.as_ref().map_or("", NodeName::as_str));
        put_u48(out, self.generation);
        out.extend_from_slice(&self.renewal.to_le_bytes());
        match self.address.ip() {
            IpAddr::V4(ip) => {
                out.push(4);
                out.extend_from_slice(&ip.octets());
            }
            IpAddr::V6(ip) => {
                out.push(6);
                out.extend_from_slice(&ip.octets());
            }
        }
        out.extend_from_slice(&self.address.port().to_le_bytes());
    }

    /// Reads one that has a name.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let identity = Self::read_any(reader)?;
        if identity.name.is_none() { Err(Error::Malformed("a node without a name")) } else { Ok(identity) }
    }

    /// Reads one that may be whoever listens at the address.
    pub(crate) fn read_any(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let name = match reader.text()? {
            "" => None,
            name => Some(name_of(name)?),
        };
        let generation = reader.u48()?;
        let renewal = reader.u16()?;
        let ip = match reader.u8()? {
            4 => IpAddr::from(reader.array::<4>()?),
            6 => IpAddr::from(reader.array::<16>()?),
            _ => return Err(Error::Malformed("an address that is neither IPv4 nor IPv6")),
        };
        let sent = SocketAddr::new(ip, reader.u16()?);
        let address = checked(sent)?;
        if address != sent {
            return Err(Error::Malformed("an IPv4 address written as IPv6"));
        }
        Ok(Self { name, generation, renewal, address })
    }
}

/// What whoever listens at an address is called where a name must be said: only their addresses tell them apart.
#[expect(clippy::expect_used, reason = "it is a name")]
static WHOEVER: LazyLock<NodeName> = LazyLock::new(|| NodeName::new("whoever").expect("a name"));

/// An address that a datagram can be sent to, in its one form.
fn checked(address: SocketAddr) -> Result<SocketAddr, Error> {
    let ip = address.ip().to_canonical();
    if ip.is_unspecified() || ip.is_multicast() || address.port() == 0 {
        return Err(Error::Address(address.to_string()));
    }
    Ok(SocketAddr::new(ip, address.port()))
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{} (generation {}.{})", self.name(), self.address, self.generation, self.renewal)
    }
}

/// What foca takes two lives of one node by: the name. Whoever is everybody, and appears only as the receiver of an
/// announcement, so that a seed answers whatever it is called and by whichever of its addresses it was reached.
#[derive(Clone)]
pub struct NameKey(Option<NodeName>);

impl PartialEq for NameKey {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.0.is_none() || other.0.is_none()
    }
}

impl foca::Identity for Identity {
    type Addr = NameKey;

    fn renew(&self) -> Option<Self> {
        self.renewed()
    }

    fn addr(&self) -> NameKey {
        NameKey(self.name.clone())
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        self.outranks(adversary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn identity(name: &str, generation: u64, address: &str) -> Identity {
        Identity::new(NodeName::new(name).unwrap(), generation, address.parse().unwrap()).unwrap()
    }

    #[test]
    fn bytes_never_change() {
        let mut out = Vec::new();
        identity("ingest-0", 1_790_000_000_000, "10.0.0.7:7946").write(&mut out);
        let expected = [
            &b"\x08ingest-0"[..],
            &1_790_000_000_000_u64.to_le_bytes()[..6],
            &[0, 0],
            &[4, 10, 0, 0, 7],
            &[0x0a, 0x1f],
        ];
        assert_eq!(out, expected.concat());
        assert_eq!(out.len(), 8 + 16);
    }

    #[test]
    fn addresses_can_be_sent_to() {
        let check = |address: &str, good: bool| {
            let made = Identity::new(NodeName::new("a").unwrap(), 1, address.parse().unwrap());
            assert_eq!(made.is_ok(), good, "{address}");
        };
        check("10.0.0.1:7946", true);
        check("[2001:db8::1]:7946", true);
        check("0.0.0.0:7946", false);
        check("[::]:7946", false);
        check("10.0.0.1:0", false);
        check("224.0.0.1:7946", false);
        assert_eq!(identity("a", 1, "[::ffff:10.0.0.1]:1").address(), "10.0.0.1:1".parse().unwrap());
    }

    #[test]
    fn later_lives_outrank_earlier_ones() {
        let first = identity("a", 5, "10.0.0.1:1");
        let renewed = first.renewed().unwrap();
        let later = identity("a", 6, "10.0.0.1:1");
        assert!(renewed.outranks(&first) && later.outranks(&renewed) && !first.outranks(&first));
        let elsewhere = identity("a", 5, "10.0.0.2:1");
        assert!(elsewhere.outranks(&first) && !first.outranks(&elsewhere));
        let worn = Identity { renewal: u16::MAX, ..first.clone() };
        assert!(worn.renewed().unwrap().outranks(&worn));
        let last = Identity { generation: GENERATION_END - 1, renewal: u16::MAX, ..first };
        assert_eq!(last.renewed(), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_written_back_the_same(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut reader = Reader(&bytes);
            if let Ok(identity) = Identity::read(&mut reader) {
                let mut out = Vec::new();
                identity.write(&mut out);
                prop_assert_eq!(&out[..], &bytes[..bytes.len() - reader.0.len()]);
            }
        }
    }
}
