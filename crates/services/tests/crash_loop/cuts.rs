//! A cut at every step of the store, one at a time: the call fails, or its answer is lost, or the process dies before it or after it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fuseboard_core::letter::{Answer, Event, Life, Status};
use fuseboard_core::time::{Clock, Moment, WallTime};
use fuseboard_services::replay::{Deliver, Delivering};
use fuseboard_store::{
    Answering, By, Letter, LetterId, Letters, Memory, MemoryOptions, Query, Sqlite, SqliteOptions,
    StoreError, conformance,
};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::kills::asked_for;
use crate::rig::{CIRCUIT, delivery, draft, letter_rules, replay};
use crate::store_over::{Hook, StoreOver};

/// The letters: `first` and `second` wait in one line, each of the others is troublesome in its own way the first time.
const KEYS: [&str; 5] = ["first", "second", "later", "not reached", "panics"];

const LEASE: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    FailsBefore,
    AnswerLost,
    DiesBefore,
    DiesAfter,
}

/// Makes one call come to grief.
struct Scissors {
    /// Which call, counted from 0.
    at: usize,
    cut: Cut,
    calls: AtomicUsize,
    dead: watch::Sender<bool>,
    /// Letters that the store beneath resolved, whether anybody heard of it or not.
    resolved: Arc<Mutex<BTreeSet<LetterId>>>,
}

impl fmt::Debug for Scissors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {}", self.cut, self.at)
    }
}

impl Scissors {
    fn new(at: usize, cut: Cut, upstream: &Upstream) -> Self {
        let resolved = Arc::clone(&upstream.resolved);
        Scissors { at, cut, calls: AtomicUsize::new(0), dead: watch::Sender::new(false), resolved }
    }
}

fn unavailable<T>() -> Result<T, StoreError> {
    let source = Arc::new(std::io::Error::other("cut"));
    Err(StoreError::Unavailable { doing: "committing", source })
}

/// Paused time goes on when everybody waits, also for a thread of the store; but not while a blocking task runs.
fn while_time_stands_still<'a, T: Send + 'a>(made: Answering<'a, T>) -> Answering<'a, T> {
    let (working, done) = std::sync::mpsc::channel::<()>();
    tokio::task::spawn_blocking(move || done.recv());
    Box::pin(async {
        let answer = made.await;
        drop(working);
        answer
    })
}

impl Hook for Scissors {
    fn around<'a, T: Send + 'a>(
        &'a self,
        make: impl FnOnce() -> Answering<'a, T>,
    ) -> Answering<'a, T> {
        if *self.dead.borrow() {
            return Box::pin(pending());
        }
        if self.calls.fetch_add(1, Ordering::SeqCst) != self.at {
            return while_time_stands_still(make());
        }
        match self.cut {
            Cut::FailsBefore => Box::pin(async { unavailable() }),
            Cut::AnswerLost => {
                let made = while_time_stands_still(make());
                Box::pin(async { made.await.and_then(|_| unavailable()) })
            }
            Cut::DiesBefore => {
                self.dead.send_replace(true);
                Box::pin(pending())
            }
            Cut::DiesAfter => {
                let made = while_time_stands_still(make());
                Box::pin(async {
                    let _ = made.await;
                    self.dead.send_replace(true);
                    pending().await
                })
            }
        }
    }

    fn settled(&self, id: LetterId, _event: Event, result: &Result<Life, StoreError>) {
        if result.as_ref().is_ok_and(|life| life.status == Status::Resolved) {
            self.resolved.lock().unwrap().insert(id);
        }
    }
}

/// Tokio's clock, which goes on only while everybody waits.
#[derive(Debug)]
struct TokioClock(Instant);

impl Clock for TokioClock {
    fn now(&self) -> Moment {
        Moment::ZERO + self.0.elapsed()
    }

    fn wall(&self) -> WallTime {
        WallTime::from_unix_millis(1_000_000) + self.0.elapsed()
    }
}

/// The other side, which outlives every process of ours.
#[derive(Default)]
struct Upstream {
    /// How often it was given each letter, by key.
    given: Mutex<BTreeMap<String, usize>>,
    /// The keys in the order in which they were done.
    done: Mutex<Vec<String>>,
    resolved: Arc<Mutex<BTreeSet<LetterId>>>,
}

impl Deliver for Upstream {
    fn deliver<'a>(&'a self, letter: &'a Letter) -> Delivering<'a> {
        Box::pin(async move {
            assert_eq!(letter.body, letter.key.as_bytes(), "byte for byte");
            let again = self.resolved.lock().unwrap().contains(&letter.id);
            assert!(!again, "{} was replayed after it was resolved", letter.key);
            let times = {
                let mut given = self.given.lock().unwrap();
                let times = given.entry(letter.key.clone()).or_default();
                *times += 1;
                *times
            };
            sleep(Duration::from_millis(1)).await; // waits for: the paused clock
            match (letter.key.as_str(), times) {
                ("later", 1) => return delivery(Answer::Again { retry_after: None }),
                ("not reached", 1) => return delivery(Answer::NotReached),
                ("panics", 1) => panic!("the deliverer dies"),
                _ => {}
            }
            self.done.lock().unwrap().push(letter.key.clone());
            delivery(Answer::Done)
        })
    }
}

/// What the caller knows: whom it was told that a letter is kept.
#[derive(Default)]
struct Caller {
    kept: BTreeMap<&'static str, LetterId>,
}

impl Caller {
    /// Sends what was not acknowledged, as a caller does who got an error or none at all.
    async fn send(&mut self, letters: &dyn Letters, clock: &dyn Clock) {
        for key in KEYS {
            if self.kept.contains_key(key) {
                continue;
            }
            let line = matches!(key, "first" | "second").then(|| "customer".to_owned());
            // One after the other: the line is the order in which they are kept.
            let Ok(kept) = letters.insert(draft(key, line, clock.wall())).await else { return };
            self.kept.insert(key, kept.id());
        }
    }
}

/// A process: sends, replays, and lives until everything is done or it is dead.
async fn live(
    letters: Arc<dyn Letters>,
    upstream: &Arc<Upstream>,
    caller: &mut Caller,
    clock: &Arc<dyn Clock>,
) {
    let deliver = Arc::clone(upstream) as Arc<dyn Deliver>;
    let (replay, bells) = replay(Arc::clone(&letters), deliver, Arc::clone(clock), LEASE);
    loop {
        caller.send(&*letters, &**clock).await;
        bells.ring(CIRCUIT);
        sleep(Duration::from_secs(10)).await; // waits for: the paused clock
        if caller.kept.len() == KEYS.len() && is_done(&*letters).await {
            break;
        }
    }
    replay.stop(Duration::from_secs(1)).await;
}

async fn is_done(letters: &dyn Letters) -> bool {
    let Ok(counts) = letters.counts().await else { return false };
    counts.captured > 0 && counts.of(Status::Resolved) == counts.captured
}

/// A store, and how it is found again by the next process.
trait Stores {
    fn open(&self, clock: &Arc<dyn Clock>) -> Arc<dyn Letters>;
}

/// One store in memory, as a server is that outlives its clients.
struct InMemory(Arc<dyn Letters>);

impl Stores for InMemory {
    fn open(&self, _clock: &Arc<dyn Clock>) -> Arc<dyn Letters> {
        Arc::clone(&self.0)
    }
}

struct InFolder(tempfile::TempDir);

impl Stores for InFolder {
    fn open(&self, clock: &Arc<dyn Clock>) -> Arc<dyn Letters> {
        let clock = Arc::clone(clock);
        let rules = letter_rules();
        let options = SqliteOptions { rules, clock, ..SqliteOptions::new(self.0.path()) };
        Arc::new(Sqlite::open(options).unwrap())
    }
}

/// Two processes, of which the first meets the cut, and what they come to. Returns whether it came to the cut.
async fn survives(stores: &dyn Stores, at: usize, cut: Cut) -> bool {
    let clock: Arc<dyn Clock> = Arc::new(TokioClock(Instant::now()));
    let (upstream, mut caller) = (Arc::new(Upstream::default()), Caller::default());
    let reached = {
        let hook = Scissors::new(at, cut, &upstream);
        let letters = Arc::new(StoreOver { inner: stores.open(&clock), hook });
        let mut dead = letters.hook.dead.subscribe();
        tokio::select! {
            () = live(Arc::clone(&letters) as Arc<dyn Letters>, &upstream, &mut caller, &clock) => {}
            _ = dead.wait_for(|dead| *dead) => {}
        }
        let reached = letters.hook.calls.load(Ordering::SeqCst) > at;
        let_go(letters).await;
        reached
    };
    let hook = Scissors::new(usize::MAX, cut, &upstream);
    let letters = Arc::new(StoreOver { inner: stores.open(&clock), hook });
    for id in caller.kept.values() {
        assert!(letters.get(*id).await.unwrap().is_some(), "an acknowledged letter is here");
    }
    live(Arc::clone(&letters) as Arc<dyn Letters>, &upstream, &mut caller, &clock).await;
    look_at(&*letters.inner, &upstream, &caller).await;
    let_go(letters).await;
    reached
}

/// Waits until nobody has the store any more: aborted tasks are dropped at their next turn, and deliveries end.
async fn let_go(letters: Arc<StoreOver<Scissors>>) {
    while Arc::strong_count(&letters) > 1 {
        sleep(Duration::from_millis(1)).await; // waits for: the paused clock
    }
}

async fn look_at(letters: &dyn Letters, upstream: &Upstream, caller: &Caller) {
    let here = letters.list(Query { limit: 100, ..Query::default() }).await.unwrap();
    assert_eq!(here.len(), KEYS.len(), "one letter for each key: {here:?}");
    for (key, id) in &caller.kept {
        let letter = letters.get(*id).await.unwrap().unwrap();
        assert_eq!((letter.key.as_str(), letter.life.status), (*key, Status::Resolved));
    }
    let refused = letters.act(here[0].id, Event::Requeue, By::new("ops", ""), WallTime::default());
    assert!(matches!(refused.await, Err(StoreError::Refused(_))), "done is done");
    let given: usize = upstream.given.lock().unwrap().values().sum();
    // Three are given twice for their own reasons. One cut meets one letter.
    assert!((KEYS.len() + 3..=KEYS.len() + 4).contains(&given), "{given}");
    let done = upstream.done.lock().unwrap().clone();
    let first = |key: &str| done.iter().position(|one| one == key).unwrap();
    let last_of_first = done.iter().rposition(|one| one == "first").unwrap();
    assert!(last_of_first < first("second"), "the line was kept: {done:?}");
    conformance::letters_are_conserved(letters).await;
}

/// Cuts every one of `stride` steps, each in every way.
fn cuts_everywhere(stride: usize, new: impl Fn() -> Box<dyn Stores>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().unwrap();
    let mut most = 0;
    for cut in [Cut::FailsBefore, Cut::AnswerLost, Cut::DiesBefore, Cut::DiesAfter] {
        let reaches = |at: &usize| {
            println!("{cut:?} at {at}");
            runtime.block_on(survives(&*new(), *at, cut))
        };
        most = most.max((0..).step_by(stride).take_while(reaches).count() * stride);
    }
    assert!(most > 5 * KEYS.len(), "that was not every step: {most}");
}

#[test]
fn in_memory_a_cut_at_any_step_loses_nothing_and_repeats_nothing_that_is_done() {
    std::panic::set_hook(Box::new(quietly));
    cuts_everywhere(1, || {
        let options = MemoryOptions { rules: letter_rules(), ..MemoryOptions::default() };
        Box::new(InMemory(Arc::new(Memory::new(options))))
    });
}

#[test]
fn on_sqlite_a_cut_at_any_step_loses_nothing_and_repeats_nothing_that_is_done() {
    // Each step waits for the disk.
    let stride = if asked_for().is_some() { 1 } else { 7 };
    cuts_everywhere(stride, || Box::new(InFolder(tempfile::tempdir().unwrap())));
}

/// The deliverer's own panics are no news.
fn quietly(panic: &std::panic::PanicHookInfo<'_>) {
    if panic.payload_as_str() != Some("the deliverer dies") {
        eprintln!("{panic}");
    }
}
