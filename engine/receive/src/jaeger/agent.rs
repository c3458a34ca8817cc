//! Datagrams as a Jaeger agent takes them: `Agent.emitBatch` in compact (6831) and binary Thrift (6832), and
//! `emitZipkinBatch`, as the oldest clients send it (5775).

use spanloom_wire::{Foreign, jaeger, thrift};

/// Which of an agent's ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentPort {
    /// 6831.
    Compact,
    /// 6832.
    Binary,
    /// 5775.
    ZipkinCompact,
}

impl AgentPort {
    /// The protocol as it is counted.
    pub fn protocol(self) -> &'static str {
        match self {
            Self::Compact => "jaeger_compact",
            Self::Binary => "jaeger_binary",
            Self::ZipkinCompact => "zipkin_compact",
        }
    }
}

/// Translates the datagrams of a port. Either method is taken on each: clients differ in what they send where.
pub fn translate(
    port: AgentPort,
) -> impl Fn(&[u8], usize, &mut Vec<u8>) -> Result<u64, Foreign> + Send + Sync {
    let protocol = match port {
        AgentPort::Compact | AgentPort::ZipkinCompact => thrift::Protocol::Compact,
        AgentPort::Binary => thrift::Protocol::Binary,
    };
    move |datagram, room, out| jaeger::datagram(protocol, datagram, room, out)
}
