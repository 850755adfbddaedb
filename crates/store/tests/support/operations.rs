//! Random operations on a store.

use fuseboard_core::letter::{Answer, Event};
use fuseboard_store::conformance::{Operation, Reply};
use proptest::collection::vec;
use proptest::prelude::*;

/// Up to 80 operations that meet one another: few circuits, few keys, short times.
pub(crate) fn operations() -> impl Strategy<Value = Vec<Operation>> {
    vec(operation(), 1..80)
}

fn operation() -> impl Strategy<Value = Operation> {
    let expires_in = prop_oneof![3 => Just(None), 1 => (0_u16..3_000).prop_map(Some)];
    prop_oneof![
        6 => (0_u8..3, 0_u8..8, 0_u8..6, 0_u8..10, expires_in).prop_map(
            |(circuit, key, scope, body, expires_in)| {
                Operation::Insert { circuit, key, scope: scope / 5, body: body / 9, expires_in }
            }
        ),
        5 => (0_u8..3, 0_u8..4, 0_u16..4_000)
            .prop_map(|(circuit, limit, lease)| Operation::Claim { circuit, limit, lease }),
        5 => (any::<u8>(), reply()).prop_map(|(claim, reply)| Operation::Settle { claim, reply }),
        3 => (any::<u8>(), event()).prop_map(|(letter, event)| Operation::Act { letter, event }),
        3 => (0_u16..3_000).prop_map(|millis| Operation::Wait { millis }),
        1 => (0_u16..2_000, 0_u8..5)
            .prop_map(|(older_than, limit)| Operation::Purge { older_than, limit }),
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
        Just(Event::SetAside),
        Just(Event::Discard),
        Just(Event::Tick)
    ]
}
