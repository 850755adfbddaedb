//! A protected call that becomes a letter if it is not done.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::{CallError, CircuitBreaker};
use fuseboard_store::{Priority, Token};

use crate::replay_service::ReplayContext;

use super::captured::{Captured, NotDone};
use super::captures::Desk;
use super::keep::{Queued, Work};
use super::kind::Undone;
use super::refusal::NotQueued;
use super::rule::{Attempt, CaptureRule};
use super::storable::Storable;

/// What stands in place of an HTTP method in the letters of calls.
pub(super) const METHOD: &str = "CALL";

/// The future of a handler.
type Handling<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;
pub(super) type Handler<P, T, E> = dyn Fn(P, Call) -> Handling<T, E> + Send + Sync;
type Classify<E> = dyn Fn(&E) -> Option<Undone> + Send + Sync;
type Fallback<P, T, E> = dyn Fn(&P, &CallError<E>) -> Option<T> + Send + Sync;

/// What a handler knows of the call that it makes, beside its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub(super) key: String,
    pub(super) replay: Option<u32>,
}

impl Call {
    /// The idempotency key: the same for the first try and every replay. Send it with the request.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Which replay this is, 1 for the first that reaches the other side; `None` if somebody waits for the call.
    pub fn replay(&self) -> Option<u32> {
        self.replay
    }
}

/// A payload with the key that its caller gives it. A payload alone is one without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<P> {
    payload: P,
    key: Option<String>,
}

impl<P> Request<P> {
    /// A payload without a key.
    pub fn new(payload: P) -> Self {
        Request { payload, key: None }
    }

    /// Gives it a key, by which the other side knows it again: an order's number, say. An empty one is none.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into()).filter(|key| !key.is_empty());
        self
    }
}

impl<P> From<P> for Request<P> {
    fn from(payload: P) -> Self {
        Request::new(payload)
    }
}

/// A protected call that becomes a letter if it is not done, and the handler that does it again. Clones are the same call.
///
/// Made by [`Captures::protect`](super::Captures::protect). See [the module](super) for what becomes a letter and what does
/// not.
pub struct Capture<P, T, E> {
    pub(super) parts: Arc<Parts<P, T, E>>,
}

pub(super) struct Parts<P, T, E> {
    pub(super) name: String,
    pub(super) breaker: CircuitBreaker,
    pub(super) handler: Box<Handler<P, T, E>>,
    pub(super) classify: Box<Classify<E>>,
    pub(super) fallback: Option<Box<Fallback<P, T, E>>>,
    pub(super) rule: CaptureRule,
    pub(super) limit: u64,
    pub(super) domain: String,
    pub(super) priority: Priority,
    pub(super) desk: Arc<Desk>,
}

impl<P, T, E> Capture<P, T, E> {
    /// What stands in place of an HTTP method in the letters of calls; in place of the URI there is the handler's name.
    pub const METHOD: &str = METHOD;

    /// What it keeps.
    pub fn rule(&self) -> CaptureRule {
        self.parts.rule
    }
}

impl<P, T, E> Capture<P, T, E>
where
    P: Storable + Clone,
    T: 'static,
    E: 'static,
{
    /// Makes the call if the circuit lets it through; if it is not done, serves the fallback or makes it a letter, or says why
    /// neither can be.
    ///
    /// A call without a key is given one before its first try. Inside of a replay that is the key of the letter, so that the
    /// other side knows it again; a handler that makes several such calls gives each a key of its own. And inside of a replay
    /// nothing is captured.
    ///
    /// It needs a tokio runtime with its time enabled.
    ///
    /// # Cancel safety
    ///
    /// Dropped while the call is made, it is a cancelled call, and no letter. Dropped while the letter is made, that is kept
    /// entirely or not at all. A panic of the handler goes on to the caller, and makes no letter.
    pub async fn call(&self, request: impl Into<Request<P>>) -> Captured<T, E> {
        let Request { payload, key } = request.into();
        let (parts, keyed_by_caller) = (&*self.parts, key.is_some());
        let replay = ReplayContext::current();
        let key = key.unwrap_or_else(|| parts.key_within(replay.as_ref()));
        let call = Call { key: key.clone(), replay: replay.map(|replay| replay.attempt) };
        let make = || (parts.handler)(payload.clone(), call);
        match parts.breaker.call_async(make).await {
            Ok(value) => Captured::Done(value),
            Err(error) => parts.not_done(payload, key, keyed_by_caller, error).await,
        }
    }
}

impl<P, T, E> Parts<P, T, E> {
    fn key_within(&self, replay: Option<&ReplayContext>) -> String {
        match replay {
            Some(replay) if replay.circuit == self.breaker.name() => replay.key.clone(),
            // Another service has other keys, but the same ones at each replay.
            Some(replay) => format!("{}/{}", replay.key, self.name),
            None => format!("fuseboard-{}", Token::random()),
        }
    }
}

impl<P: Storable, T, E> Parts<P, T, E> {
    async fn not_done(
        &self,
        payload: P,
        key: String,
        keyed_by_caller: bool,
        error: CallError<E>,
    ) -> Captured<T, E> {
        let (undone, retry_after) = match &error {
            CallError::Rejected(rejected) => (Some(Undone::Rejected), rejected.retry_after),
            CallError::Failed(error) => ((self.classify)(error), None),
        };
        let served = self.fallback.as_ref().and_then(|fallback| fallback(&payload, &error));
        let kept = match undone {
            Some(undone) => {
                let attempt = Attempt { undone, served: served.is_some(), keyed_by_caller };
                self.keep(payload, key, attempt, retry_after).await
            }
            None => Err(NotQueued::Answered),
        };
        match (served, kept) {
            (Some(value), kept) => Captured::Served(value, kept),
            (None, Ok(queued)) => Captured::Queued(queued),
            (None, Err(not_queued)) => Captured::Failed(NotDone { error, not_queued }),
        }
    }

    async fn keep(
        &self,
        payload: P,
        key: String,
        attempt: Attempt,
        retry_after: Option<Duration>,
    ) -> Result<Queued, NotQueued> {
        let kind = self.rule.kind_of(attempt)?;
        let body = payload.to_bytes().map_err(|error| NotQueued::Unwritable(error.into()))?;
        if body.len() as u64 > self.limit {
            return Err(NotQueued::TooLarge { limit: self.limit });
        }
        let work = Work {
            circuit: self.breaker.name().to_owned(),
            domain: self.domain.clone(),
            priority: self.priority,
            method: METHOD.to_owned(),
            uri: self.name.clone(),
            headers: Vec::new(),
            content_type: P::content_type().map(str::to_owned),
            body,
            key,
            // Whoever calls a function of this program is this program.
            scope: Vec::new(),
        };
        self.desk.keep(work, kind, attempt.undone, retry_after).await
    }
}

impl<P, T, E> Clone for Capture<P, T, E> {
    fn clone(&self) -> Self {
        Capture { parts: Arc::clone(&self.parts) }
    }
}

impl<P, T, E> fmt::Debug for Capture<P, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { name, breaker, rule, .. } = &*self.parts;
        let mut debug = f.debug_struct("Capture");
        debug.field("name", name).field("circuit", &breaker.name()).field("rule", rule);
        debug.finish_non_exhaustive()
    }
}
