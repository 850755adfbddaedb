//! Letters, as the admin API shows them.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use fuseboard_core::letter::{Life, Status};
use fuseboard_core::time::WallTime;
use fuseboard_store::{HistoryEntry, Letter, LetterId, LetterSummary, StoredAnswer};
use serde::Serialize;
use serde_json::{Value, json};

use super::fields::impossible;
use super::views::{Body, Header, headers, time};
use super::{AdminState, Problem};

const MOST: usize = 500;
/// Pages that are looked at for what the store has no filter for.
const LOOKS: usize = 20;

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
    /// The letter with its order key that goes first.
    blocked_by: Option<Value>,
    priority: &'static str,
    /// By when it should be done.
    sla_deadline: Option<String>,
    /// Whether it is past that, and not done.
    late: bool,
    /// The key that its headers and body are encrypted with.
    sealed_by: Option<String>,
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
    let Wanted { query, late } = wanted(&pairs)?;
    let now = state.clock.wall();
    let (found, next) = match late {
        None => page(&state, query).await?,
        Some(late) => search(&state, query, |letter| is_late_now(letter, now) == late).await?,
    };
    let letters = found.into_iter().map(|letter| LetterView::of_summary(letter, now)).collect();
    Ok(Json(Page { letters, next: next.map(|id| id.0) }))
}

type Found = (Vec<LetterSummary>, Option<LetterId>);

/// Letters, and where the next page begins, if there is one.
async fn page(state: &AdminState, mut query: fuseboard_store::Query) -> Result<Found, Problem> {
    let limit = query.limit;
    // One more than asked for tells whether there is a next page.
    query.limit += 1;
    let mut found = state.letters.list(query).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|letter| letter.id);
    Ok((found, next))
}

/// The letters among the next that `keep` wants, for what the store has no filter for. A page may be short, or empty, and have
/// a next one all the same: a long look at letters that are not wanted must end.
async fn search(
    state: &AdminState,
    query: fuseboard_store::Query,
    keep: impl Fn(&LetterSummary) -> bool,
) -> Result<Found, Problem> {
    let (limit, mut after) = (query.limit, query.after);
    let mut found = Vec::new();
    for _ in 0..LOOKS {
        let query = fuseboard_store::Query { after, limit: MOST, ..query.clone() };
        let (letters, next) = page(state, query).await?;
        for letter in letters {
            if found.len() == limit {
                return Ok((found, after));
            }
            after = Some(letter.id);
            if keep(&letter) {
                found.push(letter);
            }
        }
        if next.is_none() {
            return Ok((found, None));
        }
    }
    Ok((found, after))
}

fn is_late(deadline: Option<WallTime>, status: Status, now: WallTime) -> bool {
    !status.is_final() && deadline.is_some_and(|deadline| deadline <= now)
}

fn is_late_now(letter: &LetterSummary, now: WallTime) -> bool {
    is_late(letter.sla_deadline, letter.life.status, now)
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
    Ok(Json(FullView::of(letter, history, state.clock.wall())))
}

/// Which letters to list.
pub(super) struct Wanted {
    query: fuseboard_store::Query,
    /// Only late ones, or only others.
    late: Option<bool>,
}

impl Wanted {
    /// What the store can be asked for by itself.
    pub(super) fn without_late(self) -> Result<fuseboard_store::Query, Problem> {
        match self.late {
            None => Ok(self.query),
            Some(_) => Err(Problem::bad("late: no such filter here: expected any other")),
        }
    }
}

pub(super) fn wanted(pairs: &[(String, String)]) -> Result<Wanted, Problem> {
    let mut query = fuseboard_store::Query::default();
    let mut late = None;
    for (name, value) in pairs {
        match name.as_str() {
            "circuit" => query.circuit = Some(value.clone()),
            "domain" => query.domain = Some(value.clone()),
            "failure" => query.failure = Some(value.clone()),
            "status" => query.status = Some(value.parse().map_err(bad("status"))?),
            "priority" => query.priority = Some(value.parse().map_err(bad("priority"))?),
            "order_key" => query.order_key = Some(value.clone()),
            "late" => late = Some(flag(name, value)?),
            "after" => query.after = Some(value.parse().map_err(bad("after"))?),
            "limit" => query.limit = limit(value)?,
            _ => {
                let expected =
                    "circuit, domain, status, failure, priority, order_key, late, after or limit";
                return Err(Problem::bad(format!("{name}: no such filter: expected {expected}")));
            }
        }
    }
    Ok(Wanted { query, late })
}

fn flag(name: &str, value: &str) -> Result<bool, Problem> {
    value.parse().map_err(|_| impossible(name, value, "true or false"))
}

pub(super) fn limit(value: &str) -> Result<usize, Problem> {
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
    fn of_summary(letter: LetterSummary, now: WallTime) -> Self {
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
            blocked_by: letter
                .blocked_by
                .map(|blocker| json!({ "id": blocker.id.0, "status": blocker.status.as_str() })),
            priority: letter.priority.as_str(),
            sla_deadline: letter.sla_deadline.map(time),
            late: is_late(letter.sla_deadline, status, now),
            sealed_by: letter.sealed_by,
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
    fn of(letter: Letter, history: Vec<HistoryEntry>, now: WallTime) -> Self {
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
            letter: LetterView::of_summary(summary, now),
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
