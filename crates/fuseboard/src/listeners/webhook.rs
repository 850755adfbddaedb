//! A listener that posts to a URL, or to Slack, from a thread of its own.
//!
//! - `mailbox`: breakers' threads leave news there, and go on.
//! - `limiter`, `outbox`: what is posted next, and when. No thread, no socket, no clock.
//! - `message`: what it says. `client`: one POST. `worker`: the thread that joins them.
//!
//! The HTTP client is `ureq`: it blocks, which is what a thread of its own wants, needs no async runtime, is maintained, and
//! has a timeout over everything, name resolution too. Without its default features it is small. TLS is `rustls` with `ring`,
//! which brings its own code and needs no OpenSSL; the certificate authorities are the system's.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use fuseboard_core::time::Clock;
use fuseboard_core::{Listener, Transition};

use super::News;

mod builder;
mod client;
mod limiter;
mod mailbox;
mod message;
mod outbox;
#[cfg(test)]
mod tests;
mod worker;

pub use builder::{WebhookBuilder, WebhookError};
use limiter::Entry;
use mailbox::Mailbox;
use message::Format;

/// Posts what happens to circuits to a URL: what tripped, why, and until when.
///
/// ```no_run
/// use fuseboard::{Board, listeners::Webhook};
/// use std::time::Duration;
///
/// let slack = Webhook::slack("https://hooks.slack.com/services/T000/B000/XXXX").build()?;
/// let pager = Webhook::to("https://pager.example.com/events")
///     .header("authorization", "Bearer s3cret")
///     .at_most(10, Duration::from_secs(300))
///     .only(|_circuit, transition| transition.to.as_str() != "half_open")
///     .build()?;
/// let board = Board::builder().listener(slack).listener(pager).build();
/// # Ok::<(), fuseboard::listeners::WebhookError>(())
/// ```
///
/// # Threads
///
/// The thread that made a transition copies it into a queue and goes on; it waits for no network. Everything else happens
/// on one thread of the webhook's own. If the queue is full, the oldest news is dropped, because the newest tells how
/// things stand.
///
/// # Nothing is lost in silence
///
/// At most [5 messages a minute](WebhookBuilder::at_most) are sent about each circuit, keyed circuits of one parent
/// counting as one. What comes on top waits, and becomes one message with the latest state and the number of transitions
/// left out. What is dropped or cannot be delivered is counted, and the next message says so. [`stats`](Webhook::stats)
/// has all of it.
///
/// A failed POST is tried again: on no answer, 408, 425, 429 and 5xx, [4 times](WebhookBuilder::tries) in all, after 1 s,
/// 2 s, 4 s and so on up to 1 min, and no earlier than `Retry-After` says in seconds (up to 1 h). Any other answer that is
/// no 2xx is final: redirects are not followed. Delivery is at least once: an answer that comes too late means a second
/// POST. The proxies of the environment (`HTTPS_PROXY`, `NO_PROXY` and so on) are used unless it is
/// [direct](WebhookBuilder::direct). With the feature `tracing` each failure is also a warning there.
///
/// # At the end
///
/// When it is dropped, with the last breaker that uses it, what waits is sent, each message once, until one fails. That
/// takes [5 s](WebhookBuilder::stop_within) at most; then the thread is left to itself and ends with the POST it is in.
/// Dropping blocks for that time: in async code, drop the board where blocking is allowed.
///
/// A program that ends drops no statics, so what waits for a webhook of the [board of the process](crate::global), or of any
/// other that is still in use, is lost with it, and `std::process::exit` drops nothing at all. [Flush](Webhook::flush) before:
///
/// ```no_run
/// use fuseboard::{Board, Listener, global, listeners::Webhook};
/// use std::{sync::Arc, time::Duration};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let slack = Arc::new(Webhook::slack("https://hooks.slack.com/services/T000/B000/XXXX").build()?);
///     let listener: Arc<dyn Listener> = slack.clone();
///     global::install(Board::builder().shared_listener(listener).build())?;
///
///     // what the program does
///
///     if !slack.flush(Duration::from_secs(5)) {
///         eprintln!("Slack was not told all: {:?}", slack.stats());
///     }
///     Ok(())
/// }
/// ```
///
/// # What is posted
///
/// [`Webhook::slack`] posts `{"text": …}`. [`Webhook::to`] posts an object with these members, to which others may be added:
///
/// | member | type | what |
/// |---|---|---|
/// | `event` | text | `transition` or `would_trip` |
/// | `circuit` | text | its name |
/// | `from`, `to`, `cause` | text | the words that metrics and the API use |
/// | `why` | text | what opened the circuit, or who pinned it; empty once it is closed |
/// | `generation` | number | grows by one at each transition |
/// | `reopens` | number | how often half_open ended in open since the circuit was last closed |
/// | `retry_after_ms` | number or null | until an attempt may succeed, from the transition on |
/// | `pin` | object or null | `actor`, `reason`, `lasts_ms` (null: until somebody ends it) |
/// | `window` | object | what the state before had counted: `total`, `failures`, `failure_rate` (null if none), `streak` |
/// | `heard_at_unix_ms` | number | when, in milliseconds since 1970 |
/// | `left_out` | number | earlier news of this circuit, or of its parent's others, that this message stands for |
/// | `dropped`, `undelivered` | number | news of any circuit that was lost since the last message |
/// | `text` | text | all of it in a few lines, as Slack gets it |
///
/// With `would_trip` there are `event`, `circuit`, `why` and the last five. Texts that people wrote are cut after 500 characters.
pub struct Webhook {
    mailbox: Arc<Mailbox>,
    /// `None` once it is dropped.
    thread: Mutex<Option<JoinHandle<()>>>,
    clock: Arc<dyn Clock>,
    only: Option<Only>,
    stop_within: Duration,
}

type Only = Box<dyn Fn(&str, &Transition) -> bool + Send + Sync>;

/// What became of the news that a [`Webhook`] was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookStats {
    /// Messages that the other side took.
    pub delivered: u64,
    /// News that another message of the same circuit stands for, because of the rate limit.
    pub left_out: u64,
    /// News that was dropped because too much waited.
    pub dropped: u64,
    /// News that was given up because the other side did not take it.
    pub undelivered: u64,
    /// What the latest failure was.
    pub last_error: Option<String>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl Webhook {
    /// Starts a webhook that posts JSON for programs to `url`.
    pub fn to(url: &str) -> WebhookBuilder {
        WebhookBuilder::new(url, Format::Json)
    }

    /// Starts a webhook that posts text to `url`, the address of an incoming webhook of Slack, or of what understands the
    /// same (Mattermost, Rocket.Chat).
    pub fn slack(url: &str) -> WebhookBuilder {
        WebhookBuilder::new(url, Format::Slack)
    }

    /// What became of the news so far.
    pub fn stats(&self) -> WebhookStats {
        self.mailbox.stats()
    }

    /// Sends what waits without regard to the [rate limit](WebhookBuilder::at_most), and waits for that for at most `limit`. The
    /// answer is yes once all that waited is delivered, or stood for by a message that is; no if the time is over before, or if
    /// news was dropped or given up meanwhile. Then [`stats`](Webhook::stats) has the reason. Failed POSTs are tried
    /// again, as ever. News that comes meanwhile is not waited for.
    ///
    /// It blocks its thread: in async code, call it where blocking is allowed.
    pub fn flush(&self, limit: Duration) -> bool {
        self.mailbox.flush().recv_timeout(limit).unwrap_or(false)
    }

    fn put(&self, news: News) {
        self.mailbox.put(Entry::new(news, self.clock.wall()));
    }
}

impl Listener for Webhook {
    fn on_transition(&self, circuit: &str, transition: &Transition) {
        if self.only.as_ref().is_none_or(|only| only(circuit, transition)) {
            self.put(News::transition(circuit, transition));
        }
    }

    fn on_would_trip(&self, circuit: &str, why: &str) {
        self.put(News::would_trip(circuit, why));
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        let ended = self.mailbox.stop(self.stop_within);
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let (true, Some(thread)) = (ended, thread) {
            let _ = thread.join();
        }
    }
}
