//! What the operating system says of the server's process: CPU time, memory, and the size of its files.

use std::path::Path;

use serde::Serialize;

/// Memory of a process in bytes, from `/proc/PID/status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Memory {
    /// Most that was ever resident (`VmHWM`), mapped files included.
    pub peak: u64,
    /// Resident and its own (`RssAnon`).
    pub anonymous: u64,
    /// Resident pages of mapped files (`RssFile`), which the kernel can take back.
    pub file: u64,
}

/// CPU seconds that a process has used, in its own code and in the kernel. None when it does not exist.
pub fn cpu_seconds(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let ticks = cpu_ticks(&stat)?;
    Some(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// `utime` and `stime`, fields 14 and 15. The second field is a name that may hold anything, so counting
/// begins behind its closing bracket.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let rest = &stat[stat.rfind(')')? + 1..];
    let mut fields = rest.split_ascii_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// Memory that a process uses. None when it does not exist.
pub fn memory(pid: u32) -> Option<Memory> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(parse_memory(&status))
}

fn parse_memory(status: &str) -> Memory {
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|rest| rest.split_ascii_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
    };
    Memory { peak: field("VmHWM"), anonymous: field("RssAnon"), file: field("RssFile") }
}

/// Bytes of all files below a folder; what vanishes meanwhile or cannot be read counts as nothing.
pub fn folder_bytes(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => folder_bytes(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_texts_are_read() {
        let stat = "42 (a) b) c) S 1 42 42 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 8 0 1 2 3";
        assert_eq!(cpu_ticks(stat), Some(300));
        assert_eq!(cpu_ticks("42"), None);
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nRssAnon:\t  1024 kB\nRssFile:\t 512 kB\n";
        assert_eq!(parse_memory(status), Memory { peak: 2 << 20, anonymous: 1 << 20, file: 512 << 10 });
    }

    #[test]
    fn this_process_is_measured() {
        let me = std::process::id();
        assert!(cpu_seconds(me).is_some() && memory(me).is_some_and(|m| m.peak > 0));
        assert_eq!(cpu_seconds(u32::MAX), None);
    }

    #[test]
    fn files_are_summed_below_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("inner")).unwrap();
        std::fs::write(folder.path().join("a"), [0; 10]).unwrap();
        std::fs::write(folder.path().join("inner/b"), [0; 32]).unwrap();
        assert_eq!(folder_bytes(folder.path()), 42);
        assert_eq!(folder_bytes(&folder.path().join("absent")), 0);
    }
}
