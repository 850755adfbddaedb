//! That what a store shows is what happened.

use fuseboard_core::letter::{Answer, Event, Status};

use super::fixtures::{
    LEASE, PAYMENTS, answer, at, claim_one, draft, get, handed_back, insert, letters_are_conserved,
    ops, settled,
};
use crate::audit::By;
use crate::letters::{Draft, LetterId, Letters, Query, Settlement};

/// Each thing that happens to a letter has an entry, in order, with when it was and the fence after it.
pub async fn history_tells_what_happened_in_order(letters: &dyn Letters) {
    let id = insert(letters, "k", 0).await;
    claim_one(letters, 1).await;
    let fence = claim_one(letters, 11).await.life.fence;
    let note = "answered 422".to_owned();
    letters.settle(id, Settlement { note, ..settled(fence, Answer::Never) }, at(12)).await.unwrap();
    letters.act(id, Event::Requeue, By::new("ops", "fixed"), at(13)).await.unwrap();
    letters.act(id, Event::Discard, ops(), at(14)).await.unwrap();

    let history = letters.history(id).await.unwrap();
    let told: Vec<_> =
        history.iter().map(|entry| (entry.at, entry.what.as_str(), entry.fence)).collect();
    let wanted = [
        (at(0), "captured", 0),
        (at(1), "claimed", 1),
        (at(11), "crashed: the lease ran out", 2),
        (at(11), "claimed", 2),
        (at(12), "answered 422", 2),
        (at(12), "requires_review after 1 attempts", 2),
        (at(13), "requeued by ops: fixed", 3),
        (at(14), "discarded by ops", 4),
    ];
    assert_eq!(told, wanted);
    letters_are_conserved(letters).await;
}

/// A letter that goes to and fro keeps its newest 256 entries, and a long note its first 1,000 bytes.
pub async fn history_keeps_the_newest_entries(letters: &dyn Letters) {
    let id = insert(letters, "k", 0).await;
    for seconds in 1..=150 {
        let fence = claim_one(letters, seconds).await.life.fence;
        let note = format!("{seconds} {}", "\u{e9}".repeat(2_000));
        let settlement = Settlement { note, ..handed_back(fence) };
        letters.settle(id, settlement, at(seconds)).await.unwrap();
    }
    let history = letters.history(id).await.unwrap();
    assert_eq!(history.len(), 256);
    let last = history.last().unwrap();
    assert!(last.what.starts_with("150 \u{e9}"));
    assert!((990..=1_000).contains(&last.what.len()), "{} bytes", last.what.len());
    assert_eq!(history[0].at, at(23), "the oldest went first");
    letters_are_conserved(letters).await;
}

/// A list has what its query says, the lowest number first, and goes on after its cursor.
pub async fn lists_filter_and_page_in_order(letters: &dyn Letters) {
    for n in 0..6 {
        for circuit in ["b", "a"] {
            let domain = if n % 2 == 0 { "even" } else { "odd" };
            let key = n.to_string();
            let draft = Draft { domain: domain.to_owned(), ..draft(circuit, &key, at(0)) };
            letters.insert(draft).await.unwrap();
        }
    }
    let mut fence = 0;
    for letter in letters.claim("a", 2, LEASE, at(0)).await.unwrap() {
        fence = letter.life.fence;
        let answer = Some(answer(500, at(0)));
        let settlement = Settlement { answer, ..settled(fence, Answer::Never) };
        letters.settle(letter.id, settlement, at(0)).await.unwrap();
    }
    assert_eq!(fence, 1);
    let (a, pending) = (Some("a".to_owned()), Some(Status::Pending));
    let all = Query { limit: 100, ..Query::default() };
    let table = [
        (all.clone(), vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
        (Query { limit: 2, after: Some(LetterId(3)), ..all.clone() }, vec![4, 5]),
        (Query { circuit: a.clone(), ..all.clone() }, vec![2, 4, 6, 8, 10, 12]),
        (Query { circuit: a.clone(), limit: 3, ..all.clone() }, vec![2, 4, 6]),
        (Query { status: pending, ..all.clone() }, vec![1, 3, 5, 6, 7, 8, 9, 10, 11, 12]),
        (Query { status: pending, circuit: a.clone(), ..all.clone() }, vec![6, 8, 10, 12]),
        (Query { status: Some(Status::RequiresReview), ..all.clone() }, vec![2, 4]),
        (Query { status: Some(Status::Resolved), ..all.clone() }, vec![]),
        (Query { domain: Some("odd".to_owned()), ..all.clone() }, vec![3, 4, 7, 8, 11, 12]),
        (
            Query { domain: Some("even".to_owned()), circuit: a, status: pending, ..all.clone() },
            vec![6, 10],
        ),
        (Query { circuit: Some("captured".to_owned()), ..all.clone() }, vec![]),
        (Query { after: Some(LetterId(12)), ..all.clone() }, vec![]),
        (Query { limit: 0, ..all.clone() }, vec![]),
    ];
    for (query, wanted) in table {
        let page = letters.list(query.clone()).await.unwrap();
        let numbers: Vec<_> = page.iter().map(|summary| summary.id.0).collect();
        assert_eq!(numbers, wanted, "{query:?}");
        for summary in page {
            let letter = get(letters, summary.id).await;
            assert_eq!(summary.body_length, letter.body.len() as u64);
            assert_eq!(summary.answer_status, letter.answer.map(|answer| answer.status));
            assert_eq!((summary.life, summary.token), (letter.life, letter.token));
            assert_eq!((summary.domain, summary.key), (letter.domain, letter.key));
        }
    }
    letters_are_conserved(letters).await;
}

/// The counts of a circuit follow its letter through every status, and keep it when it is purged.
pub async fn counts_follow_a_letter_through_its_life(letters: &dyn Letters) {
    assert_eq!(letters.counts().await.unwrap(), Default::default());
    letters.insert(draft("mail", "mail", at(9))).await.unwrap();
    let id = insert(letters, "k", 5).await;
    expect_only(letters, Status::Pending).await;
    claim_one(letters, 5).await;
    expect_only(letters, Status::Replaying).await;
    let fence = claim_one(letters, 15).await.life.fence;
    expect_only(letters, Status::Replaying).await;
    letters.settle(id, settled(fence, Answer::Never), at(15)).await.unwrap();
    expect_only(letters, Status::RequiresReview).await;
    letters.act(id, Event::Requeue, ops(), at(16)).await.unwrap();
    expect_only(letters, Status::Pending).await;
    let fence = claim_one(letters, 16).await.life.fence;
    assert!(letters.settle(id, settled(fence - 1, Answer::Done), at(16)).await.is_err());
    expect_only(letters, Status::Replaying).await;
    letters.settle(id, settled(fence, Answer::Done), at(16)).await.unwrap();
    expect_only(letters, Status::Resolved).await;
    assert_eq!(letters.purge(at(17), 10).await.unwrap(), 1);

    let counts = letters.counts().await.unwrap();
    assert_eq!((counts.captured, counts.purged), (2, 1));
    assert_eq!(counts.circuits["mail"].oldest_pending, Some(at(9)));
    let circuit = &counts.circuits[PAYMENTS];
    assert_eq!((circuit.captured, circuit.purged), (1, 1));
    assert_eq!(circuit.by_status.values().sum::<u64>(), 0);
    assert_eq!(circuit.by_status.len(), Status::ALL.len());
    letters_are_conserved(letters).await;
}

async fn expect_only(letters: &dyn Letters, status: Status) {
    let counts = letters.counts().await.unwrap();
    let circuit = &counts.circuits[PAYMENTS];
    assert_eq!((circuit.captured, circuit.purged), (1, 0));
    for other in Status::ALL {
        assert_eq!(circuit.of(other), u64::from(other == status), "{other} while {status}");
    }
    let oldest = (status == Status::Pending).then_some(at(5));
    assert_eq!(circuit.oldest_pending, oldest);
}

/// The next due time of a circuit is the earliest of its pending letters and of the leases on the others.
pub async fn the_next_due_time_is_that_of_a_letter_or_of_a_lease(letters: &dyn Letters) {
    assert_eq!(letters.next_due(PAYMENTS).await.unwrap(), None);
    letters.insert(draft("mail", "mail", at(0))).await.unwrap();
    let id = insert(letters, "k", 5).await;
    assert_eq!(letters.next_due(PAYMENTS).await.unwrap(), Some(at(5)));
    insert(letters, "later", 30).await;
    assert_eq!(letters.next_due(PAYMENTS).await.unwrap(), Some(at(5)));
    let fence = claim_one(letters, 6).await.life.fence;
    assert_eq!(letters.next_due(PAYMENTS).await.unwrap(), Some(at(16)), "the lease's end");
    letters.settle(id, settled(fence, Answer::Never), at(7)).await.unwrap();
    assert_eq!(letters.next_due(PAYMENTS).await.unwrap(), Some(at(30)));
    letters.act(id, Event::Requeue, ops(), at(8)).await.unwrap();
    assert_eq!(letters.next_due(PAYMENTS).await.unwrap(), Some(at(8)));
    letters_are_conserved(letters).await;
}

/// The circuits that wait are those with letters that are pending or replaying, by name.
pub async fn waiting_circuits_are_named(letters: &dyn Letters) {
    let mut ids = Vec::new();
    for circuit in ["c", "b", "a", "b"] {
        let key = ids.len().to_string();
        ids.push(letters.insert(draft(circuit, &key, at(0))).await.unwrap().id());
    }
    assert_eq!(letters.circuits_with_letters().await.unwrap(), ["a", "b", "c"]);
    letters.claim("a", 1, LEASE, at(0)).await.unwrap();
    letters.act(ids[0], Event::SetAside, ops(), at(0)).await.unwrap();
    letters.act(ids[1], Event::Discard, ops(), at(0)).await.unwrap();
    assert_eq!(letters.circuits_with_letters().await.unwrap(), ["a", "b"]);
    letters_are_conserved(letters).await;
}
