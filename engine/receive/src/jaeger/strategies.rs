//! What Jaeger clients are told to sample: one rate for all, or a file in the format of Jaeger's
//! `--sampling.strategies-file`, which is read again when it changes. A file that cannot be used any more is told
//! in the log, and the last good one stays in force.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use serde::Deserialize;
use spanloom_wire::jaeger::sampling::{Operation, Operations, Sampling, Strategy};

/// How often the file is looked at.
const LOOK_EACH: Duration = Duration::from_secs(10);

/// Largest file taken.
const MAX_BYTES: u64 = 16 << 20;

/// Why strategies cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StrategiesError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {reason}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// The file does not say what it should.
    #[error("{path} is wrong: {reason}")]
    Wrong {
        /// The file.
        path: String,
        /// What was found, and what was expected.
        reason: String,
    },
}

/// The strategies of all services.
pub struct Strategies {
    rate: f64,
    file: Option<PathBuf>,
    now: Mutex<Now>,
}

struct Now {
    looked: Instant,
    modified: Option<SystemTime>,
    table: Arc<Table>,
}

struct Table {
    services: HashMap<String, Strategy>,
    /// For services that the file does not name.
    others: Strategy,
}

impl Default for Strategies {
    /// Everything is sampled.
    fn default() -> Self {
        Self::of_rate(1.0)
    }
}

impl Strategies {
    /// The same part of the traces, 0 to 1, for all services.
    pub fn of_rate(rate: f64) -> Self {
        let others = Strategy::probabilistic(rate);
        let table = Arc::new(Table { services: HashMap::new(), others });
        Self { rate, file: None, now: Mutex::new(Now { looked: Instant::now(), modified: None, table }) }
    }

    /// Reads a file; `rate` is for what it does not say.
    pub fn open(rate: f64, file: Option<PathBuf>) -> Result<Self, StrategiesError> {
        let Some(file) = file else { return Ok(Self::of_rate(rate)) };
        let (modified, table) = read(&file, rate)?;
        let now = Mutex::new(Now { looked: Instant::now(), modified, table: Arc::new(table) });
        Ok(Self { rate, file: Some(file), now })
    }

    /// What a service is told.
    pub fn of(&self, service: &str) -> Strategy {
        let table = self.table();
        table.services.get(service).unwrap_or(&table.others).clone()
    }

    fn table(&self) -> Arc<Table> {
        let mut now = self.now.lock();
        if let Some(file) = &self.file
            && now.looked.elapsed() >= LOOK_EACH
        {
            now.looked = Instant::now();
            let modified = modified(file);
            if modified != now.modified {
                now.modified = modified;
                match read(file, self.rate) {
                    Ok((_, table)) => {
                        tracing::info!(file = %file.display(), "the sampling strategies were read again");
                        now.table = Arc::new(table);
                    }
                    Err(error) => tracing::error!(%error, "the sampling strategies stay as they were"),
                }
            }
        }
        now.table.clone()
    }
}

fn modified(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).ok()?.modified().ok()
}

fn read(file: &Path, rate: f64) -> Result<(Option<SystemTime>, Table), StrategiesError> {
    let path = || file.display().to_string();
    let unreadable = |reason: String| StrategiesError::Read { path: path(), reason };
    let modified = modified(file);
    let length = std::fs::metadata(file).map_err(|error| unreadable(error.to_string()))?.len();
    if length > MAX_BYTES {
        return Err(unreadable(format!("it has {length} bytes, expected at most {MAX_BYTES}")));
    }
    let text = std::fs::read(file).map_err(|error| unreadable(error.to_string()))?;
    let table = parse(&text, rate).map_err(|reason| StrategiesError::Wrong { path: path(), reason })?;
    Ok((modified, table))
}

/// The file, as Jaeger documents it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    service_strategies: Vec<ServiceEntry>,
    default_strategy: Option<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceEntry {
    service: String,
    #[serde(rename = "type")]
    kind: Kind,
    param: f64,
    #[serde(default)]
    operation_strategies: Vec<OperationEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(rename = "type")]
    kind: Kind,
    param: f64,
    #[serde(default)]
    operation_strategies: Vec<OperationEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OperationEntry {
    operation: String,
    #[serde(rename = "type")]
    kind: Kind,
    param: f64,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Probabilistic,
    RateLimiting,
}

fn parse(text: &[u8], rate: f64) -> Result<Table, String> {
    let file: File = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let (others, shared) = match file.default_strategy {
        Some(Entry { kind, param, operation_strategies }) => {
            (sampling(kind, param, "default_strategy")?, operation_strategies)
        }
        None => (Sampling::Probabilistic(rate), Vec::new()),
    };
    let mut services = HashMap::new();
    for ServiceEntry { service, kind, param, operation_strategies } in &file.service_strategies {
        let name = format!("service {service:?}");
        let of_service = sampling(*kind, *param, &name)?;
        // A service's own operations go before those that hold for all.
        let strategy = strategy(of_service, operation_strategies.iter().chain(&shared), rate, &name)?;
        if services.insert(service.clone(), strategy).is_some() {
            return Err(format!("{name} is there twice, expected it once"));
        }
    }
    let others = strategy(others, shared.iter(), rate, "default_strategy")?;
    Ok(Table { services, others })
}

fn sampling(kind: Kind, param: f64, of: &str) -> Result<Sampling, String> {
    match kind {
        Kind::Probabilistic => Ok(Sampling::Probabilistic(param)),
        // Clients take whole numbers.
        Kind::RateLimiting if param >= 0.0 && param <= f64::from(u16::MAX) => {
            Ok(Sampling::RateLimiting(param as u16))
        }
        Kind::RateLimiting => {
            Err(format!("{of} has {param} traces a second, expected a number of 0 or more"))
        }
    }
}

fn strategy<'a>(
    service: Sampling,
    operations: impl Iterator<Item = &'a OperationEntry>,
    rate: f64,
    name: &str,
) -> Result<Strategy, String> {
    let mut each: Vec<Operation> = Vec::new();
    for OperationEntry { operation, kind, param } in operations {
        if *kind != Kind::Probabilistic {
            return Err(format!(
                "operation {operation:?} of {name} is rate limiting, expected probabilistic: \
                 clients know nothing else for operations"
            ));
        }
        if each.iter().all(|one| one.name != *operation) {
            each.push(Operation { name: operation.clone(), probability: *param });
        }
    }
    let default_probability = match service {
        Sampling::Probabilistic(probability) => probability,
        Sampling::RateLimiting(_) => rate,
    };
    let operations = (!each.is_empty()).then_some(Operations {
        default_probability,
        lower_bound: 0.0,
        upper_bound: None,
        each,
    });
    let strategy = Strategy { service, operations };
    strategy.check().map_err(|error| format!("{name}: {error}"))?;
    Ok(strategy)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{
        "service_strategies": [
            {"service": "cart", "type": "probabilistic", "param": 0.8, "operation_strategies": [
                {"operation": "GET /", "type": "probabilistic", "param": 0.2}]},
            {"service": "mail", "type": "ratelimiting", "param": 5}
        ],
        "default_strategy": {"type": "probabilistic", "param": 0.5, "operation_strategies": [
            {"operation": "GET /", "type": "probabilistic", "param": 0.1},
            {"operation": "/health", "type": "probabilistic", "param": 0.0}]}
    }"#;

    #[test]
    fn services_have_their_own_and_what_holds_for_all() {
        let table = parse(FILE.as_bytes(), 1.0).unwrap();
        let each = |strategy: &Strategy| {
            let operations = strategy.operations.as_ref().unwrap();
            let each = operations.each.iter().map(|one| (one.name.clone(), one.probability));
            (operations.default_probability, each.collect::<Vec<_>>())
        };
        let listed = |first: f64| vec![("GET /".to_owned(), first), ("/health".to_owned(), 0.0)];
        assert_eq!(table.services["cart"].service, Sampling::Probabilistic(0.8));
        assert_eq!(each(&table.services["cart"]), (0.8, listed(0.2)));
        assert_eq!(table.services["mail"].service, Sampling::RateLimiting(5));
        assert_eq!(each(&table.services["mail"]), (1.0, listed(0.1)));
        assert_eq!(each(&table.others), (0.5, listed(0.1)));
        assert_eq!(parse(b"{}", 0.25).unwrap().others, Strategy::probabilistic(0.25));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |text: &str, expected: &str| {
            let error = parse(text.as_bytes(), 1.0).err().unwrap_or_default();
            assert!(error.contains(expected), "{text}: {error}");
        };
        check("", "EOF");
        check(r#"{"service_strategy": []}"#, "unknown field `service_strategy`");
        check(r#"{"default_strategy": {"type": "maybe", "param": 1}}"#, "unknown variant `maybe`");
        check(r#"{"default_strategy": {"type": "probabilistic", "param": 1.5}}"#, "1.5");
        check(r#"{"default_strategy": {"type": "ratelimiting", "param": -1}}"#, "-1 traces a second");
        let twice = r#"{"service": "a", "type": "probabilistic", "param": 1}"#;
        check(&format!(r#"{{"service_strategies": [{twice}, {twice}]}}"#), "there twice");
        let operation = r#"{"operation": "b", "type": "ratelimiting", "param": 1}"#;
        check(
            &format!(
                r#"{{"default_strategy": {{"type": "probabilistic", "param": 1, "operation_strategies": [{operation}]}}}}"#
            ),
            "expected probabilistic",
        );
    }

    #[test]
    fn a_file_is_read_again_and_a_bad_one_changes_nothing() {
        let dir = std::env::temp_dir().join(format!("spanloom-strategies-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let file = dir.join("strategies.json");
        let write = |rate: f64, age: u64| {
            let text = format!(r#"{{"default_strategy": {{"type": "probabilistic", "param": {rate}}}}}"#);
            std::fs::write(&file, text).unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(age);
            std::fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
        };
        write(0.5, 1);
        let strategies = Strategies::open(1.0, Some(file.clone())).unwrap();
        let later = || {
            let mut now = strategies.now.lock();
            now.looked = now.looked.checked_sub(LOOK_EACH).unwrap();
        };
        assert_eq!(strategies.of("a"), Strategy::probabilistic(0.5));
        write(0.25, 2);
        assert_eq!(strategies.of("a"), Strategy::probabilistic(0.5), "not looked at yet");
        later();
        assert_eq!(strategies.of("a"), Strategy::probabilistic(0.25));
        write(7.0, 3);
        later();
        assert_eq!(strategies.of("a"), Strategy::probabilistic(0.25), "7 is no probability");
        std::fs::remove_file(&file).unwrap();
        later();
        assert_eq!(strategies.of("a"), Strategy::probabilistic(0.25));
        let error = Strategies::open(1.0, Some(file)).err().unwrap().to_string();
        assert!(error.contains("cannot be read"), "{error}");
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
