//! The circuit breaker: one circuit, shared by any number of threads and tasks.
//!
//! Each admission and each result takes the circuit's lock for the time of a few additions; the call itself and the
//! listeners run outside it.

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
mod info;
mod ticket;

pub use builder::Builder;
pub use info::{Info, LastError, PinInfo, Totals};
pub use ticket::Ticket;

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
    inner: Mutex<Inner>,
}

struct Inner {
    engine: Engine,
    totals: Totals,
    in_flight: u64,
    last_error: Option<LastError>,
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
        let (now, draw) = (self.shared.clock.now(), self.shared.random.draw());
        self.shared.change(|inner| inner.engine.command(command, now, draw));
    }
}

impl Shared {
    fn admit(&self) -> Result<Admission, Rejected> {
        let draw = self.random.draw();
        self.change(|inner| {
            let now = if inner.engine.needs_time() { self.clock.now() } else { Moment::ZERO };
            match inner.engine.attempt(now, draw) {
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

    fn rejected(&self, refusal: Refusal, state: State) -> Rejected {
        let Refusal { retry_after, cause } = refusal;
        Rejected { circuit: self.registration.id(), state, retry_after, cause }
    }

    fn settle(&self, admission: &Admission, outcome: Outcome, failure: Option<Failure>) {
        let retry_after = failure.as_ref().and_then(Failure::retry_after_hint);
        let draw = self.random.draw();
        self.change(|inner| {
            inner.in_flight -= 1;
            let now = || self.clock.now();
            if !inner.engine.settle(admission, outcome, retry_after, now, draw) {
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
        let draw = self.random.draw();
        self.change(|inner| {
            inner.in_flight -= 1;
            let now = || self.clock.now();
            let in_time = inner.engine.settle(admission, Outcome::Ignored, None, now, draw);
            let total = if in_time { &mut inner.totals.cancelled } else { &mut inner.totals.stale };
            *total += 1;
        });
    }

    fn last_error(&self, message: Cow<'static, str>) -> LastError {
        LastError { message, at: self.clock.wall() }
    }

    /// Reads, after noticing what lapsed until now.
    fn look<T>(&self, read: impl FnOnce(&mut Inner, Moment) -> T) -> T {
        let (now, draw) = (self.clock.now(), self.random.draw());
        self.change(|inner| {
            inner.engine.tick(now, draw);
            read(inner, now)
        })
    }

    /// Changes the circuit under its lock, and tells the listeners when that is released.
    fn change<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let (result, news) = {
            let mut inner = self.lock();
            let result = change(&mut inner);
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

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The wall-clock time of a moment that is not long ago.
    fn wall(&self, moment: Moment, now: Moment) -> WallTime {
        self.clock.wall() - now.since(moment)
    }
}
