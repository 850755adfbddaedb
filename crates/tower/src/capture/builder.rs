//! Puts a capture layer together, and refuses what can capture nothing.

use std::fmt;
use std::sync::Arc;

use fuseboard_core::CircuitBreaker;
use fuseboard_core::policy::InvalidPolicy;
use fuseboard_services::capture::{
    CapturePolicy, CaptureRule, Captures, DEFAULT_LIMIT, Idempotent,
};
use fuseboard_services::store::Priority;

use super::layer::{ByError, CaptureLayer, Nothing, Settings};
use crate::HttpStatus;

/// Puts a [`CaptureLayer`] together. Each part has a default.
#[must_use]
pub struct CaptureLayerBuilder<A, C = HttpStatus, U = ByError, F = Nothing> {
    plain: Plain<A>,
    classify: C,
    tell: U,
    fallback: F,
    serves: bool,
}

/// What no method changes the type of.
struct Plain<A> {
    captures: Captures,
    breaker: CircuitBreaker,
    policy: Option<CapturePolicy>,
    idempotent: Idempotent,
    limit: u64,
    domain: Option<String>,
    priority: Priority,
    answer: A,
}

impl<A> CaptureLayerBuilder<A> {
    pub(super) fn new(captures: Captures, breaker: CircuitBreaker, answer: A) -> Self {
        let plain = Plain {
            captures,
            breaker,
            policy: None,
            idempotent: Idempotent::default(),
            limit: DEFAULT_LIMIT,
            domain: None,
            priority: Priority::Normal,
            answer,
        };
        CaptureLayerBuilder {
            plain,
            classify: HttpStatus::default(),
            tell: ByError,
            fallback: Nothing,
            serves: false,
        }
    }
}

impl<A, C, U, F> CaptureLayerBuilder<A, C, U, F> {
    /// Sets the kinds that become letters. By default all that can: also `fallback`, where one is served.
    pub fn policy(mut self, policy: impl Into<CapturePolicy>) -> Self {
        self.plain.policy = Some(policy.into());
        self
    }

    /// Says whether requests may be made twice. By default one may if it came with an `Idempotency-Key`.
    pub fn idempotent(mut self, idempotent: Idempotent) -> Self {
        self.plain.idempotent = idempotent;
        self
    }

    /// Sets the largest body that is kept, in bytes. Default 1 MiB.
    pub fn limit(mut self, bytes: u64) -> Self {
        self.plain.limit = bytes;
        self
    }

    /// Sets the domain of its letters, for filters, and its priority. By default the circuit's name, and normal.
    pub fn domain(mut self, domain: impl Into<String>, priority: Priority) -> Self {
        self.plain.domain = Some(domain.into());
        self.plain.priority = priority;
        self
    }

    /// Sets which responses are failures: give it what the breaker's layer has. By default [`HttpStatus`]: 5xx and 429.
    pub fn classify<C2>(self, classify: C2) -> CaptureLayerBuilder<A, C2, U, F> {
        let CaptureLayerBuilder { plain, tell, fallback, serves, .. } = self;
        CaptureLayerBuilder { plain, classify, tell, fallback, serves }
    }

    /// Sets what errors [tell](super::Tell). By default [`ByError`].
    pub fn undone<U2>(self, tell: U2) -> CaptureLayerBuilder<A, C, U2, F> {
        let CaptureLayerBuilder { plain, classify, fallback, serves, .. } = self;
        CaptureLayerBuilder { plain, classify, tell, fallback, serves }
    }

    /// Sets what is [served](super::Serve) instead of a request that was not done. It is not asked for what is replayed.
    pub fn fallback<F2>(self, fallback: F2) -> CaptureLayerBuilder<A, C, U, F2> {
        let CaptureLayerBuilder { plain, classify, tell, .. } = self;
        CaptureLayerBuilder { plain, classify, tell, fallback, serves: true }
    }

    /// Makes the layer.
    ///
    /// # Errors
    ///
    /// [`InvalidPolicy`] names what cannot be: a policy of which something can never be captured, a limit of nothing.
    pub fn build(self) -> Result<CaptureLayer<A, C, U, F>, InvalidPolicy> {
        let CaptureLayerBuilder { plain, classify, tell, fallback, serves } = self;
        let Plain { captures, breaker, policy, idempotent, limit, domain, priority, answer } =
            plain;
        let rule = CaptureRule::new(policy, idempotent, serves)?;
        if limit == 0 {
            return Err(InvalidPolicy::new("limit", limit, "a number of bytes above zero"));
        }
        let domain = domain.unwrap_or_else(|| breaker.name().to_owned());
        let settings = Settings {
            captures,
            breaker,
            rule,
            limit,
            domain,
            priority,
            answer,
            classify,
            tell,
            fallback,
        };
        Ok(CaptureLayer { settings: Arc::new(settings) })
    }
}

impl<A, C, U, F> fmt::Debug for CaptureLayerBuilder<A, C, U, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("CaptureLayerBuilder");
        debug
            .field("breaker", &self.plain.breaker)
            .field("policy", &self.plain.policy)
            .finish_non_exhaustive()
    }
}
