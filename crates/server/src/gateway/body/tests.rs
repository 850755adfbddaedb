//! How slowly a body may come, with a clock that is moved by hand.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fuseboard_core::time::ManualClock;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::task::yield_now;

use super::{BodyError, KeptBody, RequestBody};

/// The caller's end of a connection, and the body that the gateway has of it.
struct Upload {
    caller: DuplexStream,
    body: KeptBody,
    sending: RequestBody,
    clock: Arc<ManualClock>,
}

impl Upload {
    async fn begin() -> Upload {
        let (mut caller, gateway) = duplex(1 << 20);
        let (give, mut take) = mpsc::unbounded_channel();
        let service = service_fn(move |request: Request<Incoming>| {
            give.send(request.into_body()).unwrap();
            std::future::pending::<Result<Response<Empty<Bytes>>, BodyError>>()
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(gateway), service));
        caller.write_all(b"PUT / HTTP/1.1\r\ncontent-length: 1000000\r\n\r\n").await.unwrap();
        let clock = Arc::new(ManualClock::new());
        let body = KeptBody::new(take.recv().await.unwrap(), 0, 1 << 20, clock.clone());
        let sending = body.to_send();
        Upload { caller, body, sending, clock }
    }

    /// The next piece of the body.
    async fn next(&mut self) -> Result<usize, BodyError> {
        let frame = self.sending.frame().await.expect("the body goes on")?;
        Ok(frame.into_data().expect("it is no trailer").len())
    }

    /// Lets the caller say nothing for `wait` and then send so many bytes.
    async fn pause_and_send(&mut self, wait: Duration, length: usize) {
        for _ in 0..10 {
            tokio::select! {
                biased;
                piece = self.next() => panic!("{piece:?}, and nothing was sent"),
                () = yield_now() => {}
            }
        }
        self.clock.advance(wait);
        self.caller.write_all(&vec![b'x'; length]).await.unwrap();
        let mut came = 0;
        while came < length {
            came += self.next().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_body_that_trickles_is_given_up_after_its_first_thirty_seconds() {
    let mut upload = Upload::begin().await;
    for seconds in [12, 24, 36] {
        upload.pause_and_send(Duration::from_secs(12), 1).await;
        assert_eq!(upload.body.waited(), Duration::from_secs(seconds));
    }
    assert_eq!(upload.next().await, Err(BodyError::Slow));
    assert_eq!(upload.body.failed(), Some(BodyError::Slow));
}

#[tokio::test]
async fn a_body_that_comes_at_a_kibibyte_per_second_may_take_as_long_as_it_needs() {
    let mut upload = Upload::begin().await;
    for _ in 0..50 {
        upload.pause_and_send(Duration::from_secs(12), 12 * 1024).await;
    }
    assert_eq!(upload.body.waited(), Duration::from_secs(600));
}

/// The upstream may take it as slowly as it likes: that is not its caller's doing.
#[tokio::test]
async fn only_the_time_for_which_the_caller_is_waited_for_counts() {
    let mut upload = Upload::begin().await;
    for _ in 0..10 {
        upload.pause_and_send(Duration::from_secs(1), 1).await;
        upload.clock.advance(Duration::from_secs(100));
    }
    assert_eq!(upload.body.waited(), Duration::from_secs(10));
}
