//! Encryption at rest: a store of letters that seals what it hands to another one.

use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::letter::{Answer, Event, Life, Status};
use fuseboard_core::time::WallTime;

use crate::audit::{Audit, AuditEntry, AuditId, AuditQuery, AuditRecord, By};
use crate::error::{StoreError, Unopened};
use crate::leases::{Acquired, Lease, Leases};
use crate::letters::{
    Answering, Blocker, ClaimFilter, Counts, Draft, HistoryEntry, Inserted, Late, Letter, LetterId,
    LetterSummary, Letters, Priority, Query, Settlement, Token,
};
use crate::settings::{Setting, Settings};

mod content;
mod keyring;
mod known;
mod material;
mod message;
mod place;

pub use keyring::{Keyring, SealingKey};
pub use material::KeyError;

use place::Whose;

/// Letters that one claim moves out of the way because they cannot be opened.
const MOVED: usize = 256;

/// How often a letter whose key was taken is tried again, when the letter that had the key goes meanwhile.
const TRIES: usize = 3;

/// Another store, in which headers, bodies and answers are sealed with the current key of a [`Keyring`]: XChaCha20-Poly1305
/// with a random nonce for each.
///
/// What is sealed is bound to its letter: to token, circuit, domain, reason, method, URI, media type, idempotency key,
/// scope and order key; an answer to the letter and its status. Whoever changes one of these in the database, or
/// takes content from one letter to another, makes a letter that cannot be opened. **Not** bound, because it changes, is
/// where a letter is in its life: who can write to the database can still take letters away, have them done again, or
/// add letters in clear.
///
/// In clear in the database are: all of the above that content is bound to (so also the URI with its query, the
/// idempotency key, and the scope, which for HTTP is a digest of host and credentials), status, times, attempts,
/// lengths, last errors, history, audit log and settings.
///
/// - **Letters in clear stay readable**, those from before and, without a current key, those from now on. A letter that comes
///   out has [`Letter::sealed_by`] `None` if it is in clear there; a [`LetterSummary`] names the key that sealed it.
/// - **Letters that somebody sealed above** (a draft with [`Draft::sealed_by`]) go through as they are. Their keys must be
///   called otherwise than those of the keyring.
/// - **A letter that cannot be opened stays.** Reading it fails with [`StoreError::Sealed`], which names the key; it can be
///   listed, looked up in history, set aside and discarded. When it is claimed it goes to review, with the reason as its
///   last error, and the next one is claimed in its place, so that it blocks no others but those behind it with its order
///   key. Once the key is back, an operator requeues it.
/// - **The same letter is known again** by a keyed fingerprint. Where the letter that is there has another key or none, its
///   body is opened and compared.
/// - **An export is in clear**, for whoever may read it; an import is sealed anew with the current key.
///
/// ```
/// # use fuseboard_core::time::WallTime;
/// # use fuseboard_store::{Letters, Memory, conformance};
/// use fuseboard_store::{Keyring, Sealed, SealingKey};
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (draft, now) = (conformance::draft("payments", "order-7", WallTime::default()), WallTime::default());
/// let beneath = Arc::new(Memory::default());
/// let letters = Sealed::new(beneath.clone(), Keyring::new(SealingKey::new("2026-11", [7; 32])?));
/// letters.check_keys(&[], now).await?;
/// let id = letters.insert(draft.clone()).await?.id();
/// assert_eq!(letters.get(id).await?.map(|letter| letter.body), Some(draft.body.clone()));
/// assert_ne!(beneath.get(id).await?.map(|letter| letter.body), Some(draft.body));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Sealed {
    letters: Arc<dyn Letters>,
    keys: Keyring,
}

impl Sealed {
    /// Seals what goes into `letters`, and opens what comes out. Ask [`Sealed::check_keys`] first.
    pub fn new(letters: Arc<dyn Letters>, keys: Keyring) -> Self {
        Sealed { letters, keys }
    }

    fn opened(&self, letter: Option<Letter>) -> Result<Option<Letter>, StoreError> {
        letter.map(|letter| content::open(&self.keys, letter)).transpose()
    }

    /// Without a key the other store compares bodies in clear by itself, and nothing is copied; but it cannot know a sealed
    /// letter again.
    async fn insert_in_clear(&self, draft: Draft) -> Result<Inserted, StoreError> {
        let inserted = self.letters.insert(draft).await;
        if let Err(StoreError::KeyReused { existing, .. }) = &inserted {
            self.opened(self.letters.get(*existing).await?)?;
        }
        inserted
    }

    async fn insert_sealed(&self, draft: Draft) -> Result<Inserted, StoreError> {
        let sealing = |key| content::seal_draft(key, &draft);
        let mut tries = 1;
        loop {
            let sealed = self.keys.current().map_or_else(|| draft.clone(), sealing);
            let (circuit, key, existing) = match self.letters.insert(sealed).await {
                Err(StoreError::KeyReused { circuit, key, existing }) => (circuit, key, existing),
                inserted => return inserted,
            };
            match self.opened(self.letters.get(existing).await?)? {
                Some(letter) if answers_for_its_key(&letter) => {
                    return match has_body_of(&letter, &draft) {
                        true => Ok(Inserted::Same(existing, letter.token, letter.life.status)),
                        false => Err(StoreError::KeyReused { circuit, key, existing }),
                    };
                }
                // It was purged or given up a moment ago, so that its key is free.
                _ if tries < TRIES => tries += 1,
                _ => return Err(StoreError::KeyReused { circuit, key, existing }),
            }
        }
    }

    /// Claims until there are as many letters as wanted that can be opened, or no more are due.
    async fn claim_open<'a>(
        &'a self,
        limit: usize,
        now: WallTime,
        claim: impl Fn(usize) -> Answering<'a, Vec<Letter>>,
    ) -> Result<Vec<Letter>, StoreError> {
        let (mut open, mut moved) = (Vec::new(), 0);
        loop {
            let claimed = match claim(limit - open.len()).await {
                Err(error) if open.is_empty() => return Err(error),
                // Whoever claims must hear of those that are held already.
                Err(_) => return Ok(open),
                Ok(claimed) => claimed,
            };
            let before = moved;
            for mut letter in claimed {
                match content::open_for_replay(&self.keys, &mut letter) {
                    Ok(()) => open.push(letter),
                    Err(why) => {
                        self.move_to_review(&letter, &why, now).await;
                        moved += 1;
                    }
                }
            }
            if moved == before || moved >= MOVED || open.len() >= limit {
                return Ok(open);
            }
        }
    }

    async fn move_to_review(&self, letter: &Letter, why: &Unopened, now: WallTime) {
        let event = Event::Settled { fence: letter.life.fence, answer: Answer::Never, draw: 0.0 };
        let note = format!("it cannot be opened: {why}");
        let settlement = Settlement { event, answer: None, note };
        // If that fails, its lease ends, and whoever claims it then tries again.
        let _ = self.letters.settle(letter.id, settlement, now).await;
    }
}

fn answers_for_its_key(letter: &Letter) -> bool {
    !matches!(letter.life.status, Status::Discarded | Status::Expired)
}

fn has_body_of(letter: &Letter, draft: &Draft) -> bool {
    match (&letter.fingerprint, &draft.fingerprint) {
        (Some(here), Some(new)) => here == new,
        _ => letter.body == draft.body,
    }
}

impl Letters for Sealed {
    fn insert(&self, draft: Draft) -> Answering<'_, Inserted> {
        match self.keys.keys().next() {
            Some(_) => Box::pin(self.insert_sealed(draft)),
            None => Box::pin(self.insert_in_clear(draft)),
        }
    }

    fn import(&self, letter: Letter, note: String, now: WallTime) -> Answering<'_, LetterId> {
        let letter = match self.keys.current() {
            Some(key) => content::seal_letter(key, letter),
            None => letter,
        };
        self.letters.import(letter, note, now)
    }

    fn claim(
        &self,
        circuit: &str,
        limit: usize,
        lease: Duration,
        now: WallTime,
    ) -> Answering<'_, Vec<Letter>> {
        let circuit = circuit.to_owned();
        Box::pin(async move {
            let claim = |limit| self.letters.claim(&circuit, limit, lease, now);
            self.claim_open(limit, now, claim).await
        })
    }

    fn claim_by(
        &self,
        filter: ClaimFilter,
        lease: Duration,
        now: WallTime,
    ) -> Answering<'_, Vec<Letter>> {
        Box::pin(async move {
            let claim =
                |limit| self.letters.claim_by(ClaimFilter { limit, ..filter.clone() }, lease, now);
            self.claim_open(filter.limit, now, claim).await
        })
    }

    fn settle(&self, id: LetterId, settlement: Settlement, now: WallTime) -> Answering<'_, Life> {
        let mut settlement = settlement;
        if let Some(key) = self.keys.current() {
            let seal = |answer| content::seal_answer(key, Whose::Number(id), answer);
            settlement.answer = settlement.answer.map(seal);
        }
        self.letters.settle(id, settlement, now)
    }

    fn act(&self, id: LetterId, event: Event, by: By, now: WallTime) -> Answering<'_, Life> {
        self.letters.act(id, event, by, now)
    }

    fn get(&self, id: LetterId) -> Answering<'_, Option<Letter>> {
        Box::pin(async move { self.opened(self.letters.get(id).await?) })
    }

    fn by_token(&self, token: Token) -> Answering<'_, Option<Letter>> {
        Box::pin(async move { self.opened(self.letters.by_token(token).await?) })
    }

    fn history(&self, id: LetterId) -> Answering<'_, Vec<HistoryEntry>> {
        self.letters.history(id)
    }

    fn list(&self, query: Query) -> Answering<'_, Vec<LetterSummary>> {
        Box::pin(async move {
            let listed = self.letters.list(query).await?.into_iter();
            Ok(listed.map(|summary| content::summary(&self.keys, summary)).collect())
        })
    }

    fn export(&self, query: Query) -> Answering<'_, Vec<Letter>> {
        Box::pin(async move {
            let exported = self.letters.export(query).await?.into_iter();
            exported.map(|letter| content::open(&self.keys, letter)).collect()
        })
    }

    fn counts(&self) -> Answering<'_, Counts> {
        self.letters.counts()
    }

    fn late(&self, now: WallTime) -> Answering<'_, Vec<Late>> {
        self.letters.late(now)
    }

    fn raise_late(&self, to: Priority, now: WallTime, limit: usize) -> Answering<'_, u64> {
        self.letters.raise_late(to, now, limit)
    }

    fn next_due(&self, circuit: &str) -> Answering<'_, Option<WallTime>> {
        self.letters.next_due(circuit)
    }

    fn first_in_line(&self, circuit: &str, order_key: &str) -> Answering<'_, Option<Blocker>> {
        self.letters.first_in_line(circuit, order_key)
    }

    fn circuits_with_letters(&self) -> Answering<'_, Vec<String>> {
        self.letters.circuits_with_letters()
    }

    fn purge(&self, finished_before: WallTime, limit: usize) -> Answering<'_, u64> {
        self.letters.purge(finished_before, limit)
    }

    fn close(&self) -> Answering<'_, ()> {
        self.letters.close()
    }
}

impl Audit for Sealed {
    fn record(&self, entry: AuditEntry) -> Answering<'_, AuditId> {
        self.letters.record(entry)
    }

    fn records(&self, query: AuditQuery) -> Answering<'_, Vec<AuditRecord>> {
        self.letters.records(query)
    }

    fn purge_records(&self, before: WallTime, limit: usize) -> Answering<'_, u64> {
        self.letters.purge_records(before, limit)
    }
}

impl Settings for Sealed {
    fn settings(&self) -> Answering<'_, Vec<Setting>> {
        self.letters.settings()
    }

    fn change_setting(
        &self,
        name: String,
        value: String,
        seen: u64,
        by: By,
        now: WallTime,
    ) -> Answering<'_, Setting> {
        self.letters.change_setting(name, value, seen, by, now)
    }
}

impl Leases for Sealed {
    fn acquire(
        &self,
        name: String,
        holder: String,
        lasts: Duration,
        now: WallTime,
    ) -> Answering<'_, Acquired> {
        self.letters.acquire(name, holder, lasts, now)
    }

    fn renew(
        &self,
        name: String,
        fence: u64,
        lasts: Duration,
        now: WallTime,
    ) -> Answering<'_, Lease> {
        self.letters.renew(name, fence, lasts, now)
    }

    fn release(&self, name: String, fence: u64) -> Answering<'_, ()> {
        self.letters.release(name, fence)
    }
}
