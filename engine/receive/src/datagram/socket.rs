//! The socket of a port for datagrams: a large buffer in the kernel, batches out of it by one system call, and
//! what the kernel had to drop.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;

use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSocketState};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// No datagram is longer.
const MAX_DATAGRAM: usize = 65_535;

/// A port for datagrams.
pub struct DatagramSocket {
    socket: UdpSocket,
    state: UdpSocketState,
    address: SocketAddr,
    buffer_bytes: usize,
}

impl DatagramSocket {
    /// Opens a port whose buffer in the kernel has `buffer_bytes`, or as much as the kernel gives.
    pub fn bind(address: SocketAddr, buffer_bytes: usize) -> io::Result<Self> {
        let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::DGRAM, None)?;
        // Beyond net.core.rmem_max only with CAP_NET_ADMIN; otherwise the kernel gives what it allows.
        if rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, buffer_bytes).is_err() {
            socket.set_recv_buffer_size(buffer_bytes)?;
        }
        // The kernel doubles what is asked for, for its own bookkeeping, and tells the doubled size.
        let buffer_bytes = socket.recv_buffer_size()? / 2;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        let state = UdpSocketState::new((&socket).into())?;
        let address = socket.local_addr()?;
        Ok(Self { socket, state, address, buffer_bytes })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bytes that the kernel keeps for it.
    pub fn buffer_bytes(&self) -> usize {
        self.buffer_bytes
    }

    /// Waits for datagrams, and takes those that are there, up to a batch.
    pub(super) async fn receive(&self, batch: &mut Batch) -> io::Result<()> {
        self.socket.async_io(Interest::READABLE, || batch.fill(&self.state, &self.socket)).await
    }

    /// Takes the datagrams that are there, up to a batch; whether there were any. The socket itself is asked, not
    /// what the runtime last heard of it: at the end nothing that came may be left behind.
    pub(super) fn receive_now(&self, batch: &mut Batch) -> bool {
        batch.fill(&self.state, &self.socket).is_ok()
    }

    /// Datagrams that the kernel has dropped on this port since it was opened; `None` where it does not tell.
    pub(super) fn kernel_drops(&self) -> Option<u64> {
        let table = if self.address.is_ipv4() { "/proc/self/net/udp" } else { "/proc/self/net/udp6" };
        kernel_drops(&std::fs::read_to_string(table).ok()?, self.address.port())
    }
}

/// Reads the kernel's table of sockets: the second column is `ADDRESS:PORT` in hex, the last the drops.
pub(super) fn kernel_drops(table: &str, port: u16) -> Option<u64> {
    let of_line = |line: &str| {
        let mut columns = line.split_ascii_whitespace();
        let (_, local_port) = columns.nth(1)?.rsplit_once(':')?;
        let drops = columns.next_back()?.parse::<u64>().ok()?;
        (u16::from_str_radix(local_port, 16).ok()? == port).then_some(drops)
    };
    let found: Vec<u64> = table.lines().skip(1).filter_map(of_line).collect();
    (!found.is_empty()).then(|| found.iter().sum())
}

/// Buffers for a batch of datagrams. Pages that no datagram reached take no memory.
pub(super) struct Batch {
    buffers: Vec<u8>,
    metas: [RecvMeta; BATCH_SIZE],
    received: usize,
}

impl Batch {
    pub fn new() -> Self {
        Self {
            buffers: vec![0; MAX_DATAGRAM * BATCH_SIZE],
            metas: [RecvMeta::default(); BATCH_SIZE],
            received: 0,
        }
    }

    fn fill(&mut self, state: &UdpSocketState, socket: &UdpSocket) -> io::Result<()> {
        self.received = 0;
        let mut chunks = self.buffers.chunks_exact_mut(MAX_DATAGRAM);
        let mut slices: [IoSliceMut<'_>; BATCH_SIZE] =
            std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
        self.received = state.recv(socket.into(), &mut slices, &mut self.metas)?;
        Ok(())
    }

    /// The datagrams received last. The kernel may have joined some of equal length.
    pub fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        let filled = self.buffers.chunks_exact(MAX_DATAGRAM).zip(&self.metas).take(self.received);
        filled.flat_map(|(buffer, meta)| {
            let bytes = &buffer[..meta.len.min(MAX_DATAGRAM)];
            // An empty datagram is one too.
            let empty = bytes.is_empty().then_some(bytes);
            empty.into_iter().chain(bytes.chunks(meta.stride.max(1)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_drops_are_read() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops             
 1180: 0100007F:1AAF 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 29339 2 0000000000000000 17        
 1181: 0100007F:1AB0 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 29340 2 0000000000000000 0        
";
        let check = |port, expected| assert_eq!(kernel_drops(table, port), expected, "{port}");
        check(6831, Some(17));
        check(6832, Some(0));
        check(6833, None);
        assert_eq!(kernel_drops("", 6831), None);
    }
}
