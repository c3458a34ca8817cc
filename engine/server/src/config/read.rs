//! Text to configuration: environment filled in, YAML read, the unknown named with its nearest neighbour.

use std::path::Path;

use super::keys::{Config, sections};

/// Why a configuration cannot be used. Nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {path} cannot be read: {source}")]
    File {
        /// Its path.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// `${NAME}` of a variable that is not set, without a default.
    #[error(
        "line {line}: the environment variable {name} is not set and has no default (${{{name}:-default}})"
    )]
    Unset {
        /// The variable.
        name: String,
        /// Where it is used.
        line: usize,
    },
    /// `${` without its end.
    #[error("line {line}: ${{ without a closing brace")]
    Open {
        /// Where.
        line: usize,
    },
    /// Not YAML, an unknown key, or a value of the wrong type.
    #[error("{0}")]
    Yaml(String),
    /// Values that do not go together.
    #[error("{key} is {found}, expected {expected}")]
    Value {
        /// The key's path.
        key: &'static str,
        /// What it says.
        found: String,
        /// What it may say.
        expected: String,
    },
}

/// Reads a file.
pub fn from_file(path: &Path) -> Result<Config, ConfigError> {
    let failed = |source| ConfigError::File { path: path.display().to_string(), source };
    from_text(&std::fs::read_to_string(path).map_err(failed)?, |name| std::env::var(name).ok())
}

/// Reads a text, with `environment` to look variables up.
pub fn from_text(text: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Config, ConfigError> {
    let text = expand(text, environment)?;
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Config::default());
    }
    serde_saphyr::from_str(&text).map_err(|error| ConfigError::Yaml(with_nearest(error.to_string())))
}

fn expand(text: &str, environment: impl Fn(&str) -> Option<String>) -> Result<String, ConfigError> {
    let mut out = String::with_capacity(text.len());
    for (at, line) in text.split_inclusive('\n').enumerate() {
        let number = at + 1;
        // What is commented out needs no variables.
        if line.trim_start().starts_with('#') {
            out.push_str(line);
            continue;
        }
        let mut rest = line;
        while let Some(start) = rest.find("${") {
            out.push_str(&rest[..start]);
            let inner = &rest[start + 2..];
            let end = inner.find('}').ok_or(ConfigError::Open { line: number })?;
            let (name, default) = match inner[..end].split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (&inner[..end], None),
            };
            let value = environment(name).filter(|value| default.is_none() || !value.is_empty());
            let unset = || ConfigError::Unset { name: name.to_owned(), line: number };
            out.push_str(&value.or(default.map(str::to_owned)).ok_or_else(unset)?);
            rest = &inner[end + 1..];
        }
        out.push_str(rest);
    }
    Ok(out)
}

/// Adds "did you mean" to an error about an unknown key.
fn with_nearest(message: String) -> String {
    let Some(unknown) = message.split("unknown field `").nth(1).and_then(|rest| rest.split('`').next())
    else {
        return message;
    };
    let keys = sections();
    let names = keys.iter().flat_map(|(section, keys)| {
        let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
        std::iter::once(((*section).to_owned(), (*section).to_owned()))
            .chain(keys.iter().map(move |key| (last(&key.path), key.path.clone())))
    });
    let nearest = names.filter(|(name, _)| !name.is_empty()).min_by_key(|(name, _)| distance(unknown, name));
    match nearest {
        Some((name, path)) if distance(unknown, &name) <= unknown.len() / 2 + 1 => {
            format!("{message}\ndid you mean `{path}`?")
        }
        _ => message,
    }
}

/// Edit distance: insertions, deletions and replacements between two words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, &str>) {
        let environment = |name: &str| (name == "DIR").then(|| "/data".to_owned());
        let got = from_text(text, environment).map(|c| format!("{} {}", c.data_dir, c.memory.budget));
        match (got, expected) {
            (Ok(got), Ok(expected)) => assert_eq!(got, expected, "{text}"),
            (Err(got), Err(expected)) => {
                assert!(got.to_string().contains(expected), "{text}: {got}");
            }
            (got, _) => panic!("{text}: {got:?}"),
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        check("", Ok("./spanloom-data 384MiB"));
        check("# nothing\n", Ok("./spanloom-data 384MiB"));
        check("data_dir: ${DIR}/x", Ok("/data/x 384MiB"));
        check("data_dir: ${NONE:-y}", Ok("y 384MiB"));
        check("memory:\n  budget: 1GiB", Ok("./spanloom-data 1GiB"));
        check("# ${NONE}\nmemory: {budget: 100000000}", Ok("./spanloom-data 100000000B"));
        check("data_dir: ${NONE}", Err("line 1: the environment variable NONE is not set"));
        check("data_dir: ${NONE", Err("line 1: ${ without a closing brace"));
        check("memory:\n  budgte: 1GiB", Err("did you mean `memory.budget`?"));
        check("recieve: {}", Err("did you mean `receive`?"));
        check("memory: {budget: 3 parsecs}", Err("is not a size, expected one like 64MiB"));
        check("query: {port: 70000}", Err("70000"));
        check("log: {durability: never}", Err("page-cache"));
        check("a: [", Err(""));
    }
}
