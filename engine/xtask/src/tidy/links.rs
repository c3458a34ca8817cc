//! Links in Markdown: every relative link leads to a file of the repository, and its `#part` to a heading there.

use super::Violation;
use crate::repo::TextFile;

/// Checks all Markdown files.
pub fn check(files: &[TextFile]) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        for (line, target) in links(&file.text) {
            if let Some(text) = broken(files, &file.path, target) {
                found.push(Violation::new(&file.path, line, text));
            }
        }
    }
    found
}

/// Why a link leads nowhere.
fn broken(files: &[TextFile], from: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, part) = target.split_once('#').unwrap_or((target, ""));
    let to = if path.is_empty() { Some(from.to_owned()) } else { resolve(from, path) };
    let missing = || Some(format!("the link `{target}` leads nowhere, expected a file of the repository"));
    let Some(to) = to else { return missing() };
    let folder = format!("{to}/");
    match files.iter().find(|file| file.path == to) {
        None if to.is_empty() || files.iter().any(|file| file.path.starts_with(&folder)) => None,
        None => missing(),
        Some(file) if part.is_empty() || !to.ends_with(".md") || headings(&file.text).any(|h| h == part) => {
            None
        }
        Some(_) => Some(format!("the link `{target}` names a part that is no heading of {to}")),
    }
}

/// The path from the root that a link in `from` means; `None` when it climbs out of the repository.
fn resolve(from: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// Line and target of every link outside of code.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        let mut at = 0;
        while let Some(open) = line[at..].find("](").map(|open| at + open + 2) {
            let Some(close) = line[open..].find(')').map(|close| open + close) else { break };
            let in_code = line[..open].matches('`').count() % 2 == 1;
            if !in_code {
                found.push((number, line[open..close].split(' ').next().unwrap_or_default()));
            }
            at = close;
        }
        if let Some((name, target)) = line.split_once("]: ").filter(|(name, _)| name.starts_with('[')) {
            found.extend((!name.contains(']')).then_some((number, target.trim())));
        }
    }
    found
}

/// The headings of a page, as links spell them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    prose(text).filter(|(_, line)| line.starts_with('#')).map(|(_, line)| {
        let kept =
            line.trim_start_matches('#').trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    })
}

/// The lines that are not in a fenced block, numbered from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((at + 1, line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn verdict(line: &str, broken: bool) {
        let page = |path: &str, text: &str| TextFile { path: path.into(), text: text.into() };
        let files = [
            page("README.md", "# Top\n"),
            page("docs/a.md", &format!("# The house\n{line}\n")),
            page("docs/b.md", "## Stop 1: receive\n```\n# no heading\n```\n"),
            page("src/lib.rs", ""),
        ];
        let found = check(&files);
        assert_eq!(found.len(), usize::from(broken), "{line}: {found:?}");
        assert!(found.iter().all(|v| v.file == "docs/a.md" && v.line == 2));
    }

    #[test]
    fn links_lead_somewhere() {
        for good in [
            "[b](b.md)",
            "[b](./b.md#stop-1-receive) and [top](../README.md)",
            "[a](#the-house)",
            "[a folder](../src)",
            "[a folder](../src/)",
            "[x](https://example.org/none.md)",
            "`[x](none.md)`",
            "[b]: b.md",
            "[b](b.md \"a title\")",
        ] {
            verdict(good, false);
        }
        for bad in [
            "[c](c.md)",
            "[b](b.md) [c](c.md)",
            "[b](docs/b.md)",
            "[out](../../x.md)",
            "[b](b.md#no-heading)",
            "[a](#nothing)",
            "[b]: c.md",
        ] {
            verdict(bad, true);
        }
    }
}
