//! The service, asked over real connections.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;

use super::*;
use crate::demo::client::{Client, NoAnswer};
use crate::demo::ledger::Ledger;

/// Long enough for every answer that comes.
const PATIENCE: Duration = Duration::from_secs(10);

struct Shop {
    client: Client,
    ledger: PathBuf,
    _folder: tempfile::TempDir,
}

impl Shop {
    async fn beside(behaviour: Behaviour) -> Shop {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().join("ledger.jsonl");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new(listener.local_addr().unwrap());
        tokio::spawn(serve(listener, LedgerFile::open(&ledger).unwrap(), behaviour));
        Shop { client, ledger, _folder: folder }
    }

    async fn ask(&mut self, request: http::request::Builder, body: &str) -> Response<Bytes> {
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
        self.client.send(request, PATIENCE).await.unwrap()
    }

    async fn pay(&mut self, key: &str, amount: u64) -> Response<Bytes> {
        let request = Request::post("/payments").header("idempotency-key", key);
        self.ask(request, &format!("{{\"amount\":{amount}}}")).await
    }

    fn ledger(&self) -> Ledger {
        Ledger::read(&self.ledger).unwrap()
    }
}

#[tokio::test]
async fn a_repeat_gets_the_same_answer_and_is_not_done_again() {
    let mut shop = Shop::beside(Behaviour::default()).await;
    let first = shop.pay("a", 1250).await;
    let repeat = shop.pay("a", 1250).await;
    assert_eq!(first.status(), StatusCode::CREATED);
    assert_eq!((first.status(), first.body()), (repeat.status(), repeat.body()));

    let ledger = shop.ledger();
    assert_eq!((ledger.applied()["a"], ledger.deliveries()["a"]), (1, 2));
}

#[tokio::test]
async fn concurrent_repeats_are_done_once() {
    let shop = Shop::beside(Behaviour::default()).await;
    let address = shop.client.address();
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..16 {
        asking.spawn(async move {
            let request = Request::post("/payments").header("idempotency-key", "a");
            let request = request.body(Full::from("{\"amount\":5}")).unwrap();
            Client::new(address).send(request, PATIENCE).await.unwrap().status()
        });
    }
    assert_eq!(asking.join_all().await, [StatusCode::CREATED; 16]);
    let ledger = shop.ledger();
    assert_eq!((ledger.applied()["a"], ledger.deliveries()["a"]), (1, 16));
}

#[tokio::test]
async fn what_is_no_payment_is_refused_and_not_recorded() {
    let mut shop = Shop::beside(Behaviour::default()).await;
    shop.pay("a", 100).await;
    let keyed = || Request::post("/payments").header("idempotency-key", "b");
    assert_eq!(shop.pay("a", 101).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(shop.ask(keyed(), "{}").await.status(), StatusCode::BAD_REQUEST);
    let keyless = Request::post("/payments");
    assert_eq!(shop.ask(keyless, "{\"amount\":1}").await.status(), StatusCode::BAD_REQUEST);
    let read = Request::get("/payments");
    assert_eq!(shop.ask(read, "").await.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(shop.ask(Request::get("/healthz"), "").await.status(), StatusCode::OK);
    assert_eq!(shop.ledger().entries().len(), 1);
}

#[tokio::test]
async fn a_replay_is_recorded_with_what_the_gateway_says_of_it() {
    let mut shop = Shop::beside(Behaviour::default()).await;
    let request = Request::post("/payments/till").header("idempotency-key", "a");
    shop.ask(request.header("fuseboard-replay", "2"), "{\"amount\":1}").await;
    assert_eq!(shop.ledger().entries()[0].replay.as_deref(), Some("2"));
}

#[tokio::test]
async fn a_brown_out_answers_500_and_does_nothing_until_it_is_over() {
    let mut shop = Shop::beside(Behaviour { fail_rate: 1.0, ..Behaviour::default() }).await;
    assert_eq!(shop.pay("a", 1).await.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(shop.ledger().entries(), []);

    let healthy = shop.ask(Request::put("/behaviour"), "{\"fail_rate\":0.0}").await;
    assert_eq!(healthy.status(), StatusCode::OK);
    assert_eq!(shop.pay("a", 1).await.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn a_hanging_payment_is_done_and_never_answered() {
    let mut shop = Shop::beside(Behaviour { hang_rate: 1.0, ..Behaviour::default() }).await;
    let request = Request::post("/payments").header("idempotency-key", "a");
    let request = request.body(Full::from("{\"amount\":5}")).unwrap();
    let answered = shop.client.send(request, Duration::from_millis(300)).await;
    assert!(matches!(answered, Err(NoAnswer::TooLate(_))), "{answered:?}");
    assert_eq!(shop.ledger().applied()["a"], 1);
}

#[tokio::test]
async fn an_impossible_behaviour_is_refused_by_name() {
    let mut shop = Shop::beside(Behaviour::default()).await;
    for (body, named) in [
        ("{\"fail_rate\":1.5}", "fail_rate: 1.5"),
        ("{\"fail_rate\":0.6,\"hang_rate\":0.6}", "fail_rate + hang_rate"),
        ("{\"fial_rate\":0.5}", "fial_rate"),
    ] {
        let answer = shop.ask(Request::put("/behaviour"), body).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        assert!(text.contains(named), "{text}");
    }
    let now = shop.ask(Request::get("/behaviour"), "").await;
    let now: Behaviour = serde_json::from_slice(now.body()).unwrap();
    assert_eq!(now, Behaviour::default());
}
