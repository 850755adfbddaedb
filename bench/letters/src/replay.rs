//! The replay service, with a deliverer that answers at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fuseboard_core::letter::{Answer, Status};
use fuseboard_core::random::SeededRandom;
use fuseboard_core::time::SystemClock;
use fuseboard_core::{CircuitBreaker, Outcome};
use fuseboard_services::governance::Open;
use fuseboard_services::replay::{
    Caution, Deliver, Delivering, Delivery, Lane, Limits, Observer, Replay, Surroundings,
};
use fuseboard_services::wake::Bells;
use fuseboard_store::{Letter, Letters};
use tokio::sync::Notify;

use crate::draft::CIRCUIT;
use crate::drive::Failure;

/// Letters in flight at once.
pub(crate) const CONCURRENCY: usize = 64;

const LEASE: Duration = Duration::from_secs(30);

/// Longer than this, and something is wrong.
const PATIENCE: Duration = Duration::from_secs(120);

/// An upstream that is always there and always pleased.
struct AtOnce;

impl Deliver for AtOnce {
    fn deliver<'a>(&'a self, _letter: &'a Letter) -> Delivering<'a> {
        let delivery = Delivery {
            answer: Answer::Done,
            outcome: Outcome::Success,
            failure: None,
            stored: None,
            note: "answered 200".to_owned(),
        };
        Box::pin(std::future::ready(delivery))
    }
}

/// Counts letters that are done, and tells when it is enough.
struct Count {
    wanted: u64,
    resolved: AtomicU64,
    enough: Notify,
}

impl Observer for Count {
    fn on_replay(&self, _circuit: &str, result: Status) {
        if result == Status::Resolved
            && self.resolved.fetch_add(1, Ordering::Relaxed) + 1 == self.wanted
        {
            self.enough.notify_one();
        }
    }
}

/// How many letters a second are replayed, over the next `wanted`, from a standing start.
pub(crate) async fn rate(letters: &Arc<dyn Letters>, wanted: u64) -> Result<f64, Failure> {
    let count = Arc::new(Count { wanted, resolved: AtomicU64::new(0), enough: Notify::new() });
    let bells = Bells::new([CIRCUIT]);
    let lane = Lane {
        breaker: CircuitBreaker::builder(CIRCUIT).build()?,
        deliver: Arc::new(AtOnce),
        concurrency: CONCURRENCY,
        rate: 0.0,
        lease: LEASE,
        // All at once: how fast it becomes faster is not what is measured.
        caution: Caution { canary: 0, ..Caution::default() },
    };
    let surroundings = Surroundings {
        letters: letters.clone(),
        bells,
        clock: Arc::new(SystemClock::new()),
        random: Arc::new(SeededRandom::new(1)),
        observer: count.clone(),
        gate: Arc::new(Open),
        domains: Arc::default(),
        limits: Limits { concurrency: CONCURRENCY, rate: None },
    };
    let begun = Instant::now();
    let replay = Replay::start(vec![lane], &surroundings);
    let enough = tokio::time::timeout(PATIENCE, count.enough.notified()).await;
    let seconds = begun.elapsed().as_secs_f64();
    replay.stop(LEASE).await;
    let resolved = || count.resolved.load(Ordering::Relaxed);
    enough.map_err(|_| format!("{} of {wanted} letters were replayed", resolved()))?;
    Ok(wanted as f64 / seconds)
}
