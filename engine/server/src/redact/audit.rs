//! The audit log: `audit.log` in the data directory, a line of JSON before each redaction and one after it, each synced
//! before anything else is done. Lines are appended, never changed. `docs/REDACTION.md` has an example.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Value, json};
use spanloom_api::{RedactRequest, RedactWhat, Redacted};
use spanloom_span::TraceId;
use xxhash_rust::xxh3::xxh3_128;

use super::RedactError;

/// Its name in the data directory.
pub const FILE: &str = "audit.log";

/// Trace ids that a line names; of more it says how many there are, and a hash.
const NAMED_IDS: usize = 1000;

/// How much of its end is looked at for what has no end.
const LOOK_BYTES: u64 = 4 << 20;

/// The log of a data directory.
pub(super) struct AuditLog {
    folder: PathBuf,
    writing: Mutex<()>,
}

/// A redaction that has its first line.
pub(super) struct Begun {
    /// Tells its lines from others': nanoseconds since 1970.
    pub number: u64,
}

/// What both lines begin with.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    time: String,
    redaction: u64,
    event: &'static str,
    tenant: &'a str,
    from: &'a str,
    dry_run: bool,
    #[serde(flatten)]
    more: Value,
}

impl AuditLog {
    /// The log of a data directory; the file is made with its first line.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), writing: Mutex::default() }
    }

    /// Writes what is to be done.
    pub fn begin(&self, request: &RedactRequest) -> io::Result<Begun> {
        let begun = Begun { number: now().0 };
        self.write(&begun, request, "begin", json!({ "asked": asked(&request.what) }))?;
        Ok(begun)
    }

    /// Writes what came of it.
    pub fn end(
        &self,
        begun: &Begun,
        request: &RedactRequest,
        done: &Result<Redacted, RedactError>,
    ) -> io::Result<()> {
        let of = |done: &Redacted| {
            json!({
                "traces": done.traces, "spans": done.spans, "blocks": done.blocks, "emptied": done.emptied,
                "bytes": done.bytes, "deletedAfterSeconds": done.deleted_after_seconds,
            })
        };
        let mut more = json!({ "outcome": outcome(done) });
        match done {
            Ok(done) => more["done"] = of(done),
            Err(error) => {
                if let RedactError::Partly { done, .. } = error {
                    more["done"] = of(done);
                }
                more["error"] = error.to_string().into();
            }
        }
        self.write(begun, request, "end", more)
    }

    fn write(
        &self,
        begun: &Begun,
        request: &RedactRequest,
        event: &'static str,
        more: Value,
    ) -> io::Result<()> {
        let line = Line {
            time: now().1,
            redaction: begun.number,
            event,
            tenant: request.tenant.as_str(),
            from: &request.from,
            dry_run: request.dry_run,
            more,
        };
        let mut text = serde_json::to_string(&line)?;
        tracing::info!(target: "audit", "redaction {text}");
        text.push('\n');
        self.append(text.as_bytes())
    }

    fn append(&self, line: &[u8]) -> io::Result<()> {
        let _one_writer = self.writing.lock();
        let path = self.folder.join(FILE);
        let is_new = !path.exists();
        let mut file = File::options().create(true).read(true).append(true).open(&path)?;
        if file.seek(SeekFrom::End(0))? > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            // A line that a crash cut short stays apart from the next one.
            if last != *b"\n" {
                file.write_all(b"\n")?;
            }
        }
        file.write_all(line)?;
        file.sync_data()?;
        if is_new {
            File::open(&self.folder)?.sync_all()?;
        }
        Ok(())
    }

    /// Redactions, other than dry ones, that have a first line and no last one.
    pub fn unfinished(&self) -> Vec<u64> {
        match self.look() {
            Ok(unfinished) => unfinished.into_iter().collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                tracing::warn!(target: "audit", %error, "the audit log cannot be read");
                Vec::new()
            }
        }
    }

    fn look(&self) -> io::Result<BTreeSet<u64>> {
        let mut file = File::open(self.folder.join(FILE))?;
        let from = file.seek(SeekFrom::End(0))?.saturating_sub(LOOK_BYTES);
        file.seek(SeekFrom::Start(from))?;
        let mut unfinished = BTreeSet::new();
        for line in BufReader::new(file.take(LOOK_BYTES)).split(b'\n') {
            // The first line may be the rest of one, and a crash may have cut the last.
            let Ok(line) = serde_json::from_slice::<Value>(&line?) else { continue };
            let Some(number) = line["redaction"].as_u64() else { continue };
            match (line["event"].as_str(), line["dryRun"].as_bool()) {
                (Some("begin"), Some(false)) => drop(unfinished.insert(number)),
                _ => drop(unfinished.remove(&number)),
            }
        }
        Ok(unfinished)
    }
}

/// How a redaction ended, in a word.
pub(super) fn outcome(done: &Result<Redacted, RedactError>) -> &'static str {
    match done {
        Ok(Redacted { dry_run: true, .. }) => "dry run",
        Ok(_) => "done",
        Err(RedactError::Partly { .. } | RedactError::Stopping) => "failed",
        Err(_) => "refused",
    }
}

fn asked(what: &RedactWhat) -> Value {
    match what {
        RedactWhat::Query { query, spans } => json!({ "query": query, "spans": spans }),
        RedactWhat::Traces(traces) => json!({
            "traces": traces.len(),
            "xxh3": format!("{:032x}", hash(traces)),
            "traceIds": traces.iter().take(NAMED_IDS).map(TraceId::to_string).collect::<Vec<_>>(),
        }),
    }
}

/// XXH3 (128 bits) of the ids' bytes, ascending, each once.
fn hash(traces: &[TraceId]) -> u128 {
    let mut traces = traces.to_vec();
    traces.sort_unstable();
    traces.dedup();
    let bytes: Vec<u8> = traces.iter().flat_map(|trace| trace.0).collect();
    xxh3_128(&bytes)
}

/// Nanoseconds since 1970, and the same for people.
fn now() -> (u64, String) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let text = spanloom_wire::rfc3339::format(since.as_secs() as i64, since.subsec_nanos() as i32);
    (u64::try_from(since.as_nanos()).unwrap_or(u64::MAX), text.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use spanloom_span::Tenant;

    use super::*;

    fn request(dry_run: bool) -> RedactRequest {
        let what = RedactWhat::Traces(vec![TraceId([2; 16]), TraceId([1; 16])]);
        RedactRequest { tenant: Tenant::default(), what, dry_run, from: "a test".into() }
    }

    fn lines(folder: &Path) -> Vec<Value> {
        let text = std::fs::read_to_string(folder.join(FILE)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap_or(Value::Null)).collect()
    }

    #[test]
    fn each_redaction_has_a_line_before_and_one_after() {
        let dir = tempfile::tempdir().unwrap();
        let log = AuditLog::new(dir.path());
        assert!(log.unfinished().is_empty());
        let done = Redacted { traces: 2, spans: 9, ..Redacted::default() };
        let begun = log.begin(&request(false)).unwrap();
        assert_eq!(AuditLog::new(dir.path()).unfinished(), [begun.number]);
        log.end(&begun, &request(false), &Ok(done.clone())).unwrap();
        let partly = RedactError::Partly { done: Box::new(done), reason: "the store is down".into() };
        let begun = log.begin(&request(false)).unwrap();
        log.end(&begun, &request(false), &Err(partly)).unwrap();
        let begun = log.begin(&request(true)).unwrap();
        log.end(&begun, &request(true), &Err(RedactError::Busy)).unwrap();
        assert!(log.unfinished().is_empty());
        let lines = lines(dir.path());
        let outcomes: Vec<_> = lines.iter().filter_map(|line| line["outcome"].as_str()).collect();
        assert_eq!((lines.len(), outcomes), (6, vec!["done", "failed", "refused"]));
        assert_eq!((&lines[0]["tenant"], &lines[0]["from"]), (&json!("single-tenant"), &json!("a test")));
        assert_eq!(lines[0]["asked"]["traces"], 2);
        assert_eq!(
            lines[0]["asked"]["xxh3"],
            format!("{:032x}", hash(&[TraceId([1; 16]), TraceId([2; 16])]))
        );
        assert_eq!(lines[1]["done"]["spans"], 9);
        assert_eq!(lines[3]["done"]["traces"], 2);
        assert!(lines[3]["error"].as_str().unwrap().starts_with("the store is down"));
    }

    #[test]
    fn a_line_that_was_cut_short_harms_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let log = AuditLog::new(dir.path());
        let first = log.begin(&request(false)).unwrap();
        let path = dir.path().join(FILE);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&whole[..], &whole[..20]].concat()).unwrap();
        let second = log.begin(&request(false)).unwrap();
        log.end(&second, &request(false), &Ok(Redacted::default())).unwrap();
        assert_eq!(log.unfinished(), [first.number]);
        assert_eq!(lines(dir.path()).iter().filter(|line| line.is_null()).count(), 1);
    }
}
