//! The webhook's thread: takes news from the mailbox, asks the outbox what to do, and does it.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use fuseboard_core::time::Clock;

use super::client::Client;
use super::mailbox::Mailbox;
use super::outbox::{Answer, Next, Outbox};

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) outbox: Outbox,
    pub(super) client: Client,
    /// Who waits for the outbox's flushes, in the same order.
    pub(super) flushes: VecDeque<Sender<bool>>,
    pub(super) clock: Arc<dyn Clock>,
}

/// Says that the thread has ended, however it ends.
struct Finish(Arc<Mailbox>);

impl Drop for Finish {
    fn drop(&mut self) {
        self.0.finish();
    }
}

impl Worker {
    /// Runs until it is stopped.
    pub(super) fn run(mut self) {
        let _finish = Finish(Arc::clone(&self.mailbox));
        loop {
            self.answer_flushes();
            let now = self.clock.now();
            let patience = match self.outbox.next(now) {
                Next::Post(body) => {
                    self.post(&body);
                    Some(Duration::ZERO)
                }
                Next::Wait(until) => until.map(|until| until.since(now)),
                Next::Finish => return,
            };
            if !self.take(patience) {
                self.outbox.give_up_all();
                self.mailbox.publish(self.outbox.stats());
                return;
            }
        }
    }

    fn post(&mut self, body: &str) {
        // A fault in what lies below must not end the thread: the message was not delivered, that is all.
        let posted = catch_unwind(AssertUnwindSafe(|| self.client.post(body)));
        let answer =
            posted.unwrap_or_else(|_| Answer::Never { error: "the client panicked".into() });
        #[cfg(feature = "tracing")]
        if let Answer::Again { error, .. } | Answer::Never { error } = &answer {
            tracing::warn!(target: "fuseboard", error, "a webhook failed");
        }
        self.outbox.answered(answer, self.clock.now());
        self.mailbox.publish(self.outbox.stats());
    }

    fn answer_flushes(&mut self) {
        while let Some(told) = self.outbox.flushed() {
            if let Some(who) = self.flushes.pop_front() {
                // Who asked may have stopped waiting.
                let _ = who.send(told);
            }
        }
    }

    /// Takes what came, or comes within `patience`; says whether to go on.
    fn take(&mut self, patience: Option<Duration>) -> bool {
        let taken = self.mailbox.take(self.outbox.is_stopping(), patience);
        let now = self.clock.now();
        self.outbox.dropped(taken.dropped);
        for entry in taken.entries {
            self.outbox.offer(entry, now);
        }
        for flush in taken.flushes {
            self.outbox.flush();
            self.flushes.push_back(flush);
        }
        self.mailbox.publish(self.outbox.stats());
        if taken.stopping {
            self.outbox.stop();
        }
        !taken.abandoned
    }
}
