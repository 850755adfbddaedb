//! The tables, and how older databases become like new ones.

use std::path::PathBuf;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::fault::Fault;
use crate::error::StoreError;

/// Each makes a database of the version before it (its place in the list) one of the next version.
const MIGRATIONS: [&str; 1] = [FIRST];

/// The oldest server on which everything here works, as `server_version_num` has it.
const OLDEST: i64 = 130_000;

// A letter's changing part lies apart from its content, because PostgreSQL writes a whole row and an entry in each of its
// indexes anew when a column of it changes. There are no foreign keys: every letter is written and removed with all its
// parts in one transaction, and checking each row again would cost as much as writing it.
//
// Times are the server's, in milliseconds since 1970. Texts sort by their bytes, whatever the locale.
const FIRST: &str = r#"
CREATE TABLE contents (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token        bytea  NOT NULL,
    dedup        bytea,
    method       text   COLLATE "C" NOT NULL,
    uri          text   COLLATE "C" NOT NULL,
    content_type text   COLLATE "C",
    key          text   COLLATE "C" NOT NULL,
    scope        bytea  NOT NULL,
    order_key    text   COLLATE "C",
    captured_at  bigint NOT NULL,
    first_fence  bigint,
    headers      bytea  NOT NULL,
    body         bytea  NOT NULL,
    sealed_by    text   COLLATE "C",
    fingerprint  bytea
);
COMMENT ON COLUMN contents.dedup IS 'digest of circuit, method, URI, key and scope; NULL once the letter is given up';
COMMENT ON COLUMN contents.first_fence IS 'the fence when it was captured; NULL if it was imported';
CREATE UNIQUE INDEX contents_by_token ON contents (token);
CREATE UNIQUE INDEX contents_by_key ON contents (dedup) WHERE dedup IS NOT NULL;
ALTER TABLE contents ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE TABLE letters (
    id          bigint PRIMARY KEY,
    circuit     text   COLLATE "C" NOT NULL,
    domain      text   COLLATE "C" NOT NULL,
    failure     text   COLLATE "C" NOT NULL,
    status      text   COLLATE "C" NOT NULL CHECK (status IN
        ('pending', 'replaying', 'requires_review', 'resolved', 'discarded', 'expired')),
    attempts    bigint NOT NULL,
    crashes     bigint NOT NULL,
    not_before  bigint NOT NULL,
    expires_at  bigint,
    fence       bigint NOT NULL,
    lease_until bigint,
    updated_at  bigint NOT NULL,
    priority     smallint NOT NULL CHECK (priority IN (0, 1, 2)),
    sla_deadline bigint,
    line         bytea,
    waits        boolean NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.05);
COMMENT ON COLUMN letters.line IS 'digest of the order key';
COMMENT ON COLUMN letters.waits IS 'whether another letter of its circuit and line goes first';
CREATE INDEX letters_due ON letters (circuit, not_before, id) WHERE status = 'pending' AND NOT waits;
CREATE INDEX letters_by_kind ON letters (circuit, domain, failure, priority, not_before, id)
    WHERE status = 'pending' AND NOT waits;
CREATE INDEX letters_in_line ON letters (circuit, line, id)
    WHERE line IS NOT NULL AND status IN ('pending', 'replaying', 'requires_review');
CREATE INDEX letters_late ON letters (circuit, domain, priority, sla_deadline, id)
    WHERE sla_deadline IS NOT NULL AND status IN ('pending', 'replaying', 'requires_review');
CREATE INDEX letters_leased ON letters (circuit, lease_until, id) WHERE status = 'replaying';
CREATE INDEX letters_by_status ON letters (circuit, status, id);
CREATE INDEX letters_finished ON letters (updated_at, id) WHERE status IN ('resolved', 'discarded', 'expired');

CREATE TABLE answers (
    id        bigint  PRIMARY KEY,
    status    integer NOT NULL,
    headers   bytea   NOT NULL,
    body      bytea   NOT NULL,
    at        bigint  NOT NULL,
    truncated boolean NOT NULL,
    sealed_by text    COLLATE "C"
);
CREATE TABLE errors (
    id   bigint PRIMARY KEY,
    what text   COLLATE "C" NOT NULL
);
CREATE TABLE history (
    letter bigint NOT NULL,
    seq    bigint GENERATED ALWAYS AS IDENTITY,
    at     bigint NOT NULL,
    what   text   COLLATE "C" NOT NULL,
    fence  bigint NOT NULL,
    PRIMARY KEY (letter, seq)
);
CREATE TABLE tallies (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    circuit         text   COLLATE "C" NOT NULL,
    captured        bigint NOT NULL,
    purged          bigint NOT NULL,
    pending         bigint NOT NULL,
    replaying       bigint NOT NULL,
    requires_review bigint NOT NULL,
    resolved        bigint NOT NULL,
    discarded       bigint NOT NULL,
    expired         bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
CREATE TABLE audit (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      bigint NOT NULL,
    actor   text   COLLATE "C" NOT NULL,
    action  text   COLLATE "C" NOT NULL,
    subject text   COLLATE "C" NOT NULL,
    reason  text   COLLATE "C" NOT NULL,
    before  text   COLLATE "C",
    after   text   COLLATE "C"
);
CREATE INDEX audit_by_time ON audit (at, id);
CREATE INDEX audit_by_actor ON audit (actor, at, id);
CREATE INDEX audit_by_action ON audit (action, at, id);
CREATE INDEX audit_by_subject ON audit (subject, at, id);
CREATE TABLE settings (
    name     text   COLLATE "C" PRIMARY KEY,
    value    text   COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    actor    text   COLLATE "C" NOT NULL,
    reason   text   COLLATE "C" NOT NULL,
    at       bigint NOT NULL
);
CREATE TABLE leases (
    name   text   COLLATE "C" PRIMARY KEY,
    holder text   COLLATE "C" NOT NULL,
    fence  bigint NOT NULL,
    until  bigint
);
COMMENT ON COLUMN leases.until IS 'NULL once it was given back; the row stays, because its fence must grow';
COMMENT ON TABLE tallies IS 'what each transaction added, folded into one row a circuit from time to time';
"#;

/// Which tables are ours: their schema, and the server that has it, for errors.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    pub(crate) schema: String,
    /// The server and the schema, without user and password.
    pub(crate) name: PathBuf,
}

impl Home {
    pub(crate) fn stranger(&self, problem: String) -> StoreError {
        StoreError::NotOurs { path: self.name.clone(), problem }
    }
}

/// Whether the server keeps what it acknowledges, and as we write it.
pub(crate) async fn is_fit(client: &Client, home: &Home) -> Result<(), Fault> {
    let settings = "SELECT current_setting('server_encoding'), current_setting('fsync'),
                        current_setting('server_version'), current_setting('server_version_num')::bigint";
    let row = client.query_one(settings, &[]).await?;
    let (encoding, fsync, name, number): (String, String, String, i64) =
        (row.get(0), row.get(1), row.get(2), row.get(3));
    let unfit = |problem: String| Err(StoreError::Misconfigured { problem }.into());
    if number < OLDEST {
        return unfit(format!("the server is PostgreSQL {name}, expected 13 or newer"));
    }
    if fsync != "on" {
        return unfit(
            "the server runs with fsync = off and may lose letters: turn it on".to_owned(),
        );
    }
    if encoding != "UTF8" {
        return Err(home.stranger(format!("its encoding is {encoding}, expected UTF8")).into());
    }
    Ok(())
}

/// Whether the schema still has the version that it had when the store was opened. A newer Fuseboard may have taken it
/// forward since.
pub(crate) async fn is_current(client: &Client, home: &Home) -> Result<(), Fault> {
    match version(client, home, MIGRATIONS.len()).await? {
        Some(found) if found == MIGRATIONS.len() => Ok(()),
        Some(found) => Err(home.stranger(format!("its version has become {found}")).into()),
        None => Err(home.stranger("it has become empty".to_owned()).into()),
    }
}

/// Brings the schema to the newest version, and creates it if it is missing. Who comes at the same time waits.
pub(crate) async fn prepare(client: &Client, home: &Home) -> Result<(), Fault> {
    advance(client, home, &MIGRATIONS).await
}

async fn advance(client: &Client, home: &Home, migrations: &[&str]) -> Result<(), Fault> {
    client.batch_execute("BEGIN").await?;
    match advance_inside(client, home, migrations).await {
        Ok(()) => Ok(client.batch_execute("COMMIT").await?),
        Err(fault) => {
            // The connection is thrown away with the error: if it cannot say this, the server undoes it by itself.
            let _ = client.batch_execute("ROLLBACK").await;
            Err(fault)
        }
    }
}

async fn advance_inside(client: &Client, home: &Home, migrations: &[&str]) -> Result<(), Fault> {
    let lock = "SELECT pg_advisory_xact_lock(hashtext('fuseboard'), hashtext($1))";
    client.execute(lock, &[&home.schema]).await?;
    let here = "SELECT count(*) FROM pg_namespace WHERE nspname = $1";
    if client.query_one(here, &[&home.schema]).await?.get::<_, i64>(0) == 0 {
        client.batch_execute(&format!("CREATE SCHEMA {}", quoted(&home.schema))).await?;
    }
    let seen = version(client, home, migrations.len()).await?;
    if seen.is_none() {
        let mark =
            "CREATE TABLE fuseboard (version bigint NOT NULL); INSERT INTO fuseboard VALUES (0)";
        client.batch_execute(mark).await?;
    }
    let seen = seen.unwrap_or(0);
    for migration in &migrations[seen..] {
        client.batch_execute(migration).await?;
    }
    if seen < migrations.len() {
        let number = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
        client.execute("UPDATE fuseboard SET version = $1", &[&number]).await?;
    }
    Ok(())
}

/// The version of the schema; `None` if nothing is in it.
async fn version(client: &Client, home: &Home, known: usize) -> Result<Option<usize>, Fault> {
    let tables = "SELECT count(*), count(*) FILTER (WHERE relname = 'fuseboard') FROM pg_class
                  WHERE relnamespace = to_regnamespace(quote_ident($1)) AND relkind IN ('r', 'p', 'v', 'm', 'f')";
    let row = client.query_one(tables, &[&home.schema]).await?;
    let (all, ours): (i64, i64) = (row.get(0), row.get(1));
    if all == 0 {
        return Ok(None);
    }
    if ours == 0 {
        let problem =
            format!("it has {all} tables but none named `fuseboard` that tells its version");
        return Err(home.stranger(problem).into());
    }
    let odd = || home.stranger("its table `fuseboard` does not hold one version".to_owned());
    let rows = match client.query("SELECT version::bigint FROM fuseboard", &[]).await {
        Err(error) if is_about_the_schema(error.code()) => return Err(odd().into()),
        rows => rows?,
    };
    let [row] = rows.as_slice() else { return Err(odd().into()) };
    let found = row.try_get::<_, i64>(0).ok().and_then(|found| u32::try_from(found).ok());
    match found.ok_or_else(odd)? {
        found if found as usize > known => {
            let path = home.name.clone();
            Err(StoreError::Newer { path, found, known: known as u32 }.into())
        }
        found => Ok(Some(found as usize)),
    }
}

/// Whether a statement failed because a table or column is missing or of another kind.
pub(crate) fn is_about_the_schema(code: Option<&SqlState>) -> bool {
    let codes = [
        SqlState::UNDEFINED_TABLE,
        SqlState::UNDEFINED_COLUMN,
        SqlState::UNDEFINED_FUNCTION,
        SqlState::DATATYPE_MISMATCH,
        SqlState::INVALID_TEXT_REPRESENTATION,
        SqlState::CANNOT_COERCE,
        SqlState::WRONG_OBJECT_TYPE,
        SqlState::INVALID_COLUMN_REFERENCE,
    ];
    code.is_some_and(|code| codes.contains(code))
}

/// A name as SQL has it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
