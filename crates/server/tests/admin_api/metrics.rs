//! What is counted, as Prometheus reads it.

use std::time::Duration;

use fuseboard_core::letter::Status;
use fuseboard_core::time::Clock;
use fuseboard_store::Letters;

use crate::rig::{Server, assert_line};

#[tokio::test]
async fn metrics_are_there_from_the_first_scrape() {
    let server = Server::start().await;
    let reply = server.get("/metrics").await;
    assert!(reply.has("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"));
    for state in fuseboard_core::State::ALL {
        let value = u8::from(state == fuseboard_core::State::Closed);
        let line =
            format!("fuseboard_circuit_state{{circuit=\"payments\",state=\"{state}\"}} {value}");
        assert_line(&reply.body, &line);
    }
    for outcome in ["success", "failure", "ignored", "cancelled", "rejected", "stale"] {
        assert_line(
            &reply.body,
            &format!("fuseboard_calls_total{{circuit=\"payments\",outcome=\"{outcome}\"}} 0"),
        );
    }
    for status in Status::ALL {
        assert_line(
            &reply.body,
            &format!("fuseboard_letters{{circuit=\"payments\",status=\"{status}\"}} 0"),
        );
    }
    for line in [
        "fuseboard_call_duration_seconds_count{circuit=\"orders/eu\"} 0",
        "fuseboard_letters_captured_total{circuit=\"payments\"} 0",
        "fuseboard_oldest_letter_age_seconds{circuit=\"payments\"} 0.0",
        "fuseboard_letters_purged_total{circuit=\"payments\"} 0",
        "fuseboard_letters_late{circuit=\"payments\"} 0",
        "fuseboard_governance_checks_total{result=\"blocked\"} 0",
        "fuseboard_audit_records_waiting 0",
        "fuseboard_store_up 1",
        "# EOF",
    ] {
        assert_line(&reply.body, line);
    }
}

#[tokio::test]
async fn metrics_follow_what_happens() {
    let server = Server::start().await;
    server.clock.advance(Duration::from_secs(3));
    server.trip("payments");
    assert!(server.board.get("payments").unwrap().try_acquire().is_err());
    server.metrics.observe_call("payments", Duration::from_millis(20));
    server.metrics.count_replay("payments", "resolved");
    server.capture("payments", "a", b"").await;
    server.capture("gone", "b", b"").await;
    server.clock.advance(Duration::from_secs(4));
    let text = server.get("/metrics").await.body;
    for line in [
        "fuseboard_circuit_state{circuit=\"payments\",state=\"open\"} 1",
        "fuseboard_circuit_state{circuit=\"payments\",state=\"closed\"} 0",
        "fuseboard_calls_total{circuit=\"payments\",outcome=\"failure\"} 2",
        "fuseboard_calls_total{circuit=\"payments\",outcome=\"rejected\"} 1",
        "fuseboard_call_duration_seconds_count{circuit=\"payments\"} 1",
        "fuseboard_call_duration_seconds_bucket{le=\"0.025\",circuit=\"payments\"} 1",
        "fuseboard_state_seconds_total{circuit=\"payments\",state=\"closed\"} 3.0",
        "fuseboard_state_seconds_total{circuit=\"payments\",state=\"open\"} 4.0",
        "fuseboard_state_seconds_total{circuit=\"orders/eu\",state=\"closed\"} 7.0",
        "fuseboard_transitions_total{circuit=\"payments\",from=\"closed\",to=\"open\",cause=\"tripped\"} 1",
        "fuseboard_replays_total{circuit=\"payments\",result=\"resolved\"} 1",
        "fuseboard_letters{circuit=\"payments\",status=\"pending\"} 1",
        "fuseboard_letters_captured_total{circuit=\"payments\"} 1",
        "fuseboard_oldest_letter_age_seconds{circuit=\"payments\"} 4.0",
        "fuseboard_letters{circuit=\"other\",status=\"pending\"} 1",
    ] {
        assert_line(&text, line);
    }
    assert!(!text.contains("gone"), "labels are bounded by the configuration");
}

#[tokio::test]
async fn circuits_that_are_not_configured_make_no_series() {
    let server = Server::start().await;
    server.metrics.observe_call("gone", Duration::from_millis(20));
    server.metrics.count_replay("gone", "resolved");
    assert!(!server.get("/metrics").await.body.contains("gone"));
}

#[tokio::test]
async fn late_letters_and_purged_ones_are_counted_and_none_goes_missing() {
    let server = Server::start().await;
    for (circuit, key) in [("payments", "a"), ("payments", "b"), ("payments", "c"), ("gone", "d")] {
        server.capture(circuit, key, b"").await;
    }
    server.replay("payments", 200).await;
    server.clock.advance(Duration::from_secs(3599));
    let text = server.get("/metrics").await.body;
    assert_line(&text, "fuseboard_letters_late{circuit=\"payments\"} 0");
    server.clock.advance(Duration::from_secs(1));
    server.letters.purge(server.clock.wall(), 10).await.unwrap();
    let text = server.get("/metrics").await.body;
    for line in [
        "fuseboard_letters_late{circuit=\"payments\"} 2",
        "fuseboard_letters_late{circuit=\"other\"} 1",
        "fuseboard_letters_captured_total{circuit=\"payments\"} 3",
        "fuseboard_letters{circuit=\"payments\",status=\"pending\"} 2",
        "fuseboard_letters{circuit=\"payments\",status=\"resolved\"} 0",
        "fuseboard_letters_purged_total{circuit=\"payments\"} 1",
    ] {
        assert_line(&text, line);
    }
    assert!(!text.contains("gone"), "labels are bounded by the configuration");
}
