//! Under axum: a route whose dependency fails answers 503 by itself, with `Retry-After`, until the dependency is back.
//!
//! The error type of an axum service is `Infallible`, so rejections are answers here: `map_rejected`.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use fuseboard_core::policy::{Recovery, Retry, failure_streak};
use fuseboard_core::{CircuitBreaker, Rejected, Rules};
use fuseboard_tower::{CircuitBreakerLayer, HttpStatus, service_unavailable};
use http::StatusCode;
use tokio::net::TcpListener;

/// The dependency: a warehouse that is down when it is told to be.
type Warehouse = Arc<AtomicBool>;

async fn stock(State(is_down): State<Warehouse>) -> Result<&'static str, StatusCode> {
    match is_down.load(Ordering::SeqCst) {
        true => Err(StatusCode::BAD_GATEWAY),
        false => Ok("12 pieces"),
    }
}

fn app(breaker: CircuitBreaker, warehouse: Warehouse) -> Router {
    let layer = CircuitBreakerLayer::new(breaker)
        .classify(HttpStatus::default())
        .watch_bodies()
        .map_rejected(|rejected: Rejected, _: Request| Ok(service_unavailable(rejected)) as Answer);
    // Only what needs the warehouse is behind its circuit.
    Router::new()
        .route("/stock", get(stock))
        .layer(layer)
        .route("/about", get("a shop"))
        .with_state(warehouse)
}

type Answer = Result<Response, std::convert::Infallible>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let rules = Rules::builder()
        .tripper(failure_streak(3))
        .retry(Retry::cooldown(Duration::from_millis(300)))
        .recovery(Recovery::successes(1))
        .build()?;
    let breaker = CircuitBreaker::builder("warehouse").rules(rules).build()?;
    let warehouse = Warehouse::default();

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let shop = format!("http://{}", listener.local_addr()?);
    tokio::spawn(axum::serve(listener, app(breaker.clone(), warehouse.clone())).into_future());

    let ask = async |path: &str| reqwest::get(format!("{shop}{path}")).await;
    assert_eq!(ask("/stock").await?.text().await?, "12 pieces");

    warehouse.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        assert_eq!(ask("/stock").await?.status(), 502);
    }
    let rejected = ask("/stock").await?;
    let wait: u64 = rejected.headers()["retry-after"].to_str()?.parse()?;
    println!("{} is {}: {}, back in {wait} s", breaker.name(), breaker.state(), rejected.status());
    assert_eq!((rejected.status().as_u16(), wait), (503, 1));
    assert_eq!(ask("/about").await?.status(), 200);

    warehouse.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(wait)).await; // waits for: the time that the answer named
    assert_eq!(ask("/stock").await?.text().await?, "12 pieces");
    println!("{} is {}", breaker.name(), breaker.state());
    assert_eq!(breaker.state(), fuseboard_core::State::Closed);
    Ok(())
}
