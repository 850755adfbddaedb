//! The service: the request goes on, and if it is not done it is answered, kept, or both.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use fuseboard_services::capture::{Attempt, NotQueued, Queued, Undone, changes_something};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::Body;
use tokio::time::timeout;
use tower_service::Service;

use super::body::KeptBody;
use super::error::NotCaptured;
use super::layer::{NotDone, Serve, Settings, Tell};
use super::work::{give_key, work};
use crate::Classify;

/// A service whose requests become letters if they are not done. Made by a [`CaptureLayer`](crate::CaptureLayer).
///
/// It is ready when the inner service is. A clone must be polled ready itself.
///
/// # Cancel safety
///
/// Dropped before the inner service has answered, the request is cancelled, and no letter. Dropped while the letter is made,
/// that is kept entirely or not at all.
pub struct CaptureService<S, A, C, U, F> {
    inner: S,
    settings: Arc<Settings<A, C, U, F>>,
}

/// HTTP 202 with an empty body, and the letter's token in `Fuseboard-Letter`.
pub fn accepted<B: Default>(queued: &Queued) -> Response<B> {
    let mut response = Response::new(B::default());
    *response.status_mut() = StatusCode::ACCEPTED;
    if let Ok(token) = HeaderValue::try_from(queued.token.to_string()) {
        response.headers_mut().insert("fuseboard-letter", token);
    }
    response
}

impl<S, A, C, U, F> CaptureService<S, A, C, U, F> {
    pub(super) fn new(inner: S, settings: Arc<Settings<A, C, U, F>>) -> Self {
        CaptureService { inner, settings }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }
}

/// The future of a call.
type Answering<B, E> = Pin<Box<dyn Future<Output = Result<Response<B>, E>> + Send>>;

impl<S, B, T, A, C, U, F> Service<Request<B>> for CaptureService<S, A, C, U, F>
where
    S: Service<Request<KeptBody<B>>, Response = Response<T>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    T: Send + 'static,
    A: Fn(&Queued) -> Response<T> + Send + Sync + 'static,
    C: Classify<Response<T>, S::Error> + Send + Sync + 'static,
    U: Tell<S::Error> + Send + Sync + 'static,
    F: Serve<T> + Send + Sync + 'static,
{
    type Response = Response<T>;
    type Error = NotCaptured<S::Error>;
    type Future = Answering<T, NotCaptured<S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let ready = self.inner.poll_ready(context);
        ready.map_err(|error| NotCaptured { error, why: None })
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let settings = Arc::clone(&self.settings);
        let (mut head, body) = request.into_parts();
        let is_kept = changes_something(head.method.as_str());
        let keyed_by_caller = is_kept && give_key(&mut head.headers, &settings.breaker);
        let body = KeptBody::new(body, if is_kept { settings.limit } else { 0 });
        let sent = Sent { head: head.clone(), body: body.handle(), keyed_by_caller };
        let answering = self.inner.call(Request::from_parts(head, body));
        Box::pin(async move {
            let result = answering.await;
            match settings.not_done(&result) {
                Some(not_done) => settings.instead(sent, not_done, result).await,
                None => result.map_err(|error| NotCaptured { error, why: None }),
            }
        })
    }
}

/// A request that is on its way.
struct Sent<B> {
    head: Parts,
    body: KeptBody<B>,
    keyed_by_caller: bool,
}

impl<A, C, U, F> Settings<A, C, U, F> {
    /// What happens instead of a request that was not done.
    async fn instead<B, T, E>(
        &self,
        sent: Sent<B>,
        not_done: NotDone,
        result: Result<Response<T>, E>,
    ) -> Result<Response<T>, NotCaptured<E>>
    where
        B: Body<Error: Into<Box<dyn Error + Send + Sync>>>,
        A: Fn(&Queued) -> Response<T>,
        F: Serve<T>,
    {
        let NotDone { undone, retry_after } = not_done;
        let served = undone.and_then(|undone| self.fallback.serve(undone, &sent.head));
        let kept = match undone {
            Some(undone) => self.keep(sent, undone, served.is_some(), retry_after).await,
            None => Err(NotQueued::Answered),
        };
        match (served, kept, result) {
            (Some(response), Ok(queued), _) => Ok(with(response, queued)),
            (Some(response), Err(why), _) => Ok(with(response, why)),
            (None, Ok(queued), _) => Ok(with((self.answer)(&queued), queued)),
            (None, Err(why), Ok(response)) => Ok(with(response, why)),
            (None, Err(why), Err(error)) => Err(NotCaptured { error, why: Some(why) }),
        }
    }

    async fn keep<B>(
        &self,
        sent: Sent<B>,
        undone: Undone,
        served: bool,
        retry_after: Option<Duration>,
    ) -> Result<Queued, NotQueued>
    where
        B: Body<Error: Into<Box<dyn Error + Send + Sync>>>,
    {
        let Sent { head, body, keyed_by_caller } = sent;
        if !changes_something(head.method.as_str()) {
            return Err(NotQueued::Method(head.method.to_string()));
        }
        let kind = self.rule.kind_of(Attempt { undone, served, keyed_by_caller })?;
        let body = timeout(self.captures.patience(), body.complete()).await;
        let body = body.map_err(|_| NotQueued::Unwritable(Arc::from(slow())))??;
        let work = work(&head, body, self.breaker.name(), &self.domain, self.priority);
        self.captures.keep(work, kind, undone, retry_after).await
    }
}

fn slow() -> Box<dyn Error + Send + Sync> {
    "the rest of its body did not come in time".into()
}

/// The response, with what layers further out may want to know.
fn with<T>(mut response: Response<T>, what: impl Clone + Send + Sync + 'static) -> Response<T> {
    response.extensions_mut().insert(what);
    response
}

impl<S: Clone, A, C, U, F> Clone for CaptureService<S, A, C, U, F> {
    fn clone(&self) -> Self {
        CaptureService::new(self.inner.clone(), Arc::clone(&self.settings))
    }
}

impl<S: fmt::Debug, A, C, U, F> fmt::Debug for CaptureService<S, A, C, U, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaptureService").field("inner", &self.inner).finish_non_exhaustive()
    }
}
