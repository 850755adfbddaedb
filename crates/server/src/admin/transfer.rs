//! Letters out of a server and into another, with all that is kept of them.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::{Extension, Json};
use fuseboard_store::{AuditEntry, Letter};
use serde_json::{Value, json};
use tracing::info;

use super::fields::{Body, Fields};
use super::guard::Actor;
use super::letters::{bad, wanted};
use super::portable::Portable;
use super::{AdminState, Problem};

/// The largest import, in bytes.
pub(super) const LARGEST: usize = 256 << 20;
/// Where nothing can be named, since it was several letters.
const SUBJECT: &str = "letters";

/// A page of letters that another server can take. Whoever reads it reads credentials, so that it is on record.
pub(super) async fn export(
    State(state): State<AdminState>,
    Extension(Actor(actor)): Extension<Actor>,
    pairs: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(pairs) = pairs.map_err(|rejection| Problem::bad(rejection.body_text()))?;
    let mut query = wanted(&pairs)?.without_late()?;
    let limit = query.limit;
    // One more than asked for tells whether there is a next page.
    query.limit += 1;
    let mut found = state.letters.export(query).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|letter| letter.id.0);
    if let (Some(first), Some(last)) = (found.first(), found.last()) {
        let told = format!("{} letters, from {} to {}", found.len(), first.id, last.id);
        record(&state, "letters.export", &actor, String::new(), told).await?;
    }
    let letters: Vec<Portable> = found.into_iter().map(Portable::from).collect();
    Ok(Json(json!({ "letters": letters, "next": next })))
}

/// Takes letters from another server. Each is taken or refused by itself; what cannot be read refuses all of them.
pub(super) async fn import(
    State(state): State<AdminState>,
    Extension(Actor(actor)): Extension<Actor>,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let mut fields = Fields::of(body, &["reason", "letters"])?;
    let reason = fields.reason()?.to_owned();
    let letters = read(fields.list("letters", "a list of letters of an export")?)?;
    let note = format!("imported by {actor}: {reason}");
    let (mut imported, mut refused) = (Vec::new(), Vec::new());
    for (index, letter) in letters.into_iter().enumerate() {
        let circuit = letter.circuit.clone();
        match state.letters.import(letter, note.clone(), state.clock.wall()).await {
            Ok(id) => {
                imported.push(id.0);
                state.bells.ring(&circuit);
            }
            Err(error) => refused.push(json!({ "index": index, "error": error.to_string() })),
        }
    }
    let told = format!("{} imported, {} refused", imported.len(), refused.len());
    info!(actor, reason, told, "letters came from another server");
    record(&state, "letters.import", &actor, reason, told).await?;
    Ok(Json(json!({ "imported": imported, "refused": refused })))
}

fn read(letters: Vec<Value>) -> Result<Vec<Letter>, Problem> {
    let letters = letters.into_iter().enumerate();
    let read = |(index, letter): (usize, Value)| {
        let letter = serde_json::from_value::<Portable>(letter).map(Letter::from);
        letter.map_err(bad(&format!("letters[{index}]")))
    };
    letters.map(read).collect()
}

async fn record(
    state: &AdminState,
    action: &str,
    actor: &str,
    reason: String,
    told: String,
) -> Result<(), Problem> {
    let entry = AuditEntry {
        actor: actor.to_owned(),
        action: action.to_owned(),
        subject: SUBJECT.to_owned(),
        reason,
        before: None,
        after: Some(told),
        at: state.clock.wall(),
    };
    state.operations.audit.record(entry).await?;
    Ok(())
}
