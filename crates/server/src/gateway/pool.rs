//! Connections to the endpoints of one upstream: kept alive, used by one request at a time.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{Entry, HOST, HeaderValue};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::debug;

use super::body::RequestBody;
use crate::config::Endpoint;

/// Idle connections kept per endpoint, at most.
const MOST_IDLE: usize = 128;

/// How long a connection whose answer was read may take to be free.
const LINGER: Duration = Duration::from_secs(1);

/// A connection that is free for one request.
pub(crate) type Connection = SendRequest<RequestBody>;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// No endpoint took a connection: nothing was sent.
    #[error("no endpoint took a connection: {0}")]
    Connect(String),
    /// This process or its system can open no more connections: nothing was sent, and no endpoint is to blame.
    #[error("no connection can be opened here: {0}")]
    Ours(String),
    /// The connection broke after something may have been sent.
    #[error("the connection broke: {0}")]
    Reset(hyper::Error),
}

/// The endpoints of one upstream with their idle connections.
pub(crate) struct Pool {
    endpoints: Vec<Idle>,
    next: AtomicUsize,
    connect_timeout: Duration,
}

struct Idle {
    endpoint: Endpoint,
    connections: Mutex<Vec<Connection>>,
}

/// Where an answered connection goes back to.
#[derive(Debug)]
pub(crate) struct Home {
    endpoint: usize,
    connection: Connection,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.endpoints.iter().map(|idle| &idle.endpoint)).finish()
    }
}

impl Pool {
    pub(crate) fn new(endpoints: &[Endpoint], connect_timeout: Duration) -> Self {
        let idle = |endpoint: &Endpoint| Idle {
            endpoint: endpoint.clone(),
            connections: Mutex::default(),
        };
        let endpoints = endpoints.iter().map(idle).collect();
        Pool { endpoints, next: AtomicUsize::new(0), connect_timeout }
    }

    /// Sends a request to the next endpoint in turn, or to the one after it if that takes no connection. `sent` is true
    /// while an endpoint may have got any of it.
    ///
    /// A kept-alive connection may have been closed by the other side; what was not sent on it, or may be sent twice,
    /// goes on a new one.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it closes the connection that it uses.
    pub(crate) async fn send(
        &self,
        mut request: Request<RequestBody>,
        sent: &AtomicBool,
    ) -> Result<(Response<Incoming>, Home), SendError> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let (mut problem, mut ours) = (String::from("there is none"), false);
        for turn in 0..self.endpoints.len() {
            let endpoint = first.wrapping_add(turn) % self.endpoints.len();
            self.name_host(endpoint, &mut request);
            request = match self.send_on_idle(endpoint, request, sent).await? {
                Sent::Answered(answered) => return Ok(*answered),
                Sent::NotSent(request) => *request,
            };
            let home = match self.connect(endpoint).await {
                Ok(connection) => Home { endpoint, connection },
                Err(error) => {
                    problem = format!("{}: {error}", self.endpoints[endpoint].endpoint);
                    ours |= is_ours(&error);
                    continue;
                }
            };
            request = match send_on(home, request, sent).await? {
                Sent::Answered(answered) => return Ok(*answered),
                Sent::NotSent(request) => *request,
            };
            problem = format!("{}: closed at once", self.endpoints[endpoint].endpoint);
        }
        Err(if ours { SendError::Ours(problem) } else { SendError::Connect(problem) })
    }

    /// Keeps a connection whose answer was read to its end, once it is free: its request may still be on the way.
    pub(crate) fn give_back(self: &Arc<Self>, mut home: Home) {
        if home.connection.is_ready() {
            return self.keep(home);
        }
        let pool = Arc::clone(self);
        tokio::spawn(async move {
            if let Ok(Ok(())) = timeout(LINGER, home.connection.ready()).await {
                pool.keep(home);
            }
        });
    }

    fn keep(&self, home: Home) {
        let mut idle = self.idle(home.endpoint);
        if idle.len() < MOST_IDLE && !home.connection.is_closed() {
            idle.push(home.connection);
        }
    }

    async fn send_on_idle(
        &self,
        endpoint: usize,
        mut request: Request<RequestBody>,
        sent: &AtomicBool,
    ) -> Result<Sent, SendError> {
        while let Some(connection) = self.take_idle(endpoint) {
            let spare = spare(&request);
            match (send_on(Home { endpoint, connection }, request, sent).await, spare) {
                (Ok(Sent::NotSent(unsent)), _) => request = *unsent,
                // The other side may have closed it while the request was on its way.
                (Err(_), Some(spare)) => request = spare,
                (answered, _) => return answered,
            }
        }
        Ok(Sent::NotSent(Box::new(request)))
    }

    /// A caller of HTTP/1.0 need not say which host it means; an endpoint must be told.
    fn name_host(&self, endpoint: usize, request: &mut Request<RequestBody>) {
        let authority = self.endpoints[endpoint].endpoint.authority();
        if let (Entry::Vacant(host), Ok(value)) =
            (request.headers_mut().entry(HOST), HeaderValue::try_from(authority))
        {
            host.insert(value);
        }
    }

    async fn connect(&self, endpoint: usize) -> io::Result<Connection> {
        let Endpoint { host, port } = &self.endpoints[endpoint].endpoint;
        let connecting = TcpStream::connect((host.as_str(), *port));
        let stream = match timeout(self.connect_timeout, connecting).await {
            Ok(connected) => connected?,
            Err(_) => {
                let problem = format!("no connection within {:?}", self.connect_timeout);
                return Err(io::Error::new(io::ErrorKind::TimedOut, problem));
            }
        };
        stream.set_nodelay(true)?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (connection, driver) = handshake.map_err(io::Error::other)?;
        tokio::spawn(async move {
            if let Err(error) = driver.await {
                debug!(%error, "a connection to an upstream ended");
            }
        });
        Ok(connection)
    }

    fn take_idle(&self, endpoint: usize) -> Option<Connection> {
        self.idle(endpoint).pop()
    }

    fn idle(&self, endpoint: usize) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.endpoints[endpoint].connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether it was for want of file descriptors: the system has no more (ENFILE), or this process (EMFILE).
fn is_ours(error: &io::Error) -> bool {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    [Some(ENFILE), Some(EMFILE)].contains(&error.raw_os_error())
}

/// Sends a request on a connection that is free.
async fn send_on(
    mut home: Home,
    request: Request<RequestBody>,
    sent: &AtomicBool,
) -> Result<Sent, SendError> {
    let before = sent.swap(true, Ordering::Relaxed);
    match home.connection.try_send_request(request).await {
        Ok(response) => Ok(Sent::Answered(Box::new((response, home)))),
        Err(mut error) => match error.take_message() {
            Some(unsent) => {
                sent.store(before, Ordering::Relaxed);
                Ok(Sent::NotSent(Box::new(unsent)))
            }
            None => Err(SendError::Reset(error.into_error())),
        },
    }
}

/// The same request once more, if the other side may get it twice: it says so itself, or it is a replay, which has a key.
fn spare(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    let replay = matches!(request.body(), RequestBody::Whole(_));
    let body = request.body().again().filter(|_| replay || request.method().is_idempotent())?;
    let mut spare = Request::new(body);
    *spare.method_mut() = request.method().clone();
    *spare.uri_mut() = request.uri().clone();
    *spare.headers_mut() = request.headers().clone();
    Some(spare)
}

enum Sent {
    Answered(Box<(Response<Incoming>, Home)>),
    NotSent(Box<Request<RequestBody>>),
}
