//! Policies of a user's own: their answers count, and their panics are contained.

use std::fmt::Debug;
use std::time::Duration;

use fuseboard_core::Outcome;
use fuseboard_core::metrics::{Measures, Metrics};
use fuseboard_core::policy::{
    AskContext, Classifier, CountCounter, Counter, Deadline, Decision, Next, Permit, PermitPolicy,
    Recovery, RecoveryContext, RecoveryPolicy, Retry, RetryContext, RetryPolicy, Seen, TrackPolicy,
    Tracker, TripCondition, TripContext, Tripper, Window, WindowPolicy, failures,
};
use fuseboard_core::time::Moment;

const SEC: Duration = Duration::from_secs(1);

/// Implements everything, and panics in all of it.
#[derive(Debug)]
struct Panics;

impl TripCondition for Panics {
    fn holds(&self, _: &TripContext<'_>) -> bool {
        panic!("holds")
    }

    fn measures(&self) -> Measures {
        panic!("measures")
    }
}

impl PermitPolicy for Panics {
    fn permits(&self, _: Duration, _: f64) -> bool {
        panic!("permits")
    }
}

impl RetryPolicy for Panics {
    fn next(&self, _: RetryContext) -> Next {
        panic!("next")
    }

    fn may_try(&self, _: AskContext) -> bool {
        panic!("may_try")
    }
}

impl RecoveryPolicy for Panics {
    fn decide(&self, _: &RecoveryContext<'_>) -> Decision {
        panic!("decide")
    }
}

impl TrackPolicy for Panics {
    fn matches(&self, _: &Seen<'_>) -> bool {
        panic!("matches")
    }
}

#[test]
fn a_panic_in_a_policy_of_ones_own_gets_the_safe_answer() {
    let metrics = Metrics { total: 1, failures: 1, ..Metrics::default() };
    let context = TripContext { metrics: &metrics, half_open: false };
    let (tripper, opened) = (Tripper::custom(Panics), Moment::from_nanos(5));
    assert!(!tripper.holds(&context) && (tripper.clone() | failures(1)).holds(&context));
    assert_eq!(tripper.measures(), Measures::default());
    assert_eq!(tripper.validate(), Ok(()));

    assert!(!Permit::custom(Panics).permits(SEC, 0.0));
    let retry = Retry::custom(Panics);
    let not_before = opened + 10 * SEC;
    assert_eq!(retry.deadline(opened, 0, 0.0, None), Deadline::Ask { not_before });
    assert!(!retry.may_try(AskContext { opened_at: opened, reopens: 0, now: Moment::FAR }));
    let last = Outcome::Success;
    let episode =
        RecoveryContext { successes: 1, failures: 0, last, metrics: &metrics, trips: false };
    assert_eq!(Recovery::custom(Panics).decide(&episode), Decision::Stay);

    let (panics, fine) = (Tracker::custom(Panics), Seen::status(200));
    assert!(panics.matches(&fine) && (!panics.clone()).matches(&fine));
    for (failures, ignored) in [
        (panics.clone(), Tracker::Nothing),
        (!panics.clone(), Tracker::Nothing),
        (Tracker::Nothing, panics.clone()),
        (Tracker::Nothing, !panics),
    ] {
        let classifier = Classifier { failures, ignored };
        assert_eq!(classifier.classify(&fine), Outcome::Failure);
    }
}

#[derive(Debug)]
struct Answers(Next);

impl RetryPolicy for Answers {
    fn next(&self, _: RetryContext) -> Next {
        self.0
    }

    fn may_try(&self, context: AskContext) -> bool {
        context.now.since(context.opened_at) >= SEC
    }
}

#[test]
fn a_retry_of_ones_own_answers_at_never_or_ask() {
    let opened = Moment::from_nanos(5);
    let (soon, late) = (opened + SEC, opened + 3_600 * SEC);
    let day = Some(24 * 3_600 * SEC);
    for (next, retry_after, deadline) in [
        (Next::At(soon), None, Deadline::At(soon)),
        (Next::At(soon), day, Deadline::At(late)),
        (Next::Never, day, Deadline::Never),
        (Next::Ask, None, Deadline::Ask { not_before: opened }),
        (Next::Ask, day, Deadline::Ask { not_before: late }),
    ] {
        assert_eq!(Retry::custom(Answers(next)).deadline(opened, 0, 0.0, retry_after), deadline);
    }
    let retry = Retry::custom(Answers(Next::Ask));
    for (now, may_try) in [(opened, false), (soon, true)] {
        assert_eq!(retry.may_try(AskContext { opened_at: opened, reopens: 0, now }), may_try);
    }
}

/// Holds from one slow call on, and has its own threshold for it.
#[derive(Debug)]
struct OneSlow;

impl TripCondition for OneSlow {
    fn holds(&self, context: &TripContext<'_>) -> bool {
        context.metrics.slow.get(SEC) >= 1
    }

    fn measures(&self) -> Measures {
        let mut measures = Measures::default();
        measures.slow.insert(SEC);
        measures
    }

    fn name(&self) -> &str {
        "one_slow"
    }
}

#[test]
fn a_condition_of_ones_own_gets_its_threshold_measured() {
    let tripper = failures(9) | Tripper::custom(OneSlow);
    assert_eq!(tripper.lowest_slow_threshold(), Some(SEC));

    let mut counter = Window::count(10).open(tripper.measures());
    for (took, holds, explanation) in [(SEC / 2, false, ""), (SEC, true, "custom(one_slow)")] {
        counter.record(false, took, Moment::ZERO);
        let metrics = counter.metrics(Moment::ZERO);
        let context = TripContext { metrics: &metrics, half_open: false };
        assert_eq!(tripper.holds(&context), holds);
        assert_eq!(tripper.explain(&context), explanation);
    }
}

/// Implements no more than it must.
#[derive(Debug)]
struct Plain(#[expect(dead_code, reason = "no two lie in the same place")] u8);

impl TripCondition for Plain {
    fn holds(&self, _: &TripContext<'_>) -> bool {
        false
    }
}

impl PermitPolicy for Plain {
    fn permits(&self, _: Duration, _: f64) -> bool {
        true
    }
}

impl RetryPolicy for Plain {
    fn next(&self, _: RetryContext) -> Next {
        Next::Ask
    }
}

impl RecoveryPolicy for Plain {
    fn decide(&self, _: &RecoveryContext<'_>) -> Decision {
        Decision::Stay
    }
}

impl TrackPolicy for Plain {
    fn matches(&self, _: &Seen<'_>) -> bool {
        false
    }
}

impl WindowPolicy for Plain {
    fn open(&self, measures: Measures) -> Box<dyn Counter> {
        Box::new(CountCounter::new(10, measures))
    }
}

#[test]
fn what_a_policy_of_ones_own_leaves_out_has_the_default_that_is_documented() {
    let printed = [
        Tripper::custom(Plain(0)).to_string(),
        Permit::custom(Plain(0)).to_string(),
        Retry::custom(Plain(0)).to_string(),
        Recovery::custom(Plain(0)).to_string(),
        Tracker::custom(Plain(0)).to_string(),
        Window::custom(Plain(0)).to_string(),
    ];
    assert!(printed.iter().all(|text| text == "custom"), "{printed:?}");
    assert_eq!(Tripper::custom(Plain(0)).measures(), Measures::default());
    assert_eq!(Window::custom(Plain(0)).capacity(), None);
    let asked = AskContext { opened_at: Moment::ZERO, reopens: 0, now: Moment::ZERO };
    assert!(Retry::custom(Plain(0)).may_try(asked), "asked, it agrees");
}

#[test]
fn a_policy_of_ones_own_equals_its_clones_and_no_other() {
    fn stands_alone<T: Clone + PartialEq + Debug>(made: fn() -> T) {
        let (one, other) = (made(), made());
        assert_eq!(one, one.clone());
        assert_ne!(one, other);
    }
    stands_alone(|| Tripper::custom(Plain(0)));
    stands_alone(|| Permit::custom(Plain(0)));
    stands_alone(|| Retry::custom(Plain(0)));
    stands_alone(|| Recovery::custom(Plain(0)));
    stands_alone(|| Tracker::custom(Plain(0)));
    stands_alone(|| Window::custom(Plain(0)));
}
