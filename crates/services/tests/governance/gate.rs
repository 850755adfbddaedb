//! The gate: what closes it, what it costs, what holds when the store does not answer, and who may pass all the same.

use fuseboard_core::State;
use fuseboard_core::letter::Life;
use fuseboard_core::time::Clock;
use fuseboard_services::governance::{BlockedBy, EmergencyLevel, GateRequest, Switch};
use fuseboard_store::{By, Draft, Inserted, Letters, Priority, Settings, Token};

use crate::rig::{MINUTE, Process, SECOND, change, request};

#[tokio::test]
async fn the_gate_is_open_when_nothing_was_ever_set() {
    let (process, _) = Process::alone();
    let result = process.asks().await;
    assert!(result.allowed && !result.overridden, "{result:?}");
    assert_eq!((result.blocked_by.as_ref(), result.block_reason()), (None, ""));
    assert_eq!(process.actions().await, [""; 0], "what passes leaves no record");
}

#[tokio::test]
async fn the_kill_switch_blocks_and_comes_before_the_emergency_level() {
    let (process, _) = Process::alone();
    process.governance.set_emergency_level(EmergencyLevel::Level3, change()).await.unwrap();
    process.governance.set_kill_switch(Switch::On, change()).await.unwrap();
    assert_eq!(process.asks().await.blocked_by, Some(BlockedBy::KillSwitch));
    process.governance.set_kill_switch(Switch::Off, change()).await.unwrap();
    let blocked_by = Some(BlockedBy::EmergencyLevel(EmergencyLevel::Level3));
    assert_eq!(process.asks().await.blocked_by, blocked_by);
}

#[tokio::test]
async fn an_emergency_blocks_from_level_2_on() {
    let (process, _) = Process::alone();
    let rows = [
        (EmergencyLevel::Normal, true),
        (EmergencyLevel::Level1, true),
        (EmergencyLevel::Level2, false),
        (EmergencyLevel::Level3, false),
    ];
    for (level, allowed) in rows {
        process.governance.set_emergency_level(level, change()).await.unwrap();
        let result = process.asks().await;
        assert_eq!(result.allowed, allowed, "{level}");
        assert_eq!(result.block_reason(), if allowed { "" } else { "emergency_level" }, "{level}");
    }
}

#[tokio::test]
async fn a_check_reads_the_store_only_when_what_is_known_is_old() {
    let (process, store) = Process::alone();
    for _ in 0..1000 {
        assert!(process.asks().await.allowed);
    }
    assert_eq!(store.asked("settings"), 1);
    process.clock.advance(SECOND);
    for _ in 0..1000 {
        assert!(process.asks().await.allowed);
    }
    assert_eq!(store.asked("settings"), 2);
}

#[tokio::test]
async fn what_cannot_be_read_holds_as_it_was_last_known() {
    for switch in [Switch::On, Switch::Off] {
        let (process, store) = Process::alone();
        process.governance.set_kill_switch(switch, change()).await.unwrap();
        process.refresh().await;
        store.is_away(true);
        process.clock.advance(MINUTE);
        assert_eq!(process.asks().await.allowed, switch == Switch::Off);
        let status = process.governance.status();
        assert!(status.trouble.is_some_and(|trouble| trouble.contains("unavailable")));
        assert_eq!(status.kill_switch.value, Some(switch));

        store.is_away(false);
        process.clock.advance(SECOND);
        process.asks().await;
        assert_eq!(process.governance.status().trouble, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_keeps_a_check_waiting_no_longer_than_the_patience() {
    let (process, store) = Process::alone();
    process.refresh().await;
    store.is_silent(true);
    process.clock.advance(SECOND);
    let began = tokio::time::Instant::now();
    assert!(process.asks().await.allowed, "as was last known");
    assert_eq!(began.elapsed(), SECOND);
    assert!(process.asks().await.allowed);
    assert_eq!(began.elapsed(), SECOND, "it is not asked again at once");
}

#[tokio::test(start_paused = true)]
async fn while_one_check_reads_the_others_go_by_what_is_known() {
    let (process, store) = Process::alone();
    process.refresh().await;
    store.is_silent(true);
    process.clock.advance(SECOND);
    let began = tokio::time::Instant::now();
    let other = async {
        tokio::task::yield_now().await;
        process.clock.advance(SECOND);
        process.asks().await;
        began.elapsed()
    };
    let (_, waited) = tokio::join!(process.asks(), other);
    assert!(waited.is_zero(), "{waited:?}");
}

#[tokio::test]
async fn nobody_passes_before_the_settings_were_read_once() {
    let (process, store) = Process::alone();
    store.is_away(true);
    let result = process.asks().await;
    assert_eq!(result.blocked_by, Some(BlockedBy::Unread));
    let insisting = process.check(request().override_gate(true)).await;
    assert!(!insisting.allowed, "an override that nobody can record is none: {insisting:?}");
    store.is_away(false);
    assert!(process.asks().await.allowed, "and at once when they were");
}

#[tokio::test]
async fn checks_at_the_same_time_are_all_told_what_the_first_read_finds() {
    let (process, store) = Process::alone();
    let by = By::new("ops", "the provider is down");
    let now = process.clock.wall();
    store.change_setting("kill_switch".into(), "on".into(), 0, by, now).await.unwrap();
    let (one, other) = tokio::join!(process.asks(), process.asks());
    for result in [one, other] {
        assert_eq!(result.blocked_by, Some(BlockedBy::KillSwitch));
    }
    assert_eq!(store.asked("settings"), 1);
}

#[tokio::test]
async fn a_value_that_cannot_be_understood_leaves_the_last_one() {
    let (process, store) = Process::alone();
    process.governance.set_emergency_level(EmergencyLevel::Level2, change()).await.unwrap();
    let by = By::new("ops", "a newer version has more levels");
    let now = process.clock.wall();
    store.change_setting("emergency_level".into(), "9".into(), 1, by, now).await.unwrap();
    process.refresh().await;
    assert_eq!(process.asks().await.block_reason(), "emergency_level");

    let other = Process::of(store, process.clock.clone());
    assert_eq!(other.asks().await.blocked_by, Some(BlockedBy::Unread), "it never knew a value");
}

#[tokio::test]
async fn every_block_of_a_person_is_recorded() {
    let (process, _) = Process::alone();
    process.governance.set_kill_switch(Switch::On, change()).await.unwrap();
    for _ in 0..3 {
        process.asks().await;
    }
    let records = process.records().await;
    assert_eq!(records.len(), 4, "{records:?}");
    let block = &records[3];
    assert_eq!(block.action, "governance.blocked");
    assert_eq!((block.actor.as_str(), block.subject.as_str()), ("kim", "circuit/payments"));
    assert_eq!(block.reason, "the address is fixed");
    assert_eq!(block.after.as_deref(), Some("replay_single: the kill switch is on"));
    assert_eq!(process.governance.status().blocked, 3);
}

#[tokio::test]
async fn blocks_of_the_system_that_are_alike_share_a_record_a_minute() {
    let (process, _) = Process::alone();
    process.governance.set_kill_switch(Switch::On, change()).await.unwrap();
    let request = || GateRequest::new("replay_continuous", "system", "letters are due");
    for _ in 0..500 {
        process.check(request().circuit("payments")).await;
        process.clock.advance(MINUTE / 1000);
    }
    process.check(request().circuit("orders")).await;
    assert_eq!(process.actions().await.len(), 3, "the change, payments, orders");
    process.clock.advance(MINUTE);
    process.check(request().circuit("payments")).await;
    let last = process.records().await.pop().unwrap();
    assert_eq!(last.reason, "letters are due (and 499 more times since the last record)");
    assert_eq!(process.governance.status().blocked, 502, "all are counted");
}

#[tokio::test]
async fn an_override_is_recorded_before_anybody_passes() {
    let (process, store) = Process::alone();
    process.governance.set_kill_switch(Switch::On, change()).await.unwrap();
    let insisting = || request().override_gate(true);
    let result = process.check(insisting()).await;
    assert!(result.allowed && result.overridden);
    assert_eq!(result.blocked_by, Some(BlockedBy::KillSwitch));
    assert_eq!(process.actions().await, ["setting.change", "governance.overridden"]);

    store.is_away(true);
    let result = process.check(insisting()).await;
    assert!(!result.allowed && !result.overridden, "{result:?}");
    assert!(result.message.contains("it cannot be recorded"), "{}", result.message);
}

#[tokio::test]
async fn an_override_needs_a_name_and_a_reason() {
    let (process, _) = Process::alone();
    process.governance.set_kill_switch(Switch::On, change()).await.unwrap();
    for (actor, reason, missing) in [("", "why not", "who"), ("kim", "  ", "reason")] {
        let request = GateRequest::new("replay_batch", actor, reason).override_gate(true);
        let result = process.check(request).await;
        assert!(!result.allowed && result.message.contains(missing), "{result:?}");
    }
    assert_eq!(process.governance.status().overridden, 0);
}

#[tokio::test]
async fn an_override_of_an_open_gate_is_no_override() {
    let (process, _) = Process::alone();
    let result = process.check(request().override_gate(true)).await;
    assert!(result.allowed && !result.overridden);
    assert_eq!(process.actions().await, [""; 0]);
}

#[tokio::test]
async fn a_dry_run_tells_what_would_happen_and_leaves_no_trace() {
    let (process, _) = Process::alone();
    assert!(process.check(request().dry_run(true)).await.allowed);
    process.governance.set_kill_switch(Switch::On, change()).await.unwrap();
    let blocked = process.check(request().dry_run(true)).await;
    assert_eq!((blocked.allowed, blocked.block_reason()), (false, "kill_switch"));
    let overridden = process.check(request().dry_run(true).override_gate(true)).await;
    assert!(overridden.allowed && overridden.overridden);
    assert_eq!(process.actions().await, ["setting.change"]);
    let status = process.governance.status();
    assert_eq!((status.blocked, status.overridden), (0, 0));
}

#[tokio::test]
async fn circuits_trip_and_letters_are_captured_whatever_governance_says() {
    let (process, store) = Process::alone();
    process.governance.set_kill_switch(Switch::On, change()).await.unwrap();
    process.governance.set_emergency_level(EmergencyLevel::Level3, change()).await.unwrap();
    assert!(!process.asks().await.allowed);

    let breaker = process.circuit("payments");
    for _ in 0..5 {
        breaker.try_acquire().unwrap().failure("503");
    }
    assert_eq!(breaker.state(), State::Open);
    let now = process.clock.wall();
    assert!(matches!(store.insert(draft(now)).await, Ok(Inserted::New(..))));
}

fn draft(now: fuseboard_core::time::WallTime) -> Draft {
    Draft {
        token: Token::random(),
        circuit: "payments".to_owned(),
        domain: "orders".to_owned(),
        failure: "rejected".to_owned(),
        method: "POST".to_owned(),
        uri: "/charge".to_owned(),
        headers: Vec::new(),
        content_type: None,
        body: b"{}".to_vec(),
        key: "order-7".to_owned(),
        scope: Vec::new(),
        order_key: None,
        priority: Priority::Normal,
        sla_deadline: None,
        sealed_by: None,
        fingerprint: None,
        life: Life::captured(now),
        captured_at: now,
    }
}
