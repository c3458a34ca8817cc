//! A real `spanloom` process for tests: started, asked, killed.
#![allow(dead_code)] // each test uses a part of it

pub mod grpc;
pub mod json;
pub mod load;
pub mod network;
pub mod nodes;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{SpanId, TraceId, view};

/// The program under test: this build's, or the one that `SPANLOOM_BIN` names.
fn program() -> std::ffi::OsString {
    std::env::var_os("SPANLOOM_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_spanloom").into())
}

/// A running server with its data directory.
pub struct House {
    child: Child,
    /// The address that it listens on.
    pub host: String,
    pub otlp: u16,
    pub query: u16,
    pub dir: PathBuf,
}

/// Configuration under `receive` that opens no ports but those for OTLP.
pub const NO_OTHER_PORTS: &str = "jaeger: {ports: [], compact_ports: [], binary_ports: [], zipkin_compact_ports: []}, \
                                  zipkin: {ports: []}, opencensus: {ports: []}";

/// Ports that are free now.
fn free_ports<const N: usize>() -> [u16; N] {
    let held: Vec<TcpListener> = (0..N).map(|_| TcpListener::bind(("127.0.0.1", 0)).unwrap()).collect();
    std::array::from_fn(|at| held[at].local_addr().unwrap().port())
}

impl House {
    /// Starts a server on a directory with more configuration, and waits until it is ready.
    pub fn start(dir: &Path, config: &str) -> Self {
        Self::start_with(dir, "", config)
    }

    /// The same, with more keys under `query`.
    pub fn start_with(dir: &Path, query_keys: &str, config: &str) -> Self {
        Self::start_within(dir, &[], query_keys, config)
    }

    /// The same, run by another program, which is given the server's program and arguments and becomes it.
    pub fn start_within(dir: &Path, within: &[String], query_keys: &str, config: &str) -> Self {
        Self::start_at("127.0.0.1", dir, within, query_keys, config)
    }

    /// The same, to be reached at another address; it listens there unless the configuration has a `listen_host`.
    pub fn start_at(host: &str, dir: &Path, within: &[String], query_keys: &str, config: &str) -> Self {
        let mut tries = 0;
        loop {
            let [otlp, query] = free_ports();
            let file = dir.join("spanloom.yaml");
            let data = dir.join("data");
            let listen = match config.contains("listen_host:") {
                true => String::new(),
                false => format!("listen_host: '{host}'\n"),
            };
            let text = format!(
                "data_dir: {}\n{listen}log_level: warn\nreceive: {{otlp_ports: [{otlp}], max_request_bytes: 16MiB, {NO_OTHER_PORTS}}}\nquery: {{port: {query}, jaeger_ports: [], {query_keys}}}\n{config}",
                data.display()
            );
            std::fs::write(&file, text).unwrap();
            match Self::launch_within(
                dir,
                within,
                &["serve", "--config", file.to_str().unwrap()],
                host,
                (otlp, query),
            ) {
                Ok(house) => return house,
                // A port that was free may be another test's by now.
                Err(log) if log.contains("cannot be listened on") && tries < 5 => tries += 1,
                Err(log) => panic!("the server ended:\n{log}"),
            }
        }
    }

    /// Starts a server with these arguments and waits until it is ready; what it wrote if it ended before.
    pub fn launch(dir: &Path, args: &[&str], otlp: u16, query: u16) -> Result<Self, String> {
        Self::launch_within(dir, &[], args, "127.0.0.1", (otlp, query))
    }

    fn launch_within(
        dir: &Path,
        within: &[String],
        args: &[&str],
        host: &str,
        (otlp, query): (u16, u16),
    ) -> Result<Self, String> {
        let log = std::fs::File::options().create(true).append(true).open(dir.join("server.log")).unwrap();
        let before = log.metadata().unwrap().len() as usize;
        let mut command = match within {
            [] => Command::new(program()),
            [first, more @ ..] => {
                let mut command = Command::new(first);
                command.args(more).arg(program());
                command
            }
        };
        let child = command.args(args).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let mut house = Self { child, host: host.to_owned(), otlp, query, dir: dir.to_owned() };
        match house.wait_until_ready() {
            true => Ok(house),
            false => Err(house.log().split_off(before)),
        }
    }

    /// False when the server ended instead.
    fn wait_until_ready(&mut self) -> bool {
        let given_up = Instant::now() + Duration::from_secs(60);
        loop {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            if Client::connect_to(&self.host, self.query).is_ok_and(|client| self.is_mine(client)) {
                return true;
            }
            assert!(Instant::now() < given_up, "the server is not ready:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether a ready server is this one: a port that was free may be another test's by now.
    fn is_mine(&self, mut client: Client) -> bool {
        let mut get = |path| client.get(path, "text/plain").ok().filter(|answer| answer.status == 200);
        let Some(_) = get("/ready") else { return false };
        let config = get("/status/config").map(|answer| String::from_utf8_lossy(&answer.body).into_owned());
        config.is_some_and(|config| config.contains(&*self.dir.to_string_lossy()))
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the server wrote.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("server.log")).unwrap_or_default()
    }

    /// A connection to the query API.
    pub fn client(&self) -> Client {
        Client::connect_to(&self.host, self.query).unwrap()
    }

    /// A connection for spans.
    pub fn sender(&self) -> Client {
        Client::connect_to(&self.host, self.otlp).unwrap()
    }

    /// The value of a metric without labels.
    pub fn metric(&self, name: &str) -> u64 {
        let answer = self.client().get("/metrics", "text/plain").unwrap();
        let text = String::from_utf8(answer.body).unwrap();
        let line = text.lines().find(|line| line.split(' ').next() == Some(name));
        let line = line.unwrap_or_else(|| panic!("no metric {name} in\n{text}"));
        line.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// What a page or an endpoint of the query API says, and its status.
    pub fn says(&self, path: &str) -> (u16, String) {
        let answer = self.client().get(path, "text/plain").unwrap();
        (answer.status, String::from_utf8(answer.body).unwrap())
    }

    /// Waits, far longer than it takes, so that a failure is told and does not hang.
    pub fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        for _ in 0..12_000 {
            if is_so() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("waited in vain until {what}\n{}\n{}", self.says("/status").1, self.log());
    }

    /// Seals everything that is live.
    pub fn flush(&self) {
        let answer = self.client().post("/flush", "text/plain", &[]).unwrap();
        assert_eq!(answer.status, 204, "{}", String::from_utf8_lossy(&answer.body));
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Waits for the end and yields the exit code.
    pub fn wait(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// SIGTERM; the server must end with 0.
    pub fn stop(self) {
        self.signal("TERM");
        let dir = self.dir.clone();
        let code = self.wait();
        let log = std::fs::read_to_string(dir.join("server.log")).unwrap_or_default();
        assert_eq!(code, Some(0), "{log}");
    }

    /// The most memory that the server ever held, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    /// Counts the peak from now on, where the kernel allows it; yields the memory held now, or the peak so far.
    pub fn forget_peak_memory(&self) -> u64 {
        let forgotten = std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5");
        drop(forgotten);
        self.peak_memory()
    }
}

impl Drop for House {
    #[allow(clippy::print_stderr, reason = "what the server wrote says why a test failed")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the server wrote:\n{}", self.log());
        }
        // A test that failed leaves nothing running; an ended process cannot be killed, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the binary to its end: exit code, standard output, standard error.
pub fn spanloom(args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(program()).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// What a server answered.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// An HTTP/1.1 connection that is kept open.
pub struct Client {
    stream: BufReader<TcpStream>,
    tenant: Option<&'static str>,
}

impl Client {
    pub fn connect(port: u16) -> std::io::Result<Self> {
        Self::connect_to("127.0.0.1", port)
    }

    pub fn connect_to(host: &str, port: u16) -> std::io::Result<Self> {
        let stream = TcpStream::connect((host, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self { stream: BufReader::new(stream), tenant: None })
    }

    /// From now on for this tenant.
    pub fn of(mut self, tenant: Option<&'static str>) -> Self {
        self.tenant = tenant;
        self
    }

    pub fn get(&mut self, path: &str, accept: &str) -> std::io::Result<Answer> {
        self.ask("GET", path, &[("Accept", accept)], &[])
    }

    pub fn post(&mut self, path: &str, content_type: &str, body: &[u8]) -> std::io::Result<Answer> {
        self.ask("POST", path, &[("Content-Type", content_type)], body)
    }

    /// A request with these headers.
    pub fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::io::Result<Answer> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n", body.len());
        if let Some(tenant) = self.tenant {
            head.push_str(&format!("X-Scope-OrgID: {tenant}\r\n"));
        }
        headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        head.push_str("\r\n");
        let stream = self.stream.get_mut();
        stream.write_all(&[head.as_bytes(), body].concat())?;
        self.answer()
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }

    fn answer(&mut self) -> std::io::Result<Answer> {
        let status = self.line()?;
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: Vec::new() };
        if let Some(length) = answer.header("content-length").and_then(|value| value.parse().ok()) {
            answer.body = vec![0; length];
            self.stream.read_exact(&mut answer.body)?;
        } else if answer.header("transfer-encoding") == Some("chunked") {
            loop {
                let size = usize::from_str_radix(&self.line()?, 16).unwrap_or(0);
                let from = answer.body.len();
                answer.body.resize(from + size, 0);
                self.stream.read_exact(&mut answer.body[from..])?;
                self.line()?;
                if size == 0 {
                    break;
                }
            }
        }
        Ok(answer)
    }

    /// The ids of a trace's spans, in the order answered; empty when there is no such trace.
    pub fn span_ids(&mut self, id: TraceId) -> Vec<SpanId> {
        let answer = self.get(&format!("/api/traces/{id}"), "application/protobuf").unwrap();
        match answer.status {
            200 => span_ids(answer.body),
            404 => Vec::new(),
            status => panic!("{id}: {status} {}", String::from_utf8_lossy(&answer.body)),
        }
    }
}

/// The ids of the spans in OTLP bytes.
pub fn span_ids(bytes: Vec<u8>) -> Vec<SpanId> {
    let batch = slice(Bytes::from(bytes), &SliceLimits::default()).unwrap();
    let id = |body| {
        let mut fields = view::SpanFields::new(body);
        while let Some(field) = fields.next().unwrap() {
            if let view::SpanField::SpanId(id) = field {
                return SpanId(id.try_into().unwrap());
            }
        }
        panic!("a span without an id")
    };
    batch.spans().iter().map(|span| id(batch.get(span.body))).collect()
}
