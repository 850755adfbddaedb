//! Puts a protected call together, and refuses what can capture nothing.

use std::fmt;
use std::sync::Arc;

use fuseboard_core::{CallError, CircuitBreaker};
use fuseboard_store::Priority;

use crate::circuits::Invalid;

use super::call::{Capture, Handler, Parts};
use super::captures::{Desk, Handlers};
use super::classify::by_type;
use super::keep::DEFAULT_LIMIT;
use super::kind::Undone;
use super::policy::CapturePolicy;
use super::rule::{CaptureRule, Idempotent};
use super::storable::Storable;

/// Puts a [`Capture`] together. Each part has a default.
pub struct CaptureBuilder<P, T, E> {
    parts: Parts<P, T, E>,
    policy: Option<CapturePolicy>,
    idempotent: Idempotent,
    domain: Option<String>,
    handlers: Arc<Handlers>,
}

impl<P, T, E> fmt::Debug for CaptureBuilder<P, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("CaptureBuilder");
        debug.field("name", &self.parts.name).field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl<P, T, E: 'static> CaptureBuilder<P, T, E> {
    pub(super) fn new(
        name: String,
        breaker: CircuitBreaker,
        handler: Box<Handler<P, T, E>>,
        desk: Arc<Desk>,
        handlers: Arc<Handlers>,
    ) -> Self {
        let parts = Parts {
            name,
            domain: breaker.name().to_owned(),
            breaker,
            handler,
            classify: Box::new(|error| Some(by_type(error))),
            fallback: None,
            rule: CaptureRule::widest(Idempotent::default(), false),
            limit: DEFAULT_LIMIT,
            priority: Priority::Normal,
            desk,
        };
        CaptureBuilder {
            parts,
            policy: None,
            idempotent: Idempotent::default(),
            domain: None,
            handlers,
        }
    }

    /// Sets the kinds that become letters. By default all that can: also `fallback`, where there is one.
    #[must_use]
    pub fn policy(mut self, policy: impl Into<CapturePolicy>) -> Self {
        self.policy = Some(policy.into());
        self
    }

    /// Says whether the call may be made twice. By default it may if its caller gives a key.
    #[must_use]
    pub fn idempotent(mut self, idempotent: Idempotent) -> Self {
        self.idempotent = idempotent;
        self
    }

    /// Sets what an error says about why the call was not done: an [`Undone`], or `None` if it was answered that it will never
    /// be done. That is no letter, and a letter that gets it waits for a person.
    ///
    /// By default errors of the standard library and tokio, also boxed ones, tell by themselves, and all others are failures;
    /// [`by_source`](super::by_source) looks at the sources of errors of your own.
    #[must_use]
    pub fn classify<U: Into<Option<Undone>>>(
        mut self,
        classify: impl Fn(&E) -> U + Send + Sync + 'static,
    ) -> Self {
        self.parts.classify = Box::new(move |error| classify(error).into());
        self
    }

    /// Sets what is served instead of a call that was not done; `None` if there is nothing to serve. It is not asked in a
    /// replay, which nobody waits for.
    #[must_use]
    pub fn fallback(
        mut self,
        fallback: impl Fn(&P, &CallError<E>) -> Option<T> + Send + Sync + 'static,
    ) -> Self {
        self.parts.fallback = Some(Box::new(fallback));
        self
    }

    /// Sets the largest payload that is kept, in bytes. Default 1 MiB.
    #[must_use]
    pub fn limit(mut self, bytes: u64) -> Self {
        self.parts.limit = bytes;
        self
    }

    /// Sets the domain of its letters, for filters, and its priority. By default the circuit's name, and normal.
    #[must_use]
    pub fn domain(mut self, domain: impl Into<String>, priority: Priority) -> Self {
        self.domain = Some(domain.into());
        self.parts.priority = priority;
        self
    }
}

impl<P, T, E> CaptureBuilder<P, T, E>
where
    P: Storable + Send + 'static,
    T: 'static,
    E: 'static,
{
    /// Makes the protected call, and registers its handler under its name.
    ///
    /// # Errors
    ///
    /// [`Invalid`] names what cannot be: a policy of which something can never be captured, a name that is empty or taken, a
    /// limit of nothing.
    pub fn build(self) -> Result<Capture<P, T, E>, Invalid> {
        let CaptureBuilder { mut parts, policy, idempotent, domain, handlers } = self;
        parts.rule = CaptureRule::new(policy, idempotent, parts.fallback.is_some())?;
        if parts.limit == 0 {
            return Err(Invalid::new("limit", parts.limit, "a number of bytes above zero"));
        }
        if parts.name.is_empty() {
            return Err(Invalid::new("handler", "", "a name"));
        }
        parts.domain = domain.unwrap_or(parts.domain);
        let parts = Arc::new(parts);
        handlers.register(&parts.name, Arc::clone(&parts) as _)?;
        Ok(Capture { parts })
    }
}
