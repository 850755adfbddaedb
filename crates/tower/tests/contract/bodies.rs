//! Watched bodies: a call that is not over before its response's body is.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::ready;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use fuseboard_core::policy::Tracker;
use fuseboard_core::{Rejected, RulesBuilder, State};
use fuseboard_tower::{
    CircuitBreakerLayer, Classify, GrpcStatus, HttpStatus, Trackers, WatchedBody,
    service_unavailable,
};
use http::{HeaderMap, Response};
use http_body::{Body, Frame, SizeHint};
use tower::{Layer, service_fn};

use crate::support::{COOLDOWN, Circuit, SEC, answer, rules};

/// What a body comes to, piece by piece.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Piece {
    Data(&'static str),
    /// A gRPC status.
    Trailers(&'static str),
    Breaks(&'static str),
    Waits,
    Panics,
}
use Piece::{Breaks, Data, Panics, Trailers, Waits};

/// A body of given pieces; by default it does not say that it has ended before it is asked for more.
#[derive(Debug)]
struct Scripted {
    pieces: VecDeque<Piece>,
    tells_its_end: bool,
}

impl Body for Scripted {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        let trailers = |status: &'static str| {
            let pushback = ("grpc-retry-pushback-ms", "30000");
            let pairs = [("grpc-status", status), pushback];
            HeaderMap::from_iter(
                pairs.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())),
            )
        };
        Poll::Ready(self.pieces.pop_front().map(|piece| match piece {
            Data(text) => Ok(Frame::data(Bytes::from_static(text.as_bytes()))),
            Trailers(status) => Ok(Frame::trailers(trailers(status))),
            Breaks(error) => Err(error),
            Panics => panic!("meant"),
            Waits => unreachable!("the reader stops here"),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.tells_its_end && self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.pieces.len() as u64)
    }
}

/// A response, and how it is read.
#[derive(Clone, Copy, Debug)]
struct Case {
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    pieces: &'static [Piece],
    tells_its_end: bool,
    grpc: bool,
}

const PLAIN: Case =
    Case { status: 200, headers: &[], pieces: &[], tells_its_end: false, grpc: false };
const GRPC: Case = Case { grpc: true, ..PLAIN };

const LENGTH_5: &[(&str, &str)] = &[("content-length", "5")];
const UNAVAILABLE: &[(&str, &str)] = &[("grpc-status", "14")];

/// What each body counts as where the circuit is closed.
const CASES: [(Case, &str); 22] = [
    (PLAIN, "success"),
    (Case { pieces: &[Data("he"), Data("llo")], ..PLAIN }, "success"),
    (Case { pieces: &[Data("he"), Breaks("reset")], ..PLAIN }, "failure"),
    (Case { pieces: &[Breaks("reset")], ..PLAIN }, "failure"),
    (Case { pieces: &[Data("he"), Breaks("enough")], ..PLAIN }, "ignored"), // by the rules
    (Case { pieces: &[Data("he"), Panics], ..PLAIN }, "failure"),
    (Case { pieces: &[Data("he"), Waits], ..PLAIN }, "cancelled"),
    (Case { pieces: &[Waits], ..PLAIN }, "cancelled"),
    // It is over where it says so, or where its length does, though nobody asks for more.
    (Case { tells_its_end: true, ..PLAIN }, "success"),
    (Case { pieces: &[Data("he")], tells_its_end: true, ..PLAIN }, "success"),
    (Case { pieces: &[Data("he"), Data("llo"), Waits], headers: LENGTH_5, ..PLAIN }, "success"),
    (Case { pieces: &[Data("hell"), Waits], headers: LENGTH_5, ..PLAIN }, "cancelled"),
    // The status goes before the body.
    (Case { status: 503, pieces: &[Data("sorry"), Waits], ..PLAIN }, "failure"),
    (Case { status: 404, pieces: &[Data("sorry"), Breaks("reset")], ..PLAIN }, "failure"),
    // Trailers mean something in gRPC only.
    (Case { pieces: &[Data("he"), Trailers("14")], ..PLAIN }, "success"),
    (Case { pieces: &[Data("he"), Trailers("0")], ..GRPC }, "success"),
    (Case { pieces: &[Data("he"), Trailers("5")], ..GRPC }, "success"),
    (Case { pieces: &[Data("he"), Trailers("1")], ..GRPC }, "ignored"),
    (Case { pieces: &[Data("he"), Trailers("14")], ..GRPC }, "failure"),
    (Case { pieces: &[Data("he")], ..GRPC }, "failure"), // no status at all
    (Case { headers: UNAVAILABLE, tells_its_end: true, ..GRPC }, "failure"),
    (Case { headers: &[("grpc-status", "0")], tells_its_end: true, ..GRPC }, "success"),
];

fn our_rules() -> RulesBuilder {
    let enough = |error: &&'static str| *error == "enough";
    rules().ignoring(Tracker::error("enough", enough)).cancelled_after(SEC * 5)
}

/// The response as it comes out of the layer.
fn watched<C>(circuit: &Circuit, case: Case, classify: C) -> Response<WatchedBody<Scripted, C>>
where
    C: Classify<Response<Scripted>, Infallible> + Clone + 'static,
{
    let layer = CircuitBreakerLayer::new(circuit.breaker.clone()).classify(classify).watch_bodies();
    let respond = |case: Case| {
        let mut response = Response::builder().status(case.status);
        for (name, value) in case.headers {
            response = response.header(*name, *value);
        }
        let pieces = case.pieces.iter().copied().collect();
        let body = Scripted { pieces, tells_its_end: case.tells_its_end };
        ready(Ok::<_, Infallible>(response.body(body).unwrap()))
    };
    answer(&mut layer.layer(service_fn(respond)), case).unwrap()
}

/// Gets the response, lets `meanwhile` happen, and reads as far as the body goes.
fn read(circuit: &Circuit, case: Case, meanwhile: impl FnOnce()) -> Vec<Piece> {
    match case.grpc {
        true => {
            read_body(watched(circuit, case, GrpcStatus::default()).into_body(), case, meanwhile)
        }
        false => {
            read_body(watched(circuit, case, HttpStatus::default()).into_body(), case, meanwhile)
        }
    }
}

fn read_body<C>(
    mut body: WatchedBody<Scripted, C>,
    case: Case,
    meanwhile: impl FnOnce(),
) -> Vec<Piece>
where
    C: Unpin,
{
    meanwhile();
    let mut pieces = Vec::new();
    let stops = case.tells_its_end || case.pieces.contains(&Waits);
    let polls = case.pieces.iter().filter(|piece| **piece != Waits).count();
    for _ in 0..polls + usize::from(!stops) {
        let poll = || Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
        match catch_unwind(AssertUnwindSafe(poll)) {
            Ok(Poll::Ready(Some(Ok(frame)))) => pieces.push(piece(&frame)),
            Ok(Poll::Ready(Some(Err(error)))) => pieces.push(Breaks(error)),
            Ok(Poll::Ready(None)) => break,
            Ok(Poll::Pending) => panic!("the script never waits"),
            Err(_) => pieces.push(Panics),
        }
    }
    pieces
}

fn piece(frame: &Frame<Bytes>) -> Piece {
    match (frame.data_ref(), frame.trailers_ref()) {
        (Some(data), _) => Data(std::str::from_utf8(data).unwrap().to_owned().leak()),
        (_, Some(trailers)) => {
            Trailers(trailers["grpc-status"].to_str().unwrap().to_owned().leak())
        }
        _ => panic!("neither data nor trailers"),
    }
}

#[test]
fn a_body_counts_as_it_ends_and_goes_through_as_it_is() {
    for (case, word) in CASES {
        let circuit = Circuit::with(our_rules());
        let counted = circuit.counts(|| {
            let expected = case.pieces.iter().copied().filter(|piece| *piece != Waits);
            assert_eq!(read(&circuit, case, || ()), expected.collect::<Vec<_>>(), "{case:?}");
        });
        // 404 is a success, and then its body breaks off.
        assert_eq!(counted, [(word, 1)], "{case:?}");
        assert_eq!(circuit.info().in_flight, 0, "{case:?}");
    }
}

#[test]
fn a_body_that_ends_after_a_transition_is_stale() {
    for (case, word) in CASES {
        let circuit = Circuit::with(our_rules());
        let settled_before = case.status == 503
            || case.headers == UNAVAILABLE
            || case.tells_its_end && case.pieces.is_empty();
        let counted = circuit.counts(|| {
            drop(read(&circuit, case, || circuit.breaker.reset()));
        });
        let expected = if settled_before { word } else { "stale" };
        assert_eq!(counted, [(expected, 1)], "{case:?}");
    }
}

#[test]
fn a_probe_is_over_with_the_head_of_its_response() {
    for (case, _) in CASES {
        let circuit = Circuit::with(our_rules()).due();
        let failed = case.status == 503 || case.headers == UNAVAILABLE;
        let expected = if failed { State::Open } else { State::Closed };
        let at_the_head = || {
            assert_eq!((circuit.state(), circuit.info().in_flight), (expected, 0), "{case:?}");
        };
        let word = if failed { "failure" } else { "success" };
        let counted = circuit.counts(|| drop(read(&circuit, case, at_the_head)));
        assert_eq!((counted, circuit.state()), (vec![(word, 1)], expected), "{case:?}");
    }
}

#[test]
fn a_body_that_is_dropped_later_than_cancelled_after_failed() {
    for (seconds, word) in [(4, "cancelled"), (5, "failure")] {
        let circuit = Circuit::with(our_rules());
        let case = Case { pieces: &[Data("he"), Waits], ..PLAIN };
        let counted = circuit.counts(|| {
            drop(read(&circuit, case, || circuit.clock.advance(SEC * seconds)));
        });
        assert_eq!(counted, [(word, 1)], "after {seconds} s");
    }
}

#[test]
fn trailers_carry_the_hint_when_to_come_back() {
    let circuit = Circuit::new();
    read(&circuit, Case { pieces: &[Data("he"), Trailers("14")], ..GRPC }, || ());
    let wait = circuit.info().retry_after;
    assert!(wait.is_some_and(|wait| wait >= COOLDOWN), "{wait:?}");
    assert_eq!(wait, Some(Duration::from_secs(30)));
}

#[test]
fn what_a_body_says_of_itself_goes_through() {
    for tells_its_end in [false, true] {
        let case = Case { pieces: &[Data("he")], tells_its_end, ..PLAIN };
        let mut body = watched(&Circuit::new(), case, Trackers).into_body();
        assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(1), false));
        let frame = Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(frame, Poll::Ready(Some(Ok(_)))));
        assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(0), tells_its_end));
        assert!(body.get_ref().pieces.is_empty());
    }
}

#[test]
fn a_rejection_has_a_body_that_nobody_watches() {
    let circuit = Circuit::new().open();
    let instead = |rejected: Rejected, _: ()| Ok(service_unavailable::<String>(rejected));
    let layer = CircuitBreakerLayer::new(circuit.breaker.clone()).map_rejected(instead);
    let never = |()| ready(Err::<Response<String>, _>("not called"));
    let mut service = layer.watch_bodies().layer(service_fn(never));
    let counted = circuit.counts(|| assert_eq!(answer(&mut service, ()).unwrap().status(), 503));
    assert_eq!(counted, [("rejected", 1)]);
}
