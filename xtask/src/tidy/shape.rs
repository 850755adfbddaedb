//! The shape of a file: its opening, its length, its width, its functions, its name.

use super::Violation;
use super::source::Source;

const FILE_LINES: usize = 500;
const TEST_FILE_LINES: usize = 700;
const FUNCTION_LINES: usize = 70;
const COLUMNS: usize = 140;

fn is_ours(source: &Source) -> bool {
    source.path.starts_with("crates/") || source.path.starts_with("xtask/")
}

pub(crate) fn opens_with_its_idea(source: &Source) -> Vec<Violation> {
    if !is_ours(source) || source.text.starts_with("//!") {
        return Vec::new();
    }
    let right = "open with a `//!` sentence that says what the file is";
    vec![Violation::new(&source.path, 1, "the file does not say its idea", right)]
}

pub(crate) fn file_length(source: &Source) -> Vec<Violation> {
    let most = if source.is_in_tests_folder() { TEST_FILE_LINES } else { FILE_LINES };
    let lines = source.line_count();
    if !is_ours(source) || lines <= most {
        return Vec::new();
    }
    let wrong = format!("the file has {lines} lines");
    let right = format!("at most {most}: find the second idea in it and give it a file");
    vec![Violation::new(&source.path, most + 1, wrong, right)]
}

pub(crate) fn line_width(source: &Source) -> Vec<Violation> {
    let lines = source.text.lines().enumerate();
    let wide = lines.map(|(index, line)| (index + 1, line.chars().count()));
    wide.filter(|(_, columns)| *columns > COLUMNS)
        .map(|(line, columns)| {
            let wrong = format!("the line has {columns} columns");
            Violation::new(&source.path, line, wrong, format!("break it at {COLUMNS} or before"))
        })
        .collect()
}

pub(crate) fn function_length(source: &Source) -> Vec<Violation> {
    let long = source.functions().into_iter().filter(|function| function.length > FUNCTION_LINES);
    long.map(|function| {
        let wrong = format!("`fn {}` has {} lines in its body", function.name, function.length);
        let right = format!("at most {FUNCTION_LINES}: name a part of it and move it out");
        Violation::new(&source.path, function.line, wrong, right)
    })
    .collect()
}

pub(crate) fn module_style(source: &Source) -> Vec<Violation> {
    if source.path.rsplit('/').next() != Some("mod.rs") {
        return Vec::new();
    }
    let right = "name it after its folder and put it beside it: `foo.rs` and `foo/` \
                 (what several tests share: `tests/<suite>/main.rs` with modules)";
    vec![Violation::new(&source.path, 1, "a file called mod.rs", right)]
}

#[cfg(test)]
mod tests {
    use super::super::table::assert_rows;
    use super::*;

    #[test]
    fn a_file_opens_with_its_idea() {
        assert_rows(
            opens_with_its_idea,
            &[
                ("crates/core/src/a.rs", "//! An idea.\n", &[]),
                ("crates/core/src/a.rs", "use b;\n", &[1]),
                ("xtask/src/a.rs", "/// Not this.\n", &[1]),
                ("crates/core/src/a.rs", "", &[1]),
                ("fuzz/a.rs", "use b;\n", &[]),
            ],
        );
    }

    #[test]
    fn a_file_has_at_most_500_lines_and_a_tests_file_700() {
        let lines = |count: usize| "x\n".repeat(count);
        assert_rows(
            file_length,
            &[
                ("crates/core/src/a.rs", &lines(500), &[]),
                ("crates/core/src/a.rs", &lines(501), &[501]),
                ("crates/core/tests/a.rs", &lines(700), &[]),
                ("crates/core/tests/a.rs", &lines(701), &[701]),
            ],
        );
    }

    #[test]
    fn a_line_has_at_most_140_columns() {
        let fits = "é".repeat(140);
        let wide = format!("a\n{}\n", "é".repeat(141));
        assert_rows(line_width, &[("a.rs", &fits, &[]), ("a.rs", &wide, &[2])]);
    }

    #[test]
    fn a_function_body_has_at_most_70_lines() {
        let function = |count: usize| format!("\nfn a() {{\n{}}}\n", "    1;\n".repeat(count));
        assert_rows(
            function_length,
            &[("a.rs", &function(70), &[]), ("a.rs", &function(71), &[2])],
        );
    }

    #[test]
    fn no_file_is_called_mod_rs() {
        assert_rows(
            module_style,
            &[("crates/core/src/a.rs", "", &[]), ("crates/core/src/a/mod.rs", "", &[1])],
        );
    }
}
