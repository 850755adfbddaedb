//! A store beside a naive twin: a map of lives and core's `step`.

use std::collections::BTreeMap;
use std::time::Duration;

use fuseboard_core::letter::{Answer, Event, Life, Refused, Status, step};
use fuseboard_core::time::WallTime;

use super::fixtures::{draft, rules};
use crate::error::StoreError;
use crate::letters::{
    CircuitCounts, Counts, Draft, Inserted, LetterId, Letters, Query, Settlement,
};

/// One call to a store, with small numbers in place of what only a run can know.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Inserts a letter.
    Insert {
        /// Which circuit.
        circuit: u8,
        /// Which key.
        key: u8,
        /// In which scope.
        scope: u8,
        /// Which body.
        body: u8,
        /// Milliseconds until it expires.
        expires_in: Option<u16>,
    },
    /// Claims letters.
    Claim {
        /// Of which circuit.
        circuit: u8,
        /// How many at most.
        limit: u8,
        /// For how many milliseconds.
        lease: u16,
    },
    /// Ends one of the claims that were made so far, whether or not it still counts.
    Settle {
        /// Which of them.
        claim: u8,
        /// How it went.
        reply: Reply,
    },
    /// An operator's move, or a tick, on one of the letters that were inserted so far.
    Act {
        /// Which of them.
        letter: u8,
        /// What is done.
        event: Event,
    },
    /// Time goes by.
    Wait {
        /// Milliseconds.
        millis: u16,
    },
    /// Removes finished letters.
    Purge {
        /// Finished before this many milliseconds ago.
        older_than: u16,
        /// How many at most.
        limit: u8,
    },
}

/// What the holder of a claim says.
#[derive(Clone, Copy, Debug)]
pub enum Reply {
    /// The other side answered, or did not.
    Answered(Answer),
    /// It was not tried.
    HandedBack,
}

#[derive(Clone, Debug)]
struct Known {
    draft: Draft,
    life: Life,
    updated_at: WallTime,
}

#[derive(Debug, Default)]
struct Model {
    now: WallTime,
    known: BTreeMap<LetterId, Known>,
    inserted: Vec<LetterId>,
    claims: Vec<(LetterId, u64)>,
    purged: BTreeMap<String, u64>,
}

/// Does `operations` on the store and on the twin: every answer is the same, and so is everything there is to see at the
/// end. In particular, for each circuit, letters captured = letters in all statuses + letters purged.
pub async fn agrees_with_the_model(letters: &dyn Letters, operations: &[Operation]) {
    let mut model = Model::default();
    for operation in operations {
        model.check(letters, operation).await;
    }
    model.compare(letters).await;
}

fn name(circuit: u8) -> String {
    format!("circuit-{circuit}")
}

impl Model {
    async fn check(&mut self, letters: &dyn Letters, operation: &Operation) {
        match *operation {
            Operation::Insert { circuit, key, scope, body, expires_in } => {
                let mut draft = draft(&name(circuit), &key.to_string(), self.now);
                draft.scope = vec![scope];
                draft.body = vec![body];
                draft.life.expires_at =
                    expires_in.map(|millis| self.now + Duration::from_millis(millis.into()));
                self.insert(letters, draft).await;
            }
            Operation::Claim { circuit, limit, lease } => {
                let lease = Duration::from_millis(lease.into());
                self.claim(letters, &name(circuit), limit.into(), lease).await;
            }
            Operation::Settle { claim, reply } => self.settle(letters, claim, reply).await,
            Operation::Act { letter, event } => self.act(letters, letter, event).await,
            Operation::Wait { millis } => {
                self.now = self.now + Duration::from_millis(millis.into())
            }
            Operation::Purge { older_than, limit } => {
                let before = self.now - Duration::from_millis(older_than.into());
                self.purge(letters, before, limit.into()).await;
            }
        }
    }

    async fn insert(&mut self, letters: &dyn Letters, draft: Draft) {
        let same_key = self.known.iter().find(|(_, known)| {
            known.draft.circuit == draft.circuit
                && (&known.draft.key, &known.draft.scope) == (&draft.key, &draft.scope)
                && !matches!(known.life.status, Status::Discarded | Status::Expired)
        });
        let answer = letters.insert(draft.clone()).await;
        match (same_key, answer) {
            (Some((id, known)), Ok(Inserted::Same(was, token, status))) => {
                assert_eq!((*id, known.draft.token, known.life.status), (was, token, status));
                assert_eq!(known.draft.body, draft.body);
            }
            (Some((id, known)), Err(StoreError::KeyReused { existing, .. })) => {
                assert_eq!(*id, existing);
                assert_ne!(known.draft.body, draft.body);
            }
            (None, Ok(Inserted::New(id, _))) => {
                assert!(self.inserted.iter().all(|before| *before < id), "numbers grow");
                let known = Known { life: draft.life, updated_at: self.now, draft };
                self.known.insert(id, known);
                self.inserted.push(id);
            }
            (expected, answer) => panic!("{expected:?}, but {answer:?}"),
        }
    }

    async fn claim(&mut self, letters: &dyn Letters, circuit: &str, limit: usize, lease: Duration) {
        let mut order: Vec<_> = self
            .known
            .iter()
            .filter(|(_, known)| known.draft.circuit == circuit)
            .filter(|(_, known)| due(&known.life).is_some_and(|due| due <= self.now))
            .map(|(id, known)| (known.life.not_before, *id))
            .collect();
        order.sort_unstable();
        let mut expected = Vec::new();
        for (_, id) in order {
            if expected.len() < limit {
                let claim = Event::Claim { lease };
                let life = self.advance(id, claim).expect("what is due can be claimed");
                expected.extend((life.status == Status::Replaying).then_some((id, life)));
            }
        }
        let claimed = letters.claim(circuit, limit, lease, self.now).await.unwrap();
        let claimed: Vec<_> = claimed.iter().map(|letter| (letter.id, letter.life)).collect();
        assert_eq!(claimed, expected);
        self.claims.extend(claimed.iter().map(|(id, life)| (*id, life.fence)));
    }

    async fn settle(&mut self, letters: &dyn Letters, claim: u8, reply: Reply) {
        let Some(&(id, fence)) = pick(&self.claims, claim) else { return };
        let event = match reply {
            Reply::Answered(answer) => Event::Settled { fence, answer, draw: 0.5 },
            Reply::HandedBack => Event::HandedBack { fence },
        };
        let settlement = Settlement { event, answer: None, note: String::new() };
        let answer = letters.settle(id, settlement, self.now).await;
        self.expect(id, event, answer);
    }

    async fn act(&mut self, letters: &dyn Letters, letter: u8, event: Event) {
        let Some(&id) = pick(&self.inserted, letter) else { return };
        let answer = letters.act(id, event, String::new(), self.now).await;
        self.expect(id, event, answer);
    }

    fn expect(&mut self, id: LetterId, event: Event, answer: Result<Life, StoreError>) {
        if !self.known.contains_key(&id) {
            assert!(matches!(answer, Err(StoreError::NotFound)), "{answer:?}");
            return;
        }
        match (self.advance(id, event), answer) {
            (Ok(expected), Ok(life)) => assert_eq!(expected, life),
            (Err(expected @ Refused::Fence { .. }), Err(StoreError::Fenced(why))) => {
                assert_eq!(expected, why);
            }
            (Err(expected), Err(StoreError::Refused(why))) => assert_eq!(expected, why),
            (expected, answer) => panic!("{expected:?}, but {answer:?}"),
        }
    }

    fn advance(&mut self, id: LetterId, event: Event) -> Result<Life, Refused> {
        let known = self.known.get_mut(&id).expect("only letters that are known are stepped");
        known.life = step(&known.life, event, self.now, &rules())?;
        known.updated_at = self.now;
        Ok(known.life)
    }

    async fn purge(&mut self, letters: &dyn Letters, before: WallTime, limit: usize) {
        let mut finished: Vec<_> = self
            .known
            .iter()
            .filter(|(_, known)| known.life.status.is_final() && known.updated_at < before)
            .map(|(id, known)| (known.updated_at, *id))
            .collect();
        finished.sort_unstable();
        finished.truncate(limit);
        for (_, id) in &finished {
            let known = self.known.remove(id).expect("it was just there");
            *self.purged.entry(known.draft.circuit).or_default() += 1;
        }
        assert_eq!(letters.purge(before, limit).await.unwrap(), finished.len() as u64);
    }

    async fn compare(&self, letters: &dyn Letters) {
        for id in &self.inserted {
            let here = letters.get(*id).await.unwrap();
            let known = self.known.get(id);
            assert_eq!(
                here.map(|letter| (letter.life, letter.updated_at, letter.body)),
                known.map(|known| (known.life, known.updated_at, known.draft.body.clone()))
            );
        }
        let counts = letters.counts().await.unwrap();
        assert_eq!(counts, self.counts());
        for (circuit, counts) in &counts.circuits {
            let here = counts.by_status.values().sum::<u64>();
            assert_eq!(counts.captured, here + counts.purged, "{circuit} lost or made letters");
            let expected = self.of(circuit).filter_map(|known| due(&known.life)).min();
            assert_eq!(letters.next_due(circuit).await.unwrap(), expected);
        }
        let page = letters.list(Query { limit: 1_000, ..Query::default() }).await.unwrap();
        let listed: Vec<_> = page.iter().map(|summary| (summary.id, summary.life)).collect();
        let known: Vec<_> = self.known.iter().map(|(id, known)| (*id, known.life)).collect();
        assert_eq!(listed, known);
    }

    fn of(&self, circuit: &str) -> impl Iterator<Item = &Known> {
        self.known.values().filter(move |known| known.draft.circuit == circuit)
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        let gone = self.purged.iter().map(|(circuit, n)| (circuit, None, *n));
        let here = self.known.values().map(|known| (&known.draft.circuit, Some(known), 1));
        for (circuit, known, n) in gone.chain(here) {
            let circuit: &mut CircuitCounts = counts.circuits.entry(circuit.clone()).or_default();
            circuit.captured += n;
            counts.captured += n;
            let Some(known) = known else {
                circuit.purged += n;
                counts.purged += n;
                continue;
            };
            *circuit.by_status.entry(known.life.status).or_default() += 1;
            if known.life.status == Status::Pending {
                circuit.oldest_pending.get_or_insert(known.draft.captured_at);
            }
        }
        counts
    }
}

/// When a letter may next be claimed.
fn due(life: &Life) -> Option<WallTime> {
    match life.status {
        Status::Pending => Some(life.not_before),
        Status::Replaying => life.lease_until,
        _ => None,
    }
}

fn pick<T>(all: &[T], which: u8) -> Option<&T> {
    all.get(usize::from(which) % all.len().max(1))
}
