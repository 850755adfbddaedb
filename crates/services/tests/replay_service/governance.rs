//! The gate: what it blocks, and what an override is.

use std::sync::Arc;

use fuseboard_core::letter::Status;
use fuseboard_services::governance::{
    AuditLog, BlockedBy, Change, Checking, Gate, GateRequest, Governance, Switch,
};
use fuseboard_services::replay_service::{
    BatchOptions, JobStatus, OnCircuitClose, ReplayError, ReplayService,
};
use fuseboard_store::{By, Letter, Memory, Priority};

use crate::rig::{Reply, Rig};

#[tokio::test]
async fn a_closed_gate_blocks_every_kind_of_replay_and_says_so() {
    for rig in Rig::all(|_| Reply::Done) {
        let id = rig.capture(1).await[0];
        rig.gate.set(Some(BlockedBy::KillSwitch));
        let single = rig.service.replay_single(id).await.unwrap();
        assert_eq!(single.error.as_deref(), Some("the kill switch is on"));
        assert_eq!(single.get("blocked"), Some("true"));
        assert_eq!(single.get("block_reason"), Some("kill_switch"));
        assert!(!single.success && !single.skipped);
        let batch = rig.service.replay_batch(BatchOptions::default()).await.unwrap();
        let close = OnCircuitClose::default();
        let close = rig.service.replay_on_circuit_close("payments", close).await.unwrap();
        for result in [batch, close] {
            assert!(result.governance_blocked);
            assert_eq!((&*result.governance_block_reason, result.total), ("kill_switch", 0));
        }
        assert_eq!(rig.gate.asked.lock().unwrap().len(), 3, "each was asked for in earnest, once");
        assert_eq!(rig.life(id).await.fence, 0);
        rig.conserved().await;
    }
}

#[tokio::test]
async fn an_override_goes_through_with_its_actor_and_reason() {
    for rig in Rig::all(|_| Reply::Done) {
        let ids = rig.capture(3).await;
        rig.gate.set(Some(BlockedBy::KillSwitch));
        let by = By::new("ops", "the customer waits");
        assert!(rig.service.replay_single_by(ids[0], by, true).await.unwrap().success);
        let options = BatchOptions { override_gate: true, ..BatchOptions::by("ops", "they wait") };
        let result = rig.service.replay_batch(options).await.unwrap();
        assert_eq!((result.success_count, result.governance_blocked), (2, false));
        let asked = rig.gate.asked.lock().unwrap().clone();
        assert_eq!(
            asked.len(),
            3,
            "one letter; the batch, and its circuit; not each of its letters"
        );
        assert!(asked.iter().all(|request| request.override_gate && request.actor == "ops"));
        rig.conserved().await;
    }
}

#[tokio::test]
async fn a_gate_that_closes_stops_a_batch_before_its_next_letter() {
    for mut rig in Rig::all(|_| Reply::Done) {
        rig.capture(5).await;
        let gate = rig.gate.clone();
        rig.upstream = rig.decided_by(move |letter: &Letter| {
            if letter.key == "key-2" {
                gate.set(Some(BlockedBy::KillSwitch));
            }
            Reply::Done
        });
        let result = rig.service.replay_batch(BatchOptions::default()).await.unwrap();
        assert_eq!((result.total, result.success_count), (2, 2));
        assert!(result.governance_blocked);
        assert_eq!(result.governance_block_reason, "kill_switch");
        assert_eq!(rig.count(Status::Pending).await, 3);
        rig.conserved().await;
    }
}

#[tokio::test]
async fn an_error_budget_that_is_spent_leaves_its_circuit_out_and_no_other() {
    for rig in Rig::all(|_| Reply::Done) {
        rig.capture(2).await;
        rig.capture_as("mails", "news", "rejected", Priority::Normal).await;
        let circuit = "payments".to_owned();
        rig.gate.set(Some(BlockedBy::ErrorBudget { circuit, spent: 1.2, burn_rate: 3.0 }));
        let result = rig.service.replay_batch(BatchOptions::default()).await.unwrap();
        assert_eq!((result.total, result.success_count), (1, 1));
        assert!(result.governance_blocked);
        assert_eq!(result.governance_block_reason, "error_budget");
        assert_eq!(rig.came(), ["key-3"]);
        rig.conserved().await;
    }
}

#[tokio::test]
async fn the_kill_switch_of_the_real_governance_stops_replay_and_the_log_tells_of_block_and_override()
 {
    for rig in Rig::all(|_| Reply::Done) {
        rig.capture(2).await;
        let (audit, writer) = AuditLog::new(rig.letters.clone());
        let writing = tokio::spawn(writer.run());
        let builder = Governance::builder(rig.letters.clone(), rig.clock.clone(), audit.clone());
        let governance = Arc::new(builder.board(rig.board.clone()).build().unwrap());
        let service = ReplayService::builder(rig.letters.clone())
            .circuits(rig.circuits.clone())
            .gate(governance.clone())
            .build()
            .unwrap();
        service.register_circuit_handler("payments", rig.upstream.clone());

        let change = Change::by("ops", "the provider is down");
        governance.set_kill_switch(Switch::On, change).await.unwrap();
        let kim = || BatchOptions::by("kim", "clearing the backlog");
        let blocked = service.replay_batch(kim()).await.unwrap();
        assert!(blocked.governance_blocked && blocked.total == 0);
        assert_eq!(blocked.governance_block_reason, "kill_switch");
        let insisting = BatchOptions { override_gate: true, ..kim() };
        assert_eq!(service.replay_batch(insisting).await.unwrap().success_count, 2);

        audit.flush().await;
        let log = rig.audit().await;
        for action in
            ["kim governance.blocked", "kim governance.overridden", "kim replay_batch.end"]
        {
            assert!(log.iter().any(|entry| entry.starts_with(action)), "{action}: {log:?}");
        }
        writing.abort();
        rig.conserved().await;
    }
}

#[tokio::test]
async fn a_batch_that_panics_is_interrupted_and_its_job_does_not_run_for_ever() {
    struct Broken;
    impl Gate for Broken {
        fn check<'a>(&'a self, _: &'a GateRequest) -> Checking<'a> {
            panic!("a gate that panics")
        }
    }
    let builder = ReplayService::builder(Arc::new(Memory::default())).gate(Arc::new(Broken));
    let service = builder.build().unwrap();
    let result = service.replay_batch(BatchOptions::default()).await;
    assert!(matches!(result, Err(ReplayError::Interrupted)), "{result:?}");
    let job = service.jobs().pop().unwrap();
    let ended = (job.status, job.error.as_deref());
    assert_eq!(ended, (JobStatus::Interrupted, Some("it was interrupted")));
}
