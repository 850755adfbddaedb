//! Replay that operators ask for: one letter, or many as a job.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode};
use axum::{Extension, Json};
use fuseboard_services::replay_service::{
    BatchOptions, BatchReplayResult, Job, JobId, JobStatus, ReplayError, ReplayResult,
};
use fuseboard_services::withhold::Given;
use fuseboard_store::{By, LetterId};
use serde_json::{Map, Value, json};
use tracing::info;

use super::circuits::circuit;
use super::fields::{Body, Fields};
use super::guard::Actor;
use super::letters::{bad, gone};
use super::orders::invalid_policy;
use super::views::time;
use super::{AdminState, Problem};

const BATCH: &[&str] = &[
    "circuit", "domain", "failure", "max", "rate", "adaptive", "priority", "dry_run", "override",
    "reason",
];
/// As many letters as one batch may take, and as many per second.
const MOST: u64 = 100_000;
const FASTEST: f64 = 1_000_000.0;

type Id = Result<Path<String>, PathRejection>;

/// Replays one letter now, and answers what it came to.
pub(super) async fn single(
    State(state): State<AdminState>,
    Extension(Actor(actor)): Extension<Actor>,
    id: Id,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let Path(id) = id.map_err(|rejection| Problem::bad(rejection.body_text()))?;
    let id: LetterId = id.parse().map_err(bad("id"))?;
    let fields = Fields::of(body, &["reason", "override", "headers"])?;
    let reason = fields.reason()?;
    let given = given(&fields)?;
    let override_gate = fields.flag("override")?.unwrap_or_default();
    if state.letters.get(id).await?.is_none() {
        return Err(gone(id));
    }
    let by = By::new(&actor, reason);
    let replays = &state.operations.replays;
    let result = match given {
        Some(given) => replays.replay_single_with(id, given, by, override_gate).await?,
        None => replays.replay_single_by(id, by, override_gate).await?,
    };
    info!(letter = id.0, actor, reason, success = result.success, "a letter was to be replayed");
    state.operations.recorded().await;
    Ok(Json(result_view(&result)))
}

/// The values of headers that the letter lacks, if there are any; `null` for one that it may go without.
fn given(fields: &Fields) -> Result<Option<Given>, Problem> {
    let Some(headers) = fields.object("headers", "an object such as {\"authorization\": \"…\"}")?
    else {
        return Ok(None);
    };
    let mut given = Given::new();
    for (name, value) in headers {
        given = match value {
            Value::Null => given.without(name),
            value => {
                let text = value.as_str().filter(|text| HeaderValue::from_str(text).is_ok());
                // The value may be a secret.
                let right = "expected the header's value, one line of text, or null to go without";
                given.with(
                    name,
                    text.ok_or_else(|| Problem::bad(format!("headers.{name}: {right}")))?,
                )
            }
        };
    }
    Ok(Some(given))
}

/// Begins a batch, and answers its job.
pub(super) async fn batch(
    State(state): State<AdminState>,
    Extension(Actor(actor)): Extension<Actor>,
    body: Body,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let fields = Fields::of(body, BATCH)?;
    let options = options(&state, &fields, &actor)?;
    let reason = options.reason.clone();
    let id = state.operations.replays.start_batch(options)?;
    info!(job = %id, actor, reason, "a replay was begun");
    let job = state.operations.replays.job(id).ok_or_else(|| no_job(id))?;
    Ok((StatusCode::ACCEPTED, Json(job_view(&job))))
}

fn options(state: &AdminState, fields: &Fields, actor: &str) -> Result<BatchOptions, Problem> {
    let owned = |text: Option<&str>| text.map(ToOwned::to_owned);
    let circuit_name = owned(fields.text("circuit", "the name of a circuit")?);
    if let Some(name) = &circuit_name {
        circuit(state, name).map_err(|problem| problem.of_field("circuit"))?;
    }
    let usual = state.config.replay.max_items;
    let max = fields.whole("max", 1..=MOST)?;
    Ok(BatchOptions {
        circuit: circuit_name,
        domain: owned(fields.text("domain", "the name of a domain")?),
        failure_type: owned(fields.text("failure", "why letters were captured, such as timeout")?),
        max_items: max.map_or(usual, |max| max as usize),
        use_adaptive: fields.flag("adaptive")?,
        use_priority: fields.flag("priority")?,
        dry_run: fields.flag("dry_run")?.unwrap_or_default(),
        rate: fields.positive("rate", FASTEST)?,
        actor: actor.to_owned(),
        reason: fields.reason()?.to_owned(),
        override_gate: fields.flag("override")?.unwrap_or_default(),
    })
}

/// The latest jobs of all servers that share the letters.
pub(super) async fn jobs(State(state): State<AdminState>) -> Result<Json<Value>, Problem> {
    let jobs = state.operations.replays.all_jobs(state.config.replay.service.jobs_kept).await?;
    let jobs: Vec<Value> = jobs.iter().map(summary).collect();
    Ok(Json(json!({ "jobs": jobs })))
}

pub(super) async fn job(State(state): State<AdminState>, id: Id) -> Result<Json<Value>, Problem> {
    let id = job_id(id)?;
    let job = state.operations.replays.find_job(id).await?.ok_or_else(|| no_job(id))?;
    Ok(Json(job_view(&job)))
}

pub(super) async fn cancel(
    State(state): State<AdminState>,
    Extension(Actor(actor)): Extension<Actor>,
    id: Id,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let id = job_id(id)?;
    let fields = Fields::of(body, &["reason"])?;
    let reason = fields.reason()?;
    let replays = &state.operations.replays;
    if replays.find_job(id).await?.is_none() {
        return Err(no_job(id));
    }
    if !replays.cancel(id, By::new(&actor, reason)).await? {
        let job = replays.find_job(id).await?.ok_or_else(|| no_job(id))?;
        let detail = match job.status {
            JobStatus::Running => {
                format!("job {id} was canceled already, and ends its last letter")
            }
            status => format!("job {id} has ended: it is {status}"),
        };
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    info!(job = %id, actor, reason, "a replay was canceled");
    let job = replays.find_job(id).await?.ok_or_else(|| no_job(id))?;
    Ok(Json(job_view(&job)))
}

fn job_id(id: Id) -> Result<JobId, Problem> {
    let Path(id) = id.map_err(|rejection| Problem::bad(rejection.body_text()))?;
    let number = id.parse().map(JobId);
    number.map_err(|_| {
        Problem::bad(format!("id: `{id}` is not a job's number: expected decimal digits"))
    })
}

fn no_job(id: JobId) -> Problem {
    let detail = format!("there is no job {id}, or it was forgotten");
    Problem::new(StatusCode::NOT_FOUND, detail)
}

impl From<ReplayError> for Problem {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Invalid(invalid) => invalid_policy(&invalid),
            ReplayError::Store { source, .. } => source.into(),
            error => Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        }
    }
}

/// A job with what became of each letter.
fn job_view(job: &Job) -> Value {
    let mut view = summary(job);
    let results: Vec<Value> = job.result.results.iter().map(result_view).collect();
    view["result"]["results"] = Value::from(results);
    view
}

/// A job in numbers.
fn summary(job: &Job) -> Value {
    json!({
        "id": job.id.0,
        "action": job.action,
        "status": job.status.as_str(),
        "filter": {
            "circuit": job.filter.circuit,
            "domain": job.filter.domain,
            "failures": job.filter.failure_types,
        },
        "limit": job.limit,
        "rate": job.rate,
        "adaptive": job.adaptive,
        "priority": job.priority,
        "escalate_failures": job.escalate_failures,
        "dry_run": job.dry_run,
        "override": job.override_gate,
        "actor": job.by.actor,
        "reason": job.by.reason,
        "started_at": time(job.started_at),
        "ended_at": job.ended_at.map(time),
        "error": job.error,
        "result": counts(&job.result),
    })
}

fn counts(result: &BatchReplayResult) -> Value {
    json!({
        "total": result.total,
        "success_count": result.success_count,
        "failed_count": result.failed_count,
        "skipped_count": result.skipped_count,
        "governance_blocked": result.governance_blocked,
        "governance_block_reason": result.governance_block_reason,
        "inflight_skipped": result.inflight_skipped,
        "priority_used": result.priority_used,
        "domains_processed": result.domains_processed,
    })
}

/// What the replay of one letter came to; what more is known of it, by name.
fn result_view(result: &ReplayResult) -> Value {
    let more = result.data.iter().flatten();
    let mut view: Map<String, Value> =
        more.map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    view.insert("id".to_owned(), Value::from(result.dlq_id.0));
    view.insert("success".to_owned(), Value::from(result.success));
    view.insert("skipped".to_owned(), Value::from(result.skipped));
    view.insert("message".to_owned(), Value::from(result.message.as_str()));
    view.insert("error".to_owned(), Value::from(result.error.as_deref()));
    Value::Object(view)
}
