//! That operators, expiry and retention do what they should, and no more.

use std::time::Duration;

use fuseboard_core::letter::{Answer, Event, Life, Refused, Status};

use super::fixtures::{
    LEASE, PAYMENTS, at, claim_one, draft, get, handed_back, insert, letters_are_conserved, ops,
    resolve_one, settled,
};
use crate::audit::{AuditQuery, By};
use crate::error::StoreError;
use crate::letters::{ClaimFilter, Draft, Letters};

/// A letter that is set aside waits for a person, and whoever held it is late.
pub async fn a_letter_set_aside_is_not_claimed(letters: &dyn Letters) {
    let id = insert(letters, "k", 0).await;
    let held = claim_one(letters, 0).await.life.fence;
    letters.settle(id, handed_back(held), at(0)).await.unwrap();
    let life = letters.act(id, Event::SetAside, By::new("ops", "odd amount"), at(1)).await.unwrap();
    assert_eq!(life.status, Status::RequiresReview);
    assert!(life.fence > held);
    assert_eq!(get(letters, id).await.life, life);
    assert!(letters.claim(PAYMENTS, 10, LEASE, at(99)).await.unwrap().is_empty());
    letters_are_conserved(letters).await;
}

/// A letter that a person sends back is due at once and starts afresh.
pub async fn requeueing_clears_attempts_and_crashes(letters: &dyn Letters) {
    let id = insert(letters, "k", 0).await;
    claim_one(letters, 0).await;
    let fence = claim_one(letters, 10).await.life.fence;
    let life = letters.settle(id, settled(fence, Answer::Never), at(11)).await.unwrap();
    assert_eq!((life.status, life.attempts, life.crashes), (Status::RequiresReview, 1, 1));

    let life = letters.act(id, Event::Requeue, By::new("ops", "fixed"), at(20)).await.unwrap();
    let afresh = Life { fence: life.fence, not_before: at(20), ..Life::captured(at(0)) };
    assert_eq!(life, afresh);
    assert!(life.fence > fence);
    assert_eq!(claim_one(letters, 20).await.id, id);
    letters_are_conserved(letters).await;
}

/// A letter that a person does not want to wait is due at once, with the attempts that it had, and can be claimed alone.
pub async fn a_hastened_letter_is_due_at_once(letters: &dyn Letters) {
    let id = insert(letters, "k", 0).await;
    let fence = claim_one(letters, 0).await.life.fence;
    let again = settled(fence, Answer::Again { retry_after: Some(Duration::from_secs(600)) });
    letters.settle(id, again, at(0)).await.unwrap();
    let this = ClaimFilter { id: Some(id), ..ClaimFilter::default() };
    assert!(letters.claim_by(this.clone(), LEASE, at(1)).await.unwrap().is_empty());
    let life = letters.act(id, Event::Hasten, By::new("ops", "it is up"), at(1)).await.unwrap();
    assert_eq!((life.status, life.not_before, life.attempts), (Status::Pending, at(1), 1));
    assert_eq!(letters.claim_by(this, LEASE, at(1)).await.unwrap()[0].id, id);
    let record = letters.records(AuditQuery::default()).await.unwrap().remove(0).entry;
    assert_eq!((record.action.as_str(), record.reason.as_str()), ("letter.hasten", "it is up"));
    assert_eq!(letters.history(id).await.unwrap()[3].what, "hastened by ops: it is up");
    letters_are_conserved(letters).await;
}

/// What a letter's status does not allow is refused and changes nothing.
pub async fn what_an_operator_may_not_do_changes_nothing(letters: &dyn Letters) {
    let pending = insert(letters, "pending", 99).await;
    let replaying = insert(letters, "replaying", 0).await;
    claim_one(letters, 0).await;
    let discarded = insert(letters, "discarded", 99).await;
    letters.act(discarded, Event::Discard, ops(), at(1)).await.unwrap();
    let table = [
        (pending, Status::Pending, &[Event::Requeue, Event::Tick][..]),
        (replaying, Status::Replaying, &[Event::Requeue, Event::SetAside, Event::Discard]),
        (discarded, Status::Discarded, &[Event::Requeue, Event::SetAside, Event::Discard]),
    ];
    for (id, status, events) in table {
        let before = (get(letters, id).await, letters.history(id).await.unwrap());
        for event in events {
            let refused = letters.act(id, *event, By::new("ops", "please"), at(2)).await;
            let why = Refused::Status(status);
            assert!(matches!(refused, Err(StoreError::Refused(was)) if was == why), "{refused:?}");
        }
        let after = (get(letters, id).await, letters.history(id).await.unwrap());
        assert_eq!(before, after, "{status}");
    }
    letters_are_conserved(letters).await;
}

/// A letter past its expiry is not claimed but expires, by a claim or by a tick, and does not cost the claim a place.
pub async fn a_letter_expires_instead_of_being_claimed(letters: &dyn Letters) {
    let expiring = |key: &str| {
        let life = Life { expires_at: Some(at(5)), ..Life::captured(at(0)) };
        Draft { life, ..draft(PAYMENTS, key, at(0)) }
    };
    let mut expired = Vec::new();
    for key in ["a", "b", "c"] {
        expired.push(letters.insert(expiring(key)).await.unwrap().id());
    }
    let kept = insert(letters, "kept", 1).await;
    assert!(letters.act(expired[2], Event::Tick, ops(), at(4)).await.is_err());
    let life = letters.act(expired[2], Event::Tick, ops(), at(5)).await.unwrap();
    assert_eq!(life.status, Status::Expired);

    let claimed = letters.claim(PAYMENTS, 1, LEASE, at(5)).await.unwrap();
    assert_eq!(claimed.iter().map(|letter| letter.id).collect::<Vec<_>>(), [kept]);
    for id in expired {
        assert_eq!(get(letters, id).await.life.status, Status::Expired);
    }
    letters_are_conserved(letters).await;
}

/// A purge removes letters that were final before its time, the longest finished first, up to its limit; never others.
pub async fn only_finished_letters_are_purged_the_longest_finished_first(letters: &dyn Letters) {
    let discarded = insert(letters, "discarded", 100).await;
    let first = resolve_one(letters, "first", 1).await;
    let second = resolve_one(letters, "second", 2).await;
    letters.act(discarded, Event::Discard, ops(), at(3)).await.unwrap();
    let pending = insert(letters, "pending", 0).await;
    let review = insert(letters, "review", 0).await;
    letters.act(review, Event::SetAside, ops(), at(0)).await.unwrap();
    let replaying = insert(letters, "replaying", 0).await;
    letters.claim(PAYMENTS, 1, LEASE, at(0)).await.unwrap();

    assert_eq!(letters.purge(at(1), 10).await.unwrap(), 0, "nothing was final before then");
    assert_eq!(letters.purge(at(4), 1).await.unwrap(), 1);
    assert!(letters.get(first).await.unwrap().is_none());
    assert_eq!(letters.purge(at(3), 10).await.unwrap(), 1);
    assert!(letters.get(second).await.unwrap().is_none());
    assert!(letters.history(second).await.unwrap().is_empty());
    assert_eq!(letters.purge(at(4), 0).await.unwrap(), 0);
    assert_eq!(letters.purge(at(1_000), 10).await.unwrap(), 1);
    for id in [pending, review, replaying] {
        assert!(letters.get(id).await.unwrap().is_some());
    }
    let counts = letters.counts().await.unwrap();
    assert_eq!((counts.captured, counts.purged), (6, 3));
    letters_are_conserved(letters).await;
}
