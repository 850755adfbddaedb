//! Letters with sealed content: made from those in clear, and back.

use super::keyring::{Keyring, SealingKey};
use super::message;
use super::place::{self, Address, Whose};
use crate::error::{StoreError, Unopened};
use crate::letters::{Draft, Letter, LetterId, LetterSummary, StoredAnswer, Token};
use crate::sqlite::headers as list;

/// The name of the only header of what is sealed. No header of HTTP can be called so.
const SEALED: &str = "(sealed)";

const HEADERS: &str = "headers";
const BODY: &str = "body";
const ANSWER_HEADERS: &str = "answer headers";
const ANSWER_BODY: &str = "answer body";

type Headers = Vec<(String, Vec<u8>)>;

/// The draft with its content sealed; as it is, if somebody sealed it before.
pub(super) fn seal_draft(key: &SealingKey, draft: &Draft) -> Draft {
    if draft.sealed_by.is_some() {
        return draft.clone();
    }
    let address = Address::of_draft(draft);
    let place = |part| address.place(part, key.id());
    Draft {
        headers: seal_headers(key, &place(HEADERS), &draft.headers),
        body: message::seal(key, &place(BODY), &draft.body),
        sealed_by: Some(key.id().to_owned()),
        fingerprint: Some(key.fingerprint(&address.and_body(&draft.body))),
        ..in_clear(draft)
    }
}

/// The draft without what is sealed, so that nothing large is copied in vain.
fn in_clear(draft: &Draft) -> Draft {
    Draft {
        token: draft.token,
        circuit: draft.circuit.clone(),
        domain: draft.domain.clone(),
        failure: draft.failure.clone(),
        method: draft.method.clone(),
        uri: draft.uri.clone(),
        headers: Vec::new(),
        content_type: draft.content_type.clone(),
        body: Vec::new(),
        key: draft.key.clone(),
        scope: draft.scope.clone(),
        order_key: draft.order_key.clone(),
        priority: draft.priority,
        sla_deadline: draft.sla_deadline,
        sealed_by: None,
        fingerprint: None,
        life: draft.life,
        captured_at: draft.captured_at,
    }
}

/// A letter from elsewhere with its content and its answer sealed, as far as they are not.
pub(super) fn seal_letter(key: &SealingKey, mut letter: Letter) -> Letter {
    if letter.sealed_by.is_none() {
        let address = Address::of_letter(&letter);
        let place = |part| address.place(part, key.id());
        let headers = seal_headers(key, &place(HEADERS), &letter.headers);
        let body = message::seal(key, &place(BODY), &letter.body);
        let fingerprint = key.fingerprint(&address.and_body(&letter.body));
        (letter.headers, letter.body) = (headers, body);
        letter.sealed_by = Some(key.id().to_owned());
        letter.fingerprint = Some(fingerprint);
    }
    let token = letter.token;
    letter.answer = letter.answer.map(|answer| seal_answer(key, Whose::Token(&token), answer));
    letter
}

/// An answer, sealed; as it is, if somebody sealed it before.
pub(super) fn seal_answer(
    key: &SealingKey,
    whose: Whose<'_>,
    answer: StoredAnswer,
) -> StoredAnswer {
    if answer.sealed_by.is_some() {
        return answer;
    }
    let place = |part| place::of_answer(part, key.id(), whose, &answer);
    let headers = seal_headers(key, &place(ANSWER_HEADERS), &answer.headers);
    let body = message::seal(key, &place(ANSWER_BODY), &answer.body);
    StoredAnswer { headers, body, sealed_by: Some(key.id().to_owned()), ..answer }
}

fn seal_headers(key: &SealingKey, place: &[u8], headers: &[(String, Vec<u8>)]) -> Headers {
    vec![(SEALED.to_owned(), message::seal(key, place, &list::encode(headers)))]
}

/// The letter in clear, with its answer.
pub(super) fn open(keys: &Keyring, mut letter: Letter) -> Result<Letter, StoreError> {
    let opened = open_content(keys, &mut letter).and_then(|()| open_answer(keys, &mut letter));
    match opened {
        Ok(()) => Ok(letter),
        Err(why) => Err(StoreError::Sealed { letter: letter.id, why }),
    }
}

/// Opens a letter for who is going to replay it. An answer that cannot be opened stays sealed: a replay needs none.
pub(super) fn open_for_replay(keys: &Keyring, letter: &mut Letter) -> Result<(), Unopened> {
    open_content(keys, letter)?;
    let _ = open_answer(keys, letter);
    Ok(())
}

fn open_content(keys: &Keyring, letter: &mut Letter) -> Result<(), Unopened> {
    if let Some((headers, body)) = content_of(keys, letter)? {
        (letter.headers, letter.body) = (headers, body);
        (letter.sealed_by, letter.fingerprint) = (None, None);
    }
    Ok(())
}

/// What is in a letter; `None` if it is in clear already, or is not ours to open.
fn content_of(keys: &Keyring, letter: &Letter) -> Result<Option<(Headers, Vec<u8>)>, Unopened> {
    let lock = lock_of(keys, &letter.headers, letter.sealed_by.as_deref(), "content")?;
    let Some((key, headers)) = lock else { return Ok(None) };
    let address = Address::of_letter(letter);
    let place = |part| address.place(part, key.id());
    let headers = open_headers(key, &place(HEADERS), headers);
    let body = message::open(key, &place(BODY), &letter.body);
    headers.zip(body).map(Some).ok_or_else(|| damaged("content", key.id()))
}

fn open_answer(keys: &Keyring, letter: &mut Letter) -> Result<(), Unopened> {
    let (id, token) = (letter.id, letter.token);
    if let Some(answer) = &mut letter.answer
        && let Some((headers, body)) = answer_of(keys, (id, &token), answer)?
    {
        (answer.headers, answer.body, answer.sealed_by) = (headers, body, None);
    }
    Ok(())
}

/// What is in an answer; `None` if it is in clear already, or is not ours to open.
fn answer_of(
    keys: &Keyring,
    (id, token): (LetterId, &Token),
    answer: &StoredAnswer,
) -> Result<Option<(Headers, Vec<u8>)>, Unopened> {
    let lock = lock_of(keys, &answer.headers, answer.sealed_by.as_deref(), "answer")?;
    let Some((key, headers)) = lock else { return Ok(None) };
    let open = |whose| {
        let place = |part| place::of_answer(part, key.id(), whose, answer);
        let headers = open_headers(key, &place(ANSWER_HEADERS), headers)?;
        Some((headers, message::open(key, &place(ANSWER_BODY), &answer.body)?))
    };
    let opened = open(Whose::Number(id)).or_else(|| open(Whose::Token(token)));
    opened.map(Some).ok_or_else(|| damaged("answer", key.id()))
}

/// The key that opens this, and what holds the headers; `None` if it is in clear, or somebody above sealed it.
fn lock_of<'k, 'h>(
    keys: &'k Keyring,
    headers: &'h [(String, Vec<u8>)],
    sealed_by: Option<&str>,
    what: &'static str,
) -> Result<Option<(&'k SealingKey, &'h [u8])>, Unopened> {
    let ours = match headers {
        [(name, value)] if name == SEALED => Some(value.as_slice()),
        _ => None,
    };
    let Some(id) = sealed_by else {
        return match ours {
            Some(_) => Err(damaged(what, "")),
            None => Ok(None),
        };
    };
    match (keys.find(id), ours) {
        (Some(key), Some(headers)) => Ok(Some((key, headers))),
        (Some(_), None) => Err(damaged(what, id)),
        (None, Some(_)) => Err(Unopened::KeyMissing { key: id.to_owned() }),
        (None, None) => Ok(None),
    }
}

fn damaged(what: &'static str, key: &str) -> Unopened {
    Unopened::Damaged { what, key: key.to_owned() }
}

fn open_headers(key: &SealingKey, place: &[u8], sealed: &[u8]) -> Option<Headers> {
    list::decode(&message::open(key, place, sealed)?).ok()
}

/// The summary with the body's own length. Whether one with an unknown key was sealed here cannot be seen from it.
pub(super) fn summary(keys: &Keyring, summary: LetterSummary) -> LetterSummary {
    let ours = summary.sealed_by.as_deref().is_some_and(|id| keys.find(id).is_some());
    let overhead = if ours { message::OVERHEAD as u64 } else { 0 };
    LetterSummary { body_length: summary.body_length.saturating_sub(overhead), ..summary }
}
