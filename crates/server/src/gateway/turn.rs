//! The upstream's own time: how long it had the turn, without what its caller took to send the body.

use std::time::Duration;

use fuseboard_core::Ticket;
use fuseboard_core::time::{Clock, Moment};

use super::body::KeptBody;

/// A call that is under way.
pub(super) struct Turn<'a> {
    ticket: Option<Ticket>,
    body: &'a KeptBody,
    clock: &'a dyn Clock,
    began: Moment,
    /// How long the upstream may keep a caller waiting that then leaves.
    hung_after: Option<Duration>,
}

impl<'a> Turn<'a> {
    pub(super) fn new(
        ticket: Ticket,
        body: &'a KeptBody,
        clock: &'a dyn Clock,
        hung_after: Option<Duration>,
    ) -> Self {
        Turn { ticket: Some(ticket), body, clock, began: clock.now(), hung_after }
    }

    /// The call's headers are there, or will not come: the ticket, which counts with the upstream's own time, and that.
    pub(super) fn over(mut self) -> (Ticket, Duration) {
        let took = self.took();
        let ticket = self.ticket.take().expect("only this takes it, and this takes the turn");
        (ticket.took(took), took)
    }

    fn took(&self) -> Duration {
        self.clock.now().since(self.began).saturating_sub(self.body.waited())
    }
}

impl Drop for Turn<'_> {
    /// The caller left. It may have spent most of the call's age itself.
    fn drop(&mut self) {
        let took = self.took();
        let (Some(ticket), Some(limit)) = (self.ticket.take(), self.hung_after) else { return };
        if took < limit && Ticket::elapsed(&ticket).is_some_and(|age| age >= limit) {
            ticket.ignored();
        }
    }
}
