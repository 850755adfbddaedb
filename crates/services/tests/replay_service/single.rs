//! One letter by hand.

use fuseboard_core::letter::Status;
use fuseboard_core::time::Clock;
use fuseboard_core::{Pin, State};
use fuseboard_services::domains::{Domain, Domains};
use fuseboard_services::governance::BlockedBy;
use fuseboard_services::replay_service::{ReplayConfig, ReplayResult};
use fuseboard_store::{By, LetterId, Priority};

use crate::rig::{Reply, Rig, SECOND};

#[tokio::test]
async fn a_letter_that_is_done_is_resolved_and_a_second_replay_is_skipped() {
    for rig in Rig::all(|_| Reply::Done) {
        let id = rig.capture(1).await[0];
        let result = rig.service.replay_single(id).await.unwrap();
        let expected = ReplayResult::succeeded(id, "answered 200");
        assert_eq!(result, expected.with("status", "resolved").with("attempts", "1"));
        let again = rig.service.replay_single(id).await.unwrap();
        assert_eq!(again, ReplayResult::skipped_result(id, "resolved already"));
        assert!(again.success && again.skipped);
        assert_eq!(rig.came().len(), 1);
        assert_eq!(rig.audit().await, [format!("system replay_single letter/{id}")]);
        rig.conserved().await;
    }
}

#[tokio::test]
async fn what_the_other_side_answers_decides() {
    let rows = [
        (Reply::Again, "answered 503", Status::Pending, 1),
        (Reply::Refused, "connection refused", Status::Pending, 0),
        (Reply::Never, "answered 422", Status::RequiresReview, 1),
    ];
    for (reply, error, status, attempts) in rows {
        for rig in Rig::all(move |_| reply) {
            let id = rig.capture(1).await[0];
            let result = rig.service.replay_single(id).await.unwrap();
            let told = (result.success, result.skipped, result.error.as_deref());
            assert_eq!(told, (false, false, Some(error)), "{reply:?}");
            let life = rig.life(id).await;
            assert_eq!((life.status, life.attempts), (status, attempts), "{reply:?}");
            rig.conserved().await;
        }
    }
}

#[tokio::test]
async fn a_letter_that_cannot_be_tried_says_why_and_stays_as_it_is() {
    for rig in Rig::all(|_| Reply::Again) {
        let ids = rig.capture(2).await;
        rig.service.replay_single(ids[0]).await.unwrap();
        rig.breaker("payments").force_open(Pin::by("ops"));
        let waiting = rig.life(ids[0]).await;
        let early = rig.service.replay_single(ids[0]).await.unwrap();
        assert!(!early.success && early.skipped, "{early:?}");
        assert_eq!(rig.life(ids[0]).await, waiting, "it still waits for its next try");
        let rejected = rig.service.replay_single(ids[1]).await.unwrap();
        assert!(rejected.skipped && rejected.message.contains("is forced_open"), "{rejected:?}");
        assert_eq!(rig.life(ids[1]).await.fence, 0, "nobody claimed it");
        assert_eq!(rig.breaker("payments").info().totals.rejected, 0);

        let unknown = rig.service.replay_single(LetterId(99)).await.unwrap();
        assert_eq!(unknown, ReplayResult::failed(LetterId(99), "no such letter"));
        rig.conserved().await;
    }
}

#[tokio::test]
async fn a_letter_in_backoff_goes_at_once_and_whose_hand_that_was_is_on_record() {
    for rig in Rig::all(|letter| if letter.life.attempts < 1 { Reply::Again } else { Reply::Done })
    {
        let id = rig.capture(1).await[0];
        rig.service.replay_single(id).await.unwrap();
        assert!(rig.life(id).await.not_before > rig.clock.wall(), "{}: it waits", rig.name);
        let by = By::new("kim", "the customer is on the phone");
        let result = rig.service.replay_single_by(id, by, false).await.unwrap();
        assert!(result.success, "{result:?}");
        assert_eq!(result.get("attempts"), Some("2"));
        let history = rig.history(id).await;
        let told = "hastened by kim: the customer is on the phone".to_owned();
        assert!(history.contains(&told), "{history:?}");
        let audit = rig.audit().await;
        let expected = ["system replay_single", "kim letter.hasten", "kim replay_single"];
        assert_eq!(audit, expected.map(|what| format!("{what} letter/{id}")));
        rig.conserved().await;
    }
}

#[tokio::test]
async fn a_letter_in_backoff_behind_a_closed_gate_stays_there() {
    for rig in Rig::all(|_| Reply::Again) {
        let id = rig.capture(1).await[0];
        rig.service.replay_single(id).await.unwrap();
        let waiting = rig.life(id).await;
        rig.gate.set(Some(BlockedBy::KillSwitch));
        let result = rig.service.replay_single(id).await.unwrap();
        assert_eq!(result.get("block_reason"), Some("kill_switch"));
        assert_eq!(rig.life(id).await, waiting);
        rig.conserved().await;
    }
}

#[tokio::test]
async fn an_order_key_lets_only_the_first_letter_go() {
    for rig in Rig::all(|_| Reply::Done) {
        let keyed = |draft: &mut fuseboard_store::Draft| draft.order_key = Some("cart".to_owned());
        let (first, second) = (rig.capture_one(keyed).await, rig.capture_one(keyed).await);
        let result = rig.service.replay_single(second).await.unwrap();
        assert!(result.skipped && result.message.contains(&format!("letter {first} ")));
        rig.service.replay_single(first).await.unwrap();
        assert!(rig.service.replay_single(second).await.unwrap().success);
        rig.conserved().await;
    }
}

#[tokio::test]
async fn a_replay_is_a_call_of_its_circuit() {
    for rig in Rig::all(|_| Reply::Again) {
        for id in rig.capture(5).await {
            rig.service.replay_single(id).await.unwrap();
        }
        assert_eq!(rig.breaker("payments").state(), State::Open, "five failures in a row");
        assert_eq!(rig.breaker("payments").info().totals.failure, 5);
        rig.conserved().await;
    }
}

#[tokio::test]
async fn a_handler_knows_that_it_replays_and_which_attempt_with_which_key() {
    for rig in Rig::all(|letter| if letter.life.attempts < 1 { Reply::Again } else { Reply::Done })
    {
        let id = rig.capture(1).await[0];
        rig.service.replay_single(id).await.unwrap();
        rig.clock.advance(10 * SECOND);
        rig.service.replay_single(id).await.unwrap();
        let contexts = rig.upstream.contexts.lock().unwrap().clone();
        for (context, attempt) in contexts.into_iter().zip([1, 2]) {
            let context = context.expect("a handler runs in a replay");
            assert_eq!((context.dlq_id, context.attempt, &*context.key), (id, attempt, "key-1"));
        }
        rig.conserved().await;
    }
}

#[tokio::test]
async fn a_letter_without_a_handler_keeps_its_attempts() {
    for rig in Rig::all(|_| Reply::Done) {
        let id = rig.capture_as("unknown", "orders", "rejected", Priority::Normal).await;
        let result = rig.service.replay_single(id).await.unwrap();
        assert!(result.error.unwrap().starts_with("no handler is registered for domain `orders`"));
        assert_eq!(rig.life(id).await.attempts, 0);
        rig.service.register_domain_handler("orders", rig.upstream.clone());
        assert!(rig.service.replay_single(id).await.unwrap().success);
        rig.conserved().await;
    }
}

#[tokio::test]
async fn a_letter_that_crashes_its_handler_ends_in_review_with_its_history() {
    for rig in Rig::all(|_| Reply::Crash) {
        let id = rig.capture(1).await[0];
        rig.breaker("payments").disable(Pin::by("test"));
        for _ in 0..5 {
            let result = rig.service.replay_single(id).await.unwrap();
            assert_eq!(result.get("status"), Some("replaying"));
            rig.clock.advance(65 * SECOND);
        }
        let result = rig.service.replay_single(id).await.unwrap();
        assert!(result.message.contains("requires_review"), "{result:?}");
        let life = rig.life(id).await;
        assert_eq!((life.status, life.crashes), (Status::RequiresReview, 5));
        assert_eq!(rig.came().len(), 5);
        let crashes = rig.history(id).await.iter().filter(|what| what.contains("crashed")).count();
        assert_eq!(crashes, 5);
        rig.conserved().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_does_not_come_back_is_given_up_as_no_answer() {
    for rig in Rig::all(|_| Reply::Hang) {
        let id = rig.capture(1).await[0];
        let result = rig.service.replay_single(id).await.unwrap();
        assert_eq!(result.error.as_deref(), Some("no answer within 60s"));
        let life = rig.life(id).await;
        assert_eq!((life.status, life.attempts), (Status::Pending, 1));
        assert_eq!(rig.breaker("payments").info().totals.failure, 1);
        rig.conserved().await;
    }
}

#[tokio::test]
async fn a_domain_may_allow_fewer_attempts_than_the_store() {
    let orders = Domain { max_retries: Some(2), ..Domain::default() };
    let domains = Domains::default().domain("orders", orders);
    let config = ReplayConfig { domains, ..ReplayConfig::default() };
    for rig in Rig::all_with(config, |_| Reply::Again) {
        let id = rig.capture(1).await[0];
        for status in [Status::Pending, Status::RequiresReview] {
            rig.service.replay_single_by(id, By::new("ops", "again"), false).await.unwrap();
            assert_eq!(rig.life(id).await.status, status);
            rig.clock.advance(10 * SECOND);
        }
        let history = rig.history(id).await.join("; ");
        assert!(history.contains("domain orders allows 2 attempts"), "{history}");
        let result = rig.service.replay_single(id).await.unwrap();
        assert_eq!(result.error.as_deref(), Some("cannot replay: the letter is requires_review"));
        rig.conserved().await;
    }
}
