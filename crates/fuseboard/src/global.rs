//! The board of the process, for circuits that several places find by name.

use std::error::Error;
use std::fmt;
use std::sync::OnceLock;

use fuseboard_core::Board;

static BOARD: OnceLock<Board> = OnceLock::new();

/// The board of the process: the one that was [installed](install), or else one on the system's clock without listeners,
/// which is made by the first who asks.
///
/// ```
/// use fuseboard::{Rules, global};
///
/// let payments = global::board().get_or_create("payments", Rules::default())?;
/// assert_eq!(global::board().all_states().len(), 1);
/// # Ok::<(), fuseboard::BuildError>(())
/// ```
pub fn board() -> &'static Board {
    BOARD.get_or_init(Board::new)
}

/// Makes `board` the board of the process. It is for the beginning of `main`, before anyone asks for one.
///
/// ```
/// use fuseboard::{Board, Transition, global};
///
/// let log = |circuit: &str, transition: &Transition| println!("{circuit} is {}", transition.to);
/// global::install(Board::builder().listener(log).build())?;
/// # Ok::<(), global::AlreadyInstalled>(())
/// ```
///
/// # At the end
///
/// This board is never dropped, so neither are its listeners: what waits for [`Elsewhere`](crate::Elsewhere) or for a webhook when
/// `main` returns, or when somebody calls [`std::process::exit`], is lost. Keep the listener, and flush it:
///
/// ```
/// use fuseboard::{Board, Elsewhere, Listener, Pin, Rules, Transition, global};
/// use std::{sync::Arc, time::Duration};
///
/// let report = |circuit: &str, transition: &Transition| println!("{circuit} is {}", transition.to);
/// let reports = Arc::new(Elsewhere::new(report, 1000)?);
/// let listener: Arc<dyn Listener> = reports.clone();
/// global::install(Board::builder().shared_listener(listener).build())?;
///
/// global::board().get_or_create("payments", Rules::default())?.force_open(Pin::by("ops"));
/// assert!(reports.flush(Duration::from_secs(5)), "told before the program ends");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`AlreadyInstalled`] if the process has one: because one was installed, or because someone asked for it and was given
/// the default. Circuits may be on it, so it stays.
pub fn install(board: Board) -> Result<(), AlreadyInstalled> {
    BOARD.set(board).map_err(|_| AlreadyInstalled)
}

/// The process has its board, and keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AlreadyInstalled;

impl fmt::Display for AlreadyInstalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the process has a board: it was installed, or made when someone asked for it")
    }
}

impl Error for AlreadyInstalled {}
