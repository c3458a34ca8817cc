//! The loop over loopback. A "datagram" of these tests is one byte a span, all `b's'`; the translation writes each
//! span as the field 1 of a request, `[0x0a, 1, n]`, where `n` is the datagram's length.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use spanloom_span::Tenant;
use spanloom_wire::{Fault, Foreign};
use tokio::task::JoinHandle;

use super::{DatagramSocket, Datagrams};
use crate::{Accepted, Held, ReceiveMetrics, Refusal, Shutdown, Sink, Trigger, shutdown};

#[derive(Clone, Default)]
struct Memory {
    requests: Arc<Mutex<Vec<Bytes>>>,
    /// A request with this byte in it is invalid.
    poison: Option<u8>,
    delay: Duration,
    refuse: bool,
    /// Requests that ask for room now, and the most there were; they wait for `delay`, too.
    asking: Arc<Mutex<(usize, usize)>>,
}

impl Sink for Memory {
    async fn push(&self, tenant: Tenant, request: Bytes, _: Held) -> Result<Accepted, Refusal> {
        assert_eq!(tenant.as_str(), "team");
        tokio::time::sleep(self.delay).await;
        if self.poison.is_some_and(|poison| request.contains(&poison)) {
            return Err(Refusal::Invalid("poisoned".into()));
        }
        let spans = request.len() as u64 / 3;
        self.requests.lock().unwrap().push(request);
        Ok(Accepted { spans, ..Accepted::default() })
    }

    async fn admit(&self, _: usize) -> Result<Held, Refusal> {
        {
            let mut asking = self.asking.lock().unwrap();
            asking.0 += 1;
            asking.1 = asking.1.max(asking.0);
        }
        tokio::time::sleep(self.delay).await;
        self.asking.lock().unwrap().0 -= 1;
        match self.refuse {
            true => Err(Refusal::Exhausted { message: "full".into(), retry_after: Duration::ZERO }),
            false => Ok(Box::new(())),
        }
    }
}

fn translate(datagram: &[u8], _: usize, out: &mut Vec<u8>) -> Result<u64, Foreign> {
    if let Some(at) = datagram.iter().position(|&byte| byte != b's') {
        return Err(Foreign::new(Fault::Malformed, at, "another byte", "an s"));
    }
    out.extend(datagram.iter().flat_map(|_| [0x0a, 1, datagram.len() as u8]));
    Ok(datagram.len() as u64)
}

struct Running {
    address: SocketAddr,
    sender: std::net::UdpSocket,
    sink: Memory,
    metrics: ReceiveMetrics,
    trigger: Trigger,
    task: JoinHandle<()>,
}

fn start(sink: Memory) -> Running {
    let socket = DatagramSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)), 1 << 20).unwrap();
    let address = socket.address();
    let (trigger, waits): (Trigger, Shutdown) = shutdown();
    let metrics = ReceiveMetrics::default();
    let datagrams = Datagrams {
        protocol: "test",
        translate,
        tenant: Tenant::new("team").unwrap(),
        sink: sink.clone(),
        metrics: metrics.clone(),
    };
    let task = tokio::spawn(datagrams.run(socket, waits));
    let sender = std::net::UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    Running { address, sender, sink, metrics, trigger, task }
}

impl Running {
    fn send(&self, datagram: &[u8]) {
        self.sender.send_to(datagram, self.address).unwrap();
    }

    /// Ends it; what was pushed, and the metrics as text.
    async fn end(self) -> (Vec<Bytes>, String) {
        self.trigger.begin(Duration::from_secs(10));
        self.task.await.unwrap();
        let mut registry = prometheus_client::registry::Registry::default();
        self.metrics.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        (std::mem::take(&mut self.sink.requests.lock().unwrap()), text)
    }
}

fn has(metrics: &str, line: &str) {
    assert!(metrics.lines().any(|one| one == line), "no line {line} in\n{metrics}");
}

#[tokio::test]
async fn every_datagram_arrives_and_a_bad_one_disturbs_none() {
    let running = start(Memory::default());
    for length in 1..=100 {
        running.send(&vec![b's'; length]);
        running.send(b"sss?");
    }
    running.send(b"");
    let (requests, metrics) = running.end().await;
    let mut lengths: Vec<u8> = requests.concat().chunks(3).map(|span| span[2]).collect();
    lengths.dedup();
    assert_eq!(lengths, (1..=100).collect::<Vec<u8>>());
    has(&metrics, r#"spanloom_receive_datagrams_total{protocol="test"} 201"#);
    has(&metrics, r#"spanloom_receive_datagrams_dropped_total{protocol="test",reason="malformed"} 100"#);
    has(&metrics, "spanloom_receive_accepted_spans_total 5050");
}

#[tokio::test]
async fn datagrams_that_come_fast_share_requests() {
    let running = start(Memory { delay: Duration::from_millis(20), ..Memory::default() });
    for _ in 0..500 {
        running.send(b"ss");
    }
    let (requests, _) = running.end().await;
    assert_eq!(requests.concat().len(), 500 * 6);
    assert!(requests.len() < 100, "{} requests", requests.len());
}

#[tokio::test]
async fn one_that_the_engine_refuses_does_not_take_its_neighbours_along() {
    let sink = Memory { poison: Some(7), delay: Duration::from_millis(20), ..Memory::default() };
    let running = start(sink);
    for length in [3, 7, 5, 7, 9] {
        running.send(&vec![b's'; length]);
    }
    let (requests, metrics) = running.end().await;
    assert_eq!(requests.concat().len(), 3 * (3 + 5 + 9));
    has(&metrics, r#"spanloom_receive_datagrams_dropped_total{protocol="test",reason="invalid"} 2"#);
    has(&metrics, r#"spanloom_receive_datagram_spans_dropped_total{protocol="test"} 14"#);
}

#[tokio::test]
async fn what_finds_no_room_is_counted() {
    let running = start(Memory { refuse: true, ..Memory::default() });
    running.send(b"sss");
    running.send(b"ss");
    let (requests, metrics) = running.end().await;
    assert!(requests.is_empty());
    has(&metrics, r#"spanloom_receive_datagrams_dropped_total{protocol="test",reason="exhausted"} 2"#);
    has(&metrics, r#"spanloom_receive_datagram_spans_dropped_total{protocol="test"} 5"#);
}

#[tokio::test]
async fn the_longest_datagram_is_taken_whole() {
    let running = start(Memory::default());
    running.send(&[b's'; 65_507]);
    let (requests, _) = running.end().await;
    assert_eq!(requests.concat().len(), 65_507 * 3);
}

#[tokio::test]
async fn what_the_kernel_drops_is_counted() {
    let socket = DatagramSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)), 4096).unwrap();
    let before = socket.kernel_drops();
    let sender = std::net::UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    for _ in 0..100 {
        sender.send_to(&[0; 1000], socket.address()).unwrap();
    }
    assert_eq!(before, Some(0));
    assert!(socket.kernel_drops().unwrap() > 50, "{:?}", socket.kernel_drops());
}

#[tokio::test]
async fn what_waits_for_room_is_bounded() {
    let running = start(Memory { delay: Duration::from_millis(5), ..Memory::default() });
    for _ in 0..40 {
        running.send(b"ss");
        // So that each would be a request of its own.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let asking = running.sink.asking.clone();
    let (requests, _) = running.end().await;
    assert_eq!(requests.concat().len(), 40 * 6);
    assert_eq!(*asking.lock().unwrap(), (0, 1));
}
