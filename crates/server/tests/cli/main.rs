//! The command line of the real binary: exit codes, and what it says.
#![cfg(test)]

use std::process::Command;

mod audit;
mod bad_data;
mod circuits;
mod console;
mod dlq;
mod governance;
mod keys;
mod logging;
mod process;
mod replay;
mod store;
mod transfer;

const CONFIG: &str = r#"
[server.tokens]
ops = "s3cret"

[upstreams.payments]
endpoints = ["http://127.0.0.1:9000"]

[[routes]]
path = "/payments/"
methods = ["POST"]
upstream = "payments"
fallback = ["queue", { status = 503 }]
"#;

/// Exit code, standard output, standard error.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    run_with(&[], arguments)
}

fn run_with(environment: &[(&str, &str)], arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fuseboard"));
    command.env("FUSEBOARD_LOG", "info").env_remove("FUSEBOARD_TOKEN");
    let output = command.envs(environment.iter().copied()).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn input_that_cannot_be_used_ends_with_2_and_one_message() {
    let rows: &[(&[&str], &str)] = &[
        (
            &["serve"],
            "nothing to serve: give --config fuseboard.toml, or --upstream http://host:port",
        ),
        (
            &["serve", "--upstream", "https://a"],
            "--upstream: `https://a` is not possible: https upstreams",
        ),
        (
            &["serve", "--upstream", "http://a", "--admin", "0.0.0.0:1"],
            "--admin: `0.0.0.0:1` is not possible",
        ),
        (&["serve", "--config", "missing.toml"], "missing.toml: cannot be read: "),
        (
            &["serve", "--config", "a", "--upstream", "http://a"],
            "the argument '--config <FILE>' cannot be used",
        ),
        (
            &["serve", "--listen", "x"],
            "invalid value 'x' for '--listen <ADDR>': expected an address such as",
        ),
        (&["check", "--config", "missing.toml"], "missing.toml: cannot be read: "),
        (&["frobnicate"], "unrecognized subcommand 'frobnicate'"),
    ];
    for (arguments, expected) in rows {
        let (code, out, err) = run(arguments);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}\n{err}");
        assert!(err.starts_with(&format!("fuseboard: {expected}")), "{arguments:?}\n{err}");
    }
}

#[test]
fn without_a_command_there_is_help() {
    let (code, out, err) = run(&[]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.contains("Usage: fuseboard <COMMAND>") && !err.contains("payments"), "{err}");
    let (code, out, err) = run(&["--help"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.contains("Usage: fuseboard <COMMAND>"), "{out}");
}

#[test]
fn every_command_about_a_server_has_help_with_an_example() {
    let commands = [
        ("circuits", "list show open close auto reset disable metrics-only override"),
        ("dlq", "list show replay jobs job cancel requeue discard export import"),
        ("governance", "show kill-switch emergency budgets reset-budget"),
        ("audit", ""),
    ];
    for (group, names) in commands {
        let whole: Vec<Vec<&str>> = match names {
            "" => vec![vec![group]],
            names => names.split(' ').map(|name| vec![group, name]).collect(),
        };
        for command in whole {
            let (code, out, err) = run(&[&command[..], &["--help"]].concat());
            assert_eq!((code, err.as_str()), (Some(0), ""), "{command:?}");
            let example = out.split_once("\nExample").map(|(_, example)| example);
            let example = example.unwrap_or_else(|| panic!("no example: {command:?}\n{out}"));
            let line = format!("\n  fuseboard {}", command.join(" "));
            assert!(example.contains(&line), "{command:?}\n{out}");
        }
    }
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let rows: &[&[&str]] = &[
        &["circuits", "list"],
        &["circuits", "reset", "payments", "--reason", "x"],
        &["circuits", "override", "payments", "--clear", "--reason", "x"],
        &["dlq", "replay", "--all", "--reason", "x"],
        &["dlq", "jobs"],
        &["governance", "kill-switch", "on", "--reason", "x"],
        &["audit", "--follow"],
    ];
    for arguments in rows {
        let (code, out, err) = run(&[arguments, &["--server", "http://127.0.0.1:1"][..]].concat());
        assert_eq!((code, out.as_str()), (Some(1), ""), "{arguments:?}");
        assert!(err.starts_with("fuseboard: http://127.0.0.1:1/: no connection: "), "{err}");
        assert!(err.ends_with("; expected the admin API of a running server\n"), "{err}");
    }
}

#[test]
fn an_address_in_use_ends_with_2_and_names_the_setting() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let arguments =
        ["serve", "--upstream", "http://127.0.0.1:1", "--listen", &address, "--data", data];
    let (code, _, err) = run(&arguments);
    assert_eq!(code, Some(2), "{err}");
    assert!(
        err.contains(&format!("fuseboard: server.listen: cannot listen on {address}: ")),
        "{err}"
    );
}

#[test]
fn check_says_what_it_understood() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fuseboard.toml");
    std::fs::write(&path, CONFIG).unwrap();
    let (code, out, err) = run(&["check", "--config", path.to_str().unwrap()]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let lines: Vec<String> =
        out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let expected = [
        &format!("{} is good.", path.display()),
        "",
        "gateway 127.0.0.1:8080",
        "admin 127.0.0.1:8081 (1 token)",
        "letters fuseboard-data: up to 1000000 waiting, finished ones kept for 7d",
        "",
        "UPSTREAM ENDPOINTS TIMEOUT TRIP RETRY",
        "payments http://127.0.0.1:9000 10s failure_streak(5) | min_requests(20) & failure_rate(0.5) \
         backoff(10s, max=5m, jitter=0.2)",
        "",
        "ROUTE METHODS UPSTREAM FAILURE FALLBACK",
        "/payments/ POST payments 5xx | 429 | connect | timeout | reset queue, 503",
    ];
    assert_eq!(lines, expected);
    assert!(!out.contains("s3cret"));

    std::fs::write(&path, CONFIG.replace("POST", "PSOT")).unwrap();
    let (code, out, err) = run(&["check", "--config", path.to_str().unwrap()]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(
        err.starts_with(&format!("fuseboard: {}:10:12: routes[0].methods[0]: ", path.display())),
        "{err}"
    );
}
