//! Where sealed bytes belong: which letter, which part of it. What was sealed for one place opens in no other.

use crate::letters::{Draft, Letter, LetterId, StoredAnswer, Token};

/// What of a letter never changes and says what its content is for. Whoever changes any of it in the database, or puts the
/// content into another letter, makes it impossible to open.
#[derive(Debug)]
pub(super) struct Address<'a> {
    token: &'a Token,
    circuit: &'a str,
    domain: &'a str,
    failure: &'a str,
    method: &'a str,
    uri: &'a str,
    content_type: Option<&'a str>,
    key: &'a str,
    scope: &'a [u8],
    order_key: Option<&'a str>,
}

impl<'a> Address<'a> {
    pub(super) fn of_draft(draft: &'a Draft) -> Self {
        Address {
            token: &draft.token,
            circuit: &draft.circuit,
            domain: &draft.domain,
            failure: &draft.failure,
            method: &draft.method,
            uri: &draft.uri,
            content_type: draft.content_type.as_deref(),
            key: &draft.key,
            scope: &draft.scope,
            order_key: draft.order_key.as_deref(),
        }
    }

    pub(super) fn of_letter(letter: &'a Letter) -> Self {
        Address {
            token: &letter.token,
            circuit: &letter.circuit,
            domain: &letter.domain,
            failure: &letter.failure,
            method: &letter.method,
            uri: &letter.uri,
            content_type: letter.content_type.as_deref(),
            key: &letter.key,
            scope: &letter.scope,
            order_key: letter.order_key.as_deref(),
        }
    }

    /// The place of `part` of the letter's content, for the key called `key`.
    pub(super) fn place(&self, part: &str, key: &str) -> Vec<u8> {
        let Address { token, circuit, domain, failure, method, uri, scope, .. } = self;
        let mut place = Place::of(part, key);
        for known in [token.as_bytes(), circuit.as_bytes(), domain.as_bytes(), failure.as_bytes()] {
            place.add(known);
        }
        for known in [method.as_bytes(), uri.as_bytes(), self.key.as_bytes(), scope] {
            place.add(known);
        }
        place.add_or_none(self.content_type);
        place.add_or_none(self.order_key);
        place.0
    }

    /// What, with the body, makes two letters of one idempotency key the same: the parts of a fingerprint. Equal bodies of
    /// different letters have different ones.
    pub(super) fn and_body<'b>(&'b self, body: &'b [u8]) -> [&'b [u8]; 6] {
        let (circuit, method) = (self.circuit.as_bytes(), self.method.as_bytes());
        [circuit, method, self.uri.as_bytes(), self.key.as_bytes(), self.scope, body]
    }
}

/// Which letter an answer is of: who settles knows the number, who imports only the token.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whose<'a> {
    Number(LetterId),
    Token(&'a Token),
}

/// The place of `part` of an answer, for the key called `key`. Not its time: stores that are shared bring times from one clock
/// to another.
pub(super) fn of_answer(part: &str, key: &str, whose: Whose<'_>, answer: &StoredAnswer) -> Vec<u8> {
    let mut place = Place::of(part, key);
    match whose {
        Whose::Number(id) => place.add(&id.0.to_be_bytes()),
        Whose::Token(token) => place.add(token.as_bytes()),
    }
    place.add(&answer.status.to_be_bytes());
    place.add(&[u8::from(answer.truncated)]);
    place.0
}

/// Each part with its length before it, so that no two places are the same bytes.
struct Place(Vec<u8>);

impl Place {
    fn of(part: &str, key: &str) -> Self {
        let mut place = Place(Vec::with_capacity(256));
        place.add(part.as_bytes());
        place.add(key.as_bytes());
        place
    }

    fn add(&mut self, part: &[u8]) {
        self.0.extend_from_slice(&(part.len() as u64).to_be_bytes());
        self.0.extend_from_slice(part);
    }

    fn add_or_none(&mut self, part: Option<&str>) {
        self.0.push(u8::from(part.is_some()));
        self.add(part.unwrap_or_default().as_bytes());
    }
}
