//! Reads sampled traces back and compares them span by span, field by field.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use http::{HeaderValue, Request, StatusCode, header};
use serde::Serialize;
use spanloom_span::proto::{ProtoError, Reader, Value};
use spanloom_span::{SpanId, TraceId};

use crate::fingerprint::{self, Fingerprint};
use crate::histogram::{Histogram, Quantiles};
use crate::random::Random;
use crate::sample::SampledTrace;
use crate::transport::{Answer, Broken, Chunks, Wire};

/// Largest answer that is read.
pub const MAX_ANSWER_BYTES: usize = 256 << 20;

/// Most findings that are written out.
const MAX_EXAMPLES: usize = 10;

/// What reading back found.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ReadBack {
    /// Traces in the sample.
    pub traces: u64,
    /// Spans in the sample.
    pub spans: u64,
    /// Traces that were asked for, counting each reading.
    pub reads: u64,
    /// Readings of a trace of which nothing came.
    pub missing_traces: u64,
    /// Spans that were acknowledged and did not come.
    pub missing_spans: u64,
    /// Spans that came more than once.
    pub duplicated_spans: u64,
    /// Spans whose content differs.
    pub different_spans: u64,
    /// Spans that were never sent in this trace.
    pub unexpected_spans: u64,
    /// Readings that failed.
    pub failed_reads: u64,
    /// Random ids that were asked for.
    pub absent_reads: u64,
    /// Random ids for which something came.
    pub absent_found: u64,
    /// Whether only ids were compared: the protocol cannot carry all fields, or not exactly.
    pub ids_only: bool,
    /// Some of the findings, for people.
    pub examples: Vec<String>,
    /// From sending a question to its whole answer.
    pub latency: Quantiles,
    /// The same for random ids.
    pub absent_latency: Quantiles,
}

impl ReadBack {
    /// Whether everything came back as it was sent.
    pub fn is_ok(&self) -> bool {
        self.missing_traces
            + self.missing_spans
            + self.duplicated_spans
            + self.different_spans
            + self.unexpected_spans
            + self.failed_reads
            + self.absent_found
            == 0
    }

    fn example(&mut self, text: String) {
        if self.examples.len() < MAX_EXAMPLES {
            self.examples.push(text);
        }
    }

    /// Compares the answer to one question with what was sent.
    pub fn compare(&mut self, expected: &SampledTrace, answer: &[u8]) -> Result<(), ProtoError> {
        let mut found: HashMap<SpanId, (Fingerprint, u64)> = HashMap::new();
        for (trace, print) in spans_of(answer)? {
            if trace != expected.trace {
                self.unexpected_spans += 1;
                self.example(format!("trace {}: a span of trace {trace} came with it", expected.trace));
                continue;
            }
            found.entry(print.span).or_insert((print, 0)).1 += 1;
        }
        if found.is_empty() {
            self.missing_traces += 1;
            self.missing_spans += expected.spans.len() as u64;
            self.example(format!(
                "trace {}: missing, expected {} spans",
                expected.trace,
                expected.spans.len()
            ));
            return Ok(());
        }
        for sent in &expected.spans {
            match found.remove(&sent.span) {
                None => {
                    self.missing_spans += 1;
                    self.example(format!("trace {}: span {} is missing", expected.trace, sent.span));
                }
                Some((read, times)) => {
                    if times > 1 {
                        self.duplicated_spans += 1;
                        self.example(format!(
                            "trace {}: span {} came {times} times",
                            expected.trace, sent.span
                        ));
                    }
                    let fields = sent.differences(&read);
                    if !fields.is_empty() && !self.ids_only {
                        self.different_spans += 1;
                        self.example(format!(
                            "trace {}: span {} differs in {}",
                            expected.trace,
                            sent.span,
                            fields.join(", ")
                        ));
                    }
                }
            }
        }
        for span in found.keys() {
            self.unexpected_spans += 1;
            self.example(format!("trace {}: span {span} was never sent", expected.trace));
        }
        Ok(())
    }
}

/// The spans of a `TraceByIDResponse`, which has a `Trace` with `resource_spans` in its field 1.
fn spans_of(answer: &[u8]) -> Result<Vec<(TraceId, Fingerprint)>, ProtoError> {
    let mut out = Vec::new();
    let mut response = Reader::new(answer);
    while let Some(field) = response.next()? {
        let (1, Value::Bytes(trace)) = field else { continue };
        let mut trace = Reader::new(trace);
        while let Some(field) = trace.next()? {
            if let (1, Value::Bytes(resource_spans)) = field {
                spans_of_resource(resource_spans, &mut out)?;
            }
        }
    }
    Ok(out)
}

/// A `ResourceSpans` or a `ScopeSpans`, whose fields have the same numbers.
#[derive(Default)]
struct Group<'a> {
    /// Body of the resource or scope.
    head: &'a [u8],
    /// Bodies of the scope spans or spans.
    rows: Vec<&'a [u8]>,
    /// The schema URL.
    url: &'a [u8],
}

impl<'a> Group<'a> {
    fn read(body: &'a [u8]) -> Result<Self, ProtoError> {
        let mut out = Self::default();
        let mut reader = Reader::new(body);
        while let Some(field) = reader.next()? {
            match field {
                (1, Value::Bytes(body)) => out.head = body,
                (2, Value::Bytes(body)) => out.rows.push(body),
                (3, Value::Bytes(text)) => out.url = text,
                _ => {}
            }
        }
        Ok(out)
    }
}

fn spans_of_resource(body: &[u8], out: &mut Vec<(TraceId, Fingerprint)>) -> Result<(), ProtoError> {
    let resource = Group::read(body)?;
    for scope_spans in resource.rows {
        let scope = Group::read(scope_spans)?;
        let place = fingerprint::place(resource.head, resource.url, scope.head, scope.url)?;
        for span in scope.rows {
            out.push(Fingerprint::of_span(span, place)?);
        }
    }
    Ok(())
}

/// A connection to the query API.
pub struct QueryClient {
    wire: Wire,
    target: String,
    tenant: Option<HeaderValue>,
    timeout: Duration,
}

impl QueryClient {
    /// A client for the API at `host:port`.
    pub fn new(target: &str, tenant: Option<HeaderValue>, timeout: Duration) -> Self {
        Self { wire: Wire::http1(target), target: target.to_owned(), tenant, timeout }
    }

    /// Asks once and reads the whole answer, in protobuf where there is a choice.
    pub async fn ask(&mut self, method: http::Method, path: &str) -> Result<Answer, Broken> {
        self.ask_for(method, path, "application/protobuf").await
    }

    /// Asks once for the form that `accept` names and reads the whole answer, of at most [`MAX_ANSWER_BYTES`].
    pub async fn ask_for(
        &mut self,
        method: http::Method,
        path: &str,
        accept: &'static str,
    ) -> Result<Answer, Broken> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.target)
            .header(header::ACCEPT, accept);
        if let Some(tenant) = &self.tenant {
            request = request.header("x-scope-orgid", tenant);
        }
        let request = request.body(Chunks::default()).map_err(|e| Broken::Unknown(e.to_string()))?;
        let exchange = self.wire.exchange(request, MAX_ANSWER_BYTES);
        let answer = tokio::time::timeout(self.timeout, exchange).await;
        answer.unwrap_or_else(|_| Err(Broken::Unknown(format!("no answer within {:?}", self.timeout))))
    }

    async fn trace(&mut self, id: TraceId) -> Result<(Answer, Duration), Broken> {
        let path = format!("/api/v2/traces/{id}");
        let begun = Instant::now();
        let answer = self.ask(http::Method::GET, &path).await?;
        Ok((answer, begun.elapsed()))
    }

    /// Spans that the server has accepted since it was started, by its metrics; `None` when it does not say.
    pub async fn kept_spans(&mut self) -> Option<u64> {
        let answer = self.ask(http::Method::GET, "/metrics").await.ok()?;
        let text = std::str::from_utf8(&answer.body).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("spanloom_spans_accepted_total "))?;
        line.trim().parse().ok()
    }

    /// Reads traces, going round the sample `reads` times in all, and then random ids. `exact`: all fields are
    /// compared, otherwise only which spans there are.
    pub async fn read_back(
        &mut self,
        sample: &[SampledTrace],
        reads: u64,
        exact: bool,
        absent: u64,
        seed: u64,
    ) -> ReadBack {
        let mut out = ReadBack {
            traces: sample.len() as u64,
            spans: sample.iter().map(|t| t.spans.len() as u64).sum(),
            ids_only: !exact,
            ..ReadBack::default()
        };
        let mut latency = Histogram::default();
        let reads = if sample.is_empty() { 0 } else { reads };
        for expected in sample.iter().cycle().take(usize::try_from(reads).unwrap_or(usize::MAX)) {
            out.reads += 1;
            match self.trace(expected.trace).await {
                Ok((answer, took)) => {
                    latency.record(took);
                    check(&mut out, expected, &answer);
                }
                Err(broken) => {
                    out.failed_reads += 1;
                    out.example(format!("trace {}: {broken}", expected.trace));
                    if matches!(broken, Broken::Gone(_)) {
                        break;
                    }
                }
            }
        }
        out.latency = latency.quantiles();
        self.read_absent(&mut out, absent, seed).await;
        out
    }

    async fn read_absent(&mut self, out: &mut ReadBack, count: u64, seed: u64) {
        let mut random = Random::new(seed ^ 0xab5e_17ab_5e17);
        let mut latency = Histogram::default();
        for _ in 0..count {
            let id = TraceId((u128::from(random.nonzero()) << 64 | u128::from(random.bits())).to_be_bytes());
            out.absent_reads += 1;
            match self.trace(id).await {
                Ok((answer, took)) => {
                    latency.record(took);
                    let empty = match answer.status {
                        StatusCode::OK => spans_of(&answer.body).is_ok_and(|spans| spans.is_empty()),
                        status => status == StatusCode::NOT_FOUND,
                    };
                    if !empty {
                        out.absent_found += 1;
                        out.example(format!("absent id {id}: status {}, expected no trace", answer.status));
                    }
                }
                Err(broken) => {
                    out.failed_reads += 1;
                    out.example(format!("absent id {id}: {broken}"));
                    if matches!(broken, Broken::Gone(_)) {
                        break;
                    }
                }
            }
        }
        out.absent_latency = latency.quantiles();
    }
}

fn check(out: &mut ReadBack, expected: &SampledTrace, answer: &Answer) {
    let compared = match answer.status {
        StatusCode::OK => out.compare(expected, &answer.body).map_err(|e| e.to_string()),
        StatusCode::NOT_FOUND => out.compare(expected, b"").map_err(|e| e.to_string()),
        status => Err(format!("status {status}")),
    };
    if let Err(reason) = compared {
        out.failed_reads += 1;
        out.example(format!("trace {}: {reason}", expected.trace));
    }
}
