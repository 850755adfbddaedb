//! Leases in SQLite: a row for each that somebody ever had.

use std::time::Duration;

use fuseboard_core::time::WallTime;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Sqlite;
use super::fault::Fault;
use super::row::{integer, natural, read, time};
use super::work::Work;
use crate::error::StoreError;
use crate::leases::{Acquired, Lease, Leases};
use crate::letters::Answering;

const ACQUIRE: &str = "
INSERT INTO leases (name, holder, fence, until) VALUES (?1, ?2, 1, ?3)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, fence = fence + 1, until = excluded.until
WHERE until IS NULL OR until <= ?4
RETURNING *";

const RENEW: &str = "
UPDATE leases SET until = ?3 WHERE name = ?1 AND fence = ?2 AND until IS NOT NULL RETURNING *";

const RELEASE: &str = "
UPDATE leases SET until = NULL WHERE name = ?1 AND fence = ?2 AND until IS NOT NULL";

/// Frees every lease: whoever had one is dead, because only the owner of the folder could.
pub(crate) fn free_all(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("UPDATE leases SET until = NULL WHERE until IS NOT NULL", [])?;
    Ok(())
}

fn read_lease(row: &Row<'_>) -> rusqlite::Result<Lease> {
    Ok(Lease {
        name: row.get("name")?,
        holder: row.get("holder")?,
        fence: read(row, "fence", natural)?,
        until: time(row, "until")?,
    })
}

impl Work<'_> {
    fn acquire(
        &self,
        name: &str,
        holder: &str,
        until: WallTime,
        now: WallTime,
    ) -> Result<Acquired, Fault> {
        let (until, now) = (until.as_unix_millis(), now.as_unix_millis());
        let mine = self
            .connection
            .prepare_cached(ACQUIRE)?
            .query_row(params![name, holder, until, now], read_lease)
            .optional()?;
        if let Some(lease) = mine {
            return Ok(Acquired::Mine(lease));
        }
        let mut statement =
            self.connection.prepare_cached("SELECT * FROM leases WHERE name = ?1")?;
        Ok(Acquired::Taken(statement.query_row([name], read_lease)?))
    }

    fn renew(&self, name: &str, fence: u64, until: WallTime) -> Result<Lease, Fault> {
        let renewed = self
            .connection
            .prepare_cached(RENEW)?
            .query_row(params![name, integer(fence), until.as_unix_millis()], read_lease)
            .optional()?;
        renewed.ok_or_else(|| StoreError::LeaseLost { name: name.to_owned(), fence }.into())
    }

    fn release(&self, name: &str, fence: u64) -> Result<(), Fault> {
        let mut statement = self.connection.prepare_cached(RELEASE)?;
        match statement.execute(params![name, integer(fence)])? {
            0 => Err(StoreError::LeaseLost { name: name.to_owned(), fence }.into()),
            _ => Ok(()),
        }
    }
}

impl Leases for Sqlite {
    fn acquire(
        &self,
        name: String,
        holder: String,
        lasts: Duration,
        now: WallTime,
    ) -> Answering<'_, Acquired> {
        self.write(move |work| work.acquire(&name, &holder, now + lasts, now))
    }

    fn renew(
        &self,
        name: String,
        fence: u64,
        lasts: Duration,
        now: WallTime,
    ) -> Answering<'_, Lease> {
        self.write(move |work| work.renew(&name, fence, now + lasts))
    }

    fn release(&self, name: String, fence: u64) -> Answering<'_, ()> {
        self.write(move |work| work.release(&name, fence))
    }
}
