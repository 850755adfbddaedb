//! Circuits, as the admin API shows them.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use fuseboard_core::metrics::{Metrics, Tally};
use fuseboard_core::text::format_duration;
use fuseboard_core::{CircuitBreaker, Info};
use serde::Serialize;
use serde_json::{Value, json};

use super::views::{millis, time};
use super::{AdminState, Problem};
use crate::operations::{Override, PolicyOverride};

#[derive(Serialize)]
pub(super) struct Circuits {
    circuits: Vec<CircuitView>,
}

#[derive(Serialize)]
pub(super) struct CircuitView {
    name: String,
    state: &'static str,
    since: String,
    lasted_ms: u64,
    reopens: u32,
    generation: u64,
    in_flight: u64,
    metrics: MetricsView,
    totals: BTreeMap<&'static str, u64>,
    last_error: Option<Value>,
    retry_after_ms: Option<u64>,
    why: Option<String>,
    pin: Option<Value>,
    /// The policies that hold for a while in place of the configured ones.
    #[serde(rename = "override")]
    overridden: Option<Value>,
    rules: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct MetricsView {
    total: u64,
    successes: u64,
    failures: u64,
    failure_rate: Option<f64>,
    streak: u64,
    /// Only where the tripper looks at latency.
    avg_latency_ms: Option<f64>,
    slow: Vec<ThresholdView>,
    in_flight_over: Vec<ThresholdView>,
}

#[derive(Serialize)]
struct ThresholdView {
    threshold: String,
    calls: u64,
}

pub(super) async fn list(State(state): State<AdminState>) -> Json<Circuits> {
    state.operations.end_overrides();
    let view = |breaker: &CircuitBreaker| CircuitView::of(breaker, &state);
    Json(Circuits { circuits: state.board.all().iter().map(view).collect() })
}

pub(super) async fn one(
    State(state): State<AdminState>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<CircuitView>, Problem> {
    let Path(name) = name.map_err(|rejection| Problem::bad(rejection.body_text()))?;
    state.operations.end_overrides();
    Ok(Json(CircuitView::of(&circuit(&state, &name)?, &state)))
}

/// The circuit of that name.
pub(super) fn circuit(state: &AdminState, name: &str) -> Result<CircuitBreaker, Problem> {
    state.board.get(name).ok_or_else(|| {
        let names: Vec<String> = state.board.all_states().into_keys().collect();
        let detail = format!("there is no circuit `{name}`: expected one of {}", names.join(", "));
        Problem::new(StatusCode::NOT_FOUND, detail)
    })
}

/// The policies that hold for a while.
pub(super) fn override_view(holds: Override) -> Value {
    let PolicyOverride { trip, retry, by, .. } = holds.order;
    json!({
        "trip": trip.map(|trip| trip.to_string()),
        "retry": retry.map(|retry| retry.to_string()),
        "actor": by.actor,
        "reason": by.reason,
        "remaining_ms": holds.remaining.map(millis),
    })
}

impl CircuitView {
    fn of(breaker: &CircuitBreaker, state: &AdminState) -> Self {
        let info = breaker.info();
        let why = info.why();
        let times_calls = breaker.rules().measures().latency;
        // What is a failure is said by the routes, not by the circuit.
        let settings = breaker.rules().settings().into_iter();
        let rules = settings.filter(|(name, _)| !matches!(*name, "failure" | "ignore")).collect();
        let Info { last_error, pin, metrics, .. } = info;
        CircuitView {
            name: info.name.to_string(),
            state: info.state.as_str(),
            since: time(info.since),
            lasted_ms: millis(info.lasted),
            reopens: info.reopens,
            generation: info.generation,
            in_flight: info.in_flight,
            metrics: MetricsView::of(&metrics, times_calls),
            totals: info.totals.by_outcome().into_iter().collect(),
            last_error: last_error
                .map(|error| json!({ "message": error.message, "at": time(error.at) })),
            retry_after_ms: info.retry_after.map(millis),
            why,
            pin: pin.map(|pin| {
                let remaining_ms = pin.remaining.map(millis);
                json!({ "actor": pin.actor, "reason": pin.reason, "remaining_ms": remaining_ms })
            }),
            overridden: state.operations.override_of(breaker.name()).map(override_view),
            rules,
        }
    }
}

impl MetricsView {
    fn of(metrics: &Metrics, times_calls: bool) -> Self {
        let average = metrics.avg_latency().filter(|_| times_calls);
        MetricsView {
            total: metrics.total,
            successes: metrics.successes(),
            failures: metrics.failures,
            failure_rate: metrics.failure_rate(),
            streak: metrics.streak,
            avg_latency_ms: average.map(|average: Duration| average.as_secs_f64() * 1e3),
            slow: thresholds(&metrics.slow),
            in_flight_over: thresholds(&metrics.hanging),
        }
    }
}

fn thresholds(tally: &Tally) -> Vec<ThresholdView> {
    let view = |(threshold, calls)| ThresholdView {
        threshold: format_duration(threshold).to_string(),
        calls,
    };
    tally.iter().map(view).collect()
}
