//! What operators do to circuits: pins, and other policies for a while.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use fuseboard_core::CircuitBreaker;
use fuseboard_core::policy::{InvalidPolicy, Retry, Tripper};
use fuseboard_services::circuits::{CircuitBreakerResult, Lasting, ManualControl, ServiceError};
use fuseboard_store::By;
use serde::Serialize;
use serde_json::{Value, json};
use tracing::info;

use super::circuits::{circuit, override_view};
use super::fields::{Body, Fields};
use super::guard::Actor;
use super::views::time;
use super::{AdminState, Problem};
use crate::config::nearest;
use crate::operations::{Order, PolicyOverride};

/// What an order to a circuit came to.
#[derive(Serialize)]
pub(super) struct Done {
    circuit: String,
    previous_state: Option<&'static str>,
    state: Option<&'static str>,
    message: String,
    expires_at: Option<String>,
    replay_triggered: bool,
}

pub(super) async fn control(
    State(state): State<AdminState>,
    Extension(Actor(actor)): Extension<Actor>,
    path: Result<Path<(String, String)>, PathRejection>,
    body: Body,
) -> Result<Json<Done>, Problem> {
    let Path((name, order)) = path.map_err(|rejection| Problem::bad(rejection.body_text()))?;
    let breaker = circuit(&state, &name)?;
    let order = order.parse().map_err(|()| no_order(&order))?;
    let fields = Fields::of(body, known(order))?;
    let reason = fields.reason()?;
    let control = ManualControl {
        controlled_by: actor.clone(),
        reason: reason.to_owned(),
        lasting: fields.lasting("for")?,
        trigger_replay: fields.flag("replay")?.unwrap_or_default(),
    };
    let done = state.operations.control(&breaker, order, control).map_err(problem)?;
    info!(circuit = name, %order, actor, reason, "a circuit was controlled by hand");
    state.operations.recorded().await;
    Ok(Json(Done::of(done)))
}

/// Which fields an order takes: only a pin lasts, and only closing is a good moment to replay.
fn known(order: Order) -> &'static [&'static str] {
    match order {
        Order::Close => &["reason", "for", "replay"],
        order if order.pins() => &["reason", "for"],
        _ => &["reason"],
    }
}

fn no_order(word: &str) -> Problem {
    let words = Order::ALL.map(Order::as_str);
    let meant = nearest(word, words.into_iter());
    let hint = meant.map_or(String::new(), |meant| format!("did you mean `{meant}`? "));
    let detail = format!("`{word}` is not an order: {hint}expected one of {}", words.join(", "));
    Problem::new(StatusCode::NOT_FOUND, detail)
}

pub(super) async fn put_override(
    State(state): State<AdminState>,
    Extension(Actor(actor)): Extension<Actor>,
    name: Result<Path<String>, PathRejection>,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let breaker = named(&state, name)?;
    let fields = Fields::of(body, &["trip", "retry", "for", "reason"])?;
    let reason = fields.reason()?;
    let trip: Option<Tripper> = fields.policy("trip", "a tripper such as failure_streak(5)")?;
    let retry: Option<Retry> = fields.policy("retry", "a retry such as backoff(10s, max=5m)")?;
    if trip.is_none() && retry.is_none() {
        return Err(Problem::bad("trip, retry: expected at least one of them"));
    }
    let lasting = match fields.lasting("for")? {
        Lasting::Usual => Some(state.config.circuits.override_for),
        Lasting::For(time) => Some(time),
        Lasting::Forever => None,
    };
    let by = By::new(&actor, reason);
    let order = PolicyOverride { trip, retry, by, lasting };
    state.operations.apply_override(&breaker, order).map_err(|invalid| invalid_policy(&invalid))?;
    let name = breaker.name();
    info!(circuit = name, actor, reason, "a circuit has other policies for a while");
    state.operations.recorded().await;
    let holds = state.operations.override_of(name).map(override_view);
    let message = "its rules are overridden";
    Ok(Json(json!({ "circuit": name, "message": message, "override": holds })))
}

pub(super) async fn delete_override(
    State(state): State<AdminState>,
    Extension(Actor(actor)): Extension<Actor>,
    name: Result<Path<String>, PathRejection>,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let breaker = named(&state, name)?;
    let fields = Fields::of(body, &["reason"])?;
    let reason = fields.reason()?;
    let name = breaker.name();
    if !state.operations.remove_override(&breaker, By::new(&actor, reason)) {
        let detail = format!("`{name}` has no override: its rules are the configured ones");
        return Err(Problem::new(StatusCode::NOT_FOUND, detail));
    }
    info!(circuit = name, actor, reason, "a circuit has its configured policies again");
    state.operations.recorded().await;
    let message = "it has its configured rules again";
    Ok(Json(json!({ "circuit": name, "message": message, "override": null })))
}

fn named(
    state: &AdminState,
    name: Result<Path<String>, PathRejection>,
) -> Result<CircuitBreaker, Problem> {
    let Path(name) = name.map_err(|rejection| Problem::bad(rejection.body_text()))?;
    circuit(state, &name)
}

fn problem(error: ServiceError) -> Problem {
    match error {
        ServiceError::Invalid(invalid) => invalid_policy(&invalid),
        error => Problem::bad(error.to_string()),
    }
}

/// A policy that cannot work with the others.
pub(super) fn invalid_policy(invalid: &InvalidPolicy) -> Problem {
    Problem::bad(invalid.to_string())
}

impl Done {
    fn of(result: CircuitBreakerResult) -> Self {
        let CircuitBreakerResult { service_name, previous_state, new_state, .. } = result;
        Done {
            circuit: service_name,
            previous_state: previous_state.map(fuseboard_core::State::as_str),
            state: new_state.map(fuseboard_core::State::as_str),
            message: result.message,
            expires_at: result.expires_at.map(time),
            replay_triggered: result.replay_triggered,
        }
    }
}
