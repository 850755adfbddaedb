//! Continuous replay asks governance before each letter, and is on record once for each change.

use std::sync::Arc;

use fuseboard_core::letter::Status;
use fuseboard_core::{Board, Rules};
use fuseboard_services::governance::{
    AuditLog, Change, EmergencyLevel, Governance, GovernanceBuilder, Slo, Switch,
};
use fuseboard_store::{AuditQuery, Letters, Memory};

use crate::SECOND;
use crate::bench::{Behaviour, Bench, Setup, TokioClock, wait};

struct Governed {
    bench: Bench,
    governance: Arc<Governance>,
    audit: AuditLog,
}

impl Governed {
    fn start(more: impl FnOnce(GovernanceBuilder) -> GovernanceBuilder) -> Governed {
        let letters: Arc<dyn Letters> = Arc::new(Memory::default());
        let (audit, writer) = AuditLog::new(letters.clone());
        tokio::spawn(writer.run());
        let clock = TokioClock::start();
        let builder = Governance::builder(letters.clone(), clock, audit.clone());
        let governance = Arc::new(more(builder).build().unwrap());
        let gate = governance.clone();
        let circuits = vec!["payments", "mails"];
        let behaviour = Behaviour::Takes(SECOND);
        let bench = Bench::of(Setup { circuits, behaviour, letters, gate, ..Setup::default() });
        Governed { bench, governance, audit }
    }

    async fn switch(&self, switch: Switch) {
        self.governance.set_kill_switch(switch, Change::by("ops", "test")).await.unwrap();
    }

    /// What is on record of blocks: the subjects, oldest first.
    async fn blocks(&self) -> Vec<String> {
        self.audit.flush().await;
        let action = Some("governance.blocked".to_owned());
        let query = AuditQuery { action, ..AuditQuery::default() };
        let mut records = self.audit.page(query).await.unwrap().records;
        records.sort_by_key(|record| record.id);
        assert!(records.iter().all(|record| record.entry.actor == "system"));
        records.into_iter().map(|record| record.entry.subject).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn the_kill_switch_stops_letters_at_once_and_is_on_record_once_for_each_change() {
    let governed = Governed::start(|builder| builder);
    let bench = &governed.bench;
    bench.capture_of("payments", 100).await;
    bench.capture_of("mails", 100).await;
    wait(10 * SECOND + SECOND / 2).await;
    governed.switch(Switch::On).await;
    let begun = bench.deliveries();
    wait(600 * SECOND).await;
    assert_eq!(bench.deliveries(), begun, "not one letter more");
    assert_eq!((bench.in_flight(), bench.count(Status::Replaying).await), (0, 0));
    assert_eq!(governed.governance.status().blocked, 1, "of 200 letters and two circuits");
    assert_eq!(governed.blocks().await, ["replay"]);
    governed.switch(Switch::Off).await;
    wait(5 * SECOND).await;
    assert!(bench.deliveries() > begun, "it goes on by itself");
    governed.switch(Switch::On).await;
    wait(600 * SECOND).await;
    assert_eq!(governed.governance.status().blocked, 2);
    governed.switch(Switch::Off).await;
    bench.settle_down().await;
    assert_eq!(bench.count(Status::Resolved).await, 200);
    assert_eq!(bench.breaker.info().totals.rejected, 0);
}

#[tokio::test(start_paused = true)]
async fn an_emergency_from_level_two_on_stops_letters_and_level_one_does_not() {
    for (level, stops) in [
        (EmergencyLevel::Level1, false),
        (EmergencyLevel::Level2, true),
        (EmergencyLevel::Level3, true),
    ] {
        let governed = Governed::start(|builder| builder);
        let by = Change::by("ops", "test");
        governed.governance.set_emergency_level(level, by).await.unwrap();
        governed.bench.capture(5).await;
        wait(600 * SECOND).await;
        let done = governed.bench.count(Status::Resolved).await;
        assert_eq!(done, if stops { 0 } else { 5 }, "{level}");
        assert_eq!(governed.blocks().await.len(), usize::from(stops));
    }
}

#[tokio::test(start_paused = true)]
async fn a_spent_error_budget_stops_the_letters_of_its_circuit_and_of_no_other() {
    let board = Board::builder().clock(TokioClock::start()).build();
    let payments = board.get_or_create("payments", Rules::default()).unwrap();
    let slo = Slo { objective: 0.5, min_calls: 4, ..Slo::default() };
    let governed = Governed::start(|builder| builder.board(board).slo("payments", slo));
    governed.governance.refresh().await.unwrap();
    for _ in 0..4 {
        payments.try_acquire().unwrap().failure("down");
    }
    governed.governance.refresh().await.unwrap();
    let bench = &governed.bench;
    bench.capture_of("payments", 5).await;
    bench.capture_of("mails", 5).await;
    wait(600 * SECOND).await;
    assert_eq!((bench.deliveries(), bench.came("mails").len()), (0, 5));
    assert_eq!(governed.blocks().await, ["circuit/payments"]);
    assert_eq!(governed.governance.status().blocked, 1);
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_keeps_no_due_letter_waiting_is_not_on_record() {
    let governed = Governed::start(|builder| builder);
    governed.switch(Switch::On).await;
    wait(600 * SECOND).await;
    assert_eq!(governed.blocks().await, [""; 0]);
    governed.bench.capture(1).await;
    wait(SECOND).await;
    assert_eq!(governed.blocks().await, ["replay"]);
}
