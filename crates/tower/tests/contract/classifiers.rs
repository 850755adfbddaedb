//! Ready-made classifiers: HTTP and gRPC statuses, and hints when to come back.

use std::time::Duration;

use fuseboard_core::policy::Retry;
use fuseboard_core::{CallError, Judgement, Outcome};
use fuseboard_tower::{CircuitBreakerLayer, Classify, GrpcStatus, HttpStatus};
use http::{HeaderMap, Response};
use proptest::prelude::*;
use tower::{Layer, service_fn};

use crate::support::{Circuit, SEC, answer, rules};

fn response(status: u16, headers: &[(&'static str, &str)]) -> Response<()> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(()).unwrap()
}

fn judge(
    classify: impl Classify<Response<()>, &'static str>,
    response: &Response<()>,
) -> Judgement {
    classify.classify(&Circuit::new().breaker, Ok(response))
}

fn hint(judgement: Judgement) -> Option<Duration> {
    judgement.failure.and_then(|failure| failure.retry_after_hint())
}

#[test]
fn http_5xx_and_429_are_failures_and_no_other_status_is() {
    for status in 100..=599 {
        let judgement = judge(HttpStatus::default(), &response(status, &[]));
        let failed = status >= 500 || status == 429;
        assert_eq!(judgement.outcome == Outcome::Failure, failed, "{status}");
        assert_eq!(judgement.outcome == Outcome::Success, !failed, "{status}");
    }
    let failure = judge(HttpStatus::default(), &response(503, &[])).failure.unwrap();
    assert_eq!(failure.message(), Some("503 Service Unavailable"));
}

#[test]
fn http_statuses_can_be_judged_by_the_circuits_rules() {
    let rules = rules().tracker("5xx & !501 | errors".parse().unwrap());
    let circuit = Circuit::with(rules.ignoring("404".parse().unwrap()));
    let outcome = |status| {
        let response = response(status, &[("retry-after", "7")]);
        let result = Ok::<_, &&'static str>(&response);
        HttpStatus::by_trackers().classify(&circuit.breaker, result)
    };
    for (status, expected) in [
        (200, Outcome::Success),
        (404, Outcome::Ignored),
        (429, Outcome::Success),
        (500, Outcome::Failure),
        (501, Outcome::Success),
    ] {
        assert_eq!(outcome(status).outcome, expected, "{status}");
    }
    assert_eq!(hint(outcome(500)), Some(SEC * 7));
}

#[test]
fn errors_are_judged_by_the_circuit_whatever_judges_the_responses() {
    let circuit = Circuit::with(rules().tracker("5xx".parse().unwrap()));
    let result: Result<&Response<()>, _> = Err(&"refused");
    for outcome in [
        HttpStatus::default().classify(&circuit.breaker, result).outcome,
        HttpStatus::by_trackers().classify(&circuit.breaker, result).outcome,
        GrpcStatus::default().classify(&circuit.breaker, result).outcome,
    ] {
        assert_eq!(outcome, Outcome::Ignored);
    }
    let judgement = HttpStatus::default().classify(&Circuit::new().breaker, result);
    assert_eq!(judgement.outcome, Outcome::Failure);
}

#[test]
fn retry_after_is_read_as_seconds_or_as_a_date_after_the_responses_own() {
    const SENT: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATER: &str = "Sun, 06 Nov 1994 08:50:07 GMT";
    let table: [(&[(&'static str, &str)], _); 10] = [
        (&[], None),
        (&[("retry-after", "0")], Some(0)),
        (&[("retry-after", " 120 ")], Some(120)),
        (&[("retry-after", "-1")], None),
        (&[("retry-after", "1.5")], None),
        (&[("retry-after", "soon")], None),
        (&[("retry-after", LATER), ("date", SENT)], Some(30)),
        (&[("retry-after", SENT), ("date", LATER)], Some(0)),
        (&[("retry-after", LATER)], None),
        (&[("retry-after", LATER), ("date", "today")], None),
    ];
    for (headers, seconds) in table {
        let judgement = HttpStatus::judge(
            http::StatusCode::SERVICE_UNAVAILABLE,
            response(503, headers).headers(),
        );
        assert_eq!(hint(judgement), seconds.map(Duration::from_secs), "{headers:?}");
    }
    let success = response(200, &[("retry-after", "120")]);
    assert_eq!(judge(HttpStatus::default(), &success), Outcome::Success.into());
}

#[test]
fn a_circuit_that_opens_stays_open_for_as_long_as_the_service_asked() {
    let retry = Retry::backoff(SEC, SEC * 60);
    let circuit = Circuit::with(rules().retry(retry));
    let layer = CircuitBreakerLayer::new(circuit.breaker.clone()).classify(HttpStatus::default());
    let busy =
        |()| std::future::ready(Ok::<_, &'static str>(response(503, &[("retry-after", "30")])));
    let mut service = layer.layer(service_fn(busy));
    assert_eq!(answer(&mut service, ()).unwrap().status(), 503);
    match answer(&mut service, ()) {
        Err(CallError::Rejected(rejected)) => assert_eq!(rejected.retry_after, Some(SEC * 30)),
        other => panic!("not rejected: {other:?}"),
    }
}

#[test]
fn grpc_codes_that_speak_against_the_service_are_failures() {
    let failures = [2, 4, 8, 13, 14, 15];
    for code in 0..=16 {
        let expected = match code {
            1 => Outcome::Ignored,
            code if failures.contains(&code) => Outcome::Failure,
            _ => Outcome::Success,
        };
        let text = code.to_string();
        let head = response(200, &[("grpc-status", &text)]);
        assert_eq!(judge(GrpcStatus::default(), &head).outcome, expected, "{code} in headers");
        let end = end(GrpcStatus::default(), Some(head.headers()));
        assert_eq!(end.outcome, expected, "{code} in trailers");
    }
    let failure = judge(GrpcStatus::default(), &response(200, &[("grpc-status", "14")])).failure;
    assert_eq!(failure.unwrap().message(), Some("UNAVAILABLE"));
}

fn end(classify: GrpcStatus, trailers: Option<&HeaderMap>) -> Judgement {
    Classify::<Response<()>, &'static str>::classify_end(&classify, trailers)
}

#[test]
fn grpc_codes_that_nobody_knows_are_unknown_and_a_missing_one_at_the_end_is_a_failure() {
    for text in ["17", "255", "256", "-1", "ok", ""] {
        let head = response(200, &[("grpc-status", text)]);
        let failure = judge(GrpcStatus::default(), &head).failure.unwrap();
        assert_eq!(failure.message(), Some("UNKNOWN"), "{text}");
    }
    for trailers in [None, Some(&HeaderMap::new())] {
        let failure = end(GrpcStatus::default(), trailers).failure.unwrap();
        assert_eq!(failure.message(), Some("the answer ended without a grpc-status"));
    }
    assert_eq!(judge(GrpcStatus::default(), &response(200, &[])).outcome, Outcome::Success);
}

#[test]
fn an_http_status_without_a_grpc_status_counts_as_the_code_that_grpc_maps_it_to() {
    for (status, message) in [
        (400, Some("INTERNAL")),
        (401, None), // UNAUTHENTICATED
        (403, None), // PERMISSION_DENIED
        (404, None), // UNIMPLEMENTED
        (429, Some("UNAVAILABLE")),
        (500, Some("UNKNOWN")),
        (502, Some("UNAVAILABLE")),
        (503, Some("UNAVAILABLE")),
        (504, Some("UNAVAILABLE")),
        (204, Some("UNKNOWN")),
    ] {
        let failure = judge(GrpcStatus::default(), &response(status, &[])).failure;
        assert_eq!(failure.as_ref().and_then(|failure| failure.message()), message, "{status}");
    }
    let told = response(503, &[("grpc-status", "0")]);
    assert_eq!(judge(GrpcStatus::default(), &told).outcome, Outcome::Success);
}

#[test]
fn grpc_pushback_says_when_to_come_back() {
    for (value, millis) in [("0", Some(0)), ("1500", Some(1500)), ("-1", None), ("later", None)] {
        let told = [("grpc-status", "8"), ("grpc-retry-pushback-ms", value)];
        let head = response(200, &told);
        let millis = millis.map(Duration::from_millis);
        assert_eq!(hint(judge(GrpcStatus::default(), &head)), millis, "{value} in headers");
        let end = end(GrpcStatus::default(), Some(head.headers()));
        assert_eq!(hint(end), millis, "{value} in trailers");
    }
}

proptest! {
    #[test]
    fn only_the_listed_grpc_codes_fail(codes in prop::collection::vec(0..17u8, 0..17)) {
        let classify = GrpcStatus::failing_on(codes.iter().copied());
        for code in 0..17 {
            let text = code.to_string();
            let outcome = judge(classify, &response(200, &[("grpc-status", &text)])).outcome;
            prop_assert_eq!(outcome == Outcome::Failure, codes.contains(&code));
        }
    }
}
