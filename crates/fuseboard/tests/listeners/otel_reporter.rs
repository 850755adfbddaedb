//! The OpenTelemetry meter, read through the SDK's own exporter.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fuseboard::listeners::OtelReporter;
use fuseboard::time::ManualClock;
use fuseboard::{Board, Pin, State};
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, Metric, MetricData};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};

use super::{board, fail, keyed, payments, succeed};

/// A board that an SDK observes.
struct Observed {
    provider: SdkMeterProvider,
    exporter: InMemoryMetricExporter,
    board: Board,
    clock: Arc<ManualClock>,
}

/// An observed board.
fn observed() -> Observed {
    let exporter = InMemoryMetricExporter::default();
    // It collects when it is flushed, and not before the test is over.
    let reader =
        PeriodicReader::builder(exporter.clone()).with_interval(Duration::from_secs(86_400));
    let provider = SdkMeterProvider::builder().with_reader(reader.build()).build();
    let meter = provider.meter("test");
    let otel = Arc::new(OtelReporter::new(&meter));
    let (board, clock) = board(otel.clone());
    otel.observe(&meter, &board);
    Observed { provider, exporter, board, clock }
}

impl Observed {
    /// Every series now, as `name{label=value,…} unit`, labels sorted.
    fn collect(&self) -> BTreeMap<String, f64> {
        self.exporter.reset();
        self.provider.force_flush().unwrap();
        let finished = self.exporter.get_finished_metrics().unwrap();
        let scopes = finished.iter().flat_map(|one| one.scope_metrics());
        scopes.flat_map(|scope| scope.metrics()).flat_map(points).collect()
    }
}

fn points(metric: &Metric) -> Vec<(String, f64)> {
    assert!(!metric.description().is_empty(), "{}", metric.name());
    let named = |labels: &mut dyn Iterator<Item = &KeyValue>, value: f64| {
        let mut labels: Vec<_> =
            labels.map(|label| format!("{}={}", label.key, label.value)).collect();
        labels.sort();
        (format!("{}{{{}}}{}", metric.name(), labels.join(","), metric.unit()), value)
    };
    match metric.data() {
        AggregatedMetrics::U64(MetricData::Sum(sum)) => {
            assert!(sum.is_monotonic());
            let points = sum.data_points();
            points.map(|point| named(&mut point.attributes(), point.value() as f64)).collect()
        }
        AggregatedMetrics::F64(MetricData::Sum(sum)) => {
            assert!(sum.is_monotonic());
            sum.data_points().map(|point| named(&mut point.attributes(), point.value())).collect()
        }
        AggregatedMetrics::U64(MetricData::Gauge(gauge)) => {
            let points = gauge.data_points();
            points.map(|point| named(&mut point.attributes(), point.value() as f64)).collect()
        }
        other => panic!("no such instrument is expected: {other:?}"),
    }
}

#[test]
fn transitions_are_counted_by_what_they_were() {
    let observed = observed();
    let breaker = payments(&observed.board);
    for _ in 0..2 {
        fail(&breaker, 3);
        observed.clock.advance(Duration::from_secs(10));
        succeed(&breaker);
    }
    let found = observed.collect();
    for labels in [
        "cause=tripped,circuit=payments,from=closed,to=open",
        "cause=retry_due,circuit=payments,from=open,to=half_open",
        "cause=recovered,circuit=payments,from=half_open,to=closed",
    ] {
        assert_eq!(found[&format!("fuseboard_transitions_total{{{labels}}}{{transition}}")], 2.0);
    }
}

#[test]
fn calls_and_state_are_what_the_breaker_says_at_each_collection() {
    let observed = observed();
    let breaker = payments(&observed.board);
    succeed(&breaker);
    let calls = |found: &BTreeMap<String, f64>, outcome: &str| {
        found[&format!("fuseboard_calls_total{{circuit=payments,outcome={outcome}}}{{call}}")]
    };
    let found = observed.collect();
    assert_eq!((calls(&found, "success"), calls(&found, "rejected")), (1.0, 0.0));
    fail(&breaker, 5);
    let found = observed.collect();
    let outcomes = ["success", "failure", "rejected", "ignored", "cancelled", "stale"];
    assert_eq!(outcomes.map(|outcome| calls(&found, outcome)), [1.0, 3.0, 2.0, 0.0, 0.0, 0.0]);
    for state in State::ALL {
        let value = found[&format!("fuseboard_circuit_state{{circuit=payments,state={state}}}")];
        assert_eq!(value, f64::from(u8::from(state == State::Open)), "{state}");
    }
}

#[test]
fn time_is_counted_in_the_state_it_was_spent_in() {
    let observed = observed();
    let breaker = payments(&observed.board);
    observed.clock.advance(Duration::from_secs(30));
    observed.collect();
    fail(&breaker, 3);
    observed.clock.advance(Duration::from_millis(12_500));
    let found = observed.collect();
    for (state, seconds) in [("closed", 30.0), ("open", 12.5), ("half_open", 0.0)] {
        let name = format!("fuseboard_state_seconds_total{{circuit=payments,state={state}}}s");
        assert_eq!(found[&name], seconds, "{state}");
    }
}

#[test]
fn a_circuit_that_is_made_later_is_observed_too() {
    let observed = observed();
    assert!(observed.collect().is_empty());
    payments(&observed.board);
    let found = observed.collect();
    assert!(found.contains_key("fuseboard_circuit_state{circuit=payments,state=closed}"));
}

#[test]
fn keyed_circuits_add_up_under_their_parents_name() {
    let observed = observed();
    let keyed = keyed(&observed.board);
    for key in ["eu-1", "us-1"] {
        fail(&keyed.get(key), 4);
    }
    let found = observed.collect();
    let tripped =
        "fuseboard_transitions_total{cause=tripped,circuit=hosts,from=closed,to=open}{transition}";
    assert_eq!(found[tripped], 2.0);
    assert_eq!(found["fuseboard_circuit_state{circuit=hosts,state=open}"], 2.0);
    assert_eq!(found["fuseboard_calls_total{circuit=hosts,outcome=failure}{call}"], 6.0);
    assert_eq!(found.len(), 1 + State::ALL.len() + 6, "no other series: {found:?}");
}

#[test]
fn a_pin_that_ends_during_a_collection_is_counted() {
    let observed = observed();
    let breaker = payments(&observed.board);
    breaker.disable(Pin::by("ops").lasting(Duration::from_secs(60)));
    observed.clock.advance(Duration::from_secs(61));
    observed.collect();
    let lapsed = "fuseboard_transitions_total{cause=pin_lapsed,circuit=payments,from=disabled,to=closed}{transition}";
    assert_eq!(observed.collect()[lapsed], 1.0);
}
