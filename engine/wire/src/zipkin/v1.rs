//! v1's annotations and binary annotations: there a span has no kind, no endpoints and perhaps no times; they
//! follow from annotations with agreed names, the core annotations, and from who recorded them.
//!
//! Rules: the first core annotation of a request or a message decides the kind (the Collector's), the span's own
//! fields go before its annotations' times, addresses belong to sides as in Zipkin's `V1SpanConverter`. Other than
//! there a span that holds both a client's and a server's annotations stays one span, the one that the first of
//! them says; what the other side noted are events of it.

use std::borrow::Cow;

use super::Micros;
use super::draft::{Draft, Sheet, plus};
use super::endpoint::{Endpoint, Host};
use super::tags::Given;
use crate::foreign::otlp::kind;

/// Core annotations, by what they mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Core {
    ClientSend,
    ClientReceive,
    ServerReceive,
    ServerSend,
    MessageSend,
    MessageReceive,
    WireSend,
    WireReceive,
}

const CORES: [(Core, &[u8; 2]); 8] = [
    (Core::ClientSend, b"cs"),
    (Core::ClientReceive, b"cr"),
    (Core::ServerReceive, b"sr"),
    (Core::ServerSend, b"ss"),
    (Core::MessageSend, b"ms"),
    (Core::MessageReceive, b"mr"),
    (Core::WireSend, b"ws"),
    (Core::WireReceive, b"wr"),
];

/// Times that senders rounded apart: they count in microseconds, and start plus duration is not always the end.
const ROUNDED_NANOS: u64 = 1000;

impl Core {
    #[inline]
    fn of(value: &[u8]) -> Option<Self> {
        let value: &[u8; 2] = value.try_into().ok()?;
        CORES.iter().find(|(_, name)| *name == value).map(|(core, _)| *core)
    }

    /// The kind of a span that holds it; 0 for those of the wire.
    fn kind(self) -> u64 {
        match self {
            Core::ClientSend | Core::ClientReceive => kind::CLIENT,
            Core::ServerReceive | Core::ServerSend => kind::SERVER,
            Core::MessageSend => kind::PRODUCER,
            Core::MessageReceive => kind::CONSUMER,
            Core::WireSend | Core::WireReceive => 0,
        }
    }
}

/// An endpoint, and how sure it is that it is the span's own.
#[derive(Default)]
struct Own<'a> {
    endpoint: Endpoint<'a>,
    rank: u8,
}

/// What the annotations of a span say together.
#[derive(Default)]
pub(super) struct Sides<'a> {
    /// The time of the first of each core annotation.
    core: [Option<Micros>; CORES.len()],
    own: Own<'a>,
    /// The endpoints of `ca`, `sa` and `ma`.
    client: Endpoint<'a>,
    server: Endpoint<'a>,
    broker: Endpoint<'a>,
    /// The value of `lc`.
    component: Option<Cow<'a, str>>,
}

impl<'a> Sides<'a> {
    /// Takes an annotation, whose text is known to be UTF-8, and the endpoint that recorded it.
    pub fn annotation(
        &mut self,
        sheet: &mut Sheet<'_>,
        draft: &mut Draft<'a>,
        at: Micros,
        value: &[u8],
        host: &impl Host<'a>,
    ) {
        let core = Core::of(value);
        let side = core.map_or(0, Core::kind);
        if draft.kind == 0 {
            draft.kind = side;
        }
        self.recorded_by(host, if side != 0 && side == draft.kind { 2 } else { 1 });
        match core {
            Some(core) if self.core[core as usize].is_none() => {
                self.core[core as usize] = Some(at);
                draft.saw(at.nanos());
            }
            _ => draft.annotation(sheet, at, value),
        }
    }

    /// Takes a binary annotation: a tag, or the address of one side. Its key is known to be UTF-8.
    pub fn binary_annotation(
        &mut self,
        sheet: &mut Sheet<'_>,
        draft: &mut Draft<'a>,
        key: &[u8],
        value: Given<'a>,
        host: &impl Host<'a>,
    ) {
        if key.len() == 2 && !host.is_empty() && marks(&value) {
            let side = match key {
                b"ca" => Some(&mut self.client),
                b"sa" => Some(&mut self.server),
                b"ma" => Some(&mut self.broker),
                _ => None,
            };
            if let Some(side) = side {
                side.fill(host.endpoint());
                return;
            }
        }
        self.recorded_by(host, 1);
        if key != b"lc" || self.component.is_some() {
            return draft.tag(sheet, key, value);
        }
        match value.checked() {
            Given::Text(component) => {
                if !component.is_empty() {
                    draft.tag(sheet, b"component", Given::Text(component.clone()));
                }
                self.component = Some(component);
            }
            value => draft.tag(sheet, key, value),
        }
    }

    /// The first endpoint of the highest rank that names a service is the span's own; else the first one.
    #[inline]
    fn recorded_by(&mut self, host: &impl Host<'a>, rank: u8) {
        let rank = if host.is_named() { rank + 1 } else { 1 };
        if rank > self.own.rank && !host.is_empty() {
            self.own = Own { endpoint: host.endpoint(), rank };
        }
    }

    /// Tells the span what follows from all of them.
    pub fn end(&mut self, sheet: &mut Sheet<'_>, draft: &mut Draft<'a>) {
        draft.local = std::mem::take(&mut self.own.endpoint);
        self.write_times(sheet, draft);
        self.place_addresses(draft);
        if let Some(component) = self.component.take() {
            if draft.kind == 0 {
                draft.kind = kind::INTERNAL;
            }
            if draft.local.service.is_empty() {
                draft.local.service = component;
            }
        }
    }

    fn time(&self, core: Core) -> Option<u64> {
        self.core[core as usize].map(Micros::nanos)
    }

    fn write_times(&self, sheet: &mut Sheet<'_>, draft: &mut Draft<'a>) {
        let (begin, end) = match draft.kind {
            kind::CLIENT => (Core::ClientSend, Some(Core::ClientReceive)),
            kind::SERVER => (Core::ServerReceive, Some(Core::ServerSend)),
            kind::PRODUCER => (Core::MessageSend, Some(Core::WireSend)),
            kind::CONSUMER if self.time(Core::WireReceive).is_some() => {
                (Core::WireReceive, Some(Core::MessageReceive))
            }
            kind::CONSUMER => (Core::MessageReceive, None),
            // Without a side, those of the wire say nothing of the span's own times.
            _ => return self.write_events(sheet, draft, [None, None]),
        };
        let duration = draft.duration.filter(|duration| *duration != 0);
        let begun = draft.start.map(Micros::nanos).or(self.time(begin));
        let ended = end.and_then(|end| self.time(end));
        if draft.kind == kind::SERVER && draft.start.is_none() && self.time(begin).is_some() {
            // By convention of v1: who did not begin the span leaves its times to its beginner.
            draft.shared = true;
        }
        let Some(start) = begun else {
            // Nothing says when it began: its annotations' times and the end are all there is.
            return self.write_events(sheet, draft, [None, None]);
        };
        let stop = match (duration, ended) {
            (Some(duration), _) => plus(start, Some(duration)),
            (None, Some(ended)) => ended.max(start),
            (None, None) => start,
        };
        draft.inferred = Some((start, stop));
        self.write_events(sheet, draft, [Some((begin, start)), end.map(|end| (end, stop))]);
    }

    /// Core annotations that are not what the span's times say already are events like others.
    fn write_events(&self, sheet: &mut Sheet<'_>, draft: &mut Draft<'a>, said: [Option<(Core, u64)>; 2]) {
        for (core, name) in CORES {
            let Some(at) = self.core[core as usize] else { continue };
            let is_said = said
                .into_iter()
                .flatten()
                .any(|(said, time)| said == core && time.abs_diff(at.nanos()) <= ROUNDED_NANOS);
            if !is_said {
                draft.annotation(sheet, at, name);
            }
        }
    }

    fn place_addresses(&mut self, draft: &mut Draft<'a>) {
        let [client, server, broker] =
            [&mut self.client, &mut self.server, &mut self.broker].map(std::mem::take);
        let (own, remote) = match draft.kind {
            kind::CLIENT => (client, [server, broker]),
            kind::SERVER => (server, [client, broker]),
            kind::PRODUCER | kind::CONSUMER => (Endpoint::default(), [broker, server]),
            _ if server.is_empty() && broker.is_empty() && !client.is_empty() => {
                draft.kind = kind::SERVER;
                (Endpoint::default(), [client, Endpoint::default()])
            }
            _ => (client, [server, broker]),
        };
        draft.local.fill(own);
        let [first, second] = remote;
        draft.remote = if first.is_empty() { second } else { first };
        // Finagle notes the port of a client under the server's own name.
        if draft.kind == kind::SERVER && draft.remote.service == draft.local.service {
            draft.remote.service = Cow::Borrowed("");
        }
    }
}

/// Whether a value only marks its key as there: `true`, in whatever way.
fn marks(value: &Given<'_>) -> bool {
    match value {
        Given::Bool(value) => *value,
        Given::Text(text) => matches!(&**text, "" | "true" | "1" | "\u{1}"),
        Given::Raw(bytes) => matches!(*bytes, b"" | b"true" | b"1" | [1]),
        Given::Bytes(bytes) => matches!(&**bytes, [] | [1]),
        _ => false,
    }
}
