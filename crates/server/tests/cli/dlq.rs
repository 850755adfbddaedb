//! `fuseboard dlq` against a running server.

use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::process::{Serving, http, upstream};
use super::{run, run_with};

/// A server with the upstream `name` at `endpoint`, which captures what fails.
fn config(name: &str, endpoint: std::net::SocketAddr, tokens: &str) -> String {
    format!(
        r#"{tokens}
[letters]
retry = "cooldown(10ms)"

[upstreams.{name}]
endpoints = ["http://{endpoint}"]
trip = "failure_streak(100)"

[[routes]]
path = "/"
upstream = "{name}"
idempotent = true
fallback = ["queue"]
"#
    )
}

struct Dlq {
    server: String,
}

impl Dlq {
    fn of(serving: &Serving) -> Self {
        Dlq { server: format!("http://{}", serving.admin) }
    }

    /// Exit code, standard output, standard error.
    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        run(&[&["dlq", "--server", &self.server], arguments].concat())
    }

    fn wait_for(&self, status: &str) {
        for _ in 0..1000 {
            let (_, out, _) = self.run(&["list", "--status", status, "--json"]);
            let page: Value = serde_json::from_str(&out).unwrap();
            if page["letters"][0]["id"] == 1 {
                return;
            }
            thread::sleep(Duration::from_millis(10)); // waits for: a replay
        }
        panic!("no letter became {status}: {:?}", self.run(&["show", "1"]));
    }
}

#[test]
fn a_letter_in_review_is_found_looked_at_and_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(&folder, &config("payments", upstream(&[503, 422, 201]), ""));
    let dlq = Dlq::of(&serving);
    assert_eq!(dlq.run(&["list"]), (Some(0), "no letters\n".to_owned(), String::new()));
    let answer = http(serving.gateway, "POST /charge?order=7", "{}");
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    dlq.wait_for("requires_review");

    let (code, out, _) = dlq.run(&["list", "--circuit", "payments"]);
    let cells: Vec<&str> = out.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(code, Some(0));
    assert_eq!(cells[..6], ["1", "requires_review", "payments", "POST", "/charge?order=7", "1"]);
    let (code, out, _) = dlq.run(&["show", "1"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("requires_review") && out.contains("answered 422"), "{out}");

    let (code, out, err) = dlq.run(&["requeue", "1", "--reason", "fixed it"]);
    assert_eq!((code, out.as_str()), (Some(0), "letter 1 is pending\n"), "{err}");
    dlq.wait_for("resolved");
    let (_, out, _) = dlq.run(&["show", "1", "--json"]);
    let letter: Value = serde_json::from_str(&out).unwrap();
    let history = letter["history"].as_array().unwrap();
    assert!(history.iter().any(|entry| entry["what"] == "requeued by admin: fixed it"), "{out}");

    let (code, out, err) = dlq.run(&["discard", "1", "--reason", "no need"]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert_eq!(err, "fuseboard: a letter that is resolved does not take this\n");
}

#[test]
fn what_was_not_done_ends_with_1_and_what_cannot_be_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = "tokens = { ops = \"s3cret\" }\n";
    let serving = Serving::start(&folder, &config("payments", upstream(&[503]), tokens));
    let token_file = folder.path().join("token");
    std::fs::write(&token_file, "s3cret\n").unwrap();
    let token = ["--token-file", token_file.to_str().unwrap()];
    let (missing, dlq) = (folder.path().join("none"), Dlq::of(&serving));
    let with_token = |arguments: &[&str]| [arguments, &token].concat().join(" ");
    let rows = [
        ("list".to_owned(), 1, "Authorization: expected"),
        (with_token(&["show", "7"]), 1, "there is no letter 7"),
        (with_token(&["discard", "7", "--reason", "x"]), 1, "there is no letter 7"),
        (with_token(&["discard", "7", "--reason="]), 2, "reason: expected"),
        (format!("list --token-file {}", missing.display()), 2, "--token-file: "),
        ("discard 7".to_owned(), 2, "the following required arguments"),
        ("show seven".to_owned(), 2, "invalid value 'seven'"),
        ("list --status lost".to_owned(), 2, "invalid value 'lost'"),
        ("list --limit 501".to_owned(), 2, "invalid value '501'"),
        ("list --server https://a".to_owned(), 2, "invalid value 'https://a'"),
        ("list --server http://127.0.0.1:1".to_owned(), 1, "http://127.0.0.1:1/: no connection"),
        (format!("list --server http://{}", serving.gateway), 1, "http://127.0.0.1:"),
    ];
    for (line, expected, message) in rows {
        let own_server = line.contains("--server");
        let arguments: Vec<&str> = line.split(' ').collect();
        let (code, out, err) = match own_server {
            true => run(&[&["dlq"], arguments.as_slice()].concat()),
            false => dlq.run(&arguments),
        };
        assert_eq!((code, out.as_str()), (Some(expected), ""), "{line}\n{err}");
        assert!(err.starts_with(&format!("fuseboard: {message}")), "{line}\n{err}");
    }
    let arguments = ["dlq", "--server", &dlq.server, "list"];
    let (code, out, err) = run_with(&[("FUSEBOARD_TOKEN", "s3cret")], &arguments);
    assert_eq!((code, out.as_str()), (Some(0), "no letters\n"), "{err}");
}

#[test]
fn letters_of_an_upstream_that_was_renamed_are_told_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let address = upstream(&[503]);
    let serving = Serving::start(&folder, &config("old", address, ""));
    assert!(http(serving.gateway, "POST /", "").starts_with("HTTP/1.1 202"));
    serving.stop_and_read();

    let serving = Serving::start(&folder, &config("new", address, ""));
    let told: Vec<&str> = serving.log.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(told.len(), 1, "{}", serving.log);
    for part in ["circuit=\"old\"", "letters=1", "once there is an upstream of that name"] {
        assert!(told[0].contains(part), "{part}\n{}", told[0]);
    }
    let health = http(serving.admin, "GET /readyz", "");
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
    assert!(health.ends_with(r#"{"status":"ok","unconfigured":{"old":1}}"#), "{health}");
}
