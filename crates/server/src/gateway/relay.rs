//! An upstream's answer on its way to the caller: when its body ends, the ticket is settled and the connection goes home.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use fuseboard_core::{Failure, Ticket};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep};

use super::pool::{Home, Pool};

/// The body of an answer to a caller.
#[derive(Debug)]
pub enum ReplyBody {
    /// The gateway's own.
    Whole(Full<Bytes>),
    /// An upstream's, as it streams in.
    Relayed(Box<Relayed>),
}

/// Why an upstream's body broke off.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The upstream's side failed.
    #[error("the upstream's answer broke off: {0}")]
    Broken(#[from] hyper::Error),
    /// The upstream sent nothing for as long as its timeout.
    #[error("the upstream's answer stalled")]
    Stalled,
}

/// An upstream's body with what depends on its end.
#[derive(Debug)]
pub struct Relayed {
    incoming: Incoming,
    /// Runs while the upstream is waited for, and not while the caller reads slowly.
    stall: Option<Pin<Box<Sleep>>>,
    /// How old the call was when that began.
    waiting_since: Duration,
    patience: Duration,
    at_end: Option<AtEnd>,
}

/// What is to be done when a body ends.
#[derive(Debug)]
pub(crate) struct AtEnd {
    /// Settled as a success at the end, as a failure if the body breaks off; none if it is settled already.
    pub(crate) ticket: Option<Ticket>,
    /// How long the upstream may keep a caller waiting that then leaves.
    pub(crate) hung_after: Option<Duration>,
    pub(crate) home: Home,
    pub(crate) pool: Arc<Pool>,
}

impl Relayed {
    /// Relays `incoming`; between two pieces of it at most `patience` may pass.
    pub(crate) fn new(incoming: Incoming, patience: Duration, at_end: AtEnd) -> Self {
        let (stall, waiting_since) = (None, Duration::ZERO);
        let mut relayed =
            Relayed { incoming, stall, waiting_since, patience, at_end: Some(at_end) };
        if relayed.incoming.is_end_stream() {
            relayed.ended();
        }
        relayed
    }

    fn ended(&mut self) {
        let Some(AtEnd { ticket, home, pool, .. }) = self.at_end.take() else { return };
        if let Some(ticket) = ticket {
            ticket.success();
        }
        pool.give_back(home);
    }

    fn broke(&mut self, how: &'static str) {
        if let Some(ticket) = self.at_end.take().and_then(|at_end| at_end.ticket) {
            ticket.failure(Failure::new(how));
        }
    }

    fn poll_data(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RelayError>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(context) else {
            if self.stall.is_none() {
                self.waiting_since = self.age();
            }
            let patience = self.patience;
            let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(patience)));
            return stall.as_mut().poll(context).map(|()| {
                self.broke("the answer stalled");
                Some(Err(RelayError::Stalled))
            });
        };
        self.stall = None;
        match &frame {
            None => self.ended(),
            Some(Err(_)) => self.broke("the answer broke off"),
            // They end the body, and belong to one connection unless both sides agree otherwise.
            Some(Ok(frame)) if frame.is_trailers() => {
                self.ended();
                return Poll::Ready(None);
            }
            // A body of known length is not asked for its end: its last piece is the end.
            Some(Ok(_)) if self.incoming.is_end_stream() => self.ended(),
            Some(Ok(_)) => {}
        }
        Poll::Ready(frame.map(|frame| frame.map_err(RelayError::from)))
    }
}

impl Relayed {
    /// How long ago the call was admitted, while its ticket is here.
    fn age(&self) -> Duration {
        let ticket = self.at_end.as_ref().and_then(|at_end| at_end.ticket.as_ref());
        ticket.and_then(Ticket::elapsed).unwrap_or_default()
    }
}

impl Drop for Relayed {
    /// The caller left. The answer has begun, so the call's age says nothing: only the present wait can be a hang.
    fn drop(&mut self) {
        let age = self.age();
        let Some(AtEnd { ticket: Some(ticket), hung_after: Some(limit), .. }) = self.at_end.take()
        else {
            return;
        };
        let hung = self.stall.is_some() && age.saturating_sub(self.waiting_since) >= limit;
        if age >= limit && !hung {
            ticket.ignored();
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = RelayError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RelayError>>> {
        match self.get_mut() {
            ReplyBody::Whole(full) => {
                let frame = Pin::new(full).poll_frame(context);
                frame.map(|frame| frame.map(|frame| frame.map_err(|never| match never {})))
            }
            ReplyBody::Relayed(relayed) => relayed.poll_data(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            ReplyBody::Whole(full) => full.is_end_stream(),
            ReplyBody::Relayed(relayed) => relayed.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ReplyBody::Whole(full) => full.size_hint(),
            ReplyBody::Relayed(relayed) => relayed.incoming.size_hint(),
        }
    }
}
