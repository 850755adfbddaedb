//! Plays a vector on a real circuit breaker and says where it differs from what is expected.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fuseboard_core::machine::Command;
use fuseboard_core::random::Random;
use fuseboard_core::text::format_duration;
use fuseboard_core::time::{ManualClock, Moment};
use fuseboard_core::{
    CircuitBreaker, Failure, Info, Listener, Pin, Rejected, State, Ticket, Totals, Transition,
};

use crate::schema::{Expect, Step, Told, Vector, Verb};
use crate::values::{
    Measured, counted, duration, nested, pinnable, read, rules, said, spelled_out, what,
};

/// Draws what it was told to.
#[derive(Debug)]
struct Dice(Mutex<f64>);

impl Random for Dice {
    fn draw(&self) -> f64 {
        *self.0.lock().unwrap()
    }
}

/// What a listener was told.
enum News {
    Transition(Box<Transition>),
    WouldTrip,
}

impl News {
    fn in_short(&self) -> String {
        match self {
            News::Transition(told) => format!("{} -> {}: {}", told.from, told.to, told.cause),
            News::WouldTrip => "would trip".to_owned(),
        }
    }
}

#[derive(Default)]
struct Heard(Mutex<Vec<News>>);

impl Listener for Heard {
    fn on_transition(&self, _circuit: &str, transition: &Transition) {
        self.0.lock().unwrap().push(News::Transition(Box::new(transition.clone())));
    }

    fn on_would_trip(&self, _circuit: &str, _why: &str) {
        self.0.lock().unwrap().push(News::WouldTrip);
    }
}

/// What an attempt came to; `None` where nothing was attempted.
type Attempt = Option<Result<bool, Rejected>>;

/// All that differs from what the vector says; empty if it holds.
pub(crate) fn problems(vector: &Vector) -> Vec<String> {
    let mut player = match Player::new(vector) {
        Ok(player) => player,
        Err(problem) => return vec![problem],
    };
    let parts = [("given", &vector.given), ("step", &vector.steps)];
    for (part, steps) in parts {
        for (index, step) in steps.iter().enumerate() {
            if let Err(problem) = player.play(step, part == "step") {
                player.problems.push(problem);
            }
            if !player.problems.is_empty() {
                let place = format!("{part} {} ({})", index + 1, step.verb);
                return player
                    .problems
                    .iter()
                    .map(|problem| format!("{place}: {problem}"))
                    .collect();
            }
        }
        if let (Some((state, _)), "given") = (cell(vector), part) {
            let found = player.breaker.state().to_string();
            if found != state {
                return vec![format!("given: expected to be {state}, found {found}")];
            }
        }
    }
    Vec::new()
}

fn cell(vector: &Vector) -> Option<(&str, &str)> {
    vector.cell.as_deref()?.split_once(": ")
}

struct Player {
    breaker: CircuitBreaker,
    clock: Arc<ManualClock>,
    dice: Arc<Dice>,
    heard: Arc<Heard>,
    now: Duration,
    tickets: BTreeMap<String, Ticket>,
    /// Admitted calls that nobody ends.
    kept: Vec<Ticket>,
    admitted: u64,
    transitions: u64,
    problems: Vec<String>,
}

impl Player {
    fn new(vector: &Vector) -> Result<Self, String> {
        let (clock, heard) = (Arc::new(ManualClock::new()), Arc::new(Heard::default()));
        let dice = Arc::new(Dice(Mutex::new(vector.draw)));
        let builder = CircuitBreaker::builder("vector").rules(rules(&vector.rules)?);
        let builder = builder.clock(clock.clone()).random(dice.clone());
        let breaker = builder.shared_listener(heard.clone()).build().map_err(said)?;
        Ok(Player {
            breaker,
            clock,
            dice,
            heard,
            now: Duration::ZERO,
            tickets: BTreeMap::new(),
            kept: Vec::new(),
            admitted: 0,
            transitions: 0,
            problems: Vec::new(),
        })
    }

    fn play(&mut self, step: &Step, checked: bool) -> Result<(), String> {
        check_keys(step, checked)?;
        if let Some(at) = &step.at {
            let at = duration(at)?;
            let ahead = at.checked_sub(self.now).ok_or("time does not go back")?;
            self.clock.advance(ahead);
            self.now = at;
        }
        if let Some(draw) = step.draw {
            *self.dice.0.lock().unwrap() = draw;
        }
        let attempt = self.act(step)?;
        let info = self.breaker.info();
        let told = std::mem::take(&mut *self.heard.0.lock().unwrap());
        self.check_what_always_holds(&attempt, &info, &told);
        if !checked {
            return match attempt {
                Some(Err(rejected)) => Err(format!("the attempt was rejected: {}", rejected.cause)),
                _ => Ok(()),
            };
        }
        let nothing = Expect::default();
        let expect = step.expect.as_ref().unwrap_or(&nothing);
        self.check_attempt(expect, &attempt);
        self.check_info(expect, &info)?;
        self.check_told(&expect.told, &told)
    }

    fn act(&mut self, step: &Step) -> Result<Attempt, String> {
        match step.verb {
            Verb::Attempt => return Ok(Some(self.attempt(step.ticket.clone()))),
            Verb::Calls => {
                let outcomes = step.outcomes.as_deref().unwrap_or_default();
                for letter in spelled_out(outcomes)? {
                    let ticket =
                        self.ticket().map_err(|found| format!("rejected: {}", found.cause))?;
                    settle(ticket, letter, Failure::default())?;
                }
            }
            Verb::Judged => {
                let seen = step.seen.as_deref().unwrap_or_default();
                let outcome = self.breaker.rules().classifier().classify(&what(seen)?);
                let ticket = self.ticket().map_err(|found| format!("rejected: {}", found.cause))?;
                ticket.settle(outcome);
            }
            verb if verb.ends_a_call() => self.end(step)?,
            Verb::Tick => self.breaker.tick(),
            Verb::Auto => self.breaker.auto(),
            Verb::Reset => self.breaker.reset(),
            verb => {
                let pin = Pin::by("ops");
                let pin = match &step.lasting {
                    Some(lasting) => pin.lasting(duration(lasting)?),
                    None => pin,
                };
                self.breaker.command(Command::Pin(pinnable(verb), pin));
            }
        }
        Ok(None)
    }

    fn ticket(&mut self) -> Result<Ticket, Rejected> {
        let ticket = self.breaker.try_acquire()?;
        self.admitted += 1;
        Ok(ticket)
    }

    fn attempt(&mut self, name: Option<String>) -> Result<bool, Rejected> {
        let ticket = self.ticket()?;
        let probe = ticket.is_probe();
        match name {
            Some(name) => drop(self.tickets.insert(name, ticket)),
            None => self.kept.push(ticket),
        }
        Ok(probe)
    }

    fn end(&mut self, step: &Step) -> Result<(), String> {
        let name = step.ticket.as_deref().unwrap_or_default();
        let ticket = self.tickets.remove(name).ok_or_else(|| format!("no ticket `{name}`"))?;
        let ticket = match &step.took {
            Some(took) => ticket.took(duration(took)?),
            None => ticket,
        };
        let failure = match &step.retry_after {
            Some(delay) => Failure::new("503").retry_after(duration(delay)?),
            None => Failure::new("refused"),
        };
        let letter = match step.verb {
            Verb::Success => 'S',
            Verb::Failure => 'F',
            Verb::Ignored => 'I',
            Verb::Cancelled => 'C',
            _ => 'P',
        };
        settle(ticket, letter, failure)
    }

    fn check_what_always_holds(&mut self, attempt: &Attempt, info: &Info, told: &[News]) {
        for news in told {
            if let News::Transition(transition) = news {
                self.transitions += 1;
                self.same(
                    "the transition's generation",
                    &self.transitions.clone(),
                    &transition.generation,
                );
            }
        }
        self.same("the generation", &self.transitions.clone(), &info.generation);
        let Totals { success, failure, ignored, cancelled, stale, .. } = info.totals;
        let ended = success + failure + ignored + cancelled + stale;
        self.same(
            "calls that ended or are in flight",
            &self.admitted.clone(),
            &(ended + info.in_flight),
        );
        match attempt {
            Some(Ok(probe)) => self.same("probe", &(info.state == State::HalfOpen), probe),
            Some(Err(rejected)) => {
                let found = (rejected.state, rejected.retry_after);
                self.same("what the rejection says", &(info.state, info.retry_after), &found);
            }
            None => {}
        }
    }

    fn check_attempt(&mut self, expect: &Expect, attempt: &Attempt) {
        let found = match attempt {
            None => return,
            Some(Ok(_)) => "admitted".to_owned(),
            Some(Err(rejected)) => rejected.cause.to_string(),
        };
        let expected = expect.rejected.clone().unwrap_or_else(|| "admitted".to_owned());
        self.same("the attempt", &expected, &found);
    }

    fn check_info(&mut self, expect: &Expect, info: &Info) -> Result<(), String> {
        self.maybe("state", &expect.state, info.state.to_string());
        self.maybe("reopens", &expect.reopens, info.reopens);
        self.maybe("lasted", &read(&expect.lasted)?, info.lasted);
        self.maybe("in_flight", &expect.in_flight, info.in_flight);
        self.maybe("retry_after", &nested(&expect.retry_after)?, info.retry_after);
        let pin = info.pin.as_ref().map(|pin| match pin.remaining {
            Some(remaining) => format_duration(remaining).to_string(),
            None => "never".to_owned(),
        });
        self.maybe("pin_remaining", &expect.pin_remaining, pin);
        if let Some(metrics) = &expect.metrics {
            self.same("metrics", &Measured::expected(metrics)?, &Measured::found(&info.metrics));
        }
        if let Some(totals) = &expect.totals {
            self.same("totals", totals, &counted(&info.totals));
        }
        match (&expect.trip, &info.trip) {
            (None, _) | (Some(None), None) => {}
            (Some(Some(expected)), Some(found)) => {
                self.same("trip.cause", &expected.cause, &found.cause.to_string());
                self.same("trip.at", &duration(&expected.at)?, &found.at.since(Moment::ZERO));
                if let Some(metrics) = &expected.metrics {
                    let found = Measured::found(&found.metrics);
                    self.same("trip.metrics", &Measured::expected(metrics)?, &found);
                }
            }
            (Some(expected), found) => {
                self.same("trip", &expected.is_some(), &found.is_some());
            }
        }
        Ok(())
    }

    fn check_told(&mut self, expected: &[Told], told: &[News]) -> Result<(), String> {
        let in_short: Vec<String> =
            expected.iter().map(|told| told.in_short().to_owned()).collect();
        let found: Vec<String> = told.iter().map(News::in_short).collect();
        self.same("told", &in_short, &found);
        for (expected, found) in expected.iter().zip(told) {
            if let (Told::Long(expected), News::Transition(found)) = (expected, found) {
                self.maybe("told.at", &read(&expected.at)?, found.at.since(Moment::ZERO));
                self.maybe("told.reopens", &expected.reopens, found.reopens);
                let retry_after = nested(&expected.retry_after)?;
                self.maybe("told.retry_after", &retry_after, found.retry_after);
                if let Some(metrics) = &expected.metrics {
                    let found = Measured::found(&found.metrics);
                    self.same("told.metrics", &Measured::expected(metrics)?, &found);
                }
            }
        }
        Ok(())
    }

    fn maybe<T: Debug + PartialEq>(&mut self, what: &str, expected: &Option<T>, found: T) {
        if let Some(expected) = expected {
            self.same(what, expected, &found);
        }
    }

    fn same<T: Debug + PartialEq>(&mut self, what: &str, expected: &T, found: &T) {
        if expected != found {
            self.problems.push(format!("{what}: expected {expected:?}, found {found:?}"));
        }
    }
}

impl Told {
    fn in_short(&self) -> &str {
        match self {
            Told::Short(told) => told,
            Told::Long(told) => &told.transition,
        }
    }
}

/// Refuses keys that mean nothing where they stand, and misses those that are needed.
fn check_keys(step: &Step, checked: bool) -> Result<(), String> {
    let verb = step.verb;
    let ends = verb.ends_a_call();
    let expect = step.expect.as_ref();
    let answers = expect.map_or(0, |expect| {
        u8::from(expect.admitted == Some(true)) + u8::from(expect.rejected.is_some())
    });
    let rows = [
        ("ticket", step.ticket.is_some(), ends || verb == Verb::Attempt),
        ("outcomes", step.outcomes.is_some(), verb == Verb::Calls),
        ("seen", step.seen.is_some(), verb == Verb::Judged),
        ("retry_after", step.retry_after.is_some(), verb == Verb::Failure),
        (
            "took",
            step.took.is_some(),
            matches!(verb, Verb::Success | Verb::Failure | Verb::Ignored),
        ),
        ("for", step.lasting.is_some(), verb.pins()),
        ("expect", step.expect.is_some(), checked),
        ("admitted or rejected", answers > 0, verb == Verb::Attempt),
    ];
    if let Some((key, ..)) = rows.iter().find(|(_, there, allowed)| *there && !allowed) {
        return Err(format!("`{key}` means nothing here"));
    }
    if checked && verb == Verb::Attempt && answers != 1 {
        return Err("an attempt is either admitted or rejected".to_owned());
    }
    Ok(())
}

fn settle(ticket: Ticket, letter: char, failure: Failure) -> Result<(), String> {
    match letter {
        'S' => ticket.success(),
        'F' => ticket.failure(failure),
        'I' => ticket.ignored(),
        'C' => drop(ticket),
        'P' => {
            let call = AssertUnwindSafe(|| {
                let _ticket = ticket;
                resume_unwind(Box::new("the call"));
            });
            assert!(catch_unwind(call).is_err());
        }
        other => return Err(format!("`{other}` is no outcome")),
    }
    Ok(())
}
