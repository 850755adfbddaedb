//! Which errors of a marked function are failures.

use std::error::Error;
use std::io;
use std::num::{ParseFloatError, ParseIntError};
use std::sync::LazyLock;

use fuseboard::policy::Tracker;
use fuseboard::{
    CallError, CircuitBreaker, Outcome, Pin, Rejected, Rules, Totals, circuit_breaker,
};

use crate::rig::{Rig, rig};

/// The errors of a service: one type, made of others.
#[derive(Debug)]
enum ServiceError {
    Timeout,
    NotFound,
    Number(ParseIntError),
    Rejected(Rejected),
}

impl std::fmt::Display for ServiceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the service says {self:?}")
    }
}

impl Error for ServiceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ServiceError::Timeout | ServiceError::NotFound => None,
            ServiceError::Number(error) => Some(error),
            ServiceError::Rejected(rejected) => Some(rejected),
        }
    }
}

impl From<Rejected> for ServiceError {
    fn from(rejected: Rejected) -> Self {
        ServiceError::Rejected(rejected)
    }
}

fn no_int() -> ParseIntError {
    "x".parse::<u32>().expect_err("it is no number")
}

fn no_float() -> ParseFloatError {
    "x".parse::<f64>().expect_err("it is no number")
}

/// Failures, and errors that did not count. Nothing else came of it.
fn counted(totals: Totals) -> (u64, u64) {
    assert_eq!((totals.success, totals.rejected, totals.stale), (0, 0, 0));
    (totals.failure, totals.ignored)
}

#[test]
fn without_a_list_every_error_is_a_failure() {
    static RIG: LazyLock<Rig> = rig();

    #[circuit_breaker("payments", board = RIG.board)]
    fn fails(error: ServiceError) -> Result<(), ServiceError> {
        Err(error)
    }

    for error in [ServiceError::Timeout, ServiceError::NotFound] {
        assert!(fails(error).is_err());
    }
    assert_eq!(counted(RIG.totals()), (2, 0));
    let last_error = RIG.circuit().info().last_error.unwrap();
    assert_eq!(last_error.message, "the service says NotFound");
}

#[test]
fn only_errors_of_the_listed_types_are_failures() {
    static RIG: LazyLock<Rig> = rig();
    type Any = Box<dyn Error + Send + Sync>;

    #[circuit_breaker("payments", errors(ParseIntError, io::Error), board = RIG.board)]
    fn fails(error: Any) -> Result<(), Any> {
        Err(error)
    }

    let errors: [(Any, _); 6] = [
        (no_int().into(), (1, 0)),
        (no_float().into(), (1, 1)),
        (io::Error::other("reset").into(), (2, 1)),
        ("a text".into(), (2, 2)),
        (ServiceError::Number(no_int()).into(), (3, 2)),
        (io::Error::other(no_float()).into(), (4, 2)),
    ];
    for (error, expected) in errors {
        let text = error.to_string();
        assert_eq!(fails(error).unwrap_err().to_string(), text);
        assert_eq!(counted(RIG.totals()), expected, "{text}");
    }
}

#[test]
fn errors_of_ignored_types_count_for_nothing_even_if_they_are_listed() {
    static RIG: LazyLock<Rig> = rig();

    #[circuit_breaker("payments", errors(io::Error), ignore(ParseIntError, ServiceError), board = RIG.board)]
    fn fails(error: io::Error) -> Result<(), CallError<io::Error>> {
        Err(CallError::Failed(error))
    }

    assert!(fails(io::Error::other("reset")).is_err());
    assert!(fails(io::Error::other(no_int())).is_err());
    assert!(fails(io::Error::other(ServiceError::NotFound)).is_err());
    assert_eq!(counted(RIG.totals()), (1, 2));
}

#[test]
fn types_are_found_in_every_kind_of_error() {
    static RIG: LazyLock<Rig> = rig();

    #[circuit_breaker("payments", failure_threshold = 10, errors(ParseIntError), board = RIG.board, fallback = |_| Ok(()))]
    fn boxed(error: Box<dyn Error>) -> Result<(), Box<dyn Error>> {
        Err(error)
    }

    #[circuit_breaker("payments", failure_threshold = 10, errors(ParseIntError), board = RIG.board)]
    fn any(error: anyhow::Error) -> anyhow::Result<()> {
        Err(error)
    }

    #[circuit_breaker("payments", failure_threshold = 10, errors(ParseIntError), board = RIG.board)]
    fn called(
        error: CallError<Box<dyn Error + Send + Sync>>,
    ) -> Result<(), CallError<Box<dyn Error + Send + Sync>>> {
        Err(error)
    }

    #[circuit_breaker("payments", failure_threshold = 10, errors(String), board = RIG.board)]
    fn text(error: String) -> Result<(), CallError<String>> {
        Err(CallError::Failed(error))
    }

    #[circuit_breaker("payments", failure_threshold = 10, errors(E), board = RIG.board)]
    fn generic<E: From<Rejected> + 'static>(error: E) -> Result<(), E> {
        Err(error)
    }

    #[circuit_breaker("payments", failure_threshold = 10, errors(ParseIntError), board = RIG.board)]
    fn unnamed(error: ParseIntError) -> Result<(), impl Error + From<Rejected>> {
        Err::<(), ServiceError>(ServiceError::Number(error))
    }

    assert!(boxed(no_int().into()).is_err());
    assert!(any(anyhow::Error::new(no_int()).context("while it was read")).is_err());
    assert!(called(CallError::Failed(no_int().into())).is_err());
    assert!(text("reset".to_owned()).is_err());
    assert!(generic(ServiceError::Timeout).is_err());
    assert!(unnamed(no_int()).is_err());
    assert_eq!(counted(RIG.totals()), (6, 0));

    assert!(boxed(no_float().into()).is_err());
    assert!(any(anyhow::Error::new(no_float())).is_err());
    assert!(called(CallError::Failed(no_float().into())).is_err());
    assert_eq!(counted(RIG.totals()), (6, 3));
}

#[test]
fn an_inner_rejection_is_ignored_however_it_is_wrapped() {
    static RIG: LazyLock<Rig> = rig();

    fn rejected() -> Rejected {
        let inner = CircuitBreaker::builder("inner").build().expect("the name is possible");
        inner.force_open(Pin::by("test"));
        inner.try_acquire().expect_err("it is forced open")
    }

    #[circuit_breaker("outer", board = RIG.board)]
    fn service() -> Result<(), ServiceError> {
        Err(rejected())?
    }

    #[circuit_breaker("outer", board = RIG.board)]
    fn any() -> anyhow::Result<()> {
        Err(anyhow::Error::new(ServiceError::Rejected(rejected())).context("while it was charged"))
    }

    #[circuit_breaker("outer", errors(io::Error, Rejected), board = RIG.board)]
    fn called() -> Result<(), CallError<io::Error>> {
        Err(CallError::Rejected(rejected()))
    }

    assert!(service().is_err() && any().is_err() && called().is_err());
    assert_eq!(counted(RIG.totals()), (0, 3));
}

/// What `thiserror` makes of a variant that is `#[error(transparent)]`.
#[derive(Debug)]
struct Transparent(ServiceError);

impl std::fmt::Display for Transparent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Transparent {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl From<Rejected> for Transparent {
    fn from(rejected: Rejected) -> Self {
        Transparent(rejected.into())
    }
}

#[test]
fn a_transparent_error_hides_the_one_inside_but_not_what_that_stems_from() {
    static RIG: LazyLock<Rig> = rig();

    #[circuit_breaker("payments", failure_threshold = 10, errors(ServiceError), board = RIG.board)]
    fn hidden(error: ServiceError) -> Result<(), Transparent> {
        Err(Transparent(error))
    }

    #[circuit_breaker("payments", failure_threshold = 10, errors(ParseIntError), board = RIG.board)]
    fn below(error: ServiceError) -> Result<(), Transparent> {
        Err(Transparent(error))
    }

    #[circuit_breaker("payments", failure_threshold = 10, board = RIG.board, judged_by = |result| match result {
        Err(Transparent(ServiceError::Timeout)) => Outcome::Failure,
        _ => Outcome::Ignored,
    })]
    fn judged(error: ServiceError) -> Result<(), Transparent> {
        Err(Transparent(error))
    }

    assert!(hidden(ServiceError::Timeout).is_err());
    assert_eq!(counted(RIG.totals()), (0, 1));
    assert!(below(ServiceError::Number(no_int())).is_err());
    assert_eq!(counted(RIG.totals()), (1, 1));
    assert!(judged(ServiceError::Timeout).is_err());
    assert_eq!(counted(RIG.totals()), (2, 1));
}

#[test]
fn the_trackers_of_a_given_breaker_judge_the_errors_that_are_listed() {
    static BREAKER: LazyLock<CircuitBreaker> = LazyLock::new(|| {
        let timeouts = Tracker::error("timeouts", |error| matches!(error, ServiceError::Timeout));
        let rules = Rules::builder().tracker(timeouts | Tracker::Rejections).build();
        let builder = CircuitBreaker::builder("payments").rules(rules.expect("they go together"));
        builder.build().expect("the name is possible")
    });

    #[circuit_breaker(breaker = BREAKER)]
    fn fails(error: CallError<ServiceError>) -> Result<(), CallError<ServiceError>> {
        Err(error)
    }

    #[circuit_breaker(breaker = BREAKER, ignore(ServiceError))]
    fn forgives(error: ServiceError) -> Result<(), ServiceError> {
        Err(error)
    }

    assert!(fails(CallError::Failed(ServiceError::NotFound)).is_err());
    assert_eq!(counted(BREAKER.info().totals), (0, 1));
    assert!(fails(CallError::Failed(ServiceError::Timeout)).is_err());
    assert_eq!(counted(BREAKER.info().totals), (1, 1));
    assert!(forgives(ServiceError::Timeout).is_err());
    assert_eq!(counted(BREAKER.info().totals), (1, 2));
    let other = CircuitBreaker::builder("other").build().unwrap();
    other.force_open(Pin::by("test"));
    assert!(fails(CallError::Rejected(other.try_acquire().unwrap_err())).is_err());
    assert_eq!(counted(BREAKER.info().totals), (2, 2));
}

#[tokio::test]
async fn a_function_of_the_user_may_judge_values_and_errors() {
    static RIG: LazyLock<Rig> = rig();

    fn judge(result: Result<&u16, &ServiceError>) -> Outcome {
        match result {
            Ok(500..) | Err(ServiceError::Timeout) => Outcome::Failure,
            Ok(_) => Outcome::Success,
            Err(_) => Outcome::Ignored,
        }
    }

    #[circuit_breaker("payments", judged_by = judge, board = RIG.board)]
    fn answers(answer: Result<u16, ServiceError>) -> Result<u16, ServiceError> {
        answer
    }

    // What is judged like this may borrow, error and all.
    #[circuit_breaker(
        "payments",
        judged_by = |result| match result {
            Ok(&"none") => Outcome::Failure,
            _ => Outcome::Ignored,
        },
        fallback = async |_| Err("rejected"),
        board = RIG.board
    )]
    async fn borrows<'a>(name: &'a str) -> Result<&'a str, &'a str> {
        Ok(name)
    }

    for (answer, expected) in [
        (Ok(200), (1, 0, 0)),
        (Ok(503), (1, 1, 0)),
        (Err(ServiceError::Timeout), (1, 2, 0)),
        (Err(ServiceError::NotFound), (1, 2, 1)),
    ] {
        let _ = answers(answer);
        let totals = RIG.totals();
        assert_eq!((totals.success, totals.failure, totals.ignored), expected);
    }
    assert_eq!(borrows("none").await, Ok("none"));
    assert_eq!(RIG.totals().failure, 3);
}

#[test]
fn a_judge_that_panics_has_seen_a_failure() {
    static RIG: LazyLock<Rig> = rig();

    fn judge(_: Result<&(), &CallError<()>>) -> Outcome {
        panic!("on purpose");
    }

    #[circuit_breaker("payments", judged_by = judge, board = RIG.board)]
    fn answers() -> Result<(), CallError<()>> {
        Ok(())
    }

    assert!(std::panic::catch_unwind(answers).is_err());
    assert_eq!(counted(RIG.totals()), (1, 0));
}
