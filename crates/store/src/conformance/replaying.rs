//! That a letter has one holder at a time, and that its holder's word decides.

use std::collections::BTreeSet;
use std::time::Duration;

use fuseboard_core::letter::{Answer, Event, Refused, Status};

use super::fixtures::{
    LEASE, PAYMENTS, answer, at, claim_one, draft, get, handed_back, insert, letters_are_conserved,
    ops, resolve_one, settled,
};
use crate::error::StoreError;
use crate::letters::{Draft, Letter, LetterId, Letters, Settlement};

fn numbers(letters: &[Letter]) -> Vec<LetterId> {
    letters.iter().map(|letter| letter.id).collect()
}

/// A claim takes what is due, of its circuit only, the earliest due first and then the lowest number, up to its limit.
pub async fn a_claim_takes_due_letters_of_its_circuit_in_order(letters: &dyn Letters) {
    let late = insert(letters, "late", 3).await;
    let [a, b] = [insert(letters, "a", 2).await, insert(letters, "b", 2).await];
    let early = insert(letters, "early", 1).await;
    letters.insert(draft("mail", "mail", at(0))).await.unwrap();

    assert!(letters.claim(PAYMENTS, 10, LEASE, at(0)).await.unwrap().is_empty());
    assert!(letters.claim(PAYMENTS, 0, LEASE, at(2)).await.unwrap().is_empty());
    assert!(letters.claim("nobody", 10, LEASE, at(2)).await.unwrap().is_empty());

    let claimed = letters.claim(PAYMENTS, 2, LEASE, at(2)).await.unwrap();
    assert_eq!(numbers(&claimed), [early, a]);
    for letter in &claimed {
        assert_eq!(letter.life.status, Status::Replaying);
        assert_eq!((letter.life.fence, letter.life.lease_until), (1, Some(at(12))));
        assert_eq!(*letter, get(letters, letter.id).await);
    }
    assert_eq!(numbers(&letters.claim(PAYMENTS, 10, LEASE, at(2)).await.unwrap()), [b]);
    assert_eq!(numbers(&letters.claim(PAYMENTS, 10, LEASE, at(3)).await.unwrap()), [late]);
    assert!(letters.claim(PAYMENTS, 10, LEASE, at(11)).await.unwrap().is_empty());

    // Lapsed at 12 s and 13 s; they go by when they were due, together with what is pending.
    insert(letters, "new", 2).await;
    let lapsed = letters.claim(PAYMENTS, 3, LEASE, at(13)).await.unwrap();
    assert_eq!(numbers(&lapsed), [early, a, b]);
    letters_are_conserved(letters).await;
}

/// Claims that are made at the same time never share a letter, and together get all of them.
pub async fn claims_made_together_share_no_letter(letters: &dyn Letters) {
    let mut inserted = BTreeSet::new();
    for n in 0..40 {
        inserted.insert(insert(letters, &n.to_string(), 0).await);
    }
    let claim = || letters.claim(PAYMENTS, 11, LEASE, at(1));
    let (a, b, c, d) = tokio::join!(claim(), claim(), claim(), claim());
    let claimed = [a, b, c, d].map(Result::unwrap).concat();
    let distinct: BTreeSet<_> = numbers(&claimed).into_iter().collect();
    assert_eq!((claimed.len(), distinct), (40, inserted));
    letters_are_conserved(letters).await;
}

/// Whoever held a letter before somebody else does is refused, whatever they say of it.
pub async fn an_old_fence_is_refused(letters: &dyn Letters) {
    let id = insert(letters, "k", 0).await;
    let old = claim_one(letters, 0).await.life.fence;
    let new = claim_one(letters, 10).await.life.fence;
    assert!(new > old);
    let before = get(letters, id).await;
    let late = [
        settled(old, Answer::Done),
        settled(old, Answer::Never),
        Settlement { answer: Some(answer(200, at(11))), ..settled(old, Answer::Done) },
        handed_back(old),
        settled(new + 1, Answer::Done),
    ];
    for settlement in late {
        let refused = letters.settle(id, settlement, at(11)).await;
        let fence = Refused::Fence { held: old, current: new };
        match refused {
            Err(StoreError::Fenced(why)) if why == fence => {}
            Err(StoreError::Fenced(Refused::Fence { held, .. })) if held == new + 1 => {}
            other => panic!("not fenced: {other:?}"),
        }
    }
    assert_eq!(get(letters, id).await, before);
    letters.settle(id, settled(new, Answer::Done), at(11)).await.unwrap();
    letters_are_conserved(letters).await;
}

/// A claim that runs out counts a crash, and a letter that has crashed three times waits for a person.
pub async fn a_lapsed_claim_counts_a_crash_and_the_cap_leads_to_review(letters: &dyn Letters) {
    let id = insert(letters, "k", 0).await;
    claim_one(letters, 0).await;
    assert!(letters.claim(PAYMENTS, 10, LEASE, at(9)).await.unwrap().is_empty(), "still held");
    for crashes in 1..=2 {
        let life = claim_one(letters, i64::from(crashes) * 10).await.life;
        assert_eq!((life.crashes, life.attempts), (crashes, 0));
    }
    assert!(letters.claim(PAYMENTS, 10, LEASE, at(30)).await.unwrap().is_empty());
    let life = get(letters, id).await.life;
    assert_eq!((life.status, life.crashes, life.lease_until), (Status::RequiresReview, 3, None));
    assert!(letters.claim(PAYMENTS, 10, LEASE, at(99)).await.unwrap().is_empty());
    letters_are_conserved(letters).await;
}

/// A letter that is done stays done, whatever is asked.
pub async fn a_resolved_letter_never_becomes_unresolved(letters: &dyn Letters) {
    let id = resolve_one(letters, "k", 0).await;
    let done = get(letters, id).await;
    assert_eq!((done.life.status, done.life.attempts), (Status::Resolved, 1));
    let fence = done.life.fence;
    let late = [
        settled(fence, Answer::Done),
        settled(fence, Answer::Again { retry_after: None }),
        handed_back(fence),
    ];
    for settlement in late {
        let refused = letters.settle(id, settlement, at(1)).await;
        let why = Refused::Status(Status::Resolved);
        assert!(matches!(refused, Err(StoreError::Refused(was)) if was == why), "{refused:?}");
    }
    for event in [Event::Requeue, Event::SetAside, Event::Discard, Event::Tick] {
        let refused = letters.act(id, event, ops(), at(1)).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{event:?}: {refused:?}");
    }
    assert!(letters.claim(PAYMENTS, 10, LEASE, at(1_000)).await.unwrap().is_empty());
    assert_eq!(get(letters, id).await, done);
    letters_are_conserved(letters).await;
}

/// A letter that is handed back is due at once, has not been tried, and can be claimed again.
pub async fn a_handed_back_letter_is_due_at_once_and_was_not_tried(letters: &dyn Letters) {
    let id = insert(letters, "k", 0).await;
    for seconds in 1..=20 {
        let fence = claim_one(letters, seconds).await.life.fence;
        let life = letters.settle(id, handed_back(fence), at(seconds)).await.unwrap();
        assert_eq!((life.status, life.not_before), (Status::Pending, at(seconds)));
        assert_eq!((life.attempts, life.crashes, life.lease_until), (0, 0, None));
    }
    assert_eq!(get(letters, id).await.last_error, None);
    letters_are_conserved(letters).await;
}

/// A failed replay is due again after a wait that grows; without attempts left, a person must look.
pub async fn a_failed_replay_waits_and_then_needs_a_person(letters: &dyn Letters) {
    let id = insert(letters, "k", 0).await;
    let again = Answer::Again { retry_after: None };
    for (seconds, due) in [(0, 1), (1, 3)] {
        let fence = claim_one(letters, seconds).await.life.fence;
        let life = letters.settle(id, settled(fence, again), at(seconds)).await.unwrap();
        assert_eq!((life.status, life.not_before), (Status::Pending, at(due)));
        let early = at(due) - Duration::from_millis(1);
        assert!(letters.claim(PAYMENTS, 1, LEASE, early).await.unwrap().is_empty());
    }
    let fence = claim_one(letters, 3).await.life.fence;
    let last = Settlement { note: "answered 503".to_owned(), ..settled(fence, again) };
    let life = letters.settle(id, last, at(3)).await.unwrap();
    assert_eq!((life.status, life.attempts), (Status::RequiresReview, 3));
    let letter = get(letters, id).await;
    assert_eq!((letter.life, letter.last_error.as_deref()), (life, Some("answered 503")));
    assert_eq!(letter.updated_at, at(3));
    letters_are_conserved(letters).await;
}

/// The other side's answer comes back as it came, stays until there is another, and goes with the letter's page.
pub async fn the_answer_is_kept_byte_for_byte(letters: &dyn Letters) {
    let first = Draft { token: crate::Token::from_bytes([9; 16]), ..draft(PAYMENTS, "k", at(0)) };
    let (token, id) = (first.token, letters.insert(first).await.unwrap().id());
    let again = Answer::Again { retry_after: None };
    let fence = claim_one(letters, 0).await.life.fence;
    let failed = Settlement { answer: Some(answer(503, at(0))), ..settled(fence, again) };
    letters.settle(id, failed, at(0)).await.unwrap();
    assert_eq!(get(letters, id).await.answer, Some(answer(503, at(0))));

    let fence = claim_one(letters, 1).await.life.fence;
    letters.settle(id, settled(fence, Answer::NotReached), at(1)).await.unwrap();
    assert_eq!(get(letters, id).await.answer, Some(answer(503, at(0))), "kept without another");

    let fence = claim_one(letters, 9).await.life.fence;
    let done = Settlement { answer: Some(answer(201, at(9))), ..settled(fence, Answer::Done) };
    letters.settle(id, done, at(9)).await.unwrap();
    let letter = letters.by_token(token).await.unwrap().unwrap();
    assert_eq!((letter.answer, letter.last_error), (Some(answer(201, at(9))), None));
    letters_are_conserved(letters).await;
}
