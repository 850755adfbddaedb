//! What may stand in one crate only: the two machines in core, SQL in the store.

use super::Violation;
use super::source::{Source, lines_with, occurrences};

/// The breaker's and the letter's.
const MACHINES: usize = 2;

const STATEMENTS: &[&str] = &["SELECT", "INSERT", "UPDATE"];

/// `fn step` and `enum Mode` mark a machine that knows rules: core has two, nobody else has one.
pub(crate) fn one_machine_each(sources: &[Source]) -> Vec<Violation> {
    let (core, others): (Vec<&Source>, Vec<&Source>) =
        sources.iter().partition(|source| source.path.starts_with("crates/core/"));
    let mut found = Vec::new();
    for source in others {
        found.extend(steps(source).into_iter().map(|line| {
            let right = "ask core's machine, or call it what it does";
            Violation::new(&source.path, line, "`fn step` outside core", right)
        }));
        found.extend(lines_with(&source.views.code, "enum Mode").into_iter().map(|line| {
            let right = "use core's, or name it after what it tells apart";
            Violation::new(&source.path, line, "`enum Mode` outside core", right)
        }));
    }
    let machines: Vec<_> = core
        .iter()
        .flat_map(|source| steps(source).into_iter().map(move |at| (source, at)))
        .collect();
    if machines.len() > MACHINES {
        let wrong = format!("one of {} `fn step` in core", machines.len());
        let right = "only the breaker's and the letter's; call this what it does";
        found.extend(
            machines
                .iter()
                .map(|(source, line)| Violation::new(&source.path, *line, wrong.as_str(), right)),
        );
    }
    found
}

fn steps(source: &Source) -> Vec<usize> {
    [lines_with(&source.views.code, "fn step("), lines_with(&source.views.code, "fn step<")]
        .concat()
}

/// Beside the store: what it is measured against is rows that nobody keeps.
const SQL_ALLOWED: &[&str] = &["crates/store/", "bench/letters/"];

pub(crate) fn sql_stays_in_the_store(source: &Source) -> Vec<Violation> {
    if SQL_ALLOWED.iter().any(|folder| source.path.starts_with(folder)) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (index, line) in source.views.literals.lines().enumerate() {
        for word in STATEMENTS.iter().filter(|word| begins_statement(line, word)) {
            let wrong = format!("SQL text (`{word} ..`) outside crates/store");
            let right = "add a verb to the store's trait and call it";
            found.push(Violation::new(&source.path, index + 1, wrong, right));
        }
    }
    found
}

/// The word stands alone in its literal where a quote follows; a statement goes on.
fn begins_statement(literals: &str, word: &str) -> bool {
    occurrences(literals, word).any(|at| {
        let after = literals.as_bytes().get(at + word.len());
        after.is_none_or(|byte| byte.is_ascii_whitespace() || *byte == b'\\')
    })
}

#[cfg(test)]
mod tests {
    use super::super::table::assert_rows;
    use super::*;

    fn machines(files: &[(&str, &str)]) -> Vec<(String, usize)> {
        let sources: Vec<Source> = files
            .iter()
            .map(|(path, text)| Source::new((*path).to_owned(), (*text).to_owned()))
            .collect();
        let found = one_machine_each(&sources);
        found.into_iter().map(|violation| (violation.path, violation.line)).collect()
    }

    #[test]
    fn core_has_two_machines_and_nobody_else_has_one() {
        let breaker = ("crates/core/src/breaker.rs", "enum Mode {}\nfn step() {}\n");
        let letter = ("crates/core/src/letter.rs", "\nfn step<T>() {}\n");
        assert_eq!(machines(&[breaker, letter]), []);

        let third = ("crates/core/src/third.rs", "fn step() {}");
        let all = [(breaker.0, 2), (letter.0, 2), (third.0, 1)];
        let all = all.map(|(path, line)| (path.to_owned(), line));
        assert_eq!(machines(&[breaker, letter, third]), all);

        let outside = ("crates/store/src/a.rs", "fn step() {}\nenum Mode {}\nfn step<T>() {}\n");
        let path = outside.0.to_owned();
        assert_eq!(machines(&[outside]), [(path.clone(), 1), (path.clone(), 3), (path, 2)]);

        let harmless = "fn steps() {}\nfn first_step() {}\nenum ModeName {}\nstep(); // enum Mode";
        assert_eq!(machines(&[("crates/store/src/a.rs", harmless)]), []);
    }

    #[test]
    fn sql_stands_in_the_store_only() {
        let text = |template: &str| template.replace('@', STATEMENTS[0]);
        let statement = text("let a = \"@ 1\";");
        let multiline = text("let a = \"\n    @\n    b FROM c\";");
        let escaped = text("let a = \"@\\n b\";");
        let update = statement.replace(STATEMENTS[0], STATEMENTS[2]);
        let word = text("let a = \"@\"; // @ 1\nlet b = \"@ED 1\";");
        assert_rows(
            sql_stays_in_the_store,
            &[
                ("crates/store/src/a.rs", &statement, &[]),
                ("bench/letters/src/a.rs", &statement, &[]),
                ("bench/src/a.rs", &statement, &[1]),
                ("crates/server/src/a.rs", &statement, &[1]),
                ("crates/server/src/a.rs", &update, &[1]),
                ("crates/server/tests/a.rs", &multiline, &[2]),
                ("crates/server/src/a.rs", &escaped, &[1]),
                ("crates/server/src/a.rs", &word, &[]),
                ("crates/server/src/a.rs", "let a = \"select one\";", &[]),
            ],
        );
    }
}
