//! Runs a program on the engine and the twin, side by side or on the engine alone.

use std::fmt::{Debug, Write};

use fuseboard_core::{Rules, State};

use crate::engine::Subject;
use crate::forms::Form;
use crate::programs::{Act, Far, Step};
use crate::twin::Twin;
use crate::words::{Answer, End, News, Order, Sight, When};

/// A step in which nothing is left to choose, so that it means the same wherever it runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fixed {
    Acquire,
    Settle(usize, End),
    Calls(Form, End, u8),
    Command(Order),
    Advance(u64),
    Wall(i64),
    Look,
    State,
    Tick,
}

/// What a step gave.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Given {
    Nothing,
    Answer(Answer),
    /// Of each call, the rejection.
    Called(Vec<Option<Answer>>),
    Sight(Box<Sight>),
    State(State),
}

pub(crate) fn on_engine(subject: &mut Subject, step: Fixed, draw: f64) -> Given {
    let when = When { now: subject.now(), draw };
    match step {
        Fixed::Acquire => return Given::Answer(subject.acquire(when)),
        Fixed::Calls(form, end, many) => return Given::Called(subject.call(form, end, many, when)),
        Fixed::Look => return Given::Sight(Box::new(subject.look(when))),
        Fixed::State => return Given::State(subject.state(when)),
        Fixed::Settle(call, end) => subject.settle(call, end, when),
        Fixed::Command(order) => subject.command(order, when),
        Fixed::Advance(nanos) => subject.advance(nanos),
        Fixed::Wall(millis) => subject.set_wall(millis),
        Fixed::Tick => subject.tick(when),
    }
    Given::Nothing
}

fn on_twin(twin: &mut Twin, step: Fixed, when: When) -> Given {
    match step {
        Fixed::Acquire => return Given::Answer(twin.acquire(when)),
        Fixed::Calls(_, end, many) => return Given::Called(twin.call(end, many, when)),
        Fixed::Look => return Given::Sight(Box::new(twin.look(when))),
        Fixed::State => return Given::State(twin.look(when).state),
        Fixed::Settle(call, end) => twin.settle(call, end, when),
        Fixed::Command(order) => twin.command(order, when),
        Fixed::Advance(_) | Fixed::Wall(_) => {}
        Fixed::Tick => twin.tick(when),
    }
    Given::Nothing
}

/// The engine and the twin in one program, and what happened so far.
pub(crate) struct Pair {
    pub(crate) subject: Subject,
    pub(crate) twin: Twin,
    /// The calls that did not end yet, by their numbers, oldest first.
    pub(crate) in_flight: Vec<usize>,
    /// How many calls were admitted.
    pub(crate) admitted: usize,
    story: String,
    /// What all steps gave.
    pub(crate) given: Vec<Given>,
    /// What the listener was told.
    pub(crate) told: Vec<News>,
}

impl Pair {
    pub(crate) fn new(rules: &Rules) -> Self {
        let (subject, twin) = (Subject::new(rules.clone()), Twin::new(rules.clone()));
        Pair {
            subject,
            twin,
            in_flight: Vec::new(),
            admitted: 0,
            story: String::new(),
            given: Vec::new(),
            told: Vec::new(),
        }
    }

    /// Chooses what the step leaves open; `None` where there is nothing to do.
    fn fix(&self, step: &Step) -> Option<Fixed> {
        Some(match step.act {
            Act::Acquire => Fixed::Acquire,
            Act::Settle(pick, end) => {
                Fixed::Settle(self.in_flight[pick.among(self.in_flight.len())?], end)
            }
            Act::Calls(form, end, many) => Fixed::Calls(form, end, many),
            Act::Command(order) => Fixed::Command(order),
            Act::Advance(Far::By(duration)) => Fixed::Advance(duration.as_nanos() as u64),
            Act::Advance(Far::Point(nth, off)) => Fixed::Advance(self.way_to_point(nth, off)?),
            Act::Advance(Far::BeforeTheEnd(duration)) => {
                let left = u64::MAX - self.subject.now();
                Fixed::Advance(left.checked_sub(duration.as_nanos() as u64)?)
            }
            Act::Wall(millis) => Fixed::Wall(millis),
            Act::Look => Fixed::Look,
            Act::State => Fixed::State,
            Act::Tick => Fixed::Tick,
        })
    }

    fn way_to_point(&self, nth: u8, off: i8) -> Option<u64> {
        let now = self.subject.now();
        let points = self.twin.points().into_iter();
        let points = points.map(|point| point.saturating_add_signed(off.into()));
        let mut ahead: Vec<u64> = points.filter(|point| *point >= now).collect();
        ahead.sort_unstable();
        ahead.dedup();
        let point = ahead.get(usize::from(nth) % ahead.len().max(1))?;
        Some(point - now)
    }

    /// Runs a step on both, if there is something to do; gives it as it was done.
    pub(crate) fn run_step(&mut self, step: &Step) -> Result<Option<Fixed>, String> {
        let Some(fixed) = self.fix(step) else { return Ok(None) };
        self.run(fixed, step.draw)?;
        Ok(Some(fixed))
    }

    /// Runs one step on both; the error tells the whole story up to where they differ.
    pub(crate) fn run(&mut self, step: Fixed, draw: f64) -> Result<(), String> {
        let given = on_engine(&mut self.subject, step, draw);
        let when = When { now: self.subject.now(), draw };
        let told = self.subject.take_news();
        self.twin.hear(&told);
        let expected = on_twin(&mut self.twin, step, when);
        let expected_told = self.twin.take_news();
        match (step, &given) {
            (Fixed::Acquire, Given::Answer(Answer::Admitted { .. })) => {
                self.in_flight.push(self.admitted);
                self.admitted += 1;
            }
            (_, Given::Called(answers)) => {
                self.admitted += answers.iter().filter(|answer| answer.is_none()).count();
            }
            (Fixed::Settle(call, _), _) => self.in_flight.retain(|other| *other != call),
            _ => {}
        }
        let _ = writeln!(self.story, "at {} ns: {step:?} (draw {draw})", when.now);
        self.compare("gives", &given, &expected)?;
        self.compare("tells", &told, &expected_told)?;
        self.given.push(given);
        self.told.extend(told);
        Ok(())
    }

    fn compare<T: Debug + PartialEq>(
        &mut self,
        does: &str,
        engine: &T,
        twin: &T,
    ) -> Result<(), String> {
        if engine == twin {
            let _ = writeln!(self.story, "    {does} {engine:?}");
            return Ok(());
        }
        Err(format!("{}the engine {does} {engine:#?}\nthe twin {does} {twin:#?}", self.story))
    }
}
