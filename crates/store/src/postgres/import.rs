//! Letters that come from another store.

use fuseboard_core::letter::Life;
use fuseboard_core::time::WallTime;
use futures_util::future::{join, join3};

use super::draft::{self, Contents, Rows};
use super::fault::Fault;
use super::insert::{self, HOLDERS};
use super::line::{self, Lines};
use super::pool::{Errand, Visit};
use super::row::Read;
use super::session::{self, Sent};
use super::writes::Writes;
use crate::change;
use crate::error::{FullReason, StoreError};
use crate::letters::{Import, LetterId};

/// A letter that is to be imported.
pub(crate) struct Importing {
    import: Import,
    /// What its key is found by, if it answers for one.
    dedup: Option<[u8; 32]>,
    /// The digest of its order key.
    line: Option<[u8; 32]>,
    note: String,
    now: WallTime,
}

impl Errand for Importing {
    type Answer = (LetterId, Life);

    const READS: bool = false;

    async fn run(&self, visit: &Visit<'_>) -> Result<(LetterId, Life), Fault> {
        let Import { draft, answer, last_error, updated_at } = &self.import;
        let mut lines = Lines::default();
        if let Some(line) = &self.line {
            lines.add(&draft.circuit, line);
        }
        let locked = lines.lock(visit.session);
        let (begun, locked, taken) = join3(visit.begin(), locked, self.find_holder(visit)).await;
        begun?;
        locked?;
        if let Some(existing) = taken? {
            let (circuit, key) = (draft.circuit.clone(), draft.key.clone());
            return Err(StoreError::KeyTaken { circuit, key, existing }.into());
        }
        let change = change::import(&draft.life, &self.note, self.now, &visit.setup.rules)?;
        let life = change.life;
        self.find_room(visit, &life).await?;
        let id = self.add(visit).await?;
        let mut writes = Writes::default();
        for what in change.entries {
            writes.remember(id, self.now, what, life.fence);
        }
        if let Some(error) = last_error {
            writes.set_error(id, error.clone());
        }
        if let Some(answer) = answer {
            writes.keep_answer(id, answer);
        }
        writes.tally.captured(&draft.circuit, life.status);
        let (mut letters, line) = (Rows::default(), self.line.as_ref().map(|line| &line[..]));
        let updated_at = visit.offset.stored(*updated_at);
        letters.push(id.0, (draft, &life), line, updated_at, visit.offset);
        let columns = writes.columns(visit.offset);
        let added = async { visit.session.run(draft::LETTERS, &letters.all()).await.map(drop) };
        let mut sent: Vec<Sent<'_>> = vec![Box::pin(added)];
        sent.extend(columns.send(visit.session));
        let (written, committed) = join(session::all(sent), visit.commit()).await;
        written?;
        committed?;
        Ok((id, life))
    }
}

impl Importing {
    pub(crate) fn new(import: Import, note: String, now: WallTime) -> Self {
        let dedup = import.has_its_key().then(|| draft::dedup(&import.draft));
        let line = import.draft.order_key.as_deref().map(line::digest);
        Importing { import, dedup, line, note, now }
    }

    pub(crate) fn circuit(&self) -> &str {
        &self.import.draft.circuit
    }

    /// The letter that answers for its key.
    async fn find_holder(&self, visit: &Visit<'_>) -> Result<Option<LetterId>, Fault> {
        let Some(dedup) = &self.dedup else { return Ok(None) };
        let draft = &self.import.draft;
        let (dedups, bodies) = (vec![&dedup[..]], vec![&draft.body[..]]);
        let fingerprints = vec![draft.fingerprint.as_deref()];
        let rows = visit.session.rows(HOLDERS, &[&dedups, &bodies, &fingerprints]).await?;
        rows.first().map(|row| Read { row, offset: visit.offset }.id()).transpose()
    }

    async fn find_room(&self, visit: &Visit<'_>, life: &Life) -> Result<(), Fault> {
        match visit.setup.capacity.filter(|_| !life.status.is_final()) {
            Some(letters) if insert::live(visit).await? >= letters => {
                Err(StoreError::Full { reason: FullReason::Capacity { letters } }.into())
            }
            _ => Ok(()),
        }
    }

    async fn add(&self, visit: &Visit<'_>) -> Result<LetterId, Fault> {
        let mut contents = Contents::default();
        let dedup = self.dedup.as_ref().map(|dedup| &dedup[..]);
        contents.push(&self.import.draft, dedup, None, visit.offset);
        let rows = visit.session.rows(draft::CONTENTS, &contents.all()).await?;
        if let Some(row) = rows.first() {
            return Read { row, offset: visit.offset }.id();
        }
        match self.find_holder(visit).await? {
            // It came meanwhile.
            Some(_) => Err(Fault::Again),
            None => Err(StoreError::TokenTaken.into()),
        }
    }
}
