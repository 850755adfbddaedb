//! How SQLite goes about the questions: seeking in an index, never reading or sorting all letters.

use rusqlite::types::Null;
use rusqlite::{Connection, StatementStatus, params, params_from_iter};

use super::{audit, connect, kinds, late, line, query, schema};

fn empty() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connect::plan_once(&connection).unwrap();
    schema::migrate(&connection).unwrap();
    connection
}

/// How SQLite goes about `sql`, one line per step.
fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let parameters = vec![Null; statement.parameter_count()];
    let steps = statement.query_map(params_from_iter(parameters), |row| row.get("detail")).unwrap();
    steps.collect::<rusqlite::Result<_>>().unwrap()
}

#[test]
fn a_statement_is_planned_once_whatever_is_asked() {
    let connection = empty();
    for question in [query::HOLDER_OF_KEY, query::DUE, query::FIRST_DUE, line::FIRST] {
        for number in 0..3 {
            let mut statement = connection.prepare_cached(question).unwrap();
            let parameters = vec![number; statement.parameter_count()];
            statement.exists(params_from_iter(parameters)).unwrap();
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0, "{question}");
        }
    }
}

#[test]
fn no_question_reads_or_sorts_all_letters() {
    let connection = empty();
    let questions = [
        query::HOLDER_OF_KEY,
        query::DUE,
        query::REPLAYING,
        query::FINISHED,
        query::FIRST_DUE,
        query::FIRST_LEASE_END,
        query::OLDEST_PENDING,
        query::PAGE,
        query::PAGE_OF,
        kinds::NEXT_KIND,
        kinds::OF_KIND,
        kinds::LAPSED,
        kinds::BY_NUMBER,
        line::FIRST,
        line::FREE,
        late::NEXT_KIND,
        late::HOW_MANY,
        late::OF_KIND,
        audit::OF_SUBJECT,
        audit::OF_ACTOR,
        audit::OF_ACTION,
        audit::OF_ANY,
        audit::PURGE,
    ];
    for question in questions {
        let plan = plan(&connection, question);
        assert!(plan.iter().any(|step| step.starts_with("SEARCH")), "{question}\n{plan:#?}");
        for step in plan {
            let wasteful = ["SCAN l", "SCAN audit", "TEMP B-TREE", "MATERIALIZE"];
            assert!(!wasteful.iter().any(|word| step.contains(word)), "{question}\n{step}");
        }
    }
}

#[test]
fn a_claim_uses_all_of_its_index() {
    let connection = empty();
    let table = [
        (query::DUE, "letters_due (circuit=? AND status=? AND not_before<?)"),
        (kinds::NEXT_KIND, "letters_by_kind ((circuit,domain,failure,priority)>(?,?,?,?))"),
        (
            kinds::OF_KIND,
            "letters_by_kind (circuit=? AND domain=? AND failure=? AND priority=? AND not_before<?)",
        ),
        (line::FIRST, "letters_in_line (circuit=? AND order_key=?)"),
        (late::NEXT_KIND, "letters_late ((circuit,domain,priority)>(?,?,?))"),
        (late::OF_KIND, "letters_late (circuit=? AND domain=? AND priority=? AND sla_deadline<?)"),
    ];
    for (question, index) in table {
        let plan = plan(&connection, question);
        assert!(plan.iter().any(|step| step.contains(index)), "{question}\n{plan:#?}");
    }
}

const FILL: &str = "
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
INSERT INTO letters (token, circuit, domain, failure, method, uri, key, scope, order_key, status, attempts, crashes,
    not_before, fence, captured_at, updated_at, waits)
SELECT CAST(i AS BLOB), 'c', 'd', 'rejected', 'POST', '/', CAST(i AS TEXT), x'', CASE i WHEN 2 THEN 'b' ELSE 'a' END,
    'pending', 0, 0, 0, 0, 0, 0, i > 2
FROM n";

/// A circuit with one letter of each of two order keys, and behind the first another `waiting`.
fn line_of(waiting: u32) -> Connection {
    let connection = empty();
    connection.execute(FILL, [waiting + 2]).unwrap();
    connection
}

#[test]
fn ten_thousand_letters_in_line_cost_a_claim_nothing() {
    let steps = |waiting: u32| {
        let connection = line_of(waiting);
        let mut spent = Vec::new();
        let mut run = |sql: &str, wanted: &[&dyn rusqlite::ToSql], rows: usize| {
            let mut statement = connection.prepare(sql).unwrap();
            let found = statement.query_map(wanted, |_| Ok(())).unwrap().count();
            assert_eq!(found, rows, "{sql}");
            spent.push(statement.get_status(StatementStatus::VmStep));
        };
        run(query::DUE, params!["c", 1, 300], 2);
        run(query::FIRST_DUE, params!["c"], 1);
        run(kinds::NEXT_KIND, params!["", "", "", -1], 1);
        run(kinds::OF_KIND, params!["c", "d", "rejected", 1, 1, 300], 2);
        run(line::FIRST, params!["c", "a"], 1);
        run(line::FREE, params!["c", "a"], 0);
        spent
    };
    assert_eq!(steps(10), steps(10_000));
}
