//! The circuit breaker: one circuit, shared by any number of threads and tasks.
//!
//! What can change the circuit takes its lock for the time of a few additions. What can only be counted (the successes of
//! a closed circuit, the rejections of an open one) does without: [`word`] says when, [`cells`] count it. The call itself
//! and the listeners run outside the lock in any case.

use std::fmt;
use std::sync::Arc;

use crate::engine::{Admission, Refusal};
use crate::error::Rejected;
use crate::machine::{Cause, Command, Pin, Pinnable};
use crate::names::CircuitId;
use crate::outcome::{Failure, Outcome};
use crate::rules::Rules;
use crate::state::State;
use crate::sync::Mutex;
use crate::time::Moment;

mod builder;
mod call;
mod cells;
mod change;
mod common;
mod guard;
mod habits;
mod info;
mod inner;
mod judge;
mod light;
mod mine;
#[cfg(test)]
#[cfg(loom)]
mod model;
mod rest;
mod ticket;
mod word;

pub use builder::CircuitBreakerBuilder;
pub(crate) use common::Common;
pub use guard::Guard;
pub use info::{Info, LastError, PinInfo, Totals};
pub use light::LightTicket;
pub(crate) use rest::Glance;
pub use ticket::Ticket;

use cells::Cell;
use inner::Inner;
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
///
/// In this order: what every call reads fills the first cache line, which nobody writes to as long as the circuit is at rest.
#[repr(C, align(64))]
pub(crate) struct Shared {
    published: Published,
    common: Arc<Common>,
    name: Arc<str>,
    inner: Mutex<Inner>,
}

const _: () = assert!(std::mem::offset_of!(Shared, inner) >= 64);

/// A circuit with fewer attempts than this is not worth a thread's own cell.
const VISITS: u64 = 16;

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, state) = (&self.shared.name, self.state());
        f.debug_struct("CircuitBreaker").field("name", name).field("state", &state).finish()
    }
}

impl CircuitBreaker {
    /// Starts a breaker for the circuit `name` with the [default rules](Rules).
    pub fn builder(name: impl Into<String>) -> CircuitBreakerBuilder {
        CircuitBreakerBuilder::new(name.into())
    }

    /// The circuit's name.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The circuit's number in this process, as rejections carry it.
    pub fn id(&self) -> CircuitId {
        self.shared.lock().list(&self.shared);
        self.shared.published.circuit
    }

    /// The circuit's policies.
    pub fn rules(&self) -> Arc<Rules> {
        self.shared.rules()
    }

    /// Gives the circuit other policies, while it is in use.
    ///
    /// State, deadline, leases, pin, streak and totals stay as they are. So does the window, as far as the new one can hold
    /// it: the newest outcomes where it counts calls, the youngest where it spans time. It starts empty where it changes
    /// from one kind to the other, or where durations are asked for that were not taken down. Nothing trips by this alone:
    /// the new tripper is asked after the next outcome. Calls on their way are judged by the new policies when they end.
    ///
    /// ```
    /// use fuseboard_core::{CircuitBreaker, Rules};
    ///
    /// let breaker = CircuitBreaker::builder("payments").build()?;
    /// breaker.call(|| Err::<(), _>("503")).ok();
    /// breaker.reconfigure(Rules::builder().window("count(50)".parse()?).build()?);
    /// assert_eq!(breaker.info().metrics.failures, 1, "the window was kept");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reconfigure(&self, rules: impl Into<Arc<Rules>>) {
        let rules = rules.into();
        let (now, dice) = (self.shared.common.clock.now(), &*self.shared.common.random);
        self.shared.change(|inner| {
            self.shared.published.reconfigure(&rules, self.shared.common.lag);
            inner.engine.reconfigure(rules, now, dice);
        });
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
    #[inline]
    pub fn try_acquire(&self) -> Result<Ticket, Rejected> {
        let admission = self.shared.admit()?;
        Ok(Ticket::new(Arc::clone(&self.shared), admission))
    }

    /// The rejection that an attempt would get now, where that is certain without making one: in open before the deadline,
    /// and in forced_open. Nothing is counted, nothing changes. `None` elsewhere, also where an attempt would be rejected for
    /// want of a slot.
    ///
    /// ```
    /// use fuseboard_core::{CircuitBreaker, Pin};
    ///
    /// let breaker = CircuitBreaker::builder("payments").build()?;
    /// assert!(breaker.peek().is_none());
    /// breaker.force_open(Pin::by("ops"));
    /// assert!(breaker.peek().is_some());
    /// assert_eq!(breaker.info().totals.rejected, 0);
    /// # Ok::<(), fuseboard_core::BuildError>(())
    /// ```
    #[inline]
    pub fn peek(&self) -> Option<Rejected> {
        let word = self.shared.published.word();
        match word.mode() {
            Mode::Idle | Mode::Quiet | Mode::Admits => None,
            Mode::Rejects => self.shared.rejection(word).or_else(|| self.shared.peek_locked()),
            Mode::Locked => self.shared.peek_locked(),
        }
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
        let (now, dice) = (self.shared.common.clock.now(), &*self.shared.common.random);
        self.shared.change(|inner| inner.engine.command(command, now, dice));
    }
}

impl Shared {
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn rules(&self) -> Arc<Rules> {
        Arc::clone(self.lock().engine.rules())
    }

    #[inline]
    fn admit(self: &Arc<Self>) -> Result<Admission, Rejected> {
        let word = self.published.word();
        match word.mode() {
            Mode::Idle | Mode::Quiet | Mode::Admits => {
                if with_mine(self.number(), Cell::admit).is_some() {
                    return Ok(Admission::at_ease(word.generation(), self.started()));
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

    /// When a call starts that is admitted now, if that matters.
    #[inline]
    fn started(&self) -> Option<Moment> {
        let habits = self.published.habits();
        habits.timed().then(|| match habits.coarsely() {
            true => self.common.clock.coarse(),
            false => self.common.clock.now(),
        })
    }

    /// The rejection, if it is certain and this thread can count it.
    #[inline(always)]
    fn reject_at_ease(&self, word: Word) -> Option<Rejected> {
        let rejected = self.rejection(word)?;
        with_mine(self.number(), Cell::reject)?;
        Some(rejected)
    }

    /// The rejection, if the word's deadline has not come for certain: the coarse time and what it may lag behind are still
    /// before it.
    #[inline(always)]
    fn rejection(&self, word: Word) -> Option<Rejected> {
        let (since, until) = self.published.times_of(word)?;
        let retry_after = match until {
            Moment::FAR => None,
            until => {
                let now = self.common.clock.coarse().max(since);
                if now.later(self.common.lag) >= until {
                    return None;
                }
                Some(until.since(now))
            }
        };
        let cause = word.cause();
        let state = if cause == Cause::Pinned { State::ForcedOpen } else { State::Open };
        Some(self.rejected(Refusal { retry_after, cause }, state))
    }

    #[cold]
    #[inline(never)]
    fn peek_locked(&self) -> Option<Rejected> {
        let now = self.common.clock.now();
        let inner = self.lock();
        let refusal = inner.engine.certain_refusal(now)?;
        Some(self.rejected(refusal, inner.engine.circuit().state()))
    }

    #[cold]
    #[inline(never)]
    fn admit_locked(self: &Arc<Self>) -> Result<Admission, Rejected> {
        let (admitted, often) =
            self.change(|inner| (self.attempt(inner), inner.attempts() >= VISITS));
        if often {
            self.welcome();
        }
        admitted
    }

    fn attempt(&self, inner: &mut Inner) -> Result<Admission, Rejected> {
        let now = if inner.engine.needs_time() { self.common.clock.now() } else { Moment::ZERO };
        match inner.engine.attempt(now, &*self.common.random) {
            Ok(admission) => {
                inner.admitted += 1;
                Ok(admission)
            }
            Err(refusal) => {
                inner.extra().totals.rejected += 1;
                Err(self.rejected(refusal, inner.engine.circuit().state()))
            }
        }
    }

    #[inline]
    fn number(&self) -> u64 {
        self.published.circuit.number()
    }

    #[inline(always)]
    fn rejected(&self, refusal: Refusal, state: State) -> Rejected {
        let Refusal { retry_after, cause } = refusal;
        Rejected { circuit: self.published.circuit, state, retry_after, cause }
    }

    #[inline]
    fn settle(self: &Arc<Self>, admission: &Admission, outcome: Outcome, failure: Option<Failure>) {
        if outcome == Outcome::Success && self.settle_at_ease(admission) {
            return;
        }
        self.settle_locked(admission, outcome, failure);
    }

    /// Counts a success without the lock, if it is quick and the circuit is still as it was when the call was admitted.
    #[inline]
    fn settle_at_ease(&self, admission: &Admission) -> bool {
        self.is_quiet_for(admission)
            && with_mine(self.number(), |cell| cell.settle(admission.generation())).is_some()
    }

    /// Whether a success of this call, which ends now, changes nothing but counts.
    #[inline]
    fn is_quiet_for(&self, admission: &Admission) -> bool {
        let word = self.published.word();
        word.generation() == admission.generation()
            && (word.is_idle()
                || word.is_quiet() && self.is_quick_and_early(|now| admission.nanos(now)))
    }

    /// As [`is_quiet_for`](Self::is_quiet_for), for a call that was admitted under `word`.
    #[inline(always)]
    fn is_still(&self, word: Word, started: Option<Moment>) -> bool {
        if word.is_idle() {
            return self.published.word() == word;
        }
        let nanos = |now: Moment| {
            started.map_or(u64::MAX, |at| now.as_nanos().saturating_sub(at.as_nanos()))
        };
        let same = self.published.word();
        same.generation() == word.generation()
            && (same.is_quiet() && self.is_quick_and_early(nanos) || same.is_idle())
    }

    /// Whether the call, which took as many nanoseconds as `took` says for its end, was quick, and ends while the word
    /// holds. The coarse time decides where it is far enough from either edge.
    #[inline(always)]
    fn is_quick_and_early(&self, took: impl Fn(Moment) -> u64) -> bool {
        let (until, slow) = (self.published.until(), self.published.slow());
        let holds_at = |now: Moment| now < until && (slow == u64::MAX || took(now) < slow);
        if until == Moment::FAR && slow == u64::MAX {
            return true;
        }
        let (clock, lag) = (&*self.common.clock, self.common.lag);
        holds_at(clock.coarse().later(lag)) || (lag > 0 && holds_at(clock.now()))
    }

    #[cold]
    #[inline(never)]
    fn settle_locked(
        self: &Arc<Self>,
        admission: &Admission,
        outcome: Outcome,
        failure: Option<Failure>,
    ) {
        let retry_after = failure.as_ref().and_then(Failure::retry_after_hint);
        let generation = admission.generation();
        let mut inner = self.lock();
        if outcome == Outcome::Failure && inner.count_failure(generation) {
            self.remember(&mut inner, failure);
            return;
        }
        self.change_locked(inner, |inner| {
            let now = || self.common.clock.now();
            let dice = &*self.common.random;
            if !inner.engine.settle(admission, outcome, retry_after, now, dice) {
                inner.extra().totals.stale += 1;
                return;
            }
            inner.count(outcome);
            self.remember(inner, failure);
        });
    }

    #[inline]
    fn remember(&self, inner: &mut Inner, failure: Option<Failure>) {
        if let Some(message) = failure.and_then(Failure::into_message) {
            inner.remember(LastError { message, at: self.common.clock.wall() });
        }
    }

    /// A ticket was dropped unsettled: a panic is a failure, and so is a cancellation after `cancelled_after`.
    fn abandon(self: &Arc<Self>, admission: &Admission, panicking: bool) {
        let hung = || {
            let limit = self.rules().cancelled_after()?;
            Some(self.common.clock.now().since(admission.started()?) >= limit)
        };
        let message = match (panicking, admission.started().is_some() && hung() == Some(true)) {
            (true, _) => "the call panicked",
            (false, true) => "the call hung and was cancelled",
            (false, false) => return self.cancel(admission),
        };
        self.settle(admission, Outcome::Failure, Some(Failure::new(message)));
    }

    fn cancel(self: &Arc<Self>, admission: &Admission) {
        self.change(|inner| {
            let now = || self.common.clock.now();
            let dice = &*self.common.random;
            let in_time = inner.engine.settle(admission, Outcome::Ignored, None, now, dice);
            let totals = &mut inner.extra().totals;
            *(if in_time { &mut totals.cancelled } else { &mut totals.stale }) += 1;
        });
    }
}

#[cfg(all(test, not(loom), target_os = "linux", target_pointer_width = "64"))]
mod tests {
    use super::Shared;

    #[test]
    fn a_circuit_at_rest_fits_into_four_cache_lines() {
        // One line more, for the counts of its clones, is all that a keyed circuit can have within its 512 bytes.
        assert!(size_of::<Shared>() <= 4 * 64, "{}", size_of::<Shared>());
    }
}
