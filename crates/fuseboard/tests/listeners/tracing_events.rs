//! Transitions as `tracing` events, as a subscriber sees them.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fuseboard::listeners::TracingEvents;
use fuseboard::{Pin, State};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use super::{board, fail, payments, succeed};

/// An event: where it was, and its fields as text.
#[derive(Clone, Debug)]
struct Seen {
    level: Level,
    target: String,
    span: Option<&'static str>,
    fields: BTreeMap<&'static str, String>,
}

impl Visit for Seen {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }
}

#[derive(Clone, Default)]
struct Keep(Arc<Mutex<Vec<Seen>>>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Keep {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut seen = Seen {
            level: *event.metadata().level(),
            target: event.metadata().target().to_owned(),
            span: context.event_span(event).map(|span| span.name()),
            fields: BTreeMap::new(),
        };
        event.record(&mut seen);
        self.0.lock().unwrap().push(seen);
    }
}

/// What is seen while `act` runs.
fn seen(act: impl FnOnce()) -> Vec<Seen> {
    let keep = Keep::default();
    let subscriber = tracing_subscriber::registry().with(keep.clone());
    tracing::subscriber::with_default(subscriber, act);
    keep.0.lock().unwrap().clone()
}

#[test]
fn a_trip_is_a_warning_with_what_tripped_why_and_until_when_in_the_span_of_its_call() {
    let seen = seen(|| {
        let (board, _) = board(Arc::new(TracingEvents));
        let breaker = payments(&board);
        succeed(&breaker);
        fail(&breaker, 2);
        tracing::info_span!("request").in_scope(|| fail(&breaker, 1));
    });
    let [Seen { level, target, span, fields }] = seen.as_slice() else {
        panic!("one event: {seen:?}");
    };
    assert_eq!((*level, target.as_str(), *span), (Level::WARN, "fuseboard", Some("request")));
    let expected = [
        ("message", "transition"),
        ("circuit", "payments"),
        ("from", "closed"),
        ("to", "open"),
        ("cause", "tripped"),
        ("why", "failures(3): 3 of 4 failed"),
        ("generation", "1"),
        ("reopens", "0"),
        ("retry_after_ms", "10000"),
        ("total", "4"),
        ("failures", "3"),
        ("streak", "3"),
    ];
    assert_eq!(*fields, expected.map(|(name, value)| (name, value.to_owned())).into());
}

#[test]
fn only_what_rejects_calls_is_a_warning() {
    let seen = seen(|| {
        let (board, clock) = board(Arc::new(TracingEvents));
        let breaker = payments(&board);
        fail(&breaker, 3);
        clock.advance(Duration::from_secs(10));
        fail(&breaker, 1);
        clock.advance(Duration::from_secs(10));
        succeed(&breaker);
        breaker.force_open(Pin::by("ops").because("migration"));
        breaker.disable(Pin::by("ops"));
        breaker.reset();
    });
    let field = |seen: &Seen, name| seen.fields.get(name).cloned().unwrap_or_default();
    let found: Vec<_> =
        seen.iter().map(|one| (one.level, field(one, "to"), field(one, "why"))).collect();
    let expected = [
        (Level::WARN, "open", "failures(3): 3 of 3 failed"),
        (Level::INFO, "half_open", "failures(3): 3 of 3 failed"),
        (Level::WARN, "open", "probe_failed, after failures(3): 3 of 3 failed"),
        (Level::INFO, "half_open", "probe_failed, after failures(3): 3 of 3 failed"),
        (Level::INFO, "closed", ""),
        (Level::WARN, "forced_open", "pinned by ops: migration"),
        (Level::INFO, "disabled", "pinned by ops"),
        (Level::INFO, "closed", ""),
    ];
    let expected = expected.map(|(level, to, why)| (level, to.to_owned(), why.to_owned()));
    assert_eq!(found, expected);
    assert_eq!(
        (field(&seen[5], "actor"), field(&seen[5], "reason")),
        ("ops".into(), "migration".into())
    );
    assert!(!seen[4].fields.contains_key("actor"), "there is no pin");
    assert!(!seen[4].fields.contains_key("retry_after_ms"), "calls go through");
}

#[test]
fn what_would_have_tripped_is_a_warning_of_its_own() {
    let seen = seen(|| {
        let (board, _) = board(Arc::new(TracingEvents));
        let breaker = payments(&board);
        breaker.metrics_only(Pin::by("ops"));
        fail(&breaker, 4);
    });
    let last = seen.last().unwrap();
    let expected =
        [("message", "would trip"), ("circuit", "payments"), ("why", "failures(3): 3 of 3 failed")];
    assert_eq!((seen.len(), last.level), (2, Level::WARN));
    assert_eq!(last.fields, expected.map(|(name, value)| (name, value.to_owned())).into());
}

/// A layer that fails at every event.
struct Faulty;

impl<S: Subscriber> Layer<S> for Faulty {
    fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
        panic!("a bad subscriber");
    }
}

#[test]
fn a_subscriber_that_panics_harms_no_call() {
    tracing::subscriber::with_default(tracing_subscriber::registry().with(Faulty), || {
        let (board, _) = board(Arc::new(TracingEvents));
        let breaker = payments(&board);
        fail(&breaker, 2);
        let result = breaker.call(|| Err::<(), _>("the one that trips"));
        assert_eq!(result.unwrap_err().to_string(), "the one that trips");
        assert_eq!(breaker.state(), State::Open);
    });
}
