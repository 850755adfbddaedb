//! What holders and operators say of letters: as many as gathered, in one transaction.

use std::collections::BTreeMap;

use fuseboard_core::letter::{Event, Life};
use fuseboard_core::time::WallTime;
use futures_util::future::join3;
use tokio_postgres::types::ToSql;

use super::fault::Fault;
use super::lane::Group;
use super::line::{Freed, LOCK_HELD};
use super::pool::{Errand, Visit};
use super::row::Read;
use super::session;
use super::writes::{Held, Writes};
use crate::audit::By;
use crate::change;
use crate::error::StoreError;
use crate::letters::{LetterId, Settlement};

// In order of their numbers, so that nobody waits in a circle.
const HELD: &str = "SELECT * FROM letters WHERE id = ANY($1) ORDER BY id FOR UPDATE";

pub(crate) const STATEMENTS: &[&str] = &[HELD];

/// Something said of one letter.
#[derive(Debug)]
pub(crate) struct Edit {
    pub(crate) id: LetterId,
    pub(crate) said: Said,
    pub(crate) now: WallTime,
}

#[derive(Debug)]
pub(crate) enum Said {
    ByHolder(Settlement),
    ByOperator(Event, By),
}

/// What became of the letter.
pub(crate) struct Edited {
    pub(crate) circuit: String,
    pub(crate) life: Life,
    /// When the one that waited behind it is due, by the server's clock: it may go now.
    pub(crate) freed: Option<i64>,
    line: Option<Vec<u8>>,
}

pub(crate) struct Edits(Vec<Edit>);

impl Group for Edits {
    type Item = Edit;
    type One = Edited;

    fn of(edits: Vec<Edit>) -> Self {
        Edits(edits)
    }

    fn into_items(self) -> Vec<Edit> {
        self.0
    }

    fn weight(edit: &Edit) -> usize {
        match &edit.said {
            Said::ByHolder(Settlement { answer: Some(answer), .. }) => answer.body.len(),
            _ => 0,
        }
    }
}

impl Errand for Edits {
    type Answer = Vec<Result<Edited, StoreError>>;

    const READS: bool = false;

    async fn run(&self, visit: &Visit<'_>) -> Result<Self::Answer, Fault> {
        let ids: Vec<i64> = self.0.iter().map(|edit| edit.id.0).collect();
        // A line never changes, so that its lock can be taken before the letter itself is.
        let with: [&(dyn ToSql + Sync); 1] = [&ids];
        let locked = visit.session.rows(LOCK_HELD, &with);
        let held = visit.session.rows(HELD, &with);
        let (begun, locked, rows) = join3(visit.begin(), locked, held).await;
        begun?;
        locked?;
        let mut held = BTreeMap::new();
        for row in &rows? {
            let letter = Held::read(Read { row, offset: visit.offset })?;
            held.insert(letter.id, letter);
        }
        let mut writes = Writes::default();
        let answers = self.0.iter().map(|edit| {
            let letter = held.get_mut(&edit.id).ok_or(StoreError::NotFound)?;
            let life = edit.apply(letter, visit, &mut writes)?;
            let (circuit, line) = (letter.circuit.clone(), letter.line.clone());
            Ok(Edited { circuit, life, freed: None, line })
        });
        let mut answers: Vec<_> = answers.collect();
        let columns = writes.columns(visit.offset);
        let sent = session::all(columns.send(visit.session));
        let (written, freed, committed) =
            join3(sent, writes.ended.free(visit), visit.commit()).await;
        written?;
        let freed = freed?;
        committed?;
        tell(freed, &mut answers);
        Ok(answers)
    }
}

/// Tells those who ended a letter of a line when the next one is due.
fn tell(freed: Vec<Freed>, answers: &mut [Result<Edited, StoreError>]) {
    for Freed { circuit, line, at } in freed {
        let of_line = |one: &&mut Edited| {
            one.life.status.is_final() && one.circuit == circuit && one.line.as_ref() == Some(&line)
        };
        if let Some(one) = answers.iter_mut().flatten().find(of_line) {
            one.freed = Some(at);
        }
    }
}

impl Edit {
    fn apply(
        &self,
        held: &mut Held,
        visit: &Visit<'_>,
        writes: &mut Writes,
    ) -> Result<Life, StoreError> {
        let rules = &visit.setup.rules;
        let change = match &self.said {
            Said::ByHolder(settlement) => change::settle(&held.life, settlement, self.now, rules)?,
            Said::ByOperator(event, by) => {
                let change = change::act(&held.life, *event, by, self.now, rules)?;
                let lives = (&held.life, &change.life);
                if let Some(entry) = change::audit_of_act(self.id, *event, lives, by, self.now) {
                    writes.record(entry);
                }
                change
            }
        };
        if let Said::ByHolder(Settlement { answer: Some(answer), .. }) = &self.said {
            writes.keep_answer(self.id, answer);
        }
        Ok(writes.apply(held, change, self.now))
    }
}
