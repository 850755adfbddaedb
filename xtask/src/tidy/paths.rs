//! No committed file names a folder of the machine that it was written on.

use super::Violation;

pub(crate) fn check(path: &str, text: &str) -> Vec<Violation> {
    let needles = needles();
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for needle in needles.iter().filter(|needle| names_a_root(line, needle)) {
            let wrong = format!("`{needle}` is a folder of one machine");
            let right = "name the place from the repository's root, or use a temporary folder";
            found.push(Violation::new(path, index + 1, wrong, right));
        }
    }
    found
}

/// Put together here, so that this file keeps its own rule.
fn needles() -> [String; 3] {
    [format!("/{}/", "root"), format!("/{}/", "work"), format!("/{}", "farm")]
}

/// The needle begins an absolute path, and is not a folder further down.
fn names_a_root(line: &str, needle: &str) -> bool {
    line.match_indices(needle).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "_-.~})*>".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_absolute_path_of_the_machine_is_refused() {
        let [root, work, farm] = needles();
        let cases: &[(String, &[usize])] = &[
            (format!("a\ncd {root}x"), &[2]),
            (format!("path = \"{work}main\""), &[1]),
            (format!("{farm}1/data"), &[1]),
            (format!("file://{root}x"), &[1]),
            (format!("PATH=/usr/bin:{root}bin"), &[1]),
            (format!("crates{work}a.rs"), &[]),
            (format!("..{work}a.rs and $HOME{root}a and {{dir}}{work}a"), &[]),
            ("/rooted/x and /working/x and the root / work".to_owned(), &[]),
        ];
        for (text, expected) in cases {
            let found = check("a.md", text);
            let lines: Vec<usize> = found.iter().map(|violation| violation.line).collect();
            assert_eq!(lines, *expected, "{text}");
        }
    }
}
