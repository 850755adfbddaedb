//! A server whose log is read, and one whose log is not.

use std::io::Write;
use std::thread;

use super::process::{Serving, http};

const DEAD: &str = r#"
[upstreams.payments]
endpoints = ["http://127.0.0.1:1"]
trip = "failure_streak(2)"
retry = "cooldown(10ms)"

[[routes]]
path = "/"
upstream = "payments"
"#;

#[test]
fn the_last_lines_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(&folder, DEAD);
    let log = serving.stop_and_read();
    assert!(log.contains("stopping: SIGTERM"), "{log}");
    assert!(log.trim_end().ends_with("stopped"), "{log}");
}

#[test]
fn a_log_that_nobody_reads_stops_neither_service_nor_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut serving = Serving::start(&folder, DEAD);
    let mut stderr = serving.stderr();
    let filling = thread::spawn(move || {
        // More than a pipe holds: this blocks for as long as nobody reads, and the pipe stays full.
        let _ = stderr.write_all(&vec![b'x'; 4 << 20]);
    });
    // The circuit opens, tries and opens again all the time, and each time logs that.
    for _ in 0..100 {
        let answer = http(serving.gateway, "GET /", "");
        let expected = ["HTTP/1.1 502", "HTTP/1.1 503"];
        assert!(expected.iter().any(|status| answer.starts_with(status)), "{answer}");
    }
    let health = http(serving.admin, "GET /healthz", "");
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
    assert!(!filling.is_finished(), "the pipe must be full for this to show anything");
    assert!(serving.stops(), "no exit with 0 within 10 s of SIGTERM");
}
