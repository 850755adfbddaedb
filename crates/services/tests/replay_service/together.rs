//! Two services over one store.

use std::sync::Arc;

use fuseboard_core::letter::Status;
use fuseboard_services::replay_service::{BatchOptions, OnCircuitClose, ReplayService};

use crate::rig::{Reply, Rig};

impl Rig {
    /// Another service over the same letters, as on another node, with the same other side.
    fn second(&self) -> ReplayService {
        let builder = ReplayService::builder(self.letters.clone()).circuits(self.circuits.clone());
        let service = builder.build().unwrap();
        service.register_circuit_handler("payments", self.upstream.clone());
        service
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_batches_at_once_never_replay_a_letter_twice() {
    for rig in Rig::all(|_| Reply::Done) {
        rig.capture(100).await;
        let (one, other) = (rig.service.clone(), rig.second());
        let all = || BatchOptions { max_items: 1000, ..BatchOptions::default() };
        let one = tokio::spawn(async move { one.replay_batch(all()).await });
        let other = tokio::spawn(async move { other.replay_batch(all()).await });
        let (one, other) = (one.await.unwrap().unwrap(), other.await.unwrap().unwrap());
        assert_eq!(one.success_count + other.success_count, 100);
        assert_eq!(rig.count(Status::Resolved).await, 100);
        assert_eq!(rig.came().len(), 100);
        rig.conserved().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_single_replays_of_one_letter_at_once_one_delivers_it() {
    for rig in Rig::all(|_| Reply::Done) {
        let id = rig.capture(1).await[0];
        let (mine, other) = (rig.service.clone(), rig.second());
        let ask = |service: &ReplayService| {
            let service = service.clone();
            tokio::spawn(async move { service.replay_single(id).await })
        };
        let asked: Vec<_> = (0..8).map(|n| ask(if n % 2 == 0 { &mine } else { &other })).collect();
        let mut delivered = 0;
        for one in asked {
            let result = one.await.unwrap().unwrap();
            assert!(result.success || result.skipped, "{result:?}");
            delivered += usize::from(!result.skipped);
        }
        assert_eq!((delivered, rig.came().len()), (1, 1));
        rig.conserved().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_replays_of_one_circuit_at_once_one_goes_and_the_others_say_so() {
    for rig in Rig::all(|_| Reply::Done) {
        rig.capture(40).await;
        let (one, other) = (rig.service.clone(), rig.second());
        let second = Arc::new(tokio::sync::Notify::new());
        let told = second.clone();
        let _ = rig.decided_by(move |_| {
            told.notify_one();
            Reply::Done
        });
        let first = tokio::spawn(async move {
            one.replay_on_circuit_close("payments", OnCircuitClose::default()).await
        });
        second.notified().await;
        let late = other.replay_on_circuit_close("payments", OnCircuitClose::default()).await;
        let (first, late) = (first.await.unwrap().unwrap(), late.unwrap());
        assert_eq!(first.success_count + late.success_count, 40);
        assert!(late.inflight_skipped || first.success_count == 40);
        assert_eq!(rig.came().len(), 40);
        rig.conserved().await;
    }
}
