//! A person at a terminal: commands against one running server, and what they must come to.

use serde_json::Value;

use crate::process::Serving;
use crate::run;

pub(crate) struct Console {
    server: String,
}

impl Console {
    pub(crate) fn of(serving: &Serving) -> Self {
        Console { server: format!("http://{}", serving.admin) }
    }

    /// Exit code, standard output, standard error.
    pub(crate) fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        run(&[arguments, &["--server", &self.server]].concat())
    }

    /// What a command prints that does what it should.
    #[track_caller]
    pub(crate) fn does(&self, arguments: &[&str]) -> String {
        let (code, out, err) = self.run(arguments);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{arguments:?}\n{out}");
        out
    }

    /// What it prints for programs: one JSON value on one line.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let out = self.does(&[arguments, &["--json"]].concat());
        assert_eq!(out.matches('\n').count(), 1, "{out}");
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{out}"))
    }

    /// A command that ends with that code, and says so in one message that begins with these words.
    #[track_caller]
    pub(crate) fn fails(&self, arguments: &[&str], expected: i32, message: &str) {
        let (code, out, err) = self.run(arguments);
        assert_eq!((code, out.as_str()), (Some(expected), ""), "{arguments:?}\n{err}");
        assert!(err.starts_with(&format!("fuseboard: {message}")), "{arguments:?}\n{err}");
    }
}

/// The names of an object's fields, in order.
pub(crate) fn names(object: &Value) -> String {
    let object = object.as_object().unwrap_or_else(|| panic!("not an object: {object}"));
    let mut names: Vec<&str> = object.keys().map(String::as_str).collect();
    names.sort_unstable();
    names.join(" ")
}

/// The words of each line.
pub(crate) fn words(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split_whitespace().collect()).collect()
}
