//! What tells the world about circuits: logs, metrics, webhooks, subscriptions.
//!
//! A [`Listener`](crate::Listener) runs on the thread whose call made the transition. So each listener here does one of
//! two things: little enough to be done there, or nothing there but handing over. None of them is ever called by an
//! admitted or rejected call that changes no state.
//!
//! | listener | feature | on the thread that made the transition | elsewhere |
//! |---|---|---|---|
//! | `Elsewhere` | | copies the news into a bounded queue | the listener it wraps, on a thread of its own |
//! | `TracingEvents` | `tracing` | emits one event, so your subscriber runs there | |
//! | `MetricsReporter` | `metrics` | counts the transition | `publish` reads the board, on the thread that calls it |
//! | `OtelReporter` | `opentelemetry` | counts the transition | callbacks read the board, on the reader's thread |
//! | `Webhook` | `webhook` | copies the news into a bounded queue | HTTP, waiting and retries, on a thread of its own |
//! | `Broadcast` | `broadcast` | puts the news into a ring and wakes subscribers | subscribers, where they like |
//!
//! No feature is on by default. Whatever panics in one of them is contained by the breaker, as for any listener.
//!
//! What waits on a thread of its own is lost when the program ends, unless somebody waits for it: dropping does, for 5 s at
//! most, but statics, as the [board of the process](crate::global::install), are never dropped. `Elsewhere` and `Webhook` have a
//! `flush` for the end of `main`.
//!
//! ```
//! use fuseboard::{Board, Elsewhere, Rules, Transition};
//!
//! let report = |circuit: &str, transition: &Transition| println!("{circuit} is {}", transition.to);
//! let board = Board::builder().listener(Elsewhere::new(report, 1000)?).build();
//! let payments = board.get_or_create("payments", Rules::default())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod capacity;
mod elsewhere;
mod news;

#[cfg(feature = "broadcast")]
mod broadcast;
#[cfg(feature = "metrics")]
mod metrics_reporter;
#[cfg(any(feature = "metrics", feature = "opentelemetry"))]
mod names;
#[cfg(feature = "opentelemetry")]
mod otel_reporter;
#[cfg(any(feature = "metrics", feature = "opentelemetry", feature = "webhook"))]
mod parent;
#[cfg(any(feature = "metrics", feature = "opentelemetry"))]
mod reading;
#[cfg(any(feature = "metrics", feature = "opentelemetry"))]
mod stays;
#[cfg(feature = "tracing")]
mod tracing_events;
#[cfg(feature = "webhook")]
mod webhook;

#[cfg(feature = "broadcast")]
pub use broadcast::{Broadcast, NewsStream, RecvError, Subscription};
pub use capacity::InvalidCapacity;
pub use elsewhere::Elsewhere;
#[cfg(feature = "metrics")]
pub use metrics_reporter::MetricsReporter;
pub use news::{News, What};
#[cfg(feature = "opentelemetry")]
pub use otel_reporter::OtelReporter;
#[cfg(feature = "tracing")]
pub use tracing_events::TracingEvents;
#[cfg(feature = "webhook")]
pub use webhook::{Webhook, WebhookBuilder, WebhookError, WebhookStats};
