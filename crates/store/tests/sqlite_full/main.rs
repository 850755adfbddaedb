//! A full disk: new letters are refused, the others are replayed, and room is taken again when there is some.
#![cfg(test)]
#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::letter::{Answer, Event, Status};
use fuseboard_core::time::{ManualClock, WallTime};
use fuseboard_store::{
    Audit, AuditQuery, By, Draft, FullReason, Inserted, LetterId, Letters, Settlement, Sqlite,
    SqliteOptions, StoreError, StoredAnswer, conformance,
};
use tokio::task::JoinSet;

mod disk;

use disk::Disk;

const NOW: WallTime = WallTime::from_unix_millis(1_000);
/// A time at which everything that the system's clock has made due is due.
const LATER: WallTime = WallTime::from_unix_millis(i64::MAX / 2);
const LEASE: Duration = Duration::from_secs(60);
const RESERVE: u64 = 4 << 20;

/// Set for the process that is to be killed: the folder of its store.
const FOLDER: &str = "FUSEBOARD_TEST_FOLDER";

fn letter(key: impl ToString, size: usize) -> Draft {
    let draft = conformance::draft("payments", &key.to_string(), NOW);
    Draft { body: vec![7; size], ..draft }
}

fn is_full(error: &StoreError) -> bool {
    let reason = match error {
        StoreError::Full { reason } => reason,
        _ => return false,
    };
    matches!(reason, FullReason::Disk | FullReason::Size { .. })
}

/// Inserts letters of `size` bytes, `together` at a time, until none of a round is taken; returns those that were.
async fn fill(letters: &Arc<Sqlite>, size: usize, together: usize) -> BTreeSet<LetterId> {
    let mut kept = BTreeSet::new();
    for round in 0.. {
        let mut inserts = JoinSet::new();
        for n in 0..together {
            let letters = letters.clone();
            let draft = letter(format!("{round}-{n}"), size);
            inserts.spawn(async move { letters.insert(draft).await });
        }
        let before = kept.len();
        for inserted in inserts.join_all().await {
            match inserted {
                Ok(inserted) => drop(kept.insert(inserted.id())),
                Err(error) => assert!(is_full(&error), "not refused as full: {error}"),
            }
        }
        if kept.len() == before {
            break;
        }
    }
    kept
}

fn settlement(fence: u64) -> Settlement {
    let event = Event::Settled { fence, answer: Answer::Done, draw: 0.5 };
    let (headers, body) = (vec![("x-raw".to_owned(), vec![0xff; 100])], vec![9; 3_000]);
    let answer =
        StoredAnswer { status: 201, headers, body, at: NOW, truncated: false, sealed_by: None };
    Settlement { event, answer: Some(answer), note: "answered 201".to_owned() }
}

/// Claims and resolves everything, `together` at a time, and returns what was resolved.
async fn drain(letters: &Arc<Sqlite>, together: usize) -> BTreeSet<LetterId> {
    let mut done = BTreeSet::new();
    loop {
        let claimed = letters.claim("payments", together, LEASE, LATER).await.unwrap();
        if claimed.is_empty() {
            return done;
        }
        let mut settling = JoinSet::new();
        for letter in claimed {
            let letters = letters.clone();
            settling.spawn(async move {
                let life = letters.settle(letter.id, settlement(letter.life.fence), LATER).await;
                (letter.id, life.unwrap().status)
            });
        }
        for (id, status) in settling.join_all().await {
            assert_eq!(status, Status::Resolved);
            assert!(done.insert(id), "{id} was resolved twice");
        }
    }
}

#[tokio::test]
async fn a_full_disk_refuses_letters_and_lets_those_it_has_be_replayed() {
    // The size of a body, how many are inserted at a time, and how many are replayed at a time.
    for (size, inserts, replays) in
        [(200, 250, 200), (3_000, 64, 16), (100_000, 3, 1), (600_000, 8, 4)]
    {
        let disk = Disk::mount();
        let clock = Arc::new(ManualClock::new());
        let options = SqliteOptions { clock: clock.clone(), ..disk.options() };
        let letters = Arc::new(Sqlite::open(options).unwrap());
        let kept = fill(&letters, size, inserts).await;
        let least = (4 << 20) / (size + 2_000);
        assert!(kept.len() >= least, "full after {} letters of {size} bytes", kept.len());

        assert_eq!(drain(&letters, replays).await, kept, "{size} bytes");
        for id in &kept {
            let letter = letters.get(*id).await.unwrap().unwrap();
            assert_eq!((letter.life.status, letter.body.len()), (Status::Resolved, size));
            assert_eq!(letter.answer.map(|answer| answer.status), Some(201));
        }

        while letters.purge(WallTime::from_unix_millis(i64::MAX), 500).await.unwrap() > 0 {}
        clock.advance(Duration::from_secs(1));
        let again = letters.insert(letter("again", size)).await;
        assert!(matches!(again, Ok(Inserted::New(..))), "{size} bytes: {again:?}");
        assert_eq!(disk.reserve(), RESERVE);
        assert!(
            fill(&letters, size, inserts).await.len() >= least,
            "{size} bytes, for the second time"
        );
    }
}

#[tokio::test]
async fn who_is_known_is_known_and_operators_act_while_the_disk_is_full() {
    let disk = Disk::mount();
    let letters = Arc::new(Sqlite::open(disk.options()).unwrap());
    let kept = fill(&letters, 20_000, 4).await;
    disk.stuff("stuff");
    let first = *kept.first().unwrap();
    let second = *kept.iter().nth(1).unwrap();
    let known = letters.get(first).await.unwrap().unwrap();
    let again = Draft { key: known.key.clone(), ..letter("", 20_000) };
    let (again, new, discarded) = tokio::join!(
        letters.insert(again),
        letters.insert(letter("new", 20_000)),
        letters.act(second, Event::Discard, By::new("ops", "too late"), LATER),
    );
    assert_eq!(again.unwrap(), Inserted::Same(first, known.token, Status::Pending));
    assert!(is_full(&new.unwrap_err()));
    assert_eq!(discarded.unwrap().status, Status::Discarded);
    let history = letters.history(second).await.unwrap();
    assert_eq!(history.last().unwrap().what, "discarded by ops: too late");
    assert_eq!(letters.records(AuditQuery::default()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn letters_are_refused_until_the_reserve_is_there_again() {
    let disk = Disk::mount();
    if !disk.is_mounted() {
        return; // There is nobody else to fill this disk.
    }
    let clock = Arc::new(ManualClock::new());
    let open = || {
        let options = SqliteOptions { clock: clock.clone(), ..disk.options() };
        Arc::new(Sqlite::open(options).unwrap())
    };
    let somebody_elses = disk.data().with_file_name("somebody else's");
    fs::write(&somebody_elses, vec![7; 5 << 20]).unwrap();
    let letters = open();
    let kept = fill(&letters, 500, 100).await;
    letters.close().await.unwrap();
    drop(letters);
    disk.stuff("stuff");

    let letters = open();
    assert_eq!(drain(&letters, 100).await, kept);
    assert!(disk.reserve() < RESERVE, "it was needed");
    disk.stuff("more stuff");
    let refused = |inserted: Result<Inserted, StoreError>| is_full(&inserted.unwrap_err());
    assert!(refused(letters.insert(letter("early", 500)).await));
    drop(letters);
    let letters = open();
    assert!(refused(letters.insert(letter("reopened", 500)).await), "still without a reserve");

    fs::remove_file(somebody_elses).unwrap();
    assert!(refused(letters.insert(letter("at once", 500)).await), "nobody looked for room yet");
    clock.advance(Duration::from_secs(1));
    letters.insert(letter("in time", 500)).await.unwrap();
    assert_eq!(disk.reserve(), RESERVE);
}

#[test]
fn who_is_killed_on_a_full_disk_starts_again_and_replays_everything() {
    let name = "who_is_killed_on_a_full_disk_starts_again_and_replays_everything";
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    if let Some(folder) = std::env::var_os(FOLDER) {
        return runtime.block_on(fill_and_wait_to_be_killed(folder.as_ref()));
    }
    let disk = Disk::mount();
    if !disk.is_mounted() {
        return; // The process that is to be killed fills a disk.
    }
    for _ in 0..3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact", "--nocapture"])
            .env(FOLDER, disk.data())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let ready = output.lines().any(|line| line.unwrap() == "full");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(ready, "it ended by itself");
    }
    // With the last of the room taken by somebody else it still opens, so that all can be read.
    let stuff = disk.stuff("stuff");
    let letters = Arc::new(Sqlite::open(disk.options()).unwrap());
    let counts = runtime.block_on(letters.counts()).unwrap();
    assert!(counts.of(Status::Pending) + counts.of(Status::Replaying) > 500, "{counts:?}");
    drop(letters);
    fs::remove_file(stuff).unwrap();
    let letters = Arc::new(Sqlite::open(disk.options()).unwrap());
    let counts = runtime.block_on(letters.counts()).unwrap();
    assert_eq!(counts.of(Status::Replaying), 0);
    runtime.block_on(drain(&letters, 30));
    let counts = runtime.block_on(letters.counts()).unwrap();
    assert_eq!(counts.of(Status::Resolved) + counts.of(Status::RequiresReview), counts.captured);
}

/// Fills the disk, replays some of the letters, holds others, and waits.
async fn fill_and_wait_to_be_killed(folder: &Path) {
    let letters = Arc::new(Sqlite::open(SqliteOptions::new(folder)).unwrap());
    fill(&letters, 1_000, 100).await;
    for letter in letters.claim("payments", 40, LEASE, LATER).await.unwrap() {
        letters.settle(letter.id, settlement(letter.life.fence), LATER).await.unwrap();
    }
    assert_eq!(letters.claim("payments", 40, LEASE, LATER).await.unwrap().len(), 40);
    println!("\nfull");
    std::future::pending().await
}

#[test]
fn the_reserve_takes_the_room_that_it_promises() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let reserve = folder.path().join("reserve");
    let open = |reserve| {
        drop(Sqlite::open(SqliteOptions { reserve, ..SqliteOptions::new(folder.path()) }).unwrap());
    };
    for bytes in [RESERVE, 5 << 20, 1 << 20] {
        open(bytes);
        let metadata = fs::metadata(&reserve).unwrap();
        assert_eq!(metadata.len(), bytes);
        assert!(
            metadata.blocks() * 512 >= bytes,
            "a file with holes: {} blocks",
            metadata.blocks()
        );
    }
    fs::write(&reserve, b"the beginning of one that was interrupted").unwrap();
    open(RESERVE);
    assert_eq!(fs::metadata(&reserve).unwrap().len(), RESERVE);
    open(0);
    assert!(!reserve.exists());
}

#[tokio::test]
async fn the_log_is_short_again_after_a_burst() {
    let folder = tempfile::tempdir().unwrap();
    let letters = Sqlite::open(SqliteOptions::new(folder.path())).unwrap();
    letters.insert(letter("first", 1)).await.unwrap();
    // Who reads for long keeps the log from being moved into the database.
    let other = rusqlite::Connection::open(folder.path().join("letters.db")).unwrap();
    let count = "SELECT COUNT(*) FROM letters";
    other.execute_batch("BEGIN").unwrap();
    let _: i64 = other.query_row(count, [], |row| row.get(0)).unwrap();
    let log = || fs::metadata(folder.path().join("letters.db-wal")).unwrap().len();
    for n in 0.. {
        letters.insert(letter(n, 2 << 20)).await.unwrap();
        if log() > 70 << 20 {
            break;
        }
    }
    other.execute_batch("COMMIT").unwrap();
    for key in ["moves the log", "starts it over"] {
        letters.insert(letter(key, 1)).await.unwrap();
    }
    assert!(log() <= 64 << 20, "{} bytes", log());
}
