//! The adaptive and the priority rules.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fuseboard_core::Pin;
use fuseboard_services::Runtime;
use fuseboard_services::domains::{Domain, Domains};
use fuseboard_services::replay_service::{
    AdaptiveRules, BatchOptions, ReplayConfig, ReplayService, get_sla_thresholds,
};
use fuseboard_store::{Memory, Priority};

use crate::rig::{Reply, Rig, SECOND};

fn at_most(max_retries: u32) -> Domain {
    Domain { max_retries: Some(max_retries), ..Domain::default() }
}

fn adaptive() -> BatchOptions {
    BatchOptions { use_adaptive: Some(true), max_items: 1, ..BatchOptions::default() }
}

#[tokio::test]
async fn an_adaptive_batch_ignores_max_items_and_learns_from_each_batch() {
    // Per batch: its size, every how manieth of its letters fails, and the next batch's size.
    let rows = [
        (50, 5, 40), // 20 %: a fifth less
        (40, 0, 40),
        (40, 0, 40),
        (40, 0, 45), // the third clean one in a row
        (45, 0, 45),
        (45, 20, 45), // 2 of 45: neither, but the row is broken
        (45, 0, 45),
        (45, 0, 45),
        (45, 0, 50),
        (50, 1, 40),
        (40, 1, 32),
        (32, 1, 25),
        (25, 1, 20),
        (20, 1, 16),
        (16, 1, 12),
        (12, 1, 10),
        (10, 1, 10), // no less than ten
    ];
    let fails = Arc::new(std::sync::Mutex::new((0usize, 0usize)));
    let told = fails.clone();
    let decide = move |_: &_| {
        let (every, seen) = &mut *told.lock().unwrap();
        *seen += 1;
        if *every > 0 && *seen % *every == 0 { Reply::Never } else { Reply::Done }
    };
    let rig = &Rig::all(decide)[0];
    for (size, every, next) in rows {
        *fails.lock().unwrap() = (every, 0);
        rig.capture(size + 3).await;
        let result = rig.service.replay_batch(adaptive()).await.unwrap();
        assert_eq!(result.total, size);
        assert_eq!(rig.service.adaptive_batch_size(), next, "after {size}, every {every}");
    }
    rig.conserved().await;
}

#[tokio::test]
async fn an_adaptive_batch_grows_to_its_max_and_learns_nothing_from_what_was_not_tried() {
    let rules = AdaptiveRules { initial: 97, ..AdaptiveRules::default() };
    let config =
        ReplayConfig { adaptive: rules, adaptive_enabled: true, ..ReplayConfig::default() };
    let rig = &Rig::all_with(config, |_| Reply::Done)[0];
    for _ in 0..2 {
        rig.capture(1).await;
        rig.service.replay_batch(BatchOptions::default()).await.unwrap();
    }
    rig.service.replay_batch(BatchOptions::default()).await.unwrap();
    rig.trip("payments");
    rig.capture(1).await;
    assert_eq!(rig.service.replay_batch(BatchOptions::default()).await.unwrap().skipped_count, 1);
    assert_eq!(rig.service.adaptive_batch_size(), 97, "empty and skipped batches say nothing");
    rig.breaker("payments").reset();
    rig.service.replay_batch(BatchOptions::default()).await.unwrap();
    assert_eq!(rig.service.adaptive_batch_size(), 100);
    rig.conserved().await;
}

#[tokio::test]
async fn critical_letters_go_first_then_normal_then_low_ones_over_all_circuits() {
    for rig in Rig::all(|_| Reply::Done) {
        for (circuit, domain, priority) in [
            ("payments", "reports", Priority::Low),
            ("mails", "news", Priority::Low),
            ("payments", "orders", Priority::Normal),
            ("mails", "receipts", Priority::Normal),
            ("payments", "refunds", Priority::Critical),
            ("mails", "alerts", Priority::Critical),
        ] {
            rig.capture_as(circuit, domain, "rejected", priority).await;
        }
        let domain = Some("news".to_owned());
        let use_priority = Some(true);
        let first = BatchOptions { domain, use_priority, max_items: 4, ..BatchOptions::default() };
        let dry = BatchOptions { dry_run: true, ..first.clone() };
        let told = rig.service.replay_batch(dry).await.unwrap();
        let result = rig.service.replay_batch(first).await.unwrap();
        for result in [told, result] {
            assert!(result.priority_used);
            let domains = ["alerts", "refunds", "receipts", "orders"].map(str::to_owned);
            assert_eq!(result.domains_processed, Some(domains.to_vec()), "`domain` is ignored");
        }
        let config = BatchOptions { use_priority: Some(false), ..BatchOptions::default() };
        let rest = rig.service.replay_batch(config).await.unwrap();
        assert_eq!((rest.total, rest.priority_used), (2, false));
        rig.conserved().await;
    }
}

#[tokio::test]
async fn in_one_circuit_a_critical_letter_that_waits_lets_others_go() {
    let critical_fails = Arc::new(AtomicBool::new(true));
    let fails = critical_fails.clone();
    let decide = move |letter: &fuseboard_store::Letter| {
        let critical = letter.priority == Priority::Critical;
        if critical && fails.load(Ordering::SeqCst) { Reply::Again } else { Reply::Done }
    };
    for rig in
        Rig::all_with(ReplayConfig { priority_enabled: true, ..ReplayConfig::default() }, decide)
    {
        critical_fails.store(true, Ordering::SeqCst);
        for circuit in ["payments", "mails"] {
            rig.capture_as(circuit, "orders", "rejected", Priority::Low).await;
            rig.capture_as(circuit, "refunds", "rejected", Priority::Critical).await;
        }
        let result = rig.service.replay_batch(BatchOptions::default()).await.unwrap();
        assert_eq!((result.failed_count, result.success_count), (2, 2));
        assert_eq!(rig.came(), ["key-4", "key-2", "key-3", "key-1"]);
        let low = rig.capture_as("payments", "orders", "rejected", Priority::Low).await;
        rig.service.replay_batch(BatchOptions::default()).await.unwrap();
        let history = rig.history(low).await.len();
        assert_eq!(history, 3, "captured, claimed, done: waiting critical letters cost it nothing");
        critical_fails.store(false, Ordering::SeqCst);
        rig.clock.advance(10 * SECOND);
        assert_eq!(
            rig.service.replay_batch(BatchOptions::default()).await.unwrap().success_count,
            2
        );
        rig.conserved().await;
    }
}

#[tokio::test]
async fn poison_letters_of_a_domain_end_in_review_as_soon_as_the_domain_says() {
    let domains = Domains::default().domain("refunds", at_most(1));
    let config = ReplayConfig { priority_enabled: true, domains, ..ReplayConfig::default() };
    for rig in Rig::all_with(config, |_| Reply::Again) {
        rig.breaker("payments").disable(Pin::by("test"));
        let refund = rig.capture_as("payments", "refunds", "rejected", Priority::Critical).await;
        let order = rig.capture_as("payments", "orders", "rejected", Priority::Normal).await;
        for _ in 0..4 {
            rig.service.replay_batch(BatchOptions::default()).await.unwrap();
            rig.clock.advance(10 * SECOND);
        }
        for (id, attempts) in [(refund, 1), (order, 4)] {
            let life = rig.life(id).await;
            assert_eq!((life.status.as_str(), life.attempts), ("requires_review", attempts));
        }
        rig.conserved().await;
    }
}

#[test]
fn settings_that_cannot_be_are_refused_with_their_field() {
    let base = ReplayConfig::default;
    let adaptive = |rules| ReplayConfig { adaptive: rules, ..base() };
    let default = AdaptiveRules::default();
    let rows = [
        (adaptive(AdaptiveRules { min: 0, ..default }), "adaptive.min"),
        (adaptive(AdaptiveRules { min: 101, ..default }), "adaptive.min"),
        (adaptive(AdaptiveRules { initial: 101, ..default }), "adaptive.initial"),
        (
            adaptive(AdaptiveRules { failure_threshold: 0.0, ..default }),
            "adaptive.failure_threshold",
        ),
        (ReplayConfig { delivery_timeout: SECOND / 2, ..base() }, "delivery_timeout"),
        (
            ReplayConfig { domains: Domains::new(std::time::Duration::ZERO), ..base() },
            "domains.sla",
        ),
        (
            ReplayConfig { domains: Domains::default().domain("a", at_most(0)), ..base() },
            "domains.max_retries",
        ),
    ];
    for (config, field) in rows {
        let built = ReplayService::builder(Arc::new(Memory::default())).config(config).build();
        assert_eq!(built.unwrap_err().field(), field);
    }
}

#[test]
fn sla_thresholds_are_per_domain_and_scoped_to_a_runtime() {
    let orders = Domain { sla: Some(5 * SECOND), ..Domain::default() };
    let thresholds = Domains::new(60 * SECOND).domain("Orders", orders);
    let runtime = Runtime::new();
    runtime.set(Arc::new(thresholds));
    runtime.scope(|| {
        let thresholds = get_sla_thresholds();
        assert_eq!(thresholds.get_threshold("ORDERS"), 5 * SECOND);
        assert_eq!(thresholds.get_threshold("mails"), 60 * SECOND);
        assert_eq!(thresholds.get_all_thresholds().len(), 1);
        let now = fuseboard_core::time::WallTime::from_unix_millis(1000);
        assert_eq!(thresholds.deadline("orders", now).as_unix_millis(), 6000);
    });
    assert_eq!(get_sla_thresholds().get_default(), 24 * 3600 * SECOND);
}
