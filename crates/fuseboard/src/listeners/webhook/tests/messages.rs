//! What messages say, in each format.

use std::time::Duration;

use fuseboard_core::time::WallTime;
use fuseboard_core::{CircuitBreaker, Pin, Rules};
use serde_json::{Value, json};

use super::super::limiter::Entry;
use super::super::message::{Format, Losses, Message};
use super::told;
use crate::listeners::News;

fn fail(breaker: &CircuitBreaker, times: usize) {
    for _ in 0..times {
        let _ = breaker.call(|| Err::<(), _>("connection refused"));
    }
}

/// A circuit that was tripped, whose probe failed, and that somebody pinned.
fn a_bad_day() -> Vec<News> {
    let rules = Rules::builder()
        .tripper("failures(3)".parse().unwrap())
        .retry("cooldown(10s)".parse().unwrap())
        .build()
        .unwrap();
    told(rules, |breaker, clock| {
        let _ = breaker.call(|| Ok::<_, &str>(()));
        fail(breaker, 3);
        clock.advance(Duration::from_millis(12_345));
        fail(breaker, 1);
        let pin = Pin::by("ops").because("<!channel> R&D says: migrate");
        breaker.force_open(pin.lasting(Duration::from_secs(5400)));
        breaker.reset();
    })
}

fn body(format: Format, news: &News, left_out: u64, losses: Losses) -> Value {
    let at = WallTime::from_unix_millis(1_700_000_000_000);
    let entry = Entry { left_out, ..Entry::new(news.clone(), at) };
    serde_json::from_str(&format.body(&Message { entry, losses })).unwrap()
}

#[test]
fn programs_get_what_tripped_and_why_and_what_was_counted() {
    let news = a_bad_day();
    let losses = Losses { dropped: 2, undelivered: 3 };
    let mut tripped = body(Format::Json, &news[0], 1, losses);
    let text = tripped["text"].take();
    assert_eq!(
        tripped,
        json!({
            "event": "transition", "circuit": "payments",
            "from": "closed", "to": "open", "cause": "tripped", "why": "failures(3): 3 of 4 failed",
            "generation": 1, "reopens": 0, "retry_after_ms": 10_000, "pin": null,
            "window": { "total": 4, "failures": 3, "failure_rate": 0.75, "streak": 3 },
            "heard_at_unix_ms": 1_700_000_000_000_u64,
            "left_out": 1, "dropped": 2, "undelivered": 3, "text": null,
        })
    );
    assert_eq!(
        text,
        "payments is open (was closed): tripped\n\
         why: failures(3): 3 of 4 failed\n\
         window: 3 of 4 calls failed, the last 3 in a row\n\
         next attempt in 10s\n\
         1 more about payments left out, to send no more than allowed\n\
         2 dropped since the last message, because too much waited\n\
         3 not delivered since the last message"
    );
    let pinned = body(Format::Json, &news[3], 0, Losses::default());
    let pin =
        json!({ "actor": "ops", "reason": "<!channel> R&D says: migrate", "lasts_ms": 5_400_000 });
    assert_eq!(pinned["pin"], pin);
    let closed = body(Format::Json, &news[4], 0, Losses::default());
    assert_eq!((&closed["why"], &closed["window"]["failure_rate"]), (&json!(""), &Value::Null));
}

#[test]
fn slack_gets_the_lines_and_nobody_is_mentioned_by_a_reason() {
    let news = a_bad_day();
    let slack = |news| body(Format::Slack, news, 0, Losses::default());
    assert_eq!(
        slack(&news[2]),
        json!({ "text": "payments is open (was half_open): probe_failed\n\
            why: probe_failed, after failures(3): 3 of 4 failed\n\
            window: 1 of 1 calls failed, the last 1 in a row\n\
            next attempt in 10s\n\
            half_open ended in open 1 times" })
    );
    assert_eq!(
        slack(&news[3]),
        json!({ "text": "payments is forced_open (was open): pinned\n\
            why: pinned by ops: &lt;!channel&gt; R&amp;D says: migrate\n\
            next attempt in 1h30m\n\
            half_open ended in open 1 times\n\
            the pin lasts 1h30m" })
    );
    let would = News::would_trip("prices", "failure_rate(0.5): 5 of 8 failed");
    let text = "prices would have opened: failure_rate(0.5): 5 of 8 failed";
    assert_eq!(slack(&would), json!({ "text": text }));
}

#[test]
fn a_reason_without_end_is_cut() {
    let endless = "ü".repeat(100_000);
    let pinned =
        told(Rules::default(), |breaker, _| breaker.disable(Pin::by("ops").because(endless)));
    for format in [Format::Json, Format::Slack] {
        let size = body(format, &pinned[0], 0, Losses::default()).to_string().len();
        assert!(size < 5_000, "{format:?}: {size}");
    }
}
