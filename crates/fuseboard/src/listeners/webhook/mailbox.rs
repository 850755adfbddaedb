//! Where breakers' threads leave news for the webhook's thread; neither ever waits for the other's work.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::WebhookStats;
use super::limiter::Entry;

/// Nobody waits longer at a time than this, so that no sum of times overflows.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// A bounded queue, and how to stop. Its lock is held for moments only, never while anything is sent.
#[derive(Debug)]
pub(super) struct Mailbox {
    capacity: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Entry>,
    /// How much was dropped since the webhook's thread last looked.
    dropped: u64,
    /// Who waits for all that came before; told whether it was delivered.
    flushes: Vec<Sender<bool>>,
    stopping: bool,
    abandoned: bool,
    finished: bool,
    stats: WebhookStats,
}

/// What the webhook's thread finds.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) entries: VecDeque<Entry>,
    pub(super) dropped: u64,
    /// Who waits for all of that, and all before it.
    pub(super) flushes: Vec<Sender<bool>>,
    /// Send what waits and end.
    pub(super) stopping: bool,
    /// Nobody waits for that any more: end.
    pub(super) abandoned: bool,
}

impl Mailbox {
    pub(super) fn new(capacity: usize) -> Self {
        Mailbox { capacity, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Leaves `entry`. If too many wait, the oldest is dropped: the newest tells how things stand.
    pub(super) fn put(&self, entry: Entry) {
        let mut state = self.state();
        if state.waiting.len() >= self.capacity {
            state.waiting.pop_front();
            state.dropped += 1;
        }
        state.waiting.push_back(entry);
        drop(state);
        self.changed.notify_all();
    }

    /// Asks to hear whether what came so far was delivered, once none of it waits; that receiver is let down if the thread ends.
    pub(super) fn flush(&self) -> Receiver<bool> {
        let (told, heard) = channel();
        let mut state = self.state();
        if !state.finished {
            state.flushes.push(told);
        }
        drop(state);
        self.changed.notify_all();
        heard
    }

    /// Takes all there is; waits for it for at most `timeout`, `None` for ever. A stop that is known is nothing new.
    pub(super) fn take(&self, knows_stop: bool, timeout: Option<Duration>) -> Taken {
        let nothing_new = |state: &mut State| {
            state.waiting.is_empty()
                && state.flushes.is_empty()
                && state.stopping == knows_stop
                && !state.abandoned
        };
        let state = self.state();
        let mut state = match timeout {
            None => {
                self.changed.wait_while(state, nothing_new).unwrap_or_else(PoisonError::into_inner)
            }
            Some(timeout) => {
                let timeout = timeout.min(LONGEST_WAIT);
                let waited = self.changed.wait_timeout_while(state, timeout, nothing_new);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        Taken {
            entries: std::mem::take(&mut state.waiting),
            dropped: std::mem::take(&mut state.dropped),
            flushes: std::mem::take(&mut state.flushes),
            stopping: state.stopping,
            abandoned: state.abandoned,
        }
    }

    /// Lets the thread send what waits, for at most `within`; says whether it has ended.
    pub(super) fn stop(&self, within: Duration) -> bool {
        let mut state = self.state();
        state.stopping = true;
        self.changed.notify_all();
        let within = within.min(LONGEST_WAIT);
        let waited = self.changed.wait_timeout_while(state, within, |state| !state.finished);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.abandoned = true;
        self.changed.notify_all();
        state.finished
    }

    /// The thread has ended.
    pub(super) fn finish(&self) {
        let mut state = self.state();
        state.finished = true;
        state.flushes.clear();
        drop(state);
        self.changed.notify_all();
    }

    pub(super) fn publish(&self, stats: &WebhookStats) {
        self.state().stats.clone_from(stats);
    }

    pub(super) fn stats(&self) -> WebhookStats {
        let state = self.state();
        let mut stats = state.stats.clone();
        stats.dropped += state.dropped;
        stats
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
