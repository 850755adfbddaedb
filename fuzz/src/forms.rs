//! The properties of each form: nothing panics, what is valid is printed and read back the same, an error points into
//! the text at what it quotes.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use fuseboard_core::letter::Status;
use fuseboard_core::policy::{InvalidPolicy, Permit, Recovery, Retry, Tracker, Tripper, Window};
use fuseboard_core::text::{ParseError, format_duration, parse_duration};
use fuseboard_core::{BuildError, CircuitBreaker, State};
use fuseboard_services::capture::CapturePolicy;

pub(crate) fn duration(text: &str) {
    match parse_duration(text) {
        Ok(duration) => {
            let printed = format_duration(duration).to_string();
            assert_eq!(
                parse_duration(&printed),
                Ok(duration),
                "{text:?} is printed as {printed:?}"
            );
        }
        Err(error) => points_into(text, &error),
    }
}

pub(crate) fn window(text: &str) {
    policy(text, Window::validate);
}

pub(crate) fn tripper(text: &str) {
    policy(text, Tripper::validate);
}

pub(crate) fn tracker(text: &str) {
    policy(text, Tracker::validate);
}

pub(crate) fn retry(text: &str) {
    policy(text, Retry::validate);
}

pub(crate) fn permit(text: &str) {
    policy(text, Permit::validate);
}

pub(crate) fn recovery(text: &str) {
    policy(text, Recovery::validate);
}

pub(crate) fn capture(text: &str) {
    policy(text, |_: &CapturePolicy| Ok(()));
}

/// States of circuits and of letters, which are one word each.
pub(crate) fn word(text: &str) {
    for printed in [
        text.parse::<State>().map(|state| state.to_string()).ok(),
        text.parse::<Status>().map(|status| status.to_string()).ok(),
    ] {
        assert!(printed.is_none_or(|printed| printed == text), "{text:?} is printed differently");
    }
}

/// A circuit's name: what the error says is possible is possible, and nothing else.
pub(crate) fn name(text: &str) {
    let parts: Vec<&str> = text.split('@').collect();
    let possible = (1..=200).contains(&text.chars().count())
        && !text.chars().any(char::is_control)
        && (parts.len() == 1 || parts.len() == 2 && parts.iter().all(|part| !part.is_empty()));
    match CircuitBreaker::builder(text).build() {
        Ok(breaker) => {
            assert!(possible, "{text:?} is taken for a name");
            assert_eq!(breaker.name(), text);
        }
        Err(BuildError::Name(_)) => assert!(!possible, "{text:?} is not taken for a name"),
        Err(other) => panic!("{text:?}: {other}"),
    }
}

/// What holds for every policy's text.
fn policy<T>(text: &str, validate: fn(&T) -> Result<(), InvalidPolicy>)
where
    T: FromStr<Err = ParseError> + Display + Debug + PartialEq,
{
    match text.parse::<T>() {
        Ok(value) => {
            assert_eq!(validate(&value), Ok(()), "{text:?} is read, and refused by `validate`");
            let printed = value.to_string();
            let again = printed.parse::<T>();
            assert_eq!(again.as_ref(), Ok(&value), "{text:?} is printed as {printed:?}");
            assert_eq!(again.map(|again| again.to_string()).as_ref(), Ok(&printed));
        }
        Err(error) => points_into(text, &error),
    }
}

/// The column is one of the text's, and what is said to be there is there.
fn points_into(text: &str, error: &ParseError) {
    let length = text.chars().count();
    assert!((1..=length + 1).contains(&error.column()), "{text:?}: {error}");
    let there: String = text.chars().skip(error.column() - 1).collect();
    let quoted = error.found().strip_prefix('`').and_then(|found| found.strip_suffix('`'));
    match quoted {
        Some(quoted) => {
            let quoted = quoted.strip_suffix('…').unwrap_or(quoted);
            assert!(there.starts_with(quoted), "{text:?}: {error}");
        }
        None => assert!(there.is_empty() && error.found() == "the end", "{text:?}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::panic::catch_unwind;

    use super::*;

    /// A window that is printed wrongly, and whose errors point at the wrong place.
    #[derive(Debug, PartialEq)]
    struct Broken(Window);

    impl FromStr for Broken {
        type Err = ParseError;

        fn from_str(text: &str) -> Result<Self, ParseError> {
            text.trim_start().parse().map(Broken)
        }
    }

    impl Display for Broken {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("count(7)")
        }
    }

    fn holds(text: &'static str) -> bool {
        catch_unwind(|| policy::<Broken>(text, |_| Ok(()))).is_ok()
    }

    #[test]
    fn what_is_printed_wrongly_is_noticed() {
        assert!(holds("count(7)"));
        assert!(!holds("count(8)"));
        let refuses = |_: &Window| Err(InvalidPolicy::new("window", 1, "another"));
        assert!(catch_unwind(|| policy::<Window>("count(7)", refuses)).is_err());
    }

    #[test]
    fn an_error_that_points_elsewhere_is_noticed() {
        assert!(holds("counter(7)"));
        assert!(!holds("   counter(7)"));
    }

    #[test]
    fn a_name_is_what_the_error_says_it_is() {
        for text in ["payments", "", "a@b", "a@", "@b", "a@b@c", "a\tb"] {
            name(text);
        }
    }
}
