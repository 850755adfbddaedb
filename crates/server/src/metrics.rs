//! What is counted for Prometheus, and how it is written down.
//!
//! | name | labels | what |
//! |---|---|---|
//! | `fuseboard_circuit_state` | `circuit`, `state` | 1 for the state that the circuit is in, 0 for the six others |
//! | `fuseboard_calls_total` | `circuit`, `outcome` | success, failure, ignored, cancelled, rejected, stale |
//! | `fuseboard_call_duration_seconds` | `circuit` | calls that were made, by how long they took |
//! | `fuseboard_state_seconds_total` | `circuit`, `state` | time spent in each state |
//! | `fuseboard_transitions_total` | `circuit`, `from`, `to`, `cause` | changes of state |
//! | `fuseboard_letters` | `circuit`, `status` | letters that are kept |
//! | `fuseboard_letters_captured_total` | `circuit` | letters ever captured |
//! | `fuseboard_letters_purged_total` | `circuit` | letters ever forgotten: captured = those of all statuses + purged |
//! | `fuseboard_letters_late` | `circuit` | letters that are not done and past the deadline of their domain |
//! | `fuseboard_oldest_letter_age_seconds` | `circuit` | age of the oldest pending letter, 0 if there is none |
//! | `fuseboard_captures_refused_total` | `circuit`, `reason` | requests that the store did not keep |
//! | `fuseboard_replays_total` | `circuit`, `result` | replays, by the status of their letter afterwards |
//! | `fuseboard_governance` | `gate` | 1 if it blocks replays: kill_switch, emergency_level, error_budget (of any circuit), unread |
//! | `fuseboard_emergency_level` | | 0 for normal, up to 3; not there while it could not be read |
//! | `fuseboard_governance_checks_total` | `result` | replays that were blocked, or overridden |
//! | `fuseboard_error_budget_spent` | `circuit` | the part of the error budget that is spent: 1 is all of it |
//! | `fuseboard_error_budget_burn_rate` | `circuit` | how fast it is spent: at 1 it lasts as long as its window |
//! | `fuseboard_audit_records_total` | `result` | written, refused (too many waited) or lost (the store did not take them) |
//! | `fuseboard_audit_records_waiting` | | records that wait to be written |
//! | `fuseboard_store_up` | | 1 if the store told how many letters there are, 0 if not |
//!
//! Circuits are those of the configuration. Letters of a circuit that is not there any more count as `other`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fuseboard_core::time::{Clock, Moment};
use fuseboard_core::{Board, Listener, State, Transition};
use fuseboard_services::governance::{AuditCounts, GovernanceStatus};
use fuseboard_store::{Counts, Late};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::config::Config;

mod operations;
mod snapshot;

use operations::OperationsNow;
use snapshot::{CircuitNow, Snapshot};

/// How long a refused capture speaks for the store. Longer would be for ever where a load balancer believes `/readyz`:
/// a server that gets no requests has no capture that could show that it works again.
const REFUSAL_COUNTS: Duration = Duration::from_secs(60);

/// The media type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of call durations, in seconds.
const BUCKETS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CircuitLabel {
    circuit: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReplayLabels {
    circuit: String,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    circuit: String,
    reason: &'static str,
}

/// What others say at the moment of a scrape.
#[derive(Clone, Copy, Debug)]
pub struct Scrape<'a> {
    /// The circuits.
    pub board: &'a Board,
    /// How many letters there are; `None` if the store does not tell.
    pub counts: Option<&'a Counts>,
    /// The late ones; `None` if the store does not tell.
    pub late: Option<&'a [Late]>,
    /// How the gate over replay stands.
    pub governance: &'a GovernanceStatus,
    /// What became of audit records.
    pub audit: AuditCounts,
}

/// The latest capture, if the store refused it.
#[derive(Clone, Copy, Debug)]
struct Refusal {
    reason: &'static str,
    at: Moment,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TransitionLabels {
    circuit: String,
    from: &'static str,
    to: &'static str,
    cause: &'static str,
}

type Durations = Family<CircuitLabel, Histogram, fn() -> Histogram>;

/// What is counted. As a [`Listener`] it counts transitions and the time between them.
///
/// What a breaker or the store counts by itself is read when the metrics are written.
pub struct Metrics {
    registry: Registry,
    durations: Durations,
    transitions: Family<TransitionLabels, Counter>,
    replays: Family<ReplayLabels, Counter>,
    refused: Family<RefusalLabels, Counter>,
    refusal: Mutex<Option<Refusal>>,
    stays: Mutex<BTreeMap<String, Stays>>,
    clock: Arc<dyn Clock>,
}

/// How long a circuit was in each state.
#[derive(Clone, Debug)]
struct Stays {
    state: State,
    since: Moment,
    before: BTreeMap<State, Duration>,
}

impl Stays {
    /// Circuits are closed from the beginning.
    const fn begun() -> Self {
        Stays { state: State::Closed, since: Moment::ZERO, before: BTreeMap::new() }
    }

    fn go(&mut self, to: State, at: Moment) {
        *self.before.entry(self.state).or_default() += at.since(self.since);
        (self.state, self.since) = (to, at);
    }

    fn until(mut self, now: Moment) -> BTreeMap<State, Duration> {
        self.go(self.state, now);
        self.before
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Nothing counted yet, for the circuits of `config`.
    pub fn new(config: &Config, clock: Arc<dyn Clock>) -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        let durations = Family::new_with_constructor(histogram);
        let (transitions, replays, refused) =
            (Family::default(), Family::default(), Family::default());
        let mut registry = Registry::default();
        registry.register(
            "fuseboard_call_duration_seconds",
            "Calls that were made, by how long they took",
            Durations::clone(&durations),
        );
        registry.register("fuseboard_transitions", "Changes of state", Family::clone(&transitions));
        registry.register(
            "fuseboard_replays",
            "Replays, by the status of their letter afterwards",
            Family::clone(&replays),
        );
        registry.register(
            "fuseboard_captures_refused",
            "Requests that the store did not keep",
            Family::clone(&refused),
        );
        let circuits = config.upstreams.keys();
        for circuit in circuits.clone() {
            // Made here, so that it is there from the first scrape on.
            let _ = durations.get_or_create(&CircuitLabel { circuit: circuit.clone() });
        }
        let stays = circuits.map(|circuit| (circuit.clone(), Stays::begun())).collect();
        let (refusal, stays) = (Mutex::new(None), Mutex::new(stays));
        Metrics { registry, durations, transitions, replays, refused, refusal, stays, clock }
    }

    /// A call was made and took `duration`. Circuits that are not in the configuration are left out.
    pub fn observe_call(&self, circuit: &str, duration: Duration) {
        if let Some(durations) = self.durations.get(&CircuitLabel { circuit: circuit.to_owned() }) {
            durations.observe(duration.as_secs_f64());
        }
    }

    /// A letter was replayed; `result` is the word for what became of it, out of a few. Circuits that are not in the
    /// configuration are left out.
    pub fn count_replay(&self, circuit: &str, result: &'static str) {
        if self.stays().contains_key(circuit) {
            let labels = ReplayLabels { circuit: circuit.to_owned(), result };
            self.replays.get_or_create(&labels).inc();
        }
    }

    /// The store did not keep a request, being full or failing; `reason` is one word for it, out of a few. Circuits that
    /// are not in the configuration are not counted.
    pub fn count_refused_capture(&self, circuit: &str, reason: &'static str) {
        *self.refusal() = Some(Refusal { reason, at: self.clock.now() });
        if self.stays().contains_key(circuit) {
            let labels = RefusalLabels { circuit: circuit.to_owned(), reason };
            self.refused.get_or_create(&labels).inc();
        }
    }

    /// The store kept a request.
    pub fn capture_worked(&self) {
        *self.refusal() = None;
    }

    /// Why the store refused the latest capture, if it did, within the last 60 s: there is nothing later to go by.
    pub fn refusing(&self) -> Option<&'static str> {
        let refusal = (*self.refusal())?;
        (self.clock.now().since(refusal.at) < REFUSAL_COUNTS).then_some(refusal.reason)
    }

    /// Everything as text, of the type [`CONTENT_TYPE`].
    pub fn encode(&self, scrape: &Scrape<'_>) -> String {
        let Scrape { board, counts, late, governance, audit } = *scrape;
        // Reading a breaker may end a pin, of which this listener is told: so read them all first.
        let infos: Vec<_> = board.all().iter().map(|breaker| breaker.info()).collect();
        let stays = self.stays().clone();
        let now = self.clock.now();
        let circuits = infos.into_iter().filter_map(|info| {
            let stays = stays.get(&*info.name)?.clone().until(now);
            Some(CircuitNow { info, stays })
        });
        let snapshot = Snapshot::new(circuits.collect(), counts, late, self.clock.wall());
        let known = |circuit: &str| stays.contains_key(circuit);
        let operations = OperationsNow::new(governance, audit, known);
        let mut current = Registry::default();
        current.register_collector(Box::new(operations));
        current.register_collector(Box::new(snapshot));
        let mut text = String::new();
        let written = text::encode_registry(&mut text, &current)
            .and_then(|()| text::encode_registry(&mut text, &self.registry))
            .and_then(|()| text::encode_eof(&mut text));
        written.expect("writing to a string does not fail, and every histogram has buckets");
        text
    }

    fn refusal(&self) -> MutexGuard<'_, Option<Refusal>> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stays(&self) -> MutexGuard<'_, BTreeMap<String, Stays>> {
        self.stays.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener for Metrics {
    fn on_transition(&self, circuit: &str, transition: &Transition) {
        let mut stays = self.stays();
        let Some(stays) = stays.get_mut(circuit) else { return };
        stays.go(transition.to, transition.at);
        let labels = TransitionLabels {
            circuit: circuit.to_owned(),
            from: transition.from.as_str(),
            to: transition.to.as_str(),
            cause: transition.cause.as_str(),
        };
        self.transitions.get_or_create(&labels).inc();
    }
}
