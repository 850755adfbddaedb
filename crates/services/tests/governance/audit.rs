//! The audit log: what circuits write into it, what happens when it cannot be written, pages and retention.

use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::time::{Clock, ManualClock, WallTime};
use fuseboard_services::circuits::{
    BoardRepository, CellRing, Cells, CircuitBreakerService, ThresholdOverride,
};
use fuseboard_services::governance::{AuditCounts, AuditLog, NotTaken, retention};
use fuseboard_store::{
    Audit, AuditEntry, AuditId, AuditQuery, Letters, Memory, Sqlite, SqliteOptions,
};

use crate::rig::{HOUR, MINUTE, SECOND};
use crate::troubled_store::TroubledStore;

fn entry(number: i64) -> AuditEntry {
    AuditEntry {
        actor: "ops".to_owned(),
        action: "test".to_owned(),
        subject: format!("thing/{number}"),
        reason: String::new(),
        before: None,
        after: None,
        at: WallTime::from_unix_millis(number),
    }
}

async fn entries(letters: &dyn Letters) -> Vec<AuditEntry> {
    let query = AuditQuery { limit: 1000, ..AuditQuery::default() };
    let records = letters.records(query).await.unwrap();
    records.into_iter().rev().map(|record| record.entry).collect()
}

fn service(log: &AuditLog, cells: &Cells) -> CircuitBreakerService {
    let clock = Arc::new(ManualClock::new());
    let board = fuseboard_core::Board::builder().clock(clock).build();
    let repository = Arc::new(BoardRepository::new(board));
    let builder = CircuitBreakerService::builder().repository(repository).cells(cells.clone());
    builder.audit(Arc::new(log.clone())).build().unwrap()
}

#[tokio::test]
async fn what_is_done_to_circuits_is_in_the_log_of_letters() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(SqliteOptions::new(folder.path())).unwrap();
    let stores: [Arc<dyn Letters>; 2] = [Arc::new(Memory::default()), Arc::new(sqlite)];
    for store in stores {
        let (log, writer) = AuditLog::new(store.clone());
        tokio::spawn(writer.run());
        let cells = Cells::new(CellRing::new(["eu", "us"]).unwrap());
        let service = service(&log, &cells);
        for _ in 0..3 {
            assert!(service.should_allow("payments@us").unwrap());
            service.record_failure("payments@us", Some("503".into()), None).unwrap();
        }
        service.manual_control("payments@us", "open", "maintenance", "ops").unwrap();
        service.manual_control("payments@us", "auto", "", "").unwrap();
        cells.resize(CellRing::new(["eu"]).unwrap());
        assert_eq!(service.reconcile_cb_cell_mapping().archived, ["payments@us"]);
        log.flush().await;

        let entries = entries(&*store).await;
        let actions: Vec<_> = entries.iter().map(|entry| entry.action.as_str()).collect();
        assert_eq!(actions, ["circuit.force_open", "circuit.auto", "circuit.archived"]);
        let (open, auto, archived) = (&entries[0], &entries[1], &entries[2]);
        assert_eq!((open.actor.as_str(), open.reason.as_str()), ("ops", "maintenance"));
        assert_eq!(open.subject, "circuit/payments@us");
        let (before, after) = (open.before.as_deref().unwrap(), open.after.as_deref().unwrap());
        assert!(before.starts_with("closed; ") && before.contains("0 good, 3 bad"), "{before}");
        assert!(after.starts_with("forced_open; ") && after.contains("pinned by ops"), "{after}");
        assert_eq!(auto.actor, "unknown");
        assert!(archived.before.as_deref().is_some_and(|last| last.starts_with("half_open; ")));
        assert_eq!(archived.after, None);
    }
}

#[tokio::test]
async fn an_override_of_thresholds_says_which() {
    let store = Arc::new(Memory::default());
    let (log, writer) = AuditLog::new(store.clone());
    tokio::spawn(writer.run());
    let service = service(&log, &Cells::new(CellRing::numbered(1).unwrap()));
    let change = ThresholdOverride { failure_threshold: Some(2), ..ThresholdOverride::default() };
    service.apply_threshold_override("payments", change).unwrap();
    log.flush().await;
    let entries = entries(&*store).await;
    assert_eq!(entries[0].action, "circuit.override_applied");
    let after = entries[0].after.as_deref().unwrap();
    assert!(after.contains("failure_threshold"), "{after}");
}

#[tokio::test]
async fn a_full_queue_keeps_nobody_waiting_and_what_it_refuses_is_counted() {
    let store = Arc::new(Memory::default());
    let (log, writer) = AuditLog::with_room(store.clone(), 3);
    let cells = Cells::new(CellRing::new(["eu", "us"]).unwrap());
    let service = service(&log, &cells);
    service.should_allow("payments@us").unwrap();
    for number in 0..3 {
        log.write(entry(number)).unwrap();
    }
    assert_eq!(log.write(entry(3)), Err(NotTaken));
    service.manual_control("payments@us", "close", "it is back", "ops").unwrap();
    cells.resize(CellRing::new(["eu"]).unwrap());
    let errors = service.reconcile_cb_cell_mapping().errors;
    assert_eq!(errors.len(), 1, "a circuit whose last state cannot be kept stays");
    let counts = AuditCounts { accepted: 3, refused: 3, written: 0, lost: 0 };
    assert_eq!(log.counts(), counts);

    tokio::spawn(writer.run());
    log.flush().await;
    assert_eq!(log.counts(), AuditCounts { written: 3, ..counts });
    assert_eq!(entries(&*store).await.len(), 3);
    assert_eq!(service.reconcile_cb_cell_mapping().archived, ["payments@us"]);
}

#[tokio::test(start_paused = true)]
async fn a_record_is_tried_three_times_and_then_counted_as_lost() {
    let store = Arc::new(TroubledStore::default());
    let (log, writer) = AuditLog::new(store.clone());
    tokio::spawn(writer.run());
    store.is_away(true);
    log.write(entry(1)).unwrap();
    log.flush().await;
    assert_eq!(store.asked("record"), 3);
    assert_eq!(log.counts(), AuditCounts { accepted: 1, lost: 1, ..AuditCounts::default() });

    log.write(entry(2)).unwrap();
    tokio::time::sleep(SECOND / 2).await; // waits for: the paused clock
    store.is_away(false);
    log.flush().await;
    assert_eq!(entries(&store.inner).await, [entry(2)], "it comes late, but it comes");
    assert_eq!(log.counts().written, 1);
}

#[tokio::test]
async fn a_log_whose_writer_has_ended_refuses_records_and_does_not_hang() {
    let (log, writer) = AuditLog::new(Arc::new(Memory::default()));
    drop(writer);
    assert_eq!(log.write(entry(1)), Err(NotTaken));
    log.flush().await;
    assert_eq!(log.counts().refused, 1);
}

#[tokio::test]
async fn the_writer_ends_when_nobody_can_write_any_more() {
    let store = Arc::new(Memory::default());
    let (log, writer) = AuditLog::new(store.clone());
    log.write(entry(1)).unwrap();
    drop(log);
    writer.run().await;
    assert_eq!(entries(&*store).await.len(), 1, "after it has written what waited");
}

#[tokio::test]
async fn endless_texts_are_cut_between_characters() {
    let (log, _writer) = AuditLog::new(Arc::new(Memory::default()));
    let long = AuditEntry { reason: "é".repeat(5000), after: Some("x".repeat(9000)), ..entry(1) };
    log.record(long).await.unwrap();
    let page = log.page(AuditQuery::default()).await.unwrap();
    let AuditEntry { reason, after, .. } = &page.records[0].entry;
    assert!(reason.len() <= 4000 && reason.chars().all(|c| c == 'é'));
    assert_eq!(after.as_ref().map(String::len), Some(4000));
}

#[tokio::test]
async fn pages_show_each_record_once_the_newest_first() {
    let (log, _writer) = AuditLog::new(Arc::new(Memory::default()));
    for number in 0..25 {
        log.record(entry(number / 2)).await.unwrap();
    }
    let mut query = AuditQuery { limit: 5, ..AuditQuery::default() };
    let mut seen: Vec<AuditId> = Vec::new();
    let mut pages = 0;
    loop {
        let page = log.page(query.clone()).await.unwrap();
        seen.extend(page.records.iter().map(|record| record.id));
        pages += 1;
        query.after = page.next;
        if page.next.is_none() {
            break;
        }
    }
    assert_eq!((seen.len(), pages), (25, 5), "a full last page has no next one");
    assert!(seen.is_sorted_by(|newer, older| newer > older));
}

#[tokio::test]
async fn a_query_finds_what_an_actor_did() {
    let (log, _writer) = AuditLog::new(Arc::new(Memory::default()));
    log.record(entry(1)).await.unwrap();
    log.record(AuditEntry { actor: "kim".to_owned(), ..entry(2) }).await.unwrap();
    let query = AuditQuery { actor: Some("kim".to_owned()), ..AuditQuery::default() };
    let page = log.page(query).await.unwrap();
    assert_eq!(page.records.len(), 1);
    assert_eq!(page.records[0].entry.subject, "thing/2");
}

#[tokio::test(start_paused = true)]
async fn records_go_when_they_are_older_than_they_are_kept() {
    let (store, clock) = (Arc::new(Memory::default()), Arc::new(ManualClock::new()));
    for minutes in 0..1200 {
        let at = WallTime::default() + MINUTE * minutes;
        store.record(AuditEntry { at, ..entry(1) }).await.unwrap();
    }
    clock.advance(20 * HOUR);
    let keep: Duration = 2 * HOUR;
    tokio::spawn(retention::run(store.clone(), clock.clone(), keep));
    tokio::time::sleep(SECOND).await; // waits for: the paused clock
    assert_eq!(entries(&*store).await.len(), 120, "what is as old as that stays");
    clock.advance(HOUR);
    tokio::time::sleep(MINUTE).await; // waits for: the paused clock
    let left = entries(&*store).await;
    assert_eq!(left.len(), 60);
    assert!(left.iter().all(|entry| clock.wall().since(entry.at) <= keep));
}
