//! Changes by hand: shared, kept, recorded, refused where they are blind, and tried without being made.

use std::sync::Arc;

use fuseboard_core::time::ManualClock;
use fuseboard_services::governance::{BlockedBy, Change, EmergencyLevel, GovernanceError, Switch};
use fuseboard_store::{Letters, Memory, Sqlite, SqliteOptions, StoreError};

use crate::rig::{Process, SECOND, change};

/// Each kind of store, and a folder that lives as long as it is needed.
fn stores() -> Vec<(Arc<dyn Letters>, Option<tempfile::TempDir>)> {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(SqliteOptions::new(folder.path())).unwrap();
    vec![(Arc::new(Memory::default()), None), (Arc::new(sqlite), Some(folder))]
}

#[tokio::test]
async fn processes_that_share_a_store_agree_after_a_refresh() {
    for (store, _folder) in stores() {
        let clock = Arc::new(ManualClock::new());
        let one = Process::of(store.clone(), clock.clone());
        let other = Process::of(store, clock.clone());
        assert!(one.asks().await.allowed && other.asks().await.allowed);

        one.governance.set_kill_switch(Switch::On, change()).await.unwrap();
        assert!(!one.asks().await.allowed, "here at once");
        clock.advance(SECOND);
        assert_eq!(other.asks().await.blocked_by, Some(BlockedBy::KillSwitch), "there by itself");
        let seen = other.governance.status().kill_switch;
        assert_eq!((seen.actor.as_str(), seen.reason.as_str()), ("ops", "the provider is down"));

        other.governance.set_kill_switch(Switch::Off, change()).await.unwrap();
        other.governance.set_emergency_level(EmergencyLevel::Level2, change()).await.unwrap();
        one.refresh().await;
        assert_eq!(one.asks().await.block_reason(), "emergency_level");
        let (mine, theirs) = (one.governance.status(), other.governance.status());
        assert_eq!(mine.kill_switch, theirs.kill_switch);
        assert_eq!(mine.emergency_level, theirs.emergency_level);
    }
}

#[tokio::test]
async fn what_was_set_is_still_set_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    for start in 0..2 {
        let store = Arc::new(Sqlite::open(SqliteOptions::new(folder.path())).unwrap());
        let process = Process::of(store.clone(), Arc::new(ManualClock::new()));
        assert_eq!(process.asks().await.allowed, start == 0);
        if start == 0 {
            process.governance.set_kill_switch(Switch::On, change()).await.unwrap();
        }
        process.governance.audit().flush().await;
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_change_and_its_record_say_who_why_and_what_was_before() {
    for (store, _folder) in stores() {
        let process = Process::of(store, Arc::new(ManualClock::new()));
        let governance = &process.governance;
        let first = governance.set_kill_switch(Switch::On, change()).await.unwrap();
        assert_eq!((first.before, first.after.as_str(), first.revision), (None, "on", 1));
        let second = Change::by("kim", "it is back");
        let second = governance.set_kill_switch(Switch::Off, second).await.unwrap();
        assert_eq!((second.before.as_deref(), second.revision), (Some("on"), 2));

        let records = process.records().await;
        assert_eq!(records.len(), 2);
        let record = &records[1];
        assert_eq!(record.action, "setting.change");
        assert_eq!((record.actor.as_str(), record.reason.as_str()), ("kim", "it is back"));
        assert_eq!(record.subject, "setting/kill_switch");
        assert_eq!((record.before.as_deref(), record.after.as_deref()), (Some("on"), Some("off")));
    }
}

#[tokio::test]
async fn a_change_by_somebody_who_has_not_seen_the_latest_is_refused() {
    let (process, _) = Process::alone();
    let governance = &process.governance;
    governance.set_kill_switch(Switch::On, change().seen(0)).await.unwrap();
    for (dry, seen) in [(false, 0), (true, 0), (false, 2)] {
        let blind = change().seen(seen).dry_run(dry);
        let error = governance.set_kill_switch(Switch::Off, blind).await.unwrap_err();
        let outdated = StoreError::Outdated { name: "kill_switch".into(), seen, current: 1 };
        assert_eq!(error.to_string(), GovernanceError::Store(outdated).to_string());
    }
    assert!(!process.asks().await.allowed, "it is still on");
    governance.set_kill_switch(Switch::Off, change().seen(1)).await.unwrap();
    assert!(process.asks().await.allowed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_at_the_same_time_all_happen_one_after_the_other() {
    for (store, _folder) in stores() {
        let clock = Arc::new(ManualClock::new());
        let processes = [0; 4].map(|_| Arc::new(Process::of(store.clone(), clock.clone())));
        let changing = processes.clone().map(|process| {
            tokio::spawn(async move {
                process.governance.set_kill_switch(Switch::On, change()).await.unwrap().revision
            })
        });
        let mut revisions = Vec::new();
        for one in changing {
            revisions.push(one.await.unwrap());
        }
        revisions.sort_unstable();
        assert_eq!(revisions, [1, 2, 3, 4]);
        assert_eq!(processes[0].actions().await, ["setting.change"; 4]);
    }
}

#[tokio::test]
async fn a_dry_run_of_a_change_changes_nothing() {
    let (process, _) = Process::alone();
    let dry = change().dry_run(true);
    let would = process.governance.set_kill_switch(Switch::On, dry).await.unwrap();
    assert!(would.dry_run);
    assert_eq!((would.before, would.after.as_str(), would.revision), (None, "on", 1));
    assert!(process.asks().await.allowed);
    assert_eq!(process.actions().await, [""; 0]);
}

#[tokio::test]
async fn a_change_needs_a_name_and_a_reason() {
    let (process, _) = Process::alone();
    for (actor, reason, field) in [("", "why not", "actor"), ("ops", " ", "reason")] {
        let change = Change::by(actor, reason);
        let level = EmergencyLevel::Level2;
        let error = process.governance.set_emergency_level(level, change).await.unwrap_err();
        let GovernanceError::Invalid(invalid) = error else { panic!("{error}") };
        assert_eq!(invalid.field(), field);
    }
    assert!(process.asks().await.allowed);
}

#[tokio::test]
async fn a_change_that_the_store_does_not_take_is_an_error_and_changes_nothing() {
    let (process, store) = Process::alone();
    process.refresh().await;
    store.is_away(true);
    let error = process.governance.set_kill_switch(Switch::On, change()).await.unwrap_err();
    assert!(matches!(error, GovernanceError::Store(StoreError::Unavailable { .. })), "{error}");
    assert!(process.asks().await.allowed);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_nobody_asks_anything_learns_of_changes_all_the_same() {
    let (one, store) = Process::alone();
    let other = Process::of(store, one.clock.clone());
    let running = tokio::spawn(other.governance.clone().run());
    tokio::time::sleep(SECOND / 2).await; // waits for: the paused clock
    assert_eq!(other.governance.status().kill_switch.value, Some(Switch::Off));
    one.governance.set_kill_switch(Switch::On, change()).await.unwrap();
    tokio::time::sleep(SECOND).await; // waits for: the paused clock
    assert_eq!(other.governance.status().kill_switch.value, Some(Switch::On));
    running.abort();
}
