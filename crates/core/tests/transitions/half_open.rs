//! Probes: leases, slots, permits, and what ends an episode.

use fuseboard_core::policy::{Decision, Permit, Recovery, RecoveryContext, RecoveryPolicy};
use fuseboard_core::time::Moment;
use fuseboard_core::{Cause, Pin, Rejected, State};

use crate::rig::{MILLI, Rig, rules, secs};

#[test]
fn a_lapsed_lease_frees_the_slot_and_fails_the_probe() {
    let rig = Rig::half_open(rules("failures(2)").recovery(Recovery::Tripper));
    let hung = rig.ticket();
    rig.clock.advance(secs(60) - MILLI);
    assert_eq!(rig.refused().cause, Cause::ProbesLimited);
    rig.clock.advance(MILLI);
    let next = rig.ticket();
    assert_eq!((rig.state(), rig.breaker.info().metrics.failures), (State::HalfOpen, 1));
    hung.success();
    assert_eq!((rig.state(), rig.breaker.info().totals.stale), (State::HalfOpen, 1));
    rig.clock.advance(secs(60));
    assert_eq!((rig.state(), rig.causes()), (State::Open, vec![Cause::ProbeLapsed]));
    drop(next);
    assert_eq!(rig.breaker.info().totals.stale, 2);
}

#[test]
fn a_lapse_is_dated_when_it_lapsed_and_not_when_it_was_noticed() {
    let rig = Rig::half_open(rules("failure_streak(1)"));
    let hung = rig.ticket();
    rig.clock.advance(secs(65));
    let info = rig.breaker.info();
    assert_eq!((info.state, info.lasted, info.retry_after), (State::Open, secs(5), Some(secs(5))));
    assert_eq!(rig.heard()[0].at, Moment::ZERO + secs(60));
    drop(hung);

    let rig = Rig::half_open(rules("failure_streak(1)"));
    let _hung = rig.ticket();
    rig.clock.advance(secs(75));
    assert!(rig.ticket().is_probe(), "the deadline of the lapse has passed, too");
    let dated: Vec<_> = rig.heard().iter().map(|told| (told.cause, told.at)).collect();
    let lapsed = (Cause::ProbeLapsed, Moment::ZERO + secs(60));
    assert_eq!(dated, [lapsed, (Cause::RetryDue, Moment::ZERO + secs(75))]);

    let rig = Rig::of(rules("failure_streak(1)"));
    rig.breaker.disable(Pin::by("ops").lasting(secs(90)));
    rig.clock.advance(secs(1000));
    assert_eq!(rig.breaker.info().lasted, secs(910));
}

#[test]
fn a_slow_success_is_a_failed_probe() {
    let trip = "failure_streak(1) | slow_rate(0.5, 1s) | slow_rate(0.1, 3s)";
    let table = [
        (secs(1) - MILLI, State::Closed, Cause::Recovered),
        (secs(1), State::Open, Cause::ProbeSlow),
        (secs(4), State::Open, Cause::ProbeSlow),
    ];
    for (took, state, cause) in table {
        let rig = Rig::half_open(rules(trip));
        let probe = rig.ticket();
        rig.clock.advance(took);
        probe.success();
        assert_eq!((rig.state(), rig.causes()), (state, vec![cause]), "{took:?}");
        assert_eq!(rig.breaker.info().reopens, u32::from(state == State::Open), "{took:?}");
    }
}

#[test]
fn recovery_by_successes_wants_them_in_one_episode() {
    let table = [
        ("SS", State::HalfOpen),
        ("SSS", State::Closed),
        ("SICIS", State::HalfOpen),
        ("SICS S", State::Closed),
        ("SSF", State::Open),
        ("F", State::Open),
    ];
    for (letters, state) in table {
        let rig = Rig::half_open(rules("failures(9)").recovery(Recovery::successes(3)));
        rig.calls(&letters.replace(' ', ""));
        assert_eq!(rig.state(), state, "{letters}");
    }
    let rig = Rig::half_open(rules("failures(9)").recovery(Recovery::successes(3)));
    rig.calls("SSF");
    rig.clock.advance(secs(10));
    rig.calls("SS");
    assert_eq!(rig.state(), State::HalfOpen, "those of the last episode are gone");
}

#[test]
fn recovery_by_tripper_follows_fluxgates_rule() {
    let rate = "min_requests(3) & failure_rate(0.5)";
    let table = [
        ("failures(2)", "S", State::Closed),
        ("failures(2)", "F", State::HalfOpen),
        ("failures(2)", "FI", State::HalfOpen),
        ("failures(2)", "FF", State::Open),
        ("failures(2)", "FS", State::Closed),
        ("half_open & failure_rate(0.1)", "F", State::Open),
        ("closed & failure_rate(0.1)", "FFF", State::HalfOpen),
        (rate, "FF", State::HalfOpen),
        (rate, "FFF", State::Open),
        (rate, "FFS", State::HalfOpen),
        (rate, "FFSS", State::HalfOpen),
        (rate, "FFSSS", State::Closed),
    ];
    for (trip, letters, state) in table {
        let rig = Rig::half_open(rules(trip).recovery(Recovery::Tripper));
        rig.calls(letters);
        assert_eq!(rig.state(), state, "{trip}: {letters}");
    }
}

#[test]
fn a_slow_success_is_no_failure_where_the_tripper_decides() {
    let trip = "min_requests(2) & slow_rate(0.5, 1s)";
    let rig = Rig::half_open(rules(trip).recovery(Recovery::Tripper));
    let probe = rig.ticket();
    rig.clock.advance(secs(2));
    probe.success();
    assert_eq!(rig.state(), State::Closed);
}

#[test]
fn the_attempt_that_ends_the_deadline_is_judged_by_the_permit() {
    let rig = Rig::of(rules("failure_streak(1)").permit(Permit::random(0.5)));
    rig.calls("F");
    rig.clock.advance(secs(10));
    rig.dice.set(0.5);
    let (circuit, state, cause) = (rig.breaker.id(), State::HalfOpen, Cause::ProbesLimited);
    assert_eq!(rig.refused(), Rejected { circuit, state, retry_after: None, cause });
    assert_eq!(rig.causes(), [Cause::Tripped, Cause::RetryDue]);
    rig.dice.set(0.49);
    assert!(rig.ticket().is_probe());
}

#[test]
fn a_permit_says_which_calls_go_through() {
    let table = [
        ("all", 0, 0.999, true),
        ("random(0.5)", 0, 0.49, true),
        ("random(0.5)", 0, 0.5, false),
        ("ramp_up(0.1, 0.9, 60s)", 0, 0.09, true),
        ("ramp_up(0.1, 0.9, 60s)", 0, 0.11, false),
        ("ramp_up(0.1, 0.9, 60s)", 30, 0.49, true),
        ("ramp_up(0.1, 0.9, 60s)", 30, 0.51, false),
        ("ramp_up(0.1, 0.9, 60s)", 90, 0.89, true),
        ("ramp_up(0.1, 0.9, 60s)", 90, 0.91, false),
    ];
    for (permit, after, draw, admitted) in table {
        let rig = Rig::half_open(rules("failures(9)").permit(permit.parse().unwrap()));
        rig.clock.advance(secs(after));
        rig.dice.set(draw);
        let attempt = rig.breaker.try_acquire();
        assert_eq!(attempt.is_ok(), admitted, "{permit} after {after} s, draw {draw}");
        assert_eq!(rig.state(), State::HalfOpen);
    }
}

#[test]
fn no_more_probes_than_slots_are_out_at_once() {
    for slots in [1, 3] {
        let rig = Rig::half_open(rules("failures(9)").slots(slots).recovery(Recovery::Tripper));
        let mut out: Vec<_> = (0..slots).map(|_| rig.ticket()).collect();
        for give_back in ["ignored", "dropped", "failed"] {
            assert_eq!(rig.refused().cause, Cause::ProbesLimited, "{slots}: {give_back}");
            let ticket = out.pop().unwrap();
            match give_back {
                "ignored" => ticket.ignored(),
                "dropped" => drop(ticket),
                _ => ticket.failure("refused"),
            }
            assert_eq!(rig.breaker.info().in_flight, u64::from(slots) - 1, "{give_back}");
            out.push(rig.ticket());
        }
        assert_eq!(rig.state(), State::HalfOpen);
    }
}

#[test]
fn a_probe_that_nobody_waits_for_holds_no_slot_for_ever() {
    let rules = rules("failures(9)").probe_timeout(secs(5)).recovery(Recovery::Tripper);
    let rig = Rig::half_open(rules);
    std::mem::forget(rig.ticket());
    rig.clock.advance(secs(5));
    assert!(rig.ticket().is_probe());
    assert_eq!(rig.state(), State::HalfOpen);
}

#[derive(Debug)]
struct AlwaysOpens;

impl RecoveryPolicy for AlwaysOpens {
    fn decide(&self, _: &RecoveryContext<'_>) -> Decision {
        Decision::Open
    }
}

#[test]
fn a_recovery_of_ones_own_that_opens_on_a_success_is_no_failed_probe() {
    for (letter, cause) in [("S", Cause::Tripped), ("F", Cause::ProbeFailed)] {
        let rig = Rig::half_open(rules("failures(2)").recovery(Recovery::custom(AlwaysOpens)));
        rig.calls(letter);
        assert_eq!((rig.state(), rig.causes()), (State::Open, vec![cause]), "{letter}");
    }
}
