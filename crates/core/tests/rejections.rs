//! Rejections: what they say, and what an outer breaker makes of those of an inner one.
#![cfg(test)]

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::future::ready;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use fuseboard_core::policy::{Retry, Tracker, failure_streak};
use fuseboard_core::time::ManualClock;
use fuseboard_core::{
    CallError, Cause, CircuitBreaker, Pin, Rejected, Rules, RulesBuilder, State, Totals,
};

type Boxed = Box<dyn Error + Send + Sync>;

fn rules() -> RulesBuilder {
    let retry = Retry::cooldown(Duration::from_secs(10));
    Rules::builder().tripper(failure_streak(1)).retry(retry)
}

fn with(rules: RulesBuilder) -> CircuitBreaker {
    let builder = CircuitBreaker::builder("payments").clock(Arc::new(ManualClock::new()));
    builder.rules(rules.build().unwrap()).build().unwrap()
}

fn open() -> CircuitBreaker {
    let breaker = with(rules());
    breaker.try_acquire().unwrap().failure("down");
    breaker
}

/// A breaker that has rejected a call, and the rejection.
fn rejection() -> (CircuitBreaker, Rejected) {
    let breaker = open();
    let rejected = breaker.try_acquire().unwrap_err();
    (breaker, rejected)
}

/// What one call to a new breaker was counted as.
fn counted(totals: Totals) -> &'static str {
    let counts = totals.by_outcome();
    let mut words = counts.iter().filter(|(_, count)| *count > 0);
    let (word, count) = words.next().expect("a call was counted");
    assert_eq!((*count, words.next()), (1, None), "once, and as one thing: {counts:?}");
    word
}

#[derive(Debug)]
struct Unavailable(Rejected);

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unavailable")
    }
}

impl Error for Unavailable {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// What an outer breaker counts a call as that failed with `error`.
fn outer<E: 'static>(rules: RulesBuilder, error: E) -> &'static str {
    let breaker = with(rules);
    assert!(breaker.call(|| Err::<(), E>(error)).is_err());
    counted(breaker.info().totals)
}

#[test]
fn an_inner_breakers_rejection_is_ignored_by_an_outer_one() {
    let (_inner, rejected) = rejection();
    let table = [
        ("as it is", outer(rules(), rejected)),
        ("boxed", outer::<Boxed>(rules(), rejected.into())),
        ("boxed, not Send", outer::<Box<dyn Error>>(rules(), rejected.into())),
        ("in an io::Error", outer(rules(), io::Error::other(rejected))),
        ("as a source, boxed", outer::<Boxed>(rules(), Unavailable(rejected).into())),
        ("as a source in an io::Error", outer(rules(), io::Error::other(Unavailable(rejected)))),
        ("in an io::Error, boxed", outer::<Boxed>(rules(), io::Error::other(rejected).into())),
        ("as a call's error", outer::<CallError<String>>(rules(), rejected.into())),
        ("as a call's error, boxed", {
            outer::<Boxed>(rules(), CallError::<io::Error>::Rejected(rejected).into())
        }),
    ];
    for (name, word) in table {
        assert_eq!(word, "ignored", "{name}");
    }
    let failed = CallError::Failed(io::Error::other("refused"));
    let failures = [
        outer::<Boxed>(rules(), failed.into()),
        outer::<Boxed>(rules(), "refused".into()),
        outer(rules(), io::Error::other("refused")),
        outer(rules(), CallError::Failed("refused".to_owned())),
    ];
    assert_eq!(failures, ["failure"; 4], "other errors in the same wrappings are failures");
}

/// What an outer breaker counts a call as whose call through `inner` came to `result`.
fn nested<E: 'static>(inner: &CircuitBreaker, result: Result<(), E>) -> &'static str {
    let breaker = with(rules());
    let _ = breaker.call(|| inner.call(|| result));
    counted(breaker.info().totals)
}

#[test]
fn an_inner_call_that_was_rejected_is_ignored_whatever_its_error_would_have_been() {
    struct Nameless;
    #[derive(Debug)]
    struct Other;

    let (closed, open) = (|| with(rules()), open());
    let rejected = [
        nested::<()>(&open, Ok(())),
        nested::<&str>(&open, Ok(())),
        nested::<String>(&open, Err("refused".to_owned())),
        nested::<io::Error>(&open, Ok(())),
        nested::<Boxed>(&open, Ok(())),
        nested::<Nameless>(&open, Err(Nameless)),
        nested::<Nameless>(&open, Ok(())),
    ];
    assert_eq!(rejected, ["ignored"; 7]);
    let made = [
        nested(&closed(), Err(Nameless)),
        nested(&closed(), Err(Other)),
        nested(&closed(), Err("refused")),
        nested(&closed(), Err(io::Error::other("refused"))),
        nested(&closed(), Ok::<(), Nameless>(())),
    ];
    let failure = "failure";
    assert_eq!(made, [failure, failure, failure, failure, "success"], "these calls were made");
}

#[test]
fn a_rejection_is_recognised_in_an_async_call_and_on_another_thread() {
    struct Elsewhere;

    let (inner, breaker) = (open(), with(rules()));
    let call = breaker.call_async(|| inner.call_async(|| ready(Ok::<(), Elsewhere>(()))));
    let polled = pin!(call).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Err(CallError::Failed(CallError::Rejected(_))))));
    assert_eq!(counted(breaker.info().totals), "ignored");

    let made = || inner.call(|| Ok::<(), Elsewhere>(()));
    let from_elsewhere = thread::scope(|scope| scope.spawn(made).join().unwrap());
    assert_eq!(outer(rules(), from_elsewhere.unwrap_err()), "ignored");
}

/// Makes a call that is rejected while it is dropped.
struct CallsOnDrop(CircuitBreaker);

impl Drop for CallsOnDrop {
    fn drop(&mut self) {
        let call = self.0.call(|| Ok::<(), u16>(()));
        assert!(matches!(call, Err(CallError::Rejected(_))), "a panic here ends the process");
    }
}

thread_local! {
    static LAST: RefCell<Option<CallsOnDrop>> = const { RefCell::new(None) };
}

#[test]
fn a_call_that_is_rejected_while_its_thread_ends_is_an_error_like_any_other() {
    let breaker = open();
    // What belongs to a thread is dropped in an order that depends on what was used first.
    for before in [true, false] {
        let breaker = breaker.clone();
        let thread = thread::spawn(move || {
            if before {
                assert!(breaker.call(|| Ok::<(), u8>(())).is_err());
            }
            LAST.with_borrow_mut(|last| *last = Some(CallsOnDrop(breaker.clone())));
            assert!(breaker.call(|| Ok::<(), u8>(())).is_err());
        });
        thread.join().unwrap();
    }
    assert_eq!(breaker.info().totals.rejected, 5);
}

#[test]
fn rejections_count_where_the_trackers_say_so_and_not_because_they_speak_of_errors() {
    let results = || Tracker::value("5xx", |status: &u16| *status >= 500);
    let parsed = |text: &str| text.parse::<Tracker>().unwrap();
    let failing = |tracker: Tracker| rules().tracker(tracker);
    let table = [
        (failing(Tracker::Errors), "ignored"),
        (failing(Tracker::Errors | results()), "ignored"),
        (failing(Tracker::Errors & !Tracker::error_type::<io::Error>()), "ignored"),
        (failing(parsed("5xx | connect | timeout | reset")), "ignored"),
        (failing(Tracker::Nothing), "ignored"),
        (failing(Tracker::Rejections), "failure"),
        (failing(parsed("errors | rejections")), "failure"),
        (failing(results() | Tracker::Rejections), "failure"),
        (failing(!Tracker::Errors), "failure"),
        (failing(!Tracker::Rejections), "ignored"),
        (failing(parsed("errors & rejections")), "ignored"),
        (failing(Tracker::Rejections).ignoring(Tracker::Errors), "failure"),
        (failing(Tracker::Rejections).ignoring(Tracker::Rejections), "ignored"),
    ];
    let (inner, rejected) = rejection();
    for (index, (rules, word)) in table.into_iter().enumerate() {
        let nested = with(rules.clone());
        assert!(nested.call(|| inner.call(|| Ok::<(), u8>(()))).is_err());
        let ways = [
            outer(rules.clone(), rejected),
            outer::<Boxed>(rules.clone(), rejected.into()),
            outer(rules, io::Error::other(Unavailable(rejected))),
            counted(nested.info().totals),
        ];
        assert_eq!(ways, [word; 4], "row {index}");
    }
}

#[test]
fn rejections_count_where_a_tracker_of_their_type_says_so() {
    let (_inner, rejected) = rejection();
    let direct = || rules().tracker(Tracker::error_type::<Rejected>());
    let boxed =
        || rules().tracker(Tracker::error("rejected", |error: &Boxed| error.is::<Rejected>()));
    let of_call = || rules().tracker(Tracker::error_type::<CallError<u8>>());
    assert_eq!(outer(direct(), rejected), "failure");
    assert_eq!(outer::<Boxed>(boxed(), rejected.into()), "failure");
    assert_eq!(outer::<CallError<u8>>(of_call(), rejected.into()), "failure");
    assert_eq!(outer::<CallError<u8>>(direct(), rejected.into()), "ignored", "another type");
    assert_eq!(outer(direct().ignoring(Tracker::Errors), rejected), "failure", "not of `errors`");
    assert_eq!(outer(direct().ignoring(Tracker::Rejections), rejected), "ignored");
}

#[test]
fn a_rejection_reads_well_and_names_the_circuit() {
    let (breaker, rejected) = rejection();
    let copy = rejected;
    assert_eq!(copy, rejected, "it is Copy");
    assert_eq!(rejected.to_string(), "circuit `payments` is open (tripped); try again in 10s");
    let circuit = breaker.id();
    let retry_after = Some(Duration::from_secs(10));
    assert_eq!(
        rejected,
        Rejected { circuit, state: State::Open, retry_after, cause: Cause::Tripped }
    );

    breaker.force_open(Pin::by("ops"));
    let pinned = breaker.try_acquire().unwrap_err().to_string();
    assert_eq!(pinned, "circuit `payments` is forced_open (pinned)");
    assert!(Error::source(&rejected).is_none());
}

#[test]
fn a_call_error_converts_and_tells_which_it_is() {
    let (_breaker, rejected) = rejection();
    let not_made: CallError<io::Error> = rejected.into();
    assert_eq!(not_made.rejected(), Some(&rejected));
    assert_eq!(not_made.to_string(), "the call was not made");
    assert_eq!(not_made.source().unwrap().downcast_ref(), Some(&rejected));
    assert!(not_made.into_failed().is_none());

    let made = CallError::Failed(io::Error::other(Unavailable(rejected)));
    assert_eq!((made.rejected(), made.to_string()), (None, "unavailable".to_owned()));
    assert!(made.source().is_some_and(|source| source.is::<Rejected>()), "the error's own source");
    assert_eq!(made.into_failed().unwrap().kind(), io::ErrorKind::Other);

    let question_mark = || -> Result<(), CallError<io::Error>> { Ok(Err(rejected)?) };
    assert!(matches!(question_mark(), Err(CallError::Rejected(found)) if found == rejected));
}

/// An error and what it stems from, as those who print chains do it.
fn chain(error: &(dyn Error + 'static)) -> Vec<String> {
    std::iter::successors(Some(error), |error| (*error).source()).map(ToString::to_string).collect()
}

#[test]
fn who_prints_the_chain_of_a_call_error_reads_nothing_twice() {
    let (_breaker, rejected) = rejection();
    let not_made: CallError<io::Error> = rejected.into();
    let why = "circuit `payments` is open (tripped); try again in 10s";
    assert_eq!(chain(&not_made), ["the call was not made", why]);

    let twice: CallError<CallError<io::Error>> = CallError::Failed(not_made);
    assert_eq!(chain(&twice), ["the call was not made", why]);

    let made = CallError::Failed(Unavailable(rejected));
    assert_eq!(chain(&made), ["unavailable", why]);
}

/// Whether one call was ignored and none failed.
fn ignored_alone(breaker: &CircuitBreaker) -> bool {
    let totals = breaker.info().totals;
    (totals.ignored, totals.failure) == (1, 0)
}

#[test]
fn a_rejection_is_ignored_by_every_breaker_around_it() {
    struct Nameless;

    let (inner, between, outer) = (open(), with(rules()), with(rules()));
    let _ = outer.call(|| between.call(|| inner.call(|| Ok::<(), Nameless>(()))));
    assert_eq!((ignored_alone(&between), ignored_alone(&outer)), (true, true));

    let (rejected, between, outer) =
        (inner.try_acquire().unwrap_err(), with(rules()), with(rules()));
    let _ = outer.call(|| between.call(|| Err::<(), _>(rejected)));
    assert_eq!((ignored_alone(&between), ignored_alone(&outer)), (true, true));

    let (between, outer) = (with(rules()), with(rules()));
    let _ = outer.call(|| between.call(|| Err::<(), Boxed>(rejected.into())));
    assert_eq!((ignored_alone(&between), ignored_alone(&outer)), (true, true));
}
