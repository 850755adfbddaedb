//! What becomes of letters that were changed in the database.

use std::sync::Arc;

use fuseboard_core::letter::{Answer, Event, Status};
use fuseboard_store::{
    By, Keyring, Letter, LetterId, Letters, Memory, Query, Sealed, StoreError, StoredAnswer, Token,
    Unopened,
};
use proptest::prelude::*;

use crate::{NOW, claim, get, insert, letter, memory, over, reply, ring, settle};

/// A store with two letters, the first of them answered, as it lies beneath.
async fn two() -> (Letter, Letter) {
    let beneath = memory();
    let letters = over(&beneath, ring("k", 1));
    let first = insert(&letters, letter("1")).await;
    settle(&letters, Answer::Never, reply(422, b"no")).await;
    let second = insert(&letters, letter("2")).await;
    (get(&*beneath, first).await, get(&*beneath, second).await)
}

/// The letter as somebody put it into the database: under number 1, as in the store that it comes from.
async fn planted(letter: Letter) -> (Arc<Memory>, Sealed, LetterId) {
    let beneath = memory();
    let id = beneath.import(letter, String::new(), NOW).await.unwrap();
    let letters = over(&beneath, ring("k", 1));
    (beneath, letters, id)
}

async fn is_damaged(letter: Letter, part: &str) {
    let shown = format!("{letter:?}");
    let (_, letters, id) = planted(letter).await;
    match letters.get(id).await {
        Err(StoreError::Sealed { letter, why: Unopened::Damaged { what, .. } }) => {
            assert_eq!((letter, what), (id, part), "{shown}");
        }
        other => panic!("it was not noticed: {other:?}, {shown}"),
    }
}

#[tokio::test]
async fn whatever_belongs_to_a_letter_and_is_changed_is_noticed() {
    let (letter, other) = two().await;
    let (_, letters, id) = planted(letter.clone()).await;
    assert_eq!(get(&letters, id).await.body, crate::letter("1").body, "as it was, it opens");
    let changes: [fn(&mut Letter); 14] = [
        |letter| letter.token = Token::random(),
        |letter| letter.circuit = "refunds".to_owned(),
        |letter| letter.domain = "others".to_owned(),
        |letter| letter.failure = "timeout".to_owned(),
        |letter| letter.method = "DELETE".to_owned(),
        |letter| letter.uri = "/charge?order=8".to_owned(),
        |letter| letter.content_type = None,
        |letter| letter.key = "3".to_owned(),
        |letter| letter.scope = b"mallory".to_vec(),
        |letter| letter.order_key = Some(String::new()),
        |letter| letter.sealed_by = None,
        |letter| letter.body.push(0),
        |letter| letter.body.clear(),
        |letter| letter.headers[0].1[30] ^= 1,
    ];
    for change in changes {
        let mut changed = letter.clone();
        change(&mut changed);
        is_damaged(changed, "content").await;
    }
    for (headers, body) in [
        (&letter.headers, &other.body),
        (&other.headers, &letter.body),
        (&other.headers, &other.body),
        (&Vec::new(), &letter.body),
    ] {
        is_damaged(
            Letter { headers: headers.clone(), body: body.clone(), ..letter.clone() },
            "content",
        )
        .await;
    }
}

#[tokio::test]
async fn an_answer_that_is_changed_or_another_letters_is_noticed() {
    let (letter, other) = two().await;
    let answer = letter.answer.clone().unwrap();
    let with = |answer: StoredAnswer| Letter { answer: Some(answer), ..letter.clone() };
    is_damaged(with(StoredAnswer { status: 200, ..answer.clone() }), "answer").await;
    is_damaged(with(StoredAnswer { truncated: true, ..answer.clone() }), "answer").await;
    is_damaged(with(StoredAnswer { sealed_by: None, ..answer.clone() }), "answer").await;
    is_damaged(with(StoredAnswer { body: letter.body.clone(), ..answer.clone() }), "answer").await;

    let beneath = memory();
    insert(&over(&beneath, ring("k", 1)), crate::letter("0")).await;
    let swapped = Letter { answer: Some(answer), ..other };
    let id = beneath.import(swapped, String::new(), NOW).await.unwrap();
    assert_eq!(id, LetterId(2));
    let noticed = over(&beneath, ring("k", 1)).get(id).await;
    assert!(matches!(noticed, Err(StoreError::Sealed { .. })), "{noticed:?}");
}

#[tokio::test]
async fn a_damaged_letter_is_listed_and_goes_to_review_with_the_reason_and_can_be_discarded() {
    let (_, mut second) = two().await;
    second.body[40] ^= 0x80;
    let (_, letters, id) = planted(second).await;
    assert_eq!(letters.list(Query::default()).await.unwrap()[0].id, id);
    assert!(letters.export(Query::default()).await.is_err());
    let fine = insert(&letters, letter("fine")).await;
    assert_eq!(claim(&letters, 1).await, [fine]);
    let listed = &letters.list(Query::default()).await.unwrap()[0];
    assert_eq!(listed.life.status, Status::RequiresReview);
    let why = "it cannot be opened: its content is not what the key `k` sealed for this letter";
    assert_eq!(listed.last_error.as_deref(), Some(why));
    letters.act(id, Event::Discard, By::new("ops", "damaged"), NOW).await.unwrap();
}

#[tokio::test]
async fn another_key_of_the_same_name_opens_nothing() {
    let (letter, _) = two().await;
    let (beneath, _, id) = planted(letter).await;
    let wrong = over(&beneath, ring("k", 2)).get(id).await;
    assert!(matches!(wrong, Err(StoreError::Sealed { .. })), "{wrong:?}");
    let none = over(&beneath, Keyring::none()).get(id).await;
    let missing = Unopened::KeyMissing { key: "k".to_owned() };
    assert!(matches!(&none, Err(StoreError::Sealed { why, .. }) if *why == missing), "{none:?}");
}

proptest! {
    #[test]
    fn garbage_in_the_database_is_an_error_and_never_a_letter(
        headers: Vec<u8>,
        body: Vec<u8>,
        version: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut letter, _) = two().await;
            let start = if version { &[1_u8][..] } else { b"" };
            letter.headers[0].1 = [start, &headers].concat();
            letter.body = [start, &body].concat();
            is_damaged(letter, "content").await;
        });
    }

    #[test]
    fn a_bit_that_flips_is_noticed(at: prop::sample::Index, bit in 0_u8..8, in_headers: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut letter, _) = two().await;
            let bytes = if in_headers { &mut letter.headers[0].1 } else { &mut letter.body };
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            is_damaged(letter, "content").await;
        });
    }
}
