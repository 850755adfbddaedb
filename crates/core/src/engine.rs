//! A circuit with its window: the machine of [`crate::machine`], and the counting that it leaves to others.
//!
//! An [`Engine`] is still pure: one thread at a time, no clock, no lock. It counts outcomes, steps what lapses in the
//! order in which it lapses, and starts the window afresh after each transition. When a lapse is noticed makes no
//! difference to what it does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::machine::{
    Cause, Circuit, Command, Context, Event, Lapse, Reply, Stamp, Transition, step,
};
use crate::metrics::{Metrics, Tally};
use crate::outcome::Outcome;
use crate::policy::{Counter, Deadline, TripContext, Window};
use crate::random::Random;
use crate::rules::Rules;
use crate::state::State;
use crate::time::Moment;

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

/// An admitted call, as the engine knows it.
#[derive(Clone, Copy, Debug)]
pub struct Admission {
    stamp: Stamp,
    started: Option<Moment>,
    flight: Option<u64>,
    took: Option<Duration>,
}

impl Admission {
    /// An admission that the engine was not asked for, because it was at [ease](Ease) in `generation`.
    pub fn at_ease(generation: u64, started: Option<Moment>) -> Self {
        Admission { stamp: Stamp { generation, lease: None }, started, flight: None, took: None }
    }

    /// When the call was admitted, if calls are timed.
    pub fn started(&self) -> Option<Moment> {
        self.started
    }

    /// Says how long the call took, where its holder knows better than the time between admission and end.
    pub fn took(&mut self, duration: Duration) {
        self.took = Some(duration);
    }

    /// How long the call took, if it ended at `now` and calls are timed.
    pub fn duration(&self, now: Moment) -> Option<Duration> {
        let started = self.started?;
        Some(self.took.unwrap_or(now.since(started)))
    }

    /// The generation that admitted it.
    pub fn generation(&self) -> u64 {
        self.stamp.generation
    }

    /// Whether it is a probe of a half-open circuit.
    pub fn is_probe(&self) -> bool {
        self.stamp.lease.is_some()
    }
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
    /// Attempts are admitted, and quick successes change counts only: [`Engine::absorb`] makes up for them.
    Quiet,
    /// Attempts before `until` are rejected.
    Rejects {
        /// When the circuit opened.
        since: Moment,
        /// From here on an attempt may be a probe.
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
    counter: Box<dyn Counter>,
    streak: u64,
    flights: BTreeMap<u64, Moment>,
    next_flight: u64,
    latest: Moment,
    notices: Vec<Notice>,
    /// Whether the tripper was calm when it was last asked in this state. Absorbed successes leave it so.
    calm: bool,
}

impl Engine {
    /// A closed circuit with an empty window, since `now`.
    pub fn new(rules: Arc<Rules>, now: Moment) -> Self {
        let counter = rules.window().open(*rules.measures());
        Engine {
            rules,
            circuit: Circuit::new(now),
            counter,
            streak: 0,
            flights: BTreeMap::new(),
            next_flight: 0,
            latest: now,
            notices: Vec::new(),
            calm: false,
        }
    }

    /// The circuit's policies.
    pub fn rules(&self) -> &Arc<Rules> {
        &self.rules
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
        let stamp = admission.stamp;
        let accepted = self.circuit.accepts(&stamp);
        let watched = accepted && self.circuit.state() == State::MetricsOnly;
        if watched {
            self.advance(Event::Counting, now, dice);
        }
        if let Some(flight) = admission.flight {
            self.flights.remove(&flight);
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

    /// An operator's command.
    pub fn command(&mut self, command: Command, now: Moment, dice: &dyn Random) {
        let now = self.catch_up(now, dice);
        self.advance(Event::Command(command), now, dice);
    }

    /// Notices what lapsed until `now`. Calling this often, rarely or never makes no difference to any other event.
    pub fn tick(&mut self, now: Moment, dice: &dyn Random) {
        self.catch_up(now, dice);
    }

    /// What the window holds at `now`.
    pub fn metrics(&mut self, now: Moment) -> Metrics {
        let now = now.max(self.latest);
        let mut metrics = self.counter.metrics(now);
        metrics.streak = self.streak;
        metrics.hanging = self.hanging(now);
        metrics
    }

    /// Successes that nobody told the engine of, because it was quiet: none of them was slow, and all of them come before
    /// whatever happens next.
    pub fn absorb(&mut self, successes: u64) {
        if successes > 0 {
            self.streak = 0;
            self.counter.record_successes(successes, self.latest);
        }
    }

    /// What may happen without anybody asking the engine, until the next event that it is told of.
    pub fn ease(&self) -> Ease {
        match (self.circuit.state(), self.circuit.deadline()) {
            (State::Closed, _) if self.rules.measures().hanging.is_empty() => {
                match self.rules.window() {
                    Window::Count(_) if self.calm => Ease::Quiet,
                    _ => Ease::Admits,
                }
            }
            (State::Open, Some(Deadline::At(until))) => {
                let cause = self.circuit.trip().map_or(Cause::Tripped, |trip| trip.cause);
                Ease::Rejects { since: self.circuit.since(), until, cause }
            }
            _ => Ease::Locked,
        }
    }

    /// Whether a step would find the tripper to hold. It decides nothing: it saves a step, and the time it needs.
    fn is_about_to_open(&mut self, outcome: Outcome, now: Moment) -> bool {
        if outcome == Outcome::Ignored {
            return false;
        }
        let metrics = self.metrics(now);
        let context = TripContext { metrics: &metrics, half_open: false };
        let holds = self.rules.tripper().holds(&context);
        self.calm = !holds && self.rules.tripper().only_falls(&metrics);
        holds
    }

    /// Takes what is to be told, in order.
    pub fn take_notices(&mut self) -> std::vec::Drain<'_, Notice> {
        self.notices.drain(..)
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
        let flight = (!self.rules.measures().hanging.is_empty()).then(|| {
            self.next_flight += 1;
            self.flights.insert(self.next_flight, now);
            self.next_flight
        });
        Admission { stamp, started, flight, took: None }
    }

    fn count(&mut self, outcome: Outcome, duration: Duration, now: Moment) {
        if !self.circuit.counts() || outcome == Outcome::Ignored {
            return;
        }
        let failed = outcome == Outcome::Failure;
        self.streak = if failed { self.streak + 1 } else { 0 };
        self.counter.record(failed, duration, now);
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
            self.notices.push(Notice::Transition(Box::new(transition)));
        }
        if let Some(why) = effects.would_trip {
            self.notices.push(Notice::WouldTrip { at: now, why });
        }
        effects.reply
    }

    fn start_afresh(&mut self, now: Moment) {
        self.counter.clear(now);
        self.calm = false;
        self.streak = 0;
        self.flights.clear();
    }

    fn hanging(&self, now: Moment) -> Tally {
        let mut tally = Tally::new(self.rules.measures().hanging);
        let thresholds = self.rules.measures().hanging;
        let Some(lowest) = thresholds.as_slice().first() else { return tally };
        let waits = self.flights.values().map(|started| now.since(*started));
        // Flights are in the order of their start: the first that is too young ends the count.
        waits.take_while(|wait| wait >= lowest).for_each(|wait| tally.add(wait));
        tally
    }
}
