//! `fuseboard dlq replay`, and its jobs, against a running server.
//!
//! A circuit that is forced closed has its letters replayed only when somebody asks for it.

use crate::console::{Console, names, words};
use crate::process::{Serving, http, upstream};

struct Shop {
    console: Console,
    _serving: Serving,
    _folder: tempfile::TempDir,
}

impl Shop {
    /// A server with `letters` letters, 1 and up, whose service answers 503 to all of them, and then these.
    fn with_letters(letters: usize, statuses: &[u16]) -> Self {
        let statuses = [&vec![503; letters][..], statuses].concat();
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            r#"
[letters]
retry = "cooldown(1ms)"

[domains.orders]
priority = "critical"

[upstreams.payments]
endpoints = ["http://{}"]
domain = "orders"
trip = "failure_streak(100)"

[[routes]]
path = "/"
upstream = "payments"
idempotent = true
fallback = ["queue"]
"#,
            upstream(statuses.leak())
        );
        let serving = Serving::start(&folder, &config);
        let console = Console::of(&serving);
        console.does(&["circuits", "close", "payments", "--reason", "by hand only"]);
        for _ in 0..letters {
            assert!(http(serving.gateway, "POST /", "{}").starts_with("HTTP/1.1 202"));
        }
        Shop { console, _serving: serving, _folder: folder }
    }

    fn statuses(&self) -> Vec<String> {
        let json = self.console.json(&["dlq", "list", "--all"]);
        let letters = json["letters"].as_array().unwrap();
        letters.iter().map(|letter| letter["status"].as_str().unwrap().to_owned()).collect()
    }
}

const WHY: [&str; 2] = ["--reason", "service is back"];

fn replay(arguments: &[&'static str]) -> Vec<&'static str> {
    [&["dlq", "replay"], arguments, &WHY].concat()
}

#[test]
fn one_letter_is_replayed_and_what_it_came_to_is_said() {
    let shop = Shop::with_letters(3, &[201, 422]);
    let console = &shop.console;
    assert_eq!(console.does(&replay(&["1"])), "letter 1 is resolved: answered 201\n");
    console.fails(&replay(&["1"]), 1, "letter 1 was not replayed: resolved already");
    console.fails(&replay(&["2"]), 1, "letter 2 was not replayed: answered 422");
    console.fails(
        &replay(&["2"]),
        1,
        "letter 2 was not replayed: cannot replay: the letter is requires_review",
    );
    console.fails(&replay(&["9"]), 1, "there is no letter 9");
    console.fails(
        &replay(&["3", "--header", "Authorization: Bearer abc", "--header", "x-key:"]),
        1,
        "letter 3 was not replayed: cannot replay: not withheld: authorization, x-key",
    );
    console.fails(
        &replay(&["3", "--header", "no header"]),
        2,
        "invalid value 'no header' for '--header <HEADER>': expected `name: value`, or `name:` to go without",
    );
    let (code, out, _) = console.run(&[&replay(&["2"])[..], &["--json"]].concat());
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &json["success"], &json["id"]), (Some(1), &false.into(), &2.into()));
    assert_eq!(shop.statuses(), ["resolved", "requires_review", "pending"]);
}

#[test]
fn many_letters_are_replayed_in_a_job() {
    let shop = Shop::with_letters(5, &[201, 201, 422, 201]);
    let console = &shop.console;
    assert_eq!(console.does(&["dlq", "jobs"]), "no jobs\n");
    let dry = console.does(&replay(&["--all", "--dry-run"]));
    assert!(dry.contains("5 letters (at most 100): 0 done, 0 failed, 5 skipped"), "{dry}");
    assert_eq!(shop.statuses(), ["pending"; 5]);

    let job = console.json(&replay(&["--circuit", "payments", "--max", "2", "--rate", "1000"]));
    assert_eq!((&job["status"], &job["limit"]), (&"done".into(), &2.into()));
    assert_eq!(job["result"]["success_count"], 2);
    let fields = "action actor adaptive dry_run ended_at error escalate_failures filter id limit override \
                  priority rate reason result started_at status";
    assert_eq!(names(&job), fields);
    assert_eq!(
        names(&job["result"]["results"][0]),
        "answer attempts error id message skipped status success"
    );

    let said = console.does(&replay(&["--domain", "orders"]));
    assert!(said.contains("letters of domain orders"), "{said}");
    assert!(said.contains("3 letters (at most 100): 2 done, 1 failed, 0 skipped"), "{said}");
    assert_eq!(words(&said).last().unwrap()[..2], ["3", "answered"], "{said}");
    console.fails(&replay(&["--all"]), 1, "no letter was due, of all letters");

    let jobs = console.does(&["dlq", "jobs"]);
    let first: Vec<_> = words(&jobs)[1..].iter().map(|line| line[0].to_owned()).collect();
    assert_eq!(first.len(), 4, "{jobs}");
    assert!(first.is_sorted_by(|left, right| left > right), "the newest first: {jobs}");
    assert_eq!(console.json(&["dlq", "jobs"])["jobs"].as_array().unwrap().len(), 4);
    assert_eq!(console.does(&["dlq", "job", &first[1]]), said);
    let ended = format!("job {} has ended: it is done", first[1]);
    console.fails(&["dlq", "cancel", &first[1], "--reason", "x"], 1, &ended);
    console.fails(&["dlq", "job", "9"], 1, "there is no job 9");
}

#[test]
fn a_job_that_is_not_waited_for_goes_on_until_it_is_canceled() {
    let shop = Shop::with_letters(3, &[201]);
    let console = &shop.console;
    // The second letter would go a thousand seconds after the first.
    let begun = console.does(&replay(&["--all", "--rate", "0.001", "--detach"]));
    let id = begun.strip_prefix("job ").and_then(|rest| rest.split(':').next()).unwrap();
    let said = format!("job {id}: all letters; `fuseboard dlq cancel {id}` stops it\n");
    assert_eq!(begun, said);
    assert_eq!(console.json(&["dlq", "job", id])["status"], "running");
    let canceled = console.does(&["dlq", "cancel", id, "--reason", "too slow"]);
    assert_eq!(canceled, format!("job {id} stops\n"));
    let mut job = console.json(&["dlq", "job", id]);
    while job["status"] == "running" {
        job = console.json(&["dlq", "job", id]);
    }
    assert_eq!((&job["status"], &job["ended_at"].is_string()), (&"canceled".into(), &true));
}

#[test]
fn governance_keeps_letters_where_they_are_unless_it_is_overridden() {
    let shop = Shop::with_letters(2, &[201]);
    let console = &shop.console;
    console.does(&["governance", "kill-switch", "on", "--reason", "bad night"]);
    console.fails(&replay(&["1"]), 1, "letter 1 was not replayed: the kill switch is on");
    console.fails(&replay(&["--all"]), 1, "governance blocks replay: kill_switch");
    assert_eq!(shop.statuses(), ["pending", "pending"]);
    assert_eq!(console.does(&replay(&["1", "--override"])), "letter 1 is resolved: answered 201\n");
    console.does(&replay(&["--all", "--override"]));
    assert_eq!(shop.statuses(), ["resolved", "resolved"]);
    let log = console.json(&["audit", "--action", "governance.overridden"]);
    let records = log["records"].as_array().unwrap();
    let gates: Vec<&str> = records.iter().map(|one| one["after"].as_str().unwrap()).collect();
    assert!(gates.contains(&"replay_single: the kill switch is on"), "{log}");
    assert!(gates.contains(&"replay_batch: the kill switch is on"), "{log}");
}

#[test]
fn what_cannot_be_is_refused() {
    let shop = Shop::with_letters(0, &[201]);
    let which =
        "the following required arguments were not provided:\n  <ID|--all|--circuit <CIRCUIT>";
    let rows: &[(&[&str], i32, &str)] = &[
        (&["replay", "--reason", "x"], 2, which),
        (&["replay", "7"], 2, "the following required arguments were not provided:\n  --reason"),
        (&["replay", "seven", "--reason", "x"], 2, "invalid value 'seven' for '[ID]'"),
        (
            &["replay", "7", "--all", "--reason", "x"],
            2,
            "the argument '[ID]' cannot be used with '--all'",
        ),
        (
            &["replay", "7", "--dry-run", "--reason", "x"],
            2,
            "the argument '[ID]' cannot be used with '--dry-run'",
        ),
        (
            &["replay", "--all", "--circuit", "a", "--reason", "x"],
            2,
            "the argument '--all' cannot be used with '--circuit",
        ),
        (
            &["replay", "--all", "--max", "0", "--reason", "x"],
            2,
            "invalid value '0' for '--max <N>': 0 is not in 1..=100000",
        ),
        (
            &["replay", "--all", "--rate", "-1", "--reason", "x"],
            2,
            "invalid value '-1' for '--rate <N>': expected a number of letters",
        ),
        (
            &["replay", "--all", "--adaptive", "--max", "5", "--reason", "x"],
            2,
            "the argument '--adaptive' cannot be used with '--max <N>'",
        ),
        (
            &["replay", "--domain", "a", "--priority", "--reason", "x"],
            2,
            "the argument '--domain <DOMAIN>' cannot be used with '--priority'",
        ),
        (&["replay", "--all", "--reason="], 2, "reason: expected one line of text"),
        (
            &["replay", "--circuit", "paymets", "--reason", "x"],
            2,
            "circuit: there is no circuit `paymets`: expected",
        ),
        (&["job", "x"], 2, "invalid value 'x' for '<ID>'"),
        (&["cancel", "1"], 2, "the following required arguments were not provided:\n  --reason"),
    ];
    for (arguments, code, message) in rows {
        shop.console.fails(&[&["dlq"], *arguments].concat(), *code, message);
    }
}
