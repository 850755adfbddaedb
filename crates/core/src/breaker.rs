//! The circuit breaker: one circuit, shared by any number of threads and tasks.
//!
//! What can change the circuit takes its lock for the time of a few additions. What can only be counted (the successes of
//! a closed circuit, the rejections of an open one) does without: [`word`] says when, [`cells`] count it. The call itself
//! and the listeners run outside the lock in any case.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::{Admission, Engine, Refusal};
use crate::error::Rejected;
use crate::listener::Listeners;
use crate::machine::{Command, Pin, Pinnable};
use crate::names::{CircuitId, Registration};
use crate::outcome::{Failure, Outcome};
use crate::random::Random;
use crate::rules::Rules;
use crate::state::State;
use crate::time::{Clock, Moment, WallTime};

mod builder;
mod call;
mod cells;
mod guard;
mod info;
mod mine;
mod ticket;
mod word;

pub use builder::Builder;
pub use guard::Guard;
pub use info::{Info, LastError, PinInfo, Totals};
pub use ticket::Ticket;

use cells::{Cell, Cells, Counted};
use mine::with_mine;
use word::{Mode, Published, Word};

/// Protects one circuit. Clones share it.
///
/// ```
/// use fuseboard_core::{CallError, CircuitBreaker};
///
/// let breaker = CircuitBreaker::builder("payments").build()?;
/// match breaker.call(|| "42".parse::<u32>()) {
///     Ok(number) => assert_eq!(number, 42),
///     Err(CallError::Rejected(rejected)) => println!("not tried: {rejected}"),
///     Err(CallError::Failed(error)) => println!("tried and failed: {error}"),
/// }
/// # Ok::<(), fuseboard_core::BuildError>(())
/// ```
#[derive(Clone)]
pub struct CircuitBreaker {
    shared: Arc<Shared>,
}

/// What all clones of a breaker, and all its tickets, share.
struct Shared {
    name: Arc<str>,
    registration: Registration,
    rules: Arc<Rules>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    listeners: Listeners,
    published: Published,
    inner: Mutex<Inner>,
}

struct Inner {
    engine: Engine,
    /// What was counted under the lock.
    totals: Totals,
    /// Admitted less settled under the lock; below zero where calls that were admitted without it end under it.
    in_flight: i64,
    last_error: Option<LastError>,
    cells: Cells,
    /// Successes from cells that the engine was told of, ever.
    absorbed: u64,
    /// Those of them that belong to the present generation.
    absorbed_now: u64,
    /// The present generation.
    generation: u64,
}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, state) = (&self.shared.name, self.state());
        f.debug_struct("CircuitBreaker").field("name", name).field("state", &state).finish()
    }
}

impl CircuitBreaker {
    /// Starts a breaker for the circuit `name` with the [default rules](Rules).
    pub fn builder(name: impl Into<String>) -> Builder {
        Builder::new(name.into())
    }

    /// The circuit's name.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The circuit's number in this process, as rejections carry it.
    pub fn id(&self) -> CircuitId {
        self.shared.registration.id()
    }

    /// The circuit's policies.
    pub fn rules(&self) -> &Rules {
        &self.shared.rules
    }

    /// The state now. Pins and leases that ran out are noticed here.
    pub fn state(&self) -> State {
        self.shared.look(|inner, _| inner.engine.circuit().state())
    }

    /// All there is to know now: state, metrics, totals, and why the circuit is open.
    pub fn info(&self) -> Info {
        self.shared.look(|inner, now| Info::of(&self.shared, inner, now))
    }

    /// Notices pins and leases that ran out until now; a circuit that is called or read does not need it.
    pub fn tick(&self) {
        self.shared.look(|_, _| ());
    }

    /// Asks to make a call. Whoever has the ticket makes it and settles the ticket; a ticket that is dropped was
    /// cancelled.
    ///
    /// # Errors
    ///
    /// [`Rejected`] if the circuit does not let the call through.
    ///
    /// ```
    /// use fuseboard_core::CircuitBreaker;
    ///
    /// let breaker = CircuitBreaker::builder("payments").build()?;
    /// if let Ok(ticket) = breaker.try_acquire() {
    ///     ticket.success();
    /// }
    /// assert_eq!(breaker.info().totals.success, 1);
    /// # Ok::<(), fuseboard_core::BuildError>(())
    /// ```
    pub fn try_acquire(&self) -> Result<Ticket, Rejected> {
        let admission = self.shared.admit()?;
        Ok(Ticket::new(Arc::clone(&self.shared), admission))
    }

    /// Pins `forced_open`: no call goes through until the pin ends.
    pub fn force_open(&self, pin: Pin) {
        self.command(Command::Pin(Pinnable::ForcedOpen, pin));
    }

    /// Pins `forced_closed`: every call goes through and is counted, nothing trips.
    pub fn force_closed(&self, pin: Pin) {
        self.command(Command::Pin(Pinnable::ForcedClosed, pin));
    }

    /// Pins `metrics_only`: as closed, but what would have tripped is only reported.
    pub fn metrics_only(&self, pin: Pin) {
        self.command(Command::Pin(Pinnable::MetricsOnly, pin));
    }

    /// Pins `disabled`: every call goes through, nothing is counted.
    pub fn disable(&self, pin: Pin) {
        self.command(Command::Pin(Pinnable::Disabled, pin));
    }

    /// Ends a pin: `forced_open` becomes `half_open`, every other `closed`. Without a pin nothing happens.
    pub fn auto(&self) {
        self.command(Command::Auto);
    }

    /// Goes to `closed` with an empty window, whatever the state.
    pub fn reset(&self) {
        self.command(Command::Reset);
    }

    /// Gives a command as a value; the methods named after the commands do the same.
    pub fn command(&self, command: Command) {
        let (now, dice) = (self.shared.clock.now(), &*self.shared.random);
        self.shared.change(|inner| inner.engine.command(command, now, dice));
    }
}

impl Shared {
    #[inline]
    fn admit(self: &Arc<Self>) -> Result<Admission, Rejected> {
        let word = self.published.word();
        match word.mode() {
            Mode::Idle | Mode::Quiet | Mode::Admits => {
                let started = self.rules.times_calls().then(|| self.clock.now());
                if with_mine(self.number(), Cell::admit).is_some() {
                    return Ok(Admission::at_ease(word.generation(), started));
                }
            }
            Mode::Rejects => {
                if let Some(rejected) = self.reject_at_ease(word) {
                    return Err(rejected);
                }
            }
            Mode::Locked => {}
        }
        self.admit_locked()
    }

    /// The rejection, if this thread can count it and the word's deadline has not come for certain: the coarse time and
    /// what it may lag behind are still before it.
    fn reject_at_ease(&self, word: Word) -> Option<Rejected> {
        let (since, until) = self.published.times_of(word)?;
        let now = self.clock.coarse().max(since);
        if now + self.published.lag >= until || with_mine(self.number(), Cell::reject).is_none() {
            return None;
        }
        let (retry_after, cause) = (Some(until.since(now)), word.cause());
        Some(self.rejected(Refusal { retry_after, cause }, State::Open))
    }

    #[cold]
    #[inline(never)]
    fn admit_locked(self: &Arc<Self>) -> Result<Admission, Rejected> {
        self.welcome();
        self.change(|inner| {
            let now = if inner.engine.needs_time() { self.clock.now() } else { Moment::ZERO };
            match inner.engine.attempt(now, &*self.random) {
                Ok(admission) => {
                    inner.in_flight += 1;
                    Ok(admission)
                }
                Err(refusal) => {
                    inner.totals.rejected += 1;
                    Err(self.rejected(refusal, inner.engine.circuit().state()))
                }
            }
        })
    }

    #[inline]
    fn number(&self) -> u64 {
        self.published.number
    }

    fn rejected(&self, refusal: Refusal, state: State) -> Rejected {
        let Refusal { retry_after, cause } = refusal;
        Rejected { circuit: self.registration.id(), state, retry_after, cause }
    }

    #[inline]
    fn settle(&self, admission: &Admission, outcome: Outcome, failure: Option<Failure>) {
        if outcome == Outcome::Success && self.settle_at_ease(admission) {
            return;
        }
        self.settle_locked(admission, outcome, failure);
    }

    /// Counts a success without the lock, if it is quick and the circuit is still as it was when the call was admitted.
    #[inline]
    fn settle_at_ease(&self, admission: &Admission) -> bool {
        let word = self.published.word();
        matches!(word.mode(), Mode::Idle | Mode::Quiet)
            && word.generation() == admission.generation()
            && self.is_quick(admission)
            && with_mine(self.number(), |cell| cell.settle(word.generation())).is_some()
    }

    fn is_quick(&self, admission: &Admission) -> bool {
        let Some(slow) = self.rules.measures().slow.as_slice().first() else { return true };
        admission.duration(self.clock.now()).is_some_and(|duration| duration < *slow)
    }

    #[cold]
    #[inline(never)]
    fn settle_locked(&self, admission: &Admission, outcome: Outcome, failure: Option<Failure>) {
        let retry_after = failure.as_ref().and_then(Failure::retry_after_hint);
        self.change(|inner| {
            inner.in_flight -= 1;
            let now = || self.clock.now();
            if !inner.engine.settle(admission, outcome, retry_after, now, &*self.random) {
                inner.totals.stale += 1;
                return;
            }
            inner.totals.count(outcome);
            if let Some(message) = failure.and_then(Failure::into_message) {
                inner.last_error = Some(self.last_error(message));
            }
        });
    }

    /// A ticket was dropped unsettled: a panic is a failure, and so is a cancellation after `cancelled_after`.
    fn abandon(&self, admission: &Admission, panicking: bool) {
        let hung = self.rules.cancelled_after().is_some_and(|limit| {
            admission.started().is_some_and(|started| self.clock.now().since(started) >= limit)
        });
        let message = match (panicking, hung) {
            (true, _) => "the call panicked",
            (false, true) => "the call hung and was cancelled",
            (false, false) => return self.cancel(admission),
        };
        self.settle(admission, Outcome::Failure, Some(Failure::new(message)));
    }

    fn cancel(&self, admission: &Admission) {
        self.change(|inner| {
            inner.in_flight -= 1;
            let now = || self.clock.now();
            let dice = &*self.random;
            let in_time = inner.engine.settle(admission, Outcome::Ignored, None, now, dice);
            let total = if in_time { &mut inner.totals.cancelled } else { &mut inner.totals.stale };
            *total += 1;
        });
    }

    fn last_error(&self, message: Cow<'static, str>) -> LastError {
        LastError { message, at: self.clock.wall() }
    }

    /// Reads, after noticing what lapsed until now.
    fn look<T>(&self, read: impl FnOnce(&mut Inner, Moment) -> T) -> T {
        let now = self.clock.now();
        self.change(|inner| {
            inner.engine.tick(now, &*self.random);
            read(inner, now)
        })
    }

    /// Changes the circuit under its lock, and tells the listeners when that is released.
    fn change<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let (result, news) = {
            let mut inner = self.lock();
            inner.absorb();
            let result = change(&mut inner);
            self.publish(&mut inner);
            let mut notices = inner.engine.take_notices().peekable();
            let news = notices.peek().is_some();
            self.listeners.queue(notices);
            (result, news)
        };
        if news {
            self.listeners.tell(&self.name);
        }
        result
    }

    /// Says what may be done without the lock from here on. A transition ends what its generation counted.
    fn publish(&self, inner: &mut Inner) {
        let generation = inner.engine.circuit().generation();
        if generation != inner.generation {
            inner.generation = generation;
            inner.absorbed_now = 0;
            inner.cells.next_generation();
        }
        self.published.publish(generation, inner.engine.ease());
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The wall-clock time of a moment that is not long ago.
    fn wall(&self, moment: Moment, now: Moment) -> WallTime {
        self.clock.wall() - now.since(moment)
    }
}

impl Inner {
    fn new(engine: Engine) -> Self {
        Inner {
            engine,
            totals: Totals::default(),
            in_flight: 0,
            last_error: None,
            cells: Cells::default(),
            absorbed: 0,
            absorbed_now: 0,
            generation: 0,
        }
    }

    /// Tells the engine of the successes that were counted without the lock. They come before what happens next.
    fn absorb(&mut self) -> Counted {
        let counted = self.cells.sum(self.generation);
        let successes = counted.current.saturating_sub(self.absorbed_now);
        self.absorbed_now += successes;
        self.absorbed += successes;
        self.engine.absorb(successes);
        counted
    }

    /// All totals. What was counted without the lock and never absorbed came after its generation had ended.
    fn totals(&self, counted: &Counted) -> Totals {
        Totals {
            success: self.totals.success + self.absorbed,
            stale: self.totals.stale + counted.settled.saturating_sub(self.absorbed),
            rejected: self.totals.rejected + counted.rejected,
            ..self.totals
        }
    }

    fn in_flight(&self, counted: &Counted) -> u64 {
        let at_ease = counted.admitted as i64 - counted.settled as i64;
        u64::try_from(at_ease + self.in_flight).unwrap_or(0)
    }
}
