//! Tests run, do not sleep for luck, and are there at all.

use super::Violation;
use super::source::{Source, lines_with, occurrences};

/// The comment that a sleep in a test must carry on its line.
const REASON_TO_SLEEP: &str = "// waits for:";

pub(crate) fn no_ignored_tests(source: &Source) -> Vec<Violation> {
    let mut lines = lines_with(&source.views.code, "#[ignore");
    let doctests = source.views.comments.lines().enumerate();
    lines.extend(
        doctests
            .filter(|(_, line)| line.contains("```") && lines_with(line, "ignore") == [1])
            .map(|(index, _)| index + 1),
    );
    let right = "make it run or remove it (an example that cannot run here: `no_run`)";
    lines
        .into_iter()
        .map(|line| Violation::new(&source.path, line, "an ignored test", right))
        .collect()
}

pub(crate) fn sleeps_say_what_they_wait_for(source: &Source) -> Vec<Violation> {
    let code = &source.views.code;
    let mut lines = sleeping_lines(code);
    lines.retain(|line| source.is_test(*line));
    let comments: Vec<&str> = source.views.comments.lines().collect();
    lines.retain(|line| {
        let (_, reason) = comments[line - 1].split_once(REASON_TO_SLEEP).unwrap_or_default();
        reason.trim().is_empty()
    });
    let right =
        format!("move a clock; for a real process end the line with `{REASON_TO_SLEEP} ..`");
    lines
        .into_iter()
        .map(|line| Violation::new(&source.path, line, "a test sleeps", right.as_str()))
        .collect()
}

/// A sleep that is named with its module (also where it is imported so), and a bare `sleep(..)`;
/// not a method of that name, which is a clock's, and not its definition.
fn sleeping_lines(code: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let named = line.contains("thread::sleep") || line.contains("time::sleep");
        let bare = occurrences(line, "sleep(").any(|at| {
            let before = line[..at].trim_end();
            !before.ends_with(['.', ':']) && before.split_whitespace().next_back() != Some("fn")
        });
        if named || bare {
            lines.push(index + 1);
        }
    }
    lines
}

/// Cargo builds every file of a crate's `tests` folder as a test, also an empty one.
pub(crate) fn test_files_hold_tests(source: &Source) -> Vec<Violation> {
    let parts: Vec<&str> = source.path.split('/').collect();
    let code = &source.views.code;
    let is_suite = matches!(parts[..], ["crates", _, "tests", _] | ["xtask", "tests", _]);
    let holds = ["#[test]", "#[tokio::test", "proptest!"].iter().any(|test| code.contains(test));
    if !is_suite || holds {
        return Vec::new();
    }
    let right = "write one, or move what others share into `tests/<suite>/` with a main.rs";
    vec![Violation::new(&source.path, 1, "a test file without a test", right)]
}

#[cfg(test)]
mod tests {
    use super::super::table::assert_rows;
    use super::*;

    #[test]
    fn no_test_is_ignored() {
        assert_rows(
            no_ignored_tests,
            &[
                ("a.rs", "#[test]\nfn a() {}", &[]),
                ("a.rs", "#[ignore]\nfn a() {}", &[1]),
                ("a.rs", "#[ignore = \"slow\"]\nfn a() {}", &[1]),
                ("a.rs", "//! ```ignore\n//! ```", &[1]),
                ("a.rs", "/// ```rust,ignore\n/// ```", &[1]),
                ("a.rs", "/// ```no_run\n/// ignored()\n/// ```", &[]),
                ("a.rs", "\"#[ignore]\"; // #[ignore]", &[]),
            ],
        );
    }

    #[test]
    fn a_sleep_in_a_test_says_what_it_waits_for() {
        let module = "#[cfg(test)]\nmod tests {\n    fn a() { thread::sleep(d); }\n}\n";
        let path = "crates/server/tests/a.rs";
        assert_rows(
            sleeps_say_what_they_wait_for,
            &[
                (path, "std::thread::sleep(d);\ntokio::time::sleep(d).await;", &[1, 2]),
                (path, "thread::sleep(d); // waits for: the child to listen", &[]),
                (path, "thread::sleep(d); // waits for:", &[1]),
                (path, "// waits for: the child\nthread::sleep(d);", &[2]),
                (path, "use tokio::time::{Duration, sleep};\nsleep(d).await;", &[2]),
                (path, "clock.sleep(d);\nfn sleep(d: u8) {}\nsleepy(d);", &[]),
                (path, "tokio::time::sleep_until(d).await;", &[1]),
                ("crates/server/src/a.rs", module, &[3]),
                ("crates/server/src/a.rs", "tokio::time::sleep(d).await;", &[]),
                ("crates/server/src/a/tests.rs", "tokio::time::sleep(d).await;", &[1]),
            ],
        );
    }

    #[test]
    fn a_file_of_a_tests_folder_holds_a_test() {
        let path = "crates/core/tests/a.rs";
        assert_rows(
            test_files_hold_tests,
            &[
                (path, "#[test]\nfn a() {}", &[]),
                (path, "#[tokio::test(start_paused = true)]\nasync fn a() {}", &[]),
                (path, "proptest! {}", &[]),
                (path, "fn a() {} // #[test]", &[1]),
                ("crates/core/tests/a/helper.rs", "fn a() {}", &[]),
                ("crates/core/src/a.rs", "fn a() {}", &[]),
            ],
        );
    }
}
