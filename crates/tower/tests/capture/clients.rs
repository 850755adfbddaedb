//! Under axum, and around reqwest over real connections.

use std::convert::Infallible;
use std::future::IntoFuture;
use std::sync::Arc;

use axum::Router;
use axum::routing::post;
use fuseboard_core::time::ManualClock;
use fuseboard_core::{CircuitBreaker, Pin};
use fuseboard_services::capture::{Captures, Kind, Queued};
use fuseboard_services::replay_service::ReplayService;
use fuseboard_store::{Letters, Memory};
use fuseboard_tower::capture::{KeptBody, NotCaptured};
use fuseboard_tower::{
    CaptureLayer, CircuitBreakerLayer, HttpStatus, accepted, service_unavailable,
};
use http::Request;
use http_body_util::BodyExt;
use tokio::net::{TcpListener, TcpSocket};
use tower::{ServiceBuilder, ServiceExt, service_fn};

const BODY: &str = "order 42\0\r\n\u{e9}";

fn captures() -> (Arc<Memory>, Captures) {
    let letters = Arc::new(Memory::default());
    // Its clock is so late that every letter is due at once by the system's.
    let captures = Captures::builder().letters(letters.clone()).clock(Arc::new(ManualClock::new()));
    let captures = captures.build().unwrap();
    (letters, captures)
}

#[tokio::test]
async fn a_route_of_axum_takes_an_order_while_its_circuit_is_open() {
    let (letters, captures) = captures();
    let orders = CircuitBreaker::builder("orders").build().unwrap();
    let capture = CaptureLayer::builder(&captures, &orders, accepted).policy(Kind::Rejected);
    let capture = capture.build().unwrap();
    let breaker = CircuitBreakerLayer::new(orders.clone()).classify(HttpStatus::default());
    let breaker =
        breaker.map_rejected(|rejected, _request: Request<KeptBody<axum::body::Body>>| {
            Ok::<axum::response::Response, Infallible>(service_unavailable(rejected))
        });
    let layers = ServiceBuilder::new()
        .map_err(|error: NotCaptured<Infallible>| match error.error {})
        .layer(capture.clone())
        .layer(breaker)
        .map_request(|request: Request<KeptBody<axum::body::Body>>| {
            request.map(axum::body::Body::new)
        });
    let inner = Router::new().route("/orders", post(async |body: String| body));
    let app = Router::new().route("/orders", post(async |body: String| body)).layer(layers);
    let order =
        || Request::post("/orders").header("host", "a").body(axum::body::Body::from(BODY)).unwrap();

    let response = app.clone().oneshot(order()).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), BODY.as_bytes());
    orders.force_open(Pin::by("test"));
    let response = app.oneshot(order()).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.headers()["fuseboard-letter"].len()),
        (202, 32)
    );
    let id = response.extensions().get::<Queued>().unwrap().id;

    let replays = ReplayService::new(letters.clone(), None);
    let replay = capture.replay::<axum::body::Body, _>(inner);
    replays.register_circuit_handler("orders", Arc::new(replay));
    assert!(replays.replay_single(id).await.unwrap().success);
    let letter = letters.get(id).await.unwrap().unwrap();
    assert_eq!(letter.body, BODY.as_bytes());
    assert_eq!(letter.answer.unwrap().body, BODY.as_bytes());
}

#[tokio::test]
async fn reqwest_is_refused_and_the_order_arrives_when_there_is_a_server() {
    let (letters, captures) = captures();
    let orders = CircuitBreaker::builder("orders").build().unwrap();
    let capture = CaptureLayer::builder(&captures, &orders, accepted::<reqwest::Body>);
    let capture = capture.policy(Kind::Rejected | Kind::Connect).build().unwrap();
    let client = reqwest::Client::new();
    let send = move |request: Request<reqwest::Body>| {
        let client = client.clone();
        async move { client.execute(request.try_into()?).await.map(http::Response::from) }
    };
    let breaker = CircuitBreakerLayer::new(orders.clone()).classify(HttpStatus::default());
    let service = ServiceBuilder::new()
        .layer(capture.clone())
        .layer(breaker)
        .map_request(|request: Request<KeptBody<reqwest::Body>>| request.map(reqwest::Body::wrap))
        .service(service_fn(send.clone()));

    // Bound, and nobody listens: connections are refused.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let order = Request::post(format!("http://{address}/orders")).body(reqwest::Body::from(BODY));
    let response = service.oneshot(order.unwrap()).await.unwrap();
    assert_eq!(response.status(), 202);
    let queued = *response.extensions().get::<Queued>().unwrap();
    assert_eq!(queued.kind, Kind::Connect);

    drop(socket);
    let app = Router::new().route("/orders", post(async |body: String| body));
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(axum::serve(listener, app).into_future());
    let replay = capture.replay::<reqwest::Body, _>(service_fn(send));
    let replays = ReplayService::new(letters.clone(), None);
    replays.register_circuit_handler("orders", Arc::new(replay));
    let result = replays.replay_single(queued.id).await.unwrap();
    assert!(result.success, "{result:?}");
    let letter = letters.get(queued.id).await.unwrap().unwrap();
    assert_eq!(
        (letter.body.as_slice(), letter.answer.unwrap().body),
        (BODY.as_bytes(), BODY.into())
    );
}
