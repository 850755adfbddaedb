//! HTTP: the status says what the call came to, `Retry-After` when to come back.

use std::time::Duration;

use fuseboard_core::policy::Seen;
use fuseboard_core::{CircuitBreaker, Failure, Judgement, LightTicket, Outcome};
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};

use super::Classify;

/// Judges an [`http::Response`] by its status; errors are judged by the circuit's trackers.
///
/// By default 5xx and 429 are failures, and every other status is a success: a 404 is an answer that a service in good
/// health gives. [`by_trackers`](Self::by_trackers) asks the circuit's rules instead.
///
/// A failure carries what `Retry-After` says, so that a circuit which it opens stays open for that long. A number of
/// seconds is taken as it is; a date, as the time after the response's own `Date` (without one it says nothing, because
/// the clocks of two machines need not agree).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HttpStatus {
    by_trackers: bool,
}

impl HttpStatus {
    /// Statuses are judged by the circuit's trackers, as in `"5xx & !501 | 429 | errors"`.
    ///
    /// ```
    /// use fuseboard_core::{CircuitBreaker, Outcome, Rules};
    /// use fuseboard_tower::{Classify, HttpStatus};
    ///
    /// let rules = Rules::builder().tracker("5xx & !501 | errors".parse()?).build()?;
    /// let circuit = CircuitBreaker::builder("legacy").rules(rules).build()?;
    /// let judge = |status| {
    ///     let response = http::Response::builder().status(status).body(()).unwrap();
    ///     HttpStatus::by_trackers().classify(&circuit, Ok::<_, &()>(&response)).outcome
    /// };
    /// assert_eq!((judge(501), judge(502)), (Outcome::Success, Outcome::Failure));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn by_trackers() -> Self {
        HttpStatus { by_trackers: true }
    }

    /// What a status and its headers come to by default: for responses of other types than [`http::Response`].
    pub fn judge(status: StatusCode, headers: &HeaderMap) -> Judgement {
        match status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            true => failure(status, headers).into(),
            false => Outcome::Success.into(),
        }
    }
}

impl<B, Error: 'static> Classify<Response<B>, Error> for HttpStatus {
    fn classify(
        &self,
        circuit: &CircuitBreaker,
        result: Result<&Response<B>, &Error>,
    ) -> Judgement {
        let response = match result {
            Ok(response) => response,
            Err(error) => return circuit.judge(Err::<&(), _>(error)),
        };
        let (status, headers) = (response.status(), response.headers());
        if !self.by_trackers {
            return HttpStatus::judge(status, headers);
        }
        match circuit.rules().classifier().classify(&Seen::status(status.as_u16())) {
            Outcome::Failure => failure(status, headers).into(),
            outcome => outcome.into(),
        }
    }

    fn settle_light(&self, ticket: LightTicket, result: Result<&Response<B>, &Error>) {
        match result {
            Ok(response) if !self.by_trackers => {
                ticket.settle(HttpStatus::judge(response.status(), response.headers()));
            }
            _ => {
                if let Some(circuit) = ticket.breaker() {
                    ticket.settle(self.classify(&circuit, result));
                }
            }
        }
    }
}

fn failure(status: StatusCode, headers: &HeaderMap) -> Failure {
    let failure = Failure::new(status.to_string());
    match retry_after(headers) {
        Some(wait) => failure.retry_after(wait),
        None => failure,
    }
}

/// How long a response says to wait.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let value = text(RETRY_AFTER)?;
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(value).ok()?;
    let sent = httpdate::parse_http_date(text(DATE)?).ok()?;
    Some(until.duration_since(sent).unwrap_or_default())
}
