//! A response's body, watched until its end: one that breaks off is a failure.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use fuseboard_core::Judgement;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::admitted::{Admitted, unwinding};
use crate::classify::Trackers;

pin_project! {
    /// The body of a response, with the call that is not over before it is.
    ///
    /// | what happens to the body | the call |
    /// |---|---|
    /// | it ends, or all of its `Content-Length` came | as [`classify_end`](crate::Classify::classify_end) says: a success by default |
    /// | an error | judged by the circuit's trackers: a failure, unless they ignore it |
    /// | a panic while it is polled | a failure |
    /// | it is dropped before its end | cancelled: counts neither way, unless it took longer than `cancelled_after` |
    ///
    /// A probe was settled with the response, so its body is not watched: a half-open circuit learns that the service
    /// answers again without waiting for a long download, and the slot is free for the next.
    #[must_use = "a body that is dropped before its end cancels the call"]
    pub struct WatchedBody<B, C = Trackers> {
        #[pin]
        body: B,
        call: Option<Admitted>,
        // How many bytes are still to come, where that was announced.
        left: Option<u64>,
        classify: C,
        classify_end: fn(&C, Option<&HeaderMap>) -> Judgement,
    }
}

impl<B: Body, C> WatchedBody<B, C> {
    pub(crate) fn of(
        response: Response<B>,
        call: Option<Admitted>,
        classify: C,
        classify_end: fn(&C, Option<&HeaderMap>) -> Judgement,
    ) -> Response<Self> {
        let left = announced(response.headers());
        response.map(|body| WatchedBody { body, call, left, classify, classify_end })
    }

    /// The body itself.
    pub fn get_ref(&self) -> &B {
        &self.body
    }
}

/// The length that the headers announce. A server may stop polling there, because it has nothing more to send.
fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl<B, C> Body for WatchedBody<B, C>
where
    B: Body<Error: 'static>,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let mut body = this.body;
        let next = ready!(unwinding(this.call, || body.as_mut().poll_frame(context)));
        let ended = match &next {
            Some(Ok(frame)) => match frame.data_ref() {
                Some(data) => {
                    let came = data.remaining() as u64;
                    *this.left = this.left.map(|left| left.saturating_sub(came));
                    *this.left == Some(0) || body.is_end_stream()
                }
                None => true,
            },
            Some(Err(_)) | None => true,
        };
        if ended && let Some(call) = this.call.take() {
            let judgement = match &next {
                Some(Err(error)) => call.judge(error),
                Some(Ok(frame)) => (this.classify_end)(this.classify, frame.trailers_ref()),
                None => (this.classify_end)(this.classify, None),
            };
            call.settle(judgement);
        }
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B: fmt::Debug, C> fmt::Debug for WatchedBody<B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedBody").field("body", &self.body).field("call", &self.call).finish()
    }
}
