//! A store that is full, down or silent: the caller gets its own answer, and why it was not queued.

use std::time::Duration;

use fuseboard_services::capture::{Idempotent, NotQueued, Undone};
use fuseboard_store::{Memory, MemoryOptions, StoreError};

use crate::rig::{BYTES, Building, Rig, post, whole};
use crate::troubled_store::TroubledStore;

fn idempotent(rig: &Rig) -> Building {
    rig.capture().idempotent(Idempotent::Always)
}

#[tokio::test]
async fn a_full_store_leaves_the_caller_its_own_answer_and_says_so() {
    let options = MemoryOptions { capacity: Some(1), ..MemoryOptions::default() };
    let rig = Rig::over(TroubledStore::over(Memory::new(options)));
    rig.fails(Undone::Failure);
    let send = async || rig.send(idempotent(&rig), post(whole(BYTES), None)).await.unwrap();
    assert_eq!(send().await.status(), 202);
    let own = send().await;
    assert_eq!(
        (own.status().as_u16(), own.headers()["x-answer"].as_bytes()),
        (503, b"1".as_slice())
    );
    let why = own.extensions().get::<NotQueued>().unwrap();
    assert_eq!(why.to_string(), "no room for another letter: capacity of 1 letters reached");
    rig.conserved(1).await;
}

#[tokio::test]
async fn a_store_that_is_down_leaves_the_caller_its_own_error() {
    let rig = Rig::new();
    rig.letters.is_away(true);
    for undone in [Undone::Rejected, Undone::Connect, Undone::Timeout, Undone::Reset] {
        rig.fails(undone);
        let error = rig.send(idempotent(&rig), post(whole(BYTES), None)).await.unwrap_err();
        assert_eq!(error.error.rejected().is_some(), undone == Undone::Rejected);
        let text = error.to_string();
        let why = error.why.unwrap();
        assert!(matches!(why, NotQueued::Store(StoreError::Unavailable { .. })), "{why}");
        assert!(text.ends_with(&why.to_string()) && text.len() > why.to_string().len(), "{text}");
        rig.breaker.reset();
    }
    rig.letters.is_away(false);
    let response = rig.send(idempotent(&rig), post(whole(BYTES), None)).await.unwrap();
    assert_eq!(response.status(), 202, "it is back");
    rig.conserved(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_not_waited_for_without_end() {
    let rig = Rig::over(TroubledStore::default().hanging("insert"));
    rig.fails(Undone::Rejected);
    let began = tokio::time::Instant::now();
    let error = rig.send(rig.capture(), post(whole(BYTES), None)).await.unwrap_err();
    assert_eq!(began.elapsed(), Duration::from_secs(2));
    let told = "the call was not made; it is not known whether it was queued: the store did not answer within 2s";
    assert_eq!(error.to_string(), told);
    assert!(error.into_inner().rejected().is_some());
}
