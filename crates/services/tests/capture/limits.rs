//! What is not kept, whose fault that is, and that nobody waits for it without end.

use std::time::Duration;

use fuseboard_core::CallError;
use fuseboard_services::capture::{Captured, Idempotent, NotDone, NotQueued, Storable, Undone};
use fuseboard_services::circuits::Trouble as Problem;
use fuseboard_store::{FullReason, Memory, MemoryOptions, StoreError};

use crate::rig::{BYTES, Rig, Trouble, word};
use crate::troubled_store::TroubledStore;

#[tokio::test]
async fn payloads_up_to_the_limit_are_kept_whole_and_larger_ones_are_not() {
    let rows = [(1, 0), (1, 1), (1, 2), (10, 9), (10, 10), (10, 11), (5000, 5000), (5000, 5001)];
    for (limit, length) in rows {
        let rig = Rig::new();
        let charge = rig.charge().limit(limit).build().unwrap();
        rig.fails(Undone::Rejected);
        let payload: Vec<u8> = (0..length).map(|at| at as u8).collect();
        let captured = charge.call(payload.clone()).await;
        if payload.len() as u64 <= limit {
            assert_eq!(word(&captured), "queued", "{length} of {limit}");
            assert_eq!(rig.only_letter().await.body, payload);
            continue;
        }
        let why = captured.not_queued().unwrap();
        assert!(matches!(why, NotQueued::TooLarge { limit: told } if *told == limit), "{why}");
        rig.conserved(0).await;
    }
}

/// The caller gets its own error, and why it was not queued.
fn not_done<T>(captured: Captured<T, Trouble>) -> NotDone<Trouble> {
    match captured {
        Captured::Failed(not_done) => not_done,
        other => panic!("{}", word(&other)),
    }
}

#[tokio::test]
async fn a_full_store_leaves_the_caller_its_own_error_and_says_so() {
    let options = MemoryOptions { capacity: Some(1), ..MemoryOptions::default() };
    let rig = Rig::over(TroubledStore::over(Memory::new(options)));
    let charge = rig.charge().idempotent(Idempotent::Always).build().unwrap();
    rig.fails(Undone::Timeout);
    assert_eq!(word(&charge.call(BYTES.to_vec()).await), "queued");
    let not_done = not_done(charge.call(BYTES.to_vec()).await);
    assert_eq!(not_done.error, CallError::Failed(Trouble(Some(Undone::Timeout))));
    let full = StoreError::Full { reason: FullReason::Capacity { letters: 1 } };
    assert_eq!(not_done.not_queued.to_string(), full.to_string());
    assert!(!not_done.not_queued.outcome_is_unknown());
    rig.conserved(1).await;

    rig.recovers();
    let id = rig.only_letter().await.id;
    assert!(rig.replays.replay_single(id).await.unwrap().success);
    rig.fails(Undone::Timeout);
    assert_eq!(word(&charge.call(BYTES.to_vec()).await), "queued", "there is room again");
    rig.conserved(2).await;
}

#[tokio::test]
async fn a_store_that_is_down_leaves_the_caller_its_own_error() {
    let rig = Rig::new();
    let charge = rig.charge().build().unwrap();
    rig.letters.is_away(true);
    for undone in [Undone::Rejected, Undone::Connect] {
        rig.fails(undone);
        let not_done = not_done(charge.call(BYTES.to_vec()).await);
        let own = match undone {
            Undone::Rejected => not_done.error.rejected().is_some(),
            undone => not_done.error == CallError::Failed(Trouble(Some(undone))),
        };
        assert!(own, "{undone}");
        assert!(matches!(not_done.not_queued, NotQueued::Store(StoreError::Unavailable { .. })));
        rig.breaker.reset();
    }
    rig.letters.is_away(false);
    assert_eq!(word(&charge.call(BYTES.to_vec()).await), "queued", "it is back");
    rig.conserved(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_not_waited_for_without_end() {
    let rig = Rig::over(TroubledStore::default().hanging("insert"));
    let charge = rig.charge().fallback(|_, _| None).build().unwrap();
    rig.fails(Undone::Rejected);
    let began = tokio::time::Instant::now();
    let not_done = not_done(charge.call(BYTES.to_vec()).await);
    assert_eq!(began.elapsed(), Duration::from_secs(2));
    assert!(not_done.not_queued.outcome_is_unknown());
    assert!(not_done.error.rejected().is_some());
    assert_eq!(not_done.not_queued.to_string(), "the store did not answer within 2s");
}

/// A payload that cannot be written down.
#[derive(Clone)]
struct Unspeakable;

impl Storable for Unspeakable {
    fn to_bytes(&self) -> Result<Vec<u8>, Problem> {
        Err("it has no form".into())
    }

    fn from_bytes(_: &[u8]) -> Result<Self, Problem> {
        Ok(Unspeakable)
    }
}

#[tokio::test]
async fn a_payload_that_cannot_be_written_down_is_not_queued() {
    let rig = Rig::new();
    let call =
        rig.captures.protect("speak", &rig.breaker, async |Unspeakable, _| Ok::<(), Trouble>(()));
    let call = call.build().unwrap();
    assert_eq!(word(&call.call(Unspeakable).await), "done", "nobody asks for its bytes");
    rig.fails(Undone::Rejected);
    let not_done = not_done(call.call(Unspeakable).await);
    assert_eq!(not_done.not_queued.to_string(), "it cannot be written down: it has no form");
    rig.conserved(0).await;
}

#[tokio::test]
async fn what_a_person_reads_has_the_error_and_why_it_was_not_queued() {
    let rig = Rig::new();
    let call = rig.captures.protect("fail", &rig.breaker, async |(), _| {
        Err::<(), _>(std::io::Error::from(std::io::ErrorKind::TimedOut))
    });
    let captured = call.build().unwrap().call(()).await;
    let Err(not_done) = captured.into_result() else { panic!("it was queued") };
    let expected = "timed out; not queued: it may have been done, and is not idempotent";
    assert_eq!(not_done.to_string(), expected);
    assert_eq!(std::error::Error::source(&not_done).unwrap().to_string(), "timed out");
}
