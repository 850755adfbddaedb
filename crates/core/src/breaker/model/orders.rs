//! What a program may come to: each order of its steps, done by the engine alone.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::program::{Answer, Op, Program, Told, View, told_of, window_of};
use super::thread::{NoChance, told};
use crate::breaker::Totals;
use crate::engine::{Admission, Engine, Notice};
use crate::outcome::Outcome;
use crate::time::Moment;

/// What the orders of a program come to that keep to the order of each thread; but for its successes, if they may be late.
pub(super) fn results(program: &Program, late: bool) -> BTreeSet<String> {
    let mut results = BTreeSet::new();
    let steps: Vec<Vec<Op>> =
        program.threads.iter().map(|ops| ops.iter().flat_map(parts).collect()).collect();
    for steps in if late { delayed(steps) } else { vec![steps] } {
        let steps: Vec<&[Op]> = steps.iter().map(Vec::as_slice).collect();
        interleave(&steps, &mut Vec::new(), &mut |order| {
            results.insert(run(program, order));
        });
    }
    results
}

/// What other threads may come between.
fn parts(op: &Op) -> Vec<Op> {
    match op {
        Op::Call(outcome) => vec![Op::Enter, Op::End(*outcome)],
        Op::EnterLight => vec![Op::Enter],
        Op::Welcome => Vec::new(),
        op => vec![op.clone()],
    }
}

/// The threads with each choice of successes after admissions that they come before.
fn delayed(threads: Vec<Vec<Op>>) -> Vec<Vec<Vec<Op>>> {
    let mut all = vec![threads];
    let mut next = 0;
    while let Some(threads) = all.get(next).cloned() {
        for (thread, ops) in threads.iter().enumerate() {
            for at in 1..ops.len() {
                if let [Op::End(Outcome::Success), Op::Enter] = ops[at - 1..=at] {
                    let mut later = threads.clone();
                    later[thread].swap(at - 1, at);
                    all.push(later);
                }
            }
        }
        next += 1;
    }
    all
}

type Order<'a> = Vec<(usize, &'a Op)>;

fn interleave<'a>(steps: &[&'a [Op]], order: &mut Order<'a>, found: &mut impl FnMut(&Order<'a>)) {
    let mut over = true;
    for thread in 0..steps.len() {
        if let Some((op, rest)) = steps[thread].split_first() {
            over = false;
            let mut left = steps.to_vec();
            left[thread] = rest;
            order.push((thread, op));
            interleave(&left, order, found);
            order.pop();
        }
    }
    if over {
        found(order);
    }
}

fn run(program: &Program, order: &Order<'_>) -> String {
    let mut reference = Reference::new(program);
    program.before.iter().flat_map(parts).for_each(|op| reference.done(0, &op));
    let mut dealt = std::mem::take(&mut reference.tickets[0]).into_iter();
    for tickets in &mut reference.tickets[1..] {
        tickets.extend(dealt.next());
    }
    order.iter().for_each(|(thread, op)| reference.done(thread + 1, op));
    program.after.iter().flat_map(parts).for_each(|op| reference.done(0, &op));
    let end = reference.view();
    told(&reference.answers, &end, &reference.told)
}

/// A circuit without threads: the engine, and what a breaker counts.
struct Reference {
    engine: Engine,
    now: Moment,
    totals: Totals,
    in_flight: u64,
    tickets: Vec<VecDeque<Option<Admission>>>,
    answers: Vec<Vec<Answer>>,
    told: Vec<Told>,
}

impl Reference {
    fn new(program: &Program) -> Self {
        let threads = program.threads.len() + 1;
        Reference {
            engine: Engine::new(Arc::clone(&program.rules), Moment::ZERO),
            now: Moment::ZERO,
            totals: Totals::default(),
            in_flight: 0,
            tickets: vec![VecDeque::new(); threads],
            answers: (0..threads).map(|_| Vec::new()).collect(),
            told: Vec::new(),
        }
    }

    fn done(&mut self, thread: usize, op: &Op) {
        match op {
            Op::Welcome | Op::Call(_) | Op::EnterLight => unreachable!("they have parts"),
            Op::Enter => self.enter(thread),
            Op::End(outcome) => self.end(thread, Some(*outcome)),
            Op::Leave => self.end(thread, None),
            Op::Command(command) => self.engine.command(command.clone(), self.now, &NoChance),
            Op::Reconfigure(rules) => {
                self.engine.reconfigure(Arc::clone(rules), self.now, &NoChance);
            }
            Op::Pass(seconds) => self.now = self.now + Duration::from_secs(*seconds),
            Op::Look => {
                let view = self.view();
                self.answers[thread].push(Answer::Seen(view.amid()));
            }
        }
        for notice in self.engine.take_notices() {
            if let Notice::Transition(transition) = notice {
                self.told.push(told_of(&transition));
            }
        }
    }

    fn enter(&mut self, thread: usize) {
        let made = self.engine.attempt(self.now, &NoChance);
        let state = self.engine.circuit().state();
        self.answers[thread].push(match &made {
            Ok(_) => Answer::Admitted,
            Err(refusal) => Answer::Rejected(state, refusal.cause, refusal.retry_after),
        });
        match &made {
            Ok(_) => self.in_flight += 1,
            Err(_) => self.totals.rejected += 1,
        }
        self.tickets[thread].push_back(made.ok());
    }

    /// A call ends; without an outcome, if it was cancelled.
    fn end(&mut self, thread: usize, outcome: Option<Outcome>) {
        let Some(admission) = self.tickets[thread].pop_front().unwrap() else { return };
        self.in_flight -= 1;
        let (now, came_to) = (self.now, outcome.unwrap_or(Outcome::Ignored));
        let in_time = self.engine.settle(&admission, came_to, None, || now, &NoChance);
        match (in_time, outcome) {
            (false, _) => self.totals.stale += 1,
            (true, Some(Outcome::Success)) => self.totals.success += 1,
            (true, Some(Outcome::Failure)) => self.totals.failure += 1,
            (true, Some(Outcome::Ignored)) => self.totals.ignored += 1,
            (true, None) => self.totals.cancelled += 1,
        }
    }

    fn view(&mut self) -> View {
        self.engine.tick(self.now, &NoChance);
        let window = window_of(&self.engine.metrics(self.now));
        let circuit = self.engine.circuit();
        View {
            state: circuit.state(),
            generation: circuit.generation(),
            window,
            in_flight: self.in_flight,
            totals: self.totals,
        }
    }
}
