//! What was deleted from this node on purpose, so that it is not fetched again from another one that still has it:
//! `redacted.log` in the data directory, a line of JSON for each redaction, appended and synced before anything is deleted.
//!
//! Only what this node fetches by itself is held against it. Spans that are sent after a redaction stay, as
//! `docs/REDACTION.md` says.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use spanloom_span::{SpanId, Tenant, TraceId};
use spanloom_upkeep::Doomed;

/// Its name in the data directory.
pub const FILE: &str = "redacted.log";

/// Most traces and spans that are kept in memory; of the oldest redactions nothing is known beyond that.
const MOST: usize = 2_000_000;

/// What was deleted from this node.
#[derive(Clone)]
pub(crate) struct Gone {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    known: RwLock<Known>,
    quiet: Arc<tokio::sync::RwLock<()>>,
}

/// By tenant.
#[derive(Default)]
struct Known {
    tenants: HashMap<Tenant, OfTenant>,
    count: usize,
}

#[derive(Default)]
struct OfTenant {
    traces: HashSet<TraceId>,
    spans: HashSet<(TraceId, SpanId, i32)>,
}

/// A redaction. Ids are hexadecimal digits.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line {
    tenant: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    traces: Vec<String>,
    /// By trace: ids and kinds of spans.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    spans: BTreeMap<String, Vec<(String, i32)>>,
}

impl Gone {
    /// What former runs deleted. A line that cannot be read is told and skipped.
    pub fn open(folder: &Path) -> Self {
        let path = folder.join(FILE);
        let mut known = Known::default();
        match lines(&path) {
            Ok(lines) => lines.iter().rev().for_each(|line| known.add(line)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::error!(%error, file = FILE, "what was redacted is not known"),
        }
        Self { inner: Arc::new(Inner { path, known: RwLock::new(known), quiet: Arc::default() }) }
    }

    /// Held for reading by who fetches spans, and for writing while something is deleted.
    pub fn quiet(&self) -> Arc<tokio::sync::RwLock<()>> {
        self.inner.quiet.clone()
    }

    /// Whether a span was deleted.
    pub fn has(&self, tenant: &Tenant, id: &TraceId, span: SpanId, kind: i32) -> bool {
        let known = self.inner.known.read();
        let of = known.tenants.get(tenant);
        of.is_some_and(|of| of.traces.contains(id) || of.spans.contains(&(*id, span, kind)))
    }

    /// Keeps what is about to be deleted. May block.
    pub fn add(&self, tenant: &Tenant, doomed: &Doomed) -> io::Result<()> {
        let mut line = Line { tenant: tenant.to_string(), traces: Vec::new(), spans: BTreeMap::new() };
        match doomed {
            Doomed::Traces(traces) => line.traces = traces.iter().map(TraceId::to_string).collect(),
            Doomed::Spans(spans) => {
                for (id, span, kind) in spans {
                    let span = SpanId(span.to_be_bytes()).to_string();
                    line.spans.entry(id.to_string()).or_default().push((span, *kind));
                }
            }
        }
        if line.traces.is_empty() && line.spans.is_empty() {
            return Ok(());
        }
        let mut text = serde_json::to_string(&line)?;
        text.push('\n');
        let mut known = self.inner.known.write();
        let is_new = !self.inner.path.exists();
        let mut file = File::options().create(true).append(true).open(&self.inner.path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        if let Some(folder) = self.inner.path.parent().filter(|_| is_new) {
            File::open(folder)?.sync_all()?;
        }
        known.add(&line);
        Ok(())
    }
}

impl Known {
    fn add(&mut self, line: &Line) {
        let Ok(tenant) = Tenant::new(&line.tenant) else { return };
        let of = self.tenants.entry(tenant).or_default();
        for id in line.traces.iter().filter_map(|id| TraceId::parse(id).ok()) {
            if self.count < MOST && of.traces.insert(id) {
                self.count += 1;
            }
        }
        for (id, spans) in &line.spans {
            let Ok(id) = TraceId::parse(id) else { continue };
            for (span, kind) in spans {
                let Ok(span) = SpanId::parse(span) else { continue };
                if self.count < MOST && of.spans.insert((id, span, *kind)) {
                    self.count += 1;
                }
            }
        }
    }
}

/// The lines, in the order in which they were written.
fn lines(path: &Path) -> io::Result<Vec<Line>> {
    let mut lines = Vec::new();
    for line in BufReader::new(File::open(path)?).lines() {
        match serde_json::from_str(&line?) {
            Ok(line) => lines.push(line),
            // The last one, when the process ended while it was written: its redaction deleted nothing.
            Err(error) => tracing::warn!(%error, file = FILE, "a line cannot be read"),
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_deleted_is_known_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let (tenant, other) = (Tenant::new("team-a").unwrap(), Tenant::default());
        let (whole, part) = (TraceId([1; 16]), TraceId([2; 16]));
        let check = |gone: &Gone| {
            assert!(gone.has(&tenant, &whole, SpanId([9; 8]), 1));
            assert!(!gone.has(&other, &whole, SpanId([9; 8]), 1));
            assert!(gone.has(&tenant, &part, SpanId([0, 0, 0, 0, 0, 0, 0, 7]), 3));
            assert!(!gone.has(&tenant, &part, SpanId([0, 0, 0, 0, 0, 0, 0, 7]), 2));
            assert!(!gone.has(&tenant, &part, SpanId([9; 8]), 3));
        };
        let gone = Gone::open(dir.path());
        assert!(!gone.has(&tenant, &whole, SpanId([9; 8]), 1));
        gone.add(&tenant, &Doomed::Traces(Vec::new())).unwrap();
        assert!(!dir.path().join(FILE).exists(), "nothing was deleted");
        gone.add(&tenant, &Doomed::Traces(vec![whole])).unwrap();
        gone.add(&tenant, &Doomed::Spans(vec![(part, 7, 3)])).unwrap();
        check(&gone);
        check(&Gone::open(dir.path()));
        // A line that was being written when the process ended.
        let mut file = File::options().append(true).open(dir.path().join(FILE)).unwrap();
        file.write_all(b"{\"tenant\":\"te").unwrap();
        check(&Gone::open(dir.path()));
    }
}
