//! A store beside a naive twin: a map of lives and core's `step`.

use std::collections::BTreeMap;
use std::time::Duration;

use fuseboard_core::letter::{Answer, Event, Life, Refused, Status, step};
use fuseboard_core::time::WallTime;

use super::desk::{Desk, Governing};
use super::fixtures::{draft, letters_are_conserved, rules};
use crate::audit::By;
use crate::error::StoreError;
use crate::letters::{
    Blocker, CircuitCounts, ClaimFilter, ClaimOrder, Counts, Draft, Inserted, Letter, LetterId,
    Letters, Priority, Query, Settlement, Token,
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
        /// In which line.
        line: Option<u8>,
        /// Of which domain.
        domain: u8,
        /// How urgent it is.
        priority: Priority,
        /// Milliseconds until its deadline.
        deadline_in: Option<u16>,
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
    /// Claims letters by a filter.
    ClaimBy {
        /// Of which circuit.
        circuit: Option<u8>,
        /// Of which domain.
        domain: Option<u8>,
        /// Which of the letters that were inserted so far.
        letter: Option<u8>,
        /// Which first.
        order: ClaimOrder,
        /// How many at most.
        limit: u8,
        /// For how many milliseconds.
        lease: u16,
    },
    /// Raises late letters.
    RaiseLate {
        /// To which priority.
        to: Priority,
    },
    /// Takes one of the letters that were inserted so far, and imports it with another token and key.
    Import {
        /// Which of them.
        letter: u8,
        /// With which key.
        key: u8,
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
    /// Something with a setting, a lease or the audit log.
    Govern(Governing),
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

impl Known {
    fn line(&self) -> Option<(&str, &str)> {
        let order_key = self.draft.order_key.as_deref().filter(|_| !self.life.status.is_final())?;
        Some((&self.draft.circuit, order_key))
    }

    fn is_late(&self, now: WallTime) -> bool {
        !self.life.status.is_final() && self.draft.sla_deadline.is_some_and(|by| by <= now)
    }
}

#[derive(Debug, Default)]
struct Model {
    now: WallTime,
    known: BTreeMap<LetterId, Known>,
    inserted: Vec<LetterId>,
    claims: Vec<(LetterId, u64)>,
    purged: BTreeMap<String, u64>,
    desk: Desk,
}

/// Does `operations` on the store and on the twin: every answer is the same, and so is everything there is to see at the
/// end. In particular, for each circuit, letters captured = letters in all statuses + letters purged.
pub async fn agrees_with_the_model(letters: &dyn Letters, operations: &[Operation]) {
    let mut model = Model::default();
    for operation in operations {
        model.check(letters, operation).await;
    }
    model.compare(letters).await;
    model.desk.compare(letters).await;
    letters_are_conserved(letters).await;
}

fn name(circuit: u8) -> String {
    format!("circuit-{circuit}")
}

impl Model {
    async fn check(&mut self, letters: &dyn Letters, operation: &Operation) {
        match *operation {
            Operation::Insert {
                circuit,
                key,
                scope,
                body,
                expires_in,
                line,
                domain,
                priority,
                deadline_in,
            } => {
                let after = |millis: u16| self.now + Duration::from_millis(millis.into());
                let mut draft = draft(&name(circuit), &key.to_string(), self.now);
                draft.scope = vec![scope];
                draft.body = vec![body];
                draft.life.expires_at = expires_in.map(after);
                draft.order_key = line.map(|line| line.to_string());
                draft.domain = domain.to_string();
                draft.priority = priority;
                draft.sla_deadline = deadline_in.map(after);
                self.insert(letters, draft).await;
            }
            Operation::Claim { circuit, limit, lease } => {
                let lease = Duration::from_millis(lease.into());
                let circuit = Some(name(circuit));
                let filter = ClaimFilter { circuit, limit: limit.into(), ..ClaimFilter::default() };
                self.claim(letters, &filter, lease, true).await;
            }
            Operation::ClaimBy { circuit, domain, letter, order, limit, lease } => {
                let id = letter.and_then(|letter| pick(&self.inserted, letter).copied());
                let filter = ClaimFilter {
                    circuit: circuit.map(name),
                    domain: domain.map(|domain| domain.to_string()),
                    failures: Vec::new(),
                    id,
                    order,
                    limit: limit.into(),
                };
                let lease = Duration::from_millis(lease.into());
                self.claim(letters, &filter, lease, false).await;
            }
            Operation::RaiseLate { to } => self.raise_late(letters, to).await,
            Operation::Import { letter, key } => self.import(letters, letter, key).await,
            Operation::Govern(governing) => self.desk.check(letters, governing, self.now).await,
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

    /// The letter that answers for the draft's key.
    fn holder_of_key(&self, draft: &Draft) -> Option<(&LetterId, &Known)> {
        self.known.iter().find(|(_, known)| {
            known.draft.circuit == draft.circuit
                && (&known.draft.key, &known.draft.scope) == (&draft.key, &draft.scope)
                && !matches!(known.life.status, Status::Discarded | Status::Expired)
        })
    }

    async fn insert(&mut self, letters: &dyn Letters, draft: Draft) {
        let same_key = self.holder_of_key(&draft);
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

    async fn import(&mut self, letters: &dyn Letters, letter: u8, key: u8) {
        let Some(&id) = pick(&self.inserted, letter) else { return };
        let Some(letter) = letters.get(id).await.unwrap() else { return };
        let known = &self.known[&id];
        let (token, key) = (Token::random(), key.to_string());
        let draft = Draft { token, key: key.clone(), ..known.draft.clone() };
        let mut life = known.life;
        if life.status == Status::Replaying {
            life = step(&life, Event::OwnerStarted, self.now, &rules()).expect("it is held");
        }
        let has_key = !matches!(life.status, Status::Discarded | Status::Expired);
        let taken = self.holder_of_key(&draft).filter(|_| has_key);
        let answer = letters.import(Letter { token, key, ..letter }, String::new(), self.now).await;
        match (taken, answer) {
            (Some((id, _)), Err(StoreError::KeyTaken { existing, .. })) => {
                assert_eq!(*id, existing);
            }
            (None, Ok(id)) => {
                let known = Known { life, updated_at: known.updated_at, draft };
                assert!(self.known.insert(id, known).is_none());
                self.inserted.push(id);
            }
            (expected, answer) => panic!("{expected:?}, but {answer:?}"),
        }
    }

    /// The first letter of each line.
    fn lines(&self) -> BTreeMap<(&str, &str), LetterId> {
        let mut first = BTreeMap::new();
        for (id, known) in &self.known {
            if let Some(line) = known.line() {
                first.entry(line).or_insert(*id);
            }
        }
        first
    }

    /// The letters that a claim may take, in any order.
    fn free(&self) -> impl Iterator<Item = (&LetterId, &Known)> {
        let lines = self.lines();
        self.known
            .iter()
            .filter(move |(id, known)| known.line().is_none_or(|line| lines[&line] == **id))
    }

    async fn claim(
        &mut self,
        letters: &dyn Letters,
        filter: &ClaimFilter,
        lease: Duration,
        plain: bool,
    ) {
        let mut order: Vec<_> = self
            .free()
            .filter(|(_, Known { draft, .. })| {
                filter.wants(&draft.circuit, &draft.domain, &draft.failure)
            })
            .filter(|(id, _)| filter.id.is_none_or(|wanted| wanted == **id))
            .filter(|(_, known)| due(&known.life).is_some_and(|due| due <= self.now))
            .map(|(id, known)| {
                let by_priority = filter.order == ClaimOrder::Priority;
                (by_priority.then_some(known.draft.priority), known.life.not_before, *id)
            })
            .collect();
        order.sort_unstable();
        let mut expected = Vec::new();
        for (_, _, id) in order {
            if expected.len() < filter.limit {
                let claim = Event::Claim { lease };
                let life = self.advance(id, claim).expect("what is due can be claimed");
                expected.extend((life.status == Status::Replaying).then_some((id, life)));
            }
        }
        let claimed = match &filter.circuit {
            Some(circuit) if plain => letters.claim(circuit, filter.limit, lease, self.now).await,
            _ => letters.claim_by(filter.clone(), lease, self.now).await,
        };
        let claimed: Vec<_> =
            claimed.unwrap().iter().map(|letter| (letter.id, letter.life)).collect();
        assert_eq!(claimed, expected);
        self.claims.extend(claimed.iter().map(|(id, life)| (*id, life.fence)));
    }

    async fn raise_late(&mut self, letters: &dyn Letters, to: Priority) {
        let mut raised = 0;
        for known in self.known.values_mut().filter(|known| known.is_late(self.now)) {
            if known.draft.priority > to {
                known.draft.priority = to;
                known.updated_at = self.now;
                raised += 1;
            }
        }
        assert_eq!(letters.raise_late(to, self.now, usize::MAX).await.unwrap(), raised);
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
        let before = self.known.get(&id).map(|known| known.life);
        let answer = letters.act(id, event, By::system(""), self.now).await;
        if let (Some(before), Ok(after)) = (&before, &answer) {
            self.desk.acted(id, event, (before, after), self.now);
        }
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
        let lines = self.lines();
        for id in &self.inserted {
            let here = letters.get(*id).await.unwrap();
            let known = self.known.get(id);
            assert_eq!(
                here.as_ref().map(|letter| (letter.life, letter.updated_at, &letter.body)),
                known.map(|known| (known.life, known.updated_at, &known.draft.body))
            );
            if let (Some(letter), Some(known)) = (here, known) {
                let first = known.line().map(|line| lines[&line]).filter(|first| first != id);
                assert_eq!(letter.blocked_by.map(|blocker| blocker.id), first);
                assert_eq!(letter.priority, known.draft.priority);
            }
        }
        for ((circuit, order_key), first) in &lines {
            let blocker = Blocker { id: *first, status: self.known[first].life.status };
            let ahead = letters.first_in_line(circuit, order_key).await.unwrap();
            assert_eq!(ahead, Some(blocker));
        }
        self.compare_late(letters).await;
        let counts = letters.counts().await.unwrap();
        assert_eq!(counts, self.counts());
        for circuit in counts.circuits.keys() {
            let here = self.free().filter(|(_, known)| known.draft.circuit == *circuit);
            let expected = here.filter_map(|(_, known)| due(&known.life)).min();
            assert_eq!(letters.next_due(circuit).await.unwrap(), expected);
        }
        let page = letters.list(Query { limit: 1_000, ..Query::default() }).await.unwrap();
        let listed: Vec<_> = page.iter().map(|summary| (summary.id, summary.life)).collect();
        let known: Vec<_> = self.known.iter().map(|(id, known)| (*id, known.life)).collect();
        assert_eq!(listed, known);
    }

    async fn compare_late(&self, letters: &dyn Letters) {
        let mut late = BTreeMap::<_, u64>::new();
        for Known { draft, .. } in self.known.values().filter(|known| known.is_late(self.now)) {
            *late.entry((draft.circuit.clone(), draft.domain.clone())).or_default() += 1;
        }
        let told = letters.late(self.now).await.unwrap().into_iter();
        let told: Vec<_> = told.map(|late| ((late.circuit, late.domain), late.letters)).collect();
        assert_eq!(told, late.into_iter().collect::<Vec<_>>());
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
