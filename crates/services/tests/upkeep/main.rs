//! Upkeep: what is forgotten, what is raised, and when, on a clock that the test moves.
#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::letter::{Answer, Event};
use fuseboard_core::time::{Clock, ManualClock};
use fuseboard_services::domains::{Domain, Domains};
use fuseboard_services::upkeep::{self, Upkeep};
use fuseboard_store::{
    AuditEntry, AuditQuery, ClaimFilter, ClaimOrder, LetterId, Letters, Memory, Priority,
    Settlement, conformance,
};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A store with its upkeep running.
struct Kept {
    letters: Arc<dyn Letters>,
    clock: Arc<ManualClock>,
}

impl Kept {
    fn start(change: impl FnOnce(&mut Upkeep)) -> Kept {
        let letters: Arc<dyn Letters> = Arc::new(Memory::default());
        let clock = Arc::new(ManualClock::new());
        let mut what = Upkeep::new(letters.clone(), clock.clone());
        change(&mut what);
        tokio::spawn(upkeep::run(what));
        Kept { letters, clock }
    }

    /// That much time goes by, and then one look of the upkeep.
    async fn after(&self, duration: Duration) {
        self.clock.advance(duration);
        tokio::time::sleep(MINUTE).await; // waits for: the paused clock
        tokio::time::sleep(MINUTE / 60).await; // waits for: the paused clock
    }

    async fn capture(&self, key: &str, domain: &str) -> LetterId {
        let hour = Domain { sla: Some(HOUR), priority: Priority::Low, ..Domain::default() };
        let domains = Domains::new(DAY).domain("mails", hour);
        let mut draft = conformance::draft("smtp", key, self.clock.wall());
        draft.domain = domain.to_owned();
        self.letters.insert(domains.stamp(draft)).await.unwrap().id()
    }

    async fn resolve_one(&self) {
        let now = self.clock.wall();
        let letter = self.letters.claim("smtp", 1, MINUTE, now).await.unwrap().remove(0);
        let event = Event::Settled { fence: letter.life.fence, answer: Answer::Done, draw: 0.5 };
        let settlement = Settlement { event, answer: None, note: String::new() };
        self.letters.settle(letter.id, settlement, now).await.unwrap();
    }

    async fn priority(&self, id: LetterId) -> Priority {
        self.letters.get(id).await.unwrap().unwrap().priority
    }
}

#[tokio::test(start_paused = true)]
async fn letters_are_forgotten_once_they_have_been_finished_for_long_enough() {
    let kept = Kept::start(|what| what.keep_letters = 7 * DAY);
    kept.capture("one", "orders").await;
    kept.resolve_one().await;
    let waiting = kept.capture("two", "orders").await;
    kept.after(7 * DAY - MINUTE).await;
    assert_eq!(kept.letters.counts().await.unwrap().purged, 0);
    kept.after(2 * MINUTE).await;
    let counts = kept.letters.counts().await.unwrap();
    assert_eq!((counts.captured, counts.purged), (2, 1));
    assert!(kept.letters.get(waiting).await.unwrap().is_some(), "it is not finished");
}

#[tokio::test(start_paused = true)]
async fn audit_records_are_forgotten_once_they_are_old_enough_however_many_there_are() {
    let kept = Kept::start(|what| what.keep_records = 90 * DAY);
    let record = || AuditEntry {
        actor: "ops".to_owned(),
        action: "circuit.force_open".to_owned(),
        subject: "circuit/smtp".to_owned(),
        reason: String::new(),
        before: None,
        after: None,
        at: kept.clock.wall(),
    };
    for _ in 0..1200 {
        kept.letters.record(record()).await.unwrap();
    }
    kept.clock.advance(DAY);
    kept.letters.record(record()).await.unwrap();
    kept.after(89 * DAY - MINUTE).await;
    let all = || AuditQuery { limit: 2000, ..AuditQuery::default() };
    assert_eq!(kept.letters.records(all()).await.unwrap().len(), 1201);
    kept.after(2 * MINUTE).await;
    assert_eq!(kept.letters.records(all()).await.unwrap().len(), 1, "the one of the next day");
}

#[tokio::test(start_paused = true)]
async fn letters_past_their_deadline_are_counted_and_go_before_less_urgent_ones() {
    let kept = Kept::start(|_| {});
    let mail = kept.capture("mail", "mails").await;
    let order = kept.capture("order", "orders").await;
    kept.after(HOUR - MINUTE).await;
    assert_eq!(kept.priority(mail).await, Priority::Low, "it has its domain's");
    assert_eq!(kept.letters.late(kept.clock.wall()).await.unwrap(), []);
    kept.after(2 * MINUTE).await;
    let late = kept.letters.late(kept.clock.wall()).await.unwrap();
    assert_eq!((late.len(), &*late[0].domain, late[0].letters), (1, "mails", 1));
    let priorities = (kept.priority(mail).await, kept.priority(order).await);
    assert_eq!(priorities, (Priority::Critical, Priority::Normal));
    let urgent = ClaimFilter { order: ClaimOrder::Priority, ..ClaimFilter::default() };
    let first = kept.letters.claim_by(urgent, MINUTE, kept.clock.wall()).await.unwrap();
    assert_eq!(first[0].id, mail);
    let history = kept.letters.history(mail).await.unwrap();
    assert!(history.iter().any(|entry| entry.what.contains("critical")), "{history:?}");
}

#[tokio::test(start_paused = true)]
async fn late_letters_keep_their_priority_where_the_owner_wants_that() {
    let kept = Kept::start(|what| what.raise_late = None);
    let mail = kept.capture("mail", "mails").await;
    kept.after(2 * HOUR).await;
    assert_eq!(kept.priority(mail).await, Priority::Low);
    assert_eq!(kept.letters.late(kept.clock.wall()).await.unwrap().len(), 1, "it is counted");
}
