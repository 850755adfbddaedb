//! Letters that kill: what becomes of them, on disk, with the process started again in between.

use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::letter::{Life, Rules, Status};
use fuseboard_core::time::{Clock, ManualClock};
use fuseboard_core::{Pin, State};
use fuseboard_store::{LetterId, Sqlite, SqliteOptions};
use tempfile::TempDir;
use tokio::task::yield_now;

use crate::SECOND;
use crate::bench::{Behaviour, Bench, Setup, wait};

/// One process after the other over one folder, on a clock that goes on when it is told to.
struct Processes {
    folder: TempDir,
    clock: Arc<ManualClock>,
    bench: Bench,
}

impl Processes {
    /// The first one, with one letter. A letter has three attempts and may crash five times.
    async fn start(behaviour: Behaviour) -> Processes {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new());
        let bench = Processes::bench(&folder, &clock, behaviour);
        bench.capture(1).await;
        Processes { folder, clock, bench }
    }

    fn bench(folder: &TempDir, clock: &Arc<ManualClock>, behaviour: Behaviour) -> Bench {
        let rules = Rules { max_attempts: 3, ..Rules::default() };
        let new = SqliteOptions::new(folder.path());
        let options = SqliteOptions { rules, clock: clock.clone(), ..new };
        let letters = Arc::new(Sqlite::open(options).unwrap());
        let clock = Some(clock.clone() as _);
        let bench = Bench::of(Setup { behaviour, letters, clock, ..Setup::default() });
        // A crash is a failure of the circuit, too, which is not what this is about.
        bench.breaker.disable(Pin::by("test"));
        bench
    }

    /// Ends the process while its letter is on its way, and starts the next one.
    async fn restart(self, behaviour: Behaviour) -> Processes {
        let Processes { folder, clock, bench } = self;
        bench.stop(Duration::ZERO).await.close().await.unwrap();
        let bench = Processes::bench(&folder, &clock, behaviour);
        Processes { folder, clock, bench }
    }

    /// Lets time go by until the letter is as wanted.
    async fn until(&self, is_wanted: impl Fn(&Life) -> bool) {
        for _ in 0..1_000_000 {
            let life = self.bench.letter(1).await.life;
            if is_wanted(&life) {
                return;
            }
            // While a letter that is due is being claimed, no time goes by: its lease would be over before it began.
            if life.status == Status::Pending && life.not_before <= self.clock.wall() {
                self.look_again().await;
            } else {
                self.go_on().await;
            }
        }
        panic!("{} deliveries, {:?}", self.bench.deliveries(), self.bench.letter(1).await.life);
    }

    /// Lets time go by until the letter has been tried and has crashed so often, and kills once more.
    async fn until_killing(&self, attempts: u32, crashes: u32) {
        let tried = (attempts, crashes, Status::Replaying);
        self.until(|life| (life.attempts, life.crashes, life.status) == tried).await;
        while self.bench.deliveries() == 0 {
            yield_now().await;
        }
    }

    /// A second goes by, and the replay looks at it.
    async fn go_on(&self) {
        self.clock.advance(SECOND);
        self.look_again().await;
    }

    async fn look_again(&self) {
        self.bench.ring("payments");
        for _ in 0..20 {
            yield_now().await;
        }
    }

    async fn history(&self) -> Vec<String> {
        let history = self.bench.letters.history(LetterId(1)).await.unwrap();
        history.into_iter().map(|entry| entry.what).collect()
    }
}

#[tokio::test]
async fn a_letter_that_kills_its_process_ends_in_review_with_its_history() {
    let mut process = Processes::start(Behaviour::Panics).await;
    for crashes in 0..5 {
        process.until_killing(0, crashes).await;
        process = process.restart(Behaviour::Panics).await;
    }
    process.go_on().await;
    let life = process.bench.letter(1).await.life;
    assert_eq!((life.status, life.crashes, life.attempts), (Status::RequiresReview, 5, 0));
    assert_eq!(process.bench.deliveries(), 0, "it is not tried again");
    let mut expected = vec!["captured"];
    for _ in 0..5 {
        expected.extend(["claimed", "crashed: the owner of the store was restarted"]);
    }
    expected.push("requires_review after 5 crashes");
    assert_eq!(process.history().await, expected);
}

/// A letter of three attempts, of which two failed and the third one kills.
async fn in_its_last_attempt() -> Processes {
    let process = Processes::start(Behaviour::Answers(503)).await;
    process.until(|life| life.attempts == 2).await;
    process.bench.behave(Behaviour::Panics);
    process.until_killing(2, 0).await;
    process
}

#[tokio::test]
async fn a_crash_during_the_last_attempt_ends_in_review() {
    let process = in_its_last_attempt().await.restart(Behaviour::Panics).await;
    process.until(|life| life.status == Status::RequiresReview).await;
    let life = process.bench.letter(1).await.life;
    assert_eq!((life.attempts, life.crashes), (2, 5), "crashes have a cap of their own");
    let mut expected = vec!["captured", "claimed", "answered 503", "claimed", "answered 503"];
    expected.extend(["claimed", "crashed: the owner of the store was restarted"]);
    for _ in 0..4 {
        expected.extend(["claimed", "crashed: the lease ran out"]);
    }
    expected.push("requires_review after 5 crashes");
    assert_eq!(process.history().await, expected);
}

#[tokio::test]
async fn a_crash_during_the_last_attempt_leaves_that_attempt() {
    let process = in_its_last_attempt().await.restart(Behaviour::Answers(200)).await;
    process.until(|life| life.status == Status::Resolved).await;
    let life = process.bench.letter(1).await.life;
    assert_eq!((life.attempts, life.crashes), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn crashes_open_the_circuit_and_hold_back_the_rest_of_its_letters() {
    let bench = Bench::start(Behaviour::Panics);
    bench.capture(50).await;
    wait(5 * SECOND).await;
    assert_eq!(bench.breaker.state(), State::Open);
    assert_eq!(bench.deliveries(), 5, "five in a row open it");
}
