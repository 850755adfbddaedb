//! The audit log, as the admin API shows it.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use fuseboard_core::time::WallTime;
use fuseboard_store::{AuditId, AuditQuery, AuditRecord};
use serde_json::{Value, json};

use super::fields::impossible;
use super::letters::limit;
use super::views::time;
use super::{AdminState, Problem};

pub(super) async fn list(
    State(state): State<AdminState>,
    pairs: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(pairs) = pairs.map_err(|rejection| Problem::bad(rejection.body_text()))?;
    // What was done before this was asked is in the answer.
    state.operations.recorded().await;
    let page = state.operations.audit.page(query(&pairs)?).await?;
    let records: Vec<Value> = page.records.iter().map(view).collect();
    Ok(Json(json!({ "records": records, "next": page.next.map(|id| id.0) })))
}

fn query(pairs: &[(String, String)]) -> Result<AuditQuery, Problem> {
    let mut query = AuditQuery::default();
    for (name, value) in pairs {
        match name.as_str() {
            "actor" => query.actor = Some(value.clone()),
            "action" => query.action = Some(value.clone()),
            "subject" => query.subject = Some(value.clone()),
            "since" => query.since = Some(moment(name, value)?),
            "until" => query.until = Some(moment(name, value)?),
            "after" => query.after = Some(after(value)?),
            "limit" => query.limit = limit(value)?,
            _ => {
                let expected = "actor, action, subject, since, until, after or limit";
                return Err(Problem::bad(format!("{name}: no such filter: expected {expected}")));
            }
        }
    }
    Ok(query)
}

fn moment(name: &str, value: &str) -> Result<WallTime, Problem> {
    let at = value.parse::<jiff::Timestamp>();
    let at = at.map(|at| WallTime::from_unix_millis(at.as_millisecond()));
    at.map_err(|_| impossible(name, value, "a time such as 2026-01-31T03:00:00Z"))
}

fn after(value: &str) -> Result<AuditId, Problem> {
    let id = value.parse().map(AuditId);
    id.map_err(|_| impossible("after", value, "the `next` of the page before"))
}

fn view(AuditRecord { id, entry }: &AuditRecord) -> Value {
    json!({
        "id": id.0,
        "at": time(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "reason": entry.reason,
        "before": entry.before,
        "after": entry.after,
    })
}
