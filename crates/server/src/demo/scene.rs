//! What there is to see at one moment: plain data, so that every way of showing it can be tested without a demo.

use std::net::SocketAddr;
use std::time::Duration;

use fuseboard_core::letter::Status;
use fuseboard_core::{Info, State, Totals};
use fuseboard_store::Counts;

use super::story::Line;
use super::traffic::Score;

/// How long one step of the time line lasts.
pub(crate) const BUCKET: Duration = Duration::from_millis(500);

/// How the payment service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Alive,
    Killed,
    BrownOut,
}

impl Condition {
    /// The word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Condition::Alive => "alive",
            Condition::Killed => "killed",
            Condition::BrownOut => "brown-out",
        }
    }

    /// What it does to a payment that reaches it.
    pub(crate) const fn explained(self) -> &'static str {
        match self {
            Condition::Alive => "does every payment",
            Condition::Killed => "SIGKILL: nobody listens",
            Condition::BrownOut => "answers 500, or never",
        }
    }
}

/// How far the demo is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Payments are sent.
    Traffic,
    /// No more payments; what was kept is replayed.
    Draining,
    /// The pages of kept payments are read, and the ledger is computed.
    Checking,
}

/// The circuit, as far as it is shown.
#[derive(Clone, Debug)]
pub(crate) struct Circuit {
    pub(crate) state: State,
    pub(crate) lasted: Duration,
    /// What opened it, while it is not closed again.
    pub(crate) why: Option<String>,
    /// How often a probe failed since.
    pub(crate) reopens: u32,
    /// Until the next probe, and how long that was when the circuit opened.
    pub(crate) retry: Option<(Duration, Duration)>,
    pub(crate) in_flight: u64,
    pub(crate) totals: Totals,
}

impl Circuit {
    /// A circuit that nobody has called yet.
    pub(crate) fn untouched() -> Self {
        Circuit {
            state: State::Closed,
            lasted: Duration::ZERO,
            why: None,
            reopens: 0,
            retry: None,
            in_flight: 0,
            totals: Totals::default(),
        }
    }

    /// What is shown of `info`; `opened_for` is the time that the circuit was to stay open when it opened.
    pub(crate) fn of(info: &Info, opened_for: Option<Duration>) -> Self {
        Circuit {
            state: info.state,
            lasted: info.lasted,
            why: info.trip.as_ref().map(|trip| trip.why.clone()),
            reopens: info.reopens,
            retry: info.retry_after.map(|left| (left, opened_for.unwrap_or(left))),
            in_flight: info.in_flight,
            totals: info.totals,
        }
    }
}

/// Dead letters by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LetterCounts {
    pub(crate) captured: u64,
    pub(crate) pending: u64,
    pub(crate) replaying: u64,
    pub(crate) resolved: u64,
    /// Those that a person must look at, and those that nobody will do.
    pub(crate) stuck: u64,
}

impl LetterCounts {
    /// What is shown of a store's counts.
    pub(crate) fn of(counts: &Counts) -> Self {
        let stuck = [Status::RequiresReview, Status::Discarded, Status::Expired];
        LetterCounts {
            captured: counts.captured,
            pending: counts.of(Status::Pending),
            replaying: counts.of(Status::Replaying),
            resolved: counts.of(Status::Resolved),
            stuck: stuck.into_iter().map(|status| counts.of(status)).sum(),
        }
    }

    /// Letters that are still to be replayed.
    pub(crate) fn waiting(&self) -> u64 {
        self.pending + self.replaying
    }
}

/// One step of the time line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    /// What was answered in it.
    pub(crate) score: Score,
    /// The worst state that the circuit was seen in.
    pub(crate) circuit: State,
    /// How the service was at its end.
    pub(crate) service: Condition,
}

/// What there is to see at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    /// Since the first payment.
    pub(crate) at: Duration,
    /// How long payments are sent.
    pub(crate) length: Duration,
    pub(crate) phase: Phase,
    pub(crate) circuit: Circuit,
    pub(crate) condition: Condition,
    /// How long the service has been so.
    pub(crate) condition_lasted: Duration,
    pub(crate) pid: Option<u32>,
    pub(crate) address: SocketAddr,
    pub(crate) score: Score,
    pub(crate) letters: LetterCounts,
    /// The time line, oldest first.
    pub(crate) history: Vec<Bucket>,
    /// What happened, oldest first.
    pub(crate) story: Vec<Line>,
}
