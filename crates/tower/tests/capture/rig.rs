//! A client behind a breaker and a capture, whose other side does what the test says, and remembers what it got.

use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fuseboard_core::letter::Status;
use fuseboard_core::policy::{Retry, failure_streak};
use fuseboard_core::time::ManualClock;
use fuseboard_core::{Board, CallError, CircuitBreaker, Pin, Rules};
use fuseboard_services::capture::{Captures, Undone};
use fuseboard_services::circuits::BoardRepository;
use fuseboard_services::replay_service::{ReplayContext, ReplayService};
use fuseboard_store::{Letter, Letters, Query, StoreError};
use fuseboard_tower::capture::{CaptureLayerBuilder, KeptBody, NotCaptured};
use fuseboard_tower::{CaptureLayer, CircuitBreakerLayer, HttpStatus, accepted};
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower::util::BoxCloneService;
use tower::{Service, ServiceBuilder, ServiceExt};

use crate::troubled_store::TroubledStore;

pub(crate) type Whole = Full<Bytes>;
pub(crate) type Error = NotCaptured<CallError<io::Error>>;
pub(crate) type Answer = fn(&fuseboard_services::capture::Queued) -> Response<Whole>;
pub(crate) type Building = CaptureLayerBuilder<Answer>;

/// The key that callers send.
pub(crate) const KEY: &str = "order-42";
/// A body that is no text.
pub(crate) const BYTES: &[u8] = b"\0\x01\r\n\xff {}";

/// A request as the other side saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) key: String,
    pub(crate) replay: Option<String>,
    pub(crate) test: Vec<String>,
    pub(crate) body: Vec<u8>,
    pub(crate) in_replay: bool,
}

/// The other side. Its clones are one.
#[derive(Clone, Debug, Default)]
pub(crate) struct OtherSide {
    shared: Arc<Mutex<Script>>,
}

#[derive(Debug, Default)]
struct Script {
    fails: Option<Undone>,
    /// Whether it fails before it has read the body.
    at_once: bool,
    seen: Vec<Seen>,
}

impl OtherSide {
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.lock().unwrap().seen.clone()
    }

    fn see<B>(&self, request: &Request<B>, body: Vec<u8>) {
        let text = |name: &str| {
            let values = request.headers().get_all(name).iter();
            values.map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let seen = Seen {
            line: format!("{} {}", request.method(), request.uri()),
            key: text("idempotency-key").concat(),
            replay: text("fuseboard-replay").pop(),
            test: text("x-test"),
            body,
            in_replay: ReplayContext::current().is_some(),
        };
        self.shared.lock().unwrap().seen.push(seen);
    }

    async fn answer<B: Body>(self, request: Request<B>) -> io::Result<Response<Whole>> {
        let (fails, at_once) = {
            let script = self.shared.lock().unwrap();
            (script.fails, script.at_once)
        };
        let (head, body) = request.into_parts();
        let body = match at_once {
            true => Vec::new(),
            false => body.collect().await.map_or(Vec::new(), |body| body.to_bytes().to_vec()),
        };
        self.see(&Request::from_parts(head, ()), body);
        let status = match fails {
            Some(Undone::Connect) => return Err(ErrorKind::ConnectionRefused.into()),
            Some(Undone::Timeout) => return Err(ErrorKind::TimedOut.into()),
            Some(Undone::Reset) => return Err(ErrorKind::ConnectionReset.into()),
            Some(Undone::Failure) => 503,
            Some(Undone::Rejected) | None => 200,
        };
        let response = Response::builder().status(status).header("x-answer", "1");
        Ok(response.body(Full::from("answered")).unwrap())
    }
}

impl<B> Service<Request<B>> for OtherSide
where
    B: Body<Data: Send> + Send + 'static,
{
    type Response = Response<Whole>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Response<Whole>>>;

    fn poll_ready(
        &mut self,
        _context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        Box::pin(self.clone().answer(request))
    }
}

pub(crate) struct Rig {
    pub(crate) breaker: CircuitBreaker,
    pub(crate) letters: Arc<TroubledStore>,
    pub(crate) captures: Captures,
    pub(crate) other_side: OtherSide,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) replays: ReplayService,
}

impl Rig {
    pub(crate) fn new() -> Rig {
        Rig::over(TroubledStore::default())
    }

    pub(crate) fn over(store: TroubledStore) -> Rig {
        let (letters, clock) = (Arc::new(store), Arc::new(ManualClock::new()));
        let board = Board::builder().clock(clock.clone()).build();
        let rules = Rules::builder().tripper(failure_streak(1000)).retry(Retry::Never);
        let breaker = board.get_or_create("payments", rules.build().unwrap()).unwrap();
        let captures = Captures::builder().letters(letters.clone()).clock(clock.clone());
        let captures = captures.patience(Duration::from_secs(2)).build().unwrap();
        let replays = ReplayService::builder(letters.clone())
            .circuits(Arc::new(BoardRepository::new(board)))
            .build()
            .unwrap();
        let other_side = OtherSide::default();
        Rig { breaker, letters, captures, other_side, clock, replays }
    }

    /// The layer, not built yet.
    pub(crate) fn capture(&self) -> Building {
        CaptureLayer::builder(&self.captures, &self.breaker, accepted as Answer)
    }

    /// The other side behind the breaker, which a capture goes around.
    pub(crate) fn client<B>(
        &self,
    ) -> BoxCloneService<Request<KeptBody<B>>, Response<Whole>, CallError<io::Error>>
    where
        B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        let breaker = CircuitBreakerLayer::new(self.breaker.clone());
        let client = ServiceBuilder::new().layer(breaker.classify(HttpStatus::default()));
        client.service(self.other_side.clone()).boxed_clone()
    }

    /// Sends a request through the capture that `building` comes to.
    pub(crate) async fn send<B>(
        &self,
        building: Building,
        request: Request<B>,
    ) -> Result<Response<Whole>, Error>
    where
        B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        let layer = ServiceBuilder::new().layer(building.build().unwrap());
        layer.service(self.client::<B>()).oneshot(request).await
    }

    /// Makes what `undone` says happen to the next requests.
    pub(crate) fn fails(&self, undone: Undone) {
        self.other_side.shared.lock().unwrap().fails = Some(undone);
        if undone == Undone::Rejected {
            self.breaker.force_open(Pin::by("test"));
        }
    }

    /// As [`fails`](Self::fails), but before any of the body was read.
    pub(crate) fn fails_at_once(&self, undone: Undone) {
        self.fails(undone);
        self.other_side.shared.lock().unwrap().at_once = true;
    }

    /// Everything works again.
    pub(crate) fn recovers(&self) {
        self.breaker.reset();
        let mut script = self.other_side.shared.lock().unwrap();
        (script.fails, script.at_once) = (None, false);
        self.clock.advance(Duration::from_secs(3600));
    }

    pub(crate) async fn all_letters(&self) -> Result<Vec<Letter>, StoreError> {
        self.letters.inner.export(Query { limit: 100, ..Query::default() }).await
    }

    pub(crate) async fn only_letter(&self) -> Letter {
        let letters = self.all_letters().await.unwrap();
        let [letter] = letters.try_into().expect("there is one letter");
        letter
    }

    /// What must hold at the end of every test: no letter went missing.
    pub(crate) async fn conserved(&self, captured: u64) {
        let counts = self.letters.inner.counts().await.unwrap();
        let here: u64 = Status::ALL.into_iter().map(|status| counts.of(status)).sum();
        assert_eq!((counts.captured, here + counts.purged), (captured, captured));
    }
}

/// A POST with these bytes, and with a key if its caller sends one.
pub(crate) fn post<B>(body: B, key: Option<&str>) -> Request<B> {
    let request = Request::post("http://payments/charge?a=b").header("x-test", "1");
    let request = request.header("x-test", "2").header("content-type", "application/x-order");
    let request =
        key.into_iter().fold(request, |request, key| request.header("idempotency-key", key));
    request.body(body).unwrap()
}

pub(crate) fn whole(bytes: &[u8]) -> Whole {
    Full::from(bytes.to_vec())
}
