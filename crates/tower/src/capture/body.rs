//! A request's body on its way through: streamed on, and kept up to a limit in case it becomes a letter.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use fuseboard_services::capture::NotQueued;
use http_body::{Body, Frame, SizeHint};

type Cause = Box<dyn Error + Send + Sync>;

/// A request's body that is kept while it streams.
///
/// It is not `Clone`: see [the module](crate::capture).
pub struct KeptBody<B> {
    shared: Arc<Mutex<Shared<B>>>,
}

/// Why a [`KeptBody`] broke off.
#[derive(Debug)]
pub struct KeptBodyError {
    /// `None` if the rest of it went into a letter.
    cause: Option<Cause>,
}

struct Shared<B> {
    body: Pin<Box<B>>,
    /// What came so far, while that is within the limit.
    kept: Vec<u8>,
    limit: u64,
    is_larger: bool,
    ended: bool,
    failed: bool,
    /// Whoever streams it must stop: it is being captured.
    taken_over: bool,
    /// Who waits for the next piece.
    reader: Option<Waker>,
}

impl<B: Body> KeptBody<B> {
    /// A body that is kept as long as it is no longer than `limit`.
    pub(super) fn new(body: B, limit: u64) -> Self {
        let ended = body.is_end_stream();
        let shared = Shared {
            body: Box::pin(body),
            kept: Vec::new(),
            limit,
            is_larger: false,
            ended,
            failed: false,
            taken_over: false,
            reader: None,
        };
        KeptBody { shared: Arc::new(Mutex::new(shared)) }
    }

    /// Another hold on the same body, for who may have to capture it.
    pub(super) fn handle(&self) -> Self {
        KeptBody { shared: Arc::clone(&self.shared) }
    }

    fn lock(&self) -> MutexGuard<'_, Shared<B>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B: Body<Error: Into<Cause>>> KeptBody<B> {
    /// The whole body: what was kept, and what is still to come. Nobody else gets any more of it, unless it is known to be
    /// too large.
    pub(super) async fn complete(&self) -> Result<Vec<u8>, NotQueued> {
        self.lock().take_over()?;
        while self.lock().is_wanted() {
            let next = std::future::poll_fn(|context| self.lock().poll(context));
            if let Some(Err(error)) = next.await {
                return Err(NotQueued::Unwritable(Arc::from(Cause::from(error))));
            }
        }
        self.lock().whole()
    }
}

impl<B: Body> Shared<B> {
    fn too_large(&self) -> NotQueued {
        NotQueued::TooLarge { limit: self.limit }
    }

    fn take_over(&mut self) -> Result<(), NotQueued> {
        let least = (self.kept.len() as u64).saturating_add(self.body.size_hint().lower());
        if self.is_larger || least > self.limit {
            return Err(self.too_large());
        }
        self.taken_over = true;
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        Ok(())
    }

    /// Whether there is more to come of a body that can still be kept.
    fn is_wanted(&self) -> bool {
        !self.ended && !self.is_larger && !self.failed
    }

    fn whole(&mut self) -> Result<Vec<u8>, NotQueued> {
        match (self.failed, self.is_larger) {
            (true, _) => Err(NotQueued::Unwritable(Arc::from(Cause::from("its body broke off")))),
            (false, true) => Err(self.too_large()),
            (false, false) => Ok(std::mem::take(&mut self.kept)),
        }
    }

    fn keep(&mut self, data: &[u8]) {
        if self.is_larger || (self.kept.len() + data.len()) as u64 > self.limit {
            self.is_larger = true;
            self.kept = Vec::new();
        } else {
            self.kept.extend_from_slice(data);
        }
    }
}

impl<B: Body<Error: Into<Cause>>> Shared<B> {
    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, KeptBodyError>>> {
        let frame = match ready!(self.body.as_mut().poll_frame(context)) {
            None => {
                self.ended = true;
                return Poll::Ready(None);
            }
            Some(Err(error)) => {
                self.failed = true;
                return Poll::Ready(Some(Err(KeptBodyError { cause: Some(error.into()) })));
            }
            Some(Ok(frame)) => frame.map_data(|mut data| data.copy_to_bytes(data.remaining())),
        };
        if let Some(data) = frame.data_ref() {
            self.keep(data);
        }
        self.ended = self.body.is_end_stream();
        Poll::Ready(Some(Ok(frame)))
    }
}

impl<B: Body<Error: Into<Cause>>> Body for KeptBody<B> {
    type Data = Bytes;
    type Error = KeptBodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, KeptBodyError>>> {
        let mut shared = self.lock();
        if shared.taken_over {
            return Poll::Ready(Some(Err(KeptBodyError { cause: None })));
        }
        let next = shared.poll(context);
        if next.is_pending() {
            shared.reader = Some(context.waker().clone());
        }
        next
    }

    fn is_end_stream(&self) -> bool {
        let shared = self.lock();
        shared.ended && !shared.taken_over
    }

    fn size_hint(&self) -> SizeHint {
        self.lock().body.size_hint()
    }
}

impl<B> fmt::Debug for KeptBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptBody").finish_non_exhaustive()
    }
}

impl fmt::Display for KeptBodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Some(cause) => cause.fmt(f),
            None => f.write_str("the request was not done, and its body is kept for later"),
        }
    }
}

impl Error for KeptBodyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_ref().and_then(|cause| cause.source())
    }
}
