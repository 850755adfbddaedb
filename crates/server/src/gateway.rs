//! The gateway: takes requests, asks the circuit of their upstream, and loses none that it acknowledged.
//!
//! A request's way: `door` lets its caller in; `check` and `framing` refuse what is unfit; `exchange` finds its route
//! (`routes`) and asks the circuit; `upstream` sends it over a kept-alive connection (`pool`) while its body streams
//! through and is kept (`body`), and `turn` takes the time; the answer streams back (`relay`). What was not done goes to
//! the route's fallbacks (`fallback`, `refusals`); what became a letter, which is its caller's own (`scope`), has a page
//! (`pages`) and is done again later (`replay`).

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::time::Clock;
use fuseboard_services::wake::Bells;
use fuseboard_store::{Letters, Token};
use http::header::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::config::Config;
use crate::metrics::Metrics;

mod body;
mod check;
mod door;
mod exchange;
mod fallback;
mod framing;
mod headers;
mod pages;
mod pool;
mod refusals;
mod relay;
mod replay;
mod reply;
mod routes;
mod scope;
mod turn;
mod upstream;
mod withheld;

use door::{Caller, Door};
use framing::{Requests, Watched};
pub use relay::{RelayError, Relayed, ReplyBody};
pub(crate) use replay::HttpReplay;
pub(crate) use routes::Routes;
pub(crate) use upstream::Upstream;

/// How long a caller may take to send a request's head; also how long an idle connection is kept.
const HEAD_PATIENCE: Duration = Duration::from_secs(60);
/// By how much a head may exceed its limit and still be read whole, so that the refusal reaches its caller.
const HEAD_SLACK: usize = 16 << 10;

/// What answers requests.
pub(crate) struct Gateway {
    pub(crate) config: Arc<Config>,
    pub(crate) routes: Arc<Routes>,
    pub(crate) letters: Arc<dyn Letters>,
    pub(crate) bells: Bells,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Gateway {
    /// Takes connections until `stop` is true, then lets the requests in flight end within `grace`.
    pub(crate) async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        stop: watch::Receiver<bool>,
        grace: Duration,
    ) {
        let mut door = Door::new(listener, self.config.server.max_connections, self.clock.clone());
        let mut connections = JoinSet::new();
        let mut stopping = stop.clone();
        loop {
            tokio::select! {
                caller = door.next() => {
                    connections.spawn(Arc::clone(&self).connection(caller, stop.clone()));
                }
                Some(_) = connections.join_next() => {}
                () = stopped(&mut stopping) => break,
            }
        }
        drop(door);
        let ended = async { while connections.join_next().await.is_some() {} };
        if timeout(grace, ended).await.is_err() {
            warn!(left = connections.len(), "requests in flight did not end in time");
        }
    }

    async fn connection(self: Arc<Self>, caller: Caller, mut stop: watch::Receiver<bool>) {
        let Caller { stream, peer, place: _place } = caller;
        // Without it small answers only come later, not wrong.
        let _ = stream.set_nodelay(true);
        let limits = &self.config.server;
        let requests = Arc::new(Requests::default());
        let service = service_fn(|request: http::Request<hyper::body::Incoming>| {
            let (gateway, flaw) = (Arc::clone(&self), requests.next_flaw());
            async move {
                let refusal = check::refusal(&request, flaw, &gateway.config.server);
                Ok::<_, Infallible>(match refusal {
                    Some(refusal) => refusal,
                    None => gateway.answer(request, peer).await,
                })
            }
        });
        let stream = Watched::new(stream, Arc::clone(&requests), limits.max_header_bytes);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_PATIENCE)
            .max_buf_size(limits.max_header_bytes.max(8192) + HEAD_SLACK)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => Some(ended),
            () = stopped(&mut stop) => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            debug!(%peer, %error, "a connection ended");
        }
    }

    async fn answer(
        &self,
        request: http::Request<hyper::body::Incoming>,
        peer: SocketAddr,
    ) -> http::Response<ReplyBody> {
        if request.uri().path().starts_with("/.fuseboard/") {
            return self.page(request.method(), request.uri().path()).await;
        }
        Box::pin(self.exchange(request, peer)).await
    }

    /// An idempotency key for a caller that sent none.
    fn new_key(&self) -> HeaderValue {
        let key = format!("fuseboard-{}", Token::random());
        HeaderValue::try_from(key).expect("hex digits and letters are a header value")
    }
}

/// Ends when the server is to stop, or when whoever could say so is gone.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, and with it the server.
    let _ = stop.wait_for(|stop| *stop).await;
}
