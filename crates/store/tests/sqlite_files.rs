//! What the SQLite store makes of the files and folders that it finds.
#![cfg(test)]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::time::{Clock, ManualClock, WallTime};
use fuseboard_store::{Letters, Sqlite, SqliteOptions, StoreError, conformance};
use rusqlite::Connection;
use tempfile::TempDir;

const NOW: WallTime = WallTime::from_unix_millis(1_000);

fn open(folder: &Path) -> Result<Sqlite, StoreError> {
    Sqlite::open(SqliteOptions { rules: conformance::rules(), ..SqliteOptions::new(folder) })
}

/// Opens a folder whose `letters.db` has these bytes, and finds that they are as they were.
fn open_with(bytes: &[u8]) -> StoreError {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("letters.db");
    fs::write(&database, bytes).unwrap();
    let error = open(folder.path()).expect_err("opened what is not ours");
    assert_eq!(fs::read(&database).unwrap(), bytes, "it was touched");
    error
}

/// A folder with a closed store of some letters in it.
async fn closed_store() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let letters = open(folder.path()).unwrap();
    for n in 0..200 {
        letters.insert(conformance::draft("payments", &n.to_string(), NOW)).await.unwrap();
    }
    letters.close().await.unwrap();
    folder
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let long = b"these are not the letters you are looking for. ".repeat(1_000);
    for bytes in [&b"?"[..], b"SQLite format 3", &long] {
        let error = open_with(bytes);
        assert!(matches!(&error, StoreError::NotOurs { path, .. } if path.ends_with("letters.db")));
        assert!(error.to_string().contains("letters.db"), "{error}");
    }
}

#[test]
fn somebody_elses_database_is_refused_and_left_alone() {
    let elsewhere = tempfile::tempdir().unwrap();
    for setting in ["PRAGMA application_id = 7", "PRAGMA user_version = 1", "SELECT 1"] {
        let path = elsewhere.path().join("theirs.db");
        let theirs = Connection::open(&path).unwrap();
        theirs.execute_batch(&format!("{setting}; CREATE TABLE IF NOT EXISTS t (n)")).unwrap();
        drop(theirs);
        let error = open_with(&fs::read(&path).unwrap());
        assert!(matches!(error, StoreError::NotOurs { .. }), "{setting}: {error}");
    }
}

#[tokio::test]
async fn a_newer_database_is_refused_by_name() {
    let folder = closed_store().await;
    let database = folder.path().join("letters.db");
    Connection::open(&database).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    match open(folder.path()) {
        Err(error @ StoreError::Newer { found: 99, known, .. }) => {
            assert!(known < 99);
            assert!(error.to_string().contains("letters.db"), "{error}");
        }
        other => panic!("not refused as newer: {other:?}"),
    }
}

#[test]
fn an_empty_file_becomes_a_store() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("letters.db"), b"").unwrap();
    open(folder.path()).unwrap();
}

#[tokio::test]
async fn a_second_owner_is_told_who_the_first_is() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path()).unwrap();
    match open(folder.path()) {
        Err(error @ StoreError::Owned { .. }) => {
            let message = error.to_string();
            assert!(message.contains(folder.path().to_str().unwrap()), "{message}");
            assert!(message.contains(&std::process::id().to_string()), "{message}");
        }
        other => panic!("two owners: {other:?}"),
    }
    first.insert(conformance::draft("payments", "k", NOW)).await.unwrap();
    first.close().await.unwrap();
    let second = open(folder.path()).unwrap();
    assert_eq!(second.counts().await.unwrap().captured, 1, "close() lets go before the drop");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    for below in [file.join("x"), file.join("x/y"), file.clone()] {
        let error = open(&below).expect_err("opened below a file");
        assert!(matches!(error, StoreError::Unwritable { .. }), "{error:?}");
        assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
    }
}

#[test]
fn a_database_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("letters.db")).unwrap();
    let error = open(folder.path()).expect_err("opened a folder as a database");
    assert!(matches!(&error, StoreError::Unwritable { path, .. } if path.ends_with("letters.db")));
}

#[tokio::test]
async fn an_orderly_close_leaves_the_database_the_lock_and_the_reserve() {
    let folder = closed_store().await;
    let mut names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["letters.db", "owner.lock", "reserve"]);
}

/// Overwrites the last page of the database, which nobody needs in order to open it.
fn damage(database: &Path) {
    let mut bytes = fs::read(database).unwrap();
    let last = bytes.len() - 4096;
    bytes[last..].fill(0x5a);
    fs::write(database, bytes).unwrap();
}

#[tokio::test]
async fn a_damaged_database_is_refused_after_a_crash() {
    let folder = closed_store().await;
    damage(&folder.path().join("letters.db"));
    // What a process that was killed leaves behind.
    fs::write(folder.path().join("owner.lock"), "4711\n").unwrap();
    let error = open(folder.path()).expect_err("opened a damaged database");
    assert!(matches!(error, StoreError::NotOurs { .. }), "{error:?}");
}

#[tokio::test]
async fn the_crash_of_the_owner_before_is_counted_at_the_clocks_time() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new());
    let options = || SqliteOptions { clock: clock.clone(), ..SqliteOptions::new(folder.path()) };
    let letters = Sqlite::open(options()).unwrap();
    let draft = conformance::draft("payments", "k", clock.wall());
    let id = letters.insert(draft).await.unwrap().id();
    letters.claim("payments", 1, Duration::from_secs(60), clock.wall()).await.unwrap();
    drop(letters);
    clock.advance(Duration::from_secs(5));

    let letters = Sqlite::open(options()).unwrap();
    let letter = letters.get(id).await.unwrap().unwrap();
    assert_eq!((letter.life.not_before, letter.updated_at), (clock.wall(), clock.wall()));
    let last = letters.history(id).await.unwrap().pop().unwrap();
    assert_eq!(last.what, "crashed: the owner of the store was restarted");
    assert_eq!(last.at, clock.wall());
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_created_is_for_its_owners_eyes_only() {
    use std::os::unix::fs::PermissionsExt;
    let above = tempfile::tempdir().unwrap();
    let folder = above.path().join("a/b");
    let letters = open(&folder).unwrap();
    letters.insert(conformance::draft("payments", "k", NOW)).await.unwrap();
    let table = [
        ("", 0o700),
        ("letters.db", 0o600),
        ("letters.db-wal", 0o600),
        ("letters.db-shm", 0o600),
        ("owner.lock", 0o600),
        ("reserve", 0o600),
    ];
    for (name, wanted) in table {
        let mode = fs::metadata(folder.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, wanted, "{name}: {mode:o}");
    }
}

#[tokio::test]
async fn the_database_is_written_through_to_the_disk() {
    let folder = closed_store().await;
    let database = Connection::open(folder.path().join("letters.db")).unwrap();
    let mode: String = database.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    let sound: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
    let orphans: i64 = database
        .query_row("SELECT COUNT(*) FROM pragma_foreign_key_check()", [], |row| row.get(0))
        .unwrap();
    assert_eq!(orphans, 0);
}
