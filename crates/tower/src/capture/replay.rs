//! Letters that become requests again, through a service.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Buf;
use fuseboard_core::letter::Answer;
use fuseboard_core::{Judgement, Outcome};
use fuseboard_services::capture::Undone;
use fuseboard_services::replay::{Deliver, Delivering, Delivery};
use fuseboard_services::replay_service::ReplayContext;
use fuseboard_services::store::{Letter, StoredAnswer};
use http::{Request, Response};
use http_body::Body;
use tokio::time::timeout;
use tower_service::Service;

use super::layer::{Settings, Tell};
use super::work::request_of;
use crate::Classify;

/// How much of an answer is kept with its letter.
const ANSWER_KEPT: usize = 1 << 20;

type Cause = Box<dyn Error + Send + Sync>;

/// Does letters again through a service, with bodies of type `B`. Made by [`CaptureLayer::replay`](crate::CaptureLayer::replay).
///
/// The request is the one that was captured, with its idempotency key, and a header `Fuseboard-Replay` that counts the tries.
/// The service should end by itself: put a timeout around it.
pub struct ServiceReplay<S, B, W, A, C, U, F> {
    /// Behind a lock, because it need not be `Sync`.
    service: Mutex<S>,
    /// The service's error as the layer knows it.
    wrap: W,
    settings: Arc<Settings<A, C, U, F>>,
    body: PhantomData<fn() -> B>,
}

impl<S, B, W, A, C, U, F> ServiceReplay<S, B, W, A, C, U, F> {
    pub(super) fn new(service: S, wrap: W, settings: Arc<Settings<A, C, U, F>>) -> Self {
        ServiceReplay { service: Mutex::new(service), wrap, settings, body: PhantomData }
    }
}

impl<S, B, T, W, E, A, C, U, F> Deliver for ServiceReplay<S, B, W, A, C, U, F>
where
    S: Service<Request<B>, Response = Response<T>> + Clone + Send,
    S::Future: Send,
    S::Error: Send,
    B: From<Vec<u8>> + Send,
    T: Body<Data: Send, Error: Into<Cause>> + Send,
    W: Fn(S::Error) -> E + Send + Sync,
    A: Send + Sync,
    C: Classify<Response<T>, E> + Send + Sync,
    U: Tell<E> + Send + Sync,
    F: Send + Sync,
{
    fn deliver<'a>(&'a self, letter: &'a Letter) -> Delivering<'a> {
        Box::pin(ReplayContext::during(letter, async {
            match request_of(letter) {
                Ok(request) => self.send(request).await,
                Err(problem) => impossible(problem),
            }
        }))
    }
}

impl<S, B, T, W, E, A, C, U, F> ServiceReplay<S, B, W, A, C, U, F>
where
    S: Service<Request<B>, Response = Response<T>> + Clone,
    T: Body<Error: Into<Cause>>,
    W: Fn(S::Error) -> E,
    C: Classify<Response<T>, E>,
    U: Tell<E>,
{
    async fn send(&self, request: Request<B>) -> Delivery {
        let mut service = self.service.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let result = match poll_fn(|context| service.poll_ready(context)).await {
            Ok(()) => service.call(request).await,
            Err(error) => Err(error),
        };
        match result {
            Ok(response) => self.answered(response).await,
            Err(error) => self.not_answered(&(self.wrap)(error)),
        }
    }

    fn not_answered(&self, error: &E) -> Delivery {
        let judged = self.settings.judge::<T, E>(Err(error));
        let Judgement { outcome, failure } = judged;
        let (answer, word) = match self.settings.tell.undone(error) {
            None => (Answer::Never, "it will not be done"),
            Some(undone @ (Undone::Rejected | Undone::Connect)) => {
                (Answer::NotReached, undone.as_str())
            }
            Some(undone) => (Answer::Again { retry_after: None }, undone.as_str()),
        };
        let message = failure.as_ref().and_then(|failure| failure.message());
        let note = message.map_or(word.to_owned(), |message| format!("{word}: {message}"));
        Delivery { answer, outcome, failure, stored: None, note }
    }

    async fn answered(&self, response: Response<T>) -> Delivery {
        let Judgement { outcome, failure } = self.settings.judge(Ok(&response));
        let retry_after = failure.as_ref().and_then(|failure| failure.retry_after_hint());
        let (head, body) = response.into_parts();
        let captures = &self.settings.captures;
        let (body, truncated) = match timeout(captures.patience(), collect(body)).await {
            Ok(Ok(collected)) => collected,
            Ok(Err(error)) => {
                let error: Cause = error.into();
                return Delivery::unanswered(format!("the answer broke off: {error}"));
            }
            Err(_) => return Delivery::unanswered("the answer stalled".to_owned()),
        };
        let status = head.status.as_u16();
        let answer = match (Answer::from_http(status, retry_after), outcome) {
            // Its status says so, but not its classifier, who knows better.
            (Answer::Done, Outcome::Failure) => Answer::Again { retry_after },
            (answer, _) => answer,
        };
        let headers = head.headers.iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
        let stored = StoredAnswer {
            status,
            headers: headers.collect(),
            body,
            at: captures.now(),
            truncated,
            sealed_by: None,
        };
        let note = format!("answered {status}");
        Delivery { answer, outcome, failure, stored: Some(stored), note }
    }
}

/// A letter that cannot be made a request again. That says nothing about the other side.
fn impossible(note: String) -> Delivery {
    let (answer, outcome) = (Answer::Never, Outcome::Ignored);
    Delivery { answer, outcome, failure: None, stored: None, note }
}

/// The beginning of an answer, and whether there was more.
async fn collect<T: Body>(body: T) -> Result<(Vec<u8>, bool), T::Error> {
    let mut body = std::pin::pin!(body);
    let mut whole = Vec::new();
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let Ok(mut data) = frame?.into_data() else { continue };
        let room = data.remaining().min(ANSWER_KEPT - whole.len());
        whole.extend_from_slice(&data.copy_to_bytes(room));
        if data.has_remaining() {
            return Ok((whole, true));
        }
    }
    Ok((whole, false))
}

impl<S: fmt::Debug, B, W, A, C, U, F> fmt::Debug for ServiceReplay<S, B, W, A, C, U, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceReplay").field("service", &self.service).finish_non_exhaustive()
    }
}
