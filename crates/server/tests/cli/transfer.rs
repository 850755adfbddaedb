//! `fuseboard dlq export` and `import`, between two running servers.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::console::Console;
use crate::process::{Serving, http};

/// A server whose service is not there, and which replays nothing by itself.
struct Shop {
    console: Console,
    serving: Serving,
    folder: tempfile::TempDir,
}

impl Shop {
    fn start() -> Self {
        let config = r#"
[upstreams.payments]
endpoints = ["http://127.0.0.1:1"]

[upstreams.orders]
endpoints = ["http://127.0.0.1:1"]

[[routes]]
path = "/orders"
upstream = "orders"
fallback = ["queue"]

[[routes]]
path = "/"
upstream = "payments"
fallback = ["queue"]
"#;
        let folder = tempfile::tempdir().unwrap();
        let serving = Serving::start(&folder, config);
        let console = Console::of(&serving);
        for circuit in ["payments", "orders"] {
            console.does(&["circuits", "open", circuit, "--for", "never", "--reason", "by hand"]);
        }
        Shop { console, serving, folder }
    }

    /// Keeps a letter for each path, with a body that is no text where the path says `raw`.
    fn keep(&self, paths: &[&str]) {
        for path in paths {
            let body = if path.contains("raw") {
                &b"\xff\x00\r\n"[..]
            } else {
                "{\"n\":\"ä\"}".as_bytes()
            };
            let answer = http(self.serving.gateway, &format!("POST {path}"), body);
            assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn letters_go_from_one_server_to_another() {
    let (from, to) = (Shop::start(), Shop::start());
    to.keep(&["/orders/1"]);
    // More than go over at once.
    let paths: Vec<String> = (0..59).map(|n| format!("/charge/{n}")).collect();
    from.keep(&paths.iter().map(String::as_str).collect::<Vec<_>>());
    from.keep(&["/charge/raw", "/orders/2"]);

    let file = from.file("payments.jsonl");
    let path = file.to_str().unwrap();
    let said = from.console.does(&["dlq", "export", path, "--circuit", "payments"]);
    assert_eq!(said, format!("60 letters are in {path}\n"));
    let written = fs::read_to_string(&file).unwrap();
    assert_eq!(lines(&written).len(), 60);
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "letters have credentials in them");
    let printed = from.console.does(&["dlq", "export", "-", "--circuit", "payments"]);
    assert_eq!(printed, written);
    assert_eq!(lines(&from.console.does(&["dlq", "export", "-"])).len(), 61);

    let moving = ["dlq", "import", path, "--reason", "moving house"];
    assert_eq!(to.console.does(&moving), "60 letters were imported\n");
    for id in [1, 59, 60] {
        let shown = |shop: &Shop, id: u32| shop.console.json(&["dlq", "show", &id.to_string()]);
        let (sent, kept) = (shown(&from, id), shown(&to, id + 1));
        let fields =
            ["uri", "method", "headers", "body_text", "body_hex", "key", "captured_at", "location"];
        for field in fields {
            assert_eq!(sent[field], kept[field], "{field}");
        }
    }
    let kept = to.console.json(&["dlq", "show", "61"]);
    assert_eq!(kept["body_hex"], "ff000d0a");
    assert!(kept["history"][0]["what"].as_str().unwrap().contains("moving house"), "{kept}");
    let again = format!("0 letters were imported, 60 were not, first {path}:1: ");
    to.console.fails(&moving, 1, &again);
    let logs = [(&from, "letters.export"), (&to, "letters.import")];
    for (shop, action) in logs {
        let log = shop.console.json(&["audit", "--action", action]);
        assert!(!log["records"].as_array().unwrap().is_empty(), "{action}: {log}");
    }
}

#[test]
fn a_letter_that_waits_for_another_says_so() {
    let shop = Shop::start();
    shop.keep(&["/charge/1"]);
    let mut letter = lines(&shop.console.does(&["dlq", "export", "-"])).remove(0);
    letter["order_key"] = json!("customer 7");
    let mut text = String::new();
    for digit in ["2", "3"] {
        letter["key"] = json!(digit);
        letter["token"] = json!(digit.repeat(32));
        text += &format!("{letter}\n");
    }
    let file = shop.file("two.jsonl");
    fs::write(&file, text).unwrap();
    shop.console.does(&["dlq", "import", file.to_str().unwrap(), "--reason", "a line"]);
    let shown = shop.console.does(&["dlq", "show", "3"]);
    let waits = "\nit waits for letter 2 with the same order key, which is pending\n";
    assert!(shown.contains(waits), "{shown}");
    let list = shop.console.json(&["dlq", "list", "--order-key", "customer 7"]);
    assert_eq!(list["letters"].as_array().unwrap().len(), 2, "{list}");
}

#[test]
fn what_cannot_be_moved_is_refused() {
    let shop = Shop::start();
    shop.keep(&["/charge"]);
    let [there, broken, foreign, empty] =
        ["there", "broken", "foreign", "empty"].map(|name| shop.file(name));
    let whole = shop.console.does(&["dlq", "export", "-"]);
    fs::write(&there, "mine").unwrap();
    fs::write(&broken, format!("\n{whole}{{\"id\":")).unwrap();
    fs::write(&foreign, "{\"id\":1}\n").unwrap();
    fs::write(&empty, "\n").unwrap();
    let name = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let missing = name(&shop.file("missing"));
    let import = |path: &PathBuf| format!("import {} --reason x", name(path));
    let rows = [
        (format!("export {}", name(&there)), 2, format!("{}: it is there already", name(&there))),
        (format!("export {missing}/letters"), 2, format!("{missing}/letters: ")),
        (format!("import {missing} --reason x"), 2, format!("{missing}: ")),
        (import(&broken), 2, format!("{}:3: EOF while parsing", name(&broken))),
        (import(&empty), 1, format!("{}: no letters in it", name(&empty))),
        (import(&foreign), 2, String::new()),
        (format!("import {missing}"), 2, "the following required arguments".to_owned()),
    ];
    for (line, code, message) in rows {
        let arguments: Vec<&str> = line.split(' ').collect();
        shop.console.fails(&[&["dlq"], &arguments[..]].concat(), code, &message);
    }
    assert_eq!(fs::read_to_string(&there).unwrap(), "mine");
    assert_eq!(fs::read_dir(shop.folder.path()).unwrap().count(), 6, "no half files are left");
}
