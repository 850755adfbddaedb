//! That the audit log tells all and forgets by age alone, and that settings and leases have one hand at a time.

use std::collections::BTreeSet;
use std::time::Duration;

use fuseboard_core::letter::{Answer, Event};

use super::fixtures::{PAYMENTS, at, claim_one, draft, insert, letters_are_conserved, settled};
use crate::audit::{AuditEntry, AuditId, AuditQuery, By};
use crate::error::StoreError;
use crate::leases::{Acquired, Lease};
use crate::letters::{LetterId, Letters};
use crate::settings::Setting;

async fn entries(letters: &dyn Letters, query: AuditQuery) -> Vec<AuditEntry> {
    let records = letters.records(query).await.unwrap();
    records.into_iter().map(|record| record.entry).collect()
}

fn entry(actor: &str, action: &str, subject: &str, seconds: i64) -> AuditEntry {
    AuditEntry {
        actor: actor.to_owned(),
        action: action.to_owned(),
        subject: subject.to_owned(),
        reason: "because".to_owned(),
        before: None,
        after: Some("caf\u{e9}\0".to_owned()),
        at: at(seconds),
    }
}

/// What an operator does to a letter is in the audit log, with who, why, and its status before and after; what was refused
/// is not, and neither is what nobody did.
pub async fn an_operators_act_is_in_the_audit_log(letters: &dyn Letters) {
    let id = insert(letters, "k", 0).await;
    let by = |reason: &str| By::new("ops", reason);
    letters.act(id, Event::SetAside, by("odd"), at(1)).await.unwrap();
    letters.act(id, Event::Requeue, by("fixed"), at(2)).await.unwrap();
    assert!(letters.act(id, Event::Requeue, by("again"), at(3)).await.is_err());
    assert!(letters.act(id, Event::Tick, by("tick"), at(3)).await.is_err());
    assert!(letters.act(LetterId(99), Event::Discard, by("lost"), at(3)).await.is_err());
    let fence = claim_one(letters, 3).await.life.fence;
    letters.settle(id, settled(fence, Answer::Never), at(3)).await.unwrap();
    letters.act(id, Event::Discard, by(&"\u{e9}".repeat(1_000)), at(4)).await.unwrap();

    let told = entries(letters, AuditQuery::default()).await;
    let words: Vec<_> = told
        .iter()
        .map(|told| {
            assert_eq!((told.actor.as_str(), &told.subject), ("ops", &format!("letter/{id}")));
            let status = |text: &Option<String>| text.clone().expect("a letter has a status");
            (told.action.as_str(), status(&told.before), status(&told.after), told.at)
        })
        .collect();
    let words: Vec<_> = words.iter().map(|(a, b, c, d)| (*a, b.as_str(), c.as_str(), *d)).collect();
    assert_eq!(
        words,
        [
            ("letter.discard", "requires_review", "discarded", at(4)),
            ("letter.requeue", "requires_review", "pending", at(2)),
            ("letter.set_aside", "pending", "requires_review", at(1)),
        ]
    );
    assert_eq!(told[1].reason, "fixed");
    assert_eq!(told[0].reason.len(), 1_000, "cut");
    letters_are_conserved(letters).await;
}

/// Records come newest first, by actor, action, subject and time, alone and together, page by page.
pub async fn audit_records_are_found_by_who_what_and_when(letters: &dyn Letters) {
    let mut all = Vec::new();
    for (actor, action, subject, seconds) in [
        ("ann", "open", "circuit/a", 1),
        ("ann", "close", "circuit/a", 2),
        ("bob", "open", "circuit/b", 2),
        ("bob", "open", "circuit/a", 4),
        ("ann", "open", "circuit/b", 3),
    ] {
        let entry = entry(actor, action, subject, seconds);
        all.push((letters.record(entry.clone()).await.unwrap(), entry));
    }
    let ids: BTreeSet<AuditId> = all.iter().map(|(id, _)| *id).collect();
    assert_eq!((ids.len(), ids.iter().copied().max()), (5, Some(all[4].0)), "numbers grow");
    let some = |text: &str| Some(text.to_owned());
    let any = AuditQuery::default;
    let table = [
        (any(), vec![3, 4, 2, 1, 0]),
        (AuditQuery { limit: 2, ..any() }, vec![3, 4]),
        (AuditQuery { limit: 2, after: Some(all[4].0), ..any() }, vec![2, 1]),
        (AuditQuery { actor: some("ann"), ..any() }, vec![4, 1, 0]),
        (AuditQuery { actor: some("ann"), after: Some(all[4].0), ..any() }, vec![1, 0]),
        (AuditQuery { action: some("open"), ..any() }, vec![3, 4, 2, 0]),
        (AuditQuery { subject: some("circuit/b"), ..any() }, vec![4, 2]),
        (AuditQuery { subject: some("circuit/b"), actor: some("bob"), ..any() }, vec![2]),
        (AuditQuery { actor: some("ann"), action: some("close"), ..any() }, vec![1]),
        (AuditQuery { since: Some(at(2)), until: Some(at(4)), ..any() }, vec![4, 2, 1]),
        (AuditQuery { action: some("open"), since: Some(at(4)), ..any() }, vec![3]),
        (AuditQuery { subject: some("Circuit/a"), ..any() }, vec![]),
        (AuditQuery { limit: 0, ..any() }, vec![]),
    ];
    for (query, wanted) in table {
        let wanted: Vec<_> = wanted.into_iter().map(|n: usize| all[n].1.clone()).collect();
        assert_eq!(entries(letters, query.clone()).await, wanted, "{query:?}");
    }
    letters_are_conserved(letters).await;
}

/// Records go by age, the oldest first, so many at a time; their numbers are not used again.
pub async fn audit_records_go_by_age_alone(letters: &dyn Letters) {
    for seconds in [3, 1, 2] {
        letters.record(entry("ann", "open", "circuit/a", seconds)).await.unwrap();
    }
    let newest = letters.records(AuditQuery::default()).await.unwrap()[0].id;
    assert_eq!(letters.purge_records(at(1), 9).await.unwrap(), 0);
    assert_eq!(letters.purge_records(at(9), 1).await.unwrap(), 1);
    assert_eq!(letters.purge_records(at(3), 9).await.unwrap(), 1);
    let left: Vec<_> = entries(letters, AuditQuery::default()).await;
    assert_eq!(left, [entry("ann", "open", "circuit/a", 3)]);
    assert_eq!(letters.purge_records(at(9), 9).await.unwrap(), 1);
    let next = letters.record(entry("ann", "open", "circuit/a", 4)).await.unwrap();
    assert!(next > newest);
    letters_are_conserved(letters).await;
}

/// A setting is changed by who has seen its latest revision; the change and its audit record are one; who is late is told
/// the revision, and nothing is written.
pub async fn a_setting_is_changed_by_who_has_seen_the_latest(letters: &dyn Letters) {
    let change = |name: &str, value: &str, seen, seconds| {
        let by = By::new("ops", format!("to {value}"));
        letters.change_setting(name.to_owned(), value.to_owned(), seen, by, at(seconds))
    };
    assert_eq!(letters.settings().await.unwrap(), []);
    change("kill_switch", "on", 0, 1).await.unwrap();
    let level = change("emergency", "2", 0, 2).await.unwrap();
    let last = change("kill_switch", "off", 1, 3).await.unwrap();
    for (name, seen, current) in [("kill_switch", 0, 2), ("kill_switch", 3, 2), ("new", 7, 0)] {
        match change(name, "x", seen, 4).await {
            Err(StoreError::Outdated { name: was, seen: had, current: is }) => {
                assert_eq!((was.as_str(), had, is), (name, seen, current));
            }
            other => panic!("not outdated: {other:?}"),
        }
    }
    let wanted = Setting {
        name: "kill_switch".to_owned(),
        value: "off".to_owned(),
        revision: 2,
        actor: "ops".to_owned(),
        reason: "to off".to_owned(),
        at: at(3),
    };
    assert_eq!(last, wanted);
    assert_eq!(letters.settings().await.unwrap(), [level, wanted]);
    let told = entries(letters, AuditQuery::default()).await;
    let told: Vec<_> = told
        .iter()
        .map(|told| (told.subject.as_str(), told.before.as_deref(), told.after.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            ("setting/kill_switch", Some("on"), Some("off")),
            ("setting/emergency", None, Some("2")),
            ("setting/kill_switch", None, Some("on")),
        ]
    );
    letters_are_conserved(letters).await;
}

/// Of changes that are made together on one revision, one happens.
pub async fn of_changes_made_together_one_happens(letters: &dyn Letters) {
    let change = |value: &str| {
        let by = By::new(value, "");
        letters.change_setting("s".to_owned(), value.to_owned(), 0, by, at(0))
    };
    let (a, b, c) = tokio::join!(change("a"), change("b"), change("c"));
    let made: Vec<_> = [a, b, c].into_iter().flatten().collect();
    assert_eq!(letters.settings().await.unwrap(), made);
    assert_eq!(made.len(), 1);
    assert_eq!(entries(letters, AuditQuery::default()).await.len(), 1);
    letters_are_conserved(letters).await;
}

const MINUTE: Duration = Duration::from_secs(60);

async fn acquire(letters: &dyn Letters, holder: &str, seconds: i64) -> Acquired {
    let name = "replay/payments".to_owned();
    letters.acquire(name, holder.to_owned(), MINUTE, at(seconds)).await.unwrap()
}

/// The lease that the call got.
async fn acquired(letters: &dyn Letters, holder: &str, seconds: i64) -> Lease {
    match acquire(letters, holder, seconds).await {
        Acquired::Mine(lease) => lease,
        Acquired::Taken(lease) => panic!("taken: {lease:?}"),
    }
}

/// A lease has one holder at a time; it passes on when it was given back or its time is over, and who had it before can
/// neither renew it nor give it back.
pub async fn a_lease_has_one_holder_at_a_time(letters: &dyn Letters) {
    let renew = |lease: &Lease, seconds| {
        letters.renew(lease.name.clone(), lease.fence, MINUTE, at(seconds))
    };
    let release = |lease: &Lease| letters.release(lease.name.clone(), lease.fence);
    let first = acquired(letters, "a", 0).await;
    assert_eq!((first.holder.as_str(), first.until), ("a", at(60)));
    assert_eq!(acquire(letters, "b", 59).await, Acquired::Taken(first.clone()));
    assert_eq!(acquire(letters, "a", 59).await, Acquired::Taken(first.clone()), "even so");
    let other = letters.acquire("other".to_owned(), "b".to_owned(), MINUTE, at(0)).await.unwrap();
    assert!(matches!(other, Acquired::Mine(_)));
    assert_eq!(renew(&first, 30).await.unwrap().until, at(90));
    assert!(matches!(acquire(letters, "b", 89).await, Acquired::Taken(_)));

    let second = acquired(letters, "b", 90).await;
    assert!(second.fence > first.fence);
    for late in [renew(&first, 90).await.map(drop), release(&first).await] {
        assert!(matches!(late, Err(StoreError::LeaseLost { .. })), "{late:?}");
    }
    release(&second).await.unwrap();
    assert!(renew(&second, 91).await.is_err(), "it was given back");
    assert!(release(&second).await.is_err());
    let third = acquired(letters, "a", 91).await;
    assert!(third.fence > second.fence);
    assert_eq!(renew(&third, 500).await.unwrap().until, at(560), "late, but nobody took it");
    letters_are_conserved(letters).await;
}

/// Of claims of a lease that are made together, one gets it, and the others are told who.
pub async fn of_holders_that_come_together_one_gets_the_lease(letters: &dyn Letters) {
    letters.insert(draft(PAYMENTS, "k", at(0))).await.unwrap();
    let (a, b, c) =
        tokio::join!(acquire(letters, "a", 0), acquire(letters, "b", 0), acquire(letters, "c", 0));
    let mut mine = Vec::new();
    let mut taken = Vec::new();
    for answer in [a, b, c] {
        match answer {
            Acquired::Mine(lease) => mine.push(lease),
            Acquired::Taken(lease) => taken.push(lease),
        }
    }
    assert_eq!(mine.len(), 1);
    assert!(taken.iter().all(|lease| *lease == mine[0]), "{taken:?}");
    letters_are_conserved(letters).await;
}
