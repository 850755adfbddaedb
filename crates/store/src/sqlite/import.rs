//! Letters that come from another store.

use fuseboard_core::time::WallTime;

use super::fault::Fault;
use super::work::Work;
use crate::change;
use crate::error::StoreError;
use crate::letters::{Import, LetterId};

impl Work<'_> {
    pub(crate) fn import(
        &mut self,
        import: &Import,
        note: &str,
        now: WallTime,
    ) -> Result<LetterId, Fault> {
        let Import { draft, answer, last_error, updated_at } = import;
        if import.has_its_key()
            && let Some((same, _)) = self.holder_of_key(draft)?
        {
            let (circuit, key) = (draft.circuit.clone(), draft.key.clone());
            return Err(StoreError::KeyTaken { circuit, key, existing: same.id() }.into());
        }
        let change = change::import(&draft.life, note, now, &self.setup.rules)?;
        let id = self.add(draft, &change.life, *updated_at)?;
        self.remember_all(id, &change, now)?;
        if let Some(error) = last_error {
            self.set_last_error(id, Some(error))?;
        }
        if let Some(answer) = answer {
            self.keep_answer(id, answer)?;
        }
        Ok(id)
    }
}
