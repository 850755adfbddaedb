//! Leases by name in PostgreSQL: a row for each that somebody ever had. They end by the server's clock.

use std::time::Duration;

use fuseboard_core::time::WallTime;

use super::Postgres;
use super::fault::Fault;
use super::pool::{Errand, Visit};
use super::row::{Read, integer};
use super::session::Parameters;
use super::text::escape;
use crate::error::StoreError;
use crate::leases::{Acquired, Lease, Leases};
use crate::letters::Answering;

const ACQUIRE: &str = "
INSERT INTO leases (name, holder, fence, until) VALUES ($1, $2, 1, $3)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, fence = leases.fence + 1, until = excluded.until
WHERE leases.until IS NULL OR leases.until <= $4
RETURNING *";

const HELD: &str = "SELECT * FROM leases WHERE name = $1 AND until IS NOT NULL";

const RENEW: &str = "
UPDATE leases SET until = $3 WHERE name = $1 AND fence = $2 AND until IS NOT NULL RETURNING *";

const RELEASE: &str = "
UPDATE leases SET until = NULL WHERE name = $1 AND fence = $2 AND until IS NOT NULL";

pub(crate) const STATEMENTS: &[&str] = &[ACQUIRE, HELD, RENEW, RELEASE];

fn lease(read: Read<'_>) -> Result<Lease, Fault> {
    Ok(Lease {
        name: read.text("name")?,
        holder: read.text("holder")?,
        fence: read.natural("fence")?,
        until: read.time("until")?,
    })
}

struct Acquire {
    name: String,
    holder: String,
    until: WallTime,
    now: WallTime,
}

impl Errand for Acquire {
    type Answer = Acquired;

    const READS: bool = false;

    async fn run(&self, visit: &Visit<'_>) -> Result<Acquired, Fault> {
        let (name, holder) = (escape(&self.name), escape(&self.holder));
        let (until, now) = (visit.offset.stored(self.until), visit.offset.stored(self.now));
        let with: Parameters<'_> = &[&name, &holder, &until, &now];
        let acquired = visit.session.rows(ACQUIRE, with);
        if let Some(row) = visit.alone(acquired).await?.first() {
            return Ok(Acquired::Mine(lease(Read { row, offset: visit.offset })?));
        }
        visit.undone();
        match visit.session.rows(HELD, &[&name]).await?.first() {
            Some(row) => Ok(Acquired::Taken(lease(Read { row, offset: visit.offset })?)),
            // It was given back meanwhile.
            None => Err(Fault::Again),
        }
    }
}

struct Renew {
    name: String,
    fence: u64,
    until: WallTime,
}

impl Errand for Renew {
    type Answer = Lease;

    const READS: bool = false;

    async fn run(&self, visit: &Visit<'_>) -> Result<Lease, Fault> {
        let (name, fence) = (escape(&self.name), integer(self.fence));
        let until = visit.offset.stored(self.until);
        let with: Parameters<'_> = &[&name, &fence, &until];
        let renewed = visit.session.rows(RENEW, with);
        match visit.alone(renewed).await?.first() {
            Some(row) => lease(Read { row, offset: visit.offset }),
            None => Err(lost(&self.name, self.fence)),
        }
    }
}

struct Release {
    name: String,
    fence: u64,
}

impl Errand for Release {
    type Answer = ();

    const READS: bool = false;

    async fn run(&self, visit: &Visit<'_>) -> Result<(), Fault> {
        let (name, fence) = (escape(&self.name), integer(self.fence));
        match visit.alone(visit.session.run(RELEASE, &[&name, &fence])).await? {
            0 => Err(lost(&self.name, self.fence)),
            _ => Ok(()),
        }
    }
}

fn lost(name: &str, fence: u64) -> Fault {
    StoreError::LeaseLost { name: name.to_owned(), fence }.into()
}

impl Leases for Postgres {
    fn acquire(
        &self,
        name: String,
        holder: String,
        lasts: Duration,
        now: WallTime,
    ) -> Answering<'_, Acquired> {
        self.errand(Acquire { name, holder, until: now + lasts, now })
    }

    fn renew(
        &self,
        name: String,
        fence: u64,
        lasts: Duration,
        now: WallTime,
    ) -> Answering<'_, Lease> {
        self.errand(Renew { name, fence, until: now + lasts })
    }

    fn release(&self, name: String, fence: u64) -> Answering<'_, ()> {
        self.errand(Release { name, fence })
    }
}
