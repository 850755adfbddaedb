//! That letters can be taken from one store to another, and that sealed ones are known again.

use fuseboard_core::letter::{Answer, Event, Status};

use super::fixtures::{
    LEASE, PAYMENTS, answer, at, claim_one, draft, get, insert, letters_are_conserved, ops,
    resolve_one, settled,
};
use crate::error::StoreError;
use crate::letters::{Draft, Inserted, Letter, LetterId, Letters, Query, Settlement, Token};

/// An export has whole letters, in the order of their numbers, as its query wants them, page by page.
pub async fn an_export_has_whole_letters_in_order(letters: &dyn Letters) {
    let mut all = Vec::new();
    for n in 0..5 {
        let id = insert(letters, &n.to_string(), 0).await;
        all.push(get(letters, id).await);
    }
    let page =
        |after: Option<LetterId>, limit| letters.export(Query { after, limit, ..Query::default() });
    assert_eq!(page(None, 2).await.unwrap(), all[..2]);
    assert_eq!(page(Some(all[1].id), 2).await.unwrap(), all[2..4]);
    assert_eq!(page(Some(all[3].id), 2).await.unwrap(), all[4..]);
    assert!(page(Some(all[4].id), 2).await.unwrap().is_empty());
    letters.act(all[2].id, Event::SetAside, ops(), at(1)).await.unwrap();
    let review = Query { status: Some(Status::RequiresReview), ..Query::default() };
    assert_eq!(letters.export(review).await.unwrap(), [get(letters, all[2].id).await]);
    letters_are_conserved(letters).await;
}

/// The letter in another's place: with a number, token and key of its own.
fn moved(letter: &Letter, key: &str) -> Letter {
    Letter { token: Token::random(), key: key.to_owned(), ..letter.clone() }
}

/// An imported letter is as it was, but for its number, and goes on from there: in its status, with its attempts, its last
/// answer and its place in retention. Its history says where it comes from.
pub async fn an_imported_letter_goes_on_from_where_it_was(letters: &dyn Letters) {
    let done = resolve_one(letters, "done", 0).await;
    let tried = insert(letters, "tried", 1).await;
    let fence = claim_one(letters, 1).await.life.fence;
    let again = Settlement {
        answer: Some(answer(503, at(1))),
        ..settled(fence, Answer::Again { retry_after: None })
    };
    letters.settle(tried, again, at(1)).await.unwrap();
    let review = insert(letters, "review", 99).await;
    letters.act(review, Event::SetAside, ops(), at(2)).await.unwrap();
    for id in [done, tried, review] {
        let was = get(letters, id).await;
        let letter = moved(&was, &format!("moved {id}"));
        let note = "imported from eu-1".to_owned();
        let new = letters.import(letter.clone(), note, at(50)).await.unwrap();
        assert!(new > review);
        assert_eq!(get(letters, new).await, Letter { id: new, ..letter });
        let history = letters.history(new).await.unwrap();
        let told: Vec<_> = history.iter().map(|entry| (entry.at, entry.what.as_str())).collect();
        assert_eq!(told, [(at(50), "imported from eu-1")]);
    }
    assert_eq!(letters.purge(at(1), 9).await.unwrap(), 2, "both that were done at 0 s");
    assert_eq!(letters.counts().await.unwrap().captured, 6);
    letters_are_conserved(letters).await;
}

/// An import is refused if its key is taken, whatever its body, or its token; a letter that was given up has no key.
pub async fn an_import_takes_no_others_key(letters: &dyn Letters) {
    let id = insert(letters, "k", 0).await;
    let letter = get(letters, id).await;
    let no_note = String::new;
    match letters.import(moved(&letter, "k"), no_note(), at(1)).await {
        Err(StoreError::KeyTaken { circuit, key, existing }) => {
            assert_eq!((circuit.as_str(), key.as_str(), existing), (PAYMENTS, "k", id));
        }
        other => panic!("not refused: {other:?}"),
    }
    let twin = Letter { token: letter.token, ..moved(&letter, "other") };
    let refused = letters.import(twin, no_note(), at(1)).await;
    assert!(matches!(refused, Err(StoreError::TokenTaken)), "{refused:?}");

    let mut given_up = moved(&letter, "k");
    given_up.life.status = Status::Discarded;
    let new = letters.import(given_up, no_note(), at(1)).await.unwrap();
    assert_eq!(letters.history(new).await.unwrap()[0].what, "imported");
    assert_eq!(letters.counts().await.unwrap().captured, 2);
    letters_are_conserved(letters).await;
}

/// A letter that was held where it comes from is not held here, which counts as a crash.
pub async fn an_import_takes_over_no_lease(letters: &dyn Letters) {
    insert(letters, "k", 0).await;
    let held = claim_one(letters, 0).await;
    let id = letters.import(moved(&held, "moved"), String::new(), at(1)).await.unwrap();
    let life = get(letters, id).await.life;
    assert_eq!((life.status, life.crashes, life.lease_until), (Status::Pending, 1, None));
    assert!(life.fence > held.life.fence);
    assert_eq!(claim_one(letters, 1).await.id, id);
    letters_are_conserved(letters).await;
}

/// Letters that are imported in the order of their export wait for one another as they did.
pub async fn a_line_is_imported_in_order(letters: &dyn Letters) {
    let mut ids = Vec::new();
    for key in ["1", "2", "3"] {
        let order_key = Some("a".to_owned());
        let draft = Draft { order_key, ..draft(PAYMENTS, key, at(0)) };
        ids.push(letters.insert(draft).await.unwrap().id());
    }
    letters.act(ids[0], Event::Discard, ops(), at(0)).await.unwrap();
    let mut there = Vec::new();
    for letter in letters.export(Query::default()).await.unwrap() {
        let letter = Letter { circuit: "there".to_owned(), ..moved(&letter, &letter.key) };
        there.push(letters.import(letter, String::new(), at(1)).await.unwrap());
    }
    for id in &there[1..] {
        let claimed = letters.claim("there", 9, LEASE, at(1)).await.unwrap();
        assert_eq!(claimed.iter().map(|letter| letter.id).collect::<Vec<_>>(), [*id]);
        letters.settle(*id, settled(1, Answer::Done), at(1)).await.unwrap();
    }
    letters_are_conserved(letters).await;
}

/// Where two letters have fingerprints, these are compared and not the bodies, which differ each time they are sealed.
pub async fn a_fingerprint_stands_for_a_sealed_body(letters: &dyn Letters) {
    let sealed = |body: &[u8], fingerprint: Option<&[u8]>| Draft {
        body: body.to_vec(),
        sealed_by: fingerprint.map(|_| "2026-11".to_owned()),
        fingerprint: fingerprint.map(<[u8]>::to_vec),
        ..draft(PAYMENTS, "k", at(0))
    };
    let first = letters.insert(sealed(b"one", Some(b"f"))).await.unwrap();
    let table = [
        (&b"two"[..], Some(&b"f"[..]), true),
        (b"one", Some(b"g"), false),
        (b"one", None, true),
        (b"two", None, false),
    ];
    for (body, fingerprint, same) in table {
        match letters.insert(sealed(body, fingerprint)).await {
            Ok(Inserted::Same(id, ..)) if same => assert_eq!(id, first.id()),
            Err(StoreError::KeyReused { existing, .. }) if !same => {
                assert_eq!(existing, first.id())
            }
            other => panic!("{body:?} {fingerprint:?}: {other:?}"),
        }
    }
    let kept = get(letters, first.id()).await;
    assert_eq!((kept.body.as_slice(), kept.sealed_by.as_deref()), (&b"one"[..], Some("2026-11")));
    let listed = letters.list(Query::default()).await.unwrap();
    assert_eq!(listed[0].sealed_by.as_deref(), Some("2026-11"));
    let fence = claim_one(letters, 0).await.life.fence;
    let mut reply = answer(200, at(0));
    reply.sealed_by = Some("2026-12".to_owned());
    let done = Settlement { answer: Some(reply.clone()), ..settled(fence, Answer::Done) };
    letters.settle(first.id(), done, at(0)).await.unwrap();
    assert_eq!(get(letters, first.id()).await.answer, Some(reply));
    letters_are_conserved(letters).await;
}
