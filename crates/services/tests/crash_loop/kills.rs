//! Processes that are killed, or stand still for too long, again and again.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use fuseboard_core::letter::{Answer, Event, Status};
use fuseboard_core::random::{Random, SeededRandom};
use fuseboard_core::time::{Clock, SystemClock};
use fuseboard_store::{By, Letter, Letters, Query, Settlement, conformance};

use crate::ledger::{Ledger, Told};
use crate::rig::CIRCUIT;
use crate::server::Server;
use crate::worker::{self, LEASE, PLACE, Place};

/// How many processes die, unless somebody says.
const FEW: u64 = 12;

/// How many processes somebody wants to die.
pub(crate) fn asked_for() -> Option<u64> {
    let asked = std::env::var("FUSEBOARD_CRASHES").ok();
    asked.map(|asked| asked.parse().expect("FUSEBOARD_CRASHES is a number"))
}

fn crashes() -> u64 {
    asked_for().unwrap_or(FEW)
}

/// Whether this process is one that is to die; it does not come back then.
fn suffer() {
    if let Ok(place) = std::env::var(PLACE) {
        worker::run(&Place::parse(&place));
    }
}

/// Processes over one store, and what they told.
struct Crew {
    test: &'static str,
    place: Place,
    alive: Vec<Child>,
    lines: Receiver<Told>,
    teller: Sender<Told>,
    ledger: Ledger,
    dice: SeededRandom,
}

impl Crew {
    fn start(test: &'static str, place: Place, size: usize) -> Crew {
        let (teller, lines) = mpsc::channel();
        let dice = SeededRandom::new(7);
        let ledger = Ledger::default();
        let mut crew = Crew { test, place, alive: Vec::new(), lines, teller, ledger, dice };
        for _ in 0..size {
            let child = crew.spawn();
            crew.alive.push(child);
        }
        crew
    }

    fn spawn(&self) -> Child {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([self.test, "--exact", "--nocapture"])
            .env(PLACE, self.place.text())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (output, teller) = (child.stdout.take().unwrap(), self.teller.clone());
        thread::spawn(move || {
            // A line that the kill cut off is read as nothing, or was whole but for its end.
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some(told) = Told::parse(&line)
                    && teller.send(told).is_err()
                {
                    return;
                }
            }
        });
        child
    }

    /// Lets them work until they told so much, between 1 and 200 things, and up to 3 ms more.
    fn work(&mut self) {
        let things = 1 + (self.dice.draw() * 200.0) as usize;
        for _ in 0..things {
            let told = self.lines.recv_timeout(Duration::from_secs(60));
            self.ledger.hear(told.expect("they go on"));
        }
        let pause = Duration::from_micros((self.dice.draw() * 3000.0) as u64);
        thread::sleep(pause); // waits for: a moment that nobody chose
        self.listen();
    }

    fn listen(&mut self) {
        while let Ok(told) = self.lines.try_recv() {
            self.ledger.hear(told);
        }
    }

    fn any(&self) -> usize {
        (self.dice.draw() * self.alive.len() as f64) as usize
    }

    /// Kills one, and starts another in its place.
    fn kill_one(&mut self) {
        let which = self.any();
        end(&mut self.alive[which]);
        self.alive[which] = self.spawn();
    }

    /// Lets one stand still until its claims are over, while the others go on.
    fn hold_one_up(&mut self) {
        let id = self.alive[self.any()].id().to_string();
        let signal = |name: &str| {
            assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
        };
        signal("-STOP");
        thread::sleep(LEASE * 2); // waits for: the end of its leases
        signal("-CONT");
    }

    /// Ends all, and looks at what they left.
    fn finish(mut self) -> Ledger {
        self.alive.iter_mut().for_each(end);
        let Crew { place, lines, teller, mut ledger, .. } = self;
        drop(teller);
        lines.into_iter().for_each(|told| ledger.hear(told));
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        runtime.block_on(async {
            let letters = place.open().await.unwrap();
            expect_all(&*letters, &ledger).await;
            finish_all(&*letters, &mut ledger).await;
            conformance::letters_are_conserved(&*letters).await;
            letters.close().await.unwrap();
        });
        ledger
    }
}

fn end(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Every letter that was acknowledged is here, and resolved if that was acknowledged.
async fn expect_all(letters: &dyn Letters, ledger: &Ledger) {
    for id in &ledger.kept {
        let letter = letters.get(*id).await.unwrap().expect("an acknowledged letter is here");
        assert_eq!(letter.body, letter.key.as_bytes(), "byte for byte");
        let resolved = ledger.resolved.contains_key(id);
        assert!(!resolved || letter.life.status == Status::Resolved, "{letter:?}");
    }
}

/// Does what is left, one claim at a time, until every letter is resolved.
async fn finish_all(letters: &dyn Letters, ledger: &mut Ledger) {
    let clock = SystemClock::new();
    loop {
        requeue_all(letters).await;
        // Beyond every lease and every wait.
        let now = clock.wall() + Duration::from_secs(3600);
        let claimed = letters.claim(CIRCUIT, 100, Duration::from_secs(60), now).await.unwrap();
        for letter in &claimed {
            let fence = letter.life.fence;
            ledger.hear(Told::Claimed(letter.id, fence));
            let life = letters.settle(letter.id, done(letter), now).await.unwrap();
            ledger.hear(Told::Settled(letter.id, fence, life.status));
        }
        let counts = letters.counts().await.unwrap();
        if counts.of(Status::Resolved) == counts.captured {
            return;
        }
        assert!(!claimed.is_empty() || counts.of(Status::RequiresReview) > 0, "{counts:?}");
    }
}

fn done(letter: &Letter) -> Settlement {
    let event = Event::Settled { fence: letter.life.fence, answer: Answer::Done, draw: 0.5 };
    Settlement { event, answer: None, note: String::new() }
}

async fn requeue_all(letters: &dyn Letters) {
    let query = Query { status: Some(Status::RequiresReview), limit: 1000, ..Query::default() };
    for letter in letters.list(query).await.unwrap() {
        let now = SystemClock::new().wall();
        letters.act(letter.id, Event::Requeue, By::new("ops", "again"), now).await.unwrap();
    }
}

fn expect_that_something_happened(ledger: &Ledger, crashes: u64) {
    let some = crashes as usize;
    assert!(ledger.kept.len() > some && ledger.resolved.len() > some, "{ledger:?}");
    assert!(ledger.delivered > some && ledger.settled.len() > ledger.resolved.len());
}

#[test]
fn on_sqlite_a_kill_at_any_moment_loses_nothing_and_repeats_nothing_that_is_done() {
    suffer();
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Folder(folder.path().to_str().unwrap().to_owned());
    let test =
        "kills::on_sqlite_a_kill_at_any_moment_loses_nothing_and_repeats_nothing_that_is_done";
    let mut crew = Crew::start(test, place, 1);
    for _ in 0..crashes() {
        crew.work();
        crew.kill_one();
    }
    let ledger = crew.finish();
    expect_that_something_happened(&ledger, crashes());
}

#[test]
fn on_postgres_a_kill_or_a_late_holder_loses_nothing_and_repeats_nothing_that_is_done() {
    suffer();
    let server = Server::start("");
    let place = Place::Server { url: server.url(), schema: "crashes".to_owned() };
    let test =
        "kills::on_postgres_a_kill_or_a_late_holder_loses_nothing_and_repeats_nothing_that_is_done";
    let mut crew = Crew::start(test, place, 3);
    for number in 0..crashes() {
        crew.work();
        match number % 4 {
            3 => crew.hold_one_up(),
            _ => crew.kill_one(),
        }
    }
    // As a rule one of those that stood still held a letter. If not, another will.
    while crew.ledger.refused == 0 {
        crew.work();
        crew.hold_one_up();
    }
    expect_that_something_happened(&crew.finish(), crashes());
}
