//! The folder law (a crate depends only on crates in its own folder or above), the doors (heavy dependencies
//! stay in the crates named here), and roles apart.

use serde_json::Value;

use super::Violation;
use super::manifests::line_of_entry;
use crate::repo::TextFile;

/// The rooms, from the one that knows nobody to the one that may know everybody.
const ROOMS: [&str; 5] = ["storage", "cluster", "actors", "engine", "benches"];

/// Dependencies that only the named crates may have. `dir/*` is every crate of a room.
const DOORS: &[Door] = &[
    Door { names: &["foca"], crates: &["cluster/swim"], oracle: false },
    Door { names: &["memmap2"], crates: &["storage/block"], oracle: false },
    Door { names: &["object_store", "reqwest"], crates: &["storage/bucket"], oracle: false },
    Door { names: &["parquet"], crates: &["engine/export"], oracle: false },
    Door {
        names: &["rkyv"],
        crates: &["storage/span", "storage/wal", "storage/block", "cluster/peer"],
        oracle: false,
    },
    Door {
        names: &["prost", "prost-types"],
        crates: &["engine/wire", "cluster/peer", "engine/api"],
        oracle: true,
    },
    Door { names: &["opentelemetry-proto"], crates: &[], oracle: true },
    Door {
        names: &["tonic", "tonic-prost", "axum"],
        crates: &["engine/receive", "engine/api", "cluster/peer"],
        oracle: false,
    },
    Door {
        names: &["hyper", "hyper-util", "h2"],
        crates: &["engine/receive", "engine/api", "cluster/peer", "engine/load"],
        oracle: false,
    },
    // benches compares traces hosted as actors with traces hosted in a map
    Door { names: &["actix", "actix-rt"], crates: &["actors/*", "engine/server", "benches"], oracle: false },
    Door { names: &["serde", "serde_json", "serde-saphyr"], crates: &["engine/*"], oracle: false },
];

/// The roles: they meet through the questions of cluster/peer, never by importing each other. (A test may join two.)
const ROLES: [&str; 3] = ["actors/ingest", "actors/query", "actors/upkeep"];

/// Who may have a dependency.
struct Door {
    names: &'static [&'static str],
    crates: &'static [&'static str],
    /// Whether any crate's tests may have it, to compare our own readers and writers with.
    oracle: bool,
}

/// A crate of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crate {
    /// Its folder from the root, as `storage/span`.
    pub folder: String,
    /// What it depends on.
    pub dependencies: Vec<Dependency>,
}

/// One dependency of a crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Name of the package.
    pub name: String,
    /// Folder from the root, when it is a crate of ours.
    pub folder: Option<String>,
    /// Whether only tests, benches and examples have it.
    pub dev: bool,
}

/// Reads what `cargo metadata --no-deps` prints.
pub fn parse(metadata: &str) -> Result<Vec<Crate>, String> {
    let json: Value =
        serde_json::from_str(metadata).map_err(|e| format!("cannot read cargo metadata: {e}"))?;
    let root = json["workspace_root"].as_str().ok_or("cargo metadata names no workspace_root")?;
    let folder_of = |path: &str| -> Option<String> {
        Some(path.strip_prefix(root)?.trim_start_matches(['/', '\\']).replace('\\', "/"))
    };
    let mut crates = Vec::new();
    for package in json["packages"].as_array().ok_or("cargo metadata names no packages")? {
        let manifest = package["manifest_path"].as_str().ok_or("a package without a manifest_path")?;
        let folder =
            folder_of(manifest).ok_or_else(|| format!("{manifest} lies outside of the workspace"))?;
        let folder = folder.trim_end_matches("Cargo.toml").trim_end_matches('/').to_owned();
        let listed = package["dependencies"].as_array().ok_or("a package without dependencies")?;
        let dependencies = listed.iter().map(|dependency| Dependency {
            name: dependency["name"].as_str().unwrap_or_default().to_owned(),
            folder: dependency["path"].as_str().and_then(folder_of),
            dev: dependency["kind"] == "dev",
        });
        crates.push(Crate { folder, dependencies: dependencies.collect() });
    }
    Ok(crates)
}

/// Checks all crates.
pub fn check(crates: &[Crate], files: &[TextFile]) -> Vec<Violation> {
    let mut found = Vec::new();
    for one in crates {
        let path = format!("{}/Cargo.toml", one.folder);
        let manifest = files.iter().find(|file| file.path == path).map_or("", |file| &file.text);
        if rank(&one.folder).is_none() {
            let text = format!("a crate in `{}`, expected it in {}", one.folder, ROOMS.join("/, ") + "/");
            found.push(Violation::new(&path, 1, text));
        }
        for dependency in &one.dependencies {
            let line = line_of_entry(manifest, &dependency.name);
            let broken = [folder_law(one, dependency), door_law(one, dependency), role_law(one, dependency)];
            found.extend(broken.into_iter().flatten().map(|text| Violation::new(&path, line, text)));
        }
    }
    found
}

fn rank(folder: &str) -> Option<usize> {
    let room = folder.split('/').next()?;
    ROOMS.iter().position(|known| *known == room)
}

fn folder_law(one: &Crate, dependency: &Dependency) -> Option<String> {
    let folder = dependency.folder.as_ref()?;
    let (own, theirs) = (rank(&one.folder)?, rank(folder)?);
    (theirs > own).then(|| {
        let allowed = ROOMS[..=own].join("/, ");
        format!("{} depends on {folder}, expected only crates of {allowed}/", one.folder)
    })
}

fn door_law(one: &Crate, dependency: &Dependency) -> Option<String> {
    let door = DOORS.iter().find(|door| door.names.contains(&dependency.name.as_str()))?;
    let in_room = |allowed: &str| {
        allowed
            .strip_suffix("/*")
            .is_some_and(|room| one.folder.strip_prefix(room).is_some_and(|r| r.starts_with('/')))
    };
    let allowed = door.crates.iter().any(|allowed| *allowed == one.folder || in_room(allowed));
    if allowed || (door.oracle && dependency.dev) {
        return None;
    }
    let named = if door.crates.is_empty() { "tests".to_owned() } else { door.crates.join(", ") };
    Some(format!("{} depends on {}, expected it only in {named}", one.folder, dependency.name))
}

fn role_law(one: &Crate, dependency: &Dependency) -> Option<String> {
    let folder = dependency.folder.as_deref()?;
    let apart = !dependency.dev
        && ROLES.contains(&one.folder.as_str())
        && ROLES.contains(&folder)
        && one.folder != folder;
    apart.then(|| format!("{} depends on {folder}, expected roles to meet through cluster/peer", one.folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One crate in `folder` that has one dependency; says what the laws say of it.
    fn verdict(folder: &str, name: &str, path: Option<&str>, dev: bool) -> Vec<String> {
        let dependency = Dependency { name: name.into(), folder: path.map(str::to_owned), dev };
        let one = Crate { folder: folder.into(), dependencies: vec![dependency] };
        let text = format!("[package]\nname = \"x\"\n\n[dependencies]\n{name}.workspace = true\n");
        let files = [TextFile { path: format!("{folder}/Cargo.toml"), text }];
        check(&[one], &files).iter().map(Violation::to_string).collect()
    }

    #[track_caller]
    fn ours(from: &str, to: &str, expected: &[&str]) {
        for dev in [false, true] {
            assert_eq!(verdict(from, "x", Some(to), dev), expected, "{from} -> {to}, dev {dev}");
        }
    }

    #[track_caller]
    fn door(folder: &str, name: &str, dev: bool, open: bool) {
        assert_eq!(verdict(folder, name, None, dev).is_empty(), open, "{folder} -> {name}, dev {dev}");
    }

    #[test]
    fn folder_law_looks_up_only() {
        ours("storage/block", "storage/span", &[]);
        ours("engine/server", "storage/span", &[]);
        ours("benches", "engine/server", &[]);
        ours(
            "storage/wal",
            "cluster/ring",
            &[
                "storage/wal/Cargo.toml:5: storage/wal depends on cluster/ring, expected only crates of storage/",
            ],
        );
        ours(
            "actors/ingest",
            "engine/wire",
            &[
                "actors/ingest/Cargo.toml:5: actors/ingest depends on engine/wire, expected only crates of storage/, cluster/, actors/",
            ],
        );
        assert_eq!(verdict("engine/server", "x", Some("benches/walk"), false).len(), 1);
    }

    #[test]
    fn a_crate_lies_in_a_room() {
        let found = verdict("tools/thing", "bytes", None, false);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("a crate in `tools/thing`"), "{found:?}");
    }

    #[test]
    fn doors() {
        for (name, inside, outside) in [
            ("foca", "cluster/swim", "cluster/peer"),
            ("memmap2", "storage/block", "storage/wal"),
            ("object_store", "storage/bucket", "actors/upkeep"),
            ("reqwest", "storage/bucket", "engine/server"),
            ("rkyv", "storage/wal", "storage/bucket"),
            ("prost", "engine/wire", "engine/server"),
            ("tonic", "cluster/peer", "engine/server"),
            ("axum", "engine/api", "engine/load"),
            ("hyper", "engine/load", "engine/server"),
            ("actix", "actors/query", "engine/api"),
            ("serde_json", "engine/xtask", "storage/span"),
        ] {
            door(inside, name, false, true);
            door(outside, name, false, false);
        }
        door("storage/span", "prost", true, true);
        door("storage/span", "opentelemetry-proto", true, true);
        door("engine/wire", "opentelemetry-proto", false, false);
        door("storage/span", "serde_json", true, false);
        door("enginery/x", "serde", false, false);
    }

    #[test]
    fn roles_are_apart() {
        assert_eq!(verdict("actors/query", "x", Some("actors/ingest"), false).len(), 1);
        assert_eq!(verdict("actors/query", "x", Some("actors/ingest"), true).len(), 0);
        assert_eq!(verdict("actors/query", "x", Some("actors/stage"), false).len(), 0);
    }

    #[test]
    fn metadata_is_read() {
        let metadata = r#"{"workspace_root":"/r","packages":[{"manifest_path":"/r/storage/wal/Cargo.toml",
            "dependencies":[{"name":"bytes","kind":null},{"name":"spanloom-span","kind":"dev","path":"/r/storage/span"}]}]}"#;
        let expected = Crate {
            folder: "storage/wal".into(),
            dependencies: vec![
                Dependency { name: "bytes".into(), folder: None, dev: false },
                Dependency { name: "spanloom-span".into(), folder: Some("storage/span".into()), dev: true },
            ],
        };
        assert_eq!(parse(metadata).unwrap(), [expected]);
        assert!(parse("{}").is_err());
    }
}
