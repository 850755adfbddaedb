//! Protected calls: what is returned, and what is counted.
#![cfg(test)]

use std::borrow::Cow;
use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use fuseboard_core::policy::{Retry, Seen, TrackPolicy, Tracker, failure_streak};
use fuseboard_core::time::ManualClock;
use fuseboard_core::{
    CallError, CircuitBreaker, Outcome, Rejected, Rules, RulesBuilder, State, Totals,
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

fn closed() -> CircuitBreaker {
    with(rules())
}

fn open() -> CircuitBreaker {
    let breaker = closed();
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

fn not_called<T>() -> T {
    panic!("this must not be called")
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Drives a future that is always woken.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    for _ in 0..10 {
        if let Poll::Ready(output) = poll(future.as_mut()) {
            return output;
        }
    }
    panic!("the future waits for something that never comes")
}

/// Is pending once.
async fn interruption() {
    let mut polled = false;
    poll_fn(|_| if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending })
        .await;
}

#[test]
fn a_call_returns_what_it_came_to_and_is_counted() {
    let breaker = closed();
    let mut log = Vec::new();
    let value = breaker.call(|| {
        log.push("called");
        Ok::<_, String>(7)
    });
    assert_eq!((value, log.len(), counted(breaker.info().totals)), (Ok(7), 1, "success"));

    let breaker = closed();
    let failed = breaker.call(|| Err::<u8, _>("refused".to_owned()));
    assert_eq!(failed, Err(CallError::Failed("refused".to_owned())));
    assert_eq!((counted(breaker.info().totals), breaker.state()), ("failure", State::Open));

    let (breaker, rejected) = rejection();
    let call = breaker.call(|| -> Result<u8, String> { not_called() });
    assert_eq!(call, Err(CallError::Rejected(rejected)));
    assert_eq!(breaker.info().totals.rejected, 2);
}

#[test]
fn an_async_call_does_the_same() {
    let breaker = closed();
    let value = block_on(breaker.call_async(|| async {
        interruption().await;
        Ok::<_, String>(7)
    }));
    assert_eq!((value, counted(breaker.info().totals)), (Ok(7), "success"));

    let breaker = closed();
    let failed = block_on(breaker.call_async(|| async { Err::<u8, _>("refused") }));
    assert_eq!(failed, Err(CallError::Failed("refused")));
    assert_eq!((counted(breaker.info().totals), breaker.state()), ("failure", State::Open));

    let (breaker, rejected) = rejection();
    let call = || -> std::future::Ready<Result<u8, String>> { not_called() };
    assert_eq!(block_on(breaker.call_async(call)), Err(CallError::Rejected(rejected)));
}

#[test]
fn the_future_of_an_async_call_can_move_between_threads() {
    fn spawned<F: Future<Output: Send> + Send>(future: F) -> F::Output {
        std::thread::scope(|scope| scope.spawn(|| block_on(future)).join().unwrap())
    }
    let breaker = closed();
    let call = || async {
        interruption().await;
        Ok::<_, String>(7)
    };
    assert_eq!(spawned(breaker.call_async(call)), Ok(7));
    assert_eq!(spawned(breaker.call_async_or_else(call, |_| async { not_called() })), Ok(7));
}

#[test]
fn an_async_call_holds_its_ticket_from_the_first_poll_to_the_end() {
    let breaker = closed();
    let call = || async {
        interruption().await;
        Ok::<_, ()>(())
    };
    drop(breaker.call_async(call));
    assert_eq!(breaker.info().totals, Totals::default(), "never polled, never made");

    let mut future = Box::pin(breaker.call_async(call));
    assert!(poll(future.as_mut()).is_pending());
    assert_eq!(breaker.info().in_flight, 1);
    drop(future);
    let info = breaker.info();
    assert_eq!((counted(info.totals), info.in_flight, info.state), ("cancelled", 0, State::Closed));
}

#[test]
fn a_future_dropped_after_cancelled_after_is_a_failure() {
    for (waited, word) in [(4999, "cancelled"), (5001, "failure")] {
        let clock = Arc::new(ManualClock::new());
        let rules = rules().cancelled_after(Duration::from_secs(5)).build().unwrap();
        let builder = CircuitBreaker::builder("payments").rules(rules);
        let breaker = builder.clock(clock.clone()).build().unwrap();
        let mut future = Box::pin(breaker.call_async(std::future::pending::<Result<(), ()>>));
        assert!(poll(future.as_mut()).is_pending());
        clock.advance(Duration::from_millis(waited));
        drop(future);
        assert_eq!(counted(breaker.info().totals), word, "{waited} ms");
    }
}

#[test]
fn a_panic_in_an_async_call_or_in_a_judge_is_a_failure() {
    let breaker = closed();
    let call = || async {
        if breaker.state() == State::Closed { panic!("meant") } else { Ok::<(), ()>(()) }
    };
    let panicked = catch_unwind(AssertUnwindSafe(|| block_on(breaker.call_async(call))));
    assert!(panicked.is_err());
    assert_eq!((counted(breaker.info().totals), breaker.state()), ("failure", State::Open));

    let breaker = closed();
    let judge = |_: Result<&(), &()>| -> Outcome { panic!("meant") };
    let panicked = catch_unwind(AssertUnwindSafe(|| breaker.call_judged_by(|| Ok(()), judge)));
    assert!(panicked.is_err());
    assert_eq!(counted(breaker.info().totals), "failure");
}

#[test]
fn a_fallback_gets_any_error() {
    let ok = closed().call_with_fallback(|| Ok::<_, String>(1), |_| not_called());
    let failing = closed();
    let failed = failing.call_with_fallback(
        || Err("refused".to_owned()),
        |error| {
            assert_eq!(error, CallError::Failed("refused".to_owned()));
            2
        },
    );
    let (breaker, rejected) = rejection();
    let was_rejected = breaker.call_with_fallback(
        || -> Result<u8, String> { not_called() },
        |error| {
            assert_eq!(error.rejected(), Some(&rejected));
            3
        },
    );
    assert_eq!((ok, failed, was_rejected), (1, 2, 3));
    assert_eq!(failing.state(), State::Open, "what a fallback answered is still a failure");
}

#[test]
fn or_else_answers_a_rejection_and_nothing_else() {
    let ok = closed().call_or_else(|| Ok::<_, String>(1), |_| not_called());
    let failed = closed().call_or_else(|| Err::<u8, _>("refused"), |_| not_called());
    let (breaker, rejected) = rejection();
    let instead = breaker.call_or_else(
        || -> Result<u8, String> { not_called() },
        |found| {
            assert_eq!(found, rejected);
            Ok(3)
        },
    );
    let in_vain = breaker.call_or_else(not_called::<Result<u8, &str>>, |_| Err("nor this"));
    assert_eq!((ok, failed, instead, in_vain), (Ok(1), Err("refused"), Ok(3), Err("nor this")));
}

#[test]
fn the_async_forms_of_both_do_the_same() {
    let fall_back = |breaker: CircuitBreaker, result: Result<u8, &'static str>| {
        let fallback = |error: CallError<&str>| {
            let value = if error.rejected().is_some() { 3 } else { 2 };
            async move { value }
        };
        block_on(breaker.call_async_with_fallback(|| async move { result }, fallback))
    };
    let results =
        [fall_back(closed(), Ok(1)), fall_back(closed(), Err("refused")), fall_back(open(), Ok(1))];
    assert_eq!(results, [1, 2, 3]);

    let or_else = |breaker: CircuitBreaker, result: Result<u8, &'static str>| {
        let instead = |rejected: Rejected| async move {
            assert_eq!(rejected.state, State::Open);
            Ok(3)
        };
        block_on(breaker.call_async_or_else(|| async move { result }, instead))
    };
    assert_eq!(or_else(closed(), Ok(1)), Ok(1));
    assert_eq!(or_else(closed(), Err("refused")), Err("refused"));
    assert_eq!(or_else(open(), Err("refused")), Ok(3));
}

#[test]
fn a_judge_of_the_callers_own_sees_types_that_borrow() {
    #[derive(Debug, PartialEq)]
    struct Missing<'a>(&'a str);

    let text = String::from("payments, orders");
    let find = |word: &'static str| text.find(word).map(|at| &text[at..]).ok_or(Missing(&text));
    let table = [
        ("orders", Outcome::Success, "success"),
        ("orders", Outcome::Failure, "failure"),
        ("stock", Outcome::Success, "success"),
        ("stock", Outcome::Ignored, "ignored"),
    ];
    for (word, outcome, expected) in table {
        let breaker = closed();
        let found = breaker.call_judged_by(
            || find(word),
            |result| {
                assert_eq!(result.is_ok(), word == "orders");
                outcome
            },
        );
        let same = match find(word) {
            Ok(rest) => found == Ok(rest),
            Err(missing) => found == Err(CallError::Failed(missing)),
        };
        assert!(same, "{word}: the judge changes nothing of the result");
        assert_eq!(counted(breaker.info().totals), expected, "{word} as {outcome:?}");
    }
}

#[derive(Debug)]
struct Bomb;

impl TrackPolicy for Bomb {
    fn matches(&self, _: &Seen<'_>) -> bool {
        panic!("meant")
    }
}

fn errors_of(kind: io::ErrorKind) -> Tracker {
    Tracker::error(kind.to_string(), move |error: &io::Error| error.kind() == kind)
}

fn results_of(status: u16) -> Tracker {
    Tracker::value(status.to_string(), move |found: &u16| *found == status)
}

#[test]
fn trackers_say_which_errors_and_results_count() {
    use io::ErrorKind::{ConnectionRefused as Refused, NotFound};

    let either = || Tracker::Errors | results_of(503);
    let table: [(RulesBuilder, Result<u16, io::ErrorKind>, &str); 19] = [
        (rules(), Ok(503), "success"),
        (rules(), Err(NotFound), "failure"),
        (rules().tracker(errors_of(Refused)), Err(Refused), "failure"),
        (rules().tracker(errors_of(Refused)), Err(NotFound), "ignored"),
        (rules().tracker(Tracker::error_type::<io::Error>()), Err(NotFound), "failure"),
        (rules().tracker(Tracker::error_type::<std::fmt::Error>()), Err(NotFound), "ignored"),
        (rules().tracker(Tracker::Nothing), Err(NotFound), "ignored"),
        (rules().tracker(either()), Ok(503), "failure"),
        (rules().tracker(either()), Ok(200), "success"),
        (rules().tracker(either()), Err(NotFound), "failure"),
        (rules().tracker(results_of(503)), Err(NotFound), "ignored"),
        (rules().tracker(Tracker::Errors & !errors_of(NotFound)), Err(NotFound), "ignored"),
        (rules().tracker(Tracker::Errors & !errors_of(NotFound)), Err(Refused), "failure"),
        (rules().ignoring(errors_of(NotFound)), Err(NotFound), "ignored"),
        (rules().ignoring(errors_of(NotFound)), Err(Refused), "failure"),
        (rules().ignoring(results_of(404)), Ok(404), "ignored"),
        (rules().tracker(either()).ignoring(either()), Ok(503), "ignored"),
        (rules().tracker(Tracker::custom(Bomb)), Ok(200), "failure"),
        (rules().ignoring(Tracker::custom(Bomb)), Err(NotFound), "failure"),
    ];
    for (index, (rules, came_to, expected)) in table.into_iter().enumerate() {
        let breaker = with(rules);
        let result = breaker.call(|| came_to.map_err(io::Error::from));
        let same = result.map_err(|error| error.into_failed().unwrap().kind());
        assert_eq!(same, came_to, "row {index}: a tracker changes nothing of the result");
        let state = if expected == "failure" { State::Open } else { State::Closed };
        let got = (counted(breaker.info().totals), breaker.state());
        assert_eq!(got, (expected, state), "row {index}: {came_to:?}");
    }
}

#[test]
fn the_last_error_is_kept_in_words() {
    fn told<E: 'static>(error: E) -> String {
        let breaker = closed();
        assert!(breaker.call(|| Err::<(), E>(error)).is_err());
        breaker.info().last_error.unwrap().message.into_owned()
    }
    #[derive(Debug)]
    struct Nameless;

    assert_eq!(told("refused"), "refused");
    assert_eq!(told(String::from("refused")), "refused");
    assert_eq!(told(io::Error::other("refused")), "refused");
    assert_eq!(told(Cow::Borrowed("refused")), "refused");
    assert_eq!(told::<Boxed>("refused".into()), "refused");
    assert_eq!(told::<Box<dyn Error>>("refused".into()), "refused");
    assert!(told(Nameless).ends_with("Nameless"), "of any other type the name of the type");
}
