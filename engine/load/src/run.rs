//! A whole load: generate, send, settle, read back, report.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::HeaderValue;
use tokio::sync::mpsc;

use crate::ack_log::AckLog;
use crate::error::LoadError;
use crate::export::Exporter;
use crate::generator::{Generator, GeneratorOptions};
use crate::histogram::Histogram;
use crate::options::{LoadOptions, Protocol, authority};
use crate::process::{self, Memory};
use crate::progress::{Display, Progress, Seen};
use crate::report::{LoadReport, ServerUse};
use crate::sample::{Sample, SampledTrace, Sampler};
use crate::sender::{Counts, Dispatch, Job, Noted, work};
use crate::transport::{Broken, Wire, connect};
use crate::verify::QueryClient;

/// After generation has ended, refused requests are repeated for so long.
const DRAIN: Duration = Duration::from_secs(60);

/// How long the last datagrams may take until the server has counted their spans.
const LAST_DATAGRAMS: Duration = Duration::from_secs(2);

/// Time between two looks at the counts and at the server's memory.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A server that used less CPU than this in a second has settled.
const IDLE_SECONDS: f64 = 0.025;

/// Runs a load to its end.
///
/// An error means that it could not be run. What happened to the requests, and what reading back found, is in
/// the report: see [`LoadReport::is_ok`].
pub async fn run(options: LoadOptions, progress: Progress) -> Result<LoadReport, LoadError> {
    options.check()?;
    let tenant = header(options.tenant.as_deref())?;
    let target = options.target();
    let is_udp = options.protocol == Protocol::JaegerUdp;
    // Whether somebody is there to take datagrams, the query API tells.
    let reach = if is_udp { authority(&options.query).to_owned() } else { target.clone() };
    connect(&reach).await.map_err(|broken| match broken {
        Broken::Gone(source) => LoadError::Connect { target: target.clone(), source },
        Broken::Unknown(reason) => {
            LoadError::Connect { target: target.clone(), source: std::io::Error::other(reason) }
        }
    })?;
    let (sample, sampler) = Sample::new(options.verify);
    let dispatch = Arc::new(Dispatch {
        exporter: Exporter {
            protocol: options.protocol,
            compression: options.compression,
            target,
            tenant: tenant.clone(),
        },
        timeout: options.timeout,
        retries: options.retry,
        counts: Counts::default(),
        stop: AtomicBool::new(false),
        no_retries: AtomicBool::new(false),
        ack_log: options.ack_log.as_deref().map(AckLog::open).transpose()?,
        noted: Mutex::new(Noted {
            latency: Histogram::default(),
            sample: Some(sample),
            reasons: std::collections::BTreeMap::new(),
            error: None,
        }),
    });
    let mut display = Display::new(progress);
    let disk_before = blocks_bytes(&options);
    let mut server = Server::new(options.server_pid);
    let mut client = QueryClient::new(authority(&options.query), tenant, options.timeout);
    let kept_before = if is_udp { client.kept_spans().await } else { None };
    let begun = Instant::now();
    load(&options, &dispatch, sampler, &mut display, &mut server).await?;
    let seconds = begun.elapsed().as_secs_f64();
    server.loaded();
    let (mut report, sample) = report(&options, &dispatch, seconds)?;
    if is_udp {
        // What is in the kernel and on its way into the log.
        tokio::time::sleep(LAST_DATAGRAMS).await;
        report.kept_spans =
            kept_before.zip(client.kept_spans().await).map(|(before, after)| after.saturating_sub(before));
    }
    settle(&options, &mut client, &mut server, &display).await;
    report.server = server.used(report.acknowledged_spans);
    let spans = report.acknowledged_spans.max(1) as f64;
    report.disk_bytes_per_span = disk_before
        .zip(blocks_bytes(&options))
        .map(|(before, after)| after.saturating_sub(before) as f64 / spans);
    if !sample.is_empty() || options.read_absent > 0 {
        display.say("reading traces back");
        let reads = options.reads.unwrap_or(sample.len() as u64);
        report.read_back =
            Some(client.read_back(&sample, reads, !is_udp, options.read_absent, options.seed).await);
    }
    display.finish();
    Ok(report)
}

fn header(tenant: Option<&str>) -> Result<Option<HeaderValue>, LoadError> {
    tenant
        .map(|text| HeaderValue::from_str(text).map_err(|_| LoadError::Tenant { found: text.to_owned() }))
        .transpose()
}

/// Generates and sends until the bounds are reached and every request has its answer.
async fn load(
    options: &LoadOptions,
    dispatch: &Arc<Dispatch>,
    sampler: Sampler,
    display: &mut Display,
    server: &mut Server,
) -> Result<(), LoadError> {
    let slots = usize::from(options.connections) * usize::from(options.in_flight);
    let (jobs, taken) = mpsc::channel(slots + 4);
    let taken = Arc::new(tokio::sync::Mutex::new(taken));
    let mut workers = tokio::task::JoinSet::new();
    let target = &dispatch.exporter.target;
    for _ in 0..options.connections {
        let shared = Wire::http2(target);
        for _ in 0..options.in_flight {
            let wire = match options.protocol {
                Protocol::Grpc => Wire::Http2(Arc::clone(&shared)),
                Protocol::Http => Wire::http1(target),
                Protocol::JaegerUdp => {
                    let udp = Wire::udp(target, options.datagram_bytes as usize).await;
                    udp.map_err(|source| LoadError::Connect { target: target.clone(), source })?
                }
            };
            workers.spawn(work(Arc::clone(dispatch), Arc::clone(&taken), wire));
        }
    }
    drop(taken);
    let (spans, duration) = options.bounds();
    let begun = Instant::now();
    let generator = {
        let (options, dispatch) = (options.clone(), Arc::clone(dispatch));
        std::thread::Builder::new()
            .name("generate".to_owned())
            .spawn(move || generate(&options, &dispatch, sampler, &jobs, begun + duration))
            .map_err(|_| LoadError::Generator)?
    };
    let mut look = tokio::time::interval(LOOK_EVERY);
    let mut generated_at = None;
    loop {
        tokio::select! {
            ended = workers.join_next() => match ended {
                None => break,
                Some(Ok(())) => continue,
                Some(Err(_)) => return Err(LoadError::Generator),
            },
            _ = look.tick() => {}
        }
        if generator.is_finished() && generated_at.get_or_insert_with(Instant::now).elapsed() > DRAIN {
            dispatch.no_retries.store(true, Ordering::Relaxed);
        }
        server.look();
        display.show(&seen(&dispatch.counts, spans, begun.elapsed().as_secs_f64() / duration.as_secs_f64()));
    }
    generator.join().map_err(|_| LoadError::Generator)
}

fn seen(counts: &Counts, spans: Option<u64>, time_share: f64) -> Seen {
    let acknowledged = counts.acknowledged.load(Ordering::Relaxed);
    let lost = counts.refused.load(Ordering::Relaxed) + counts.failed.load(Ordering::Relaxed);
    let span_share = spans.map_or(0.0, |all| (acknowledged + lost) as f64 / all.max(1) as f64);
    let pushed_back = counts.pushed_back.load(Ordering::Relaxed);
    Seen { share: span_share.max(time_share).min(1.0), acknowledged, lost, pushed_back }
}

/// The generator's thread: makes requests and hands them on, each not before its moment.
fn generate(
    options: &LoadOptions,
    dispatch: &Dispatch,
    sampler: Sampler,
    jobs: &mpsc::Sender<Job>,
    deadline: Instant,
) {
    let defaults = GeneratorOptions::new(options.profile, options.seed);
    let mut generator = Generator::with(
        GeneratorOptions {
            start: options.start,
            rate: options.rate.map_or(defaults.rate, |rate| rate as f64),
            spans_per_request: options.spans_per_request,
            flush_after: options.flush_after,
            max_spans: options.bounds().0,
            ..defaults
        },
        sampler,
    );
    let begun = Instant::now();
    let mut before = 0u64;
    while let Some(request) = generator.next() {
        let due = options.rate.map(|rate| begun + Duration::from_secs_f64(before as f64 / rate as f64));
        before += request.spans.len() as u64;
        let gone = || dispatch.stop.load(Ordering::Relaxed);
        while let Some(wait) = due.and_then(|due| due.checked_duration_since(Instant::now())) {
            if gone() || wait.is_zero() {
                break;
            }
            std::thread::sleep(wait.min(Duration::from_millis(50)));
        }
        if gone() {
            return;
        }
        if Instant::now() >= deadline {
            generator.stop();
        }
        if jobs.blocking_send(Job { request, due }).is_err() {
            return;
        }
    }
}

/// The report on the load itself, and the sample to read back.
fn report(
    options: &LoadOptions,
    dispatch: &Dispatch,
    seconds: f64,
) -> Result<(LoadReport, Vec<SampledTrace>), LoadError> {
    let mut noted = dispatch.noted.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = noted.error.take() {
        return Err(error);
    }
    let sample = noted.sample.take().map(Sample::finish).unwrap_or_default();
    let counts = &dispatch.counts;
    let get = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let (sent, bytes, acknowledged) =
        (get(&counts.sent_spans), get(&counts.sent_bytes), get(&counts.acknowledged));
    let bytes_per_span = bytes as f64 / sent.max(1) as f64;
    let report = LoadReport {
        profile: options.profile,
        seed: options.seed,
        protocol: options.protocol,
        compression: options.compression,
        rate: options.rate,
        seconds,
        requests: get(&counts.requests),
        sent_spans: sent,
        sent_bytes: bytes,
        wire_bytes: get(&counts.wire_bytes),
        acknowledged_spans: acknowledged,
        refused_spans: get(&counts.refused),
        failed_spans: get(&counts.failed),
        pushed_back: get(&counts.pushed_back),
        reasons: std::mem::take(&mut noted.reasons),
        spans_per_second: acknowledged as f64 / seconds,
        megabytes_per_second: acknowledged as f64 * bytes_per_span / seconds / 1e6,
        bytes_per_span,
        latency: noted.latency.quantiles(),
        kept_spans: None,
        read_back: None,
        server: None,
        disk_bytes_per_span: None,
    };
    Ok((report, sample))
}

/// Asks the server to seal, if that is wanted, and waits until it is idle.
async fn settle(options: &LoadOptions, client: &mut QueryClient, server: &mut Server, display: &Display) {
    if options.flush {
        display.say("flushing");
        let posted = client.ask(http::Method::POST, "/flush").await;
        if posted.is_ok_and(|answer| answer.status == http::StatusCode::METHOD_NOT_ALLOWED) {
            // Older servers take it as a GET; when that fails too, the figures after settling show it.
            let _ = client.ask(http::Method::GET, "/flush").await;
        }
    }
    let Some(longest) = options.settle else { return };
    display.say("settling");
    let end = Instant::now() + longest;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        let before = server.cpu();
        tokio::time::sleep(left.min(Duration::from_secs(1))).await;
        if before.zip(server.cpu()).is_some_and(|(before, after)| after - before < IDLE_SECONDS) {
            break;
        }
    }
    server.settled();
}

fn blocks_bytes(options: &LoadOptions) -> Option<u64> {
    options.server_data_dir.as_ref().map(|dir| process::folder_bytes(&dir.join("blocks")))
}

/// The server's process as it was seen during the load.
#[derive(Default)]
struct Server {
    pid: Option<u32>,
    cpu_before: f64,
    cpu_loaded: f64,
    cpu_settled: Option<f64>,
    memory: Memory,
    peak_anonymous: u64,
    settled_memory: Option<Memory>,
}

impl Server {
    fn new(pid: Option<u32>) -> Self {
        let cpu_before = pid.and_then(process::cpu_seconds).unwrap_or(0.0);
        Self { pid, cpu_before, ..Self::default() }
    }

    fn cpu(&self) -> Option<f64> {
        self.pid.and_then(process::cpu_seconds)
    }

    fn look(&mut self) {
        if let Some(memory) = self.pid.and_then(process::memory) {
            self.memory = memory;
            self.peak_anonymous = self.peak_anonymous.max(memory.anonymous);
        }
    }

    fn loaded(&mut self) {
        self.look();
        self.cpu_loaded = self.cpu().unwrap_or(0.0);
    }

    fn settled(&mut self) {
        self.cpu_settled = self.cpu();
        self.settled_memory = self.pid.and_then(process::memory);
    }

    /// None when the process is not known, or was gone at the end.
    fn used(&self, spans: u64) -> Option<ServerUse> {
        self.pid.filter(|_| self.cpu_loaded > 0.0)?;
        let per_span = |cpu: f64| (cpu - self.cpu_before) * 1e6 / spans.max(1) as f64;
        Some(ServerUse {
            cpu_us_per_span: per_span(self.cpu_loaded),
            settled_cpu_us_per_span: self.cpu_settled.map(per_span),
            memory: self.memory,
            peak_anonymous: self.peak_anonymous,
            settled_memory: self.settled_memory,
        })
    }
}
