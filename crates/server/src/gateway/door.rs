//! Lets callers in: no more at once than the configuration allows; the others wait in the system's queue.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::time::{Clock, Moment};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tracing::warn;

/// How long to wait after the system refused a connection, for lack of file descriptors for example.
const PAUSE: Duration = Duration::from_millis(50);
/// What goes on is said no more often than this.
const QUIET: Duration = Duration::from_secs(60);

/// Where callers come in.
pub(super) struct Door {
    listener: TcpListener,
    limit: usize,
    room: Arc<Semaphore>,
    complained: Option<Moment>,
    clock: Arc<dyn Clock>,
}

/// A caller that is let in. Its place is free again when this is dropped.
pub(super) struct Caller {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) place: OwnedSemaphorePermit,
}

impl Door {
    /// A door for at most `limit` callers at once.
    pub(super) fn new(listener: TcpListener, limit: usize, clock: Arc<dyn Clock>) -> Self {
        let room = Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
        Door { listener, limit, room, complained: None, clock }
    }

    /// The next caller, once there is room for it.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it takes nobody.
    pub(super) async fn next(&mut self) -> Caller {
        loop {
            if self.room.available_permits() == 0 && self.may_complain() {
                warn!(max_connections = self.limit, "no room for another connection: it waits");
            }
            let place = Arc::clone(&self.room).acquire_owned().await;
            let place = place.expect("nobody closes the semaphore");
            match self.listener.accept().await {
                Ok((stream, peer)) => return Caller { stream, peer, place },
                Err(error) => {
                    if self.may_complain() {
                        warn!(%error, "a connection could not be taken");
                    }
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn may_complain(&mut self) -> bool {
        let now = self.clock.now();
        let may = self.complained.is_none_or(|last| now.since(last) >= QUIET);
        if may {
            self.complained = Some(now);
        }
        may
    }
}
