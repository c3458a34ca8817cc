//! How a service is to sample, as clients of Jaeger ask for it: over HTTP in JSON, over gRPC in protobuf.
//!
//! | client | asks | reads |
//! |---|---|---|
//! | jaeger-client for Python 4.8.0, Node 3.19.0 | `GET /sampling?service=` | `strategyType` as a name, unless there is `operationSampling` |
//! | jaeger-client for Go, Java, C# | the same | whichever strategy is there; Go reads the name, too, and 16 bits of traces a second |
//! | clients of 2016 | `GET /?service=` | `strategyType` as a number (Thrift 0.9.2) |
//! | `@opentelemetry/sampler-jaeger-remote` 0.222.0 | `GET /sampling?service=`, below `/api` of port 14268 | `strategyType` as a name; no rate limiting |
//! | OpenTelemetry for Go | either | as Node |
//! | OpenTelemetry for Java | `SamplingManager/GetSamplingStrategy` over gRPC | protobuf |
//!
//! All look at `operationSampling` first. Sources: `api_v2/sampling.proto` and `sampling.thrift` of
//! jaeger-idl, and the clients' own code (`jaeger_client/sampler.py`, `remote_sampler.js`,
//! `sampler_remote.go`, `RemoteControlledSampler.java`, `JaegerRemoteSampler.js`, `jaegerremote/parser.go`).

use spanloom_span::proto::{Reader, Value, put_bytes, put_fixed64, put_message, put_uint};

use crate::foreign::{Fault, Foreign};
use crate::json_out::{self, Object};

/// Most traces a second that a client may be told: Python's refuses 500 and more.
pub const MAX_TRACES_PER_SECOND: u16 = 499;

/// How the traces that begin at a service are to be sampled.
#[derive(Debug, Clone, PartialEq)]
pub struct Strategy {
    /// For all operations, or for clients that know nothing else.
    pub service: Sampling,
    /// For each operation; clients that know it go by it alone.
    pub operations: Option<Operations>,
}

/// How much is sampled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sampling {
    /// Each trace with this probability, from 0 to 1.
    Probabilistic(f64),
    /// So many traces a second, at most [`MAX_TRACES_PER_SECOND`].
    RateLimiting(u16),
}

/// Sampling by operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Operations {
    /// The probability for operations that are not listed, from 0 to 1.
    pub default_probability: f64,
    /// Each operation is sampled at least so often a second, however improbable it is.
    pub lower_bound: f64,
    /// And at most so often, for clients that know of it.
    pub upper_bound: Option<f64>,
    /// The operations listed.
    pub each: Vec<Operation>,
}

/// One operation's sampling.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// The name of the span that a trace begins with.
    pub name: String,
    /// From 0 to 1.
    pub probability: f64,
}

/// A strategy that clients could not follow.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StrategyError {
    /// A probability out of range.
    #[error("the probability {found} of {of}, expected 0 to 1")]
    Probability {
        /// What it is for.
        of: String,
        /// What was found.
        found: f64,
    },
    /// More traces a second than clients take.
    #[error("{found} traces a second, expected at most {MAX_TRACES_PER_SECOND}")]
    Rate {
        /// What was found.
        found: u16,
    },
    /// A bound that is no rate.
    #[error("{found} traces a second as the {bound} bound, expected a number from 0")]
    Bound {
        /// Which one.
        bound: &'static str,
        /// What was found.
        found: f64,
    },
}

/// How JSON says which strategy it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeAs {
    /// `"PROBABILISTIC"`: what `/sampling` answers.
    Name,
    /// `0`: what `/` answered the first clients.
    Number,
}

impl Strategy {
    /// Each trace of the service with this probability.
    pub fn probabilistic(probability: f64) -> Self {
        Self { service: Sampling::Probabilistic(probability), operations: None }
    }

    /// So many traces a second.
    pub fn rate_limiting(traces_per_second: u16) -> Self {
        Self { service: Sampling::RateLimiting(traces_per_second), operations: None }
    }

    /// Whether clients can follow it.
    pub fn check(&self) -> Result<(), StrategyError> {
        match self.service {
            Sampling::Probabilistic(found) => check_probability("the service", found)?,
            Sampling::RateLimiting(found) if found > MAX_TRACES_PER_SECOND => {
                return Err(StrategyError::Rate { found });
            }
            Sampling::RateLimiting(_) => {}
        }
        let Some(operations) = &self.operations else { return Ok(()) };
        check_probability("operations that are not listed", operations.default_probability)?;
        check_bound("lower", operations.lower_bound)?;
        check_bound("upper", operations.upper_bound.unwrap_or(0.0))?;
        operations
            .each
            .iter()
            .try_for_each(|one| check_probability(&format!("{:?}", one.name), one.probability))
    }

    /// As the JSON that clients ask for over HTTP.
    pub fn to_json(&self, type_as: TypeAs) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        let mut object = Object::begin(&mut out);
        let (name, number) = match self.service {
            Sampling::Probabilistic(_) => ("PROBABILISTIC", 0),
            Sampling::RateLimiting(_) => ("RATE_LIMITING", 1),
        };
        match type_as {
            TypeAs::Name => json_out::string(object.key("strategyType"), name),
            TypeAs::Number => json_out::integer(object.key("strategyType"), number),
        }
        match self.service {
            Sampling::Probabilistic(rate) => probability_json(object.key("probabilisticSampling"), rate),
            Sampling::RateLimiting(rate) => {
                let mut limit = Object::begin(object.key("rateLimitingSampling"));
                json_out::integer(limit.key("maxTracesPerSecond"), rate);
                limit.end();
            }
        }
        if let Some(operations) = &self.operations {
            operations.json(object.key("operationSampling"));
        }
        object.end();
        out
    }

    /// As `jaeger.api_v2.SamplingStrategyResponse`.
    pub fn to_proto(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        match self.service {
            // Probabilistic is zero, and zero is left out.
            Sampling::Probabilistic(rate) => probability_proto(&mut out, rate),
            Sampling::RateLimiting(rate) => {
                put_uint(&mut out, 1, 1);
                put_message(&mut out, 3, |out| put_uint(out, 1, rate.into()));
            }
        }
        if let Some(operations) = &self.operations {
            put_message(&mut out, 4, |out| operations.proto(out));
        }
        out
    }
}

impl Operations {
    fn json(&self, out: &mut Vec<u8>) {
        let mut object = Object::begin(out);
        json_out::double(object.key("defaultSamplingProbability"), self.default_probability);
        json_out::double(object.key("defaultLowerBoundTracesPerSecond"), self.lower_bound);
        json_out::list(object.key("perOperationStrategies"), &self.each, |out, one| {
            let mut object = Object::begin(out);
            json_out::string(object.key("operation"), &one.name);
            probability_json(object.key("probabilisticSampling"), one.probability);
            object.end();
        });
        if let Some(bound) = self.upper_bound {
            json_out::double(object.key("defaultUpperBoundTracesPerSecond"), bound);
        }
        object.end();
    }

    fn proto(&self, out: &mut Vec<u8>) {
        put_fixed64(out, 1, self.default_probability.to_bits());
        put_fixed64(out, 2, self.lower_bound.to_bits());
        for one in &self.each {
            put_message(out, 3, |out| {
                put_bytes(out, 1, one.name.as_bytes());
                probability_proto(out, one.probability);
            });
        }
        if let Some(bound) = self.upper_bound {
            put_fixed64(out, 4, bound.to_bits());
        }
    }
}

/// A `ProbabilisticSamplingStrategy`. In both messages that have it, it is field 2.
fn probability_proto(out: &mut Vec<u8>, rate: f64) {
    put_message(out, 2, |out| put_fixed64(out, 1, rate.to_bits()));
}

fn probability_json(out: &mut Vec<u8>, rate: f64) {
    let mut object = Object::begin(out);
    json_out::double(object.key("samplingRate"), rate);
    object.end();
}

fn check_probability(of: &str, found: f64) -> Result<(), StrategyError> {
    match (0.0..=1.0).contains(&found) {
        true => Ok(()),
        false => Err(StrategyError::Probability { of: of.to_owned(), found }),
    }
}

fn check_bound(bound: &'static str, found: f64) -> Result<(), StrategyError> {
    match found.is_finite() && found >= 0.0 {
        true => Ok(()),
        false => Err(StrategyError::Bound { bound, found }),
    }
}

/// The service that a `jaeger.api_v2.SamplingStrategyParameters` asks for.
pub fn service(request: &[u8]) -> Result<&str, Foreign> {
    let mut reader = Reader::new(request);
    let mut service: &[u8] = b"";
    let wrong = |found: String, expected| Err(Foreign::new(Fault::Malformed, 0, found, expected));
    loop {
        match reader.next() {
            Ok(Some((1, Value::Bytes(name)))) => service = name,
            Ok(Some((1, _))) => {
                return wrong("a service's name with another wire type".to_owned(), "a string");
            }
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(error) => return wrong(error.to_string(), "SamplingStrategyParameters"),
        }
    }
    std::str::from_utf8(service).or_else(|_| wrong("a service's name that is not UTF-8".to_owned(), "UTF-8"))
}
