//! How code that runs inside of a handler knows that it is part of a replay.

use fuseboard_store::{Letter, LetterId};

tokio::task_local! {
    static REPLAYING: ReplayContext;
}

/// The replay that the present task is part of: continuous, or one that somebody asked for.
///
/// A handler is given its letter and needs no more. This is for what it calls: capture, so that a replay that fails makes no
/// second letter, and clients, so that they send the same idempotency key.
///
/// ```
/// use fuseboard_services::replay::ReplayContext;
///
/// assert_eq!(ReplayContext::current(), None, "this is no replay");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayContext {
    /// The letter.
    pub dlq_id: LetterId,
    /// The circuit that it is for.
    pub circuit: String,
    /// Its idempotency key, the same on every replay.
    pub key: String,
    /// Which attempt this is: 1 for the first that reaches the other side.
    pub attempt: u32,
}

impl ReplayContext {
    /// The replay that the present task is part of, if it is part of one. Tasks that a handler spawns are not.
    pub fn current() -> Option<Self> {
        REPLAYING.try_with(Clone::clone).ok()
    }

    /// Runs `future` as part of the replay of `letter`: for who [delivers](crate::replay::Deliver) letters by calling code
    /// that must know it. The services here do so by themselves.
    pub async fn during<F: Future>(letter: &Letter, future: F) -> F::Output {
        ReplayContext::of(letter).within(future).await
    }

    pub(crate) fn of(letter: &Letter) -> Self {
        ReplayContext {
            dlq_id: letter.id,
            circuit: letter.circuit.clone(),
            key: letter.key.clone(),
            attempt: letter.life.attempts.saturating_add(1),
        }
    }

    pub(crate) async fn within<F: Future>(self, future: F) -> F::Output {
        REPLAYING.scope(self, future).await
    }
}
