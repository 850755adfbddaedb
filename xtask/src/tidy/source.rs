//! A Rust file as the rules see it: its views, its functions, and which of its lines are test code.

use std::ops::RangeInclusive;

use super::lexer::{self, Views, is_word};

/// A Rust file. Lines count from 1.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) views: Views,
    tests: Vec<RangeInclusive<usize>>,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    /// Lines between the lines of the body's braces.
    pub(crate) length: usize,
}

impl Source {
    pub(crate) fn new(path: String, text: String) -> Self {
        let views = lexer::views(&text);
        let tests = test_lines(&path, &views.code);
        Self { path, text, views, tests }
    }

    pub(crate) fn line_count(&self) -> usize {
        self.text.lines().count()
    }

    /// In a crate's `tests` folder, or in any folder of that name.
    pub(crate) fn is_in_tests_folder(&self) -> bool {
        is_in_tests_folder(&self.path)
    }

    /// In a tests folder, in a file `*tests.rs`, or under `#[cfg(test)]`.
    pub(crate) fn is_test(&self, line: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&line))
    }

    /// Every function with a body, nested ones too, in order.
    pub(crate) fn functions(&self) -> Vec<Function> {
        let code = &self.views.code;
        occurrences(code, "fn").filter_map(|at| function(code, at)).collect()
    }
}

/// The lines of `view` on which `needle` stands, as whole words where it begins or ends with one.
pub(crate) fn lines_with(view: &str, needle: &str) -> Vec<usize> {
    let mut lines: Vec<usize> = occurrences(view, needle).map(|at| line_of(view, at)).collect();
    lines.dedup();
    lines
}

pub(crate) fn occurrences(view: &str, needle: &str) -> impl Iterator<Item = usize> {
    let bytes = view.as_bytes();
    let splits_word =
        |at: usize| at > 0 && at < bytes.len() && is_word(bytes[at - 1]) && is_word(bytes[at]);
    view.match_indices(needle)
        .filter(move |(at, found)| !splits_word(*at) && !splits_word(at + found.len()))
        .map(|(at, _)| at)
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text[..at].matches('\n').count()
}

fn is_in_tests_folder(path: &str) -> bool {
    path.split('/').rev().skip(1).any(|folder| folder == "tests")
}

fn function(code: &str, keyword: usize) -> Option<Function> {
    let after = code[keyword + 2..].trim_start();
    let name: String = after.bytes().take_while(|&b| is_word(b)).map(char::from).collect();
    if name.is_empty() {
        return None; // a function's type, or a macro's `fn $name`
    }
    let (open, close) = block_after(code, keyword)?;
    let length = line_of(code, close).saturating_sub(line_of(code, open) + 1);
    Some(Function { name, line: line_of(code, keyword), length })
}

/// Where the item that begins at `start` opens and closes its braces; none if it ends without.
fn block_after(code: &str, start: usize) -> Option<(usize, usize)> {
    let mut nested = 0usize;
    let mut braces = 0usize;
    let mut open = None;
    for (offset, byte) in code.as_bytes()[start..].iter().enumerate() {
        match byte {
            b'(' | b'[' if open.is_none() => nested += 1,
            b')' | b']' if open.is_none() => nested = nested.checked_sub(1)?,
            b';' if open.is_none() && nested == 0 => return None,
            b'{' if nested == 0 => {
                open = open.or(Some(start + offset));
                braces += 1;
            }
            b'}' if nested == 0 => {
                braces = braces.checked_sub(1)?;
                if braces == 0 {
                    return Some((open?, start + offset));
                }
            }
            _ => {}
        }
    }
    None
}

fn test_lines(path: &str, code: &str) -> Vec<RangeInclusive<usize>> {
    let whole_file = is_in_tests_folder(path)
        || path.ends_with("tests.rs")
        || code.contains("#![cfg(test)]")
        || code.contains("#![cfg(all(test");
    if whole_file {
        return vec![1..=usize::MAX];
    }
    let attributes = code.match_indices("#[cfg(").filter(|(at, _)| is_test_only(&code[*at..]));
    attributes
        .filter_map(|(at, _)| {
            let (_, close) = block_after(code, at)?;
            Some(line_of(code, at)..=line_of(code, close))
        })
        .collect()
}

/// `#[cfg(test)]`, or `#[cfg(all(..))]` with `test` among its conditions.
fn is_test_only(attribute: &str) -> bool {
    let attribute = attribute.split(']').next().unwrap_or(attribute);
    if attribute.starts_with("#[cfg(all(") {
        let has = |needle| occurrences(attribute, needle).next().is_some();
        return has("test") && !has("not(test") && !has("any(");
    }
    attribute == "#[cfg(test)"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source::new(path.to_owned(), text.to_owned())
    }

    /// Name, line, length.
    type Found<'a> = (&'a str, usize, usize);

    #[test]
    fn functions_are_measured_between_their_braces() {
        let cases: &[(&str, &[Found<'_>])] = &[
            ("fn a() {}", &[("a", 1, 0)]),
            ("\nfn a() {\n    1;\n    2;\n}\n", &[("a", 2, 2)]),
            ("fn a()\nwhere\n    T: B,\n{\n    1;\n}\n", &[("a", 1, 1)]),
            ("fn a() {\n    let x = \"}\";\n    '}';\n    // }\n}\n", &[("a", 1, 3)]),
            ("fn a(x: [u8; 3]) {\n    1;\n}\n", &[("a", 1, 1)]),
            (
                "fn a(f: impl Fn(u8)) {\n    fn b() {\n        1;\n    }\n}",
                &[("a", 1, 3), ("b", 2, 1)],
            ),
            ("trait A {\n    fn a();\n    fn b() {}\n}", &[("b", 3, 0)]),
            ("type A = fn(u8) -> u8;", &[]),
            ("fn a() {", &[]),
            ("let r = \"fn a() {}\"; // fn b() {}", &[]),
            ("async fn a() {\n    x!({ (1) });\n}", &[("a", 1, 1)]),
        ];
        for (text, expected) in cases {
            let functions = source("a.rs", text).functions();
            let found: Vec<Found<'_>> =
                functions.iter().map(|f| (f.name.as_str(), f.line, f.length)).collect();
            assert_eq!(found, *expected, "{text}");
        }
    }

    #[test]
    fn test_code_is_known_by_its_path_or_its_attribute() {
        let module = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n";
        let all = module.replace("(test)", "(all(test, unix))");
        let not = module.replace("(test)", "(not(test))");
        let any = module.replace("(test)", "(any(test, unix))");
        let cases: &[(&str, &str, &[usize])] = &[
            ("crates/core/src/a.rs", module, &[2, 3, 4, 5]),
            ("crates/core/src/a.rs", &all, &[2, 3, 4, 5]),
            ("crates/core/src/a.rs", &not, &[]),
            ("crates/core/src/a.rs", &any, &[]),
            ("crates/core/src/a.rs", "#[cfg(test)]\nmod tests;\nfn a() {}\n", &[]),
            ("crates/core/src/a.rs", "#![cfg(test)]\nfn a() {}\n", &[1, 2]),
            ("crates/core/src/a/tests.rs", "fn a() {}\n", &[1]),
            ("crates/core/src/window_tests.rs", "fn a() {}\n", &[1]),
            ("crates/core/tests/a.rs", "fn a() {}\n", &[1]),
            ("crates/core/tests/a/b.rs", "fn a() {}\n", &[1]),
            ("crates/core/src/contests/a.rs", "fn a() {}\n", &[]),
        ];
        for (path, text, expected) in cases {
            let source = source(path, text);
            let found: Vec<usize> =
                (1..=source.line_count()).filter(|line| source.is_test(*line)).collect();
            assert_eq!(found, *expected, "{path}\n{text}");
        }
    }

    #[test]
    fn a_needle_matches_whole_words_only() {
        let cases: &[(&str, &str, &[usize])] = &[
            ("step steps\nmisstep\nstep", "step", &[1, 3]),
            ("a.elapsed()\nb.elapsed();", ".elapsed()", &[1, 2]),
            ("x x", "x", &[1]),
            ("enum Models {}", "enum Mode", &[]),
        ];
        for (view, needle, expected) in cases {
            assert_eq!(lines_with(view, needle), *expected, "{needle} in {view}");
        }
    }
}
