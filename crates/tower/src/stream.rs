//! An async stream as a call that lasts until the stream's end.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use fuseboard_core::{CircuitBreaker, Rejected, Ticket};
use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::admitted::{Admitted, follow, unwinding};

pin_project! {
    /// A stream of results that is one call: a failure in the middle counts.
    ///
    /// | what happens to the stream | the call |
    /// |---|---|
    /// | it ends | a success |
    /// | its first error | judged by the circuit's trackers: a failure, unless they ignore it |
    /// | a panic while it is polled | a failure |
    /// | it is dropped before its end | cancelled: counts neither way, unless it took longer than `cancelled_after` |
    ///
    /// The probe of a half-open circuit is over with the first result, so that no slot is held for the length of a
    /// stream. What comes after the call's end goes through and counts no more.
    ///
    /// ```
    /// use fuseboard_core::CircuitBreaker;
    /// use fuseboard_tower::WatchedStream;
    /// use futures_util::{StreamExt, stream};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let feed = CircuitBreaker::builder("feed").build()?;
    /// let lines = stream::iter([Ok("one"), Ok("two"), Err("the connection broke")]);
    /// let mut lines = WatchedStream::begin(&feed, lines)?;
    /// while let Some(Ok(line)) = lines.next().await {
    ///     println!("{line}");
    /// }
    /// assert_eq!(feed.info().totals.failure, 1);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use = "a stream that is dropped before its end cancels the call"]
    pub struct WatchedStream<S> {
        #[pin]
        stream: S,
        call: Option<Admitted>,
    }
}

impl<S> WatchedStream<S> {
    /// Begins a call that lasts as long as `stream`, for a stream that does nothing before it is polled.
    ///
    /// # Errors
    ///
    /// [`Rejected`] if the circuit does not let the call through; then `stream` is dropped.
    pub fn begin(circuit: &CircuitBreaker, stream: S) -> Result<Self, Rejected> {
        let call = Some(Admitted::ask(circuit.clone())?);
        Ok(WatchedStream { stream, call })
    }

    /// Goes on with a call that `circuit` admitted before there was a stream: take the ticket, open the stream, and if
    /// that fails settle the ticket.
    pub fn of(circuit: &CircuitBreaker, ticket: Ticket, stream: S) -> Self {
        WatchedStream { stream, call: Some(Admitted::new(circuit.clone(), ticket)) }
    }

    /// The stream itself.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }
}

impl<S, T, E> Stream for WatchedStream<S>
where
    S: Stream<Item = Result<T, E>>,
    E: 'static,
{
    type Item = Result<T, E>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        let next = ready!(unwinding(this.call, || this.stream.poll_next(context)));
        follow(this.call, next.as_ref().map(|item| item.as_ref().map(drop)));
        Poll::Ready(next)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}

impl<S: fmt::Debug> fmt::Debug for WatchedStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WatchedStream { stream, call } = self;
        f.debug_struct("WatchedStream").field("stream", stream).field("call", call).finish()
    }
}
