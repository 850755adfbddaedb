//! An inner service that does what the test says, and breakers on a clock that the test moves.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use fuseboard_core::policy::{Recovery, Retry, failure_streak};
use fuseboard_core::time::ManualClock;
use fuseboard_core::{CircuitBreaker, Info, Rules, RulesBuilder, State};
use tower::Service;

pub(crate) const SEC: Duration = Duration::from_secs(1);
/// How long a circuit stays open.
pub(crate) const COOLDOWN: Duration = Duration::from_secs(10);

/// Opens at the first failure, closes at the first success.
pub(crate) fn rules() -> RulesBuilder {
    let rules = Rules::builder().tripper(failure_streak(1)).retry(Retry::cooldown(COOLDOWN));
    rules.recovery(Recovery::successes(1)).slots(1)
}

/// A breaker and the clock that it goes by.
#[derive(Clone)]
pub(crate) struct Circuit {
    pub(crate) breaker: CircuitBreaker,
    pub(crate) clock: Arc<ManualClock>,
}

impl Circuit {
    pub(crate) fn new() -> Self {
        Circuit::with(rules())
    }

    pub(crate) fn with(rules: RulesBuilder) -> Self {
        let clock = Arc::new(ManualClock::new());
        let builder = CircuitBreaker::builder("payments").rules(rules.build().unwrap());
        let breaker = builder.clock(clock.clone()).build().unwrap();
        Circuit { breaker, clock }
    }

    /// Opens it, by a failure that is not counted any more.
    pub(crate) fn open(self) -> Self {
        self.breaker.try_acquire().unwrap().failure("refused");
        assert_eq!(self.breaker.state(), State::Open);
        self
    }

    /// Open, and its deadline has passed: the next call is a probe.
    pub(crate) fn due(self) -> Self {
        let circuit = self.open();
        circuit.clock.advance(COOLDOWN);
        circuit
    }

    pub(crate) fn state(&self) -> State {
        self.breaker.state()
    }

    pub(crate) fn info(&self) -> Info {
        self.breaker.info()
    }

    /// Runs `act`, and says what the totals grew by.
    pub(crate) fn counts(&self, act: impl FnOnce()) -> Vec<(&'static str, u64)> {
        let before = self.info().totals.by_outcome();
        act();
        let after = self.info().totals.by_outcome();
        let grown =
            after.into_iter().zip(before).map(|((word, now), (_, then))| (word, now - then));
        grown.filter(|(_, by)| *by > 0).collect()
    }
}

/// What the inner service does when it is called, or when the future of a call is polled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Does {
    Answers(Result<u32, &'static str>),
    Hangs,
    PanicsInCall,
    PanicsInFuture,
}

#[derive(Debug)]
struct Script {
    ready: Poll<Result<(), &'static str>>,
    does: Does,
    calls: Vec<u32>,
}

/// An inner service whose clones share a script, but not the readiness.
#[derive(Debug)]
pub(crate) struct Inner {
    script: Arc<Mutex<Script>>,
    was_ready: bool,
}

impl Inner {
    pub(crate) fn that(does: Does) -> Self {
        let script = Script { ready: Poll::Ready(Ok(())), does, calls: Vec::new() };
        Inner { script: Arc::new(Mutex::new(script)), was_ready: false }
    }

    pub(crate) fn ready(&self, ready: Poll<Result<(), &'static str>>) {
        self.script().ready = ready;
    }

    pub(crate) fn does(&self, does: Does) {
        self.script().does = does;
    }

    /// The requests that it got.
    pub(crate) fn calls(&self) -> Vec<u32> {
        self.script().calls.clone()
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        // A panic that the script asked for poisons nothing that matters.
        self.script.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Clone for Inner {
    fn clone(&self) -> Self {
        Inner { script: Arc::clone(&self.script), was_ready: false }
    }
}

pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<u32, &'static str>> + Send>>;

impl Service<u32> for Inner {
    type Response = u32;
    type Error = &'static str;
    type Future = Answer;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        let ready = self.script().ready;
        self.was_ready = ready == Poll::Ready(Ok(()));
        ready
    }

    fn call(&mut self, request: u32) -> Answer {
        assert!(std::mem::take(&mut self.was_ready), "called without having been ready");
        self.script().calls.push(request);
        let does = self.script().does;
        assert_ne!(does, Does::PanicsInCall, "meant");
        let script = Arc::clone(&self.script);
        Box::pin(poll_fn(move |_| {
            let does = script.lock().unwrap().does;
            match does {
                Does::Answers(answer) => Poll::Ready(answer),
                Does::Hangs => Poll::Pending,
                Does::PanicsInCall | Does::PanicsInFuture => panic!("meant"),
            }
        }))
    }
}

/// Polls once, with nobody to wake.
pub(crate) fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

pub(crate) fn poll_ready<R, S: Service<R>>(service: &mut S) -> Poll<Result<(), S::Error>> {
    service.poll_ready(&mut Context::from_waker(Waker::noop()))
}

/// Polls the service ready and calls it.
pub(crate) fn call<R, S: Service<R>>(service: &mut S, request: R) -> S::Future {
    assert!(matches!(poll_ready(service), Poll::Ready(Ok(()))), "not ready");
    service.call(request)
}

/// Makes a call that ends at once.
pub(crate) fn answer<R, S>(service: &mut S, request: R) -> Result<S::Response, S::Error>
where
    S: Service<R, Future: Unpin>,
{
    match poll(&mut call(service, request)) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("the call hangs"),
    }
}

/// The message of the panic in `act`, if there is one.
pub(crate) fn panic_in(act: impl FnOnce()) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(act)).err()?;
    let text = panic.downcast_ref::<String>().cloned();
    Some(text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap())
}
