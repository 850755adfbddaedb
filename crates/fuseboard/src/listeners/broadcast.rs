//! A bounded subscription to what happens to circuits.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use fuseboard_core::{Listener, Transition};
use futures_core::Stream;
use tokio::sync::broadcast as ring;

use super::{InvalidCapacity, News};

/// The largest ring; its memory is taken at once.
const LARGEST: usize = 1 << 20;

/// Hands what happens to circuits to any number of subscribers, each at its own pace.
///
/// The news are kept in one ring. Telling it takes no longer for a thousand subscribers that sleep than for none, and never
/// waits for one of them: whoever is too slow loses the oldest news, and is told how many ([`RecvError::Lagged`]).
///
/// Subscribers hear what happens after they subscribed. For what is so now, ask [`Board::all_states`](crate::Board::all_states) after
/// subscribing, and again after a lag. Clones share the ring and its subscribers.
///
/// ```
/// use fuseboard::listeners::{Broadcast, What};
/// use fuseboard::{Board, Rules};
///
/// let broadcast = Broadcast::new(64)?;
/// let board = Board::builder().listener(broadcast.clone()).build();
/// let mut subscription = broadcast.subscribe();
///
/// board.get_or_create("payments", Rules::default())?.reset();
/// let news = subscription.recv_blocking()?; // in async code: recv().await
/// assert!(matches!(&news.what, What::Transition(transition) if transition.generation == 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Broadcast {
    sender: ring::Sender<Arc<News>>,
}

impl fmt::Debug for Broadcast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broadcast").field("subscribers", &self.subscribers()).finish()
    }
}

impl Broadcast {
    /// A ring for at least `capacity` pieces of news, 1 to 1,048,576: the next power of two.
    ///
    /// # Errors
    ///
    /// [`InvalidCapacity`] if it is none of these.
    pub fn new(capacity: usize) -> Result<Self, InvalidCapacity> {
        InvalidCapacity::check(capacity, LARGEST)?;
        Ok(Broadcast { sender: ring::Sender::new(capacity) })
    }

    /// A subscription to all that happens from now on.
    pub fn subscribe(&self) -> Subscription {
        Subscription { receiver: self.sender.subscribe() }
    }

    /// How many subscriptions there are.
    pub fn subscribers(&self) -> usize {
        self.sender.receiver_count()
    }

    /// Makes the news only if there is somebody to hear it.
    fn send(&self, news: impl FnOnce() -> News) {
        if self.subscribers() > 0 {
            // It fails if the last subscriber has gone meanwhile: nobody misses it.
            let _ = self.sender.send(Arc::new(news()));
        }
    }
}

impl Listener for Broadcast {
    fn on_transition(&self, circuit: &str, transition: &Transition) {
        self.send(|| News::transition(circuit, transition));
    }

    fn on_would_trip(&self, circuit: &str, why: &str) {
        self.send(|| News::would_trip(circuit, why));
    }
}

/// Why a [`Subscription`] has no news to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecvError {
    /// The subscriber was too slow and lost that many pieces of news. The next attempt gives the oldest that is left.
    #[error("too slow: {0} pieces of news were lost")]
    Lagged(u64),
    /// There will be no more news: every clone of the [`Broadcast`] is gone, those of the breakers that told it too.
    #[error("there will be no more news")]
    Closed,
}

impl From<ring::error::RecvError> for RecvError {
    fn from(error: ring::error::RecvError) -> Self {
        match error {
            ring::error::RecvError::Lagged(lost) => RecvError::Lagged(lost),
            ring::error::RecvError::Closed => RecvError::Closed,
        }
    }
}

/// One subscriber's place in a [`Broadcast`].
pub struct Subscription {
    receiver: ring::Receiver<Arc<News>>,
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("waiting", &self.receiver.len()).finish()
    }
}

impl Subscription {
    /// The next piece of news, as soon as there is one. Needs no particular async runtime.
    ///
    /// # Errors
    ///
    /// [`RecvError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no news.
    pub async fn recv(&mut self) -> Result<Arc<News>, RecvError> {
        Ok(self.receiver.recv().await?)
    }

    /// The next piece of news; blocks the thread until there is one.
    ///
    /// # Errors
    ///
    /// [`RecvError`].
    ///
    /// # Panics
    ///
    /// On a thread that runs tasks of a Tokio runtime: use [`recv`](Subscription::recv) there.
    pub fn recv_blocking(&mut self) -> Result<Arc<News>, RecvError> {
        Ok(self.receiver.blocking_recv()?)
    }

    /// The next piece of news, if there is one now.
    ///
    /// # Errors
    ///
    /// [`RecvError`].
    pub fn try_recv(&mut self) -> Result<Option<Arc<News>>, RecvError> {
        match self.receiver.try_recv() {
            Ok(news) => Ok(Some(news)),
            Err(ring::error::TryRecvError::Empty) => Ok(None),
            Err(ring::error::TryRecvError::Lagged(lost)) => Err(RecvError::Lagged(lost)),
            Err(ring::error::TryRecvError::Closed) => Err(RecvError::Closed),
        }
    }

    /// The same as a stream, which ends where [`recv`](Subscription::recv) says [`RecvError::Closed`].
    pub fn into_stream(self) -> NewsStream {
        NewsStream { next: Box::pin(next(self)) }
    }
}

type Next = Pin<Box<dyn Future<Output = (Result<Arc<News>, RecvError>, Subscription)> + Send>>;

/// A [`Subscription`] as a [`Stream`]. Its items are news, or [`RecvError::Lagged`].
///
/// ```
/// use fuseboard::listeners::{Broadcast, NewsStream};
/// use futures_core::Stream;
///
/// fn feed(broadcast: &Broadcast) -> impl Stream + Unpin + Send + use<> {
///     broadcast.subscribe().into_stream()
/// }
/// ```
pub struct NewsStream {
    next: Next,
}

impl fmt::Debug for NewsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewsStream").finish_non_exhaustive()
    }
}

impl Stream for NewsStream {
    type Item = Result<Arc<News>, RecvError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let (result, subscription) = ready!(self.next.as_mut().poll(context));
        // After the end it asks again and hears the same, so a stream that ended stays so.
        self.next = Box::pin(next(subscription));
        Poll::Ready((!matches!(result, Err(RecvError::Closed))).then_some(result))
    }
}

/// A stream's future must own what it borrows from, so the subscription goes in and comes out.
async fn next(mut subscription: Subscription) -> (Result<Arc<News>, RecvError>, Subscription) {
    let result = subscription.recv().await;
    (result, subscription)
}
