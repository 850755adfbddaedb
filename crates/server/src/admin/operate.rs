//! What operators do to letters: send one back into the queue, or give it up.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use fuseboard_core::letter::{Event, Life};
use fuseboard_store::{By, LetterId, StoreError};
use serde::Serialize;
use tracing::info;

use super::fields::{Body, Fields};
use super::guard::Actor;
use super::letters::{bad, gone};
use super::views::time;
use super::{AdminState, Problem};

#[derive(Serialize)]
pub(super) struct Done {
    id: i64,
    status: &'static str,
    due_at: String,
}

type Id = Result<Path<String>, PathRejection>;

pub(super) async fn requeue(
    State(state): State<AdminState>,
    Extension(actor): Extension<Actor>,
    id: Id,
    order: Body,
) -> Result<Json<Done>, Problem> {
    let done = act(&state, &actor, id, order, (Event::Requeue, "requeued")).await?;
    // Only the letter knows its circuit. If it cannot be read now, its replay finds it a little later.
    if let Ok(Some(letter)) = state.letters.get(LetterId(done.id)).await {
        state.bells.ring(&letter.circuit);
    }
    Ok(Json(done))
}

pub(super) async fn discard(
    State(state): State<AdminState>,
    Extension(actor): Extension<Actor>,
    id: Id,
    order: Body,
) -> Result<Json<Done>, Problem> {
    act(&state, &actor, id, order, (Event::Discard, "discarded")).await.map(Json)
}

async fn act(
    state: &AdminState,
    Actor(actor): &Actor,
    id: Id,
    order: Body,
    (event, done): (Event, &str),
) -> Result<Done, Problem> {
    let Path(id) = id.map_err(|rejection| Problem::bad(rejection.body_text()))?;
    let id: LetterId = id.parse().map_err(bad("id"))?;
    let fields = Fields::of(order, &["reason"])?;
    let reason = fields.reason()?;
    let by = By::new(actor, reason);
    let life = state.letters.act(id, event, by, state.clock.wall()).await;
    let life = life.map_err(|error| match error {
        StoreError::NotFound => gone(id),
        error => error.into(),
    })?;
    info!(letter = id.0, actor, reason, "a letter was {done}");
    let Life { status, not_before, .. } = life;
    Ok(Done { id: id.0, status: status.as_str(), due_at: time(not_before) })
}
