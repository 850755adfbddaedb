//! What answers instead of a marked function, and what it is given.

use std::cell::Cell;
use std::future::{pending, ready};
use std::num::ParseIntError;
use std::panic::catch_unwind;
use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Waker};

use fuseboard::{CallError, Pin, Rejected, circuit_breaker};

use crate::rig::{Rig, rig};

/// An argument that is neither `Clone` nor `Copy`.
#[derive(Debug, PartialEq)]
struct Order(u32);

#[test]
fn a_fallback_answers_a_rejected_call_with_the_calls_own_arguments() {
    static RIG: LazyLock<Rig> = rig();

    #[circuit_breaker(
        "payments",
        failure_threshold = 1,
        success_threshold = 3,
        timeout = "60s",
        errors(String, ParseIntError),
        fallback = later,
        board = RIG.board
    )]
    fn charge(order: Order, mut log: Vec<&str>) -> Result<u32, String> {
        log.push("charged");
        if order.0 == 0 { Err("no".to_owned()) } else { Ok(order.0) }
    }

    fn later(order: Order, log: Vec<&str>, rejected: Rejected) -> Result<u32, String> {
        assert_eq!(rejected.circuit, RIG.circuit().id());
        Ok(order.0 * 100 + log.len() as u32)
    }

    assert_eq!(charge(Order(0), Vec::new()), Err("no".to_owned()), "a failure is the caller's");
    assert_eq!(charge(Order(7), vec!["asked"]), Ok(701));
}

#[tokio::test]
async fn the_fallback_of_an_async_function_is_awaited() {
    static RIG: LazyLock<Rig> = rig();

    #[circuit_breaker("users", fallback = cached_user, board = RIG.board)]
    async fn user(id: u32) -> Result<String, ParseIntError> {
        ready(Ok(format!("user {id}"))).await
    }

    async fn cached_user(id: u32, _rejected: Rejected) -> Result<String, ParseIntError> {
        ready(Ok(format!("cached user {id}"))).await
    }

    assert_eq!(user(1).await.as_deref(), Ok("user 1"));
    RIG.circuit().force_open(Pin::by("test"));
    assert_eq!(user(1).await.as_deref(), Ok("cached user 1"));
}

#[test]
fn the_fallback_of_a_method_may_be_a_method() {
    static RIG: LazyLock<Rig> = rig();

    struct Users(Vec<u32>);

    impl Users {
        #[circuit_breaker("users", fallback = Self::cached, board = RIG.board)]
        fn add<T: Into<u32>>(&mut self, id: T) -> Result<&u32, String> {
            self.0.push(id.into());
            self.0.last().ok_or_else(String::new)
        }

        fn cached<T: Into<u32>>(&mut self, id: T, _: Rejected) -> Result<&u32, String> {
            self.0 = vec![1000 + id.into()];
            self.0.first().ok_or_else(String::new)
        }
    }

    let mut users = Users(Vec::new());
    assert_eq!(users.add(1u8), Ok(&1));
    RIG.circuit().force_open(Pin::by("test"));
    assert_eq!(users.add(2u8), Ok(&1002));
}

#[tokio::test]
async fn the_fallback_of_an_async_method_may_take_what_the_body_would_have_taken() {
    static RIG: LazyLock<Rig> = rig();

    struct Users(Vec<Order>);

    impl Users {
        #[circuit_breaker("users", fallback = Self::cached, board = RIG.board)]
        async fn add<T: Into<u32>>(&mut self, order: Order, id: T) -> Result<&Order, String> {
            self.0.push(ready(order).await);
            self.0[0].0 += id.into();
            self.0.last().ok_or_else(String::new)
        }

        async fn cached<T: Into<u32>>(
            &mut self,
            order: Order,
            _: T,
            _: Rejected,
        ) -> Result<&Order, String> {
            self.0 = vec![ready(Order(order.0 + 1000)).await];
            self.0.first().ok_or_else(String::new)
        }

        #[circuit_breaker("users", fallback = async |_| Ok(self.0), board = RIG.board)]
        async fn all(mut self) -> Result<Vec<Order>, String> {
            self.0.clear();
            ready(Ok(self.0)).await
        }
    }

    let mut users = Users(Vec::new());
    assert_eq!(users.add(Order(1), 1u8).await, Ok(&Order(2)));
    RIG.circuit().force_open(Pin::by("test"));
    assert_eq!(users.add(Order(3), 1u8).await, Ok(&Order(1003)));
    assert_eq!(users.all().await, Ok(vec![Order(1003)]));
}

#[test]
fn a_fallback_that_panics_or_is_cancelled_was_no_call() {
    static RIG: LazyLock<Rig> = rig();

    #[circuit_breaker("users", fallback = panics, board = RIG.board)]
    fn user() -> Result<u32, String> {
        Ok(1)
    }

    fn panics(_: Rejected) -> Result<u32, String> {
        panic!("on purpose");
    }

    #[circuit_breaker("users", fallback = async |_| pending().await, board = RIG.board)]
    async fn user_later() -> Result<u32, String> {
        ready(Ok(1)).await
    }

    assert_eq!(user(), Ok(1));
    RIG.circuit().force_open(Pin::by("test"));
    assert!(catch_unwind(user).is_err());
    {
        let mut context = Context::from_waker(Waker::noop());
        assert!(pin!(user_later()).poll(&mut context).is_pending());
    }
    let totals = RIG.totals();
    assert_eq!((totals.success, totals.rejected), (1, 2));
    assert_eq!((totals.failure, totals.cancelled, totals.ignored), (0, 0, 0));
}

#[tokio::test]
async fn a_closure_is_given_the_rejection_and_sees_the_arguments_by_name() {
    static RIG: LazyLock<Rig> = rig();

    fn cached_user(id: Order) -> Result<u32, String> {
        Ok(id.0 + 1000)
    }

    #[circuit_breaker("users", fallback = |_| cached_user(id), board = RIG.board)]
    fn user(id: Order) -> Result<u32, String> {
        Ok(id.0)
    }

    #[circuit_breaker("users", fallback = async |rejected| Err(format!("{id:?}: {}", rejected.state)), board = RIG.board)]
    async fn user_later(id: Order) -> Result<u32, String> {
        ready(Ok(id.0)).await
    }

    assert_eq!((user(Order(1)), user_later(Order(2)).await), (Ok(1), Ok(2)));
    RIG.circuit().force_open(Pin::by("test"));
    assert_eq!(user(Order(1)), Ok(1001));
    assert_eq!(user_later(Order(2)).await, Err("Order(2): forced_open".to_owned()));
}

#[tokio::test]
async fn a_fallback_on_error_is_given_every_error() {
    static RIG: LazyLock<Rig> = rig();
    thread_local!(static FAILURES: Cell<u64> = const { Cell::new(0) });

    fn zero(error: CallError<ParseIntError>) -> Result<u32, ParseIntError> {
        FAILURES.set(RIG.totals().failure);
        match error {
            CallError::Rejected(_) => Ok(0),
            CallError::Failed(error) => Err(error),
        }
    }

    #[circuit_breaker("numbers", fallback_on_error = zero, board = RIG.board)]
    fn parse(text: &str) -> Result<u32, ParseIntError> {
        let number = text.parse()?;
        Ok(number)
    }

    #[circuit_breaker("numbers", fallback_on_error = async |error| match error.rejected() {
        Some(_) => Ok(0),
        None => Ok(text.len() as u32),
    }, board = RIG.board)]
    async fn parse_later(text: &str) -> Result<u32, ParseIntError> {
        let number = text.parse()?;
        ready(Ok(number)).await
    }

    assert_eq!((parse("1"), parse_later("2").await), (Ok(1), Ok(2)));
    assert!(parse("x").is_err());
    assert_eq!(FAILURES.get(), 1, "the failure is counted before the fallback is asked");
    assert_eq!(parse_later("four").await, Ok(4));
    assert_eq!(RIG.totals().failure, 2);
    RIG.circuit().force_open(Pin::by("test"));
    assert_eq!((parse("1"), parse_later("2").await), (Ok(0), Ok(0)));
}

#[test]
fn a_fallback_makes_any_error_type_possible() {
    static RIG: LazyLock<Rig> = rig();

    #[circuit_breaker("payments", fallback = |rejected| Err(rejected.to_string()), board = RIG.board)]
    fn charge() -> Result<(), String> {
        Ok(())
    }

    assert_eq!(charge(), Ok(()));
    RIG.circuit().force_open(Pin::by("test"));
    assert_eq!(charge(), Err("circuit `payments` is forced_open (pinned)".to_owned()));
}
