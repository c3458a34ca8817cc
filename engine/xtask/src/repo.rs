//! The repository: its root, its files, and running a command in it.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A file of the repository, read as text.
#[derive(Debug, Clone)]
pub struct TextFile {
    /// Path from the root, with `/`.
    pub path: String,
    /// The whole text.
    pub text: String,
}

/// The repository on disk.
pub struct Repo {
    /// The folder with the workspace's `Cargo.toml`.
    pub root: PathBuf,
}

impl Repo {
    /// The repository that this program was built from.
    pub fn find() -> Result<Self, String> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here.ancestors().nth(2).ok_or("engine/xtask does not lie two folders below a root")?;
        Ok(Self { root: root.to_path_buf() })
    }

    /// Where builds go.
    pub fn target(&self) -> PathBuf {
        match std::env::var_os("CARGO_TARGET_DIR") {
            Some(dir) => self.root.join(dir),
            None => self.root.join("target"),
        }
    }

    /// `cargo`, the one that runs us.
    pub fn cargo(&self) -> Cmd {
        Cmd::new(self, std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }

    /// Any other program.
    pub fn command(&self, program: impl Into<OsString>) -> Cmd {
        Cmd::new(self, program.into())
    }

    /// The files that belong to the repository (kept by git, or new and not ignored), those that are text.
    pub fn text_files(&self) -> Result<Vec<TextFile>, String> {
        let mut files = Vec::new();
        for path in self.paths()? {
            // Not there any more, a link to a folder, or not text: no law speaks of those.
            let Ok(bytes) = std::fs::read(self.root.join(&path)) else { continue };
            let Ok(text) = String::from_utf8(bytes) else { continue };
            files.push(TextFile { path, text });
        }
        Ok(files)
    }

    fn paths(&self) -> Result<Vec<String>, String> {
        let listed = self
            .command("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"])
            .output();
        let mut paths: Vec<String> = match listed {
            Ok(text) => text.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect(),
            Err(_) => walk(&self.root)?, // an unpacked archive has no git
        };
        paths.sort();
        Ok(paths)
    }
}

/// All files below the root, but for the folders that git would ignore.
fn walk(root: &Path) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let dir = root.join(&folder);
        let entries =
            std::fs::read_dir(&dir).map_err(|e| format!("cannot list {}: {e}", folder.display()))?;
        for entry in entries {
            let entry = entry.map_err(|e| format!("cannot list {}: {e}", folder.display()))?;
            let name = entry.file_name();
            let path = folder.join(&name);
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_dir && !matches!(name.to_str(), Some("target" | ".git" | "node_modules" | "spanloom-data"))
            {
                folders.push(path);
            } else if !is_dir {
                found.push(path.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    Ok(found)
}

/// A command that runs at the root of the repository.
pub struct Cmd {
    command: Command,
    shown: String,
}

impl Cmd {
    fn new(repo: &Repo, program: OsString) -> Self {
        let shown = Path::new(&program).file_stem().unwrap_or(&program).to_string_lossy().into_owned();
        let mut command = Command::new(&program);
        command.current_dir(&repo.root).stdin(Stdio::null());
        // What cargo says of this program to this program: some build scripts (that of `ring`) take a change of it
        // for a reason to build anew, and with them all that depends on them.
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|n| n.starts_with("CARGO_PKG_") || n.starts_with("CARGO_MANIFEST_"))
            {
                command.env_remove(&name);
            }
        }
        if !std::io::stdout().is_terminal() {
            command
                .env("CARGO_TERM_COLOR", "never")
                .env("NO_COLOR", "1")
                .env("CARGO_TERM_PROGRESS_WHEN", "never");
        }
        Self { command, shown }
    }

    /// Adds arguments.
    pub fn args<I, S>(mut self, args: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<OsString>,
    {
        for arg in args {
            let arg = arg.into();
            self.shown.push(' ');
            self.shown.push_str(&arg.to_string_lossy());
            self.command.arg(arg);
        }
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, key: &str, value: impl Into<OsString>) -> Self {
        self.command.env(key, value.into());
        self
    }

    /// Runs in another folder.
    pub fn dir(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Runs it with our own output; an error when it cannot start or ends with a failure.
    pub fn run(mut self) -> Result<(), String> {
        println!("$ {}", self.shown);
        let status = self.command.status().map_err(|e| format!("cannot start `{}`: {e}", self.shown))?;
        if status.success() { Ok(()) } else { Err(format!("`{}` ended with {status}", self.shown)) }
    }

    /// Runs it and takes what it printed; an error holds the last of what it complained about.
    pub fn output(mut self) -> Result<String, String> {
        let output = self.command.output().map_err(|e| format!("cannot start `{}`: {e}", self.shown))?;
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            let last = complaint.trim_end().lines().last().unwrap_or("it said nothing").to_owned();
            return Err(format!("`{}` ended with {}: {last}", self.shown, output.status));
        }
        String::from_utf8(output.stdout)
            .map_err(|e| format!("`{}` printed something that is not text: {e}", self.shown))
    }
}
