//! Random operations on a store.

use fuseboard_core::letter::{Answer, Event};
use fuseboard_store::conformance::{Governing, Operation, Reply};
use fuseboard_store::{ClaimOrder, Priority};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// Up to 80 operations that meet one another: few circuits, few keys, short times.
pub(crate) fn operations() -> impl Strategy<Value = Vec<Operation>> {
    vec(operation(), 1..80)
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        8 => insert(),
        2 => claim_by(),
        1 => priority().prop_map(|to| Operation::RaiseLate { to }),
        1 => (any::<u8>(), 0_u8..8).prop_map(|(letter, key)| Operation::Import { letter, key }),
        2 => governing().prop_map(Operation::Govern),
        5 => (0_u8..3, 0_u8..4, 0_u16..4_000)
            .prop_map(|(circuit, limit, lease)| Operation::Claim { circuit, limit, lease }),
        5 => (any::<u8>(), reply()).prop_map(|(claim, reply)| Operation::Settle { claim, reply }),
        3 => (any::<u8>(), event()).prop_map(|(letter, event)| Operation::Act { letter, event }),
        3 => (0_u16..3_000).prop_map(|millis| Operation::Wait { millis }),
        1 => (0_u16..2_000, 0_u8..5)
            .prop_map(|(older_than, limit)| Operation::Purge { older_than, limit }),
    ]
}

fn insert() -> impl Strategy<Value = Operation> {
    let time = || prop_oneof![3 => Just(None), 1 => (0_u16..3_000).prop_map(Some)];
    let line = option::weighted(0.5, 0_u8..2);
    let same = (0_u8..3, 0_u8..8, 0_u8..6, 0_u8..10);
    (same, time(), line, 0_u8..2, priority(), time()).prop_map(
        |((circuit, key, scope, body), expires_in, line, domain, priority, deadline_in)| {
            let (scope, body) = (scope / 5, body / 9);
            Operation::Insert {
                circuit,
                key,
                scope,
                body,
                expires_in,
                line,
                domain,
                priority,
                deadline_in,
            }
        },
    )
}

fn claim_by() -> impl Strategy<Value = Operation> {
    let order = select(vec![ClaimOrder::Due, ClaimOrder::Priority]);
    let letter = option::weighted(0.2, any::<u8>());
    (option::of(0_u8..3), option::of(0_u8..2), letter, order, 0_u8..4, 0_u16..4_000).prop_map(
        |(circuit, domain, letter, order, limit, lease)| Operation::ClaimBy {
            circuit,
            domain,
            letter,
            order,
            limit,
            lease,
        },
    )
}

fn priority() -> impl Strategy<Value = Priority> {
    select(&Priority::ALL[..])
}

fn governing() -> impl Strategy<Value = Governing> {
    prop_oneof![
        (0_u8..2, 0_u8..3).prop_map(|(name, seen)| Governing::Set { name, seen }),
        (0_u8..2, 0_u16..3_000).prop_map(|(name, lasts)| Governing::Acquire { name, lasts }),
        (any::<u8>(), 0_u16..3_000).prop_map(|(lease, lasts)| Governing::Renew { lease, lasts }),
        any::<u8>().prop_map(|lease| Governing::Release { lease }),
        (0_u16..3_000).prop_map(|older_than| Governing::Purge { older_than }),
    ]
}

fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        Just(Reply::Answered(Answer::Done)),
        Just(Reply::Answered(Answer::Again { retry_after: None })),
        Just(Reply::Answered(Answer::NotReached)),
        Just(Reply::Answered(Answer::Never)),
        Just(Reply::HandedBack),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::Requeue),
        Just(Event::Hasten),
        Just(Event::SetAside),
        Just(Event::Discard),
        Just(Event::Tick)
    ]
}
