//! Batches: which letters, in which order, and what the result says.

use fuseboard_core::letter::Status;
use fuseboard_core::{Pin, State};
use fuseboard_services::replay_service::{BatchOptions, ReplayError};
use fuseboard_store::Priority;

use crate::rig::{Reply, Rig, SECOND};

#[tokio::test]
async fn a_batch_takes_the_oldest_letters_up_to_its_limit() {
    for rig in Rig::all(|_| Reply::Done) {
        let ids = rig.capture(5).await;
        let options = BatchOptions { max_items: 3, ..BatchOptions::default() };
        let result = rig.service.replay_batch(options).await.unwrap();
        assert_eq!((result.total, result.success_count), (3, 3));
        assert_eq!((result.failed_count, result.skipped_count), (0, 0));
        let went: Vec<_> = result.results.iter().map(|one| one.dlq_id).collect();
        assert_eq!(went, ids[..3]);
        assert!(!result.governance_blocked && result.governance_block_reason.is_empty());
        assert!(!result.inflight_skipped && !result.priority_used);
        assert_eq!(result.domains_processed, None);
        rig.conserved().await;
    }
}

#[tokio::test]
async fn filters_choose_by_circuit_domain_and_failure_type() {
    let by = |circuit: Option<&str>, domain: Option<&str>, failure: Option<&str>| BatchOptions {
        circuit: circuit.map(Into::into),
        domain: domain.map(Into::into),
        failure_type: failure.map(Into::into),
        ..BatchOptions::default()
    };
    let rows = [
        (by(Some("mails"), None, None), vec![3, 4]),
        (by(None, Some("orders"), None), vec![1, 2, 3]),
        (by(None, None, Some("timeout")), vec![2, 4]),
        (by(Some("payments"), Some("orders"), Some("timeout")), vec![2]),
        (by(Some("nothing"), None, None), vec![]),
    ];
    for (options, expected) in rows {
        for rig in Rig::all(|_| Reply::Done) {
            for (circuit, domain, failure) in [
                ("payments", "orders", "rejected"),
                ("payments", "orders", "timeout"),
                ("mails", "orders", "rejected"),
                ("mails", "news", "timeout"),
            ] {
                rig.capture_as(circuit, domain, failure, Priority::Normal).await;
            }
            let dry = BatchOptions { dry_run: true, ..options.clone() };
            let told = rig.service.replay_batch(dry).await.unwrap();
            let result = rig.service.replay_batch(options.clone()).await.unwrap();
            for result in [told, result] {
                let mut went: Vec<_> = result.results.iter().map(|one| one.dlq_id.0).collect();
                went.sort_unstable();
                assert_eq!(went, expected, "{options:?}");
            }
            rig.conserved().await;
        }
    }
}

#[tokio::test]
async fn failures_are_counted_and_wait_and_a_letter_has_one_turn_in_a_batch() {
    for rig in Rig::all(|letter| if letter.key == "key-2" { Reply::Again } else { Reply::Done }) {
        rig.capture(4).await;
        let result = rig.service.replay_batch(BatchOptions::default()).await.unwrap();
        assert_eq!((result.total, result.success_count, result.failed_count), (4, 3, 1));
        assert_eq!(result.results[1].error.as_deref(), Some("answered 503"));
        assert_eq!(rig.count(Status::Pending).await, 1);
        let again = rig.service.replay_batch(BatchOptions::default()).await.unwrap();
        assert_eq!(again.total, 0, "it waits ten seconds");
        rig.conserved().await;
    }
}

#[tokio::test]
async fn a_letter_that_is_due_again_during_its_batch_is_put_off() {
    for rig in Rig::all(|_| Reply::Again) {
        rig.breaker("payments").disable(Pin::by("test"));
        let ids = rig.capture(3).await;
        let clock = rig.clock.clone();
        let _ = rig.decided_by(move |_| {
            clock.advance(8 * SECOND);
            Reply::Again
        });
        let result = rig.service.replay_batch(BatchOptions::default()).await.unwrap();
        assert_eq!((result.total, result.failed_count), (3, 3));
        assert_eq!(rig.came(), ["key-1", "key-2", "key-3"], "each once");
        let life = rig.life(ids[0]).await;
        assert_eq!(
            (life.status, life.attempts),
            (Status::Pending, 1),
            "being put off is no attempt"
        );
        rig.conserved().await;
    }
}

#[tokio::test]
async fn when_the_circuit_opens_the_rest_is_skipped_within_one_letter() {
    for rig in Rig::all(|_| Reply::Again) {
        let ids = rig.capture(20).await;
        let result = rig.service.replay_batch(BatchOptions::default()).await.unwrap();
        assert_eq!(rig.breaker("payments").state(), State::Open);
        assert_eq!(rig.came().len(), 5, "five failures in a row open it");
        assert_eq!((result.total, result.failed_count, result.skipped_count), (20, 5, 15));
        let rest = result.results.iter().skip(5);
        assert!(
            rest.clone().all(|one| one.skipped && !one.success && one.message.contains("open"))
        );
        assert_eq!(rest.map(|one| one.dlq_id).collect::<Vec<_>>(), ids[5..]);
        for id in &ids[5..] {
            let life = rig.life(*id).await;
            assert_eq!((life.status, life.attempts), (Status::Pending, 0));
        }
        assert_eq!(rig.breaker("payments").info().totals.rejected, 0, "a backlog is no calls");
        rig.conserved().await;
    }
}

#[tokio::test]
async fn past_an_open_deadline_the_oldest_letters_are_the_probes() {
    for rig in Rig::all(|_| Reply::Done) {
        rig.capture(5).await;
        rig.trip("payments");
        let early = rig.service.replay_batch(BatchOptions::default()).await.unwrap();
        assert_eq!((early.total, early.skipped_count), (5, 5));
        rig.clock.advance(60 * SECOND);
        let result = rig.service.replay_batch(BatchOptions::default()).await.unwrap();
        assert_eq!(result.success_count, 5);
        assert_eq!(rig.came()[0], "key-1");
        assert_eq!(rig.breaker("payments").state(), State::Closed, "three successes close it");
        rig.conserved().await;
    }
}

#[tokio::test]
async fn an_open_circuit_does_not_keep_other_circuits_letters_waiting() {
    for rig in Rig::all(|_| Reply::Done) {
        rig.capture(3).await;
        for _ in 0..3 {
            rig.capture_as("mails", "news", "rejected", Priority::Normal).await;
        }
        rig.trip("payments");
        let options = BatchOptions { max_items: 5, ..BatchOptions::default() };
        let result = rig.service.replay_batch(options).await.unwrap();
        assert_eq!((result.success_count, result.skipped_count, result.total), (3, 2, 5));
        assert_eq!(rig.came(), ["key-4", "key-5", "key-6"]);
        rig.conserved().await;
    }
}

#[tokio::test]
async fn circuits_take_turns() {
    for rig in Rig::all(|_| Reply::Done) {
        rig.capture(3).await;
        for _ in 0..3 {
            rig.capture_as("mails", "news", "rejected", Priority::Normal).await;
        }
        let options = BatchOptions { max_items: 4, ..BatchOptions::default() };
        rig.service.replay_batch(options).await.unwrap();
        assert_eq!(rig.came(), ["key-4", "key-1", "key-5", "key-2"]);
        rig.conserved().await;
    }
}

#[tokio::test]
async fn a_dry_run_tells_and_changes_nothing() {
    for rig in Rig::all(|_| Reply::Done) {
        let ids = rig.capture(3).await;
        let options = BatchOptions { dry_run: true, max_items: 2, ..BatchOptions::by("ops", "") };
        let result = rig.service.replay_batch(options).await.unwrap();
        assert_eq!((result.total, result.skipped_count), (2, 2));
        assert_eq!(result.results[0].dlq_id, ids[0]);
        assert_eq!(result.results[0].get("skip_reason"), Some("dry run: it would be replayed"));
        assert!(rig.came().is_empty() && rig.audit().await.is_empty());
        assert!(rig.gate.asked.lock().unwrap().is_empty(), "the gate was asked in earnest");
        for id in ids {
            assert_eq!(rig.life(id).await.fence, 0);
            assert_eq!(rig.history(id).await, ["captured"]);
        }
        assert_eq!(rig.breaker("payments").info().totals.cancelled, 0);
        rig.conserved().await;
    }
}

#[tokio::test]
async fn letters_without_a_handler_do_not_hold_up_the_others() {
    for rig in Rig::all(|_| Reply::Done) {
        for _ in 0..2 {
            rig.capture_as("stray", "nobody", "rejected", Priority::Normal).await;
        }
        rig.capture_as("stray", "orders", "rejected", Priority::Normal).await;
        rig.service.register_domain_handler("orders", rig.upstream.clone());
        let result = rig.service.replay_batch(BatchOptions::default()).await.unwrap();
        assert_eq!((result.success_count, result.skipped_count), (1, 2));
        rig.conserved().await;
    }
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_its_field() {
    let rig = &Rig::all(|_| Reply::Done)[0];
    let rows = [
        (BatchOptions { max_items: 0, ..BatchOptions::default() }, "max_items"),
        (BatchOptions { rate: Some(0.0), ..BatchOptions::default() }, "rate"),
        (BatchOptions { rate: Some(f64::NAN), ..BatchOptions::default() }, "rate"),
    ];
    for (options, field) in rows {
        match rig.service.replay_batch(options).await {
            Err(ReplayError::Invalid(invalid)) => assert_eq!(invalid.field(), field),
            other => panic!("{field}: {other:?}"),
        }
    }
    assert!(rig.service.jobs().is_empty());
    rig.conserved().await;
}

#[tokio::test]
async fn a_store_that_is_gone_is_an_error_and_the_job_says_so() {
    for rig in Rig::all(|_| Reply::Done) {
        rig.letters.close().await.unwrap();
        let error = rig.service.replay_batch(BatchOptions::default()).await.unwrap_err();
        assert!(matches!(error, ReplayError::Store { .. }), "{error:?}");
        let job = &rig.service.jobs()[0];
        assert_eq!(job.status.as_str(), "failed");
        assert!(job.error.as_ref().unwrap().contains("unavailable"), "{job:?}");
    }
}
