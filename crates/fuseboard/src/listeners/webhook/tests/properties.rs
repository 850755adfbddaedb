//! Whatever happens in whatever order: the limit holds, and no news is lost in silence.

use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::time::Moment;
use proptest::prelude::*;
use serde_json::Value;

use super::super::limiter::Limit;
use super::super::message::Format;
use super::super::outbox::{Answer, Next, Outbox, Pace};
use super::{MINUTE, failed, limiter, pace, refused, warning};

/// What can happen to a limiter or an outbox, with which circuit, and how much time passes before.
#[derive(Clone, Debug)]
enum Happening {
    News(u8),
    Turn(u8),
}

fn happenings() -> impl Strategy<Value = Vec<(u64, Happening)>> {
    let one = prop_oneof![
        3 => (0..3_u8).prop_map(Happening::News),
        2 => (0..6_u8).prop_map(Happening::Turn),
    ];
    proptest::collection::vec((0..20_u64, one), 0..200)
}

proptest! {
    #[test]
    fn no_span_sees_more_messages_of_a_circuit_than_allowed_and_each_piece_of_news_is_accounted_for(
        happenings in happenings(), at_most in 1..5_usize, capacity in 1..10_usize,
    ) {
        let mut limiter = limiter(at_most, capacity);
        let (mut now, mut offered, mut accounted) = (Moment::ZERO, 0, 0);
        let mut sent: Vec<(Arc<str>, Moment)> = Vec::new();
        for (seconds, happening) in happenings {
            now = now + Duration::from_secs(seconds);
            match happening {
                Happening::News(circuit) => {
                    offered += 1;
                    accounted += limiter.offer(warning(&circuit.to_string(), "news"), now);
                }
                Happening::Turn(_) => {
                    let due = limiter.due();
                    let entry = limiter.next(now, false);
                    prop_assert_eq!(due.is_some_and(|due| due <= now), entry.is_some());
                    let Some(entry) = entry else { continue };
                    accounted += entry.weight();
                    sent.push((entry.news.circuit, now));
                }
            }
        }
        accounted += limiter.clear();
        prop_assert_eq!(offered, accounted);
        for (circuit, end) in &sent {
            let recent = sent.iter().filter(|(other, at)| other == circuit && at <= end && *at + MINUTE > *end);
            prop_assert!(recent.count() <= at_most);
        }
    }

    #[test]
    fn every_piece_of_news_is_delivered_left_out_dropped_or_undelivered_and_losses_are_told(
        happenings in happenings(), tries in 1..4_u32, capacity in 1..10_usize,
    ) {
        let limit = Limit { at_most: 2, within: MINUTE };
        let mut outbox = Outbox::new(Format::Json, Pace { limit, tries, capacity, ..pace() });
        let (mut now, mut offered, mut reached, mut lost) = (Moment::ZERO, 0, 0, 0);
        let mut deliver = |body: &str| {
            let body: Value = serde_json::from_str(body).unwrap();
            let number = |name: &str| body[name].as_u64().unwrap();
            reached += 1 + number("left_out");
            lost += number("dropped") + number("undelivered");
        };
        for (seconds, happening) in happenings {
            now = now + Duration::from_secs(seconds);
            match happening {
                Happening::News(circuit) => {
                    offered += 1;
                    outbox.offer(warning(&circuit.to_string(), "news"), now);
                }
                Happening::Turn(answer) => {
                    let Next::Post(body) = outbox.next(now) else { continue };
                    let answer = match answer {
                        0 => failed(Some(30)),
                        1 => failed(None),
                        2 => refused(),
                        _ => Answer::Done,
                    };
                    if answer == Answer::Done {
                        deliver(&body);
                    }
                    outbox.answered(answer, now);
                }
            }
        }
        offered += 1;
        outbox.offer(warning("last", "news"), now);
        outbox.stop();
        loop {
            match outbox.next(now) {
                Next::Post(body) => {
                    deliver(&body);
                    outbox.answered(Answer::Done, now);
                }
                Next::Wait(until) => now = until.unwrap(),
                Next::Finish => break,
            }
        }
        prop_assert_eq!(offered, reached + lost, "each told of, one way or the other");
        prop_assert_eq!(lost, outbox.stats().dropped + outbox.stats().undelivered);
    }
}
