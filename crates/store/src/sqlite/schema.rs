//! The tables, and how older databases become like new ones.

use std::path::Path;

use rusqlite::Connection;

use super::fault::Fault;
use crate::error::StoreError;

/// "Fuse" in ASCII: tells a database of ours from anybody else's.
pub(crate) const APPLICATION_ID: i32 = 0x4675_7365;

/// Each makes a database of the version before it (its place in the list) one of the next version.
const MIGRATIONS: [&str; 2] = [include_str!("first.sql"), include_str!("second.sql")];

/// Refuses the database at `path` unless it is one of ours, or empty, and of a version that is known.
pub(crate) fn identify(connection: &Connection, path: &Path) -> Result<(), Fault> {
    let application: i32 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version = version(connection)?;
    let known = MIGRATIONS.len();
    let stranger = |problem| StoreError::NotOurs { path: path.to_owned(), problem };
    if application != APPLICATION_ID && !(application == 0 && version == 0 && is_empty(connection)?)
    {
        let problem =
            format!("its application_id is {application:#010x}, expected {APPLICATION_ID:#010x}");
        return Err(stranger(problem).into());
    }
    match u32::try_from(version) {
        Err(_) => {
            Err(stranger(format!("its user_version is {version}, expected 0 to {known}")).into())
        }
        Ok(found) if found as usize > known => {
            let known = known as u32;
            Err(StoreError::Newer { path: path.to_owned(), found, known }.into())
        }
        Ok(_) => Ok(()),
    }
}

/// Brings the database to the newest version.
pub(crate) fn migrate(connection: &Connection) -> Result<(), Fault> {
    advance(connection, &MIGRATIONS)
}

/// Applies, in order, those `migrations` that the database has not seen, each with its version in one transaction.
fn advance(connection: &Connection, migrations: &[&str]) -> Result<(), Fault> {
    let seen = usize::try_from(version(connection)?).unwrap_or(0);
    for (index, migration) in migrations.iter().enumerate().skip(seen) {
        let transaction = connection.unchecked_transaction()?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", (index + 1) as i64)?;
        transaction.commit()?;
    }
    Ok(())
}

fn version(connection: &Connection) -> Result<i32, Fault> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

fn is_empty(connection: &Connection) -> Result<bool, Fault> {
    let tables: i64 =
        connection.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(tables == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_go_forward_in_order_and_only_once() {
        let connection = Connection::open_in_memory().unwrap();
        let first = "CREATE TABLE steps (n INTEGER); INSERT INTO steps VALUES (1);";
        let second = "INSERT INTO steps SELECT MAX(n) + 1 FROM steps;";
        advance(&connection, &[first]).unwrap();
        advance(&connection, &[first, second, second]).unwrap();
        advance(&connection, &[first, second, second]).unwrap();
        let steps: String = connection
            .query_row("SELECT group_concat(n) FROM (SELECT n FROM steps ORDER BY n)", [], |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!((steps.as_str(), version(&connection).unwrap()), ("1,2,3", 3));
    }

    #[test]
    fn a_migration_that_fails_leaves_nothing_behind() {
        let connection = Connection::open_in_memory().unwrap();
        assert!(advance(&connection, &["CREATE TABLE half (n INTEGER); nonsense;"]).is_err());
        assert!(is_empty(&connection).unwrap());
        assert_eq!(version(&connection).unwrap(), 0);
    }
}
