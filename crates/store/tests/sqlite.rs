//! The contract, on SQLite; and what only a store on disk can promise.
#![cfg(test)]

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use fuseboard_core::letter::{Answer, Event, Status};
use fuseboard_core::time::WallTime;
use fuseboard_store::{
    Acquired, By, Draft, FullReason, Inserted, Leases, LetterId, Letters, Query, Settlement,
    Sqlite, SqliteOptions, StoreError, StoredAnswer, conformance,
};
use proptest::prelude::*;
use tempfile::TempDir;

#[path = "support/operations.rs"]
mod operations;

const NOW: WallTime = WallTime::from_unix_millis(1_000);

fn options(folder: &TempDir) -> SqliteOptions {
    SqliteOptions { rules: conformance::rules(), ..SqliteOptions::new(folder.path()) }
}

/// A new store, and the folder that it is in for as long as the folder is held.
fn empty() -> (TempDir, Sqlite) {
    let folder = tempfile::tempdir().unwrap();
    let letters = Sqlite::open(options(&folder)).unwrap();
    (folder, letters)
}

fn letter(key: impl ToString) -> Draft {
    conformance::draft("payments", &key.to_string(), NOW)
}

/// One test for each property that needs nothing but an empty store.
macro_rules! keeps {
    ($($property:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $property() {
            let (_folder, letters) = empty();
            conformance::$property(&letters).await;
        }
    )*};
}

fuseboard_store::each_property!(keeps);

#[tokio::test]
async fn a_full_store_says_so_and_takes_letters_again() {
    let folder = tempfile::tempdir().unwrap();
    let letters = Sqlite::open(SqliteOptions { capacity: Some(3), ..options(&folder) }).unwrap();
    conformance::a_full_store_says_so_and_takes_letters_again(&letters, 3).await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn agrees_with_the_model(operations in operations::operations()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (_folder, letters) = empty();
        runtime.block_on(conformance::agrees_with_the_model(&letters, &operations));
    }
}

#[tokio::test]
async fn what_was_kept_is_found_after_a_drop_without_close() {
    let (folder, letters) = empty();
    let draft = letter("k");
    let id = letters.insert(draft.clone()).await.unwrap().id();
    let claimed = letters.claim("payments", 1, Duration::from_secs(10), NOW).await.unwrap();
    let event = Event::Settled { fence: claimed[0].life.fence, answer: Answer::Done, draw: 0.5 };
    let settlement = Settlement { event, answer: None, note: "answered 200".to_owned() };
    letters.settle(id, settlement, NOW).await.unwrap();
    letters.insert(letter("other")).await.unwrap();
    let before = (letters.get(id).await.unwrap(), letters.history(id).await.unwrap());
    let counts = letters.counts().await.unwrap();
    drop(letters);

    let letters = Sqlite::open(options(&folder)).unwrap();
    assert_eq!((letters.get(id).await.unwrap(), letters.history(id).await.unwrap()), before);
    assert_eq!(letters.counts().await.unwrap(), counts);
    let again = letters.insert(letter("k")).await.unwrap();
    assert_eq!(again, Inserted::Same(id, draft.token, Status::Resolved));
}

#[tokio::test]
async fn the_capacity_counts_letters_from_before_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Sqlite::open(SqliteOptions { capacity: Some(2), ..options(&folder) }).unwrap();
    let letters = open();
    letters.insert(letter(1)).await.unwrap();
    letters.insert(letter(2)).await.unwrap();
    drop(letters);
    let full = open().insert(letter(3)).await;
    assert!(matches!(full, Err(StoreError::Full { .. })), "{full:?}");
}

#[tokio::test]
async fn a_new_owner_frees_every_letter_and_counts_a_crash() {
    let (folder, mut letters) = empty();
    let id = letters.insert(letter("k")).await.unwrap().id();
    for crashes in 1..=3 {
        let hour = Duration::from_secs(3_600);
        let claimed = letters.claim("payments", 1, hour, far()).await.unwrap();
        let held = claimed[0].life.fence;
        drop(letters);
        letters = Sqlite::open(options(&folder)).unwrap();
        let life = letters.get(id).await.unwrap().unwrap().life;
        assert_eq!((life.crashes, life.lease_until), (crashes, None));
        assert!(life.fence > held, "whoever held it is late");
        let status = if crashes < 3 { Status::Pending } else { Status::RequiresReview };
        assert_eq!(life.status, status);
        assert_eq!(letters.counts().await.unwrap().of(status), 1);
    }
}

#[tokio::test]
async fn a_new_owner_frees_every_named_lease() {
    let (folder, letters) = empty();
    let hour = Duration::from_secs(3_600);
    let name = || "replay".to_owned();
    let first = letters.acquire(name(), "a".to_owned(), hour, NOW).await.unwrap();
    let Acquired::Mine(old) = first else { panic!("nobody has it") };
    drop(letters);
    let letters = Sqlite::open(options(&folder)).unwrap();
    let late = letters.renew(name(), old.fence, hour, NOW).await;
    assert!(matches!(late, Err(StoreError::LeaseLost { .. })), "{late:?}");
    let second = letters.acquire(name(), "b".to_owned(), hour, NOW).await.unwrap();
    let Acquired::Mine(new) = second else { panic!("its holder is dead") };
    assert!(new.fence > old.fence);
}

/// A time at which everything that the system's clock has made due is due.
fn far() -> WallTime {
    WallTime::from_unix_millis(i64::MAX / 2)
}

#[tokio::test]
async fn calls_that_come_together_share_a_commit() {
    let (folder, letters) = empty();
    let before = letters.commits();
    // With somebody else's lock on the database the writer cannot begin, so that all calls gather behind it.
    let other = rusqlite::Connection::open(folder.path().join("letters.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut inserts: Vec<Pin<Box<dyn Future<Output = _>>>> = Vec::new();
    for n in 0..200 {
        let mut insert = letters.insert(letter(n));
        assert!(insert.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        inserts.push(insert);
        if n % 50 == 0 {
            // A task that polls more than this in one go is told to wait, without the call having been sent.
            tokio::task::yield_now().await;
        }
    }
    other.execute_batch("ROLLBACK").unwrap();
    for insert in inserts {
        let inserted: Result<Inserted, StoreError> = insert.await;
        inserted.unwrap();
    }
    assert_eq!(letters.counts().await.unwrap().captured, 200);
    assert!(letters.commits() - before <= 2, "{} commits", letters.commits() - before);
}

#[tokio::test]
async fn one_call_that_fails_does_not_spoil_those_it_shares_a_commit_with() {
    let (folder, letters) = empty();
    letters.insert(letter("taken")).await.unwrap();
    let other = rusqlite::Connection::open(folder.path().join("letters.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let reused = Draft { body: b"other".to_vec(), ..letter("taken") };
    let token = letter("x").token;
    let clash = |key: &str| Draft { token, ..letter(key) };
    let (good, reused, first, second, gone, last, ()) = tokio::join!(
        letters.insert(letter("good")),
        letters.insert(reused),
        letters.insert(clash("first")),
        letters.insert(clash("second")),
        letters.act(LetterId(99), Event::Discard, By::system(""), NOW),
        letters.insert(letter("last")),
        async { other.execute_batch("ROLLBACK").unwrap() },
    );
    assert!(matches!(good, Ok(Inserted::New(..))), "{good:?}");
    assert!(matches!(reused, Err(StoreError::KeyReused { .. })), "{reused:?}");
    assert!(matches!(first, Ok(Inserted::New(..))), "{first:?}");
    assert!(matches!(second, Err(StoreError::TokenTaken)), "{second:?}");
    assert!(matches!(gone, Err(StoreError::NotFound)), "{gone:?}");
    assert!(matches!(last, Ok(Inserted::New(..))), "{last:?}");
    assert_eq!(letters.counts().await.unwrap().captured, 4);
    assert_eq!(letters.list(Query::default()).await.unwrap().len(), 4);
}

#[tokio::test]
async fn a_read_does_not_wait_for_a_write() {
    let (folder, letters) = empty();
    let id = letters.insert(letter("k")).await.unwrap().id();
    let other = rusqlite::Connection::open(folder.path().join("letters.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut write = letters.insert(letter("waits"));
    assert!(write.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(letters.get(id).await.unwrap().is_some());
    assert_eq!(letters.counts().await.unwrap().captured, 1, "the write is still waiting");
    other.execute_batch("ROLLBACK").unwrap();
    write.await.unwrap();
}

/// A store of 1 MiB with as many letters as it takes.
async fn filled(folder: &TempDir) -> (Sqlite, Vec<LetterId>) {
    let max_bytes = Some(1 << 20);
    let letters = Sqlite::open(SqliteOptions { max_bytes, ..options(folder) }).unwrap();
    let mut ids = Vec::new();
    loop {
        let draft = Draft { body: vec![7; 10_000], ..letter(ids.len()) };
        match letters.insert(draft).await {
            Ok(inserted) => ids.push(inserted.id()),
            Err(StoreError::Full { reason }) => {
                assert_eq!(reason, FullReason::Size { max_bytes: 1 << 20 });
                assert!(ids.len() > 50, "full after {} letters", ids.len());
                return (letters, ids);
            }
            Err(other) => panic!("not refused as full: {other}"),
        }
    }
}

#[tokio::test]
async fn a_store_at_its_size_can_be_read_emptied_and_filled_again() {
    let folder = tempfile::tempdir().unwrap();
    let (letters, ids) = filled(&folder).await;
    assert_eq!(letters.get(ids[0]).await.unwrap().unwrap().body, vec![7; 10_000]);
    let lease = Duration::from_secs(60);
    for letter in letters.claim("payments", ids.len(), lease, NOW).await.unwrap() {
        let event = Event::Settled { fence: letter.life.fence, answer: Answer::Done, draw: 0.5 };
        let body = vec![7; 1_000];
        let (headers, truncated) = (Vec::new(), false);
        let answer =
            Some(StoredAnswer { status: 200, headers, body, at: NOW, truncated, sealed_by: None });
        let settlement = Settlement { event, answer, note: "answered 200".to_owned() };
        letters.settle(letter.id, settlement, NOW).await.unwrap();
    }
    assert_eq!(letters.purge(far(), 1_000).await.unwrap(), ids.len() as u64);
    letters.insert(letter("again")).await.unwrap();
    let size = std::fs::metadata(folder.path().join("letters.db")).unwrap().len();
    assert!(size <= 1 << 20, "{size} bytes");
}

#[tokio::test]
async fn a_letter_that_bursts_the_limit_does_not_spoil_those_it_shares_a_commit_with() {
    let folder = tempfile::tempdir().unwrap();
    let max_bytes = Some(1 << 20);
    let letters = Sqlite::open(SqliteOptions { max_bytes, ..options(&folder) }).unwrap();
    let other = rusqlite::Connection::open(folder.path().join("letters.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let huge = Draft { body: vec![7; 2 << 20], ..letter("huge") };
    let (before, huge, after, ()) = tokio::join!(
        letters.insert(letter("before")),
        letters.insert(huge),
        letters.insert(letter("after")),
        async { other.execute_batch("ROLLBACK").unwrap() },
    );
    let reason = FullReason::Size { max_bytes: 1 << 20 };
    assert!(matches!(huge, Err(StoreError::Full { reason: was }) if was == reason), "{huge:?}");
    for inserted in [before, after] {
        let id = inserted.unwrap().id();
        assert!(letters.get(id).await.unwrap().is_some());
    }
    assert_eq!(letters.counts().await.unwrap().captured, 2);
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_any_more_is_not_done() {
    let (folder, letters) = empty();
    let other = rusqlite::Connection::open(folder.path().join("letters.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut first = letters.insert(letter("first"));
    let mut dropped = letters.insert(letter("dropped"));
    let mut context = Context::from_waker(Waker::noop());
    assert!(first.as_mut().poll(&mut context).is_pending());
    assert!(dropped.as_mut().poll(&mut context).is_pending());
    drop(dropped);
    other.execute_batch("ROLLBACK").unwrap();
    first.await.unwrap();
    letters.insert(letter("last")).await.unwrap();
    assert_eq!(letters.counts().await.unwrap().captured, 2);
}
