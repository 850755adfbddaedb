//! Letters, as the admin API shows them.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use fuseboard_core::letter::Life;
use fuseboard_store::{HistoryEntry, Letter, LetterId, LetterSummary, StoredAnswer};
use serde::Serialize;
use serde_json::{Value, json};

use super::views::{Body, Header, headers, time};
use super::{AdminState, Problem};

const MOST: usize = 500;

#[derive(Serialize)]
pub(super) struct Page {
    letters: Vec<LetterView>,
    /// The `after` of the next page, if there is one.
    next: Option<i64>,
}

/// What lists and single letters have in common.
#[derive(Serialize)]
struct LetterView {
    id: i64,
    /// The address of the letter's page at the gateway.
    location: String,
    circuit: String,
    domain: String,
    status: &'static str,
    /// Why it was captured.
    failure: String,
    method: String,
    uri: String,
    content_type: Option<String>,
    body_length: u64,
    key: String,
    order_key: Option<String>,
    attempts: u32,
    crashes: u32,
    captured_at: String,
    updated_at: String,
    due_at: String,
    lease_until: Option<String>,
    expires_at: Option<String>,
    answer_status: Option<u16>,
    last_error: Option<String>,
}

#[derive(Serialize)]
pub(super) struct FullView {
    #[serde(flatten)]
    letter: LetterView,
    headers: Vec<Header>,
    #[serde(flatten)]
    body: Body,
    answer: Option<AnswerView>,
    history: Vec<Value>,
}

#[derive(Serialize)]
struct AnswerView {
    status: u16,
    at: String,
    headers: Vec<Header>,
    #[serde(flatten)]
    body: Body,
    /// Whether the body was longer than what is kept.
    truncated: bool,
}

pub(super) async fn list(
    State(state): State<AdminState>,
    pairs: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Json<Page>, Problem> {
    let Query(pairs) = pairs.map_err(|rejection| Problem::bad(rejection.body_text()))?;
    let mut query = query(&pairs)?;
    let limit = query.limit;
    // One more than asked for tells whether there is a next page.
    query.limit += 1;
    let mut found = state.letters.list(query).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|letter| letter.id.0);
    let letters = found.into_iter().map(LetterView::of_summary).collect();
    Ok(Json(Page { letters, next }))
}

pub(super) async fn one(
    State(state): State<AdminState>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<FullView>, Problem> {
    let Path(id) = id.map_err(|rejection| Problem::bad(rejection.body_text()))?;
    let id: LetterId = id.parse().map_err(bad("id"))?;
    let letter = state.letters.get(id).await?;
    let letter = letter.ok_or_else(|| gone(id))?;
    let history = state.letters.history(id).await?;
    Ok(Json(FullView::of(letter, history)))
}

fn query(pairs: &[(String, String)]) -> Result<fuseboard_store::Query, Problem> {
    let mut query = fuseboard_store::Query::default();
    for (name, value) in pairs {
        match name.as_str() {
            "circuit" => query.circuit = Some(value.clone()),
            "status" => query.status = Some(value.parse().map_err(bad("status"))?),
            "after" => query.after = Some(value.parse().map_err(bad("after"))?),
            "limit" => query.limit = limit(value)?,
            _ => {
                let detail =
                    format!("{name}: no such filter: expected circuit, status, after or limit");
                return Err(Problem::bad(detail));
            }
        }
    }
    Ok(query)
}

fn limit(value: &str) -> Result<usize, Problem> {
    let limit = value.parse().ok().filter(|limit| (1..=MOST).contains(limit));
    limit.ok_or_else(|| {
        Problem::bad(format!(
            "limit: `{value}` is not possible: expected a number from 1 to {MOST}"
        ))
    })
}

pub(super) fn gone(id: LetterId) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is no letter {id}, or it was purged"))
}

pub(super) fn bad<E: std::fmt::Display>(field: &str) -> impl Fn(E) -> Problem + '_ {
    move |error| Problem::bad(format!("{field}: {error}"))
}

impl LetterView {
    fn of_summary(letter: LetterSummary) -> Self {
        let LetterSummary { id, token, life, .. } = letter;
        let Life { status, attempts, crashes, not_before, expires_at, lease_until, .. } = life;
        LetterView {
            id: id.0,
            location: format!("/.fuseboard/letters/{token}"),
            circuit: letter.circuit,
            domain: letter.domain,
            status: status.as_str(),
            failure: letter.failure,
            method: letter.method,
            uri: letter.uri,
            content_type: letter.content_type,
            body_length: letter.body_length,
            key: letter.key,
            order_key: letter.order_key,
            attempts,
            crashes,
            captured_at: time(letter.captured_at),
            updated_at: time(letter.updated_at),
            due_at: time(not_before),
            lease_until: lease_until.map(time),
            expires_at: expires_at.map(time),
            answer_status: letter.answer_status,
            last_error: letter.last_error,
        }
    }
}

impl FullView {
    fn of(letter: Letter, history: Vec<HistoryEntry>) -> Self {
        let body_length = letter.body.len() as u64;
        let answer_status = letter.answer.as_ref().map(|answer| answer.status);
        let summary = LetterSummary {
            id: letter.id,
            token: letter.token,
            circuit: letter.circuit,
            domain: letter.domain,
            failure: letter.failure,
            method: letter.method,
            uri: letter.uri,
            content_type: letter.content_type,
            body_length,
            key: letter.key,
            order_key: letter.order_key,
            priority: letter.priority,
            sla_deadline: letter.sla_deadline,
            sealed_by: letter.sealed_by,
            life: letter.life,
            blocked_by: letter.blocked_by,
            captured_at: letter.captured_at,
            answer_status,
            last_error: letter.last_error,
            updated_at: letter.updated_at,
        };
        let entry = |entry: HistoryEntry| json!({ "at": time(entry.at), "what": entry.what, "fence": entry.fence });
        FullView {
            letter: LetterView::of_summary(summary),
            headers: headers(letter.headers),
            body: Body::of(letter.body),
            answer: letter.answer.map(AnswerView::of),
            history: history.into_iter().map(entry).collect(),
        }
    }
}

impl AnswerView {
    fn of(answer: StoredAnswer) -> Self {
        AnswerView {
            status: answer.status,
            at: time(answer.at),
            headers: headers(answer.headers),
            body: Body::of(answer.body),
            truncated: answer.truncated,
        }
    }
}
