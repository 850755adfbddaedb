//! Models of transitions: of the threads that could make one, one does, once; what it leaves behind is late.

use super::Op::{self, Call, End, Enter, EnterLight, Leave, Look, Pass};
use super::calls::forms;
use super::program::{auto, pin, reset};
use super::{Program, opens_after, rules};
use crate::machine::Pinnable::{Disabled, ForcedClosed, ForcedOpen};
use crate::outcome::Outcome::{Failure, Success};

const IDLE: [Op; 1] = [Call(Success)];
/// Open, with [`opens_after`] one, and an attempt may succeed.
const DUE: [Op; 2] = [Call(Failure), Pass(10)];
const PROBING: [Op; 3] = [Call(Failure), Pass(10), Enter];

#[test]
fn a_success_counts_before_a_transition_or_is_late() {
    for success in forms(Success) {
        for other in [Call(Failure), reset()] {
            Program::new(opens_after(1), [&[other], &success]).at_home().before(&IDLE).check();
        }
    }
}

#[test]
fn a_call_of_an_older_generation_is_in_no_newer_window() {
    for enter in [Enter, EnterLight] {
        for end in [End(Success), End(Failure), Leave] {
            let program = Program::new(opens_after(2), [&[end], &[reset(), Call(Success)]]);
            program.at_home().before(&[Call(Success), enter.clone()]).check();
        }
    }
}

#[test]
fn two_calls_around_two_transitions_are_in_a_window_of_theirs() {
    for [one, other] in [[Call(Success), Call(Success)], [EnterLight, End(Success)]] {
        let program = Program::new(opens_after(2), [&[reset(), reset()], &[one, other]]);
        program.at_home().before(&IDLE).check();
    }
}

#[test]
fn a_new_window_has_nothing_of_the_old_one() {
    let around = [Call(Success), reset(), Call(Success), Call(Success)];
    Program::new(opens_after(2), [&[Look], &around]).at_home().before(&IDLE).check();
}

#[test]
fn a_pin_and_its_end_each_end_what_came_before() {
    for to in [ForcedOpen, ForcedClosed, Disabled] {
        let program = Program::new(opens_after(2), [&[pin(to, None), auto()], &[Call(Success)]]);
        program.at_home().before(&IDLE).check();
    }
}

#[test]
fn commands_of_three_threads_are_taken_and_told_one_by_one() {
    Program::new(opens_after(2), [&[reset()], &[pin(ForcedOpen, None)], &[auto()]]).check();
}

#[test]
fn failures_of_two_threads_open_a_circuit_once() {
    for failures in [1, 2] {
        let program = Program::new(opens_after(failures), [&[Call(Failure)], &[Call(Failure)]]);
        program.at_home().before(&IDLE).check();
    }
}

#[test]
fn one_of_two_callers_becomes_the_probe() {
    let probe: &[Op] = &[Enter, End(Success)];
    for other in [Success, Failure] {
        Program::new(opens_after(1), [probe, &[Enter, End(other)]]).before(&DUE).check();
    }
}

#[test]
fn one_of_two_callers_becomes_the_probe_when_the_deadline_comes() {
    let caller: &[Op] = &[Enter, Leave];
    let program = Program::new(opens_after(1), [caller, caller, &[Pass(10)]]);
    program.at_home().before(&[Call(Failure)]).check();
}

#[test]
fn one_of_two_probes_decides() {
    let both = [Call(Failure), Pass(10), Enter, Enter];
    for (successes, one, other) in [
        (1, Success, Success),
        (1, Success, Failure),
        (2, Success, Success),
        (2, Success, Failure),
        (2, Failure, Failure),
    ] {
        let recovery = format!("successes({successes})").parse().unwrap();
        let rules = rules("count(2)", "failure_streak(1)").slots(2).recovery(recovery);
        Program::new(rules.build().unwrap(), [&[End(one)], &[End(other)]]).before(&both).check();
    }
}

#[test]
fn a_probe_is_settled_or_its_lease_lapses() {
    for end in [End(Success), End(Failure), Leave] {
        let program = Program::new(opens_after(1), [&[end], &[Pass(60)], &[Look]]);
        program.before(&PROBING).check();
    }
}

#[test]
fn a_late_probe_does_not_free_the_slot_of_the_next() {
    let next = &[Pass(60), Enter, Enter, End(Failure), End(Failure)];
    for end in [End(Success), End(Failure), Leave] {
        let stays = rules("count(2)", "failure_streak(2)").recovery("tripper".parse().unwrap());
        let program = Program::new(stays.build().unwrap(), [&[end], next]);
        program.before(&[Call(Failure), Call(Failure), Pass(10), Enter]).check();
    }
}

#[test]
fn a_pin_ends_once_whoever_notices() {
    for to in [ForcedOpen, ForcedClosed] {
        let pinned = [pin(to, Some(10)), Pass(10)];
        Program::new(opens_after(1), [&[Look], &[Look]]).before(&pinned).check();
        let callers: [&[Op]; 2] = [&[Enter, End(Success)], &[Enter, End(Failure)]];
        Program::new(opens_after(1), callers).before(&pinned).check();
        let program = Program::new(opens_after(1), [&[Enter, End(Success)], &[Pass(10), Look]]);
        program.at_home().before(&pinned[..1]).check();
    }
}
