//! What happens instead of a call that was not done: the route's fallbacks in order, and at last the plain error.

use std::time::Duration;

use bytes::Bytes;
use fuseboard_core::letter::Status;
use fuseboard_services::capture::{
    Attempt, DEFAULT_PATIENCE, Kind, NotQueued, Queued, Undone, Work, changes_something,
    first_wait, keep,
};
use fuseboard_store::{Priority, StoreError};
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
enum Unkept {
    /// The next fallback may still apply.
    Next(NotQueued),
    /// The request itself is wrong.
    Refused(Reply),
}

impl From<NotQueued> for Unkept {
    fn from(why: NotQueued) -> Self {
        Unkept::Next(why)
    }
}

impl Instead {
    pub(super) fn new(undone: Undone, message: String) -> Self {
        Instead { undone, message, retry_after: None, answer: None }
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
        let mut decided = false;
        for fallback in &inbound.route.fallback {
            match fallback {
                Fallback::Queue => match self.queue(&inbound, &instead, false).await {
                    Ok(queued) => return accepted(circuit, &instead, queued),
                    Err(Unkept::Refused(reply)) => {
                        return reply.circuit(circuit).into_response();
                    }
                    Err(Unkept::Next(why)) => {
                        // Another try under another name would come to the same.
                        decided = !matches!(why, NotQueued::NotNamed(_));
                        reason = format!("{reason}; {}", told(&why));
                    }
                },
                Fallback::Answer(answer) => {
                    if !decided && let Some(why) = self.keep_as_well(&inbound, &instead).await {
                        reason = format!("{reason}; {why}");
                    }
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

    /// Makes a letter of a request that is answered all the same; or why not, where the route wants one.
    async fn keep_as_well(&self, inbound: &Inbound<'_>, instead: &Instead) -> Option<String> {
        if !inbound.route.capture.policy.names(Kind::Fallback) {
            return None;
        }
        match self.queue(inbound, instead, true).await {
            Ok(_) => None,
            Err(Unkept::Next(why)) => Some(told(&why)),
            Err(Unkept::Refused(reply)) => Some(format!("not queued: {}", reply.reason())),
        }
    }

    /// Makes the request a letter. When it returns, the letter is on disk.
    async fn queue(
        &self,
        inbound: &Inbound<'_>,
        instead: &Instead,
        served: bool,
    ) -> Result<Queued, Unkept> {
        let (route, upstream) = (inbound.route, &inbound.route.upstream);
        let circuit = upstream.breaker.name();
        if !changes_something(inbound.head.method.as_str()) {
            return Err(NotQueued::Method(inbound.head.method.to_string()).into());
        }
        let Inbound { keyed_by_caller, .. } = *inbound;
        let attempt = Attempt { undone: instead.undone, served, keyed_by_caller };
        let kind = route.capture.kind_of(attempt)?;
        let body = self.whole_body(inbound).await?;
        let retry = &self.config.letters.rules.retry;
        let (now, wait) =
            (self.clock.wall(), first_wait(instead.undone, retry, instead.retry_after));
        let draft = work(inbound, &body).draft(kind, now, wait);
        let mut draft = self.config.domains.stamp(draft);
        let withheld = self.config.letters.withhold.withhold(&mut draft.headers);
        match keep(&*self.letters, kind, draft, DEFAULT_PATIENCE).await {
            Ok(queued) => {
                let status = self.set_aside_without(&withheld, &queued).await;
                // One that is here already needs no room, and shows nothing.
                if queued.is_new {
                    upstream.keeping.worked(circuit);
                    self.metrics.capture_worked();
                }
                self.bells.ring(circuit);
                Ok(Queued { status, ..queued })
            }
            Err(NotQueued::Store(StoreError::KeyReused { key, .. })) => {
                let detail = format!("idempotency-key: `{key}` was sent before with another body");
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                Err(Unkept::Refused(Reply::new(status, "key-reused", detail)))
            }
            Err(why) => {
                if let Some(refusal) = Refusal::of(&why) {
                    upstream.keeping.refused(circuit, refusal, &why);
                    self.metrics.count_refused_capture(circuit, refusal.as_str());
                }
                Err(why.into())
            }
        }
    }

    async fn whole_body(&self, inbound: &Inbound<'_>) -> Result<Bytes, Unkept> {
        inbound.body.complete().await.map_err(|error| match error {
            BodyError::NotKept => NotQueued::TooLarge { limit: inbound.route.queue_body }.into(),
            error => Unkept::Refused(refuse_body(error, self.config.server.max_body)),
        })
    }
}

/// What a letter says of the request. Its domain's priority is stamped on it.
fn work(inbound: &Inbound<'_>, body: &Bytes) -> Work {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let (head, upstream) = (&inbound.head, &inbound.route.upstream);
    Work {
        circuit: upstream.breaker.name().to_owned(),
        domain: upstream.domain.clone(),
        priority: Priority::default(),
        method: head.method.to_string(),
        uri: origin_form(&head.uri).to_string(),
        headers: headers::to_stored(&head.headers),
        content_type: head.headers.get(CONTENT_TYPE).map(text),
        body: body.to_vec(),
        key: head.headers.get(IDEMPOTENCY_KEY).map(text).unwrap_or_default(),
        scope: scope::of(&head.headers),
    }
}

/// Why there is no letter, as far as that is known: after a failed commit it may be there with the next start.
fn told(why: &NotQueued) -> String {
    match why.outcome_is_unknown()
        || matches!(why, NotQueued::Store(StoreError::Unavailable { .. }))
    {
        true => format!("it is not known whether it was queued: {why}"),
        false => format!("not queued: {why}"),
    }
}

/// The acknowledgement. A letter that was here before may be in any state.
fn accepted(circuit: &str, instead: &Instead, queued: Queued) -> Response<ReplyBody> {
    let page = format!("{}{}", super::pages::PREFIX, queued.token);
    let (undone, status) = (instead.undone, queued.status);
    let reason = match queued.is_new {
        true => undone.to_string(),
        false => format!("{undone}; queued before, and {status} now"),
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
