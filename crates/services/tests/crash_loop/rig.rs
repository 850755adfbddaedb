//! What both kinds of trouble share: a circuit that goes on trying, and letters for it.

use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::letter::{Answer, Life, Rules, Status};
use fuseboard_core::policy::Retry;
use fuseboard_core::random::SeededRandom;
use fuseboard_core::time::{Clock, WallTime};
use fuseboard_core::{Board, Failure, Outcome};
use fuseboard_services::governance::Open;
use fuseboard_services::replay::{
    Caution, Deliver, Delivery, Lane, Limits, Observer, Replay, Surroundings,
};
use fuseboard_services::wake::Bells;
use fuseboard_store::{Draft, Letters, Priority, Token};

pub(crate) const CIRCUIT: &str = "payments";

/// Attempts without end, so that only crashes send a letter to review.
pub(crate) fn letter_rules() -> Rules {
    let retry = Retry::Backoff {
        initial: Duration::from_millis(2),
        max: Duration::from_millis(10),
        multiplier: 2.0,
        jitter: 0.2,
    };
    Rules { max_attempts: 1_000_000, max_crashes: 5, retry }
}

pub(crate) fn draft(key: &str, order_key: Option<String>, now: WallTime) -> Draft {
    Draft {
        token: Token::random(),
        circuit: CIRCUIT.to_owned(),
        domain: "orders".to_owned(),
        failure: "rejected".to_owned(),
        method: "POST".to_owned(),
        uri: "/charge".to_owned(),
        headers: vec![],
        content_type: None,
        body: key.as_bytes().to_vec(),
        key: key.to_owned(),
        scope: vec![],
        order_key,
        priority: Priority::Normal,
        sla_deadline: None,
        sealed_by: None,
        fingerprint: None,
        life: Life::captured(now),
        captured_at: now,
    }
}

pub(crate) fn delivery(answer: Answer) -> Delivery {
    let failed = answer != Answer::Done;
    Delivery {
        answer,
        outcome: if failed { Outcome::Failure } else { Outcome::Success },
        failure: failed.then(|| Failure::new("failed")),
        stored: None,
        note: format!("{answer:?}"),
    }
}

struct Nobody;

impl Observer for Nobody {
    fn on_replay(&self, _circuit: &str, _result: Status) {}
}

/// The replay of a circuit that opens now and then, for no longer than 20 ms.
pub(crate) fn replay(
    letters: Arc<dyn Letters>,
    deliver: Arc<dyn Deliver>,
    clock: Arc<dyn Clock>,
    lease: Duration,
) -> (Replay, Bells) {
    let bells = Bells::new([CIRCUIT]);
    let board = Board::builder().clock(Arc::clone(&clock)).listener(bells.clone()).build();
    let retry = "cooldown(20ms)".parse().expect("a retry");
    let rules = fuseboard_core::Rules::builder().retry(retry).build().expect("rules that work");
    let breaker = board.get_or_create(CIRCUIT, rules).expect("a new circuit");
    let caution = Caution::default();
    let lane = Lane { breaker, deliver, concurrency: 4, rate: 100_000.0, lease, caution };
    let surroundings = Surroundings {
        letters,
        bells: bells.clone(),
        clock,
        random: Arc::new(SeededRandom::new(1)),
        observer: Arc::new(Nobody),
        gate: Arc::new(Open),
        domains: Arc::default(),
        limits: Limits::default(),
    };
    (Replay::start(vec![lane], &surroundings), bells)
}
