//! The rules of a circuit breaker: one function, and one for each kind of event.

use std::sync::Arc;
use std::time::Duration;

use super::{
    Cause, Circuit, Command, Context, Effects, Event, Lapse, Mode, Pin, Pinnable, Pinned, Reply,
    Stamp, Transition, Trip,
};
use crate::outcome::Outcome;
use crate::policy::{AskContext, Deadline, TripContext};

/// The circuit after `event`, and what is to be done about it.
///
/// The caller sees to four things: time does not go backwards between steps; a [`Circuit::next_lapse`] that is due
/// is stepped before anything later; under `metrics_only` an [`Event::Counting`] is stepped before an outcome is
/// counted; and the metrics of the context count the event's own outcome, if [`Circuit::accepts`] it.
///
/// ```
/// use fuseboard_core::machine::{Circuit, Context, Event, Reply, step};
/// use fuseboard_core::{Rules, metrics::Metrics, time::Moment};
///
/// let rules = Rules::default();
/// let context = Context { now: Moment::ZERO, rules: &rules, metrics: &Metrics::default(), draw: 0.5 };
/// let (_, effects) = step(&Circuit::new(Moment::ZERO), Event::Attempt, context);
/// assert!(matches!(effects.reply, Reply::Admitted(_)));
/// ```
pub fn step(circuit: &Circuit, event: Event, context: Context<'_>) -> (Circuit, Effects) {
    let mut change = Change::of(circuit, context);
    let reply = match event {
        Event::Attempt => change.attempt(),
        Event::Settled { stamp, .. } if !circuit.accepts(&stamp) => Reply::Stale,
        Event::Settled { stamp, outcome, duration, retry_after } => {
            change.settle(&stamp, outcome, duration, retry_after)
        }
        Event::Lapsed(Lapse::Lease(id)) => change.lease_lapsed(id),
        Event::Lapsed(Lapse::Pin) => change.unpin(Cause::PinLapsed),
        Event::Command(command) => change.command(command),
        Event::Counting => change.forget(),
    };
    let effects = Effects { reply, transition: change.transition, would_trip: change.would_trip };
    (change.circuit, effects)
}

/// A step in the making.
pub(super) struct Change<'a> {
    pub(super) circuit: Circuit,
    pub(super) context: Context<'a>,
    transition: Option<Transition>,
    would_trip: Option<String>,
}

impl<'a> Change<'a> {
    fn of(circuit: &Circuit, context: Context<'a>) -> Self {
        Change { circuit: circuit.clone(), context, transition: None, would_trip: None }
    }

    fn attempt(&mut self) -> Reply {
        match &self.circuit.mode {
            Mode::Closed => self.attempt_closed(),
            Mode::Open { deadline } => self.attempt_open(*deadline),
            Mode::HalfOpen(_) => self.attempt_half_open(),
            Mode::Pinned(pinned) => self.attempt_pinned(pinned.to),
        }
    }

    fn attempt_pinned(&mut self, to: Pinnable) -> Reply {
        if to == Pinnable::ForcedOpen {
            let retry_after = self.circuit.retry_after(self.context.now);
            return Reply::Rejected { retry_after, cause: Cause::Pinned };
        }
        if to == Pinnable::MetricsOnly && !self.context.rules.measures().hanging.is_empty() {
            self.watch();
        }
        self.admit()
    }

    fn attempt_closed(&mut self) -> Reply {
        let counts_in_flight = !self.context.rules.measures().hanging.is_empty();
        if counts_in_flight && self.trips() {
            self.open(Cause::Tripped, None);
            return self.reject_open();
        }
        self.admit()
    }

    fn attempt_open(&mut self, deadline: Deadline) -> Reply {
        let now = self.context.now;
        let due = match deadline {
            Deadline::At(at) => now >= at,
            Deadline::Never => false,
            Deadline::Ask { not_before } => {
                let (opened_at, reopens) = (self.circuit.since, self.circuit.reopens());
                let ask = AskContext { opened_at, reopens, now };
                now >= not_before && self.context.rules.retry().may_try(ask)
            }
        };
        if !due {
            return self.reject_open();
        }
        self.go(Mode::HalfOpen(Arc::default()), Cause::RetryDue);
        self.attempt_half_open()
    }

    fn reject_open(&self) -> Reply {
        let retry_after = self.circuit.retry_after(self.context.now);
        let cause = self.circuit.trip.as_ref().map_or(Cause::Tripped, |trip| trip.cause);
        Reply::Rejected { retry_after, cause }
    }

    fn admit(&self) -> Reply {
        Reply::Admitted(Stamp { generation: self.circuit.generation, lease: None })
    }

    fn settle(
        &mut self,
        stamp: &Stamp,
        outcome: Outcome,
        duration: Option<Duration>,
        retry_after: Option<Duration>,
    ) -> Reply {
        if let Mode::HalfOpen(_) = self.circuit.mode {
            self.settle_probe(stamp, outcome, duration, retry_after);
            return Reply::Taken;
        }
        if outcome == Outcome::Ignored {
            return Reply::Taken;
        }
        match &self.circuit.mode {
            Mode::Closed if self.trips() => self.open(Cause::Tripped, retry_after),
            Mode::Pinned(pinned) if pinned.to == Pinnable::MetricsOnly => self.watch(),
            _ => {}
        }
        Reply::Taken
    }

    /// Reports under `metrics_only` each time that the tripper turns true.
    fn watch(&mut self) {
        let holds = self.trips();
        let held = self.remember_tripper(holds);
        if holds && held == Some(false) {
            self.would_trip = Some(self.explain());
        }
    }

    fn forget(&mut self) -> Reply {
        if !self.trips() {
            self.remember_tripper(false);
        }
        Reply::Taken
    }

    /// Notes in a pinned state whether the tripper holds, and gives what was noted before.
    fn remember_tripper(&mut self, holds: bool) -> Option<bool> {
        let Mode::Pinned(pinned) = &mut self.circuit.mode else { return None };
        let held = pinned.tripper_held;
        if held != holds {
            Arc::make_mut(pinned).tripper_held = holds;
        }
        Some(held)
    }

    fn command(&mut self, command: Command) -> Reply {
        match command {
            Command::Pin(to, pin) => self.pin(to, pin),
            Command::Auto => return self.unpin(Cause::Unpinned),
            Command::Reset => self.close(Cause::Reset),
        }
        Reply::Taken
    }

    fn pin(&mut self, to: Pinnable, pin: Pin) {
        let until = pin.lasting.map(|lasting| self.context.now + lasting);
        let pin = Arc::new(Pin { until, ..pin });
        match &mut self.circuit.mode {
            Mode::Pinned(present) if present.to == to => Arc::make_mut(present).pin = pin,
            _ => {
                let pinned = Pinned { to, pin, tripper_held: false };
                self.go(Mode::Pinned(Arc::new(pinned)), Cause::Pinned);
            }
        }
    }

    fn unpin(&mut self, cause: Cause) -> Reply {
        match &self.circuit.mode {
            Mode::Pinned(pinned) if pinned.to == Pinnable::ForcedOpen => {
                self.go(Mode::HalfOpen(Arc::default()), cause);
            }
            Mode::Pinned(_) => self.close(cause),
            _ => {}
        }
        Reply::Taken
    }

    pub(super) fn close(&mut self, cause: Cause) {
        self.circuit.trip = None;
        self.go(Mode::Closed, cause);
    }

    /// Opens the circuit. The deadline is drawn here, once, jitter included.
    pub(super) fn open(&mut self, cause: Cause, retry_after: Option<Duration>) {
        let Context { now, rules, metrics, draw } = self.context;
        let again = matches!(self.circuit.mode, Mode::HalfOpen(_));
        let reopens = self.circuit.reopens().saturating_add(u32::from(again));
        let (metrics, why) = match &self.circuit.trip {
            Some(first) => (first.metrics, first.why.clone()),
            None => (*metrics, self.explain()),
        };
        self.circuit.trip = Some(Arc::new(Trip { cause, at: now, metrics, why, reopens }));
        let deadline = rules.retry().deadline(now, reopens, draw, retry_after);
        self.go(Mode::Open { deadline }, cause);
    }

    pub(super) fn trips(&self) -> bool {
        self.context.rules.tripper().holds(&self.trip_context())
    }

    fn explain(&self) -> String {
        self.context.rules.tripper().explain(&self.trip_context())
    }

    fn trip_context(&self) -> TripContext<'a> {
        let half_open = matches!(self.circuit.mode, Mode::HalfOpen(_));
        TripContext { metrics: self.context.metrics, half_open }
    }

    /// The one place where a state changes.
    fn go(&mut self, mode: Mode, cause: Cause) {
        let now = self.context.now;
        let (from, lasted) = (self.circuit.state(), now.since(self.circuit.since));
        self.circuit.mode = mode;
        self.circuit.generation += 1;
        self.circuit.since = now;
        self.transition = Some(Transition {
            from,
            lasted,
            to: self.circuit.state(),
            cause,
            generation: self.circuit.generation,
            at: now,
            reopens: self.circuit.reopens(),
            metrics: *self.context.metrics,
            trip: self.circuit.trip.clone(),
            pin: self.circuit.pin().cloned(),
            retry_after: self.circuit.retry_after(now),
        });
    }
}
