//! Databases of earlier versions: they are taken forward, with everything that is in them.
#![cfg(test)]

use std::path::Path;
use std::time::Duration;

use fuseboard_core::letter::{Answer, Event, Life, Status};
use fuseboard_core::time::WallTime;
use fuseboard_store::{
    Audit, AuditQuery, Blocker, By, ClaimFilter, Draft, Inserted, LetterId, Letters, Priority,
    Query, Settings, Settlement, Sqlite, SqliteOptions, Token, conformance,
};
use rusqlite::{Connection, params};

const VERSION_1: &str = include_str!("support/version_1.sql");
const NOW: WallTime = WallTime::from_unix_millis(1_000);
/// A time at which everything that the system's clock has made due is due.
const LATER: WallTime = WallTime::from_unix_millis(i64::MAX / 2);
const LEASE: Duration = Duration::from_secs(10);

fn open(folder: &Path) -> Sqlite {
    Sqlite::open(SqliteOptions { rules: conformance::rules(), ..SqliteOptions::new(folder) })
        .unwrap()
}

/// A letter as version 1 wrote it, with its content, its first history entry and its part of the tallies.
fn insert_as_version_1(database: &Connection, id: i64, status: Status, line: Option<&str>) {
    let token = token(id);
    let lease = (status == Status::Replaying).then_some(9_000);
    database
        .execute(
            "INSERT INTO letters (id, token, circuit, domain, failure, method, uri, content_type, key, scope, order_key,
                status, attempts, crashes, not_before, fence, lease_until, captured_at, updated_at, last_error)
             VALUES (?1, ?2, 'payments', 'orders', 'rejected', 'POST', '/charge', 'text/plain', ?3, x'01', ?4,
                ?5, 2, 0, 500, 7, ?6, 400, 600, 'answered 503')",
            params![id, token.as_bytes(), format!("key-{id}"), line, status.as_str(), lease],
        )
        .unwrap();
    // One header, `a: b`.
    let headers = [1, 0, 0, 0, b'a', 1, 0, 0, 0, b'b'];
    let content = "INSERT INTO contents (id, headers, body) VALUES (?1, ?2, ?3)";
    database.execute(content, params![id, headers, body(id)]).unwrap();
    let history = "INSERT INTO history VALUES (?1, 1, 400, 'captured', 0)";
    database.execute(history, [id]).unwrap();
    let answer = "INSERT INTO answers VALUES (?1, 503, x'', x'00ff', 600, 1)";
    database.execute(answer, [id]).unwrap();
    for what in ["captured", status.as_str()] {
        let tally =
            "INSERT INTO tallies VALUES ('payments', ?1, 1) ON CONFLICT DO UPDATE SET n = n + 1";
        database.execute(tally, [what]).unwrap();
    }
}

fn token(id: i64) -> Token {
    Token::from_bytes(i128::from(id).to_be_bytes())
}

fn body(id: i64) -> Vec<u8> {
    vec![0xff, u8::try_from(id).unwrap()]
}

/// A folder with a database of version 1: letters 1 to 6, one in each status, and a line of 7, 8 and 9.
fn version_1() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let database = Connection::open(folder.path().join("letters.db")).unwrap();
    database.pragma_update(None, "auto_vacuum", "incremental").unwrap();
    database.execute_batch(VERSION_1).unwrap();
    database.execute_batch("PRAGMA application_id = 0x46757365; PRAGMA user_version = 1").unwrap();
    for (id, status) in (1..).zip(Status::ALL) {
        insert_as_version_1(&database, id, status, None);
    }
    insert_as_version_1(&database, 7, Status::RequiresReview, Some("a"));
    insert_as_version_1(&database, 8, Status::Pending, Some("a"));
    insert_as_version_1(&database, 9, Status::Resolved, Some("a"));
    folder
}

#[tokio::test]
async fn a_database_of_version_1_has_everything_it_had() {
    let folder = version_1();
    let letters = open(folder.path());
    for (id, status) in (1..).zip(Status::ALL) {
        let letter = letters.get(LetterId(id)).await.unwrap().unwrap();
        assert_eq!((letter.token, &letter.body), (token(id), &body(id)));
        assert_eq!(letter.headers, [("a".to_owned(), b"b".to_vec())]);
        assert_eq!((letter.key, letter.priority), (format!("key-{id}"), Priority::Normal));
        assert_eq!((letter.sla_deadline, letter.sealed_by), (None, None));
        assert_eq!(letter.last_error.as_deref(), Some("answered 503"));
        let answer = letter.answer.unwrap();
        assert_eq!((answer.status, answer.body, answer.sealed_by), (503, vec![0, 255], None));
        // Whoever held it died with the process before.
        let freed = if status == Status::Replaying { Status::Pending } else { status };
        let Life { status, attempts, .. } = letter.life;
        assert_eq!((status, attempts), (freed, 2), "{id}");
        assert_eq!(letters.history(LetterId(id)).await.unwrap()[0].what, "captured");
    }
    conformance::letters_are_conserved(&letters).await;
    let again = Draft {
        key: "key-1".to_owned(),
        uri: "/charge".to_owned(),
        scope: vec![1],
        body: body(1),
        ..conformance::draft("payments", "", NOW)
    };
    let same = Inserted::Same(LetterId(1), token(1), Status::Pending);
    assert_eq!(letters.insert(again).await.unwrap(), same);
}

#[tokio::test]
async fn lines_of_version_1_go_in_order_from_now_on() {
    let folder = version_1();
    let letters = open(folder.path());
    let blocker = Blocker { id: LetterId(7), status: Status::RequiresReview };
    let waiting = letters.get(LetterId(8)).await.unwrap().unwrap();
    assert_eq!(waiting.blocked_by, Some(blocker));
    let claimed = letters.claim("payments", 10, LEASE, LATER).await.unwrap();
    assert_eq!(claimed.iter().map(|letter| letter.id.0).collect::<Vec<_>>(), [1, 2]);
    letters.act(LetterId(7), Event::Discard, By::new("ops", "old"), NOW).await.unwrap();
    let next = ClaimFilter { id: Some(LetterId(8)), ..ClaimFilter::default() };
    let claimed = letters.claim_by(next, LEASE, NOW).await.unwrap();
    let event = Event::Settled { fence: claimed[0].life.fence, answer: Answer::Done, draw: 0.5 };
    let settlement = Settlement { event, answer: None, note: String::new() };
    letters.settle(LetterId(8), settlement, NOW).await.unwrap();
    assert_eq!(letters.records(AuditQuery::default()).await.unwrap().len(), 1);
    conformance::letters_are_conserved(&letters).await;
}

#[tokio::test]
async fn a_database_is_taken_forward_once() {
    let folder = version_1();
    for opened in 1..=3 {
        let letters = open(folder.path());
        let by = By::new("ops", "test");
        let setting = letters.change_setting("n".to_owned(), String::new(), opened - 1, by, NOW);
        assert_eq!(setting.await.unwrap().revision, opened);
        assert_eq!(letters.list(Query::default()).await.unwrap().len(), 9);
        letters.close().await.unwrap();
    }
    let database = Connection::open(folder.path().join("letters.db")).unwrap();
    let version: i64 = database.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 2);
    let sound: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
}

/// What `sqlite_schema` says, without the spaces that differ between a table made at once and one made in steps.
fn schema(database: &Connection) -> Vec<String> {
    let mut statement =
        database.prepare("SELECT name FROM pragma_table_list ORDER BY name").unwrap();
    let tables = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let mut all = Vec::new();
    for table in tables.map(Result::unwrap) {
        let columns = format!("SELECT group_concat(name) FROM pragma_table_info('{table}')");
        let columns: Option<String> = database.query_row(&columns, [], |row| row.get(0)).unwrap();
        all.push(format!("{table}: {columns:?}"));
    }
    all
}

#[tokio::test]
async fn an_old_database_becomes_like_a_new_one() {
    let (old, new) = (version_1(), tempfile::tempdir().unwrap());
    let mut schemas = Vec::new();
    for folder in [old.path(), new.path()] {
        open(folder).close().await.unwrap();
        schemas.push(schema(&Connection::open(folder.join("letters.db")).unwrap()));
    }
    assert!(schemas[0].len() > 8, "{schemas:?}");
    assert_eq!(schemas[0], schemas[1]);
}
