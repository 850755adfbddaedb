//! Error budgets: what counts against them, when they are spent, and how processes learn of it.

use std::sync::Arc;

use fuseboard_core::time::{Clock, ManualClock};
use fuseboard_core::{KeyedLimits, Rules};
use fuseboard_services::governance::{
    AuditLog, BlockedBy, Governance, GovernanceError, Slo, Switch,
};
use fuseboard_store::Memory;
use proptest::prelude::*;

use crate::rig::{HOUR, MINUTE, Process, SECOND, change, request};

/// Nine of ten calls are to succeed over an hour; the burn rate is that of a minute.
fn slo() -> Slo {
    Slo { objective: 0.9, window: HOUR, burn_window: MINUTE, min_calls: 10 }
}

fn process() -> Process {
    of(Arc::new(Memory::default()), Arc::new(ManualClock::new()))
}

fn of(store: Arc<Memory>, clock: Arc<ManualClock>) -> Process {
    Process::with(store, clock, |builder| builder.slo("payments", slo()))
}

#[tokio::test]
async fn a_budget_is_spent_exactly_when_the_objective_is_missed() {
    for (good, bad, allowed) in [(0, 9, true), (10, 0, true), (91, 9, true), (90, 10, false)] {
        let process = process();
        process.calls("payments", good, bad);
        process.refresh().await;
        let result = process.asks().await;
        assert_eq!(result.allowed, allowed, "{good} good, {bad} bad: {result:?}");
    }
}

#[tokio::test]
async fn the_block_says_how_much_is_spent_and_how_fast() {
    let process = process();
    process.calls("payments", 80, 20);
    process.refresh().await;
    let result = process.asks().await;
    let circuit = "payments".to_owned();
    let blocked_by = BlockedBy::ErrorBudget { circuit, spent: 2.0, burn_rate: 2.0 };
    assert_eq!(result.blocked_by, Some(blocked_by));
    let message = "the error budget of `payments` is spent (200 %, burn rate 2.0)";
    assert_eq!(result.message, message);
}

#[tokio::test]
async fn the_burn_rate_is_that_of_the_last_minute() {
    let process = process();
    process.calls("payments", 100, 0);
    process.refresh().await;
    process.clock.advance(10 * MINUTE);
    process.calls("payments", 5, 5);
    process.refresh().await;
    let budget = process.governance.budget("payments").unwrap();
    assert_eq!((budget.good, budget.bad, budget.burn_rate), (105, 5, 5.0));
    process.clock.advance(2 * MINUTE);
    assert_eq!(process.governance.budget("payments").unwrap().burn_rate, 0.0);
}

#[tokio::test]
async fn calls_leave_the_window_and_the_budget_is_there_again() {
    let process = process();
    process.calls("payments", 80, 20);
    process.refresh().await;
    process.clock.advance(HOUR - SECOND);
    process.refresh().await;
    assert!(!process.asks().await.allowed, "they are still in the window");
    process.clock.advance(MINUTE + SECOND);
    process.refresh().await;
    assert!(process.asks().await.allowed);
    assert!(process.governance.status().budgets.iter().all(|budget| budget.bad == 0));
}

#[tokio::test]
async fn good_calls_restore_a_budget() {
    let process = process();
    process.calls("payments", 80, 20);
    process.refresh().await;
    assert!(!process.asks().await.allowed);
    process.calls("payments", 110, 0);
    process.refresh().await;
    assert!(!process.asks().await.allowed, "95 % are spent: not yet, or it would go to and fro");
    process.calls("payments", 40, 0);
    process.refresh().await;
    assert!(process.asks().await.allowed);
    let records = process.records().await;
    let marks = records.iter().filter(|entry| entry.action == "setting.change");
    let marks: Vec<_> = marks.map(|entry| entry.after.clone().unwrap()).collect();
    assert_eq!(marks.len(), 2, "{marks:?}");
    assert!(marks[0].starts_with("spent 2.00 until "), "{marks:?}");
    assert_eq!(marks[1], "recovered");
    let reason = "20 of 100 calls failed; the objective is 0.9";
    assert!(records.iter().any(|entry| entry.actor == "system" && entry.reason == reason));
}

#[tokio::test]
async fn rejected_cancelled_and_ignored_calls_do_not_count() {
    let process = process();
    let breaker = process.circuit("payments");
    for _ in 0..50 {
        breaker.try_acquire().unwrap().ignored();
        drop(breaker.try_acquire().unwrap());
    }
    breaker.force_open(fuseboard_core::Pin::by("ops"));
    for _ in 0..50 {
        assert!(breaker.try_acquire().is_err());
    }
    process.refresh().await;
    let budget = process.governance.budget("payments").unwrap();
    assert_eq!((budget.good, budget.bad, budget.spent), (0, 0, 0.0));
}

#[tokio::test]
async fn a_budget_is_that_of_its_circuit_alone() {
    let process = process();
    process.calls("payments", 0, 100);
    process.calls("orders", 0, 100);
    process.refresh().await;
    assert!(process.check(request().circuit("orders")).await.allowed, "it has no objective");
    assert!(process.governance.budget("orders").is_none());
    let all =
        fuseboard_services::governance::GateRequest::new("replay_batch", "kim", "all of them");
    assert!(process.check(all).await.allowed, "no circuit is named");
    assert!(!process.asks().await.allowed);
}

#[tokio::test]
async fn each_cell_has_a_budget_and_keyed_circuits_have_one_together() {
    let process = process();
    process.calls("payments@eu", 0, 100);
    process.calls("payments@us", 100, 0);
    process.refresh().await;
    assert!(!process.check(request().circuit("payments@eu")).await.allowed);
    assert!(process.check(request().circuit("payments@us")).await.allowed);

    let process = self::process();
    let limits = KeyedLimits::default();
    let keyed = process.board.keyed::<String>("payments", Rules::default(), limits).unwrap();
    for key in ["a", "b", "c", "d"] {
        for _ in 0..4 {
            keyed.get(key).try_acquire().unwrap().failure("503");
        }
    }
    process.refresh().await;
    assert_eq!(process.governance.budget("payments").unwrap().bad, 16);
    assert!(!process.check(request().circuit("payments[a]")).await.allowed);
}

#[tokio::test]
async fn every_circuit_can_have_an_objective() {
    let (store, clock) = (Arc::new(Memory::default()), Arc::new(ManualClock::new()));
    let process = Process::with(store, clock, |builder| builder.slo_of_all_others(slo()));
    process.calls("orders", 0, 100);
    process.refresh().await;
    assert_eq!(process.check(request().circuit("orders")).await.block_reason(), "error_budget");
}

#[tokio::test]
async fn where_one_process_sees_a_budget_spent_all_stop_also_after_a_restart() {
    let (store, clock) = (Arc::new(Memory::default()), Arc::new(ManualClock::new()));
    let one = of(store.clone(), clock.clone());
    let other = of(store.clone(), clock.clone());
    other.calls("payments", 100, 0);
    other.refresh().await;
    one.calls("payments", 0, 100);
    one.refresh().await;
    other.refresh().await;
    assert_eq!(other.asks().await.block_reason(), "error_budget");
    drop(one);
    let again = of(store, clock.clone());
    assert_eq!(again.asks().await.block_reason(), "error_budget");
    assert!(again.governance.budget("payments").is_some_and(|budget| budget.exhausted));

    clock.advance(HOUR - SECOND);
    again.refresh().await;
    assert!(!again.asks().await.allowed, "the failures would still be in the window");
    clock.advance(2 * MINUTE);
    again.refresh().await;
    assert!(again.asks().await.allowed, "the failures would have left the window");
}

#[tokio::test]
async fn a_budget_on_the_brink_does_not_fill_the_log() {
    let process = process();
    process.calls("payments", 90, 10);
    for _ in 0..100 {
        process.refresh().await;
        process.calls("payments", 1, 0);
        process.refresh().await;
        process.calls("payments", 8, 1);
        process.clock.advance(SECOND);
    }
    assert!(process.actions().await.len() <= 2, "{:?}", process.records().await);
}

#[tokio::test]
async fn a_reset_begins_anew_in_all_processes() {
    let (store, clock) = (Arc::new(Memory::default()), Arc::new(ManualClock::new()));
    let one = of(store.clone(), clock.clone());
    let other = of(store, clock);
    for process in [&one, &other] {
        process.calls("payments", 0, 100);
        process.refresh().await;
        assert!(!process.asks().await.allowed);
    }
    one.calls("payments", 0, 100);
    let reset = one.governance.reset_error_budget("payments", change()).await.unwrap();
    assert_eq!(reset.after, "reset");
    assert!(one.asks().await.allowed, "also what was not counted yet is forgotten");
    other.refresh().await;
    assert!(other.asks().await.allowed);
    one.refresh().await;
    assert!(one.asks().await.allowed);

    other.calls("payments", 0, 100);
    other.refresh().await;
    one.refresh().await;
    assert!(!one.asks().await.allowed, "what comes after it counts");
}

#[tokio::test]
async fn a_reset_from_before_the_start_forgets_nothing_that_came_after_it() {
    let (store, clock) = (Arc::new(Memory::default()), Arc::new(ManualClock::new()));
    let one = of(store.clone(), clock.clone());
    one.governance.reset_error_budget("payments", change()).await.unwrap();
    let other = of(store, clock);
    other.calls("payments", 0, 100);
    assert_eq!(other.asks().await.block_reason(), "error_budget");
}

#[tokio::test]
async fn only_what_has_a_budget_can_be_reset() {
    let process = process();
    let error = process.governance.reset_error_budget("orders", change()).await.unwrap_err();
    assert!(matches!(error, GovernanceError::Invalid(_)), "{error}");
}

#[tokio::test]
async fn a_budget_comes_last() {
    let process = process();
    process.calls("payments", 0, 100);
    process.refresh().await;
    process.governance.set_kill_switch(Switch::On, change()).await.unwrap();
    assert_eq!(process.asks().await.block_reason(), "kill_switch");
}

#[tokio::test]
async fn impossible_settings_are_refused_when_built() {
    let rows = [
        (Slo { objective: 1.0, ..slo() }, "objective"),
        (Slo { objective: 0.0, ..slo() }, "objective"),
        (Slo { objective: f64::NAN, ..slo() }, "objective"),
        (Slo { window: SECOND, ..slo() }, "window"),
        (Slo { burn_window: 2 * HOUR, ..slo() }, "burn_window"),
        (Slo { min_calls: 0, ..slo() }, "min_calls"),
    ];
    let store = Arc::new(Memory::default());
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new());
    let (audit, _writer) = AuditLog::new(store.clone());
    let builder = || Governance::builder(store.clone(), clock.clone(), audit.clone());
    for (slo, field) in rows {
        let built = builder().board(fuseboard_core::Board::new()).slo("payments", slo).build();
        assert_eq!(built.unwrap_err().field(), field);
    }
    assert!(builder().slo("payments", slo()).build().is_err(), "without a board nothing counts");
    assert_eq!(builder().patience(HOUR * 2).build().unwrap_err().field(), "patience");
    assert_eq!(
        builder().refresh_every(std::time::Duration::ZERO).build().unwrap_err().field(),
        "refresh_every"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Calls at many times, against a list of all of them: what is younger than the window counts, what is older than the
    /// window and a sixtieth does not.
    #[test]
    fn the_window_counts_what_is_in_it(
        steps in prop::collection::vec((0u64..900, 0u64..5, 0u64..5), 1..30)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let process = process();
            let mut all = Vec::new();
            for (seconds, good, bad) in steps {
                process.clock.advance(SECOND * u32::try_from(seconds).unwrap());
                process.calls("payments", good, bad);
                process.refresh().await;
                all.push((process.clock.now(), good, bad));
                let now = process.clock.now();
                let counted = process.governance.budget("payments").unwrap();
                let within = |age| {
                    let young = all.iter().filter(move |(at, ..)| now.since(*at) <= age);
                    young.fold((0, 0), |(g, b), (_, good, bad)| (g + good, b + bad))
                };
                let (least, most) = (within(HOUR), within(HOUR + MINUTE));
                prop_assert!((least.0..=most.0).contains(&counted.good));
                prop_assert!((least.1..=most.1).contains(&counted.bad));
                let total = counted.good + counted.bad;
                let missed = total >= 10 && counted.bad * 10 >= total;
                prop_assert!(counted.exhausted || !missed);
            }
            Ok(())
        })?;
    }
}
