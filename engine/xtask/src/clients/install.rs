//! Installing the senders: an environment of Python for each set of pins that conflicts with the others, and one
//! folder of Node modules. All at once.

use std::path::{Path, PathBuf};

use crate::install;
use crate::repo::Repo;

/// The environments of Python. Each has a `NAME-requirements.txt`; their pins of protobuf, of the OpenTelemetry SDK
/// and of py-zipkin conflict.
pub const ENVIRONMENTS: [&str; 3] = ["otlp", "zipkin", "retired"];

/// Installs everything that is not there yet. `scripts` has the folders `python` and `node`.
pub fn all(repo: &Repo, scripts: &Path, home: &Path) -> Result<(), String> {
    let python = install::find_python(repo)?;
    let results = std::thread::scope(|scope| {
        let environments = ENVIRONMENTS.map(|name| {
            let python = &python;
            let pins = scripts.join("python").join(format!("{name}-requirements.txt"));
            scope.spawn(move || install::environment(repo, python, &pins, &home.join(name)))
        });
        let modules = scope.spawn(|| install::node_modules(repo, &scripts.join("node"), &home.join("node")));
        environments.into_iter().chain([modules]).map(|one| one.join()).collect::<Vec<_>>()
    });
    for result in results {
        result.map_err(|_| "an installation panicked".to_owned())??;
    }
    Ok(())
}

/// The interpreter of an environment.
pub fn interpreter(home: &Path, environment: &str) -> PathBuf {
    install::interpreter(&home.join(environment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_environment_has_its_pins() {
        let scripts = Repo::find().unwrap().root.join(super::super::SCRIPTS).join("python");
        let mut kept: Vec<String> = std::fs::read_dir(scripts)
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
            .filter_map(|name| Some(name.strip_suffix("-requirements.txt")?.to_owned()))
            .collect();
        kept.sort();
        let mut named = ENVIRONMENTS.map(str::to_owned);
        named.sort();
        assert_eq!(kept, named);
    }
}
