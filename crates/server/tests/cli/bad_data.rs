//! Data folders that a server cannot use: each ends it with 2 and one message that names the folder and what is wrong.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::process::Serving;
use crate::run;

const UPSTREAM: &str = r#"
[upstreams.payments]
endpoints = ["http://127.0.0.1:9"]

[[routes]]
path = "/"
upstream = "payments"
"#;

/// The database of a server that has come and gone.
fn database(folder: &TempDir) -> PathBuf {
    let mut serving = Serving::start(folder, UPSTREAM);
    assert!(serving.stops());
    folder.path().join("data/letters.db")
}

/// Where SQLite keeps what its user calls the version: 4 bytes, big end first.
fn set_version(database: &Path, version: u32) {
    let mut bytes = fs::read(database).unwrap();
    bytes[60..64].copy_from_slice(&version.to_be_bytes());
    fs::write(database, bytes).unwrap();
}

fn refused(data: &Path, expected: &[&str]) {
    let addresses = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let data = data.to_str().unwrap();
    let arguments = ["serve", "--upstream", "http://127.0.0.1:9", "--data", data];
    let (code, _, message) = run(&[&arguments[..], &addresses[..]].concat());
    assert_eq!(code, Some(2), "{message}");
    assert!(message.starts_with("fuseboard: server.data: "), "{message}");
    assert_eq!(message.trim_end().lines().count(), 1, "{message}");
    for words in expected {
        assert!(message.contains(words), "`{words}` is not in: {message}");
    }
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(&folder);
    set_version(&database, 7);
    let before = fs::read(&database).unwrap();
    let expected = ["letters.db", "version 7", "knows up to 2", "start the newer Fuseboard"];
    refused(database.parent().unwrap(), &expected);
    assert_eq!(fs::read(&database).unwrap(), before);
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("letters.db");
    fs::write(&database, "these are not letters, and long enough to be looked at".repeat(100))
        .unwrap();
    refused(folder.path(), &["letters.db", "is not a sound Fuseboard database"]);
    assert!(fs::read(&database).unwrap().starts_with(b"these are not letters"));
}

#[test]
fn a_folder_that_another_server_has_is_named_with_its_process() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(&folder, UPSTREAM);
    refused(&folder.path().join("data"), &["in use by process"]);
    drop(serving);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    refused(
        &file.join("data"),
        &["cannot write", "expected a folder that this process may write to"],
    );
}
