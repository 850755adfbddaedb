//! What the replays of all circuits share: how many letters are on their way at once, and how fast they begin.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fuseboard_core::time::Clock;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::pace::Pace;

/// What the replays of all circuits may do together, beside what each [`Lane`](super::Lane) may do by itself.
///
/// Where circuits have to wait for one another, the one with the fewest letters on their way goes next; of those, the one
/// that waits longest. However long a circuit's backlog is, it stands in line once. So a circuit with three letters waits for
/// a place until one of the letters on their way is through, and not until a backlog is.
///
/// ```
/// use fuseboard_services::replay::Limits;
///
/// assert_eq!(Limits::default(), Limits { concurrency: 64, rate: None });
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Letters in flight at once, at most, of all circuits together; at least 1. Default 64.
    pub concurrency: usize,
    /// Letters begun per second, at most, of all circuits together; `None`, the default, for no limit.
    pub rate: Option<f64>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { concurrency: 64, rate: None }
    }
}

/// The places that all lanes share.
pub(super) struct Turns {
    state: Mutex<State>,
    pace: Pace,
    /// Held by whoever waits for the next start: first come, first served.
    next_start: tokio::sync::Mutex<()>,
    clock: Arc<dyn Clock>,
}

struct State {
    free: usize,
    /// Letters in flight, by lane.
    in_flight: Vec<usize>,
    /// Lanes that wait, in the order in which they came. Each waits once.
    waiting: Vec<(usize, oneshot::Sender<Place>)>,
}

/// A place among the letters that are on their way; free again when it is dropped.
pub(super) struct Place {
    turns: Arc<Turns>,
    lane: usize,
}

impl Turns {
    pub(super) fn new(limits: Limits, lanes: usize, clock: Arc<dyn Clock>) -> Self {
        let free = limits.concurrency.max(1);
        let state = State { free, in_flight: vec![0; lanes], waiting: Vec::new() };
        let pace = Pace::new(limits.rate.unwrap_or_default());
        let next_start = tokio::sync::Mutex::default();
        Turns { state: Mutex::new(state), pace, next_start, clock }
    }

    /// A place for a letter of that lane, once there is one and the rate lets it begin. A lane must ask once at a time.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it takes nothing.
    pub(super) async fn take(self: &Arc<Self>, lane: usize) -> Place {
        let place = self.place(lane).await;
        let _next = self.next_start.lock().await;
        while let Err(wait) = self.pace.take(self.clock.now()) {
            sleep(wait).await;
        }
        place
    }

    async fn place(self: &Arc<Self>, lane: usize) -> Place {
        let waiting = {
            let mut state = self.lock();
            // Whoever freed the place is about to hand it on.
            if state.free > 0 && state.waiting.iter().all(|(_, sender)| sender.is_closed()) {
                return state.give(self, lane);
            }
            let (sender, receiver) = oneshot::channel();
            state.waiting.push((lane, sender));
            receiver
        };
        waiting.await.expect("a sender stays in the list until it is used, or nobody waits for it")
    }

    /// Gives free places to those that wait.
    fn hand_on(self: &Arc<Self>) {
        while let Some((place, sender)) = self.next_waiting() {
            // Nobody waits for it any more: it is free again, and the next one gets it.
            let unused = sender.send(place);
            drop(unused);
        }
    }

    fn next_waiting(self: &Arc<Self>) -> Option<(Place, oneshot::Sender<Place>)> {
        let mut state = self.lock();
        state.waiting.retain(|(_, sender)| !sender.is_closed());
        if state.free == 0 {
            return None;
        }
        let in_flight = |(_, (lane, _)): &(usize, &(usize, _))| state.in_flight[*lane];
        let (next, _) = state.waiting.iter().enumerate().min_by_key(in_flight)?;
        let (lane, sender) = state.waiting.remove(next);
        Some((state.give(self, lane), sender))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn give(&mut self, turns: &Arc<Turns>, lane: usize) -> Place {
        self.free -= 1;
        self.in_flight[lane] += 1;
        Place { turns: Arc::clone(turns), lane }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        {
            let mut state = self.turns.lock();
            state.free += 1;
            state.in_flight[self.lane] -= 1;
        }
        self.turns.hand_on();
    }
}
