//! A client with one connection, as a shop's till has: it keeps it alive, and makes a new one when it broke.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Why there is no answer. Whether the request was done is not known then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// No connection: nothing was sent.
    #[error("no connection: {0}")]
    NotConnected(std::io::Error),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broke(hyper::Error),
    /// Patience ended.
    #[error("no answer within {} s", .0.as_secs_f64())]
    TooLate(Duration),
}

/// One connection to one address.
#[derive(Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    /// A client of `address` that is not connected yet.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Client { address, connection: None }
    }

    /// Whom it talks to.
    #[cfg(test)]
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends `request` and waits for the whole answer, at most as long as `patience`.
    pub(crate) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
        patience: Duration,
    ) -> Result<Response<Bytes>, NoAnswer> {
        let answered = timeout(patience, self.exchange(request)).await;
        let answered = answered.unwrap_or(Err(NoAnswer::TooLate(patience)));
        if answered.is_err() {
            self.connection = None;
        }
        answered
    }

    async fn exchange(
        &mut self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Bytes>, NoAnswer> {
        let host = http::HeaderValue::try_from(self.address.to_string());
        request
            .headers_mut()
            .insert(http::header::HOST, host.expect("an address is a header value"));
        let connection = self.connected().await?;
        let response = connection.send_request(request).await.map_err(NoAnswer::Broke)?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(NoAnswer::Broke)?.to_bytes();
        Ok(Response::from_parts(head, body))
    }

    async fn connected(&mut self) -> Result<&mut SendRequest<Full<Bytes>>, NoAnswer> {
        let usable = match &mut self.connection {
            // A connection that the server closed while it was idle shows here, before anything is sent.
            Some(connection) => connection.ready().await.is_ok(),
            None => false,
        };
        if !usable {
            self.connection = None;
        }
        let fresh = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        Ok(self.connection.insert(fresh))
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, NoAnswer> {
        let stream = TcpStream::connect(self.address).await.map_err(NoAnswer::NotConnected)?;
        stream.set_nodelay(true).map_err(NoAnswer::NotConnected)?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(NoAnswer::Broke)?;
        tokio::spawn(async move {
            // What broke it, whoever sent the request is told.
            let _ = connection.await;
        });
        Ok(sender)
    }
}
