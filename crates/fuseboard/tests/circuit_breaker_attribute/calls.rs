//! Functions and methods of every shape: called as before, counted, and rejected while the circuit is open.

use std::cell::Cell;
use std::fmt::{self, Display};
use std::future::{Future, ready};
use std::num::ParseIntError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::LazyLock;
use std::task::{Context, Waker};
use std::time::Duration;

use fuseboard::{CallError, Outcome, Pin as Pinned, Rejected, State, circuit_breaker};

use crate::rig::{Rig, rig};

/// An error with a place for a rejection.
#[derive(Debug, PartialEq)]
enum Wrong {
    Rejected,
    Number,
}

impl From<Rejected> for Wrong {
    fn from(_: Rejected) -> Self {
        Wrong::Rejected
    }
}

impl From<ParseIntError> for Wrong {
    fn from(_: ParseIntError) -> Self {
        Wrong::Number
    }
}

#[test]
fn a_function_opens_its_circuit_and_closes_it_as_the_classic_breaker_does() {
    static RIG: LazyLock<Rig> = rig();

    #[circuit_breaker("payments", failure_threshold = 3, success_threshold = 2, timeout = "60s", board = RIG.board)]
    fn parse(text: &str) -> Result<u32, Wrong> {
        Ok(text.parse()?)
    }

    // A success between failures starts the count again.
    for text in ["x", "x", "1", "x", "x"] {
        let _ = parse(text);
    }
    assert_eq!(RIG.circuit().state(), State::Closed);
    assert_eq!(parse("x"), Err(Wrong::Number));
    assert_eq!(parse("1"), Err(Wrong::Rejected));
    RIG.advance(Duration::from_secs(59));
    assert_eq!(parse("1"), Err(Wrong::Rejected));
    RIG.advance(Duration::from_secs(1));
    assert_eq!(parse("1"), Ok(1));
    assert_eq!(RIG.circuit().state(), State::HalfOpen);
    assert_eq!(parse("1"), Ok(1));
    assert_eq!(RIG.circuit().state(), State::Closed);
}

#[tokio::test]
async fn an_async_function_is_counted_when_it_was_awaited() {
    static RIG: LazyLock<Rig> = rig();

    #[circuit_breaker("payments", failure_threshold = 2, board = RIG.board)]
    async fn parse(text: String) -> Result<u32, CallError<ParseIntError>> {
        let number = ready(text.parse()).await;
        if let Ok(0) = number {
            return Ok(0);
        }
        number.map_err(CallError::Failed)
    }

    assert_eq!(parse("0".to_owned()).await, Ok(0));
    drop(parse("x".to_owned()));
    for _ in 0..2 {
        assert!(matches!(parse("x".to_owned()).await, Err(CallError::Failed(_))));
    }
    let rejected = parse("1".to_owned()).await.expect_err("the circuit is open");
    assert_eq!(rejected.rejected().map(|rejected| rejected.state), Some(State::Open));
    let totals = RIG.totals();
    assert_eq!((totals.success, totals.failure, totals.rejected), (1, 2, 1));
}

#[test]
fn a_rejected_call_does_not_run_the_body() {
    static RIG: LazyLock<Rig> = rig();
    thread_local!(static RUNS: Cell<u32> = const { Cell::new(0) });

    #[circuit_breaker("payments", board = RIG.board)]
    fn count() -> Result<(), Wrong> {
        RUNS.set(RUNS.get() + 1);
        Ok(())
    }

    assert_eq!(count(), Ok(()));
    RIG.circuit().force_open(Pinned::by("test"));
    assert_eq!((count(), RUNS.get()), (Err(Wrong::Rejected), 1));
}

#[test]
fn a_panic_is_a_failure_and_goes_on() {
    static RIG: LazyLock<Rig> = rig();

    #[circuit_breaker("payments", failure_threshold = 1, board = RIG.board)]
    fn panics() -> Result<(), Wrong> {
        panic!("on purpose");
    }

    assert!(catch_unwind(panics).is_err());
    assert_eq!((RIG.circuit().state(), RIG.totals().failure), (State::Open, 1));
}

#[test]
fn a_future_that_panics_or_is_dropped_is_a_failure_or_was_cancelled() {
    static RIG: LazyLock<Rig> = rig();

    #[circuit_breaker("payments", board = RIG.board)]
    async fn waits(then_panics: bool) -> Result<(), Wrong> {
        let mut was_polled = false;
        std::future::poll_fn(|_| {
            assert!(!(was_polled && then_panics), "on purpose");
            was_polled = true;
            std::task::Poll::<()>::Pending
        })
        .await;
        Ok(())
    }

    let mut context = Context::from_waker(Waker::noop());
    {
        let mut dropped = pin!(waits(false));
        assert!(dropped.as_mut().poll(&mut context).is_pending());
    }
    let mut panicking = Box::pin(waits(true));
    assert!(panicking.as_mut().poll(&mut context).is_pending());
    let poll = AssertUnwindSafe(|| panicking.as_mut().poll(&mut context));
    assert!(catch_unwind(poll).is_err());
    let totals = RIG.totals();
    assert_eq!((totals.cancelled, totals.failure, totals.success), (1, 1, 0));
}

#[test]
fn a_call_cancelled_late_is_a_failure_if_the_rules_say_so() {
    static RIG: LazyLock<Rig> = rig();

    #[circuit_breaker("payments", cancelled_after = "5s", board = RIG.board)]
    async fn hangs() -> Result<(), Wrong> {
        std::future::pending().await
    }

    for wait in [4, 5] {
        let mut call = Box::pin(hangs());
        assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        RIG.advance(Duration::from_secs(wait));
    }
    assert_eq!((RIG.totals().cancelled, RIG.totals().failure), (1, 1));
}

/// What methods may look like.
struct Account {
    owner: String,
    entries: Vec<u32>,
}

static ACCOUNT: LazyLock<Rig> = rig();

impl Account {
    /// Documentation, attributes, visibility and inner attributes stay.
    #[circuit_breaker("accounts", board = ACCOUNT.board)]
    #[must_use = "what for, otherwise?"]
    pub(crate) fn owner(&self) -> Result<&str, Wrong> {
        #![allow(clippy::needless_return, reason = "shows that an inner attribute is possible")]
        return Ok(&self.owner);
    }

    #[circuit_breaker("accounts", board = ACCOUNT.board)]
    fn newest(&mut self) -> Result<&mut u32, Wrong> {
        self.entries.push(0);
        self.entries.last_mut().ok_or(Wrong::Number)
    }

    #[circuit_breaker("accounts", board = ACCOUNT.board)]
    async fn newest_later(&mut self) -> Result<&mut u32, Wrong> {
        ready(()).await;
        self.entries.last_mut().ok_or(Wrong::Number)
    }

    #[circuit_breaker("accounts", board = ACCOUNT.board)]
    fn above<'a>(
        &'a self,
        least: impl Display + 'a,
    ) -> Result<impl Iterator<Item = u32> + 'a, Wrong> {
        let least: u32 = least.to_string().parse()?;
        Ok(self.entries.iter().copied().filter(move |entry| *entry > least))
    }

    #[circuit_breaker("accounts", board = ACCOUNT.board)]
    async fn closed(
        mut self,
        (a, b): (u32, u32),
        mut more: Vec<u32>,
        _: (),
    ) -> Result<Self, Wrong> {
        more.extend([a, b]);
        self.entries.append(&mut more);
        Ok(self)
    }

    #[circuit_breaker("accounts", board = ACCOUNT.board)]
    fn boxed(self: Box<Self>) -> Result<Box<dyn Display>, Wrong> {
        if self.entries.is_empty() {
            return Ok(Box::new(self.owner));
        }
        Ok(Box::new(self.entries.len()))
    }

    #[circuit_breaker("accounts", board = ACCOUNT.board)]
    async fn boxed_later(self: Box<Self>) -> Result<Box<dyn Display + Send>, Wrong> {
        if self.entries.is_empty() {
            return Ok(Box::new(self.owner));
        }
        Ok(Box::new(self.entries.len()))
    }
}

trait Store<K> {
    fn get(&self, key: K) -> Result<K, Wrong>;
    fn get_later(&self, key: K) -> impl Future<Output = Result<K, Wrong>> + Send;

    #[circuit_breaker("accounts", board = ACCOUNT.board)]
    fn provided(&self, key: K) -> Result<K, Wrong> {
        self.get(key)
    }
}

impl<K> Store<K> for Account
where
    K: Clone + Send + Sync,
{
    #[circuit_breaker("accounts", board = ACCOUNT.board)]
    fn get(&self, key: K) -> Result<K, Wrong> {
        Ok(key.clone())
    }

    #[circuit_breaker("accounts", board = ACCOUNT.board)]
    async fn get_later(&self, key: K) -> Result<K, Wrong> {
        ready(Ok(key.clone())).await
    }
}

#[circuit_breaker("accounts", board = ACCOUNT.board)]
fn generic<T, E, const N: usize>(value: Result<T, E>) -> Result<[T; N], E>
where
    T: Copy,
    E: From<Rejected> + fmt::Debug + 'static,
{
    let value = value?;
    Ok([value; N])
}

#[tokio::test]
async fn functions_and_methods_of_every_shape_can_be_marked() {
    let mut account = Account { owner: "Ada".to_owned(), entries: vec![1, 2] };
    assert_eq!(account.owner(), Ok("Ada"));
    *account.newest().unwrap() += 3;
    *account.newest_later().await.unwrap() += 1;
    assert_eq!(account.above("1").unwrap().collect::<Vec<_>>(), [2, 4]);
    let account = account.closed((5, 6), Vec::new(), ()).await.unwrap();
    assert_eq!(account.entries, [1, 2, 4, 5, 6]);
    assert_eq!(account.get("key"), Ok("key"));
    assert_eq!(account.provided(7), Ok(7));
    assert_eq!(account.get_later('k').await, Ok('k'));
    let empty = || Box::new(Account { owner: "Ada".to_owned(), entries: Vec::new() });
    assert_eq!(Box::new(account).boxed().unwrap().to_string(), "5");
    assert_eq!(empty().boxed().unwrap().to_string(), "Ada");
    assert_eq!(empty().boxed_later().await.unwrap().to_string(), "Ada");
    assert_eq!(generic::<u8, Wrong, 2>(Ok(1)), Ok([1, 1]));
    assert_eq!(generic::<u8, Wrong, 2>(Err(Wrong::Number)), Err(Wrong::Number));
    let totals = ACCOUNT.totals();
    assert_eq!((totals.success, totals.failure), (13, 1));
}

#[test]
fn a_marked_future_is_as_sendable_as_it_was() {
    fn sendable<'a, T>(
        future: impl Future<Output = T> + Send + 'a,
    ) -> Pin<Box<dyn Future<Output = T> + Send + 'a>> {
        Box::pin(future)
    }
    let mut account = Account { owner: String::new(), entries: Vec::new() };
    drop(sendable(account.newest_later()));
    drop(sendable(account.get_later(1)));
    drop(sendable(account.closed((1, 2), Vec::new(), ())));
}

#[test]
fn a_future_with_a_fallback_or_a_judge_is_as_sendable_as_it_was() {
    static RIG: LazyLock<Rig> = rig();
    fn sendable<T: Send>(value: T) -> T {
        value
    }

    #[circuit_breaker("payments", fallback = nobody, board = RIG.board)]
    async fn name<'a>(
        names: &'a mut [Cell<u32>],
        at: Cell<usize>,
    ) -> Result<&'a mut Cell<u32>, Wrong> {
        ready(()).await;
        names.get_mut(at.get()).ok_or(Wrong::Number)
    }

    async fn nobody(
        _: &mut [Cell<u32>],
        _: Cell<usize>,
        _: Rejected,
    ) -> Result<&mut Cell<u32>, Wrong> {
        ready(Err(Wrong::Rejected)).await
    }

    #[circuit_breaker(
        "payments",
        judged_by = |result| match result {
            Ok(word) if word.len() < least => Outcome::Failure,
            _ => Outcome::Ignored,
        },
        fallback_on_error = async |_| Err("no word"),
        board = RIG.board
    )]
    async fn word<'a>(text: &'a str, least: usize) -> Result<&'a str, &'a str> {
        ready(text.split(' ').next().ok_or(text)).await
    }

    drop(sendable(name(&mut [Cell::new(1)], Cell::new(0))));
    drop(sendable(word("a word", 3)));
}

#[tokio::test]
async fn a_future_may_keep_to_its_thread() {
    static RIG: LazyLock<Rig> = rig();

    #[circuit_breaker("payments", board = RIG.board)]
    async fn counted(count: Rc<Cell<u32>>) -> Result<u32, Wrong> {
        count.set(count.get() + 1);
        tokio::task::yield_now().await;
        Ok(count.get())
    }

    assert_eq!(counted(Rc::new(Cell::new(1))).await, Ok(2));
    assert_eq!(RIG.totals().success, 1);
}

#[test]
fn the_body_keeps_its_own_names() {
    static RIG: LazyLock<Rig> = rig();

    #[circuit_breaker("payments", board = RIG.board)]
    fn own_names(breaker: u32, pass: u32, result: u32) -> Result<u32, Wrong> {
        let (error, rejected, seen) = (breaker, pass, result);
        Ok(error + rejected + seen + breaker + pass + result)
    }

    assert_eq!(own_names(1, 2, 3), Ok(12));
}

#[test]
fn a_marked_function_may_call_itself() {
    static RIG: LazyLock<Rig> = rig();

    #[circuit_breaker("payments", board = RIG.board)]
    fn factorial(n: u64) -> Result<u64, Wrong> {
        if n == 0 { Ok(1) } else { Ok(n * factorial(n - 1)?) }
    }

    assert_eq!(factorial(10), Ok(3_628_800));
    assert_eq!(RIG.totals().success, 11);
}

#[test]
fn the_crate_may_have_another_name() {
    static RIG: LazyLock<Rig> = rig();

    mod facade {
        pub(super) mod inner {
            pub(crate) use fuseboard::{circuit_breaker, marked};
        }
    }
    use facade::inner;

    #[inner::circuit_breaker("payments", board = RIG.board, errors(ParseIntError), crate = inner)]
    fn parse(text: &str) -> Result<u32, CallError<ParseIntError>> {
        text.parse().map_err(CallError::Failed)
    }

    assert_eq!(parse("1"), Ok(1));
}
