//! A deliberately stupid circuit breaker: one thread, every call and outcome kept for ever, everything recomputed at
//! every step. It is written from the contract alone, so that it shares no mistake with the engine.

use std::time::Duration;

use fuseboard_core::machine::Pinnable;
use fuseboard_core::policy::{Permit, Recovery, Retry};
use fuseboard_core::{Cause, Rules, State, Totals};

use crate::judge::{
    Measured, Recorded, forgets_at, hanging_thresholds, holds, measure, nanos, slow_thresholds,
};
use crate::words::{Answer, End, News, Order, Sight, When};

/// An admitted call, for ever.
#[derive(Clone, Copy, Debug)]
struct Call {
    admitted: u64,
    generation: u64,
    lease_until: Option<u64>,
    lapsed: bool,
    ended: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Twin {
    rules: Rules,
    state: State,
    since: u64,
    generation: u64,
    reopens: u32,
    tripped: Option<(Cause, u64)>,
    deadline: Option<u64>,
    pin_until: Option<u64>,
    tripper_held: bool,
    calls: Vec<Call>,
    outcomes: Vec<Recorded>,
    totals: Totals,
    news: Vec<News>,
    heard: Vec<News>,
}

enum Lapse {
    Lease(usize),
    Pin,
}

/// What is left of all time that a clock can tell: nobody waits for longer.
fn left(now: u64) -> Duration {
    Duration::from_nanos(u64::MAX - now)
}

impl Twin {
    pub(crate) fn new(rules: Rules) -> Self {
        Twin {
            rules,
            state: State::Closed,
            since: 0,
            generation: 0,
            reopens: 0,
            tripped: None,
            deadline: None,
            pin_until: None,
            tripper_held: false,
            calls: Vec::new(),
            outcomes: Vec::new(),
            totals: Totals::default(),
            news: Vec::new(),
            heard: Vec::new(),
        }
    }

    /// What the engine tells next. The twin takes its word in two matters: where a wait agrees with the twin's own but
    /// for rounding, so that both mean the same nanosecond from there on, and where the contract allows either.
    pub(crate) fn hear(&mut self, told: &[News]) {
        self.heard = told.to_vec();
    }

    /// What listeners are to be told since it was last taken.
    pub(crate) fn news(&self) -> &[News] {
        &self.news
    }

    /// What listeners are to be told since the last time.
    pub(crate) fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    pub(crate) fn tick(&mut self, when: When) {
        while let Some((at, lapse)) = self.next_lapse().filter(|(at, _)| *at <= when.now) {
            let when = When { now: at, ..when };
            match lapse {
                Lapse::Lease(call) => self.lapse_lease(call, when),
                Lapse::Pin => self.end_pin(Cause::PinLapsed, when),
            }
        }
    }

    pub(crate) fn look(&mut self, when: When) -> Sight {
        self.tick(when);
        let remaining = |until: u64| Duration::from_nanos(until.saturating_sub(when.now));
        Sight {
            state: self.state,
            generation: self.generation,
            reopens: self.reopens,
            lasted: Duration::from_nanos(when.now - self.since),
            measured: self.measured(when.now),
            in_flight: self.calls.iter().filter(|call| !call.ended).count() as u64,
            totals: self.totals,
            retry_after: self.rejects_until().map(remaining),
            tripped: self.tripped,
            pin_remaining: self.is_pinned().then(|| self.pin_until.map(remaining)),
        }
    }

    /// Attempts a call. An admitted one is known by the number of calls admitted before it.
    pub(crate) fn acquire(&mut self, when: When) -> Answer {
        self.tick(when);
        if self.state == State::Closed && self.watches_calls_in_flight() && self.trips(when.now) {
            self.open(Cause::Tripped, None, when);
            return self.reject(when);
        }
        if self.state == State::Open && self.deadline.is_some_and(|deadline| deadline <= when.now) {
            self.go(State::HalfOpen, Cause::RetryDue, None, when);
        }
        match self.state {
            State::Open | State::ForcedOpen => self.reject(when),
            State::HalfOpen if self.leases().count() >= self.rules.slots() as usize => {
                self.reject(when)
            }
            State::HalfOpen if !self.permits(when) => self.reject(when),
            State::MetricsOnly if self.watches_calls_in_flight() => {
                self.report_if_it_turns(when);
                self.admit(when)
            }
            _ => self.admit(when),
        }
    }

    /// Makes calls that end at once; gives of each the rejection.
    pub(crate) fn call(&mut self, end: End, many: u8, when: When) -> Vec<Option<Answer>> {
        let one = |_| match self.acquire(when) {
            Answer::Admitted { .. } => {
                self.settle(self.calls.len() - 1, end, when);
                None
            }
            rejected @ Answer::Rejected { .. } => Some(rejected),
        };
        (0..many).map(one).collect()
    }

    pub(crate) fn settle(&mut self, call: usize, end: End, when: When) {
        self.tick(when);
        assert!(!self.calls[call].ended, "a call ends once");
        let Call { admitted, generation, lapsed, .. } = self.calls[call];
        if generation != self.generation || lapsed {
            self.calls[call].ended = true;
            self.totals.stale += 1;
            return;
        }
        let took = when.now - admitted;
        let hung = self.rules.cancelled_after().is_some_and(|limit| took >= nanos(limit));
        let counts = match end {
            End::Ignored => false,
            End::Dropped => hung,
            End::Success | End::Failure { .. } | End::Panicked => true,
        };
        self.leave(call, counts, when);
        match end {
            End::Ignored => self.totals.ignored += 1,
            End::Dropped if !hung => self.totals.cancelled += 1,
            End::Success => {
                self.totals.success += 1;
                self.count(false, took, (Cause::ProbeSlow, None), when);
            }
            End::Failure { retry_after } => {
                self.totals.failure += 1;
                self.count(true, took, (Cause::ProbeFailed, retry_after), when);
            }
            End::Dropped | End::Panicked => {
                self.totals.failure += 1;
                self.count(true, took, (Cause::ProbeFailed, None), when);
            }
        }
    }

    pub(crate) fn command(&mut self, order: Order, when: When) {
        self.tick(when);
        match order {
            Order::Pin(to, lasting) => {
                if self.state != to.state() {
                    let rejects_for = lasting.filter(|_| to == Pinnable::ForcedOpen);
                    let rejects_for = rejects_for.map(|lasting| lasting.min(left(when.now)));
                    self.go(to.state(), Cause::Pinned, rejects_for, when);
                }
                self.pin_until = lasting.map(|lasting| when.now.saturating_add(nanos(lasting)));
            }
            Order::Auto if self.is_pinned() => self.end_pin(Cause::Unpinned, when),
            Order::Auto => {}
            Order::Reset => self.go(State::Closed, Cause::Reset, None, when),
        }
    }

    /// Times at which something may change, for programs that want to be there.
    pub(crate) fn points(&self) -> Vec<u64> {
        let tripper = self.rules.tripper();
        let mut limits = [slow_thresholds(tripper), hanging_thresholds(tripper)].concat();
        limits.extend(self.rules.cancelled_after());
        let mut points: Vec<u64> = self.leases().filter_map(|call| call.lease_until).collect();
        points.extend(self.pin_until);
        points.extend(self.deadline);
        let outcomes = self.outcomes_of_state().into_iter();
        points.extend(outcomes.filter_map(|outcome| forgets_at(self.rules.window(), outcome.at)));
        for call in self.calls.iter().filter(|call| !call.ended) {
            points.extend(limits.iter().map(|limit| call.admitted.saturating_add(nanos(*limit))));
        }
        points
    }

    fn count(&mut self, failed: bool, took: u64, probe: (Cause, Option<Duration>), when: When) {
        if self.state == State::Disabled {
            return;
        }
        let generation = self.generation;
        self.outcomes.push(Recorded { at: when.now, failed, took, generation });
        match self.state {
            State::Closed if self.trips(when.now) => self.open(Cause::Tripped, probe.1, when),
            State::HalfOpen => self.judge_probe(failed, took, probe, when),
            State::MetricsOnly => self.report_if_it_turns(when),
            _ => {}
        }
    }

    fn judge_probe(
        &mut self,
        failed: bool,
        took: u64,
        (cause, retry_after): (Cause, Option<Duration>),
        when: When,
    ) {
        let slow_from = slow_thresholds(self.rules.tripper()).first().copied();
        let slow = slow_from.is_some_and(|threshold| took >= nanos(threshold));
        let successes = self.outcomes_of_state().iter().filter(|outcome| !outcome.failed).count();
        let (opens, closes) = match self.rules.recovery() {
            Recovery::Successes(enough) => (failed || slow, successes >= *enough as usize),
            Recovery::Tripper => {
                let trips = self.trips(when.now);
                (failed && trips, !failed && !trips)
            }
            Recovery::Custom(_) => panic!("the programs have no custom recoveries"),
        };
        if opens {
            self.open(cause, retry_after, when);
        } else if closes {
            self.go(State::Closed, Cause::Recovered, None, when);
        }
    }

    /// A call ends, and is not counted yet. A tripper that is false by now can turn true again; a call that is never
    /// counted may make it false by leaving.
    fn leave(&mut self, call: usize, counts: bool, when: When) {
        self.tripper_held &= self.trips(when.now);
        self.calls[call].ended = true;
        if !counts {
            self.tripper_held &= self.trips(when.now);
        }
    }

    fn report_if_it_turns(&mut self, when: When) {
        let trips = self.trips(when.now);
        let turns = trips && !self.tripper_held;
        if turns {
            self.news.push(News::WouldTrip);
        }
        self.tripper_held = trips;
    }

    fn next_heard(&self) -> Option<&News> {
        self.heard.get(self.news.len())
    }

    fn admit(&mut self, when: When) -> Answer {
        let probe = self.state == State::HalfOpen;
        let lease_until = when.now.saturating_add(nanos(self.rules.probe_timeout()));
        self.calls.push(Call {
            admitted: when.now,
            generation: self.generation,
            lease_until: probe.then_some(lease_until),
            lapsed: false,
            ended: false,
        });
        Answer::Admitted { probe }
    }

    fn reject(&mut self, when: When) -> Answer {
        self.totals.rejected += 1;
        let cause = match self.state {
            State::Open => self.tripped.expect("an open circuit has a cause").0,
            State::ForcedOpen => Cause::Pinned,
            _ => Cause::ProbesLimited,
        };
        let retry_after =
            self.rejects_until().map(|end| Duration::from_nanos(end.saturating_sub(when.now)));
        Answer::Rejected { state: self.state, retry_after, cause }
    }

    /// When an attempt may succeed, in a state that rejects them all.
    fn rejects_until(&self) -> Option<u64> {
        match self.state {
            State::Open => self.deadline,
            State::ForcedOpen => self.pin_until,
            _ => None,
        }
    }

    fn permits(&self, when: When) -> bool {
        match self.rules.permit() {
            Permit::All => true,
            Permit::Random(ratio) => when.draw < *ratio,
            Permit::RampUp { from, to, over } => {
                let way = (when.now - self.since) as f64 / nanos(*over) as f64;
                when.draw < from + (to - from) * way.min(1.0)
            }
            Permit::Custom(_) => panic!("the programs have no custom permits"),
        }
    }

    fn next_lapse(&self) -> Option<(u64, Lapse)> {
        if self.is_pinned() {
            return Some((self.pin_until?, Lapse::Pin));
        }
        let leases = self.calls.iter().enumerate().filter(|(_, call)| self.holds_slot(call));
        let ends = leases.filter_map(|(index, call)| Some((call.lease_until?, index)));
        ends.min().map(|(at, index)| (at, Lapse::Lease(index)))
    }

    fn lapse_lease(&mut self, call: usize, when: When) {
        self.calls[call].lapsed = true;
        self.count(true, nanos(self.rules.probe_timeout()), (Cause::ProbeLapsed, None), when);
    }

    fn end_pin(&mut self, cause: Cause, when: When) {
        let to = if self.state == State::ForcedOpen { State::HalfOpen } else { State::Closed };
        self.go(to, cause, None, when);
    }

    fn open(&mut self, cause: Cause, retry_after: Option<Duration>, when: When) {
        if self.state == State::HalfOpen {
            self.reopens += 1;
        }
        let wait = self.agreed_wait(retry_after, when);
        self.go(State::Open, cause, wait, when);
        self.tripped = Some((cause, when.now));
        self.deadline = wait.map(|wait| when.now.saturating_add(nanos(wait)));
    }

    fn go(&mut self, to: State, cause: Cause, retry_after: Option<Duration>, when: When) {
        let snapshot = self.measured(when.now);
        let from = std::mem::replace(&mut self.state, to);
        self.generation += 1;
        self.since = when.now;
        (self.deadline, self.pin_until) = (None, None);
        self.tripper_held = false;
        if to == State::Closed {
            (self.reopens, self.tripped) = (0, None);
        }
        let (generation, at, reopens) = (self.generation, when.now, self.reopens);
        self.news.push(News::Transition {
            from,
            to,
            cause,
            generation,
            at,
            reopens,
            snapshot,
            retry_after,
        });
    }

    /// The wait of this opening: the engine's where that is the twin's own but for rounding, else the twin's own.
    fn agreed_wait(&mut self, retry_after: Option<Duration>, when: When) -> Option<Duration> {
        let own = self.own_wait(retry_after, when.draw).map(|wait| wait.min(left(when.now)));
        let heard = match self.next_heard() {
            Some(News::Transition { to: State::Open, retry_after, .. }) => *retry_after,
            _ => None,
        };
        let near = |own: Duration, heard: Duration| own.abs_diff(heard) <= Duration::from_nanos(10);
        match (own, heard) {
            (Some(own), Some(heard)) if near(own, heard) => Some(heard),
            _ => own,
        }
    }

    fn own_wait(&self, retry_after: Option<Duration>, draw: f64) -> Option<Duration> {
        let jittered = |base: f64, jitter: f64| base * (1.0 + jitter * (2.0 * draw - 1.0));
        let secs = |duration: &Duration| duration.as_secs_f64();
        let hour = Duration::from_secs(3600);
        let (wait, cap) = match self.rules.retry() {
            Retry::Never => return None,
            Retry::Always => (0.0, hour),
            Retry::Cooldown { wait, jitter } => (jittered(secs(wait), *jitter), hour),
            Retry::Backoff { initial, max, multiplier, jitter } => {
                let growth = multiplier.powf(f64::from(self.reopens));
                let wait = jittered((secs(initial) * growth).min(secs(max)), *jitter);
                (wait.min(2.0 * secs(max) - wait), *max)
            }
            Retry::Custom(_) => panic!("the programs have no custom retries"),
        };
        let asked = retry_after.unwrap_or_default().min(cap);
        Some(Duration::from_secs_f64(wait).max(asked))
    }

    fn measured(&self, now: u64) -> Measured {
        // A call whose lease lapsed hangs on; one from before the state began is no longer looked at.
        let hangs = |call: &&Call| !call.ended && call.generation == self.generation;
        let since: Vec<u64> = self.calls.iter().filter(hangs).map(|call| call.admitted).collect();
        let policies = (self.rules.window(), self.rules.tripper());
        measure(policies, &self.outcomes_of_state(), &since, now)
    }

    fn outcomes_of_state(&self) -> Vec<&Recorded> {
        let of_state = |outcome: &&Recorded| outcome.generation == self.generation;
        self.outcomes.iter().filter(of_state).collect()
    }

    fn trips(&self, now: u64) -> bool {
        holds(self.rules.tripper(), &self.measured(now), self.state == State::HalfOpen)
    }

    fn watches_calls_in_flight(&self) -> bool {
        !hanging_thresholds(self.rules.tripper()).is_empty()
    }

    fn holds_slot(&self, call: &Call) -> bool {
        let current = call.generation == self.generation && !call.lapsed;
        current && !call.ended && call.lease_until.is_some()
    }

    fn leases(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(|call| self.holds_slot(call))
    }

    fn is_pinned(&self) -> bool {
        !matches!(self.state, State::Closed | State::Open | State::HalfOpen)
    }
}
