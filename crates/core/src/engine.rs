//! A circuit with its window: the machine of [`crate::machine`], and the counting that it leaves to others.
//!
//! An [`Engine`] is still pure: one thread at a time, no clock, no lock. It counts outcomes, steps what lapses in the
//! order in which it lapses, and starts the window afresh after each transition. When a lapse is noticed makes no
//! difference to what it does.

use std::sync::Arc;
use std::time::Duration;

use crate::machine::{
    Cause, Circuit, Command, Context, Event, Lapse, Reply, Stamp, Transition, step,
};
use crate::metrics::{Metrics, Tally};
use crate::outcome::Outcome;
use crate::policy::{Counts, Held, Window};
use crate::random::Random;
use crate::rules::Rules;
use crate::state::State;
use crate::time::Moment;

mod admission;
mod flights;

pub use admission::Admission;
use flights::Flights;

/// What an engine wants told to the world, in the order in which it happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// The state changed.
    Transition(Box<Transition>),
    /// Under `metrics_only`: the tripper has just turned true.
    WouldTrip {
        /// When.
        at: Moment,
        /// The terms that held, with what was measured.
        why: String,
    },
}

/// Why an attempt was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// When an attempt may succeed, where that is known.
    pub retry_after: Option<Duration>,
    /// Why calls are rejected.
    pub cause: Cause,
}

/// What may happen without anybody asking the engine, because nothing but counts would change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ease {
    /// Nothing.
    Locked,
    /// Attempts are admitted.
    Admits,
    /// Attempts are admitted, and quick successes before `until` change counts only: [`Engine::absorb`] makes up for them.
    Quiet {
        /// From here on a success has to be looked at; [`Moment::FAR`]: whatever the time.
        until: Moment,
    },
    /// Attempts before `until` are rejected.
    Rejects {
        /// When that state began.
        since: Moment,
        /// From here on an attempt has to be looked at; [`Moment::FAR`]: it is not known when one may succeed.
        until: Moment,
        /// Why calls are rejected.
        cause: Cause,
    },
}

/// One circuit, with all that counts for it.
#[derive(Debug)]
pub struct Engine {
    rules: Arc<Rules>,
    circuit: Circuit,
    window: Held,
    streak: u64,
    /// The calls in flight, where the rules look at them.
    flights: Option<Box<Flights>>,
    latest: Moment,
    notices: Option<Box<Notices>>,
    /// Until when the tripper, as it was last asked, cannot be made to hold by a success. Absorbed ones leave it so.
    calm_until: Moment,
    /// How many failures cannot make it hold until then, either.
    spare: u64,
}

/// What is to be told, for the moment between a transition and the telling.
#[derive(Debug, Default)]
struct Notices(Vec<Notice>);

impl Engine {
    /// A closed circuit with an empty window, since `now`.
    pub fn new(rules: Arc<Rules>, now: Moment) -> Self {
        let window = Held::open(rules.window(), *rules.measures());
        let flights = Flights::watched_by(&rules);
        Engine {
            rules,
            circuit: Circuit::new(now),
            window,
            streak: 0,
            flights,
            latest: now,
            notices: None,
            calm_until: Moment::ZERO,
            spare: 0,
        }
    }

    /// The circuit's policies.
    pub fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// Whether there is anything to [tell](Self::take_notices).
    pub fn has_notices(&self) -> bool {
        self.notices.is_some()
    }

    /// The circuit as of the last event.
    pub fn circuit(&self) -> &Circuit {
        &self.circuit
    }

    /// Whether an attempt, or the end of a call, needs to know the time. While a circuit is closed, counts calls and
    /// does not time them, only the transition does.
    pub fn needs_time(&self) -> bool {
        self.rules.times_calls()
            || self.circuit.state() != State::Closed
            || !matches!(self.rules.window(), Window::Count(_))
    }

    /// Somebody wants to make a call. `dice` is rolled for each step that this takes.
    ///
    /// # Errors
    ///
    /// [`Refusal`] if the call may not be made.
    pub fn attempt(&mut self, now: Moment, dice: &dyn Random) -> Result<Admission, Refusal> {
        let now = self.catch_up(now, dice);
        match self.advance(Event::Attempt, now, dice) {
            Reply::Admitted(stamp) => Ok(self.depart(stamp, now)),
            Reply::Rejected { retry_after, cause } => Err(Refusal { retry_after, cause }),
            Reply::Taken | Reply::Stale => unreachable!("an attempt is admitted or rejected"),
        }
    }

    /// An admitted call ended; `false` if that was too late to change anything. `now` is asked for the time only where
    /// [`needs_time`](Self::needs_time) says so, or if the circuit is about to open.
    pub fn settle(
        &mut self,
        admission: &Admission,
        outcome: Outcome,
        retry_after: Option<Duration>,
        now: impl FnOnce() -> Moment,
        dice: &dyn Random,
    ) -> bool {
        let (now, on_demand) = if self.needs_time() {
            (self.catch_up(now(), dice), None)
        } else {
            (self.latest, Some(now))
        };
        let stamp = admission.stamp();
        let accepted = self.circuit.accepts(&stamp);
        let watched = accepted && self.circuit.state() == State::MetricsOnly;
        if watched {
            self.advance(Event::Counting, now, dice);
        }
        if let (Some(flights), Some(flight)) = (&mut self.flights, admission.flight()) {
            flights.land(flight);
        }
        if !accepted {
            return false;
        }
        let duration = admission.duration(now);
        if watched && outcome == Outcome::Ignored {
            self.advance(Event::Counting, now, dice);
        }
        self.count(outcome, duration.unwrap_or_default(), now);
        if self.circuit.state() == State::Closed && !self.is_about_to_open(outcome, now) {
            return true;
        }
        let now = on_demand.map_or(now, |on_demand| on_demand().max(now));
        let event = Event::Settled { stamp, outcome, duration, retry_after };
        self.advance(event, now, dice);
        true
    }

    /// A failure of a call that the present generation admitted, if it changes nothing but counts:
    /// [`settle`](Self::settle) would do the same, slower. `false`: it was not counted, and has to be settled.
    #[inline]
    pub(crate) fn count_failure(&mut self) -> bool {
        let spared =
            self.calm_until == Moment::FAR && self.is_spared(Outcome::Failure, self.latest);
        if spared {
            self.streak += 1;
            self.window.record(true, Duration::ZERO, self.latest);
        }
        spared
    }

    /// An operator's command.
    pub fn command(&mut self, command: Command, now: Moment, dice: &dyn Random) {
        let now = self.catch_up(now, dice);
        self.advance(Event::Command(command), now, dice);
    }

    /// Notices what lapsed until `now`. Calling this often, rarely or never makes no difference to any other event.
    pub fn tick(&mut self, now: Moment, dice: &dyn Random) {
        self.catch_up(now, dice);
    }

    /// Other policies from now on. State, deadline, leases, pin and streak stay as they are; so does the window, as far as
    /// the new one can hold it and its durations, if they are asked for, were taken down. Nothing trips by this alone: the
    /// new tripper is asked after the next outcome.
    pub fn reconfigure(&mut self, rules: Arc<Rules>, now: Moment, dice: &dyn Random) {
        let now = self.catch_up(now, dice);
        let (old, new) = (&self.rules, &rules);
        if old.window() != new.window() || old.measures() != new.measures() {
            self.window = self.window.moved_to(new.window(), *new.measures(), now);
        }
        match &mut self.flights {
            None => self.flights = Flights::watched_by(new),
            Some(flights) if new.measures().hanging.is_empty() => flights.clear(),
            Some(_) => {}
        }
        self.rules = rules;
        self.calm_until = Moment::ZERO;
    }

    /// What the window holds at `now`.
    pub fn metrics(&mut self, now: Moment) -> Metrics {
        let now = now.max(self.latest);
        let mut metrics = self.window.metrics(now);
        metrics.streak = self.streak;
        metrics.hanging = self.hanging(now);
        metrics
    }

    /// Successes that nobody told the engine of, because it was quiet: none of them was slow, and all of them come before
    /// whatever happens next.
    #[inline]
    pub fn absorb(&mut self, successes: u64) {
        if successes > 0 && self.circuit.counts() {
            self.streak = 0;
            self.window.record_successes(successes, self.latest);
        }
    }

    /// What may happen without anybody asking the engine, until the next event that it is told of.
    #[inline]
    pub fn ease(&self) -> Ease {
        // Shows that no rule depends on it: whoever counts asks for everything then, and all comes to the same.
        if cfg!(fuseboard_locked) {
            return Ease::Locked;
        }
        let measures = self.rules.measures();
        match self.circuit.state() {
            State::Closed if !measures.hanging.is_empty() => Ease::Locked,
            State::Closed if self.calm_until > self.latest => {
                Ease::Quiet { until: self.calm_until }
            }
            State::Closed => Ease::Admits,
            State::Open | State::ForcedOpen => self.rejects(),
            State::ForcedClosed | State::Disabled => self.pinned_ease(),
            State::HalfOpen | State::MetricsOnly => Ease::Locked,
        }
    }

    fn rejects(&self) -> Ease {
        match self.refuses() {
            // A time that comes is not one that never comes, not even the last of all.
            None | Some((Some(Moment::FAR), _)) => Ease::Locked,
            Some((until, cause)) => {
                let until = until.unwrap_or(Moment::FAR);
                Ease::Rejects { since: self.circuit.since(), until, cause }
            }
        }
    }

    /// Until when every attempt is rejected, where that is known, and why; `None` in a state that lets some through.
    fn refuses(&self) -> Option<(Option<Moment>, Cause)> {
        match (self.circuit.state(), self.circuit.deadline(), self.circuit.pin()) {
            (State::ForcedOpen, _, Some(pin)) => Some((pin.until(), Cause::Pinned)),
            (State::Open, Some(deadline), _) => {
                let cause = self.circuit.trip().map_or(Cause::Tripped, |trip| trip.cause);
                Some((deadline.not_before(), cause))
            }
            _ => None,
        }
    }

    /// What an attempt at `now` would be told, if it is certain to be rejected. Nothing changes.
    pub(crate) fn certain_refusal(&self, now: Moment) -> Option<Refusal> {
        let (until, cause) = self.refuses()?;
        let now = now.max(self.latest);
        match until {
            Some(until) if until <= now => None,
            until => Some(Refusal { retry_after: until.map(|until| until.since(now)), cause }),
        }
    }

    /// In a state that admits everything and never trips, no success matters until the pin ends.
    fn pinned_ease(&self) -> Ease {
        let measures = self.rules.measures();
        let ends = self.circuit.pin().is_none_or(|pin| pin.until().is_some());
        if ends || measures.latency || !measures.hanging.is_empty() {
            return Ease::Locked;
        }
        match self.window.unchanged_until() {
            Some(until) => Ease::Quiet { until },
            None => Ease::Locked,
        }
    }

    /// Whether a step would find the tripper to hold. It decides nothing: it saves a step, and the time it needs.
    #[inline]
    fn is_about_to_open(&mut self, outcome: Outcome, now: Moment) -> bool {
        if outcome == Outcome::Ignored || self.is_spared(outcome, now) {
            return false;
        }
        let (holds, total) = if self.rules.counts_only() {
            let (total, failures) = self.window.totals(now);
            let counts = Counts { total, failures, streak: self.streak };
            self.spare = self.rules.tripper().spare(&counts);
            (self.rules.tripper().holds_over(&counts, false), total)
        } else {
            let metrics = self.metrics(now);
            self.spare = 0;
            (self.rules.tripper().holds_over(&metrics, false), metrics.total)
        };
        let calm = !holds && self.rules.falls_from().is_some_and(|from| total >= from);
        let until = self.window.unchanged_until().unwrap_or(Moment::ZERO);
        self.calm_until = if calm { until } else { Moment::ZERO };
        holds
    }

    /// Whether the tripper, when it was last asked, left room for this outcome, too.
    #[inline]
    fn is_spared(&mut self, outcome: Outcome, now: Moment) -> bool {
        if outcome != Outcome::Failure || now >= self.calm_until {
            return false;
        }
        let spared = self.spare > 0;
        self.spare = self.spare.saturating_sub(1);
        spared
    }

    /// Takes what is to be told, in order.
    pub fn take_notices(&mut self) -> std::vec::IntoIter<Notice> {
        self.notices.take().unwrap_or_default().0.into_iter()
    }

    fn tell(&mut self, notice: Notice) {
        self.notices.get_or_insert_default().0.push(notice);
    }

    /// Steps all that lapsed until `now`, each at its own time. Time never goes backwards.
    fn catch_up(&mut self, now: Moment, dice: &dyn Random) -> Moment {
        let now = now.max(self.latest);
        while let Some((at, lapse)) = self.circuit.next_lapse() {
            if at > now {
                break;
            }
            let at = at.max(self.latest);
            if let Lapse::Lease(_) = lapse {
                self.count(Outcome::Failure, self.rules.probe_timeout(), at);
            }
            self.advance(Event::Lapsed(lapse), at, dice);
        }
        self.latest = now;
        now
    }

    fn depart(&mut self, stamp: Stamp, now: Moment) -> Admission {
        let started = self.rules.times_calls().then_some(now);
        let watched = !self.rules.measures().hanging.is_empty();
        let flights = self.flights.as_mut().filter(|_| watched);
        let flight = flights.map(|flights| flights.depart(now));
        Admission::new(stamp, started, flight)
    }

    #[inline]
    fn count(&mut self, outcome: Outcome, duration: Duration, now: Moment) {
        if !self.circuit.counts() || outcome == Outcome::Ignored {
            return;
        }
        let failed = outcome == Outcome::Failure;
        self.streak = if failed { self.streak + 1 } else { 0 };
        self.window.record(failed, duration, now);
    }

    fn advance(&mut self, event: Event, now: Moment, dice: &dyn Random) -> Reply {
        let metrics = self.metrics(now);
        let draw = dice.draw();
        let context = Context { now, rules: &self.rules, metrics: &metrics, draw };
        let (next, effects) = step(&self.circuit, event, context);
        self.circuit = next;
        self.latest = now;
        if let Some(transition) = effects.transition {
            self.start_afresh(now);
            self.tell(Notice::Transition(Box::new(transition)));
        }
        if let Some(why) = effects.would_trip {
            self.tell(Notice::WouldTrip { at: now, why });
        }
        effects.reply
    }

    fn start_afresh(&mut self, now: Moment) {
        self.window.clear(now);
        self.calm_until = Moment::ZERO;
        self.streak = 0;
        if let Some(flights) = &mut self.flights {
            flights.clear();
        }
    }

    fn hanging(&self, now: Moment) -> Tally {
        let mut tally = Tally::new(self.rules.measures().hanging);
        if let Some(flights) = &self.flights {
            flights.count(&mut tally, now);
        }
        tally
    }
}
