//! The same letter is known again, whatever key it was sealed with, and its fingerprint tells nothing.

use fuseboard_core::letter::{Event, Status};
use fuseboard_store::{By, Draft, Inserted, Keyring, Letters, StoreError, Token};

use crate::{NOW, get, insert, key, letter, memory, over, ring};

fn with_body(body: &[u8]) -> Draft {
    Draft { body: body.to_vec(), token: Token::random(), ..letter("k") }
}

#[tokio::test]
async fn the_same_body_is_the_same_letter_across_rotation_and_from_before_there_were_keys() {
    let both = || ring("new", 2).with_older(key("old", 1)).unwrap();
    let rings = [
        ("same key", Some(ring("old", 1)), ring("old", 1)),
        ("rotated", Some(ring("old", 1)), both()),
        ("from before", None, both()),
        ("turned off", Some(ring("old", 1)), Keyring::none().with_older(key("old", 1)).unwrap()),
    ];
    for (what, first, then) in rings {
        let beneath = memory();
        let id = match first {
            Some(keys) => insert(&over(&beneath, keys), with_body(b"one")).await,
            None => insert(&*beneath, with_body(b"one")).await,
        };
        let letters = over(&beneath, then);
        let token = get(&letters, id).await.token;
        let same = letters.insert(with_body(b"one")).await.unwrap();
        assert_eq!(same, Inserted::Same(id, token, Status::Pending), "{what}");
        let other = letters.insert(with_body(b"two")).await;
        assert!(
            matches!(&other, Err(StoreError::KeyReused { existing, .. }) if *existing == id),
            "{what}: {other:?}"
        );
        letters.act(id, Event::Discard, By::new("ops", ""), NOW).await.unwrap();
        let new = letters.insert(with_body(b"two")).await.unwrap();
        assert!(matches!(new, Inserted::New(..)), "{what}: {new:?}");
    }
}

#[tokio::test]
async fn where_the_key_is_missing_nobody_claims_to_know_whether_it_is_the_same() {
    let beneath = memory();
    insert(&over(&beneath, ring("lost", 1)), with_body(b"one")).await;
    for keys in [ring("k", 2), Keyring::none()] {
        let unknown = over(&beneath, keys).insert(with_body(b"one")).await;
        assert!(matches!(unknown, Err(StoreError::Sealed { .. })), "{unknown:?}");
    }
}

#[tokio::test]
async fn equal_bodies_of_different_letters_look_different() {
    let beneath = memory();
    let letters = over(&beneath, ring("k", 1));
    let mut seen = Vec::new();
    for draft in [letter("1"), letter("2"), Draft { scope: b"bob".to_vec(), ..letter("1") }] {
        let kept = get(&*beneath, insert(&letters, draft).await).await;
        seen.extend([kept.fingerprint.unwrap(), kept.body]);
    }
    let elsewhere = memory();
    let id = insert(&over(&elsewhere, ring("k", 9)), letter("1")).await;
    seen.push(get(&*elsewhere, id).await.fingerprint.unwrap());
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), count, "two of them are the same");
}

#[tokio::test]
async fn without_keys_the_same_letter_in_clear_is_known_again_too() {
    let letters = over(&memory(), Keyring::none());
    let id = insert(&letters, with_body(b"one")).await;
    let same = letters.insert(with_body(b"one")).await.unwrap();
    assert!(matches!(same, Inserted::Same(known, ..) if known == id), "{same:?}");
    let other = letters.insert(with_body(b"two")).await;
    assert!(matches!(other, Err(StoreError::KeyReused { .. })), "{other:?}");
}
