//! Around a tonic channel: a stream that ends in `UNAVAILABLE` counts, although it began well.
//!
//! Rejections are gRPC answers with status 14, so that callers see a `Status` as for any other call. The service has a
//! codec of its own instead of generated code, because that needs no build step; a generated client takes the same
//! `channel`.

use std::convert::Infallible;
use std::error::Error;
use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Buf, BufMut};
use fuseboard_core::policy::{Recovery, Retry, failure_streak};
use fuseboard_core::{CircuitBreaker, Rejected, Rules, State};
use fuseboard_tower::{CircuitBreakerLayer, GrpcStatus, grpc_unavailable};
use futures_util::stream;
use http::uri::PathAndQuery;
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status};
use tower::{ServiceBuilder, service_fn};

/// Messages are text.
#[derive(Clone, Copy, Default)]
struct Text;

impl Codec for Text {
    type Encode = String;
    type Decode = String;
    type Encoder = Text;
    type Decoder = Text;

    fn encoder(&mut self) -> Text {
        Text
    }

    fn decoder(&mut self) -> Text {
        Text
    }
}

impl Encoder for Text {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, text: String, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(text.as_bytes());
        Ok(())
    }
}

impl Decoder for Text {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let bytes = from.copy_to_bytes(from.remaining()).into();
        String::from_utf8(bytes).map(Some).map_err(|_| Status::internal("not text"))
    }
}

/// Sends one price, and another unless the exchange is down.
async fn serve(is_down: Arc<AtomicBool>) -> Result<SocketAddr, Box<dyn Error>> {
    let prices = move |_share: Request<String>| {
        let second = match is_down.load(Ordering::SeqCst) {
            true => Err(Status::unavailable("the exchange is closed")),
            false => Ok("102".to_owned()),
        };
        let prices = [Ok("101".to_owned()), second];
        ready(Ok::<_, Status>(Response::new(stream::iter(prices))))
    };
    let service = service_fn(move |request: http::Request<Body>| {
        let prices = service_fn(prices.clone());
        async move {
            let answer = tonic::server::Grpc::new(Text).server_streaming(prices, request).await;
            Ok::<_, Infallible>(answer)
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let incoming = TcpIncoming::from(listener);
    tokio::spawn(Server::builder().serve_with_incoming(service, incoming));
    Ok(address)
}

/// All prices of the share.
async fn prices<C>(channel: C) -> Result<Vec<String>, Status>
where
    C: GrpcService<Body, Error: Into<Box<dyn Error + Send + Sync>>>,
    C::ResponseBody:
        http_body::Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.map_err(|error| Status::from_error(error.into()))?;
    let path = PathAndQuery::from_static("/shop.Exchange/Prices");
    let answer = client.server_streaming(Request::new("ACME".to_owned()), path, Text).await?;
    let (mut messages, mut prices) = (answer.into_inner(), Vec::new());
    while let Some(price) = messages.message().await? {
        prices.push(price);
    }
    Ok(prices)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let rules = Rules::builder()
        .tripper(failure_streak(3))
        .retry(Retry::cooldown(Duration::from_millis(100)))
        .recovery(Recovery::successes(1))
        .build()?;
    let breaker = CircuitBreaker::builder("exchange").rules(rules).build()?;
    let is_down = Arc::new(AtomicBool::new(false));
    let address = serve(Arc::clone(&is_down)).await?;

    let instead = |rejected: Rejected, _: http::Request<Body>| Ok(grpc_unavailable(rejected));
    let layer = CircuitBreakerLayer::new(breaker.clone()).classify(GrpcStatus::default());
    let channel = ServiceBuilder::new()
        .layer(layer.watch_bodies().map_rejected(instead))
        .service(Channel::from_shared(format!("http://{address}"))?.connect_lazy());
    assert_eq!(prices(channel.clone()).await?, ["101", "102"]);

    is_down.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let status = prices(channel.clone()).await.expect_err("the stream ends in a failure");
        assert_eq!(
            (status.code(), status.message()),
            (Code::Unavailable, "the exchange is closed")
        );
    }
    let status = prices(channel.clone()).await.expect_err("the circuit is open");
    let wait = status.metadata().get("grpc-retry-pushback-ms").ok_or("not rejected")?;
    let wait = Duration::from_millis(wait.to_str()?.parse()?);
    println!("{} is {}: {}, back in {wait:?}", breaker.name(), breaker.state(), status.message());

    is_down.store(false, Ordering::SeqCst);
    tokio::time::sleep(wait).await; // waits for: the time that the answer named
    assert_eq!(prices(channel).await?, ["101", "102"]);
    println!("{} is {}", breaker.name(), breaker.state());
    assert_eq!(breaker.state(), State::Closed);
    Ok(())
}
