//! The demo itself: the binary, its processes and its sockets.
#![cfg(test)]

use std::process::{Command, Output};

fn demo(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fuseboard"));
    command.arg("demo").args(arguments).output().unwrap()
}

#[test]
fn a_short_demo_shows_every_part_of_the_story_and_balances() {
    let output = demo(&["--plain", "--seconds", "10", "--rate", "30"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}\n{errors}");
    let wanted = [
        "killed with SIGKILL",
        "opens: ",
        "captured: ",
        "half-open: ",
        "closes: ",
        "brown-out: ",
        "replayed: all ",
        "300 sent: ",
        "✔ acknowledged: each done exactly once",
        "✔ captured = resolved",
        "It balances.",
    ];
    for words in wanted {
        assert!(text.contains(words), "`{words}` is missing in\n{text}\n{errors}");
    }
    assert!(!text.contains('✘') && !text.contains('\x1b'), "{text}");
}

#[test]
fn what_the_demo_cannot_do_is_refused() {
    for arguments in [["--seconds", "1"], ["--rate", "0"], ["--rate", "forty"]] {
        let output = demo(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(errors.contains(arguments[0]), "{errors}");
    }
}
