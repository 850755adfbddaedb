//! A store that is away for a while, or for good.

use fuseboard_core::letter::Status;
use fuseboard_services::replay_service::{BatchOptions, OnCircuitClose};

use crate::rig::{Reply, Rig, SECOND};
use crate::troubled_store::TroubledStore;

#[tokio::test(start_paused = true)]
async fn a_result_is_written_down_as_soon_as_the_store_is_back() {
    let store = TroubledStore::default().failing("settle", 20);
    let rig = Rig::troubled(store, Reply::Done);
    let id = rig.capture(1).await[0];
    assert!(rig.service.replay_single(id).await.unwrap().success);
    assert_eq!(rig.came().len(), 1, "a store that is away does not make it twice");
    rig.conserved().await;
}

#[tokio::test(start_paused = true)]
async fn a_result_that_cannot_be_written_down_is_told_and_its_letter_comes_back_with_its_lease() {
    let store = TroubledStore::default().failing("settle", 325);
    let rig = Rig::troubled(store, Reply::Again);
    let id = rig.capture(1).await[0];
    let result = rig.service.replay_batch(BatchOptions::default()).await.unwrap();
    assert_eq!((result.total, result.failed_count), (1, 1));
    let error = result.results[0].error.clone().unwrap();
    assert!(error.starts_with("answered 503, which could not be written down"), "{error}");
    assert_eq!(rig.life(id).await.status, Status::Replaying);
    rig.clock.advance(65 * SECOND);
    rig.service.replay_batch(BatchOptions::default()).await.unwrap();
    let life = rig.life(id).await;
    assert_eq!((life.status, life.attempts, life.crashes), (Status::Pending, 1, 1));
    rig.conserved().await;
}

#[tokio::test]
async fn rows_that_cannot_be_had_do_not_stop_a_replay() {
    let store = TroubledStore::default().failing("acquire", 1);
    let rig = Rig::troubled(store, Reply::Done);
    rig.capture(2).await;
    let options = OnCircuitClose::default();
    let result = rig.service.replay_on_circuit_close("payments", options).await.unwrap();
    assert_eq!((result.success_count, result.inflight_skipped), (2, false));
    rig.conserved().await;
}
