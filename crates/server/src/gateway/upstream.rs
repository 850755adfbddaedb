//! One upstream: its circuit, its endpoints, and what the answers of its service mean.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use fuseboard_core::policy::{Kind, Seen, Tracker};
use fuseboard_core::{CircuitBreaker, Failure};
use fuseboard_services::capture::Undone;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use super::body::RequestBody;
use super::headers;
use super::pool::{Home, Pool, SendError};
use super::refusals::Keeping;
use crate::config;

/// An upstream as the gateway uses it.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) breaker: CircuitBreaker,
    pub(crate) pool: Arc<Pool>,
    pub(crate) timeout: Duration,
    /// The domain of its letters.
    pub(super) domain: String,
    pub(super) keeping: Keeping,
}

/// What a request came to, before anybody judged it.
#[derive(Debug)]
pub(crate) enum Exchange {
    /// The upstream's headers are there.
    Answered(Response<Incoming>, Home),
    /// There is no answer.
    Lost(Lost),
}

/// Why there is no answer.
#[derive(Clone, Debug)]
pub(crate) struct Lost {
    pub(crate) undone: Undone,
    pub(crate) message: String,
    /// Whether the fault is the gateway's own, so that it says nothing about the upstream.
    pub(crate) ours: bool,
}

impl Lost {
    fn kind(&self) -> Kind {
        match self.undone {
            Undone::Connect => Kind::Connect,
            Undone::Timeout => Kind::Timeout,
            _ => Kind::Reset,
        }
    }

    /// The failure, if `tracker` takes this for one.
    pub(crate) fn judge(&self, tracker: &Tracker) -> Option<Failure> {
        self.failure().filter(|_| tracker.matches(&Seen::kind(self.kind())))
    }

    /// The failure, where nobody says what is one.
    pub(crate) fn failure(&self) -> Option<Failure> {
        (!self.ours).then(|| Failure::new(self.message.clone()))
    }
}

/// The failure that an answer is, if `tracker` takes it for one.
pub(crate) fn judge_answer<B>(response: &Response<B>, tracker: &Tracker) -> Option<Failure> {
    let status = response.status();
    if !tracker.matches(&Seen::status(status.as_u16())) {
        return None;
    }
    let failure = Failure::new(format!("answered {status}"));
    Some(match headers::retry_after(response.headers()) {
        Some(delay) => failure.retry_after(delay),
        None => failure,
    })
}

impl Exchange {
    /// Whether it was a call to the upstream at all.
    pub(crate) fn is_call(&self) -> bool {
        !matches!(self, Exchange::Lost(Lost { ours: true, .. }))
    }
}

impl Upstream {
    pub(crate) fn new(config: &config::Upstream, breaker: CircuitBreaker) -> Self {
        let pool = Arc::new(Pool::new(&config.endpoints, config.connect_timeout));
        let domain = config.domain.clone();
        Upstream { breaker, pool, timeout: config.timeout, domain, keeping: Keeping::default() }
    }

    /// Sends a request and waits for the answer's headers, at most as long as the upstream's timeout; what the caller
    /// takes to send its body does not count.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it closes the connection that it uses.
    pub(crate) async fn send(&self, request: Request<RequestBody>) -> Exchange {
        let lost = |undone, message| Exchange::Lost(Lost { undone, message, ours: false });
        let (overdue, sent) = (request.body().overdue(self.timeout), AtomicBool::new(false));
        let sending = self.pool.send(request, &sent);
        let result = tokio::select! {
            biased;
            result = sending => result,
            () = overdue => {
                let undone = if sent.into_inner() { Undone::Timeout } else { Undone::Connect };
                return lost(undone, format!("no answer within {:?}", self.timeout));
            }
        };
        match result {
            Ok((response, _)) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                lost(Undone::Reset, "it switched protocols, which nobody asked for".to_owned())
            }
            Ok((response, home)) => Exchange::Answered(response, home),
            Err(error @ SendError::Connect(_)) => lost(Undone::Connect, error.to_string()),
            Err(error @ SendError::Ours(_)) => {
                let (undone, message) = (Undone::Connect, error.to_string());
                Exchange::Lost(Lost { undone, message, ours: true })
            }
            Err(error @ SendError::Reset(_)) => lost(Undone::Reset, error.to_string()),
        }
    }
}
