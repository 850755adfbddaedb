//! What lies on the disk.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use fuseboard_core::letter::Answer;
use fuseboard_store::{Draft, Keyring, Letters, Query, Sealed, Sqlite, SqliteOptions};
use tempfile::TempDir;

use crate::{NOW, get, insert, letter, reply, ring, settle};

const SECRETS: [&str; 5] =
    ["body-of-the-letter", "Bearer abc", "x-person", "body-of-the-answer", "from-the-answer"];

fn open(folder: &TempDir, keys: Keyring) -> Sealed {
    Sealed::new(Arc::new(Sqlite::open(SqliteOptions::new(folder.path())).unwrap()), keys)
}

fn secret(key: &str) -> Draft {
    Draft {
        headers: vec![
            ("authorization".to_owned(), b"Bearer abc".to_vec()),
            ("x-person".to_owned(), b"Ada".to_vec()),
        ],
        body: b"body-of-the-letter ".repeat(1_000),
        ..letter(key)
    }
}

/// Which of the secrets are in some file of the folder, and how many bytes were looked through.
fn found_in(folder: &Path) -> (Vec<&'static str>, usize) {
    let files = fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    let bytes = files.collect::<Vec<_>>().concat();
    let has = |secret: &&str| bytes.windows(secret.len()).any(|bytes| bytes == secret.as_bytes());
    (SECRETS.into_iter().filter(has).collect(), bytes.len())
}

/// Inserts a letter that waits, and one that was answered; both with all secrets.
async fn fill(letters: &dyn Letters) {
    insert(letters, secret("done")).await;
    settle(letters, Answer::Done, reply(201, b"body-of-the-answer")).await;
    insert(letters, secret("waits")).await;
}

#[tokio::test]
async fn no_file_of_the_store_has_what_is_sealed_neither_open_nor_closed() {
    let folder = tempfile::tempdir().unwrap();
    let letters = open(&folder, ring("k", 1));
    fill(&letters).await;
    let (found, looked_at) = found_in(folder.path());
    assert!(folder.path().join("letters.db-wal").exists(), "the log is among the files");
    assert!(found.is_empty() && looked_at > 50_000, "{found:?} in {looked_at} bytes");
    letters.close().await.unwrap();
    drop(letters);
    let (found, looked_at) = found_in(folder.path());
    assert!(found.is_empty() && looked_at > 50_000, "{found:?} in {looked_at} bytes");

    let in_clear = tempfile::tempdir().unwrap();
    let letters = open(&in_clear, Keyring::none());
    fill(&letters).await;
    assert_eq!(found_in(in_clear.path()).0, SECRETS, "the search finds what is there");
}

#[tokio::test]
async fn the_next_start_with_the_same_key_reads_everything() {
    let folder = tempfile::tempdir().unwrap();
    let letters = open(&folder, ring("k", 1));
    letters.check_keys(&[], NOW).await.unwrap();
    fill(&letters).await;
    letters.close().await.unwrap();
    drop(letters);

    let letters = open(&folder, ring("k", 1));
    letters.check_keys(&[], NOW).await.unwrap();
    let listed = letters.list(Query::default()).await.unwrap();
    let sizes: Vec<_> = listed.iter().map(|summary| summary.body_length).collect();
    assert_eq!(sizes, [19_000, 19_000], "the bodies' own lengths");
    assert!(listed.iter().all(|summary| summary.sealed_by.as_deref() == Some("k")));
    let done = get(&letters, listed[0].id).await;
    assert_eq!((done.headers, done.body), (secret("").headers, secret("").body));
    assert_eq!(done.answer, Some(reply(201, b"body-of-the-answer")));
}
