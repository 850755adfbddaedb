//! A request's body on its way through: streamed to the upstream, and kept up to a limit in case it becomes a letter.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use fuseboard_core::time::{Clock, Moment};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::sync::Notify;
use tokio::time::{Sleep, sleep, timeout};

/// The longest wait for the next piece of a caller's body.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a caller may be waited for in all; from then on its body must come at the least rate.
const START: Duration = Duration::from_secs(30);
/// The least average rate, in bytes per second.
const LEAST_RATE: u64 = 1024;

/// Why a body did not arrive whole. In each case it is the caller's side that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the body is larger than the gateway takes")]
    TooLarge,
    #[error("the body broke off or is malformed")]
    Broken,
    #[error("the body did not arrive in time")]
    Slow,
    #[error("the body is larger than what is kept for replay")]
    NotKept,
    #[error("the body went elsewhere")]
    TakenOver,
}

/// A body that is kept while it streams.
#[derive(Clone, Debug)]
pub(crate) struct KeptBody {
    shared: Arc<Mutex<Shared>>,
    /// Told whenever the caller begins or ends to be waited for.
    turned: Arc<Notify>,
}

#[derive(Debug)]
struct Shared {
    incoming: Incoming,
    /// What came so far, while that is no more than `keep`.
    kept: Vec<Bytes>,
    length: u64,
    keep: u64,
    /// What is longer is refused.
    most: u64,
    ended: bool,
    failed: Option<BodyError>,
    /// Whoever streams it must stop: it is being captured.
    taken_over: bool,
    /// While the caller is waited for.
    wait: Option<Wait>,
    /// How long it was waited for before.
    waited: Duration,
    /// Runs while the caller must be quick; only the caller's own slowness ends in it.
    hurry: Option<Pin<Box<Sleep>>>,
    turned: Arc<Notify>,
    clock: Arc<dyn Clock>,
}

/// A caller is waited for.
#[derive(Debug)]
struct Wait {
    since: Moment,
    limit: Pin<Box<Sleep>>,
}

impl KeptBody {
    /// A body of at most `most` bytes, kept as long as it is no longer than `keep`.
    pub(crate) fn new(incoming: Incoming, keep: u64, most: u64, clock: Arc<dyn Clock>) -> Self {
        let (ended, turned) = (incoming.is_end_stream(), Arc::new(Notify::new()));
        let shared = Shared {
            incoming,
            kept: Vec::new(),
            length: 0,
            keep,
            most,
            ended,
            failed: None,
            taken_over: false,
            wait: None,
            waited: Duration::ZERO,
            hurry: None,
            turned: Arc::clone(&turned),
            clock,
        };
        KeptBody { shared: Arc::new(Mutex::new(shared)), turned }
    }

    /// The body to send upstream.
    pub(crate) fn to_send(&self) -> RequestBody {
        RequestBody::Kept(self.clone())
    }

    /// What went wrong on the caller's side, if anything did.
    pub(crate) fn failed(&self) -> Option<BodyError> {
        self.lock().failed
    }

    /// From now on the caller may keep others waiting no longer than `limit` in all, or as long as it likes.
    pub(crate) fn hurry(&self, limit: Option<Duration>) {
        self.lock().hurry = limit.map(|limit| Box::pin(sleep(limit)));
    }

    /// How long the caller was waited for so far.
    pub(crate) fn waited(&self) -> Duration {
        self.lock().waited_so_far()
    }

    /// Ends when the other side has had `limit` since it got the last piece. The caller's own slowness does not count.
    pub(crate) async fn overdue(&self, limit: Duration) {
        loop {
            let waiting = self.lock().wait.is_some();
            let turned = self.turned.notified();
            if waiting {
                turned.await;
            } else if timeout(limit, turned).await.is_err() {
                return;
            }
        }
    }

    /// The whole body, byte for byte: what was kept, and what is still to come. Nobody else gets any more of it, unless
    /// it is known to be too large.
    pub(crate) async fn complete(&self) -> Result<Bytes, BodyError> {
        self.lock().take_over()?;
        while self.lock().is_wanted() {
            let next = std::future::poll_fn(|context| self.lock().poll(context));
            next.await.transpose()?;
        }
        self.lock().joined()
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if let Some(error) = self.failed {
            return Poll::Ready(Some(Err(error)));
        }
        loop {
            let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(context) else {
                return self.wait(context);
            };
            self.end_wait();
            self.turned.notify_one();
            match frame {
                None => {
                    self.ended = true;
                    return Poll::Ready(None);
                }
                Some(Err(_)) => return self.fail(BodyError::Broken),
                // Trailers end here: they belong to one connection unless both sides agree otherwise.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => return self.take(data),
                    Err(_trailers) => {}
                },
            }
        }
    }

    /// The caller is waited for, but not for ever.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if self.wait.is_none() {
            self.turned.notify_one();
        }
        let patience = self.patience();
        let since = self.clock.now();
        let begun = || Wait { since, limit: Box::pin(sleep(patience)) };
        let limit = &mut self.wait.get_or_insert_with(begun).limit;
        let over = |timer: &mut Pin<Box<Sleep>>| timer.as_mut().poll(context).is_ready();
        if [Some(limit), self.hurry.as_mut()].into_iter().flatten().any(over) {
            return self.fail(BodyError::Slow);
        }
        Poll::Pending
    }

    /// How long the next piece may take.
    fn patience(&self) -> Duration {
        let earned = Duration::from_millis(self.length.saturating_mul(1000) / LEAST_RATE);
        PATIENCE.min((START + earned).saturating_sub(self.waited))
    }

    fn waited_so_far(&self) -> Duration {
        let now = self.wait.as_ref().map(|wait| self.clock.now().since(wait.since));
        self.waited + now.unwrap_or_default()
    }

    fn end_wait(&mut self) {
        self.waited = self.waited_so_far();
        self.wait = None;
    }

    fn take_over(&mut self) -> Result<(), BodyError> {
        if self.length + self.incoming.size_hint().lower() > self.keep {
            return Err(BodyError::NotKept);
        }
        self.taken_over = true;
        self.hurry = None;
        Ok(())
    }

    fn take(&mut self, data: Bytes) -> Poll<Option<Result<Bytes, BodyError>>> {
        self.length += data.len() as u64;
        if self.length > self.most {
            return self.fail(BodyError::TooLarge);
        }
        if self.length <= self.keep {
            self.kept.push(data.clone());
        } else {
            self.kept = Vec::new();
        }
        self.ended = self.incoming.is_end_stream();
        Poll::Ready(Some(Ok(data)))
    }

    fn is_empty(&self) -> bool {
        self.ended && self.length == 0
    }

    /// Whether there is more to come of a body that can still be kept.
    fn is_wanted(&self) -> bool {
        !self.ended && self.length <= self.keep
    }

    fn fail(&mut self, error: BodyError) -> Poll<Option<Result<Bytes, BodyError>>> {
        self.failed = Some(error);
        self.end_wait();
        Poll::Ready(Some(Err(error)))
    }

    fn joined(&self) -> Result<Bytes, BodyError> {
        if self.length > self.keep {
            return Err(BodyError::NotKept);
        }
        let mut whole = BytesMut::with_capacity(self.kept.iter().map(Bytes::len).sum());
        self.kept.iter().for_each(|piece| whole.extend_from_slice(piece));
        Ok(whole.freeze())
    }
}

/// The body of a request to an upstream.
#[derive(Debug)]
pub(crate) enum RequestBody {
    /// A caller's, as it streams in.
    Kept(KeptBody),
    /// A letter's.
    Whole(Full<Bytes>),
}

impl RequestBody {
    /// Ends when the other side has had `limit` to answer what it got.
    pub(crate) fn overdue(&self, limit: Duration) -> impl Future<Output = ()> + use<> {
        let caller = match self {
            RequestBody::Kept(kept) => Some(kept.clone()),
            RequestBody::Whole(_) => None,
        };
        async move {
            match caller {
                Some(kept) => kept.overdue(limit).await,
                None => sleep(limit).await,
            }
        }
    }

    /// The same body once more, as long as none of it has gone anywhere.
    pub(crate) fn again(&self) -> Option<RequestBody> {
        match self {
            RequestBody::Kept(kept) if kept.lock().is_empty() => Some(kept.to_send()),
            RequestBody::Kept(_) => None,
            RequestBody::Whole(full) => Some(RequestBody::Whole(full.clone())),
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            RequestBody::Kept(kept) => {
                let mut shared = kept.lock();
                if shared.taken_over {
                    return Poll::Ready(Some(Err(BodyError::TakenOver)));
                }
                shared.poll(context).map(|piece| piece.map(|data| data.map(Frame::data)))
            }
            RequestBody::Whole(full) => {
                let frame = Pin::new(full).poll_frame(context);
                frame.map(|frame| frame.map(|frame| frame.map_err(|never| match never {})))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            RequestBody::Kept(kept) => kept.lock().ended,
            RequestBody::Whole(full) => full.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            RequestBody::Kept(kept) => kept.lock().incoming.size_hint(),
            RequestBody::Whole(full) => full.size_hint(),
        }
    }
}

/// At most `limit` bytes of an answer, and whether there was more.
pub(crate) async fn collect_up_to<B>(mut body: B, limit: usize) -> Result<(Bytes, bool), B::Error>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        let room = limit - whole.len();
        whole.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            return Ok((whole.freeze(), true));
        }
    }
    Ok((whole.freeze(), false))
}

#[cfg(test)]
mod tests;
