//! Streams, iterators and readers: one rule in three forms.

use std::io::{self, ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use fuseboard_core::policy::Tracker;
use fuseboard_core::{RulesBuilder, State};
use fuseboard_tower::{WatchedIter, WatchedRead, WatchedStream};
use futures_util::{Stream, stream};

use crate::support::{Circuit, SEC, rules};

/// One step of a sequence.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Item(u8),
    Fails(ErrorKind),
    Panics,
}
use Step::{Fails, Item, Panics};

/// A sequence, and how many of its steps are taken.
type Case = (&'static [Step], usize);

const RESET: Step = Fails(ErrorKind::ConnectionReset);

/// What each sequence counts as where the circuit is closed, and as the probe of one that is half-open.
const CASES: [(Case, &str, &str); 10] = [
    ((&[], 1), "success", "success"),
    ((&[Item(1), Item(2)], 3), "success", "success"),
    ((&[Item(1), Item(2)], 2), "cancelled", "success"),
    ((&[Item(1), Item(2)], 0), "cancelled", "cancelled"),
    ((&[Item(1), RESET], 2), "failure", "success"),
    ((&[RESET, Item(1)], 1), "failure", "failure"),
    // What comes after the first error counts no more.
    ((&[RESET, Item(1), RESET], 4), "failure", "failure"),
    ((&[Fails(ErrorKind::NotFound), Item(1), RESET], 4), "ignored", "ignored"), // by the rules
    ((&[Item(1), Panics], 2), "failure", "success"),
    ((&[Panics], 1), "failure", "failure"),
];

/// One of the three forms: takes so many steps of a sequence, and says what came.
type Form = fn(&Circuit, Case) -> Vec<Step>;

const FORMS: [(&str, Form); 6] = [
    ("stream", |circuit, (steps, taken)| {
        let watched = WatchedStream::begin(&circuit.breaker, stream::iter(results(steps)));
        take_stream(watched.unwrap(), taken)
    }),
    ("stream with a ticket", |circuit, (steps, taken)| {
        let ticket = circuit.breaker.try_acquire().unwrap();
        take_stream(
            WatchedStream::of(&circuit.breaker, ticket, stream::iter(results(steps))),
            taken,
        )
    }),
    ("iterator", |circuit, (steps, taken)| {
        take_iter(WatchedIter::begin(&circuit.breaker, results(steps)).unwrap(), taken)
    }),
    ("iterator with a ticket", |circuit, (steps, taken)| {
        let ticket = circuit.breaker.try_acquire().unwrap();
        take_iter(WatchedIter::of(&circuit.breaker, ticket, results(steps)), taken)
    }),
    ("reader", |circuit, (steps, taken)| {
        take_read(WatchedRead::begin(&circuit.breaker, Reader(steps)).unwrap(), taken)
    }),
    ("reader with a ticket", |circuit, (steps, taken)| {
        let ticket = circuit.breaker.try_acquire().unwrap();
        take_read(WatchedRead::of(&circuit.breaker, ticket, Reader(steps)), taken)
    }),
];

fn results(steps: &'static [Step]) -> impl Iterator<Item = io::Result<u8>> {
    steps.iter().map(|step| match *step {
        Item(byte) => Ok(byte),
        Fails(kind) => Err(kind.into()),
        Panics => panic!("meant"),
    })
}

/// Gives one byte at a time.
struct Reader(&'static [Step]);

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (false, Some((step, rest))) = (buffer.is_empty(), self.0.split_first()) else {
            return Ok(0);
        };
        self.0 = rest;
        match *step {
            Item(byte) => {
                buffer[0] = byte;
                Ok(1)
            }
            Fails(kind) => Err(kind.into()),
            Panics => panic!("meant"),
        }
    }
}

fn take_stream(mut watched: impl Stream<Item = io::Result<u8>> + Unpin, taken: usize) -> Vec<Step> {
    let context = &mut Context::from_waker(Waker::noop());
    take(taken, || match Pin::new(&mut watched).poll_next(context) {
        Poll::Ready(next) => next,
        Poll::Pending => panic!("the sequence never waits"),
    })
}

fn take_iter(mut watched: impl Iterator<Item = io::Result<u8>>, taken: usize) -> Vec<Step> {
    take(taken, || watched.next())
}

fn take_read(mut watched: impl Read, taken: usize) -> Vec<Step> {
    take(taken, || {
        assert_eq!(watched.read(&mut []).ok(), Some(0), "no room is no end");
        let mut byte = [0];
        match watched.read(&mut byte) {
            Ok(0) => None,
            Ok(_) => Some(Ok(byte[0])),
            Err(error) => Some(Err(error)),
        }
    })
}

fn take(taken: usize, mut next: impl FnMut() -> Option<io::Result<u8>>) -> Vec<Step> {
    let mut came = Vec::new();
    for _ in 0..taken {
        came.extend(match catch_unwind(AssertUnwindSafe(&mut next)) {
            Ok(Some(Ok(byte))) => Some(Item(byte)),
            Ok(Some(Err(error))) => Some(Fails(error.kind())),
            Ok(None) => None,
            Err(_) => Some(Panics),
        });
    }
    came
}

fn our_rules() -> RulesBuilder {
    let not_found = |error: &io::Error| error.kind() == ErrorKind::NotFound;
    rules().ignoring(Tracker::error("not found", not_found)).cancelled_after(SEC * 5)
}

#[test]
fn a_sequence_counts_as_it_ends_and_goes_through_as_it_is() {
    for (form, run) in FORMS {
        for (case, word, _) in CASES {
            let circuit = Circuit::with(our_rules());
            let counted = circuit.counts(|| {
                let came = run(&circuit, case);
                assert_eq!(came[..], case.0[..case.1.min(case.0.len())], "{form}: {case:?}");
            });
            assert_eq!(counted, [(word, 1)], "{form}: {case:?}");
            assert_eq!(circuit.info().in_flight, 0, "{form}: {case:?}");
        }
    }
}

#[test]
fn a_probe_is_over_with_the_first_result() {
    for (form, run) in FORMS {
        for (case, _, word) in CASES {
            let circuit = Circuit::with(our_rules()).due();
            let counted = circuit.counts(|| drop(run(&circuit, case)));
            assert_eq!(counted, [(word, 1)], "{form}: {case:?}");
            let state = match word {
                "success" => State::Closed,
                "failure" => State::Open,
                _ => State::HalfOpen,
            };
            assert_eq!(circuit.state(), state, "{form}: {case:?}");
        }
    }
}

#[test]
fn a_sequence_is_not_begun_if_the_circuit_rejects_it() {
    let circuit = Circuit::new().open();
    let breaker = &circuit.breaker;
    let counted = circuit.counts(|| {
        assert!(WatchedStream::begin(breaker, stream::iter(results(&[]))).is_err());
        assert!(WatchedIter::begin(breaker, results(&[])).is_err());
        assert!(WatchedRead::begin(breaker, Reader(&[])).is_err());
    });
    assert_eq!(counted, [("rejected", 3)]);
}

#[test]
fn a_read_that_is_to_be_made_again_is_no_failure() {
    for kind in [ErrorKind::Interrupted, ErrorKind::WouldBlock] {
        let circuit = Circuit::new();
        let steps: &'static [Step] = vec![Fails(kind), Item(1)].leak();
        let came = take_read(WatchedRead::begin(&circuit.breaker, Reader(steps)).unwrap(), 3);
        assert_eq!((came, circuit.info().totals.success), (steps.to_vec(), 1));
    }
}
