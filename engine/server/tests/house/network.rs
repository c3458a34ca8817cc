//! Hosts on a network of their own, within this machine: each has its addresses and ports to itself, and ways between
//! them can be cut. Seen from the test, which is their router.
//!
//! Making one takes a right that not everybody has (root's), and `ip`, `unshare` and `nsenter`.

use std::process::{Child, Command, Stdio};

/// Set in the process that has a network of its own.
const INSIDE: &str = "SPANLOOM_TEST_NETWORK";

/// Whether this process has a network of its own. If not, the test of this name is run in a process that has, if such
/// can be made here, and has passed when this returns.
#[allow(clippy::print_stdout, reason = "what was left out is what one wants to know")]
pub fn is_inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    // All that the network below needs.
    let trial =
        "ip link add v0 type veth peer name v1 && ip rule add to 10.1.1.1 blackhole && nsenter --version";
    let tried = Command::new("unshare").args(["--net", "sh", "-c", trial]).output();
    if !tried.is_ok_and(|tried| tried.status.success()) {
        println!("left out: no network can be made here");
        return false;
    }
    let this = std::env::current_exe().unwrap();
    let mut inside = Command::new("unshare");
    inside.arg("--net").arg(this).args([test, "--exact", "--nocapture"]).env(INSIDE, "1");
    assert!(inside.status().unwrap().success(), "it failed in a network of its own");
    false
}

/// Hosts, by their numbers from 0 on. They go with this.
#[derive(Default)]
pub struct Network {
    /// A process of each host, which ends when its input does.
    hosts: Vec<Child>,
}

/// Runs a command to its end.
fn run(command: &str) {
    let words: Vec<&str> = command.split_whitespace().collect();
    let ran = Command::new(words[0]).args(&words[1..]).output().unwrap();
    assert!(ran.status.success(), "{command}: {}", String::from_utf8_lossy(&ran.stderr));
}

impl Network {
    /// A router without hosts.
    pub fn new() -> Self {
        run("ip link set lo up");
        // Of this network alone.
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        Self::default()
    }

    /// The address of a host.
    pub fn address(host: usize) -> String {
        format!("10.99.{host}.1")
    }

    /// Adds the next host.
    pub fn add(&mut self) {
        let host = self.hosts.len();
        let mut holder = Command::new("unshare");
        holder.args(["--net", "sh", "-c", "echo here && exec cat"]);
        let mut holder = holder.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = [0; 5];
        std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut line).unwrap();
        let pid = holder.id();
        self.hosts.push(holder);
        run(&format!("ip link add v{host} type veth peer name e0 netns {pid}"));
        run(&format!("ip addr add 10.99.{host}.254/24 dev v{host}"));
        run(&format!("ip link set v{host} up"));
        let there = self.within(host).join(" ");
        run(&format!("{there} ip link set lo up"));
        run(&format!("{there} ip addr add {}/24 dev e0", Self::address(host)));
        run(&format!("{there} ip link set e0 up"));
        run(&format!("{there} ip route add default via 10.99.{host}.254"));
    }

    /// What runs a program on a host: it is put before it.
    pub fn within(&self, host: usize) -> Vec<String> {
        vec!["nsenter".to_owned(), format!("--net=/proc/{}/ns/net", self.hosts[host].id())]
    }

    /// From now on nothing of what one host sends arrives at the other. Nobody is told.
    pub fn cut(&self, from: usize, to: usize) {
        run(&format!("ip rule add from {} to {} blackhole", Self::address(from), Self::address(to)));
    }

    /// Ends a [`Network::cut`].
    pub fn mend(&self, from: usize, to: usize) {
        run(&format!("ip rule del from {} to {} blackhole", Self::address(from), Self::address(to)));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for host in &mut self.hosts {
            // Its input ends with this, so it would end anyway.
            let _ = host.kill();
            let _ = host.wait();
        }
    }
}
