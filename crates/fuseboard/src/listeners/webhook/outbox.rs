//! What is to be posted next, and when: the rate limit, retries and losses, without a thread, a socket or a clock.

use std::collections::VecDeque;
use std::time::Duration;

use fuseboard_core::time::Moment;

use super::WebhookStats;
use super::limiter::{Entry, Limit, Limiter};
use super::message::{Format, Losses, Message};

/// The longest wait that another side may ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// How often and how fast to try.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) limit: Limit,
    /// How many entries may wait.
    pub(super) capacity: usize,
    /// How often one message is tried; at least 1.
    pub(super) tries: u32,
    /// The wait after a first failure. It doubles with each one that follows.
    pub(super) backoff: Duration,
    /// The longest wait.
    pub(super) max_backoff: Duration,
}

/// What the other side said to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It has it.
    Done,
    /// It does not have it; later it may take it.
    Again { error: String, retry_after: Option<Duration> },
    /// It will never take it.
    Never { error: String },
}

/// What to do now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Post this body, and say what the [`Answer`] was.
    Post(String),
    /// Wait for news, at most until then.
    Wait(Option<Moment>),
    /// Nothing more: all is told, or given up.
    Finish,
}

/// What is to be posted.
#[derive(Debug)]
pub(super) struct Outbox {
    format: Format,
    pace: Pace,
    limiter: Limiter,
    current: Option<Current>,
    /// What was lost and is not told yet.
    losses: Losses,
    failures_in_a_row: u32,
    not_before: Moment,
    stopping: bool,
    flushes: VecDeque<Flush>,
    stats: WebhookStats,
}

/// Somebody waits for what has come so far.
#[derive(Debug)]
struct Flush {
    /// The number of the last entry that matters.
    through: u64,
    /// How much news was lost before.
    lost: u64,
}

/// A message on its way.
#[derive(Debug)]
struct Current {
    message: Message,
    tries: u32,
}

impl Outbox {
    pub(super) fn new(format: Format, pace: Pace) -> Self {
        Outbox {
            format,
            pace,
            limiter: Limiter::new(pace.limit, pace.capacity),
            current: None,
            losses: Losses::default(),
            failures_in_a_row: 0,
            not_before: Moment::ZERO,
            stopping: false,
            flushes: VecDeque::new(),
            stats: WebhookStats::default(),
        }
    }

    /// Takes a piece of news.
    pub(super) fn offer(&mut self, entry: Entry, now: Moment) {
        let dropped = self.limiter.offer(entry, now);
        self.dropped(dropped);
    }

    /// So much news was dropped, here or before it got here.
    pub(super) fn dropped(&mut self, news: u64) {
        self.losses.dropped += news;
        self.stats.dropped += news;
    }

    /// From now on there is no rate limit, and the first failure ends it.
    pub(super) fn stop(&mut self) {
        self.stopping = true;
    }

    /// What has come so far is sent without a rate limit, oldest first; [`flushed`](Outbox::flushed) tells when it was.
    pub(super) fn flush(&mut self) {
        self.flushes.push_back(Flush { through: self.limiter.latest(), lost: self.lost() });
    }

    /// Whether all was told that the earliest flush waits for, once none of that waits any more. To be asked until it has no
    /// answer.
    pub(super) fn flushed(&mut self) -> Option<bool> {
        let through = self.flushes.front()?.through;
        // A message on its way is always older: as long as there is a flush, nothing newer is taken.
        if self.current.is_some() || self.limiter.oldest().is_some_and(|oldest| oldest <= through) {
            return None;
        }
        let flush = self.flushes.pop_front()?;
        Some(flush.lost == self.lost())
    }

    fn lost(&self) -> u64 {
        self.stats.dropped + self.stats.undelivered
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping
    }

    pub(super) fn stats(&self) -> &WebhookStats {
        &self.stats
    }

    /// What to do now.
    pub(super) fn next(&mut self, now: Moment) -> Next {
        let due = if self.current.is_some() { Some(Moment::ZERO) } else { self.limiter.due() };
        let Some(mut due) = due else {
            return if self.stopping { Next::Finish } else { Next::Wait(None) };
        };
        let at_once = self.stopping || !self.flushes.is_empty();
        if at_once {
            due = Moment::ZERO;
        }
        // As long as nothing can be posted, nothing is taken from the limiter: more may join what waits there.
        due = due.max(self.not_before);
        if due > now {
            return Next::Wait(Some(due));
        }
        if self.current.is_none() {
            self.current = self.limiter.next(now, at_once).map(|entry| {
                self.stats.left_out += entry.left_out;
                let losses = std::mem::take(&mut self.losses);
                Current { message: Message { entry, losses }, tries: 0 }
            });
        }
        match &self.current {
            Some(current) => Next::Post(self.format.body(&current.message)),
            None => Next::Wait(None),
        }
    }

    /// What came of the latest [`Next::Post`].
    pub(super) fn answered(&mut self, answer: Answer, now: Moment) {
        let (error, retry_after, never) = match answer {
            Answer::Done => return self.delivered(),
            Answer::Again { error, retry_after } => (error, retry_after, false),
            Answer::Never { error } => (error, None, true),
        };
        self.failures_in_a_row += 1;
        self.stats.last_error = Some(error);
        let asked = retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
        self.not_before = now + self.backoff().max(asked);
        let tries = self.current.as_mut().map_or(0, |current| {
            current.tries += 1;
            current.tries
        });
        if self.stopping {
            self.give_up_all();
        } else if never || tries >= self.pace.tries {
            self.give_up();
        }
    }

    /// Gives up all that waits, at the end.
    pub(super) fn give_up_all(&mut self) {
        self.give_up();
        self.stats.undelivered += self.limiter.clear();
    }

    fn delivered(&mut self) {
        self.current = None;
        self.failures_in_a_row = 0;
        self.stats.delivered += 1;
    }

    /// The next message tells of this one's loss, and of what this one would have told.
    fn give_up(&mut self) {
        let Some(Current { message, .. }) = self.current.take() else { return };
        let lost = message.entry.weight();
        self.losses.dropped += message.losses.dropped;
        self.losses.undelivered += message.losses.undelivered + lost;
        self.stats.undelivered += lost;
    }

    fn backoff(&self) -> Duration {
        let doublings = self.failures_in_a_row.saturating_sub(1).min(31);
        self.pace.backoff.saturating_mul(1 << doublings).min(self.pace.max_backoff)
    }
}
