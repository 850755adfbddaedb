//! The engine against its naive twin: random programs under random rules give the same on both, step by step.
#![cfg(test)]

#[expect(dead_code, reason = "the threads' suite uses the rest")]
mod engine;
mod forms;
mod judge;
mod programs;
mod run;
#[expect(dead_code, reason = "the threads' suite uses the rest")]
mod twin;
#[expect(dead_code, reason = "the threads' suite uses the rest")]
mod words;

use std::cell::Cell;
use std::collections::HashSet;

use fuseboard_core::{Cause, State};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use engine::Subject;
use programs::{Case, case};
use run::{Fixed, Given, Pair, on_engine};
use words::{Answer, News};

/// Runs `test` on 256 programs, times `FUSEBOARD_TWIN_CASES` where that is set; it gives how many steps it ran.
fn run_cases<S: Strategy>(
    named: &str,
    cases: &S,
    test: impl Fn(S::Value) -> Result<usize, String>,
) {
    let times = std::env::var("FUSEBOARD_TWIN_CASES").map_or(1, |times| times.parse().unwrap());
    let config = Config { cases: 256 * times, failure_persistence: None, ..Config::default() };
    let (programs, steps) = (config.cases, Cell::new(0));
    let result = TestRunner::new(config).run(cases, |case| {
        let ran = test(case).map_err(TestCaseError::fail)?;
        steps.set(steps.get() + ran);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    println!("{named}: {programs} programs, {} steps", steps.get());
    assert!(steps.get() > 20 * programs as usize, "the programs do nothing");
}

/// Runs a case on both, or tells where they differ.
fn run_on_both(case: &Case) -> Result<Pair, String> {
    let mut pair = Pair::new(&case.rules);
    for step in &case.steps {
        let done = pair.run_step(step)?;
        if case.watched && done.is_some() {
            pair.run(Fixed::Look, step.draw)?;
        }
    }
    pair.run(Fixed::Look, 0.5)?;
    Ok(pair)
}

/// The steps of a case with nothing left open, each with its draw.
fn fixed_steps(case: &Case) -> Result<Vec<(Fixed, f64)>, String> {
    let mut pair = Pair::new(&case.rules);
    let mut steps = Vec::new();
    for step in &case.steps {
        steps.extend(pair.run_step(step)?.map(|fixed| (fixed, step.draw)));
    }
    Ok(steps)
}

/// Runs steps on the engine alone, with `reads` of them before each step; gives the results of the steps themselves,
/// and what the listener was told.
fn run_with_reads(
    case: &Case,
    steps: &[(Fixed, f64)],
    mut reads: impl FnMut() -> Vec<Fixed>,
) -> (Vec<Given>, Vec<News>) {
    let mut subject = Subject::new(case.rules.clone());
    let mut given = Vec::new();
    for (index, (step, draw)) in steps.iter().enumerate() {
        // What a read notices, it notices with the number that the next step would have drawn.
        let draws = |(step, _): &&(Fixed, f64)| !matches!(step, Fixed::Advance(_) | Fixed::Wall(_));
        let next_draw = steps[index..].iter().find(draws).map_or(0.5, |(_, draw)| *draw);
        for read in reads() {
            on_engine(&mut subject, read, next_draw);
        }
        given.push(on_engine(&mut subject, *step, *draw));
    }
    given.push(on_engine(&mut subject, Fixed::Look, 0.5));
    let told = subject.take_news();
    (given, told)
}

#[test]
fn the_engine_does_what_its_twin_does() {
    run_cases("engine and twin", &case(), |case| Ok(run_on_both(&case)?.given.len()));
}

#[test]
fn reading_changes_nothing() {
    let reads = prop::collection::vec(prop::collection::vec(0..3usize, 0..3), 1..20);
    run_cases("engine, read and not read", &(case(), reads), |(case, reads)| {
        let steps = fixed_steps(&case)?;
        let mut turn = reads.iter().cycle();
        let mut some = || {
            let kinds = turn.next().into_iter().flatten();
            kinds.map(|kind| [Fixed::Tick, Fixed::State, Fixed::Look][*kind]).collect()
        };
        let lazy = run_with_reads(&case, &steps, Vec::new);
        let eager = run_with_reads(&case, &steps, &mut some);
        if lazy != eager {
            return Err(format!("not read: {lazy:#?}\nread: {eager:#?}"));
        }
        Ok(steps.len())
    });
}

/// The transitions of the table in the contract, one row for each way that leads out of a state.
fn every_transition() -> HashSet<(State, Cause, State)> {
    use State::{Closed, Disabled, ForcedClosed, ForcedOpen, HalfOpen, MetricsOnly, Open};
    let mut transitions = HashSet::from([
        (Closed, Cause::Tripped, Open),
        (Open, Cause::RetryDue, HalfOpen),
        (HalfOpen, Cause::Recovered, Closed),
        (HalfOpen, Cause::ProbeFailed, Open),
        (HalfOpen, Cause::ProbeSlow, Open),
        (HalfOpen, Cause::ProbeLapsed, Open),
    ]);
    for pinned in [ForcedOpen, ForcedClosed, MetricsOnly, Disabled] {
        let next = if pinned == ForcedOpen { HalfOpen } else { Closed };
        transitions.insert((pinned, Cause::Unpinned, next));
        transitions.insert((pinned, Cause::PinLapsed, next));
        let others = State::ALL.into_iter().filter(|from| *from != pinned);
        transitions.extend(others.map(|from| (from, Cause::Pinned, pinned)));
    }
    transitions.extend(State::ALL.map(|from| (from, Cause::Reset, Closed)));
    transitions
}

#[test]
fn the_programs_reach_every_transition_and_every_answer() {
    let (mut missing, mut answers) = (every_transition(), HashSet::new());
    let (mut reported, mut at_the_end, mut unknown) = (0, 0, Vec::new());
    let mut runner = TestRunner::deterministic();
    for _ in 0..1_000 {
        let case = case().new_tree(&mut runner).unwrap().current();
        let pair = run_on_both(&case).unwrap();
        at_the_end += usize::from(pair.subject.now() == u64::MAX);
        answers.extend(pair.given.into_iter().filter_map(|given| match given {
            Given::Answer(Answer::Admitted { probe }) => Some(Err(probe)),
            Given::Answer(Answer::Rejected { state, cause, .. }) => Some(Ok((state, cause))),
            _ => None,
        }));
        for news in pair.told {
            match news {
                News::WouldTrip => reported += 1,
                News::Transition { from, to, cause, .. } => {
                    missing.remove(&(from, cause, to));
                    if !every_transition().contains(&(from, cause, to)) {
                        unknown.push((from, cause, to));
                    }
                }
            }
        }
    }
    assert_eq!((missing, unknown), (HashSet::new(), Vec::new()));
    assert!(reported > 0, "nothing would have tripped");
    assert!((10..200).contains(&at_the_end), "{at_the_end} of 1000 programs reach the end of time");
    let opened = [Cause::Tripped, Cause::ProbeFailed, Cause::ProbeSlow, Cause::ProbeLapsed];
    let mut all: HashSet<_> = opened.map(|cause| Ok((State::Open, cause))).into();
    all.extend([Ok((State::ForcedOpen, Cause::Pinned)), Err(true), Err(false)]);
    all.insert(Ok((State::HalfOpen, Cause::ProbesLimited)));
    assert_eq!(answers, all);
}
