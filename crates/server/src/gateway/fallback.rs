//! What happens instead of a call that was not done: the route's fallbacks in order, and at last the plain error.

use std::time::Duration;

use bytes::Bytes;
use fuseboard_core::letter::{Life, Status};
use fuseboard_core::policy::{Deadline, Retry};
use fuseboard_core::time::Moment;
use fuseboard_services::capture::{Undone, may_capture};
use fuseboard_store::{Draft, Inserted, StoreError, Token};
use http::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use http::{Response, StatusCode};

use super::Gateway;
use super::body::BodyError;
use super::exchange::{Inbound, origin_form, refuse_body};
use super::headers::{self, IDEMPOTENCY_KEY};
use super::refusals::Refusal;
use super::relay::ReplyBody;
use super::reply::Reply;
use super::scope;
use crate::config::Fallback;

/// Why something else happens instead.
pub(super) struct Instead {
    pub(super) undone: Undone,
    pub(super) message: String,
    pub(super) retry_after: Option<Duration>,
    /// The upstream's own failing answer, which comes after the fallbacks.
    pub(super) answer: Option<Response<ReplyBody>>,
}

/// Why a request did not become a letter.
enum NotQueued {
    /// The next fallback may still apply; what this one came to.
    Next(String),
    /// The request itself is wrong.
    Refused(Reply),
}

impl Instead {
    pub(super) fn new(undone: Undone, message: String) -> Self {
        Instead { undone, message, retry_after: None, answer: None }
    }

    /// How long a letter waits for its first replay: what has just failed is not tried again at once.
    fn first_wait(&self, retry: &Retry) -> Duration {
        if self.undone == Undone::Rejected {
            return Duration::ZERO;
        }
        let wait = |retry: &Retry| match retry.deadline(Moment::ZERO, 0, 0.5, self.retry_after) {
            Deadline::At(due) | Deadline::Ask { not_before: due } => Some(due.since(Moment::ZERO)),
            Deadline::Never => None,
        };
        // Also where there are to be no retries, there is one replay.
        wait(retry).or_else(|| wait(&Retry::Always)).unwrap_or_default()
    }

    /// The plain error, for when no fallback applies.
    fn status(&self) -> StatusCode {
        match self.undone {
            Undone::Rejected => StatusCode::SERVICE_UNAVAILABLE,
            Undone::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Undone::Connect | Undone::Reset | Undone::Failure => StatusCode::BAD_GATEWAY,
        }
    }
}

impl Gateway {
    pub(super) async fn instead(
        &self,
        inbound: Inbound<'_>,
        instead: Instead,
    ) -> Response<ReplyBody> {
        let circuit = inbound.route.upstream.breaker.name();
        let mut reason = instead.undone.to_string();
        for fallback in &inbound.route.fallback {
            match fallback {
                Fallback::Queue => match self.queue(&inbound, &instead).await {
                    Ok(accepted) => return accepted,
                    Err(NotQueued::Refused(reply)) => {
                        return reply.circuit(circuit).into_response();
                    }
                    Err(NotQueued::Next(what)) => reason = format!("{reason}; {what}"),
                },
                Fallback::Answer(answer) => {
                    let reply = Reply::new(answer.status, &reason, "").circuit(circuit);
                    let reply = reply.retry_after(instead.retry_after);
                    return reply.with_body(answer.body.clone(), &answer.content_type);
                }
            }
        }
        let status = instead.status();
        if let Some(answer) = instead.answer {
            return answer;
        }
        let reply = Reply::new(status, &reason, instead.message).circuit(circuit);
        reply.retry_after(instead.retry_after).into_response()
    }

    /// Makes the request a letter. The answer is an acknowledgement: the letter is on disk.
    async fn queue(
        &self,
        inbound: &Inbound<'_>,
        instead: &Instead,
    ) -> Result<Response<ReplyBody>, NotQueued> {
        let (route, upstream) = (inbound.route, &inbound.route.upstream);
        let circuit = upstream.breaker.name();
        if !route.queues(&inbound.head.method) {
            return Err(not_queued(format!("{} is not kept", inbound.head.method)));
        }
        if !may_capture(instead.undone, route.idempotent || inbound.keyed_by_caller) {
            return Err(not_queued("it may have been done, and is not idempotent"));
        }
        let body = self.whole_body(inbound).await?;
        let mut draft = self.draft(inbound, instead, &body);
        let withheld = self.config.letters.withhold.withhold(&mut draft.headers);
        match self.letters.insert(draft).await {
            Ok(inserted) => {
                let status = self.set_aside_without(&withheld, inserted).await;
                // One that is here already needs no room, and shows nothing.
                if matches!(inserted, Inserted::New(..)) {
                    upstream.keeping.worked(circuit);
                    self.metrics.capture_worked();
                }
                self.bells.ring(circuit);
                Ok(accepted(circuit, instead, inserted, status))
            }
            Err(StoreError::KeyReused { key, .. }) => {
                let detail = format!("idempotency-key: `{key}` was sent before with another body");
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                Err(NotQueued::Refused(Reply::new(status, "key-reused", detail)))
            }
            Err(error) => {
                let refusal = Refusal::of(&error);
                upstream.keeping.refused(circuit, refusal, &error);
                self.metrics.count_refused_capture(circuit, refusal.as_str());
                Err(not_kept(&error))
            }
        }
    }

    async fn whole_body(&self, inbound: &Inbound<'_>) -> Result<Bytes, NotQueued> {
        inbound.body.complete().await.map_err(|error| match error {
            BodyError::NotKept => {
                not_queued(format!("the body is larger than {} bytes", inbound.route.queue_body))
            }
            error => NotQueued::Refused(refuse_body(error, self.config.server.max_body)),
        })
    }

    fn draft(&self, inbound: &Inbound<'_>, instead: &Instead, body: &Bytes) -> Draft {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let (head, circuit) = (&inbound.head, inbound.route.upstream.breaker.name());
        let now = self.clock.wall();
        let not_before = now + instead.first_wait(&self.config.letters.rules.retry);
        let domain = &inbound.route.upstream.domain;
        Draft {
            token: Token::random(),
            circuit: circuit.to_owned(),
            domain: domain.name.clone(),
            failure: instead.undone.as_str().to_owned(),
            method: head.method.to_string(),
            uri: origin_form(&head.uri).to_string(),
            headers: headers::to_stored(&head.headers),
            content_type: head.headers.get(CONTENT_TYPE).map(text),
            body: body.to_vec(),
            key: head.headers.get(IDEMPOTENCY_KEY).map(text).unwrap_or_default(),
            scope: scope::of(&head.headers),
            order_key: None,
            priority: domain.priority,
            sla_deadline: Some(now + domain.sla),
            sealed_by: None,
            fingerprint: None,
            life: Life::captured(not_before),
            captured_at: now,
        }
    }
}

fn not_queued(why: impl std::fmt::Display) -> NotQueued {
    NotQueued::Next(format!("not queued: {why}"))
}

/// What a failed store means for a request.
fn not_kept(error: &StoreError) -> NotQueued {
    match error {
        // It may be in the journal, and there after the next start.
        StoreError::Unavailable { .. } => {
            NotQueued::Next(format!("it is not known whether it was queued: {error}"))
        }
        error => not_queued(error),
    }
}

/// The acknowledgement. A letter that was here before may be in any state.
fn accepted(
    circuit: &str,
    instead: &Instead,
    inserted: Inserted,
    status: Status,
) -> Response<ReplyBody> {
    let page = format!("{}{}", super::pages::PREFIX, inserted.token());
    let undone = instead.undone;
    let reason = match inserted {
        Inserted::New(..) => undone.to_string(),
        Inserted::Same(..) => format!("{undone}; queued before, and {status} now"),
    };
    let body = serde_json::json!({ "status": status.as_str(), "letter": page });
    let waits = matches!(status, Status::Pending | Status::Replaying);
    let reply = Reply::new(StatusCode::ACCEPTED, &reason, "").circuit(circuit);
    let reply = reply.retry_after(instead.retry_after.filter(|_| waits));
    let mut response = reply.with_body(Bytes::from(body.to_string()), "application/json");
    if let Ok(location) = HeaderValue::try_from(page) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}
