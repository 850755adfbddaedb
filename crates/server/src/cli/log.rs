//! Logging that nothing waits for: a reader of standard error who stops reading costs lines, never service.

use std::fmt::Display;
use std::io::IsTerminal;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tracing::error;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// What says how much is logged, and its value if it is not set.
const LEVEL: (&str, &str) = ("FUSEBOARD_LOG", "info");
/// How many lines wait for a slow reader before lines are lost.
const LINES_KEPT: usize = 16_384;
/// How long the end waits for the last lines to be read.
const LAST_LINES: Duration = Duration::from_millis(500);

/// Keep it until the process ends: dropped, it lets the last lines out.
#[derive(Debug)]
pub(super) struct Log(Option<WorkerGuard>);

/// Sends what is logged to standard error, as much of it as the environment says.
pub(super) fn start() -> Result<Log, String> {
    let (name, default) = LEVEL;
    let directives = std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let filter = EnvFilter::try_new(&directives).map_err(|error| {
        format!("{name}: `{directives}` is not possible: {error}: expected a level such as info, or debug")
    })?;
    let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(LINES_KEPT);
    let (writer, guard) = builder.finish(std::io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    // The hook that is there by default writes to standard error itself, and waits for its reader.
    std::panic::set_hook(Box::new(|panic| error!("{panic}")));
    Ok(Log(Some(guard)))
}

impl Drop for Log {
    fn drop(&mut self) {
        let guard = self.0.take();
        // The guard may wait longer than we want to, or say on a stuck standard output that it did.
        within(LAST_LINES, move || drop(guard));
    }
}

/// Says it on standard error, if somebody reads that.
pub(super) fn say(message: impl Display) {
    let line = format!("fuseboard: {message}");
    within(LAST_LINES, move || eprintln!("{line}"));
}

/// Does it, but does not wait longer than `patience` for the end of it.
fn within(patience: Duration, act: impl FnOnce() + Send + 'static) {
    let (done, ended) = mpsc::channel();
    let spawned = thread::Builder::new().spawn(move || {
        act();
        // Whoever waited may have gone.
        let _ = done.send(());
    });
    if spawned.is_ok() {
        // If it did not end in time, there is nothing more to be done.
        let _ = ended.recv_timeout(patience);
    }
}
