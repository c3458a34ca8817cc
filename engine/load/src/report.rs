//! What a load measured, as text for people and as JSON for programs.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::histogram::Quantiles;
use crate::options::{Compression, Protocol};
use crate::process::Memory;
use crate::profile::Profile;
use crate::verify::ReadBack;

/// The result of a load.
#[derive(Debug, Clone, Serialize)]
pub struct LoadReport {
    /// Size of the spans.
    pub profile: Profile,
    /// The seed.
    pub seed: u64,
    /// How spans were sent.
    pub protocol: Protocol,
    /// How requests were compressed.
    pub compression: Compression,
    /// Spans a second that were asked for; none: as fast as accepted.
    pub rate: Option<u64>,
    /// From the first request to the last answer.
    pub seconds: f64,
    /// Requests taken up for sending.
    pub requests: u64,
    /// Their spans.
    pub sent_spans: u64,
    /// Their bytes as OTLP, before compression.
    pub sent_bytes: u64,
    /// Bytes of the bodies that were sent, repetitions and framing included.
    pub wire_bytes: u64,
    /// Spans acknowledged.
    pub acknowledged_spans: u64,
    /// Spans refused in the end, or by a partial success.
    pub refused_spans: u64,
    /// Spans of unknown fate: connection lost, or no answer in time.
    pub failed_spans: u64,
    /// Times that a request was refused for now (429, RESOURCE_EXHAUSTED and the like).
    pub pushed_back: u64,
    /// Why requests were refused or failed, and how often.
    pub reasons: BTreeMap<String, u64>,
    /// Acknowledged spans a second.
    pub spans_per_second: f64,
    /// Acknowledged bytes a second, as OTLP, in units of 1,000,000.
    pub megabytes_per_second: f64,
    /// Bytes of OTLP a span.
    pub bytes_per_span: f64,
    /// From the intended moment of sending to the acknowledgement.
    pub latency: Quantiles,
    /// Spans that the server counted as kept; none where senders are told.
    pub kept_spans: Option<u64>,
    /// What reading back found; none when nothing was read.
    pub read_back: Option<ReadBack>,
    /// What the server used; none when its process is not known.
    pub server: Option<ServerUse>,
    /// Growth of the server's block files for each acknowledged span; none when they are not known.
    pub disk_bytes_per_span: Option<f64>,
}

/// What the server's process used.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct ServerUse {
    /// CPU microseconds for each acknowledged span, from the start of the load to its end.
    pub cpu_us_per_span: f64,
    /// The same until the server had settled; none when that was not waited for.
    pub settled_cpu_us_per_span: Option<f64>,
    /// Memory at the end of the load; `peak` is the largest of the process's life.
    pub memory: Memory,
    /// Most memory of its own (anonymous) that was seen during the load, sampled four times a second.
    pub peak_anonymous: u64,
    /// Memory after settling.
    pub settled_memory: Option<Memory>,
}

impl LoadReport {
    /// Whether everything that was sent was acknowledged or properly refused, and everything that was read back
    /// is what was sent.
    pub fn is_ok(&self) -> bool {
        self.failed_spans == 0 && self.read_back.as_ref().is_none_or(ReadBack::is_ok)
    }

    /// The report as JSON, with units in the names.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "spans sent          {}", grouped(self.sent_spans))?;
        writeln!(f, "  acknowledged      {}", grouped(self.acknowledged_spans))?;
        if let Some(kept) = self.kept_spans {
            let lost = self.sent_spans.saturating_sub(kept);
            let percent = lost as f64 * 100.0 / self.sent_spans.max(1) as f64;
            writeln!(f, "  kept by server    {} ({} lost, {percent:.3} %)", grouped(kept), grouped(lost))?;
        }
        writeln!(f, "  refused           {}", grouped(self.refused_spans))?;
        writeln!(f, "  failed            {}", grouped(self.failed_spans))?;
        writeln!(
            f,
            "requests            {} ({} pushed back)",
            grouped(self.requests),
            grouped(self.pushed_back)
        )?;
        for (reason, times) in &self.reasons {
            writeln!(f, "  {times} times        {reason}")?;
        }
        writeln!(
            f,
            "throughput          {} spans/s, {:.1} MB/s, {:.1} B/span, in {:.1} s",
            grouped(self.spans_per_second as u64),
            self.megabytes_per_second,
            self.bytes_per_span,
            self.seconds
        )?;
        writeln!(f, "acknowledgement     {}", self.latency)?;
        if let Some(server) = &self.server {
            write_server(f, server)?;
        }
        if let Some(bytes) = self.disk_bytes_per_span {
            writeln!(f, "blocks on disk      {bytes:.1} B/span")?;
        }
        if let Some(read) = &self.read_back {
            write_read_back(f, read)?;
        }
        write!(f, "result              {}", if self.is_ok() { "ok" } else { "FAILED" })
    }
}

fn write_server(f: &mut fmt::Formatter<'_>, server: &ServerUse) -> fmt::Result {
    write!(f, "server CPU          {:.2} us/span", server.cpu_us_per_span)?;
    match server.settled_cpu_us_per_span {
        Some(settled) => writeln!(f, ", {settled:.2} us/span until settled")?,
        None => writeln!(f)?,
    }
    let mb = |bytes: u64| bytes / 1_000_000;
    writeln!(
        f,
        "server memory       peak {} MB, of its own {} MB (most {} MB), mapped files {} MB",
        mb(server.memory.peak),
        mb(server.memory.anonymous),
        mb(server.peak_anonymous),
        mb(server.memory.file)
    )?;
    if let Some(memory) = server.settled_memory {
        writeln!(
            f,
            "  settled           peak {} MB, of its own {} MB, mapped files {} MB",
            mb(memory.peak),
            mb(memory.anonymous),
            mb(memory.file)
        )?;
    }
    Ok(())
}

fn write_read_back(f: &mut fmt::Formatter<'_>, read: &ReadBack) -> fmt::Result {
    writeln!(
        f,
        "read back           {} traces with {} spans, {} reads: {} traces missing; spans: {} missing, {} doubled, \
         {} different, {} unexpected; {} reads failed",
        grouped(read.traces),
        grouped(read.spans),
        grouped(read.reads),
        read.missing_traces,
        read.missing_spans,
        read.duplicated_spans,
        read.different_spans,
        read.unexpected_spans,
        read.failed_reads
    )?;
    for example in &read.examples {
        writeln!(f, "  {example}")?;
    }
    if read.latency.count > 0 {
        writeln!(f, "trace by id         {}", read.latency)?;
    }
    if read.absent_reads > 0 {
        writeln!(f, "absent id           {}, {} found", read.absent_latency, read.absent_found)?;
    }
    Ok(())
}

/// A number with its digits in groups of three.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn digits_stand_in_groups() {
        let check = |n, expected: &str| assert_eq!(grouped(n), expected);
        check(0, "0");
        check(999, "999");
        check(1000, "1,000");
        check(12_345_678, "12,345,678");
    }
}
