//! That a claim by a filter takes what the filter wants, the most urgent first if it says so; and late letters.

use fuseboard_core::letter::{Answer, Event, Status};

use super::fixtures::{LEASE, PAYMENTS, at, draft, get, letters_are_conserved, ops, settled};
use crate::letters::{
    ClaimFilter, ClaimOrder, Draft, Late, LetterId, Letters, Priority, Query, Settlement, Token,
};

async fn insert(letters: &dyn Letters, kind: (&str, &str, &str, Priority), due: i64) -> LetterId {
    let (circuit, domain, failure, priority) = kind;
    let key = Token::random().to_string();
    let draft = Draft {
        domain: domain.to_owned(),
        failure: failure.to_owned(),
        priority,
        ..draft(circuit, &key, at(due))
    };
    letters.insert(draft).await.unwrap().id()
}

async fn claim(letters: &dyn Letters, filter: &ClaimFilter, seconds: i64) -> Vec<LetterId> {
    let claimed = letters.claim_by(filter.clone(), LEASE, at(seconds)).await.unwrap();
    claimed.iter().map(|letter| letter.id).collect()
}

/// Gives everything back that is held since `seconds`, due again when it was.
async fn give_back(letters: &dyn Letters, ids: &[LetterId]) {
    for id in ids {
        let letter = get(letters, *id).await;
        let event = Event::HandedBack { fence: letter.life.fence };
        let settlement = Settlement { event, answer: None, note: String::new() };
        letters.settle(*id, settlement, letter.life.not_before).await.unwrap();
    }
}

/// A claim takes only letters of the circuit, domain, failure types and number that its filter names, of all circuits if
/// it names none, the earliest due first.
pub async fn a_filtered_claim_takes_only_what_it_wants(letters: &dyn Letters) {
    let normal = Priority::Normal;
    let a = insert(letters, ("a", "orders", "timeout", normal), 3).await;
    let b = insert(letters, ("b", "orders", "rejected", normal), 2).await;
    let c = insert(letters, ("a", "mail", "rejected", Priority::Low), 1).await;
    let d = insert(letters, ("b", "mail", "connect", Priority::Critical), 2).await;
    let late = insert(letters, ("a", "orders", "timeout", normal), 50).await;
    let any = ClaimFilter { limit: 10, ..ClaimFilter::default() };
    let some = |text: &str| Some(text.to_owned());
    let failures = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let table = [
        (any.clone(), vec![c, b, d, a]),
        (ClaimFilter { limit: 2, ..any.clone() }, vec![c, b]),
        (ClaimFilter { limit: 0, ..any.clone() }, vec![]),
        (ClaimFilter { circuit: some("a"), ..any.clone() }, vec![c, a]),
        (ClaimFilter { circuit: some(""), ..any.clone() }, vec![]),
        (ClaimFilter { domain: some("mail"), ..any.clone() }, vec![c, d]),
        (ClaimFilter { circuit: some("b"), domain: some("mail"), ..any.clone() }, vec![d]),
        (
            ClaimFilter { failures: failures(&["rejected", "connect"]), ..any.clone() },
            vec![c, b, d],
        ),
        (ClaimFilter { failures: failures(&["Rejected"]), ..any.clone() }, vec![]),
        (ClaimFilter { id: Some(b), ..any.clone() }, vec![b]),
        (ClaimFilter { id: Some(b), circuit: some("a"), ..any.clone() }, vec![]),
        (ClaimFilter { id: Some(late), ..any.clone() }, vec![]),
        (ClaimFilter { id: Some(LetterId(0)), ..any.clone() }, vec![]),
    ];
    for (filter, wanted) in table {
        let claimed = claim(letters, &filter, 3).await;
        assert_eq!(claimed, wanted, "{filter:?}");
        give_back(letters, &claimed).await;
    }
    letters_are_conserved(letters).await;
}

/// A claim by priority takes the most urgent letters first, of those the earliest due, and a lapsed one in its place.
pub async fn a_claim_by_priority_takes_the_most_urgent_first(letters: &dyn Letters) {
    let of = |circuit, priority| (circuit, "orders", "rejected", priority);
    let low = insert(letters, of("a", Priority::Low), 0).await;
    let late_critical = insert(letters, of("a", Priority::Critical), 3).await;
    let normal = insert(letters, of("b", Priority::Normal), 1).await;
    let critical = insert(letters, of("b", Priority::Critical), 2).await;
    let by_priority =
        ClaimFilter { order: ClaimOrder::Priority, limit: 10, ..ClaimFilter::default() };
    assert_eq!(claim(letters, &by_priority, 2).await, [critical, normal, low]);
    let claimed = letters.claim_by(by_priority.clone(), LEASE, at(12)).await.unwrap();
    let seen: Vec<_> = claimed.iter().map(|letter| (letter.id, letter.life.crashes)).collect();
    assert_eq!(seen, [(critical, 1), (late_critical, 0), (normal, 1), (low, 1)]);
    for letter in &claimed {
        assert_eq!(*letter, get(letters, letter.id).await);
        assert_eq!(letter.life.status, Status::Replaying);
    }
    letters_are_conserved(letters).await;
}

/// A claim by a filter takes no letter that waits behind another, also if it is asked for by its number.
pub async fn a_filtered_claim_takes_nobody_out_of_turn(letters: &dyn Letters) {
    let mut ids = Vec::new();
    for (key, priority) in [("1", Priority::Low), ("2", Priority::Critical)] {
        let order_key = Some("a".to_owned());
        let draft = Draft { order_key, priority, ..draft(PAYMENTS, key, at(0)) };
        ids.push(letters.insert(draft).await.unwrap().id());
    }
    let second = ClaimFilter { id: Some(ids[1]), ..ClaimFilter::default() };
    assert!(claim(letters, &second, 9).await.is_empty());
    let all = ClaimFilter { order: ClaimOrder::Priority, limit: 9, ..ClaimFilter::default() };
    assert_eq!(claim(letters, &all, 9).await, [ids[0]]);
    letters.settle(ids[0], settled(1, Answer::Done), at(9)).await.unwrap();
    assert_eq!(claim(letters, &second, 9).await, [ids[1]]);
    letters_are_conserved(letters).await;
}

/// Letters past their deadline are counted by circuit and domain until they are done, and can be raised, as many as are
/// asked for, none of them lowered; the history says so.
pub async fn late_letters_are_counted_and_raised(letters: &dyn Letters) {
    let deadlines = [("a", "x", 5), ("a", "x", 6), ("a", "y", 5), ("b", "x", 9)];
    let mut ids = Vec::new();
    for (n, (circuit, domain, seconds)) in deadlines.into_iter().enumerate() {
        let draft = Draft {
            domain: domain.to_owned(),
            sla_deadline: Some(at(seconds)),
            priority: if n == 0 { Priority::Critical } else { Priority::Low },
            ..draft(circuit, &n.to_string(), at(0))
        };
        ids.push(letters.insert(draft).await.unwrap().id());
    }
    letters.insert(draft("a", "without a deadline", at(0))).await.unwrap();
    assert_eq!(letters.late(at(4)).await.unwrap(), []);
    assert_eq!(letters.raise_late(Priority::Critical, at(4), 9).await.unwrap(), 0);
    let late = |domain: &str, letters| Late {
        circuit: "a".to_owned(),
        domain: domain.to_owned(),
        letters,
    };
    assert_eq!(letters.late(at(5)).await.unwrap(), [late("x", 1), late("y", 1)]);
    assert_eq!(letters.late(at(6)).await.unwrap(), [late("x", 2), late("y", 1)]);

    assert_eq!(letters.raise_late(Priority::Normal, at(6), 1).await.unwrap(), 1);
    assert_eq!(letters.raise_late(Priority::Normal, at(6), 9).await.unwrap(), 1);
    assert_eq!(letters.raise_late(Priority::Normal, at(6), 9).await.unwrap(), 0);
    let urgency = [Priority::Critical, Priority::Normal, Priority::Normal, Priority::Low];
    for (id, wanted) in ids.iter().zip(urgency) {
        assert_eq!(get(letters, *id).await.priority, wanted);
    }
    let query = Query { priority: Some(Priority::Normal), ..Query::default() };
    assert_eq!(letters.list(query).await.unwrap().len(), 3);
    let history = letters.history(ids[1]).await.unwrap();
    assert_eq!(history.last().unwrap().what, "raised to normal: past its deadline");

    letters.act(ids[1], Event::SetAside, ops(), at(7)).await.unwrap();
    letters.act(ids[2], Event::Discard, ops(), at(7)).await.unwrap();
    assert_eq!(letters.late(at(7)).await.unwrap(), [late("x", 2)]);
    letters_are_conserved(letters).await;
}
