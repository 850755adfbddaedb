//! Bodies: exactly the bytes that came in, up to the limit, whoever has read how much of them.

use std::convert::Infallible;
use std::io;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use fuseboard_services::capture::{NotQueued, Undone};
use fuseboard_tower::capture::KeptBody;
use fuseboard_tower::{CaptureLayer, accepted};
use futures_util::{StreamExt, stream};
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};
use tower::{ServiceBuilder, ServiceExt, service_fn};

use crate::rig::{Rig, Whole, post, whole};

/// A body of unknown length that comes in pieces.
fn pieces(length: usize, piece: usize) -> impl Body<Data = Bytes, Error = Infallible> + Send {
    let bytes = bytes_of(length);
    let pieces: Vec<_> = bytes.chunks(piece).map(Bytes::copy_from_slice).collect();
    StreamBody::new(stream::iter(pieces).map(|piece| Ok(Frame::data(piece))))
}

fn bytes_of(length: usize) -> Vec<u8> {
    (0..length).map(|at| at as u8).collect()
}

#[tokio::test]
async fn bodies_up_to_the_limit_are_kept_whole_and_larger_ones_are_not() {
    for length in [0, 1, 9, 10, 11, 12, 5000] {
        for piece in [1, 4, 100_000] {
            for at_once in [false, true] {
                let rig = Rig::new();
                match at_once {
                    true => rig.fails_at_once(Undone::Connect),
                    false => rig.fails(Undone::Connect),
                }
                let request = post(pieces(length, piece), None);
                let result = rig.send(rig.capture().limit(10), request).await;
                let case = format!("{length} bytes by {piece}, at once: {at_once}");
                if length <= 10 {
                    assert_eq!(result.unwrap().status(), 202, "{case}");
                    assert_eq!(rig.only_letter().await.body, bytes_of(length), "{case}");
                } else {
                    let why = result.unwrap_err().why.unwrap();
                    assert_eq!(why.to_string(), "the body is larger than 10 bytes", "{case}");
                    rig.conserved(0).await;
                }
                let expected = if at_once { Vec::new() } else { bytes_of(length) };
                assert_eq!(rig.other_side.seen()[0].body, expected, "{case}: it streamed through");
            }
        }
    }
}

/// A client that reads one piece, gives the rest to somebody, and fails.
#[tokio::test]
async fn what_was_read_and_what_was_not_are_one_and_nobody_else_gets_the_rest() {
    let rig = Rig::new();
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let client = service_fn(move |request: Request<KeptBody<_>>| {
        let sender = sender.clone();
        async move {
            let mut body = request.into_body();
            let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert_eq!(first, bytes_of(3));
            sender.send(body).unwrap();
            Err::<Response<Whole>, _>(fuseboard_core::CallError::Failed(io::Error::from(
                io::ErrorKind::ConnectionRefused,
            )))
        }
    });
    let layer = CaptureLayer::builder(&rig.captures, &rig.breaker, accepted).build().unwrap();
    let service = ServiceBuilder::new().layer(layer).service(client);
    let response = service.oneshot(post(pieces(10, 3), None)).await.unwrap();
    assert_eq!(response.status(), 202);
    assert_eq!(rig.only_letter().await.body, bytes_of(10));
    let error = receiver.recv().await.unwrap().collect().await.unwrap_err();
    assert_eq!(error.to_string(), "the request was not done, and its body is kept for later");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_queued() {
    for at_once in [false, true] {
        let rig = Rig::new();
        match at_once {
            true => rig.fails_at_once(Undone::Connect),
            false => rig.fails(Undone::Connect),
        }
        let broken =
            stream::iter([Ok(Frame::data(Bytes::from("half"))), Err(io::Error::other("gone"))]);
        let why =
            rig.send(rig.capture(), post(StreamBody::new(broken), None)).await.unwrap_err().why;
        let why = why.unwrap();
        assert!(matches!(why, NotQueued::Unwritable(_)), "{why}");
        let expected = if at_once { "gone" } else { "its body broke off" };
        assert_eq!(why.to_string(), format!("it cannot be written down: {expected}"));
        rig.conserved(0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for_without_end() {
    let rig = Rig::new();
    rig.fails(Undone::Rejected);
    let stalled = stream::poll_fn(|_| Poll::<Option<io::Result<Frame<Bytes>>>>::Pending);
    let began = tokio::time::Instant::now();
    let error = rig.send(rig.capture(), post(StreamBody::new(stalled), None)).await.unwrap_err();
    assert_eq!(began.elapsed(), Duration::from_secs(2));
    assert!(error.error.rejected().is_some());
    let why = "it cannot be written down: the rest of its body did not come in time";
    assert_eq!(error.why.unwrap().to_string(), why);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_says_it_is_too_large_is_not_waited_for() {
    let rig = Rig::new();
    rig.fails(Undone::Rejected);
    let began = tokio::time::Instant::now();
    let request = post(whole(&bytes_of(11)), None);
    let error = rig.send(rig.capture().limit(10), request).await.unwrap_err();
    assert!(matches!(error.why, Some(NotQueued::TooLarge { limit: 10 })));
    assert_eq!(began.elapsed(), Duration::ZERO);
}
