//! Who this node is, and what it knew when it last ran: two files in the data directory.
//!
//! `cluster.json` has the node's name and its tokens, so that a restart is the same node at the same places of the
//! ring. `cluster.state` has all that it knew of the cluster, in the bytes of `docs/formats/gossip.md`, "Full state":
//! whom to ask when all seeds have moved, and who had which place though the whole cluster was stopped.
//!
//! Both are written aside, synced and renamed. One that cannot be read is set aside under another name; the node then
//! starts as a new one, and hears from the others what it was.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use spanloom_ring::{MAX_TOKENS, NodeName};
use spanloom_swim::STATE_MAX;
use spanloom_wal::disk::{RealDisk, write_file_durably};
use tokio::task::JoinHandle;

const NODE_FILE: &str = "cluster.json";
const STATE_FILE: &str = "cluster.state";

/// Largest `cluster.json` that is read: 512 tokens take 6 KB.
const NODE_FILE_MAX: u64 = 64 << 10;

/// Who this node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its name.
    pub name: NodeName,
    /// Its tokens; none before it has chosen any.
    pub tokens: Vec<u32>,
}

/// `cluster.json`.
#[derive(Debug, Serialize, Deserialize)]
struct NodeFile {
    version: u8,
    name: String,
    tokens: Vec<u32>,
}

/// The two files.
#[derive(Debug, Clone)]
pub struct Files {
    folder: PathBuf,
}

impl Files {
    /// Those of a data directory.
    pub fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Who this node is: as configured, as kept, or by the host's name. Tokens that were kept under another name are
    /// another node's.
    pub fn who(&self, configured: Option<&NodeName>) -> io::Result<Kept> {
        let kept = self.kept()?;
        match (configured, kept) {
            (Some(name), Some(kept)) if kept.name != *name => {
                tracing::warn!(
                    before = %kept.name, now = %name,
                    "this node has another name than it had: the old one keeps its place until it is forgotten"
                );
                Ok(Kept { name: name.clone(), tokens: Vec::new() })
            }
            (_, Some(kept)) => Ok(kept),
            (Some(name), None) => Ok(Kept { name: name.clone(), tokens: Vec::new() }),
            (None, None) => {
                let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
                Ok(Kept { name: name_of_host(&host), tokens: Vec::new() })
            }
        }
    }

    fn kept(&self) -> io::Result<Option<Kept>> {
        let Some(bytes) = self.read(NODE_FILE, NODE_FILE_MAX)? else { return Ok(None) };
        let parsed = serde_json::from_slice(&bytes).map_err(|error| error.to_string());
        match parsed.and_then(|file: NodeFile| file.checked()) {
            Ok(kept) => Ok(Some(kept)),
            Err(why) => {
                self.set_aside(NODE_FILE, &why)?;
                Ok(None)
            }
        }
    }

    /// Keeps who this node is.
    pub fn keep(&self, kept: &Kept) -> io::Result<()> {
        let file = NodeFile { version: 1, name: kept.name.as_str().to_owned(), tokens: kept.tokens.clone() };
        let json = serde_json::to_vec(&file)?;
        write_file_durably(&RealDisk::new(&self.folder)?, "", NODE_FILE, &[&json])
    }

    /// What was known of the cluster.
    pub fn state(&self) -> io::Result<Option<Vec<u8>>> {
        self.read(STATE_FILE, STATE_MAX as u64)
    }

    /// Keeps what is known of the cluster.
    pub fn keep_state(&self, state: &[u8]) -> io::Result<()> {
        write_file_durably(&RealDisk::new(&self.folder)?, "", STATE_FILE, &[state])
    }

    /// A state that cannot be used.
    pub fn set_state_aside(&self, why: &str) -> io::Result<()> {
        self.set_aside(STATE_FILE, why)
    }

    fn read(&self, name: &str, most: u64) -> io::Result<Option<Vec<u8>>> {
        let path = self.folder.join(name);
        match std::fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
            Ok(found) if found.len() > most => {
                self.set_aside(name, &format!("it has {} bytes, expected at most {most}", found.len()))?;
                Ok(None)
            }
            Ok(_) => std::fs::read(&path).map(Some),
        }
    }

    fn set_aside(&self, name: &str, why: &str) -> io::Result<()> {
        let aside = format!("{name}.unreadable");
        tracing::error!(file = name, why, aside, "a file of the cluster cannot be read and was set aside");
        std::fs::rename(self.folder.join(name), self.folder.join(aside))
    }
}

/// Writes the files: the node's own at once, what it knows beside the task, one write at a time.
#[derive(Debug)]
pub struct Keeper {
    files: Files,
    kept: Kept,
    writes: Option<JoinHandle<()>>,
    waits: Option<Vec<u8>>,
}

impl Keeper {
    /// `kept` is in the file already.
    pub fn new(files: Files, kept: Kept) -> Self {
        Self { files, kept, writes: None, waits: None }
    }

    /// Keeps who this node is, if that changed.
    pub fn keep(&mut self, kept: Kept) -> io::Result<()> {
        if kept != self.kept {
            self.files.keep(&kept)?;
            self.kept = kept;
        }
        Ok(())
    }

    /// Keeps what is known, in a while if another write is under way.
    pub fn keep_state(&mut self, state: Vec<u8>) {
        if self.writes.as_ref().is_some_and(|writes| !writes.is_finished()) {
            self.waits = Some(state);
            return;
        }
        self.waits = None;
        let files = self.files.clone();
        self.writes = Some(tokio::task::spawn_blocking(move || {
            if let Err(error) = files.keep_state(&state) {
                tracing::error!(%error, "what is known of the cluster cannot be kept");
            }
        }));
    }

    /// Writes what waits, if it can be written now.
    pub fn go_on(&mut self) {
        if let Some(state) = self.waits.take() {
            self.keep_state(state);
        }
    }

    /// Keeps what is known at the end; returns when it is written.
    pub async fn end(mut self, state: Vec<u8>) {
        for state in [None, Some(state)] {
            if let Some(state) = state {
                self.keep_state(state);
            }
            if let Some(writes) = self.writes.take() {
                // A write that panicked was logged.
                let _ = writes.await;
            }
        }
    }
}

impl NodeFile {
    fn checked(self) -> Result<Kept, String> {
        if self.version != 1 {
            return Err(format!("its version is {}, expected 1", self.version));
        }
        let name = NodeName::new(&self.name).map_err(|error| error.to_string())?;
        if self.tokens.len() > MAX_TOKENS || !self.tokens.is_sorted_by(|a, b| a < b) {
            return Err(format!("its tokens are not up to {MAX_TOKENS} ascending numbers"));
        }
        Ok(Kept { name, tokens: self.tokens })
    }
}

/// The host's name made a node's name: what cannot be in one becomes `-`.
#[expect(clippy::expect_used, reason = "it was made a name")]
fn name_of_host(host: &str) -> NodeName {
    let is_good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let text: String = host.chars().map(|c| if is_good(c) { c } else { '-' }).take(63).collect();
    let text = text.trim_start_matches(['-', '_', '.']);
    NodeName::new(if text.is_empty() { "spanloom" } else { text }).expect("a name")
}

/// The address of this machine from which it reaches others; of this machine alone when it reaches nobody. Nothing is
/// sent: a route is looked up.
pub fn routable(of: SocketAddr) -> IpAddr {
    // Addresses that are reserved for documentation: RFC 5737, RFC 3849.
    let (any, far, here) = match of {
        SocketAddr::V4(_) => ("0.0.0.0:0", "192.0.2.1:9", IpAddr::from([127, 0, 0, 1])),
        SocketAddr::V6(_) => ("[::]:0", "[2001:db8::1]:9", IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])),
    };
    let found = UdpSocket::bind(any).and_then(|socket| {
        socket.connect(far)?;
        socket.local_addr()
    });
    found.map_or(here, |address| address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_who_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::of(dir.path());
        let (a, b) = (NodeName::new("a").unwrap(), NodeName::new("b").unwrap());
        assert_eq!(files.who(Some(&a)).unwrap(), Kept { name: a.clone(), tokens: vec![] });
        files.keep(&Kept { name: a.clone(), tokens: vec![1, 7] }).unwrap();
        assert_eq!(files.who(None).unwrap(), Kept { name: a.clone(), tokens: vec![1, 7] });
        assert_eq!(files.who(Some(&a)).unwrap().tokens, [1, 7]);
        assert_eq!(files.who(Some(&b)).unwrap(), Kept { name: b, tokens: vec![] });
    }

    #[test]
    fn what_cannot_be_read_is_set_aside() {
        let name = NodeName::new("a").unwrap();
        for bad in
            ["", "{", r#"{"version":2,"name":"a","tokens":[]}"#, r#"{"version":1,"name":"a","tokens":[2,1]}"#]
        {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join(NODE_FILE), bad).unwrap();
            assert_eq!(Files::of(dir.path()).who(Some(&name)).unwrap().tokens, Vec::<u32>::new());
            let aside = dir.path().join("cluster.json.unreadable");
            assert_eq!(std::fs::read_to_string(aside).unwrap(), bad);
        }
    }

    #[test]
    fn a_state_comes_back_and_a_huge_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::of(dir.path());
        assert_eq!(files.state().unwrap(), None);
        files.keep_state(b"abc").unwrap();
        assert_eq!(files.state().unwrap().unwrap(), b"abc");
        std::fs::File::create(dir.path().join(STATE_FILE)).unwrap().set_len(STATE_MAX as u64 + 1).unwrap();
        assert_eq!(files.state().unwrap(), None);
        assert!(dir.path().join("cluster.state.unreadable").exists());
    }

    #[test]
    fn hosts_have_names() {
        let check = |host: &str, expected: &str| assert_eq!(name_of_host(host).as_str(), expected);
        check("ingest-0.traces.svc", "ingest-0.traces.svc");
        check("my laptop", "my-laptop");
        check("-_x", "x");
        check("", "spanloom");
        check("ä", "spanloom");
        check(&"n".repeat(300), &"n".repeat(63));
    }
}
