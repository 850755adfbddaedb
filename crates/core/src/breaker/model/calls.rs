//! Models of calls that take no lock, or might: what is counted without it adds up, in some order of the calls.

use std::sync::Arc;

use super::Op::{self, Call, End, Enter, EnterLight, Leave, Look, Pass, Reconfigure, Welcome};
use super::program::{pin, reset};
use super::{Program, opens_after, rules};
use crate::machine::Pinnable::ForcedOpen;
use crate::outcome::Outcome::{self, Failure, Success};

/// After a success the circuit is idle: from there on successes take no lock.
const IDLE: [Op; 1] = [Call(Success)];

/// A call that comes to `outcome`, in each form in which it can be made.
pub(super) fn forms(outcome: Outcome) -> [Vec<Op>; 3] {
    [vec![Call(outcome)], vec![Enter, End(outcome)], vec![EnterLight, End(outcome)]]
}

#[test]
fn calls_of_three_threads_come_to_some_order_of_them() {
    let threads: [&[Op]; 3] = [&[Call(Failure)], &[Call(Success)], &[Call(Success)]];
    Program::new(opens_after(2), threads).at_home().before(&IDLE).check();
}

#[test]
fn every_form_of_a_call_counts_alike() {
    for (failure, success) in forms(Failure).iter().zip(&forms(Success)) {
        Program::new(opens_after(2), [failure, success]).at_home().before(&IDLE).check();
    }
}

#[test]
fn a_failure_sees_the_success_before_it_of_its_own_thread() {
    for success in forms(Success) {
        let own = [success, vec![Call(Failure)]].concat();
        Program::new(opens_after(2), [&own, &own]).at_home().before(&IDLE).check();
    }
}

#[test]
fn a_success_may_be_late_although_its_thread_was_admitted_once_more() {
    let (fails, succeeds) = ([Call(Failure), Call(Failure)], [Call(Success), Call(Success)]);
    let program = Program::new(opens_after(2), [&fails, &succeeds]);
    program.at_home().before(&IDLE).check_with_late_successes();
}

#[test]
fn a_reader_sees_no_call_end_that_it_does_not_see_begin() {
    for enter in [Enter, EnterLight] {
        let program = Program::new(opens_after(2), [&[Look, End(Success)], &[Call(Success)]]);
        program.at_home().before(&[Call(Success), enter]).check();
    }
}

#[test]
fn what_a_thread_counted_is_kept_while_it_comes_and_goes() {
    let comes: &[Op] = &[Welcome, Call(Success)];
    for other in [Call(Failure), Look, reset()] {
        Program::new(opens_after(2), [&[other], comes]).before(&IDLE).check();
    }
}

#[test]
fn a_light_ticket_finds_its_circuit_from_a_thread_that_does_not_know_it() {
    for end in [End(Success), End(Failure), Leave] {
        let program = Program::new(opens_after(1), [&[end], &[reset()]]);
        program.before(&[Welcome, Call(Success), EnterLight]).check();
    }
}

#[test]
fn other_rules_lose_no_outcome() {
    for (window, tripper) in
        [("time(60s)", "failure_streak(2)"), ("count(2)", "slow_rate(0.5, 1s)")]
    {
        let other = Arc::new(rules(window, tripper).build().unwrap());
        for success in forms(Success) {
            let changes = [Reconfigure(Arc::clone(&other)), Call(Failure)];
            Program::new(opens_after(2), [&changes, &success]).at_home().before(&IDLE).check();
        }
    }
}

#[test]
fn a_success_is_in_the_bucket_of_its_time() {
    for outcome in [Success, Failure] {
        let rules = rules("time(60s)", "failure_streak(2)").build().unwrap();
        let program = Program::new(rules, [&[Call(Success)], &[Pass(1), Call(outcome)]]);
        program.at_home().before(&IDLE).after(&[Look, Pass(59)]).check();
    }
}

#[test]
fn a_rejection_is_that_of_one_state() {
    let opens_again = [Pass(1), reset(), Call(Failure)];
    let twice = [Call(Success), Call(Success)];
    for [callers, others] in [[&IDLE[..], &opens_again], [&twice, &[reset()]]] {
        let program = Program::new(opens_after(1), [callers, others]);
        program.at_home().before(&[Call(Failure)]).check();
    }
    let program = Program::new(opens_after(1), [&IDLE, &[pin(ForcedOpen, Some(20))]]);
    program.at_home().before(&[pin(ForcedOpen, Some(10))]).check();
}
