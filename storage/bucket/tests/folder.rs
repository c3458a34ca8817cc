//! What the folder of objects promises beyond what every store does: against other processes, after a crash, among
//! files that are none of its own.
#![allow(clippy::unwrap_used)] // these are tests

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use spanloom_bucket::objects::{Got, Objects, StoreError, Swapped, Upload};
use spanloom_bucket::store::{Limits, Place, Store, StoreConfig};

fn open(root: &Path, limits: Limits) -> Store {
    let place = Place::Folder(root.to_owned());
    Store::open(&StoreConfig { place, prefix: String::new(), limits }).unwrap()
}

fn text() -> Upload {
    Upload::Bytes("text".into())
}

#[tokio::test]
async fn what_was_left_aside_is_no_object_and_is_removed_when_it_is_old() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Limits::default());
    store.put("a/b", text()).await.unwrap();
    let aside = folder.path().join("~aside");
    let (old, young) = (aside.join("old"), aside.join("young"));
    for path in [&old, &young] {
        fs::write(path, "half").unwrap();
    }
    let days = Duration::from_secs(3 * 24 * 60 * 60);
    File::options().write(true).open(&old).unwrap().set_modified(SystemTime::now() - days).unwrap();
    let store = open(folder.path(), Limits::default());
    assert!(!old.exists() && young.exists(), "a young one may be another process's");
    assert_eq!(store.list("").await.unwrap().len(), 1);
    assert_eq!(store.folders("").await.unwrap(), ["a"]);
}

#[tokio::test]
async fn nothing_stays_aside_and_no_empty_folder() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Limits::default());
    store.put("a/b/c/d", text()).await.unwrap();
    store.put("a/e", text()).await.unwrap();
    assert_eq!(store.swap("a/e", "other".into(), None).await.unwrap(), Swapped::Conflict);
    assert!(store.put("a/e/below", text()).await.is_err(), "an object is no folder");
    assert!(store.put("a", text()).await.is_err(), "a folder is no object");
    assert_eq!(fs::read_dir(folder.path().join("~aside")).unwrap().count(), 0);
    store.delete("a/b/c/d").await.unwrap();
    assert!(!folder.path().join("a/b").exists() && folder.path().join("a/e").exists());
    store.delete("a").await.unwrap();
    assert_eq!(store.list("").await.unwrap().len(), 1, "what is no object is not deleted");
}

#[tokio::test]
async fn what_is_none_of_ours_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Limits::default());
    store.put("a/b", text()).await.unwrap();
    fs::write(folder.path().join("a/of somebody else"), "text").unwrap();
    std::os::unix::fs::symlink("/", folder.path().join("a/link")).unwrap();
    fs::create_dir_all(folder.path().join("empty/folder")).unwrap();
    assert_eq!(store.list("").await.unwrap().len(), 1);
    assert_eq!(store.folders("").await.unwrap(), ["a"]);
    assert_eq!(store.folders("a").await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_lock_that_is_held_too_long_is_an_error_and_reads_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Limits { timeout: Duration::from_millis(50), ..Limits::default() });
    store.put("a", text()).await.unwrap();
    let other = File::options().write(true).open(folder.path().join("~lock")).unwrap();
    other.lock().unwrap();
    for result in [store.put("a", text()).await, store.delete("a").await] {
        assert!(
            matches!(&result, Err(StoreError::Failed { reason, .. }) if reason.contains("~lock")),
            "{result:?}"
        );
    }
    assert!(matches!(store.get("a", None).await, Ok(Got::Object(..))));
    other.unlock().unwrap();
    store.delete("a").await.unwrap();
}

/// An empty folder, as is left when what was mounted there is gone, is not a store without objects.
#[tokio::test]
async fn another_folder_in_its_place_is_not_taken_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let (root, away, other) = (dir.path().join("store"), dir.path().join("away"), dir.path().join("other"));
    let store = open(&root, Limits::default());
    store.put("a/b", text()).await.unwrap();
    drop(open(&other, Limits::default()));
    let fails = async || {
        let errors = [
            store.get("a/b", None).await.map(drop).unwrap_err(),
            store.ranges("a/b", std::slice::from_ref(&(0..1))).await.map(drop).unwrap_err(),
            store.put("a/c", text()).await.unwrap_err(),
            store.swap("a/d", "x".into(), None).await.map(drop).unwrap_err(),
            store.list("").await.map(drop).unwrap_err(),
            store.folders("").await.map(drop).unwrap_err(),
            store.delete("a/b").await.unwrap_err(),
        ];
        errors.iter().all(|error| matches!(error, StoreError::Failed { .. })) && !store.health().is_good()
    };
    fs::rename(&root, &away).unwrap();
    assert!(fails().await, "there is none");
    fs::create_dir(&root).unwrap();
    assert!(fails().await && fs::read_dir(&root).unwrap().count() == 0, "an empty one");
    fs::remove_dir(&root).unwrap();
    fs::write(&root, "x").unwrap();
    assert!(fails().await, "a file");
    fs::remove_file(&root).unwrap();
    fs::rename(&other, &root).unwrap();
    assert!(fails().await, "another store");
    fs::rename(&root, &other).unwrap();
    fs::rename(&away, &root).unwrap();
    assert!(matches!(store.get("a/b", None).await.unwrap(), Got::Object(..)));
    // As when it is mounted anew: the folder is another one, and the store the same.
    fs::create_dir(&away).unwrap();
    for name in ["~lock", "~aside", "a"] {
        fs::rename(root.join(name), away.join(name)).unwrap();
    }
    fs::remove_dir(&root).unwrap();
    fs::rename(&away, &root).unwrap();
    assert!(matches!(store.get("a/b", None).await.unwrap(), Got::Object(..)) && store.health().is_good());
}

#[tokio::test]
async fn a_folder_that_may_not_be_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let place = Place::Folder(file.join("below"));
    let opened = Store::open(&StoreConfig { place, prefix: String::new(), limits: Limits::default() });
    assert!(matches!(opened, Err(StoreError::Failed { .. })));
}

const ROUNDS: u64 = 150;

/// Started by [`processes_lose_no_update`] as a process of its own; without the folder it has nothing to do.
#[tokio::test]
async fn one_of_the_processes() {
    let Some(root) = std::env::var_os("SPANLOOM_TEST_COUNTER") else { return };
    let store = open(Path::new(&root), Limits::default());
    for _ in 0..ROUNDS {
        loop {
            let (number, version) = match store.get("counter", None).await.unwrap() {
                Got::Object(bytes, version) => (String::from_utf8(bytes.to_vec()).unwrap(), Some(version)),
                _ => ("0".to_owned(), None),
            };
            let next = (number.parse::<u64>().unwrap() + 1).to_string();
            if store.swap("counter", next.into(), version.as_ref()).await.unwrap() != Swapped::Conflict {
                break;
            }
        }
    }
}

#[tokio::test]
async fn processes_lose_no_update() {
    const PROCESSES: u64 = 3;
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "one_of_the_processes"])
            .env("SPANLOOM_TEST_COUNTER", folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    let processes: Vec<_> = (0..PROCESSES).map(|_| start()).collect();
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    let store = open(folder.path(), Limits::default());
    let Got::Object(bytes, _) = store.get("counter", None).await.unwrap() else { panic!("no counter") };
    assert_eq!(bytes, (PROCESSES * ROUNDS).to_string());
}
