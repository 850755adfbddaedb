//! Circuits as metrics of the `metrics` crate, read by its own debugging recorder.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fuseboard::listeners::MetricsReporter;
use fuseboard::{Pin, State};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

use super::{board, fail, keyed, payments, succeed};

/// Every series as `name{label=value,…}`, with its value. Reading sets counters to zero.
fn series(snapshotter: &Snapshotter) -> BTreeMap<String, f64> {
    let all = snapshotter.snapshot().into_vec().into_iter().map(|(key, _, _, value)| {
        let labels = key.key().labels().map(|label| format!("{}={}", label.key(), label.value()));
        let labels: Vec<_> = labels.collect();
        let value = match value {
            DebugValue::Counter(count) => count as f64,
            DebugValue::Gauge(value) => value.into_inner(),
            DebugValue::Histogram(_) => panic!("there is no histogram"),
        };
        (format!("{}{{{}}}", key.key().name(), labels.join(",")), value)
    });
    all.collect()
}

/// Runs `act` with a recorder, and says what it recorded.
fn recorded(act: impl FnOnce(&Snapshotter)) -> BTreeMap<String, f64> {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || act(&snapshotter));
    series(&snapshotter)
}

#[test]
fn transitions_are_counted_at_once() {
    let found = recorded(|_| {
        let (board, clock) = board(Arc::new(MetricsReporter::new()));
        let breaker = payments(&board);
        for _ in 0..2 {
            fail(&breaker, 3);
            clock.advance(Duration::from_secs(10));
            succeed(&breaker);
        }
    });
    let expected = [
        ("closed,to=open,cause=tripped", 2.0),
        ("half_open,to=closed,cause=recovered", 2.0),
        ("open,to=half_open,cause=retry_due", 2.0),
    ];
    let expected = expected.map(|(labels, count)| {
        (format!("fuseboard_transitions_total{{circuit=payments,from={labels}}}"), count)
    });
    assert_eq!(found, BTreeMap::from(expected));
}

#[test]
fn calls_are_read_from_the_breaker_by_outcome() {
    let found = recorded(|_| {
        let reporter = Arc::new(MetricsReporter::new());
        let (board, _) = board(reporter.clone());
        let breaker = payments(&board);
        succeed(&breaker);
        drop(breaker.try_acquire());
        fail(&breaker, 5);
        reporter.publish(&board);
    });
    for (outcome, calls) in [
        ("success", 1.0),
        ("failure", 3.0),
        ("ignored", 0.0),
        ("cancelled", 1.0),
        ("rejected", 2.0),
        ("stale", 0.0),
    ] {
        let name = format!("fuseboard_calls_total{{circuit=payments,outcome={outcome}}}");
        assert_eq!(found[&name], calls, "{outcome}");
    }
}

#[test]
fn the_present_state_is_one_and_every_other_zero() {
    let found = recorded(|_| {
        let reporter = Arc::new(MetricsReporter::new());
        let (board, _) = board(reporter.clone());
        let breaker = payments(&board);
        reporter.publish(&board);
        breaker.force_open(Pin::by("ops"));
        reporter.publish(&board);
    });
    for state in State::ALL {
        let name = format!("fuseboard_circuit_state{{circuit=payments,state={state}}}");
        assert_eq!(found[&name], f64::from(u8::from(state == State::ForcedOpen)), "{state}");
    }
}

#[test]
fn time_is_counted_in_the_state_it_was_spent_in() {
    let mut before = BTreeMap::new();
    let after = recorded(|snapshotter| {
        let reporter = Arc::new(MetricsReporter::new());
        let (board, clock) = board(reporter.clone());
        let breaker = payments(&board);
        clock.advance(Duration::from_millis(30_900));
        reporter.publish(&board);
        fail(&breaker, 3);
        clock.advance(Duration::from_millis(12_500));
        succeed(&breaker);
        clock.advance(Duration::from_millis(7_300));
        reporter.publish(&board);
        reporter.publish(&board);
        before = series(snapshotter);
        reporter.publish_one(&breaker.info());
    });
    let seconds = |found: &BTreeMap<String, f64>, state: &str| {
        found[&format!("fuseboard_state_seconds_total{{circuit=payments,state={state}}}")]
    };
    for (state, expected) in
        [("closed", 38.0), ("open", 12.0), ("half_open", 0.0), ("disabled", 0.0)]
    {
        assert_eq!(seconds(&before, state), expected, "{state}");
        assert_eq!(seconds(&after, state), expected, "{state}, set and not added");
    }
}

#[test]
fn keyed_circuits_add_up_under_their_parents_name() {
    let found = recorded(|_| {
        let reporter = Arc::new(MetricsReporter::new());
        let (board, _) = board(reporter.clone());
        let keyed = keyed(&board);
        for key in ["eu-1", "us-1"] {
            fail(&keyed.get(key), 4);
        }
        succeed(&keyed.get("us-2"));
        reporter.publish(&board);
        reporter.publish_keyed(&board.all_keyed()[0]);
    });
    let of = |name: &str, labels: &str| found[&format!("{name}{{circuit=hosts,{labels}}}")];
    assert_eq!(of("fuseboard_transitions_total", "from=closed,to=open,cause=tripped"), 2.0);
    assert_eq!(of("fuseboard_circuit_state", "state=open"), 2.0);
    assert_eq!(of("fuseboard_circuit_state", "state=closed"), 1.0);
    assert_eq!(of("fuseboard_calls_total", "outcome=failure"), 6.0);
    assert_eq!(of("fuseboard_calls_total", "outcome=rejected"), 2.0);
    assert_eq!(found.len(), 1 + State::ALL.len() + 6, "no other series: {found:?}");
}

#[test]
fn metrics_are_described_with_their_units() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || {
        let reporter = Arc::new(MetricsReporter::default());
        let (board, _) = board(reporter.clone());
        payments(&board).reset();
        reporter.publish(&board);
    });
    let described = snapshotter.snapshot().into_vec().into_iter();
    let units: BTreeMap<String, Option<Unit>> = described
        .map(|(key, unit, description, _)| {
            assert!(description.is_some_and(|text| !text.is_empty()), "{key:?}");
            (key.key().name().to_owned(), unit)
        })
        .collect();
    let expected = [
        ("fuseboard_calls_total", Some(Unit::Count)),
        ("fuseboard_circuit_state", None),
        ("fuseboard_state_seconds_total", Some(Unit::Seconds)),
        ("fuseboard_transitions_total", Some(Unit::Count)),
    ];
    assert_eq!(units, expected.map(|(name, unit)| (name.to_owned(), unit)).into());
}

/// A recorder that fails at whatever is counted.
struct Faulty;

impl Recorder for Faulty {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        panic!("a bad recorder")
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        panic!("a bad recorder")
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("a bad recorder")
    }
}

#[test]
fn a_recorder_that_panics_harms_no_call() {
    metrics::with_local_recorder(&Faulty, || {
        let (board, _) = board(Arc::new(MetricsReporter::new()));
        let breaker = payments(&board);
        fail(&breaker, 2);
        let result = breaker.call(|| Err::<(), _>("the one that trips"));
        assert_eq!(result.unwrap_err().to_string(), "the one that trips");
        assert_eq!(breaker.state(), State::Open);
    });
}
