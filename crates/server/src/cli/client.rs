//! A client of the admin API: one request, one answer, in JSON.

use std::fmt::Display;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// How long an answer may take, where the server has nothing to wait for.
const PATIENCE: Duration = Duration::from_secs(10);
/// More than the largest page of letters, and than the largest letter by default.
const LARGEST_ANSWER: usize = 256 << 20;

/// Why a command ends without having done anything.
#[derive(Debug, thiserror::Error)]
pub(super) enum Undone {
    /// What was asked for cannot be.
    #[error("{0}")]
    BadInput(String),
    /// It could have been, but it was not done.
    #[error("{0}")]
    Failed(String),
}

impl Undone {
    /// The same, and what else is to be known.
    pub(super) fn with(self, more: &str) -> Self {
        match self {
            Undone::BadInput(why) => Undone::BadInput(format!("{why}; {more}")),
            Undone::Failed(why) => Undone::Failed(format!("{why}; {more}")),
        }
    }
}

/// A server's admin API, and the token to open it.
#[derive(Debug)]
pub(super) struct Client {
    server: Uri,
    token: Option<HeaderValue>,
}

/// Reads the address of an admin API.
pub(super) fn server(text: &str) -> Result<Uri, &'static str> {
    const EXPECTED: &str = "expected http://host:port";
    let uri: Uri = text.parse().map_err(|_| EXPECTED)?;
    let plain = uri.path() == "/" && uri.query().is_none() && !text.contains('@');
    let possible = uri.scheme_str() == Some("http") && uri.host().is_some() && plain;
    possible.then_some(uri).ok_or(EXPECTED)
}

impl Client {
    /// A client of the API at `server`, which [`server`] has read.
    pub(super) fn new(server: Uri, token: Option<&str>) -> Result<Self, Undone> {
        let bearer = |token: &str| HeaderValue::try_from(format!("Bearer {token}"));
        let token = token.map(bearer).transpose().map_err(|_| {
            Undone::BadInput("the token: expected visible ASCII characters".to_owned())
        })?;
        Ok(Client { server, token })
    }

    /// What the API answers, if it did what it was asked.
    pub(super) fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Undone> {
        self.ask_within(PATIENCE, method, path, body)
    }

    /// What is at that path.
    pub(super) fn get(&self, path: &str) -> Result<Value, Undone> {
        self.ask(Method::GET, path, None)
    }

    /// What the API answers to an order.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, Undone> {
        self.ask(Method::POST, path, Some(body))
    }

    /// [`ask`](Self::ask), for what may take longer than a look at the server's memory.
    pub(super) fn ask_within(
        &self,
        patience: Duration,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Undone> {
        let request = self.request(method, path, body)?;
        let answered = wait_for(async { timeout(patience, self.send(request)).await })?;
        let late = |_| self.failed(format!("no answer within {} s", patience.as_secs()));
        let (status, body) = answered.map_err(late)?.map_err(|why| self.failed(why))?;
        let body: Option<Value> = serde_json::from_slice(&body).ok();
        match body {
            Some(body) if status.is_success() => Ok(body),
            body => Err(self.problem(status, body.as_ref())),
        }
    }

    fn failed(&self, why: impl Display) -> Undone {
        Undone::Failed(format!("{}: {why}", self.server))
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Request<Full<Bytes>>, Undone> {
        let host = self.server.authority().map_or("", http::uri::Authority::as_str);
        let mut request = Request::builder().method(method).uri(path).header(HOST, host);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token);
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let request = request.body(Full::new(body));
        request.map_err(|error| Undone::BadInput(error.to_string()))
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), String> {
        let host = self.server.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, self.server.port_u16().unwrap_or(80))).await;
        let stream = stream.map_err(|error| {
            format!("no connection: {error}; expected the admin API of a running server")
        })?;
        let broke = |error: hyper::Error| format!("the connection broke: {error}");
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(broke)?;
        tokio::spawn(async move {
            // What broke it, whoever sent the request is told.
            let _ = connection.await;
        });
        let (head, body) = sender.send_request(request).await.map_err(broke)?.into_parts();
        let body = Limited::new(body, LARGEST_ANSWER).collect().await;
        Ok((
            head.status,
            body.map_err(|error| format!("the answer broke off: {error}"))?.to_bytes(),
        ))
    }

    fn problem(&self, status: StatusCode, body: Option<&Value>) -> Undone {
        let Some(detail) = body.and_then(|body| body["detail"].as_str()) else {
            return self.failed(format!("answered {status}, not as the admin API does"));
        };
        match status {
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
                Undone::BadInput(detail.to_owned())
            }
            _ => Undone::Failed(detail.to_owned()),
        }
    }
}

/// Lets some time pass.
pub(super) fn pause(time: Duration) -> Result<(), Undone> {
    wait_for(async { sleep(time).await })
}

fn wait_for<F: Future>(future: F) -> Result<F::Output, Undone> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Undone::Failed(format!("the runtime cannot start: {error}")))?;
    let output = runtime.block_on(future);
    // A name that is still being looked up is nobody's business any more.
    runtime.shutdown_background();
    Ok(output)
}
