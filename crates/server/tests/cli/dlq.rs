//! `fuseboard dlq` against a running server.

use std::thread;
use std::time::Duration;

use crate::console::{Console, words};
use crate::process::{Serving, http, upstream};
use crate::{run, run_with};

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

fn wait_for(console: &Console, status: &str) {
    for _ in 0..1000 {
        let page = console.json(&["dlq", "list", "--status", status]);
        if page["letters"][0]["id"] == 1 {
            return;
        }
        thread::sleep(Duration::from_millis(10)); // waits for: a replay
    }
    panic!("no letter became {status}: {:?}", console.run(&["dlq", "show", "1"]));
}

#[test]
fn a_letter_in_review_is_found_looked_at_and_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(&folder, &config("payments", upstream(&[503, 422, 201]), ""));
    let console = Console::of(&serving);
    assert_eq!(console.does(&["dlq", "list"]), "no letters\n");
    let answer = http(serving.gateway, "POST /charge?order=7", "{}");
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    wait_for(&console, "requires_review");

    let list = console.does(&["dlq", "list", "--circuit", "payments"]);
    let cells = &words(&list)[1];
    assert_eq!(cells[..6], ["1", "requires_review", "payments", "POST", "/charge?order=7", "1"]);
    let shown = console.does(&["dlq", "show", "1"]);
    assert!(shown.contains("requires_review") && shown.contains("answered 422"), "{shown}");
    assert!(words(&shown).contains(&vec!["priority", "normal"]), "{shown}");
    assert!(words(&shown).iter().any(|line| line[..1] == ["sla_deadline"]), "{shown}");

    let done = console.does(&["dlq", "requeue", "1", "--reason", "fixed it"]);
    assert_eq!(done, "letter 1 is pending\n");
    wait_for(&console, "resolved");
    let letter = console.json(&["dlq", "show", "1"]);
    let history = letter["history"].as_array().unwrap();
    let requeued = |entry: &serde_json::Value| entry["what"] == "requeued by admin: fixed it";
    assert!(history.iter().any(requeued), "{letter}");

    let discard = ["dlq", "discard", "1", "--reason", "no need"];
    console.fails(&discard, 1, "a letter that is resolved does not take this\n");
}

#[test]
fn letters_are_listed_by_what_they_are_page_by_page_or_all() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(&folder, &config("payments", upstream(&[503]), ""));
    let console = Console::of(&serving);
    console.does(&["circuits", "open", "payments", "--reason", "drill"]);
    for _ in 0..3 {
        assert!(http(serving.gateway, "POST /", "{}").starts_with("HTTP/1.1 202"));
    }
    let ids = |filter: &str| {
        let filter: Vec<&str> = filter.split_whitespace().collect();
        let json = console.json(&[&["dlq", "list"][..], &filter].concat());
        let letters = json["letters"].as_array().unwrap();
        let ids: Vec<String> = letters.iter().map(|letter| letter["id"].to_string()).collect();
        (ids.join(" "), json["next"].as_i64())
    };
    let rows = [
        ("", "1 2 3", None),
        ("--all", "1 2 3", None),
        ("--limit 2", "1 2", Some(2)),
        ("--limit 2 --after 2", "3", None),
        ("--circuit payments --status pending --failure rejected --priority normal", "1 2 3", None),
        ("--circuit orders", "", None),
        ("--domain mails", "", None),
        ("--failure timeout", "", None),
        ("--priority critical", "", None),
        ("--order-key customer/7&8", "", None),
        ("--late", "", None),
    ];
    for (filter, expected, next) in rows {
        assert_eq!(ids(filter), (expected.to_owned(), next), "{filter}");
    }
    let page = console.does(&["dlq", "list", "--limit", "2"]);
    assert!(page.ends_with("\nthere are more: --after 2, or --all\n"), "{page}");
}

#[test]
fn a_letter_past_its_deadline_is_found_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let config =
        config("payments", upstream(&[503]), "").replace("retry =", "sla = \"1ms\"\nretry =");
    let serving = Serving::start(&folder, &config);
    let console = Console::of(&serving);
    console.does(&["circuits", "open", "payments", "--reason", "drill"]);
    assert!(http(serving.gateway, "POST /", "{}").starts_with("HTTP/1.1 202"));
    let late = || console.does(&["dlq", "list", "--late"]);
    // The clock goes on meanwhile.
    let late = (0..1000).map(|_| late()).find(|list| list != "no letters\n").unwrap();
    assert_eq!(words(&late)[1][..2], ["1", "pending"], "{late}");
    let shown = console.does(&["dlq", "show", "1"]);
    assert!(
        shown.contains("\nit is late: it should have been done by its sla_deadline\n"),
        "{shown}"
    );
}

#[test]
fn what_was_not_done_ends_with_1_and_what_cannot_be_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = "tokens = { ops = \"s3cret\" }\n";
    let serving = Serving::start(&folder, &config("payments", upstream(&[503]), tokens));
    let token_file = folder.path().join("token");
    std::fs::write(&token_file, "s3cret\n").unwrap();
    let token = ["--token-file", token_file.to_str().unwrap()];
    let (missing, console) = (folder.path().join("none"), Console::of(&serving));
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
        (
            "list --priority high".to_owned(),
            2,
            "invalid value 'high' for '--priority <PRIORITY>': `high` is not",
        ),
        ("list --all --limit 3".to_owned(), 2, "the argument '--all' cannot be used with '--limit"),
        ("list --server https://a".to_owned(), 2, "invalid value 'https://a'"),
        ("list --server http://127.0.0.1:1".to_owned(), 1, "http://127.0.0.1:1/: no connection"),
        (format!("list --server http://{}", serving.gateway), 1, "http://127.0.0.1:"),
    ];
    for (line, expected, message) in rows {
        let own_server = line.contains("--server");
        let arguments: Vec<&str> = line.split(' ').collect();
        let (code, out, err) = match own_server {
            true => run(&[&["dlq"], arguments.as_slice()].concat()),
            false => console.run(&[&["dlq"], arguments.as_slice()].concat()),
        };
        assert_eq!((code, out.as_str()), (Some(expected), ""), "{line}\n{err}");
        assert!(err.starts_with(&format!("fuseboard: {message}")), "{line}\n{err}");
    }
    let server = format!("http://{}", serving.admin);
    let arguments = ["dlq", "--server", &server, "list"];
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
