//! That letters are kept as they came, once for each key, while there is room.

use fuseboard_core::letter::{Answer, Event, Status};

use super::fixtures::{
    LEASE, PAYMENTS, at, claim_one, draft, get, insert, letters_are_conserved, ops, resolve_one,
    settled,
};
use crate::audit::AuditQuery;
use crate::error::{FullReason, StoreError};
use crate::letters::{
    ClaimFilter, Draft, Inserted, Letter, LetterId, Letters, Priority, Query, Token,
};

/// Every field of a draft comes back, with every byte of its headers and body, by number and by token.
pub async fn a_letter_comes_back_byte_for_byte(letters: &dyn Letters) {
    let every_byte: Vec<u8> = (0..=255).collect();
    let large = every_byte.iter().copied().cycle().take(1 << 20).collect();
    let plain = draft(PAYMENTS, "plain", at(0));
    let odd = Draft {
        headers: vec![
            ("set-cookie".to_owned(), every_byte.clone()),
            ("set-cookie".to_owned(), Vec::new()),
            ("".to_owned(), b"no name".to_vec()),
        ],
        body: large,
        uri: "/caf\u{e9}?q='; DROP TABLE letters; --\0".to_owned(),
        order_key: Some("customer \u{1f4a1}".to_owned()),
        priority: Priority::Critical,
        sla_deadline: Some(at(77)),
        sealed_by: Some("2026-11".to_owned()),
        fingerprint: Some(vec![0, 255]),
        ..draft(PAYMENTS, "odd", at(1))
    };
    let bare = Draft {
        headers: Vec::new(),
        content_type: None,
        body: Vec::new(),
        ..draft("", "bare", at(2))
    };
    for draft in [plain, odd, bare] {
        let inserted = letters.insert(draft.clone()).await.unwrap();
        assert_eq!(inserted, Inserted::New(inserted.id(), draft.token));
        let letter = get(letters, inserted.id()).await;
        assert_is(&letter, inserted.id(), &draft);
        assert_eq!(letters.by_token(draft.token).await.unwrap(), Some(letter));
    }
    letters_are_conserved(letters).await;
}

fn assert_is(letter: &Letter, id: LetterId, draft: &Draft) {
    let wanted = Letter {
        id,
        token: draft.token,
        circuit: draft.circuit.clone(),
        domain: draft.domain.clone(),
        failure: draft.failure.clone(),
        method: draft.method.clone(),
        uri: draft.uri.clone(),
        headers: draft.headers.clone(),
        content_type: draft.content_type.clone(),
        body: draft.body.clone(),
        key: draft.key.clone(),
        scope: draft.scope.clone(),
        order_key: draft.order_key.clone(),
        priority: draft.priority,
        sla_deadline: draft.sla_deadline,
        sealed_by: draft.sealed_by.clone(),
        fingerprint: draft.fingerprint.clone(),
        life: draft.life,
        blocked_by: None,
        captured_at: draft.captured_at,
        answer: None,
        last_error: None,
        updated_at: draft.captured_at,
    };
    assert!(*letter == wanted, "not as it was inserted: {letter:?}, {wanted:?}");
}

/// The same circuit, method, URI, key, scope and body are one letter, whatever else differs, and its status is told.
pub async fn the_same_key_with_the_same_body_is_the_same_letter(letters: &dyn Letters) {
    let first = draft(PAYMENTS, "k", at(0));
    let id = letters.insert(first.clone()).await.unwrap().id();
    let same = |status| Inserted::Same(id, first.token, status);
    let again = Draft { headers: Vec::new(), ..draft(PAYMENTS, "k", at(5)) };
    assert_eq!(letters.insert(again.clone()).await.unwrap(), same(Status::Pending));
    assert!(letters.by_token(again.token).await.unwrap().is_none());

    let fence = claim_one(letters, 6).await.life.fence;
    let inserted = letters.insert(draft(PAYMENTS, "k", at(6))).await.unwrap();
    assert_eq!(inserted, same(Status::Replaying));
    letters.settle(id, settled(fence, Answer::Done), at(7)).await.unwrap();
    let inserted = letters.insert(draft(PAYMENTS, "k", at(8))).await.unwrap();
    assert_eq!((inserted, inserted.status()), (same(Status::Resolved), Status::Resolved));

    let others = [
        draft("mail", "k", at(9)),
        draft(PAYMENTS, "K", at(9)),
        Draft { method: "PUT".to_owned(), ..draft(PAYMENTS, "k", at(9)) },
        Draft { uri: "/charge?order=8".to_owned(), ..draft(PAYMENTS, "k", at(9)) },
    ];
    for other in others {
        let inserted = letters.insert(other).await.unwrap();
        assert!(matches!(inserted, Inserted::New(new, _) if new > id), "{inserted:?}");
    }
    assert_eq!(letters.counts().await.unwrap().captured, 5);
    letters_are_conserved(letters).await;
}

/// In another scope a key is another letter, whatever its body: one caller never gets another's letter.
pub async fn a_key_counts_only_within_its_scope(letters: &dyn Letters) {
    let of = |scope: &[u8], body: &[u8]| {
        let (scope, body) = (scope.to_vec(), body.to_vec());
        Draft { scope, body, ..draft(PAYMENTS, "1", at(0)) }
    };
    let scopes = [&b"alice"[..], b"bob", b"", b"alice\0", b"ALICE", &[0xff, 0x00]];
    let mut ids = Vec::new();
    for scope in scopes {
        let draft = of(scope, b"");
        let inserted = letters.insert(draft.clone()).await.unwrap();
        assert_eq!(inserted, Inserted::New(inserted.id(), draft.token), "{scope:?}");
        assert_eq!(get(letters, inserted.id()).await.scope, scope);
        ids.push(inserted.id());
    }
    for (scope, id) in scopes.into_iter().zip(ids) {
        let again = letters.insert(of(scope, b"")).await.unwrap();
        assert!(matches!(again, Inserted::Same(same, ..) if same == id), "{scope:?}: {again:?}");
        let reused = letters.insert(of(scope, b"other")).await;
        assert!(
            matches!(&reused, Err(StoreError::KeyReused { existing, .. }) if *existing == id),
            "{scope:?}: {reused:?}"
        );
    }
    letters_are_conserved(letters).await;
}

/// A letter that was discarded or has expired does not answer for its key: the key makes a new letter, also with another
/// body, and that one answers from then on.
pub async fn a_key_is_free_again_once_its_letter_is_given_up(letters: &dyn Letters) {
    let discarded = insert(letters, "k", 0).await;
    letters.act(discarded, Event::Discard, ops(), at(1)).await.unwrap();
    let mut second = Draft { body: b"second".to_vec(), ..draft(PAYMENTS, "k", at(2)) };
    second.life.expires_at = Some(at(3));
    let expired = letters.insert(second.clone()).await.unwrap();
    assert_eq!(expired, Inserted::New(expired.id(), second.token));
    letters.act(expired.id(), Event::Tick, ops(), at(3)).await.unwrap();
    let third = letters.insert(draft(PAYMENTS, "k", at(4))).await.unwrap();
    assert!(matches!(third, Inserted::New(..)), "{third:?}");

    let again = letters.insert(draft(PAYMENTS, "k", at(5))).await.unwrap();
    assert_eq!(again, Inserted::Same(third.id(), third.token(), Status::Pending));
    for (id, status) in [(discarded, Status::Discarded), (expired.id(), Status::Expired)] {
        assert_eq!(get(letters, id).await.life.status, status, "it is still here");
    }
    assert_eq!(letters.counts().await.unwrap().captured, 3);
    letters_are_conserved(letters).await;
}

/// The same key with another body is refused, names the letter that has it, and changes nothing.
pub async fn the_same_key_with_another_body_is_refused(letters: &dyn Letters) {
    let id = insert(letters, "k", 0).await;
    let before = get(letters, id).await;
    for body in [b"".to_vec(), b"{\"amount\":4}".to_vec(), [&before.body[..], b" "].concat()] {
        let other = Draft { body, ..draft(PAYMENTS, "k", at(1)) };
        match letters.insert(other).await {
            Err(StoreError::KeyReused { circuit, key, existing }) => {
                assert_eq!((circuit.as_str(), key.as_str(), existing), (PAYMENTS, "k", id));
            }
            other => panic!("not refused as reused: {other:?}"),
        }
    }
    assert_eq!(get(letters, id).await, before);
    assert_eq!(letters.counts().await.unwrap().captured, 1);
    letters_are_conserved(letters).await;
}

/// A second letter under a token is refused: its page would show another's answer.
pub async fn a_token_belongs_to_one_letter(letters: &dyn Letters) {
    let first = draft(PAYMENTS, "first", at(0));
    letters.insert(first.clone()).await.unwrap();
    let second = Draft { token: first.token, ..draft(PAYMENTS, "second", at(0)) };
    assert!(matches!(letters.insert(second).await, Err(StoreError::TokenTaken)));
    assert_eq!(letters.counts().await.unwrap().captured, 1);
    letters_are_conserved(letters).await;
}

/// A store with room for `capacity` letters that are not final refuses the next one, still knows the letters it has by
/// their keys, and takes new ones when one of them is done.
pub async fn a_full_store_says_so_and_takes_letters_again(letters: &dyn Letters, capacity: u64) {
    let mut ids = Vec::new();
    for n in 0..capacity {
        ids.push(insert(letters, &n.to_string(), 0).await);
    }
    match letters.insert(draft(PAYMENTS, "more", at(1))).await {
        Err(StoreError::Full { reason }) => {
            assert_eq!(reason, FullReason::Capacity { letters: capacity });
        }
        other => panic!("not refused as full: {other:?}"),
    }
    let known = letters.insert(draft(PAYMENTS, "0", at(1))).await.unwrap();
    assert!(matches!(known, Inserted::Same(id, ..) if id == ids[0]));

    letters.act(ids[0], Event::SetAside, ops(), at(2)).await.unwrap();
    assert!(letters.insert(draft(PAYMENTS, "more", at(2))).await.is_err(), "review is not final");
    letters.act(ids[0], Event::Discard, ops(), at(3)).await.unwrap();
    letters.insert(draft(PAYMENTS, "more", at(4))).await.unwrap();
    assert!(letters.insert(draft(PAYMENTS, "too many", at(4))).await.is_err());
    assert_eq!(letters.counts().await.unwrap().captured, capacity + 1);
    letters_are_conserved(letters).await;
}

/// A purged letter's key may be used again, also with another body, and its number is not used again.
pub async fn a_key_is_free_again_once_its_letter_is_purged(letters: &dyn Letters) {
    let gone = resolve_one(letters, "k", 0).await;
    assert_eq!(letters.purge(at(1), 10).await.unwrap(), 1);
    let other = Draft { body: b"other".to_vec(), ..draft(PAYMENTS, "k", at(2)) };
    let inserted = letters.insert(other).await.unwrap();
    assert!(matches!(inserted, Inserted::New(id, _) if id > gone), "{inserted:?} after {gone}");
    letters_are_conserved(letters).await;
}

/// What is asked of a letter that is not here is not found, or nothing.
pub async fn a_letter_that_is_not_here_is_not_found(letters: &dyn Letters) {
    let purged = resolve_one(letters, "k", 0).await;
    letters.purge(at(1), 10).await.unwrap();
    for id in [purged, LetterId(0), LetterId(-1), LetterId(i64::MAX)] {
        assert!(letters.get(id).await.unwrap().is_none());
        assert!(letters.history(id).await.unwrap().is_empty());
        let settled = letters.settle(id, settled(1, Answer::Done), at(2)).await;
        assert!(matches!(settled, Err(StoreError::NotFound)), "{settled:?}");
        let acted = letters.act(id, Event::Discard, ops(), at(2)).await;
        assert!(matches!(acted, Err(StoreError::NotFound)), "{acted:?}");
    }
    assert!(letters.by_token(Token::from_bytes([7; 16])).await.unwrap().is_none());
    assert_eq!(letters.counts().await.unwrap().of(Status::Resolved), 0);
    letters_are_conserved(letters).await;
}

/// A closed store does nothing more, says so to every call, and may be closed again.
pub async fn a_closed_store_is_unavailable(letters: &dyn Letters) {
    insert(letters, "k", 0).await;
    letters.close().await.unwrap();
    letters.close().await.unwrap();
    let unavailable = [
        letters.insert(draft(PAYMENTS, "late", at(1))).await.map(drop),
        letters.get(LetterId(1)).await.map(drop),
        letters.list(Query::default()).await.map(drop),
        letters.counts().await.map(drop),
        letters.purge(at(1), 1).await.map(drop),
        letters.claim_by(ClaimFilter::default(), LEASE, at(1)).await.map(drop),
        letters.first_in_line(PAYMENTS, "a").await.map(drop),
        letters.late(at(1)).await.map(drop),
        letters.records(AuditQuery::default()).await.map(drop),
        letters.purge_records(at(1), 1).await.map(drop),
        letters.settings().await.map(drop),
        letters.release("replay".to_owned(), 1).await.map(drop),
    ];
    for answer in unavailable {
        let error = answer.expect_err("it is closed");
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        assert!(!error.outcome_is_unknown(), "nothing was done: {error}");
    }
}
