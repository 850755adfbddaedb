//! Words that never reach a commit: notes to oneself, debugging aids, `unsafe`.

use super::source::{Source, lines_with};
use super::{Allowed, Violation, is_allowed};

const NOTES: &[&str] = &["TODO", "FIXME", "XXX"];
const AIDS: &[&str] = &["todo!", "unimplemented!", "dbg!"];

/// Files that may say `unsafe`.
const UNSAFE_ALLOWED: &[Allowed] = &[];

pub(crate) fn no_leftovers(source: &Source) -> Vec<Violation> {
    let notes = NOTES.iter().map(|word| (word, &source.views.comments, "do it or open an issue"));
    let aids = AIDS.iter().map(|word| (word, &source.views.code, "write the real thing"));
    let mut found = Vec::new();
    for (word, view, right) in notes.chain(aids) {
        for line in lines_with(view, word) {
            found.push(Violation::new(
                &source.path,
                line,
                format!("`{word}` was left over"),
                right,
            ));
        }
    }
    found
}

pub(crate) fn no_unsafe(source: &Source) -> Vec<Violation> {
    if is_allowed(UNSAFE_ALLOWED, &source.path) {
        return Vec::new();
    }
    let right = "write it in safe Rust, or allow the file in tidy/words.rs with its reason";
    let lines = lines_with(&source.views.code, "unsafe").into_iter();
    lines.map(|line| Violation::new(&source.path, line, "`unsafe` is used", right)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::table::assert_rows;
    use super::*;

    #[test]
    fn nothing_is_left_over() {
        let note = |word: &str| format!("// {word}: later\n");
        assert_rows(
            no_leftovers,
            &[
                ("a.rs", &note(NOTES[0]), &[1]),
                ("a.rs", &note(NOTES[1]), &[1]),
                ("a.rs", &note(NOTES[2]), &[1]),
                ("a.rs", "todo!();\nunimplemented!();\ndbg!(a);", &[1, 2, 3]),
                ("a.rs", "\"todo!()\"; let todo = 1; // dbg!(a), todos", &[]),
            ],
        );
    }

    #[test]
    fn unsafe_is_used_nowhere() {
        assert_rows(
            no_unsafe,
            &[
                ("a.rs", "a();\nunsafe { b() };\nunsafe impl Send for A {}", &[2, 3]),
                ("a.rs", "#![forbid(unsafe_code)] // unsafe\n\"unsafe\";", &[]),
            ],
        );
    }
}
