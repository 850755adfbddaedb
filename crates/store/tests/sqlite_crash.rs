//! Processes that are killed, and disks that fail: what was acknowledged is there.
//!
//! Each test starts itself again as the process that is to suffer; that one reports on its standard output.
#![cfg(test)]
#![cfg(unix)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use fuseboard_core::letter::{Answer, Event, Status};
use fuseboard_core::time::WallTime;
use fuseboard_store::{
    Draft, Letters, Settlement, Sqlite, SqliteOptions, StoreError, Token, conformance,
};

const NOW: WallTime = WallTime::from_unix_millis(1_000);

/// Set for the process that is to suffer: the folder of its store.
const FOLDER: &str = "FUSEBOARD_TEST_FOLDER";

fn open(folder: impl AsRef<Path>) -> Sqlite {
    Sqlite::open(SqliteOptions::new(folder.as_ref())).unwrap()
}

fn letter(size: usize) -> Draft {
    let draft = conformance::draft("payments", "", NOW);
    Draft { key: draft.token.to_string(), body: vec![7; size], ..draft }
}

/// Tells the process above, in one write, so that a line is there entirely or not at all.
fn tell(word: &str, token: impl ToString) {
    let line = format!("{word} {}\n", token.to_string());
    std::io::stdout().write_all(line.as_bytes()).unwrap();
}

/// Starts `test` of this file again, through `shell` (which ends in `exec "$@"`), with its store in `folder`.
fn again(test: &str, shell: &str, folder: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new("sh")
        .args(["-c", shell, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

/// What a process told: tokens of letters that were acknowledged as kept, and as done.
#[derive(Debug, Default)]
struct Told {
    kept: BTreeSet<Token>,
    done: BTreeSet<Token>,
    refused: usize,
    kept_after_a_refusal: usize,
}

impl Told {
    fn hear(&mut self, line: &str) {
        match line.trim_end().split_once(' ') {
            Some(("kept", token)) => {
                self.kept.insert(token.parse().unwrap());
                self.kept_after_a_refusal += usize::from(self.refused > 0);
            }
            Some(("done", token)) => drop(self.done.insert(token.parse().unwrap())),
            Some(("refused", _)) => self.refused += 1,
            _ => {} // The test harness's own lines.
        }
    }
}

#[test]
fn what_was_acknowledged_survives_sigkill() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return keep_and_resolve_for_ever(folder.as_ref());
    }
    let folder = tempfile::tempdir().unwrap();
    let mut told = Told::default();
    for kill_after in [1, 2, 7, 40, 150, 400, 33, 90] {
        let heard = told.kept.len();
        let name = "what_was_acknowledged_survives_sigkill";
        let (mut child, mut output) = again(name, "exec \"$@\"", folder.path());
        let mut line = String::new();
        while told.kept.len() < heard + kill_after {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0, "it ended by itself: {told:?}");
            told.hear(&line);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        rest.split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
            .for_each(|line| told.hear(line));
        expect_all(folder.path(), &told);
    }
    assert!(!told.done.is_empty());
}

/// Several tasks that insert, and one that claims and resolves, until the process is killed.
fn keep_and_resolve_for_ever(folder: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let letters: &'static Sqlite = Box::leak(Box::new(open(folder)));
    runtime.block_on(async {
        for _ in 0..4 {
            tokio::spawn(async {
                loop {
                    let draft = letter(500);
                    let token = draft.token;
                    letters.insert(draft).await.unwrap();
                    tell("kept", token);
                }
            });
        }
        loop {
            resolve_some(letters).await;
        }
    });
}

async fn resolve_some(letters: &Sqlite) {
    let later = WallTime::from_unix_millis(i64::MAX / 2);
    for letter in letters.claim("payments", 3, Duration::from_secs(60), later).await.unwrap() {
        let event = Event::Settled { fence: letter.life.fence, answer: Answer::Done, draw: 0.5 };
        let settlement = Settlement { event, answer: None, note: String::new() };
        letters.settle(letter.id, settlement, later).await.unwrap();
        tell("done", letter.token);
    }
}

/// Opens the store and finds in it all that was told, done if it was told to be done, and sound tallies.
fn expect_all(folder: &Path, told: &Told) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let letters = open(folder);
    runtime.block_on(async {
        for token in told.kept.union(&told.done) {
            let letter = letters.by_token(*token).await.unwrap();
            let status = letter.expect("an acknowledged letter is there").life.status;
            assert!(status == Status::Resolved || !told.done.contains(token), "{status} again");
        }
        let counts = letters.counts().await.unwrap();
        let here: u64 = Status::ALL.into_iter().map(|status| counts.of(status)).sum();
        assert_eq!((counts.captured, counts.of(Status::Replaying)), (here, 0));
        assert!(here >= told.kept.len() as u64);
    });
}

#[test]
fn a_disk_that_refuses_to_write_loses_nothing_that_was_acknowledged() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return keep_until_refused(folder.as_ref());
    }
    let folder = tempfile::tempdir().unwrap();
    let name = "a_disk_that_refuses_to_write_loses_nothing_that_was_acknowledged";
    // No file may grow beyond some 2 MiB: a write that wants more fails as on a broken disk, in the middle of a commit.
    let limited = "trap '' XFSZ; ulimit -f 4096; exec \"$@\"";
    let (mut child, output) = again(name, limited, folder.path());
    let mut told = Told::default();
    output.lines().for_each(|line| told.hear(&line.unwrap()));
    assert!(child.wait().unwrap().success());
    assert!(told.refused > 0, "{told:?}");
    assert!(told.kept_after_a_refusal > 0, "the store came back on a new connection: {told:?}");
    expect_all(folder.path(), &told);
}

/// Inserts until nothing more is taken, and finds that what was taken can still be read.
fn keep_until_refused(folder: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let letters = open(folder);
    runtime.block_on(async {
        let mut kept = Vec::new();
        let (mut refused, mut unknown) = (0, 0);
        while refused < 20 {
            let draft = letter(20_000);
            let token = draft.token;
            match letters.insert(draft).await {
                Ok(_) => {
                    tell("kept", token);
                    kept.push(token);
                }
                Err(error @ (StoreError::Unavailable { .. } | StoreError::Full { .. })) => {
                    tell("refused", token);
                    refused += 1;
                    unknown += usize::from(error.outcome_is_unknown());
                }
                Err(other) => panic!("an odd refusal: {other}"),
            }
        }
        assert!(unknown > 0, "a commit that failed halfway may have happened");
        for token in kept {
            assert!(letters.by_token(token).await.unwrap().is_some(), "it can still be read");
        }
    });
}
