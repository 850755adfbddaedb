//! Rejections: as errors, as answers, and as what an outer breaker thinks of them.

use std::convert::Infallible;
use std::future::ready;
use std::time::Duration;

use fuseboard_core::{CallError, Pin, Rejected};
use fuseboard_tower::{CircuitBreakerLayer, grpc_unavailable, service_unavailable};
use tower::{Layer, service_fn};

use crate::support::{COOLDOWN, Circuit, Does, Inner, answer};

#[test]
fn a_rejection_is_an_error_beside_the_inner_services_own() {
    let circuit = Circuit::new();
    let layer = CircuitBreakerLayer::new(circuit.breaker.clone());
    let mut service = layer.layer(Inner::that(Does::Answers(Err("refused"))));
    assert_eq!(answer(&mut service, 1), Err(CallError::Failed("refused")));
    let rejected = circuit.breaker.try_acquire().unwrap_err();
    assert_eq!(answer(&mut service, 1), Err(CallError::Rejected(rejected)));
}

#[test]
fn a_mapped_rejection_keeps_the_error_type_and_gets_the_request_back() {
    let circuit = Circuit::new();
    let instead = |rejected: Rejected, request: u32| {
        assert_eq!(rejected.retry_after, Some(COOLDOWN));
        if request == 2 { Ok(request * 100) } else { Err("odd") }
    };
    let layer = CircuitBreakerLayer::new(circuit.breaker.clone()).map_rejected(instead);
    let inner = Inner::that(Does::Answers(Err("refused")));
    let mut service = layer.layer(inner.clone());
    assert_eq!(answer(&mut service, 1), Err("refused"));
    assert_eq!((answer(&mut service, 2), answer(&mut service, 3)), (Ok(200), Err("odd")));
    assert_eq!((inner.calls(), circuit.info().totals.rejected), (vec![1], 2));
}

#[test]
fn a_service_that_cannot_fail_stays_one_that_cannot_fail() {
    let circuit = Circuit::new().open();
    let layer = CircuitBreakerLayer::new(circuit.breaker.clone());
    let layer = layer.map_rejected(|_, _| Ok(service_unavailable::<String>(rejected(None))));
    let greet = |name: &'static str| ready(Ok(http::Response::new(name.to_owned())));
    let mut service = layer.layer(service_fn(greet));
    let answer: Result<_, Infallible> = answer(&mut service, "Ann");
    let Ok(answer) = answer;
    assert_eq!(answer.status(), 503);
}

fn rejected(retry_after: Option<Duration>) -> Rejected {
    let circuit = Circuit::new();
    circuit.breaker.force_open(Pin::by("ops"));
    Rejected { retry_after, ..circuit.breaker.try_acquire().unwrap_err() }
}

#[test]
fn ready_made_answers_say_when_to_come_back_and_never_too_early() {
    let millis = Duration::from_millis;
    let table = [
        (None, None, None),
        (Some(millis(0)), Some("0"), Some("0")),
        (Some(millis(1)), Some("1"), Some("1")),
        (Some(millis(2_000)), Some("2"), Some("2000")),
        (Some(Duration::from_nanos(2_000_000_001)), Some("3"), Some("2001")),
        (Some(Duration::MAX), Some("18446744073709551615"), Some("18446744073709551615")),
    ];
    for (wait, seconds, millis) in table {
        let header = |response: &http::Response<()>, name: &str| {
            response.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
        };
        let http = service_unavailable::<()>(rejected(wait));
        assert_eq!(
            (http.status().as_u16(), header(&http, "retry-after").as_deref()),
            (503, seconds)
        );
        let grpc = grpc_unavailable::<()>(rejected(wait));
        assert_eq!(
            (grpc.status().as_u16(), header(&grpc, "grpc-status").as_deref()),
            (200, Some("14"))
        );
        assert_eq!(header(&grpc, "grpc-retry-pushback-ms").as_deref(), millis);
    }
}

/// An error that no other test makes, so that none has told the breakers of its rejections.
#[derive(Clone, Copy, Debug, PartialEq)]
struct OnlyHere;

#[test]
fn an_outer_breaker_ignores_the_rejections_of_an_inner_one() {
    let (outer, inner) = (Circuit::new(), Circuit::new().open());
    let around = |circuit: &Circuit| CircuitBreakerLayer::new(circuit.breaker.clone());
    let never = service_fn(|_: u32| ready(Err::<u32, _>(OnlyHere)));
    let mut service = around(&outer).layer(around(&inner).layer(never));
    let counted = outer.counts(|| {
        let rejected = answer(&mut service, 1).unwrap_err().into_failed().unwrap();
        assert!(rejected.rejected().is_some(), "{rejected:?}");
    });
    assert_eq!(counted, [("ignored", 1)]);
}
