//! The gate over every replay, as operators see and change it.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use fuseboard_services::governance::{
    BudgetStatus, Change, Changed, Control, EmergencyLevel, GovernanceError, Switch,
};
use serde_json::{Value, json};
use tracing::info;

use super::circuits::circuit;
use super::fields::{Body, Fields};
use super::guard::Actor;
use super::orders::invalid_policy;
use super::views::{millis, time};
use super::{AdminState, Problem};

const KNOWN: &[&str] =
    &["kill_switch", "emergency_level", "reset_budget", "seen", "dry_run", "reason"];

/// One thing to change.
enum Wanted {
    KillSwitch(Switch),
    EmergencyLevel(EmergencyLevel),
    ResetBudget(String),
}

impl Wanted {
    fn name(&self) -> &'static str {
        match self {
            Wanted::KillSwitch(_) => "kill_switch",
            Wanted::EmergencyLevel(_) => "emergency_level",
            Wanted::ResetBudget(_) => "reset_budget",
        }
    }
}

pub(super) async fn show(State(state): State<AdminState>) -> Json<Value> {
    // What cannot be read now is told with what was last known.
    let _ = state.operations.governance.refresh().await;
    Json(view(&state))
}

pub(super) async fn change(
    State(state): State<AdminState>,
    Extension(Actor(actor)): Extension<Actor>,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let fields = Fields::of(body, KNOWN)?;
    let reason = fields.reason()?;
    let wanted = wanted(&state, &fields)?;
    let dry_run = fields.flag("dry_run")?.unwrap_or_default();
    let mut change = Change::by(&actor, reason).dry_run(dry_run);
    if let Some(revision) = fields.whole("seen", 0..=u64::MAX)? {
        if wanted.len() > 1 {
            return Err(Problem::bad("seen: expected only one setting to be changed with it"));
        }
        change = change.seen(revision);
    }
    let mut changes: Vec<Value> = Vec::new();
    for one in wanted {
        let changed = apply(&state, &one, change.clone()).await;
        let changed = changed.map_err(|problem| match changes.first() {
            Some(done) => problem.after(&format!("{} was changed before that", done["setting"])),
            None => problem,
        })?;
        if !dry_run {
            info!(
                setting = one.name(),
                after = changed.after,
                actor,
                reason,
                "governance was changed"
            );
        }
        changes.push(changed_view(&one, &changed));
    }
    let mut answer = view(&state);
    answer["changes"] = Value::from(changes);
    Ok(Json(answer))
}

fn wanted(state: &AdminState, fields: &Fields) -> Result<Vec<Wanted>, Problem> {
    let mut wanted = Vec::new();
    wanted.extend(fields.parsed("kill_switch", "on or off")?.map(Wanted::KillSwitch));
    let level = fields.parsed("emergency_level", "normal, 1, 2 or 3")?;
    wanted.extend(level.map(Wanted::EmergencyLevel));
    if let Some(name) = fields.text("reset_budget", "the name of a circuit with an objective")? {
        circuit(state, name).map_err(|problem| problem.of_field("reset_budget"))?;
        wanted.push(Wanted::ResetBudget(name.to_owned()));
    }
    match wanted.is_empty() {
        false => Ok(wanted),
        true => {
            let expected = "expected at least one of them";
            Err(Problem::bad(format!("kill_switch, emergency_level, reset_budget: {expected}")))
        }
    }
}

async fn apply(state: &AdminState, wanted: &Wanted, change: Change) -> Result<Changed, Problem> {
    let governance = &state.operations.governance;
    let changed = match wanted {
        Wanted::KillSwitch(switch) => governance.set_kill_switch(*switch, change).await,
        Wanted::EmergencyLevel(level) => governance.set_emergency_level(*level, change).await,
        Wanted::ResetBudget(circuit) => governance.reset_error_budget(circuit, change).await,
    };
    Ok(changed?)
}

fn changed_view(wanted: &Wanted, changed: &Changed) -> Value {
    json!({
        "setting": wanted.name(),
        "before": changed.before,
        "after": changed.after,
        "revision": changed.revision,
        "dry_run": changed.dry_run,
    })
}

fn view(state: &AdminState) -> Value {
    let status = state.operations.governance.status();
    let budgets: Vec<Value> = status.budgets.iter().map(budget).collect();
    json!({
        "kill_switch": control(&status.kill_switch),
        "emergency_level": control(&status.emergency_level),
        "budgets": budgets,
        "read_at": status.read_at.map(time),
        "trouble": status.trouble,
        "blocked": status.blocked,
        "overridden": status.overridden,
    })
}

fn control<T: ToString>(control: &Control<T>) -> Value {
    json!({
        "value": control.value.as_ref().map(T::to_string),
        "revision": control.revision,
        "actor": control.actor,
        "reason": control.reason,
        "changed_at": control.changed_at.map(time),
    })
}

fn budget(budget: &BudgetStatus) -> Value {
    let slo = &budget.slo;
    json!({
        "circuit": budget.circuit,
        "objective": slo.objective,
        "window_ms": millis(slo.window),
        "burn_window_ms": millis(slo.burn_window),
        "min_calls": slo.min_calls,
        "good": budget.good,
        "bad": budget.bad,
        "spent": budget.spent,
        "burn_rate": budget.burn_rate,
        "exhausted": budget.exhausted,
    })
}

impl From<GovernanceError> for Problem {
    fn from(error: GovernanceError) -> Self {
        match error {
            GovernanceError::Invalid(invalid) => invalid_policy(&invalid),
            GovernanceError::Store(error) => error.into(),
            error => Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        }
    }
}
