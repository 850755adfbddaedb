//! What waits to be told on another thread: a bounded queue that says when it was told so far, and how to stop.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::listeners::News;

/// Nobody waits longer at a time than this, so that no sum of times overflows.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// A bounded queue. Its lock is held for moments only, never while anything is told.
#[derive(Debug)]
pub(super) struct Queue {
    capacity: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Item>,
    /// How much of that is news.
    news: usize,
    dropped: u64,
    /// Nothing more comes: tell what waits, and end.
    stopping: bool,
    finished: bool,
}

/// What the listener's thread finds, in the order in which it came.
#[derive(Debug)]
pub(super) enum Item {
    /// To be told.
    News(News),
    /// To be answered: all before it was told.
    Flush(Sender<()>),
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        Queue { capacity, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Leaves news, unless too much waits: then it is dropped, and counted.
    pub(super) fn put(&self, news: News) {
        let mut state = self.state();
        if state.finished || state.news >= self.capacity {
            state.dropped += 1;
            return;
        }
        state.news += 1;
        state.waiting.push_back(Item::News(news));
        drop(state);
        self.changed.notify_all();
    }

    /// Asks to hear when all that waits now was told; that receiver is let down if it never will be.
    pub(super) fn flush(&self) -> Receiver<()> {
        let (told, heard) = channel();
        let mut state = self.state();
        if !state.finished {
            state.waiting.push_back(Item::Flush(told));
        }
        drop(state);
        self.changed.notify_all();
        heard
    }

    /// The next item, as soon as there is one; `None` at the end.
    pub(super) fn take(&self) -> Option<Item> {
        let nothing = |state: &mut State| state.waiting.is_empty() && !state.stopping;
        let waited = self.changed.wait_while(self.state(), nothing);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        let item = state.waiting.pop_front();
        if let Some(Item::News(_)) = item {
            state.news -= 1;
        }
        item
    }

    /// Lets the thread tell what waits, and end.
    pub(super) fn stop(&self) {
        self.state().stopping = true;
        self.changed.notify_all();
    }

    /// Waits for the end for at most `within`, then gives up what still waits; says whether the thread has ended.
    pub(super) fn wait_for_end(&self, within: Duration) -> bool {
        let within = within.min(LONGEST_WAIT);
        let waited = self.changed.wait_timeout_while(self.state(), within, |state| !state.finished);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.clear();
        state.finished
    }

    /// The thread has ended.
    pub(super) fn finish(&self) {
        let mut state = self.state();
        state.finished = true;
        state.clear();
        drop(state);
        self.changed.notify_all();
    }

    /// How much news was dropped.
    pub(super) fn dropped(&self) -> u64 {
        self.state().dropped
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn clear(&mut self) {
        self.dropped += self.news as u64;
        self.news = 0;
        self.waiting.clear();
    }
}
