//! Keys that change, keys that are missing, and letters from before there were any.

use fuseboard_core::letter::{Answer, Event, Status};
use fuseboard_store::{
    By, ClaimFilter, Draft, Keyring, Letter, Letters, Query, StoreError, Token, Unopened,
};

use crate::{LEASE, NOW, claim, get, insert, key, letter, memory, over, reply, ring, settle};

#[tokio::test]
async fn letters_of_an_older_key_open_and_new_ones_have_the_new_key() {
    let beneath = memory();
    let old = insert(&over(&beneath, ring("old", 1)), letter("1")).await;
    let letters = over(&beneath, ring("new", 2).with_older(key("old", 1)).unwrap());
    let new = insert(&letters, letter("2")).await;
    let listed = letters.list(Query::default()).await.unwrap();
    let sealed_by: Vec<_> = listed.iter().map(|one| one.sealed_by.as_deref().unwrap()).collect();
    assert_eq!(sealed_by, ["old", "new"]);
    for (id, key) in [(old, "1"), (new, "2")] {
        assert_eq!(get(&letters, id).await.body, letter(key).body);
    }
    assert_eq!(claim(&letters, 9).await, [old, new]);
}

#[tokio::test]
async fn a_letter_without_its_key_names_it_goes_to_review_and_holds_nobody_up() {
    let beneath = memory();
    let first = over(&beneath, ring("lost", 1));
    let sealed = [insert(&first, letter("1")).await, insert(&first, letter("2")).await];
    let letters = over(&beneath, ring("k", 2));
    let fine = insert(&letters, letter("3")).await;
    match letters.get(sealed[0]).await {
        Err(error @ StoreError::Sealed { letter, why: Unopened::KeyMissing { .. } }) => {
            assert_eq!(letter, sealed[0]);
            assert!(error.to_string().contains("the key `lost` is not in the keyring"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(claim(&letters, 1).await, [fine], "the first that can be opened");
    for id in sealed {
        let listed =
            letters.list(Query { status: Some(Status::RequiresReview), ..Query::default() });
        let listed = listed.await.unwrap();
        let summary = listed.iter().find(|one| one.id == id).expect("it is in review");
        let why = summary.last_error.as_deref().unwrap();
        assert!(why.starts_with("it cannot be opened: the key `lost` is not"), "{why}");
        assert_eq!(letters.history(id).await.unwrap()[2].what, why);
    }
    letters.act(sealed[0], Event::Discard, By::new("ops", "lost"), NOW).await.unwrap();

    let found = over(&beneath, ring("k", 2).with_older(key("lost", 1)).unwrap());
    found.act(sealed[1], Event::Requeue, By::new("ops", "found it"), NOW).await.unwrap();
    assert_eq!(claim(&found, 9).await, [sealed[1]]);
}

#[tokio::test]
async fn a_claim_by_filter_passes_letters_that_cannot_be_opened_too() {
    let beneath = memory();
    for n in 0..5 {
        insert(&over(&beneath, ring("lost", 1)), letter(&n.to_string())).await;
    }
    let letters = over(&beneath, ring("k", 2));
    let fine = insert(&letters, letter("fine")).await;
    let wanted =
        ClaimFilter { domain: Some("orders".to_owned()), limit: 2, ..ClaimFilter::default() };
    let claimed = letters.claim_by(wanted, LEASE, NOW).await.unwrap();
    assert_eq!(claimed.iter().map(|letter| letter.id).collect::<Vec<_>>(), [fine]);
    assert_eq!(letters.counts().await.unwrap().of(Status::RequiresReview), 5);
}

#[tokio::test]
async fn a_start_without_a_key_that_letters_wait_for_is_refused_unless_it_is_lost() {
    let beneath = memory();
    let first = over(&beneath, ring("old", 1));
    first.check_keys(&[], NOW).await.unwrap();
    let id = insert(&first, letter("1")).await;
    let letters = over(&beneath, ring("new", 2));
    let refused = letters.check_keys(&[], NOW).await;
    let missing = Unopened::KeyMissing { key: "old".to_owned() };
    assert!(
        matches!(&refused, Err(StoreError::Sealed { letter, why }) if *letter == id && *why == missing),
        "{refused:?}"
    );
    letters.check_keys(&["old".to_owned()], NOW).await.unwrap();
    over(&beneath, Keyring::none()).check_keys(&[], NOW).await.unwrap_err();
    letters.act(id, Event::Discard, By::new("ops", ""), NOW).await.unwrap();
    letters.check_keys(&[], NOW).await.unwrap();
}

#[tokio::test]
async fn letters_from_before_encryption_was_on_go_on_and_turning_it_off_opens_the_sealed() {
    let beneath = memory();
    let before = insert(&*beneath, letter("1")).await;
    let letters = over(&beneath, ring("k", 1));
    let sealed = insert(&letters, letter("2")).await;
    let off = over(&beneath, Keyring::none().with_older(key("k", 1)).unwrap());
    let after = insert(&off, letter("3")).await;
    for letters in [&letters, &off] {
        for id in [before, sealed, after] {
            assert_eq!(get(letters, id).await.body, letter("").body);
        }
    }
    let listed = letters.list(Query::default()).await.unwrap();
    let sealed_by: Vec<_> = listed.iter().map(|one| one.sealed_by.as_deref()).collect();
    assert_eq!(sealed_by, [None, Some("k"), None]);
    assert_eq!(claim(&letters, 9).await, [before, sealed, after]);
}

#[tokio::test]
async fn an_answer_without_its_key_does_not_keep_its_letter_from_being_replayed() {
    let beneath = memory();
    insert(&*beneath, letter("1")).await;
    let first = over(&beneath, ring("lost", 1));
    let id = settle(&first, Answer::Again { retry_after: None }, reply(503, b"later")).await;
    let letters = over(&beneath, ring("k", 2));
    letters.get(id).await.unwrap_err();
    letters.act(id, Event::Hasten, By::new("ops", ""), NOW).await.unwrap();
    let claimed = letters.claim("payments", 1, LEASE, NOW).await.unwrap();
    let answer = claimed[0].answer.as_ref().unwrap();
    assert_eq!((answer.status, answer.sealed_by.as_deref()), (503, Some("lost")));
    assert_eq!(claimed[0].body, letter("1").body);
}

#[tokio::test]
async fn an_export_is_in_clear_and_an_import_is_sealed_anew() {
    let here = memory();
    let first = over(&here, ring("here", 1));
    insert(&first, letter("1")).await;
    settle(&first, Answer::Done, reply(200, b"done")).await;
    let exported = first.export(Query::default()).await.unwrap().remove(0);
    assert_eq!((&exported.body, &exported.sealed_by), (&letter("1").body, &None));

    let there = memory();
    let second = over(&there, ring("there", 2));
    // In another place by number, so that nothing is bound to that.
    insert(&second, letter("other")).await;
    let id = second.import(exported.clone(), "moved".to_owned(), NOW).await.unwrap();
    assert_eq!(get(&second, id).await, Letter { id, ..exported });
    let kept = get(&*there, id).await;
    assert_eq!((kept.sealed_by.as_deref(), kept.body == letter("1").body), (Some("there"), false));
    assert_eq!(kept.answer.unwrap().sealed_by.as_deref(), Some("there"));
}

#[tokio::test]
async fn what_somebody_above_sealed_goes_through_as_it_is() {
    let letters = over(&memory(), ring("k", 1));
    let sealed_by = Some("theirs".to_owned());
    let theirs = Draft { sealed_by, token: Token::random(), ..letter("1") };
    let id = insert(&letters, theirs.clone()).await;
    let letter = get(&letters, id).await;
    assert_eq!((letter.body, letter.sealed_by), (theirs.body, theirs.sealed_by));
}
