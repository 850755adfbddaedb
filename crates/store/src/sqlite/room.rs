//! Room on the disk: replay can go on when there is none left for new letters.
//!
//! A claim needs pages of the write-ahead log, and moving the log into the database needs as many as the database grows
//! by. So a reserve is held, and given up when a claim meets a full disk; from then on new letters are refused and what is
//! written about the others is kept short, until there is room for the reserve again. Its last part is only ever lent for
//! moving the log, so that the log never takes up the room that it needs to be moved.

use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::time::{Clock, Moment};
use rusqlite::Connection;

use super::connect::{self, Setup};
use super::fault::Fault;
use super::reserve::Reserve;

/// How long to wait before looking for room again.
const PAUSE: Duration = Duration::from_secs(1);

/// Jobs that share a transaction on a full disk at most: what they add must fit into the reserve's last part.
const SHORT_GROUP: usize = 32;

/// The bytes of a page, as SQLite makes them.
const PAGE: u64 = 4 << 10;

/// Pages that are given back to the disk at once, which takes room in the log.
const SHRINK_AT_ONCE: u64 = 64;

/// What the disk has room for.
#[derive(Debug)]
pub(crate) struct Room {
    reserve: Reserve,
    clock: Arc<dyn Clock>,
    looked_at: Moment,
}

impl Room {
    pub(crate) fn new(reserve: Reserve, clock: Arc<dyn Clock>) -> Self {
        let looked_at = clock.now();
        Room { reserve, clock, looked_at }
    }

    /// Whether there is no room for new letters, and what is written about the others is to be short.
    pub(crate) fn is_short(&self) -> bool {
        self.reserve.is_given_up()
    }

    /// Whether one transaction may hold so many jobs that bring so many bytes of new letters.
    pub(crate) fn is_one_transaction(&self, jobs: usize, bytes: u64) -> bool {
        let fits = self.reserve.bytes == 0 || bytes <= self.reserve.bytes / 4;
        fits && (!self.is_short() || jobs <= SHORT_GROUP)
    }

    /// Opens a connection, with the room of the reserve if it cannot be had without.
    pub(crate) fn connect(
        &mut self,
        connect: impl Fn() -> Result<Connection, Fault>,
    ) -> Result<Connection, Fault> {
        match connect() {
            Err(fault) if fault.may_want_room() && self.reserve.give_up() => connect(),
            connected => connected,
        }
    }

    /// Makes room for replay. Whether it is enough, the next commit tells.
    pub(crate) fn make_for_replay(&mut self, connection: &Connection) {
        self.reserve.give_up();
        self.looked_at = self.clock.now();
        self.tidy(connection);
    }

    /// Makes what room there is for new letters without the reserve: that of the log, and of free pages in the database.
    pub(crate) fn make_for_letters(&mut self, connection: &Connection) {
        self.tidy(connection);
        // What cannot be given back stays in the database, which may find use for it.
        let _ = shrink(connection, self.spare());
    }

    /// Moves the log into the database. For want of room it borrows the reserve: it is longer than what the database
    /// grows by, so that the room is there again unless somebody else took it.
    fn tidy(&mut self, connection: &Connection) {
        if connect::empty_the_log(connection).is_err_and(|fault| fault.is_full()) {
            // If the log cannot be moved even so, it stays: then there is no room.
            let _ = self.reserve.lend(|| connect::empty_the_log(connection));
        }
    }

    /// Keeps the log from owing the database more than can be lent.
    pub(crate) fn mind_the_log(&mut self, connection: &Connection, setup: &Setup) {
        let bearable = if self.is_short() { 0 } else { self.reserve.bytes / 2 };
        let owed = || connect::owed_to_the_database(connection, setup).unwrap_or(0);
        if self.reserve.bytes > 0
            && owed() > bearable
            && connect::shorten_the_log(connection).is_err_and(|fault| fault.is_full())
        {
            self.tidy(connection);
        }
    }

    /// Looks for room, if it was not looked for just now.
    pub(crate) fn look_again(&mut self, connection: &Connection) {
        if self.clock.now().since(self.looked_at) >= PAUSE {
            self.look(connection);
        }
    }

    /// Takes the reserve if it is not there and there is room for it, or if the free pages of the database make room.
    pub(crate) fn look(&mut self, connection: &Connection) {
        if !self.is_short() {
            return;
        }
        self.tidy(connection);
        let spare = self.spare();
        if !self.reserve.take(spare) && shrink(connection, self.reserve.bytes + spare).is_ok() {
            self.reserve.take(spare);
        }
        self.looked_at = self.clock.now();
    }

    /// Bytes of room beside the reserve: a disk that is full again with the next replay has gained nothing.
    fn spare(&self) -> u64 {
        self.reserve.bytes / 4
    }
}

/// Gives some `bytes` of free pages back to the disk, or as many as there are.
fn shrink(connection: &Connection, bytes: u64) -> Result<(), Fault> {
    let mut wanted = bytes.div_ceil(PAGE);
    while wanted > 0 {
        let given = connect::shrink(connection, wanted.min(SHRINK_AT_ONCE))?;
        if given == 0 {
            break;
        }
        wanted = wanted.saturating_sub(given);
    }
    Ok(())
}
