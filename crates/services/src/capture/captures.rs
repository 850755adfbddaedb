//! Where captured calls go, and who does them again by name.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use fuseboard_core::letter::{Answer, Rules};
use fuseboard_core::time::{Clock, SystemClock, WallTime};
use fuseboard_core::{CircuitBreaker, Outcome};
use fuseboard_store::{Letter, Letters};

use crate::circuits::Invalid;
use crate::replay::{Deliver, Delivering, Delivery};
use crate::wake::Bells;

use super::builder::CaptureBuilder;
use super::call::{Call, METHOD};
use super::keep::{DEFAULT_PATIENCE, Queued, Work, first_wait, keep};
use super::kind::{Kind, Undone};
use super::refusal::NotQueued;

/// Where the calls of a program are captured: one store of letters, and the handlers that do them again, by name. Clones are
/// the same.
///
/// It is itself who [delivers](Deliver) letters, each by the handler that its call was protected with: give it to the
/// [lane](crate::replay::Lane) of each circuit, or to
/// [`ReplayService::register_circuit_handler`](crate::replay_service::ReplayService::register_circuit_handler). A letter whose
/// handler is not here (yet) is put off, and keeps its attempts.
#[derive(Clone)]
pub struct Captures {
    desk: Arc<Desk>,
    handlers: Arc<Handlers>,
}

/// What makes letters. Apart from the handlers, which keep it.
pub(super) struct Desk {
    letters: Arc<dyn Letters>,
    bells: Option<Bells>,
    clock: Arc<dyn Clock>,
    rules: Rules,
    patience: Duration,
}

/// Handlers by name.
#[derive(Default)]
pub(super) struct Handlers {
    by_name: RwLock<BTreeMap<String, Arc<dyn Deliver>>>,
}

impl Captures {
    /// Puts one together.
    pub fn builder() -> CapturesBuilder {
        CapturesBuilder::default()
    }

    /// Makes a protected call out of `handler`, under a name by which its letters find it again. The name stays the same for
    /// as long as there may be letters.
    ///
    /// The handler is given the payload and the [`Call`], which has the idempotency key. What is a failure must be an error,
    /// also where the circuit's trackers know results that are failures.
    pub fn protect<P, T, E, H, F>(
        &self,
        name: &str,
        breaker: &CircuitBreaker,
        handler: H,
    ) -> CaptureBuilder<P, T, E>
    where
        H: Fn(P, Call) -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
        E: 'static,
    {
        let (desk, handlers) = (Arc::clone(&self.desk), Arc::clone(&self.handlers));
        let handler = Box::new(move |payload, call| Box::pin(handler(payload, call)) as _);
        CaptureBuilder::new(name.to_owned(), breaker.clone(), handler, desk, handlers)
    }

    /// Makes a letter of `work`, which was not done because of `undone`, and rings its circuit's bell. For doors of your own;
    /// ask [`CaptureRule::kind_of`](super::CaptureRule::kind_of) first, which gives the kind.
    ///
    /// # Errors
    ///
    /// [`NotQueued::Store`] or [`NotQueued::NoAnswer`].
    ///
    /// # Cancel safety
    ///
    /// Dropped, the letter is kept entirely or not at all.
    pub async fn keep(
        &self,
        work: Work,
        kind: Kind,
        undone: Undone,
        retry_after: Option<Duration>,
    ) -> Result<Queued, NotQueued> {
        self.desk.keep(work, kind, undone, retry_after).await
    }

    /// The time of its clock.
    pub fn now(&self) -> WallTime {
        self.desk.clock.wall()
    }

    /// How long what is captured may take to be safe.
    pub fn patience(&self) -> Duration {
        self.desk.patience
    }
}

impl Desk {
    pub(super) async fn keep(
        &self,
        work: Work,
        kind: Kind,
        undone: Undone,
        retry_after: Option<Duration>,
    ) -> Result<Queued, NotQueued> {
        let circuit = work.circuit.clone();
        let wait = first_wait(undone, &self.rules.retry, retry_after);
        let draft = work.draft(kind, self.clock.wall(), wait);
        let queued = keep(&*self.letters, kind, draft, self.patience).await?;
        if let Some(bells) = &self.bells {
            bells.ring(&circuit);
        }
        Ok(queued)
    }
}

impl Handlers {
    pub(super) fn register(&self, name: &str, handler: Arc<dyn Deliver>) -> Result<(), Invalid> {
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        match by_name.entry(name.to_owned()) {
            Entry::Vacant(free) => {
                free.insert(handler);
                Ok(())
            }
            Entry::Occupied(_) => {
                Err(Invalid::new("handler", name, "a name that no other handler has here"))
            }
        }
    }

    fn find(&self, letter: &Letter) -> Option<Arc<dyn Deliver>> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        by_name.get(&letter.uri).filter(|_| letter.method == METHOD).cloned()
    }

    fn names(&self) -> Vec<String> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        by_name.keys().cloned().collect()
    }
}

impl Deliver for Captures {
    fn deliver<'a>(&'a self, letter: &'a Letter) -> Delivering<'a> {
        let handler = self.handlers.find(letter);
        Box::pin(async move {
            match handler {
                Some(handler) => handler.deliver(letter).await,
                None => put_off(letter),
            }
        })
    }
}

/// A letter that nobody here can do. Another version of the program may know how.
fn put_off(letter: &Letter) -> Delivery {
    Delivery {
        answer: Answer::NotReached,
        outcome: Outcome::Ignored,
        failure: None,
        stored: None,
        note: format!("put off: no handler has the name `{}`", letter.uri),
    }
}

impl fmt::Debug for Captures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Captures");
        debug.field("letters", &self.desk.letters).field("handlers", &self.handlers.names());
        debug.finish_non_exhaustive()
    }
}

/// Puts a [`Captures`] together. Each part but the letters has a default.
#[derive(Default)]
pub struct CapturesBuilder {
    letters: Option<Arc<dyn Letters>>,
    bells: Option<Bells>,
    clock: Option<Arc<dyn Clock>>,
    rules: Rules,
    patience: Option<Duration>,
}

impl fmt::Debug for CapturesBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CapturesBuilder").field("letters", &self.letters).finish_non_exhaustive()
    }
}

impl CapturesBuilder {
    /// Sets where letters are kept.
    #[must_use]
    pub fn letters(mut self, letters: Arc<dyn Letters>) -> Self {
        self.letters = Some(letters);
        self
    }

    /// Sets the bells that wake the continuous [replay](crate::replay). By default there are none.
    #[must_use]
    pub fn bells(mut self, bells: Bells) -> Self {
        self.bells = Some(bells);
        self
    }

    /// Sets the clock, which should be that of the circuits. By default the system's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Sets the limits of a letter's life, which should be those of the store: a call that failed just now waits one step of
    /// their retry for its first replay.
    #[must_use]
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// Sets how long a capture may take. Default 10 s.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// Makes it.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if there is no store of letters, or no time for it.
    ///
    /// ```
    /// use fuseboard_services::capture::Captures;
    ///
    /// let error = Captures::builder().build().unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "letters: `none` is not possible: without a store of letters nothing can be captured"
    /// );
    /// ```
    pub fn build(self) -> Result<Captures, Invalid> {
        let CapturesBuilder { letters, bells, clock, rules, patience } = self;
        let right = "without a store of letters nothing can be captured";
        let letters = letters.ok_or_else(|| Invalid::new("letters", "none", right))?;
        let patience = patience.unwrap_or(DEFAULT_PATIENCE);
        if patience.is_zero() {
            return Err(Invalid::new("patience", "0s", "a duration above zero"));
        }
        let clock = clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let desk = Arc::new(Desk { letters, bells, clock, rules, patience });
        Ok(Captures { desk, handlers: Arc::default() })
    }
}
