//! The replay of a circuit that recovered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::State;
use fuseboard_core::letter::Status;
use fuseboard_core::time::{Clock, ManualClock};
use fuseboard_services::Runtime;
use fuseboard_services::circuits::{CircuitBreakerService, ManualControl};
use fuseboard_services::replay::{Deliver, Delivering};
use fuseboard_services::replay_service::{
    JobStatus, OnCircuitClose, ReplayConfig, get_replay_service,
};
use fuseboard_store::{Acquired, By, Letter, LetterId, Letters, Priority};

use crate::rig::{Reply, Rig, SECOND, Upstream};

#[tokio::test]
async fn only_the_letters_of_that_circuit_go_oldest_first() {
    for rig in Rig::all(|_| Reply::Done) {
        let ids = rig.capture(3).await;
        let other = rig.capture_as("mails", "orders", "rejected", Priority::Critical).await;
        let options = OnCircuitClose { max_items: 2, ..OnCircuitClose::default() };
        let result = rig.service.replay_on_circuit_close("payments", options).await.unwrap();
        let went: Vec<LetterId> = result.results.iter().map(|one| one.dlq_id).collect();
        assert_eq!(went, ids[..2]);
        assert_eq!(rig.life(other).await.fence, 0);
        rig.conserved().await;
    }
}

#[tokio::test]
async fn failures_are_escalated_with_their_history_only_if_that_was_asked_for() {
    for (escalate_failures, status) in [(true, Status::RequiresReview), (false, Status::Pending)] {
        for rig in Rig::all(|_| Reply::Again) {
            let id = rig.capture(1).await[0];
            let by = By::new("ops", "it is back");
            let options = OnCircuitClose { escalate_failures, by, ..OnCircuitClose::default() };
            let result = rig.service.replay_on_circuit_close("payments", options).await.unwrap();
            assert_eq!((result.failed_count, result.total), (1, 1));
            assert_eq!(result.results[0].get("status"), Some(status.as_str()));
            let life = rig.life(id).await;
            assert_eq!((life.status, life.attempts), (status, 1));
            let history = rig.history(id).await.join("; ");
            assert!(history.contains("answered 503"), "{history}");
            assert_eq!(history.contains("by ops: it is back"), escalate_failures, "{history}");
            let audited = rig.audit().await.contains(&format!("ops letter.set_aside letter/{id}"));
            assert_eq!(audited, escalate_failures);
            rig.conserved().await;
        }
    }
}

#[tokio::test]
async fn when_the_circuit_opens_again_the_rest_is_neither_tried_nor_escalated() {
    for rig in Rig::all(|_| Reply::Again) {
        rig.capture(12).await;
        let options = OnCircuitClose::default();
        let result = rig.service.replay_on_circuit_close("payments", options).await.unwrap();
        assert_eq!((result.failed_count, result.skipped_count), (5, 7));
        assert_eq!(rig.count(Status::RequiresReview).await, 5);
        assert_eq!(rig.count(Status::Pending).await, 7);
        rig.conserved().await;
    }
}

#[tokio::test]
async fn a_map_narrows_the_failure_types_of_a_circuit() {
    let only_timeouts = BTreeMap::from([("payments".to_owned(), vec!["timeout".to_owned()])]);
    let config =
        ReplayConfig { service_failure_type_map: only_timeouts, ..ReplayConfig::default() };
    for rig in Rig::all_with(config, |_| Reply::Done) {
        for failure in ["timeout", "reset", "rejected", "failure"] {
            rig.capture_as("payments", "orders", failure, Priority::Normal).await;
        }
        let own = OnCircuitClose::default();
        rig.service.replay_on_circuit_close("payments", own).await.unwrap();
        assert_eq!(rig.came(), ["key-1"]);
        let wanted = vec!["reset".to_owned(), "rejected".to_owned()];
        let map = Some(BTreeMap::from([("payments".to_owned(), wanted)]));
        let given = OnCircuitClose { service_failure_type_map: map, ..OnCircuitClose::default() };
        rig.service.replay_on_circuit_close("payments", given).await.unwrap();
        assert_eq!(rig.came(), ["key-1", "key-2", "key-3"]);
        rig.conserved().await;
    }
}

#[tokio::test]
async fn one_replay_per_circuit_at_a_time() {
    for rig in Rig::all(|_| Reply::Done) {
        rig.capture(1).await;
        let name = "replay/on_close/payments".to_owned();
        let now = rig.clock.wall();
        let taken =
            rig.letters.acquire(name.clone(), "another node".into(), 60 * SECOND, now).await;
        assert!(matches!(taken, Ok(Acquired::Mine(_))));
        let replay = || rig.service.replay_on_circuit_close("payments", OnCircuitClose::default());
        let result = replay().await.unwrap();
        assert!(result.inflight_skipped);
        assert_eq!((result.total, rig.came().len()), (0, 0));
        rig.clock.advance(60 * SECOND);
        let result = replay().await.unwrap();
        assert!(!result.inflight_skipped, "the other node is gone");
        assert_eq!(result.success_count, 1);
        let now = rig.clock.wall();
        let free = rig.letters.acquire(name, "another node".into(), SECOND, now).await;
        assert!(matches!(free, Ok(Acquired::Mine(_))), "the row was given back");
        rig.conserved().await;
    }
}

#[tokio::test]
async fn a_long_replay_keeps_its_row_and_stops_when_it_lost_it() {
    // How long the second delivery takes, and how many letters go.
    for (takes, went) in [(300, 4), (500, 2)] {
        for rig in Rig::all(|_| Reply::Done) {
            rig.capture(4).await;
            let slow = Arc::new(Slow {
                clock: rig.clock.clone(),
                letters: rig.letters.clone(),
                upstream: rig.upstream.clone(),
                takes: takes * SECOND,
            });
            rig.service.register_domain_handler("orders", slow);
            let options = OnCircuitClose::default();
            let result = rig.service.replay_on_circuit_close("payments", options).await.unwrap();
            assert_eq!(result.success_count, went, "{takes} s");
            assert_eq!(result.inflight_skipped, went < 4);
            rig.conserved().await;
        }
    }
}

/// Takes its time over the second letter, after which another node wants the row.
struct Slow {
    clock: Arc<ManualClock>,
    letters: Arc<dyn Letters>,
    upstream: Arc<Upstream>,
    takes: Duration,
}

impl Deliver for Slow {
    fn deliver<'a>(&'a self, letter: &'a Letter) -> Delivering<'a> {
        Box::pin(async move {
            if letter.key == "key-2" {
                self.clock.advance(self.takes);
                let name = "replay/on_close/payments".to_owned();
                let (other, now) = ("another node".to_owned(), self.clock.wall());
                self.letters.acquire(name, other, SECOND, now).await.unwrap();
            }
            self.upstream.deliver(letter).await
        })
    }
}

#[tokio::test]
async fn force_close_with_trigger_replay_really_replays() {
    for rig in Rig::all(|letter| if letter.key == "key-2" { Reply::Again } else { Reply::Done }) {
        let ids = rig.capture(3).await;
        rig.trip("payments");
        let breakers = CircuitBreakerService::builder()
            .repository(rig.circuits.clone())
            .replay(rig.service.clone())
            .build()
            .unwrap();
        let control = ManualControl::by("ops").because("it is back").trigger_replay(true);
        // As an operator's thread does it, outside of the runtime.
        let result = std::thread::scope(|scope| {
            let close = scope.spawn(|| breakers.force_close("payments", control));
            close.join().expect("it does not panic").unwrap()
        });
        assert!(result.replay_triggered, "{}", result.message);
        while rig.service.jobs()[0].clone().status == JobStatus::Running {
            tokio::task::yield_now().await;
        }
        let job = rig.service.jobs()[0].clone();
        assert_eq!((job.result.success_count, job.result.failed_count), (2, 1));
        assert_eq!(job.by, By::new("ops", "it is back"));
        assert_eq!(rig.breaker("payments").state(), State::ForcedClosed);
        assert_eq!(rig.life(ids[1]).await.status, Status::RequiresReview, "escalated");
        rig.conserved().await;
    }
}

#[test]
fn without_a_runtime_the_operator_is_told_that_nothing_was_started() {
    let letters = Arc::new(fuseboard_store::Memory::default());
    let replays = fuseboard_services::replay_service::ReplayService::new(letters, None);
    let breakers = CircuitBreakerService::builder().replay(replays.clone()).build().unwrap();
    let control = ManualControl::by("ops").trigger_replay(true);
    let result = breakers.force_close("payments", control).unwrap();
    assert!(result.success && !result.replay_triggered);
    assert!(result.message.contains("no tokio runtime"), "{}", result.message);
    assert!(replays.jobs().is_empty());
}

#[tokio::test]
async fn the_getter_is_scoped_to_a_runtime() {
    for rig in Rig::all(|_| Reply::Done) {
        let id = rig.capture(1).await[0];
        let runtime = Runtime::new();
        runtime.set(Arc::new(rig.service.clone()));
        let replayed = runtime.within(async { get_replay_service().replay_single(id).await }).await;
        assert!(replayed.unwrap().success);
        let other = Runtime::new().scope(get_replay_service);
        assert!(!other.replay_single(id).await.unwrap().success, "there it is unknown");
        rig.conserved().await;
    }
}
