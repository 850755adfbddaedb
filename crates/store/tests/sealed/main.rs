//! A store that seals: the contract over memory and SQLite, and what only encryption at rest can promise.
#![cfg(test)]

mod at_rest;
mod contract;
mod keys;
mod known_again;
mod rotation;
mod tampering;

use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::letter::{Answer, Event};
use fuseboard_core::time::WallTime;
use fuseboard_store::{
    Draft, Keyring, Letter, LetterId, Letters, Memory, MemoryOptions, Sealed, SealingKey,
    Settlement, StoredAnswer, conformance,
};

const NOW: WallTime = WallTime::from_unix_millis(1_000);
const LEASE: Duration = Duration::from_secs(10);

/// A key that is the same for the same name and byte.
fn key(id: &str, byte: u8) -> SealingKey {
    SealingKey::new(id, [byte; 32]).unwrap()
}

fn ring(id: &str, byte: u8) -> Keyring {
    Keyring::new(key(id, byte))
}

/// A store in memory, to be looked at from beneath.
fn memory() -> Arc<Memory> {
    Arc::new(Memory::new(MemoryOptions { capacity: None, rules: conformance::rules() }))
}

fn over(beneath: &Arc<Memory>, keys: Keyring) -> Sealed {
    Sealed::new(Arc::clone(beneath) as Arc<dyn Letters>, keys)
}

fn letter(key: &str) -> Draft {
    conformance::draft("payments", key, NOW)
}

async fn insert(letters: &dyn Letters, draft: Draft) -> LetterId {
    letters.insert(draft).await.unwrap().id()
}

async fn get(letters: &dyn Letters, id: LetterId) -> Letter {
    letters.get(id).await.unwrap().expect("the letter is here")
}

async fn claim(letters: &dyn Letters, limit: usize) -> Vec<LetterId> {
    let claimed = letters.claim("payments", limit, LEASE, NOW).await.unwrap();
    claimed.into_iter().map(|letter| letter.id).collect()
}

fn reply(status: u16, body: &[u8]) -> StoredAnswer {
    let headers = vec![("set-cookie".to_owned(), b"session=from-the-answer".to_vec())];
    let body = body.to_vec();
    StoredAnswer { status, headers, body, at: NOW, truncated: false, sealed_by: None }
}

/// Claims the only letter that is due, and settles it with an answer.
async fn settle(letters: &dyn Letters, answer: Answer, stored: StoredAnswer) -> LetterId {
    let claimed = letters.claim("payments", 10, LEASE, NOW).await.unwrap();
    let [letter] = &claimed[..] else { panic!("one letter is due: {claimed:?}") };
    let event = Event::Settled { fence: letter.life.fence, answer, draw: 0.5 };
    let settlement = Settlement { event, answer: Some(stored), note: "answered".to_owned() };
    letters.settle(letter.id, settlement, NOW).await.unwrap();
    letter.id
}
