//! Around reqwest: a circuit for each host, and a body that breaks off is a failure.
//!
//! A `reqwest::Client` is a Tower service. Its responses are made `http::Response`s here, so that `HttpStatus` and
//! `watch_bodies` know them. (`ClientBuilder::connector_layer` is another place: there a breaker sees connections, not
//! answers.)

use std::error::Error;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use fuseboard_core::policy::{Recovery, Retry, Tracker, failure_streak};
use fuseboard_core::{CallError, Keyed, Rules, State};
use fuseboard_tower::{CircuitBreakerLayer, HttpStatus};
use futures_util::stream;
use http_body_util::BodyExt;
use reqwest::Url;
use tokio::net::TcpListener;
use tower::{Service, ServiceBuilder, ServiceExt};

/// A service that answers `/good`, and breaks off in the middle of `/broken`.
async fn serve() -> io::Result<Url> {
    let broken = || async {
        // The wait in between sends the first half on its way.
        Body::from_stream(stream::unfold(0, async |piece| match piece {
            0 => Some((Ok("half of"), 1)),
            _ => {
                tokio::task::yield_now().await;
                Some((Err(io::Error::from(io::ErrorKind::BrokenPipe)), 2))
            }
        }))
    };
    let app = Router::new().route("/good", get("all of it")).route("/broken", get(broken));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(axum::serve(listener, app).into_future());
    Ok(Url::parse(&format!("http://{address}")).expect("an address is a valid host"))
}

/// A circuit for each host.
fn circuits() -> Result<Keyed<String>, Box<dyn Error>> {
    // A request that could not even be made says nothing about the host.
    let ours = Tracker::error("our own fault", |error: &reqwest::Error| error.is_builder());
    let rules = Rules::builder()
        .ignoring(ours)
        .tripper(failure_streak(3))
        .retry(Retry::cooldown(Duration::from_millis(100)))
        .recovery(Recovery::successes(1))
        .build()?;
    Ok(Keyed::builder("hosts").rules(rules).build()?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (one, other) = (serve().await?, serve().await?);
    let circuits = circuits()?;
    let hosts = circuits.clone();
    let by_host = move |request: &reqwest::Request| hosts.get(request.url().authority());
    let client = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::keyed(by_host).classify(HttpStatus::default()).watch_bodies())
        .map_response(http::Response::<reqwest::Body>::from)
        .service(reqwest::Client::new());

    let get = async |host: &Url, path: &str| {
        let request = reqwest::Request::new(reqwest::Method::GET, host.join(path)?);
        let response = client.clone().ready().await?.call(request).await?;
        let body = response.into_body().collect().await?.to_bytes();
        Ok::<_, Box<dyn Error>>(String::from_utf8(body.into())?)
    };
    assert_eq!(get(&one, "/good").await?, "all of it");
    for _ in 0..3 {
        let error = get(&one, "/broken").await.expect_err("the body breaks off");
        println!("{}: {error}", one.authority());
        let error = error.downcast_ref::<reqwest::Error>();
        assert!(error.is_some_and(reqwest::Error::is_body), "{error:?}");
    }

    let error = get(&one, "/good").await.expect_err("the circuit is open");
    let rejected = error.downcast_ref::<CallError<reqwest::Error>>().and_then(CallError::rejected);
    let rejected = rejected.ok_or("not rejected")?;
    println!("{error}: {rejected}");
    let wait = rejected.retry_after.ok_or("it does not say when")?;
    assert_eq!(get(&other, "/good").await?, "all of it");

    tokio::time::sleep(wait).await; // waits for: the time that the rejection named
    assert_eq!(get(&one, "/good").await?, "all of it");
    assert_eq!(circuits.get(one.authority()).state(), State::Closed);
    println!("{} is back", one.authority());
    Ok(())
}
