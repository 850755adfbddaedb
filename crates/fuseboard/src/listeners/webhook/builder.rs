//! Puts a webhook together, and refuses what cannot work.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use fuseboard_core::Transition;
use fuseboard_core::time::{Clock, SystemClock};
use ureq::http::HeaderMap;

use super::client::{Client, parse_header, parse_url};
use super::limiter::Limit;
use super::mailbox::Mailbox;
use super::message::Format;
use super::outbox::{Outbox, Pace};
use super::worker::Worker;
use super::{Only, Webhook};

/// How many times of sending are remembered for each circuit, at most.
const LARGEST_LIMIT: u32 = 1000;

/// Puts a [`Webhook`] together.
pub struct WebhookBuilder {
    url: String,
    format: Format,
    headers: Vec<(String, String)>,
    at_most: u32,
    within: Duration,
    capacity: usize,
    tries: u32,
    timeout: Duration,
    stop_within: Duration,
    direct: bool,
    only: Option<Only>,
    clock: Arc<dyn Clock>,
}

/// Why a webhook cannot be made. No message repeats the URL or a header's value, which are secrets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// It cannot be posted there.
    #[error("the webhook's URL {0}")]
    Url(&'static str),
    /// No HTTP header can be called that, or have that value.
    #[error("the webhook's header `{0}` has a name or a value that HTTP does not allow")]
    Header(String),
    /// A setting that makes no sense.
    #[error("{setting} is {value}; it must be {right}")]
    Setting {
        /// Which one.
        setting: &'static str,
        /// What it is.
        value: String,
        /// What would be right.
        right: &'static str,
    },
    /// `https` needs certificate authorities, and the system has none to be read.
    #[error(
        "the system has no certificate authorities (package ca-certificates, or SSL_CERT_FILE): {0}"
    )]
    NoAuthorities(String),
    /// The system gives no thread.
    #[error("no thread for the webhook: {0}")]
    Thread(#[source] io::Error),
}

impl fmt::Debug for WebhookBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookBuilder").field("format", &self.format).finish_non_exhaustive()
    }
}

impl WebhookBuilder {
    pub(super) fn new(url: &str, format: Format) -> Self {
        WebhookBuilder {
            url: url.to_owned(),
            format,
            headers: Vec::new(),
            at_most: 5,
            within: Duration::from_secs(60),
            capacity: 1000,
            tries: 4,
            timeout: Duration::from_secs(5),
            stop_within: Duration::from_secs(5),
            direct: false,
            only: None,
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// Adds a header to every POST, for example `authorization`.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends at most `messages` (1 to 1000) about one circuit in any span of length `within`. By default 5 in 60 s.
    #[must_use]
    pub fn at_most(mut self, messages: u32, within: Duration) -> Self {
        (self.at_most, self.within) = (messages, within);
        self
    }

    /// Keeps at most so many pieces of news waiting, over all circuits: once in the queue, once more behind the rate limit.
    /// By default 1000; zero is refused.
    #[must_use]
    pub fn capacity(mut self, news: usize) -> Self {
        self.capacity = news;
        self
    }

    /// Tries each message so often, the first time included. By default 4.
    #[must_use]
    pub fn tries(mut self, tries: u32) -> Self {
        self.tries = tries;
        self
    }

    /// Gives each POST so long, name resolution and answer included. By default 5 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Waits for at most so long, when dropped, for what waits to be sent. By default 5 s; zero waits for nothing.
    #[must_use]
    pub fn stop_within(mut self, limit: Duration) -> Self {
        self.stop_within = limit;
        self
    }

    /// Uses no proxy, whatever the environment says.
    #[must_use]
    pub fn direct(mut self) -> Self {
        self.direct = true;
        self
    }

    /// Tells only of transitions for which `only` answers yes. It runs on the thread that made the transition, so it
    /// should be quick. What would have tripped is told anyway.
    #[must_use]
    pub fn only(
        mut self,
        only: impl Fn(&str, &Transition) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.only = Some(Box::new(only));
        self
    }

    /// Replaces the operating system's clock, by which the rate limit and retries go.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Makes the webhook and starts its thread. For `https` it reads the system's certificate authorities, which takes some
    /// milliseconds.
    ///
    /// # Errors
    ///
    /// [`WebhookError`].
    ///
    /// ```
    /// use fuseboard::listeners::Webhook;
    ///
    /// let refused = Webhook::slack("hooks.slack.com/services/T0/B0/secret").build().unwrap_err();
    /// assert_eq!(refused.to_string(), "the webhook's URL does not begin with `https://` or `http://`");
    /// ```
    pub fn build(self) -> Result<Webhook, WebhookError> {
        self.check()?;
        let url = parse_url(&self.url)?;
        let headers = self.headers.iter().map(|(name, value)| parse_header(name, value));
        let headers: HeaderMap = headers.collect::<Result<_, _>>()?;
        let client = Client::new(url, headers, self.timeout, self.direct)?;
        let limit = Limit { at_most: self.at_most as usize, within: self.within };
        let pace = Pace {
            limit,
            capacity: self.capacity,
            tries: self.tries,
            backoff: Duration::from_secs(1),
            max_backoff: Duration::from_secs(60),
        };
        let mailbox = Arc::new(Mailbox::new(self.capacity));
        let worker = Worker {
            mailbox: Arc::clone(&mailbox),
            outbox: Outbox::new(self.format, pace),
            client,
            flushes: VecDeque::new(),
            clock: Arc::clone(&self.clock),
        };
        let thread = thread::Builder::new().name("fuseboard-webhook".to_owned());
        let thread = thread.spawn(move || worker.run()).map_err(WebhookError::Thread)?;
        let Self { clock, only, stop_within, .. } = self;
        Ok(Webhook { mailbox, thread: Mutex::new(Some(thread)), clock, only, stop_within })
    }

    fn check(&self) -> Result<(), WebhookError> {
        let refuse =
            |setting, value: String, right| Err(WebhookError::Setting { setting, value, right });
        if !(1..=LARGEST_LIMIT).contains(&self.at_most) {
            return refuse("at_most", self.at_most.to_string(), "from 1 to 1000 messages");
        }
        if self.within.is_zero() {
            return refuse("at_most's span", "zero".into(), "longer than zero");
        }
        if self.capacity == 0 {
            return refuse("capacity", "0".into(), "at least 1");
        }
        if self.tries == 0 {
            return refuse("tries", "zero".into(), "at least 1");
        }
        if self.timeout.is_zero() {
            return refuse("timeout", "zero".into(), "longer than zero");
        }
        Ok(())
    }
}
