//! `fuseboard audit` against a running server.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::console::{Console, names, words};
use crate::process::Serving;

const DEAD: &str = r#"
[upstreams.payments]
endpoints = ["http://127.0.0.1:1"]

[[routes]]
path = "/"
upstream = "payments"
"#;
const PATIENCE: Duration = Duration::from_secs(30);

/// `fuseboard audit --follow`, killed when dropped.
struct Following {
    child: Child,
    lines: Receiver<String>,
}

impl Following {
    fn start(serving: &Serving, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_fuseboard"))
            .args(["audit", "--follow", "--server", &format!("http://{}", serving.admin)])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Following { child, lines }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line within 30 s")
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serving() -> (tempfile::TempDir, Serving, Console) {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(&folder, DEAD);
    let console = Console::of(&serving);
    (folder, serving, console)
}

#[test]
fn what_was_done_is_found_by_who_what_and_when() {
    let (_folder, _serving, console) = serving();
    assert_eq!(console.does(&["audit"]), "no records\n");
    console.does(&["circuits", "open", "payments", "--reason", "drill"]);
    console.does(&["governance", "kill-switch", "on", "--reason", "bad night"]);
    console.does(&["circuits", "auto", "payments", "--reason", "over"]);

    let log = console.does(&["audit"]);
    let lines = words(&log);
    assert_eq!(lines[0], ["AT", "ACTOR", "ACTION", "TARGET", "REASON", "BEFORE", "AFTER"]);
    let targets: Vec<_> = lines[1..].iter().map(|line| line[3]).collect();
    assert_eq!(targets, ["circuit/payments", "setting/kill_switch", "circuit/payments"], "{log}");
    assert!(lines[1][4] == "drill" && lines[2][4..6] == ["bad", "night"], "{log}");

    let count = |filter: &[&str]| {
        let json = console.json(&[&["audit"], filter].concat());
        json["records"].as_array().unwrap().len()
    };
    assert_eq!(count(&["--target", "circuit/payments"]), 2);
    assert_eq!(count(&["--action", "setting.change"]), 1);
    assert_eq!(count(&["--actor", "admin"]), 3);
    assert_eq!(count(&["--actor", "nobody"]), 0);
    assert_eq!(count(&["--since", "1h"]), 3);
    assert_eq!(count(&["--since", "2999-01-01T00:00:00Z"]), 0);
    assert_eq!(count(&["--limit", "2"]), 2);
    let newest = console.json(&["audit", "--limit", "1"]);
    assert_eq!(newest["records"][0]["reason"], "over");
    assert_eq!(names(&newest["records"][0]), "action actor after at before id reason subject");
}

#[test]
fn a_log_that_is_followed_goes_on_with_each_record_once() {
    let (_folder, serving, console) = serving();
    console.does(&["circuits", "open", "payments", "--reason", "before"]);
    let in_words = Following::start(&serving, &[]);
    let for_programs = Following::start(&serving, &["--json", "--target", "circuit/payments"]);
    assert!(in_words.line().starts_with("AT "), "titles come first");
    assert!(in_words.line().contains(" before "));
    let reason = |line: String| serde_json::from_str::<Value>(&line).unwrap()["reason"].clone();
    assert_eq!(reason(for_programs.line()), "before");
    for why in ["first", "second"] {
        console.does(&["governance", "emergency", "1", "--reason", why]);
        console.does(&["circuits", "open", "payments", "--reason", why]);
        assert!(in_words.line().contains(&format!(" {why} ")));
        assert!(in_words.line().contains(&format!(" {why} ")));
        assert_eq!(reason(for_programs.line()), why);
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let (_folder, _serving, console) = serving();
    let rows: &[(&[&str], i32, &str)] = &[
        (
            &["--since", "yesterday"],
            2,
            "invalid value 'yesterday' for '--since <TIME>': expected how long ago, such as 2h, or a time",
        ),
        (&["--limit", "0"], 2, "invalid value '0' for '--limit <LIMIT>': 0 is not in 1..=500"),
        (&["--target"], 2, "a value is required for '--target <TARGET>'"),
    ];
    for (arguments, code, message) in rows {
        console.fails(&[&["audit"], *arguments].concat(), *code, message);
    }
}
