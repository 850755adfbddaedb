//! The continuous replay of a circuit goes only while the gate is open.
//!
//! Each letter asks the gate before it is sent: the first that finds it closed is put off untried, and the circuit's workers
//! rest until it is open again. What keeps it closed is looked at once per refresh.

use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::Outcome;
use fuseboard_core::letter::Answer;
use fuseboard_services::governance::{Gate, GateRequest, Governance, GovernanceCheckResult};
use fuseboard_services::replay::{Deliver, Delivering, Delivery, Lane, Replay, Surroundings};
use fuseboard_store::Letter;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{info, warn};

/// What happens by itself is named so in audit records.
const ACTION: &str = "replay";
const ACTOR: &str = "system";
const REASON: &str = "the continuous replay";
/// So often it is on record that letters which are due do not go.
const RECORDED_EVERY: Duration = Duration::from_secs(60);
/// Giving back what overstays the grace may take as long, if the store does not answer.
const HAND_BACK: Duration = Duration::from_secs(1);

/// Does letters again while the gate is open.
pub(crate) struct Gated {
    inner: Arc<dyn Deliver>,
    governance: Arc<Governance>,
    closed: Notify,
}

impl Gated {
    /// `inner`, behind the gate.
    pub(crate) fn new(inner: Arc<dyn Deliver>, governance: Arc<Governance>) -> Arc<Self> {
        Arc::new(Gated { inner, governance, closed: Notify::new() })
    }

    async fn check(&self, circuit: &str, dry_run: bool) -> GovernanceCheckResult {
        let request = GateRequest::new(ACTION, ACTOR, REASON).circuit(circuit).dry_run(dry_run);
        self.governance.check(&request).await
    }
}

impl Deliver for Gated {
    fn deliver<'a>(&'a self, letter: &'a Letter) -> Delivering<'a> {
        Box::pin(async move {
            let checked = self.check(&letter.circuit, false).await;
            if checked.allowed {
                return self.inner.deliver(letter).await;
            }
            self.closed.notify_one();
            Delivery {
                answer: Answer::NotReached,
                outcome: Outcome::Ignored,
                failure: None,
                stored: None,
                note: format!("put off: {}", checked.message),
            }
        })
    }
}

/// The continuous replay of all circuits.
#[derive(Debug)]
pub(crate) struct Continuous {
    stop: watch::Sender<bool>,
    keepers: JoinSet<()>,
}

impl Continuous {
    /// Starts it; each lane comes with the gate that it delivers through. `refresh` is how often a closed gate is looked at.
    pub(crate) fn start(
        lanes: Vec<(Lane, Arc<Gated>)>,
        surroundings: &Surroundings,
        refresh: Duration,
        grace: Duration,
    ) -> Self {
        let (stop, mut keepers) = (watch::Sender::new(false), JoinSet::new());
        for (lane, gate) in lanes {
            let (surroundings, stop) = (surroundings.clone(), stop.subscribe());
            keepers.spawn(Keeper { lane, gate, surroundings, refresh, grace, stop }.run());
        }
        Continuous { stop, keepers }
    }

    /// Begins no more letters, lets those in flight end within the grace, and gives the rest back.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the workers end at once; a letter in flight then waits for its lease to end.
    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.keepers.join_next().await.is_some() {}
    }
}

/// Keeps the replay of one circuit going, or waiting.
struct Keeper {
    lane: Lane,
    gate: Arc<Gated>,
    surroundings: Surroundings,
    refresh: Duration,
    grace: Duration,
    stop: watch::Receiver<bool>,
}

impl Keeper {
    async fn run(mut self) {
        while self.wait_until_open().await {
            let replay = Replay::start(vec![again(&self.lane)], &self.surroundings);
            tokio::select! {
                () = self.gate.closed.notified() => {}
                () = stopped(&mut self.stop) => return replay.stop(self.grace).await,
            }
            self.pause(replay).await;
        }
    }

    /// Waits for the gate; `false` if the server stops.
    async fn wait_until_open(&mut self) -> bool {
        let (circuit, clock) = (self.lane.breaker.name(), &self.surroundings.clock);
        let (mut waits, mut record_at) = (false, clock.now());
        while !*self.stop.borrow() {
            let checked = self.gate.check(circuit, true).await;
            if checked.allowed {
                if waits {
                    info!(circuit, "the gate is open: the continuous replay goes on");
                }
                return true;
            }
            if !std::mem::replace(&mut waits, true) {
                info!(circuit, why = checked.message, "the continuous replay waits");
            }
            if clock.now() >= record_at && self.has_due().await {
                // In earnest, which writes the record.
                let _ = self.gate.check(circuit, false).await;
                record_at = clock.now() + RECORDED_EVERY;
            }
            // Ends early if the server stops; the loop sees to that.
            let _ = timeout(self.refresh, stopped(&mut self.stop)).await;
        }
        false
    }

    async fn has_due(&self) -> bool {
        let due = self.surroundings.letters.next_due(self.lane.breaker.name()).await;
        // If the letters cannot be read, the workers will say so when they go on.
        matches!(due, Ok(Some(at)) if at <= self.surroundings.clock.wall())
    }

    /// Lets what is on its way end: nothing hurries, unless the server stops.
    async fn pause(&mut self, replay: Replay) {
        let mut pausing = std::pin::pin!(replay.stop(self.lane.lease));
        tokio::select! {
            () = pausing.as_mut() => {}
            () = stopped(&mut self.stop) => {
                if timeout(self.grace + HAND_BACK, pausing).await.is_err() {
                    warn!("letters in flight were cut off; the next start frees their leases");
                }
            }
        }
        // Whoever found it closed meanwhile was one of those that have ended.
        let _ = timeout(Duration::ZERO, self.gate.closed.notified()).await;
    }
}

/// The same lane, for workers that begin anew.
fn again(lane: &Lane) -> Lane {
    Lane {
        breaker: lane.breaker.clone(),
        deliver: Arc::clone(&lane.deliver),
        concurrency: lane.concurrency,
        rate: lane.rate,
        lease: lane.lease,
        caution: lane.caution,
    }
}

/// Ends when the server is to stop, or when whoever could say so is gone.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
