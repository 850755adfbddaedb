//! How connections are opened: the one that writes, and those that read.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::letter::Rules;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::fault::Fault;
use super::owner::private_file;
use super::schema;
use crate::error::{FullReason, StoreError};

/// Above this a full check after a crash would hold up the start for too long.
const CHECKED_UP_TO: u64 = 64 << 20;

/// How long to wait for somebody who has the database open with a tool.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Everything that stays the same for as long as the store is open.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) database: PathBuf,
    pub(crate) rules: Rules,
    pub(crate) capacity: Option<u64>,
    pub(crate) max_bytes: Option<u64>,
}

impl Setup {
    /// What it means that no page could be had: our own limit where there is one, else the disk's.
    pub(crate) fn out_of_pages(&self) -> FullReason {
        match self.max_bytes {
            Some(max_bytes) => FullReason::Size { max_bytes },
            None => FullReason::Disk,
        }
    }
}

/// The connection that writes, to a database that is ours and of the newest version, created if it is missing. After a
/// crash a small one is looked through first.
pub(crate) fn writer(setup: &Setup, after_crash: bool) -> Result<Connection, Fault> {
    let path = &setup.database;
    let size = private_file(path)?.metadata().map_or(0, |metadata| metadata.len());
    if size == 1 {
        // SQLite takes a file of one byte for an empty one.
        let problem = "it has one byte".to_owned();
        return Err(StoreError::NotOurs { path: path.clone(), problem }.into());
    }
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    schema::identify(&connection, path)?;
    if size == 0 {
        // So that a purge can give room back to a full disk. It cannot be set once there are tables.
        connection.pragma_update(None, "auto_vacuum", "incremental")?;
    }
    if after_crash && size < CHECKED_UP_TO {
        check(&connection, path)?;
    }
    prepare(&connection, setup)?;
    schema::migrate(&connection)?;
    Ok(connection)
}

/// Another connection that writes, to the database that is there. If it is not there any more, that is an error: an empty
/// one in its place would pass for a store that lost everything.
pub(crate) fn writer_again(setup: &Setup) -> Result<Connection, Fault> {
    let connection = open(&setup.database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    prepare(&connection, setup)?;
    Ok(connection)
}

/// What a connection must be told before it writes.
fn prepare(connection: &Connection, setup: &Setup) -> Result<(), Fault> {
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        let source = Arc::new(std::io::Error::other(format!(
            "no write-ahead log here, only journal_mode={mode}: use a local file system"
        )));
        return Err(StoreError::Unwritable { path: setup.database.clone(), source }.into());
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Where fsync alone leaves data in the drive's cache (macOS), these make it reach the drive; nothing elsewhere.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // What a savepoint can undo, else in a temporary file: that may be on the disk that is full.
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update_and_check(None, "journal_size_limit", 64 << 20, |_| Ok(()))?;
    limit_size(connection, setup.max_bytes)
}

/// Moves the write-ahead log into the database and gives its room back to the disk.
pub(crate) fn empty_the_log(connection: &Connection) -> Result<(), Fault> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

/// Moves as much of the write-ahead log into the database as can be moved without waiting for anybody.
pub(crate) fn shorten_the_log(connection: &Connection) -> Result<(), Fault> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    Ok(())
}

/// How many bytes the database will grow by when the write-ahead log is moved into it.
pub(crate) fn owed_to_the_database(connection: &Connection, setup: &Setup) -> Result<u64, Fault> {
    let bytes = ask(connection, "PRAGMA page_count")? * ask(connection, "PRAGMA page_size")?;
    let here = std::fs::metadata(&setup.database).map_or(0, |metadata| metadata.len());
    Ok(u64::try_from(bytes).unwrap_or(0).saturating_sub(here))
}

/// Gives up to `pages` free pages of the database back to the disk, and returns how many were given.
pub(crate) fn shrink(connection: &Connection, pages: u64) -> Result<u64, Fault> {
    let before = ask(connection, "PRAGMA freelist_count")?;
    let pages = i64::try_from(pages).unwrap_or(i64::MAX).min(before);
    let vacuum = format!("PRAGMA incremental_vacuum({pages})");
    let mut statement = connection.prepare(&vacuum)?;
    let mut steps = statement.query([])?;
    // Each step frees a page.
    while steps.next()?.is_some() {}
    drop(steps);
    empty_the_log(connection)?;
    let given = before - ask(connection, "PRAGMA freelist_count")?;
    Ok(u64::try_from(given).unwrap_or(0))
}

/// A connection that reads.
pub(crate) fn reader(setup: &Setup) -> Result<Connection, Fault> {
    open(&setup.database, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn open(path: &Path, access: OpenFlags) -> Result<Connection, Fault> {
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(64);
    plan_once(&connection)?;
    connection.pragma_update(None, "cache_size", -65_536)?;
    Ok(connection)
}

/// Has statements planned when they are prepared. Else, as SQLite is built here, one that compares a parameter with an
/// indexed column is parsed and planned anew whenever the parameter changes.
pub(crate) fn plan_once(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

fn check(connection: &Connection, path: &Path) -> Result<(), Fault> {
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(StoreError::NotOurs { path: path.to_owned(), problem: verdict }.into())
}

fn limit_size(connection: &Connection, max_bytes: Option<u64>) -> Result<(), Fault> {
    if let Some(max_bytes) = max_bytes {
        let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = pages(max_bytes, page);
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    }
    Ok(())
}

/// The pages of `page` bytes that fit into `max_bytes`.
fn pages(max_bytes: u64, page: i64) -> i64 {
    i64::try_from(max_bytes).unwrap_or(i64::MAX) / page.max(1)
}

/// Whether the database leaves room for one more letter. The last eighth is kept for what happens to the letters that
/// are there, so that a full store can still be emptied.
pub(crate) fn has_room(connection: &Connection, max_bytes: u64) -> Result<bool, Fault> {
    let used = ask(connection, "PRAGMA page_count")? - ask(connection, "PRAGMA freelist_count")?;
    let limit = pages(max_bytes, ask(connection, "PRAGMA page_size")?);
    Ok(used < limit - limit / 8)
}

fn ask(connection: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    connection.prepare_cached(pragma)?.query_row([], |row| row.get(0))
}
