//! That letters with one order key go strictly in the order in which they were captured.

use fuseboard_core::letter::{Answer, Event, Life, Status};

use super::fixtures::{
    LEASE, PAYMENTS, at, claim_one, draft, get, letters_are_conserved, ops, settled,
};
use crate::letters::{Blocker, Draft, LetterId, Letters, Query};

/// Inserts a letter of a line, due at 0 s.
async fn insert_in(letters: &dyn Letters, circuit: &str, line: &str, key: &str) -> LetterId {
    let order_key = Some(line.to_owned());
    letters.insert(Draft { order_key, ..draft(circuit, key, at(0)) }).await.unwrap().id()
}

async fn claim_all(letters: &dyn Letters, seconds: i64) -> Vec<LetterId> {
    let claimed = letters.claim(PAYMENTS, 100, LEASE, at(seconds)).await.unwrap();
    claimed.iter().map(|letter| letter.id).collect()
}

/// Each letter of the line, and what it waits for, as its list shows it.
async fn waits(letters: &dyn Letters, line: &str) -> Vec<(LetterId, Option<Blocker>)> {
    let query = Query {
        circuit: Some(PAYMENTS.to_owned()),
        order_key: Some(line.to_owned()),
        ..Query::default()
    };
    let mut waits = Vec::new();
    for summary in letters.list(query).await.unwrap() {
        assert_eq!(get(letters, summary.id).await.blocked_by, summary.blocked_by);
        waits.push((summary.id, summary.blocked_by));
    }
    waits
}

/// Of each circuit's order key only the first letter is claimed, also while it waits for its next try; it alone decides
/// when there is something to do; and when it is done the next one may go.
pub async fn letters_with_one_order_key_go_in_order(letters: &dyn Letters) {
    let a1 = insert_in(letters, PAYMENTS, "a", "a1").await;
    let a2 = insert_in(letters, PAYMENTS, "a", "a2").await;
    let b1 = insert_in(letters, PAYMENTS, "b", "b1").await;
    let a3 = insert_in(letters, PAYMENTS, "a", "a3").await;
    let elsewhere = insert_in(letters, "mail", "a", "elsewhere").await;
    let free = letters.insert(draft(PAYMENTS, "free", at(0))).await.unwrap().id();
    assert_eq!(claim_all(letters, 0).await, [a1, b1, free]);
    assert_eq!(letters.claim("mail", 9, LEASE, at(0)).await.unwrap()[0].id, elsewhere);

    let again = settled(1, Answer::Again { retry_after: None });
    let life = letters.settle(a1, again, at(1)).await.unwrap();
    let blocker = Some(Blocker { id: a1, status: Status::Pending });
    assert_eq!(waits(letters, "a").await, [(a1, None), (a2, blocker), (a3, blocker)]);
    for id in [b1, free] {
        letters.settle(id, settled(1, Answer::Done), at(1)).await.unwrap();
    }
    assert!(claim_all(letters, 1).await.is_empty(), "the first waits for its next try");
    assert_eq!(letters.next_due(PAYMENTS).await.unwrap(), Some(life.not_before));

    for (seconds, id) in [(5, a1), (6, a2), (7, a3)] {
        let letter = claim_one(letters, seconds).await;
        assert_eq!(letter.id, id);
        let settlement = settled(letter.life.fence, Answer::Done);
        letters.settle(id, settlement, at(seconds)).await.unwrap();
    }
    assert_eq!(letters.next_due(PAYMENTS).await.unwrap(), None);
    assert_eq!(waits(letters, "a").await, [(a1, None), (a2, None), (a3, None)]);
    letters_are_conserved(letters).await;
}

/// A letter in review blocks its order key, which every letter behind it shows, until it is sent back or given up.
pub async fn a_letter_in_review_blocks_its_order_key_and_is_shown(letters: &dyn Letters) {
    let first = insert_in(letters, PAYMENTS, "a", "1").await;
    let second = insert_in(letters, PAYMENTS, "a", "2").await;
    let third = insert_in(letters, PAYMENTS, "a", "3").await;
    let fence = claim_one(letters, 0).await.life.fence;
    letters.settle(first, settled(fence, Answer::Never), at(0)).await.unwrap();

    let blocker = Blocker { id: first, status: Status::RequiresReview };
    let blocked = Some(blocker);
    assert_eq!(waits(letters, "a").await, [(first, None), (second, blocked), (third, blocked)]);
    assert_eq!(letters.first_in_line(PAYMENTS, "a").await.unwrap(), blocked);
    assert!(claim_all(letters, 1_000).await.is_empty());
    assert_eq!(letters.next_due(PAYMENTS).await.unwrap(), None);
    assert_eq!(letters.circuits_with_letters().await.unwrap(), [PAYMENTS]);

    letters.act(second, Event::SetAside, ops(), at(1)).await.unwrap();
    letters.act(second, Event::Requeue, ops(), at(1)).await.unwrap();
    assert!(claim_all(letters, 1_000).await.is_empty(), "an operator does not let it pass");
    letters.act(first, Event::Requeue, ops(), at(2)).await.unwrap();
    assert_eq!(letters.next_due(PAYMENTS).await.unwrap(), Some(at(2)));
    assert_eq!(claim_one(letters, 2).await.id, first);
    letters_are_conserved(letters).await;
}

/// The next letter is free when the first is discarded or expires, by a tick or by a claim, and not before; one from the
/// middle of the line frees nobody.
pub async fn whatever_ends_the_first_letter_frees_the_next(letters: &dyn Letters) {
    let mut ids = Vec::new();
    for (key, expires_at) in
        [("1", None), ("2", None), ("3", Some(at(5))), ("4", Some(at(6))), ("5", None)]
    {
        let life = Life { expires_at, ..Life::captured(at(0)) };
        let order_key = Some("a".to_owned());
        let draft = Draft { life, order_key, ..draft(PAYMENTS, key, at(0)) };
        ids.push(letters.insert(draft).await.unwrap().id());
    }
    let goes_first = |id| Some(Blocker { id, status: Status::Pending });
    letters.act(ids[1], Event::Discard, ops(), at(1)).await.unwrap();
    assert_eq!(waits(letters, "a").await[1..3], [(ids[1], None), (ids[2], goes_first(ids[0]))]);

    letters.act(ids[0], Event::Discard, ops(), at(1)).await.unwrap();
    assert_eq!(letters.first_in_line(PAYMENTS, "a").await.unwrap(), goes_first(ids[2]));
    letters.act(ids[2], Event::Tick, ops(), at(5)).await.unwrap();
    assert_eq!(letters.first_in_line(PAYMENTS, "a").await.unwrap(), goes_first(ids[3]));
    assert!(claim_all(letters, 6).await.is_empty(), "it expired, and the next was not free yet");
    assert_eq!(claim_all(letters, 6).await, [ids[4]]);
    letters_are_conserved(letters).await;
}

/// A live request learns whether letters with its order key are ahead of it, whatever their status is.
pub async fn a_request_learns_what_is_ahead_of_it(letters: &dyn Letters) {
    assert_eq!(letters.first_in_line(PAYMENTS, "a").await.unwrap(), None);
    let id = insert_in(letters, PAYMENTS, "a", "1").await;
    insert_in(letters, PAYMENTS, "a", "2").await;
    let first = |status| Some(Blocker { id, status });
    for (circuit, line, wanted) in [
        (PAYMENTS, "a", first(Status::Pending)),
        (PAYMENTS, "A", None),
        (PAYMENTS, "", None),
        ("mail", "a", None),
    ] {
        assert_eq!(letters.first_in_line(circuit, line).await.unwrap(), wanted, "{circuit} {line}");
    }
    let fence = claim_one(letters, 0).await.life.fence;
    assert_eq!(letters.first_in_line(PAYMENTS, "a").await.unwrap(), first(Status::Replaying));
    letters.settle(id, settled(fence, Answer::Done), at(0)).await.unwrap();
    let fence = claim_one(letters, 0).await;
    letters.settle(fence.id, settled(fence.life.fence, Answer::Done), at(0)).await.unwrap();
    assert_eq!(letters.first_in_line(PAYMENTS, "a").await.unwrap(), None);
    letters_are_conserved(letters).await;
}

/// A first letter that crashes its holders goes to review at the cap, and the one behind it does not pass it meanwhile.
pub async fn a_first_letter_that_crashes_is_not_passed(letters: &dyn Letters) {
    let first = insert_in(letters, PAYMENTS, "a", "1").await;
    insert_in(letters, PAYMENTS, "a", "2").await;
    for seconds in [0, 10, 20] {
        assert_eq!(claim_one(letters, seconds).await.id, first);
    }
    assert!(claim_all(letters, 30).await.is_empty());
    let blocker = Some(Blocker { id: first, status: Status::RequiresReview });
    assert_eq!(letters.first_in_line(PAYMENTS, "a").await.unwrap(), blocker);
    assert!(claim_all(letters, 99).await.is_empty());
    letters_are_conserved(letters).await;
}
