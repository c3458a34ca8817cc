//! The server that is asked: where it is, one question at a time, and what is said when there is no answer.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use http::{HeaderValue, Method, StatusCode};
use spanloom_load::verify::{MAX_ANSWER_BYTES, QueryClient};
use spanloom_load::{Answer, Broken};

use super::render::text::{clip, escape};

/// The port of the query API.
const PORT: u16 = 3200;

/// What a reason is cut to.
const MOST_SHOWN: usize = 2000;

/// JSON, the form of every answer but a trace.
pub(super) const JSON: &str = "application/json";

/// Protobuf: a third of the bytes of a trace in JSON.
pub(super) const PROTOBUF: &str = "application/protobuf";

/// Why a command has no result.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// What was asked makes no sense; nothing was sent. Exit code 2.
    Usage(String),
    /// There is no answer, or not a good one. Exit code 1.
    Failed(String),
}

/// Flags of whatever asks a server.
#[derive(Debug, Clone, Args)]
pub(super) struct ServerFlags {
    /// Where the query API is: a URL, or host and port [default: http://127.0.0.1:3200]
    #[arg(long, value_name = "URL", global = true, conflicts_with = "port_offset", help_heading = "Server")]
    pub endpoint: Option<String>,
    /// Ask 127.0.0.1 at port 3200 + N, where `spanloom --port-offset N` answers
    #[arg(long, value_name = "N", global = true, help_heading = "Server")]
    pub port_offset: Option<u16>,
    /// Whose spans: the tenant, several with `|` between
    #[arg(long, value_name = "ID", global = true, help_heading = "Server")]
    pub tenant: Option<String>,
    /// How long to wait for an answer (ms, s, m, h)
    #[arg(long, value_name = "DURATION", global = true, default_value = "60s", help_heading = "Server",
          value_parser = spanloom_load::options::parse_duration)]
    pub timeout: Duration,
    /// Print the server's JSON as it is, a line for each answer
    #[arg(long, global = true, help_heading = "Output")]
    pub json: bool,
}

/// A connection to a server.
pub(super) struct Server {
    client: QueryClient,
    /// The beginning of every URL, for people.
    url: String,
    /// What stands before every path.
    prefix: String,
    asked_for_tenant: bool,
}

/// Host and port, and what stands before every path, of an endpoint.
fn target(endpoint: &str) -> Result<(String, String), String> {
    let wrong = |why: &str| format!("--endpoint is {endpoint:?}, {why}");
    let (scheme, rest) = match endpoint.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, endpoint),
    };
    if scheme.is_some_and(|scheme| scheme != "http") {
        return Err(wrong("expected http: this command speaks no other protocol"));
    }
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if host.is_empty() || host.contains(['@', '?', '#', ' ']) || path.contains(['?', '#', ' ']) {
        return Err(wrong("expected one such as http://127.0.0.1:3200"));
    }
    // The colons within brackets belong to the address.
    let after_brackets = host.rfind(']').map_or(host, |end| &host[end..]);
    let target = match after_brackets.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok_and(|port| port > 0) => host.to_owned(),
        Some(_) => return Err(wrong("expected a port from 1 to 65535 after the colon")),
        None => format!("{host}:{}", if scheme.is_some() { 80 } else { PORT }),
    };
    Ok((target, path.trim_end_matches('/').to_owned()))
}

impl Server {
    /// A connection, opened with the first question.
    pub fn new(flags: &ServerFlags) -> Result<Self, Failure> {
        let offset = flags.port_offset.unwrap_or(0);
        let endpoint = match &flags.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => {
                let port = PORT.checked_add(offset);
                let port = port.ok_or_else(|| {
                    let most = u16::MAX - PORT;
                    Failure::Usage(format!("--port-offset is {offset}, expected at most {most}"))
                })?;
                format!("http://127.0.0.1:{port}")
            }
        };
        let (target, prefix) = target(&endpoint).map_err(Failure::Usage)?;
        let tenant = flags.tenant.as_deref().map(HeaderValue::from_str).transpose().map_err(|_| {
            Failure::Usage("--tenant has a control character, expected the id of a tenant".into())
        })?;
        Ok(Self {
            url: format!("http://{target}{prefix}"),
            asked_for_tenant: tenant.is_some(),
            client: QueryClient::new(&target, tenant, flags.timeout),
            prefix,
        })
    }

    /// Asks a question. Any status but 200 is a failure.
    pub async fn get(&mut self, path: &Path, accept: &'static str) -> Result<Answer, Failure> {
        self.ask(Method::GET, path, accept).await
    }

    /// Has something done. Any status but 200 and 202 is a failure.
    pub async fn post(&mut self, path: &Path, accept: &'static str) -> Result<Answer, Failure> {
        self.ask(Method::POST, path, accept).await
    }

    async fn ask(&mut self, method: Method, path: &Path, accept: &'static str) -> Result<Answer, Failure> {
        let url = format!("{}{}", self.prefix, path.0);
        let asked = self.client.ask_for(method.clone(), &url, accept).await;
        let is_good =
            |status| status == StatusCode::OK || method == Method::POST && status == StatusCode::ACCEPTED;
        match asked {
            Ok(answer) if is_good(answer.status) => Ok(answer),
            Ok(answer) => Err(Failure::Failed(self.refused(&method, path, &answer))),
            Err(Broken::Gone(error)) => Err(Failure::Failed(format!(
                "nothing answers at {}: {error}; start the engine with `spanloom`, or name another one with \
                 --endpoint URL or --port-offset N",
                self.url
            ))),
            Err(Broken::Unknown(why)) => {
                let why = match why.contains("length limit") {
                    true => {
                        format!("it is larger than {} MiB, the most that is read", MAX_ANSWER_BYTES >> 20)
                    }
                    false => why,
                };
                Err(Failure::Failed(format!("{method} {}{} has no answer: {why}", self.url, path.short())))
            }
        }
    }

    /// What is said of a status that is no success.
    fn refused(&self, method: &Method, path: &Path, answer: &Answer) -> String {
        let body = String::from_utf8_lossy(&answer.body[..answer.body.len().min(MOST_SHOWN)]);
        let mut out = format!("{method} {}{} was answered with {}", self.url, path.short(), answer.status);
        let reason = clip(&escape(body.trim()), MOST_SHOWN);
        if !reason.is_empty() {
            // Writing to a string cannot fail.
            let _ = write!(out, ": {reason}");
        }
        if answer.status == StatusCode::UNAUTHORIZED && !self.asked_for_tenant {
            out.push_str("; --tenant ID names the tenant");
        }
        if let Some(seconds) = answer.headers.get("retry-after").and_then(|value| value.to_str().ok()) {
            let _ = write!(out, "; ask again in {} s", escape(seconds));
        }
        out
    }
}

/// An answer in JSON.
pub(super) fn parsed<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body)
        .map_err(|error| Failure::Failed(format!("the server's answer cannot be read: {error}")))
}

/// A path with its parameters, percent-encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path(String);

impl Path {
    /// A path of the API, as it is.
    pub fn new(path: &str) -> Self {
        Self(path.to_owned())
    }

    /// The same with one more step, which may hold any characters.
    pub fn step(mut self, step: &str) -> Self {
        self.0.push('/');
        encode(step, &mut self.0);
        self
    }

    /// The same with a parameter.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.push(if self.0.contains('?') { '&' } else { '?' });
        self.0.push_str(name);
        self.0.push('=');
        encode(value, &mut self.0);
        self
    }

    /// The same with a parameter, if there is a value.
    pub fn with_some(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, &value.to_string()),
            None => self,
        }
    }

    /// Without its parameters.
    fn short(&self) -> &str {
        self.0.split('?').next().unwrap_or_default()
    }
}

/// Percent-encoding of everything that RFC 3986 does not call unreserved.
fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_url_or_a_host() {
        let check = |endpoint: &str, expected: (&str, &str)| {
            let (host, prefix) = target(endpoint).unwrap();
            assert_eq!((host.as_str(), prefix.as_str()), expected, "{endpoint}");
        };
        check("http://127.0.0.1:3200", ("127.0.0.1:3200", ""));
        check("http://127.0.0.1:3200/", ("127.0.0.1:3200", ""));
        check("http://traces.example/tempo/", ("traces.example:80", "/tempo"));
        check("localhost", ("localhost:3200", ""));
        check("localhost:9", ("localhost:9", ""));
        check("[::1]", ("[::1]:3200", ""));
        check("http://[::1]:4000/a/b", ("[::1]:4000", "/a/b"));
        let wrong = |endpoint: &str, part: &str| {
            let error = target(endpoint).unwrap_err();
            assert!(error.contains(part), "{endpoint}: {error}");
        };
        wrong("https://traces.example", "expected http");
        wrong("", "such as http://127.0.0.1:3200");
        wrong("http://", "such as");
        wrong("http://user@host", "such as");
        wrong("http://host/?a=b", "such as");
        wrong("localhost:", "a port from 1 to 65535");
        wrong("localhost:0", "a port from 1 to 65535");
        wrong("localhost:70000", "a port from 1 to 65535");
    }

    #[test]
    fn parameters_are_encoded() {
        let path = Path::new("/api/v2/search/tag").step("span.a/b c").step("values");
        let path = path.with("q", "{ .ü = \"&\" }").with_some("limit", Some(5)).with_some("end", None::<u8>);
        assert_eq!(
            path.0,
            "/api/v2/search/tag/span.a%2Fb%20c/values?q=%7B%20.%C3%BC%20%3D%20%22%26%22%20%7D&limit=5"
        );
        assert_eq!(path.short(), "/api/v2/search/tag/span.a%2Fb%20c/values");
    }
}
