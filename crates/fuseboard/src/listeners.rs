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
//! | `MetricsRecorder` | `metrics` | counts the transition | `publish` reads the board, on the thread that calls it |
//! | `OtelMeter` | `opentelemetry` | counts the transition | callbacks read the board, on the reader's thread |
//! | `Webhook` | `webhook` | copies the news into a bounded queue | HTTP, waiting and retries, on a thread of its own |
//! | `Broadcast` | `broadcast` | puts the news into a ring and wakes subscribers | subscribers, where they like |
//!
//! No feature is on by default. Whatever panics in one of them is contained by the breaker, as for any listener.
//!
//! ```
//! use fuseboard::{Board, Elsewhere, Rules, Transition};
//!
//! let report = |circuit: &str, transition: &Transition| println!("{circuit} is {}", transition.to);
//! let board = Board::builder().listener(Elsewhere::new(report, 1000)?).build();
//! let payments = board.get_or_create("payments", Rules::default())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod elsewhere;
mod news;

#[cfg(feature = "broadcast")]
mod broadcast;
#[cfg(feature = "metrics")]
mod metrics_recorder;
#[cfg(any(feature = "metrics", feature = "opentelemetry"))]
mod names;
#[cfg(feature = "opentelemetry")]
mod otel_meter;
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
#[cfg(any(feature = "tracing", feature = "webhook"))]
mod why;

#[cfg(feature = "broadcast")]
pub use broadcast::{Broadcast, NewsStream, RecvError, Subscription};
pub use elsewhere::Elsewhere;
#[cfg(feature = "metrics")]
pub use metrics_recorder::MetricsRecorder;
pub use news::{News, What};
#[cfg(feature = "opentelemetry")]
pub use otel_meter::OtelMeter;
#[cfg(feature = "tracing")]
pub use tracing_events::TracingEvents;
#[cfg(feature = "webhook")]
pub use webhook::{Webhook, WebhookBuilder, WebhookError, WebhookStats};
