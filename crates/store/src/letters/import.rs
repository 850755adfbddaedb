//! A letter from another store, taken apart into what a capture brings and what came after.

use fuseboard_core::letter::Status;
use fuseboard_core::time::WallTime;

use super::content::{Draft, Letter, StoredAnswer};

/// A letter from another store.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    pub(crate) draft: Draft,
    pub(crate) answer: Option<StoredAnswer>,
    pub(crate) last_error: Option<String>,
    pub(crate) updated_at: WallTime,
}

impl Import {
    /// How many bytes of it are kept, more or less.
    pub(crate) fn size(&self) -> usize {
        self.draft.size() + self.answer.as_ref().map_or(0, |answer| answer.body.len())
    }

    /// Whether the letter, as it came, answers for its key.
    pub(crate) fn has_its_key(&self) -> bool {
        !matches!(self.draft.life.status, Status::Discarded | Status::Expired)
    }
}

impl From<Letter> for Import {
    fn from(letter: Letter) -> Self {
        let draft = Draft {
            token: letter.token,
            circuit: letter.circuit,
            domain: letter.domain,
            failure: letter.failure,
            method: letter.method,
            uri: letter.uri,
            headers: letter.headers,
            content_type: letter.content_type,
            body: letter.body,
            key: letter.key,
            scope: letter.scope,
            order_key: letter.order_key,
            priority: letter.priority,
            sla_deadline: letter.sla_deadline,
            sealed_by: letter.sealed_by,
            fingerprint: letter.fingerprint,
            life: letter.life,
            captured_at: letter.captured_at,
        };
        Import {
            draft,
            answer: letter.answer,
            last_error: letter.last_error,
            updated_at: letter.updated_at,
        }
    }
}
