//! The threads that read, so that nobody who looks waits for an fsync.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use rusqlite::Connection;
use tokio::sync::mpsc;

use super::connect::{self, Setup};
use super::fault::Fault;
use super::job::Reading;

/// Reads at the same time.
pub(crate) const READERS: usize = 2;

/// What a reader is told.
pub(crate) enum ToReader {
    Read(Reading),
    /// One reader stops.
    Stop,
}

/// A thread that reads, from a queue that it shares with the others.
pub(crate) struct Reader {
    setup: Arc<Setup>,
    connection: Option<Connection>,
    queue: Arc<Mutex<mpsc::Receiver<ToReader>>>,
}

impl Reader {
    pub(crate) fn open(
        setup: Arc<Setup>,
        queue: Arc<Mutex<mpsc::Receiver<ToReader>>>,
    ) -> Result<Self, Fault> {
        let connection = Some(connect::reader(&setup)?);
        Ok(Reader { setup, connection, queue })
    }

    pub(crate) fn start(self) -> io::Result<JoinHandle<()>> {
        Builder::new().name("fuseboard-read".to_owned()).spawn(move || self.run())
    }

    fn run(mut self) {
        while let Some(ToReader::Read(read)) = self.next() {
            let connection =
                self.connection.take().map_or_else(|| connect::reader(&self.setup), Ok);
            match connection {
                Ok(connection) => self.connection = read(Ok(&connection)).then_some(connection),
                Err(fault) => {
                    read(Err(fault));
                }
            }
        }
    }

    fn next(&self) -> Option<ToReader> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()
    }
}
