//! `fuseboard demo`: one command that shows, on this machine and with real processes and sockets, what Fuseboard is for.
//!
//! A [payment service](payments) runs in a process of its own. A shop sends it payments through the gateway. The
//! service is killed, comes back, browns out and recovers; the circuit opens and closes; what could not be done is kept
//! and replayed. At the end the service's own [durable record](ledger) is laid beside what the shop was told, and the
//! demo fails unless they agree.

use std::io::{self, IsTerminal, Stdout, Write};
use std::process::ExitCode;
use std::time::Duration;

use fuseboard_store::StoreError;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::app::StartError;
use crate::config::ConfigError;

mod balance;
mod client;
pub mod ledger;
mod pages;
pub mod payments;
mod plain;
mod report;
mod scene;
mod script;
mod service;
mod story;
mod traffic;
mod view;
mod world;

pub use service::ServiceError;

use balance::Balance;
use plain::Plain;
use report::Paint;
use scene::Scene;
use view::View;
use world::World;

/// How often the view is drawn, and the script looked at.
const FRAME: Duration = Duration::from_millis(100);
/// How long the last picture stands before the ledger is printed.
const LAST_PICTURE: Duration = Duration::from_millis(1500);
/// The exit code of a demo that was stopped: 128 and the number of SIGINT, as shells have it.
const STOPPED: u8 = 130;

/// The arguments of `fuseboard demo`.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Tell the story in plain lines, also on a terminal
    #[arg(long)]
    pub plain: bool,
    /// How long payments are sent, in seconds
    #[arg(long, value_name = "N", default_value_t = 25, value_parser = clap::value_parser!(u64).range(5..=3600))]
    pub seconds: u64,
    /// Payments per second
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(4..=1000))]
    pub rate: u32,
    /// The amounts and keys of the payments follow from it
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub seed: u64,
}

/// Why a demo ended without a ledger.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// The gateway did not start.
    #[error("the gateway did not start: {0}")]
    Start(#[from] StartError),
    /// The gateway's configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The payment service is not there.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The payment service's record cannot be read.
    #[error(transparent)]
    Ledger(#[from] ledger::LedgerError),
    /// The letters cannot be counted.
    #[error("the store of letters: {0}")]
    Letters(#[from] StoreError),
    /// Nothing can be shown or kept.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Runs the demo, and tells whether the ledger balances: success, 1 if it does not, 130 if it was stopped before.
///
/// It builds its own tokio runtime, so it must not be called within one.
pub fn run(options: Options) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let played = runtime.map_err(DemoError::from).and_then(|runtime| {
        let played = runtime.block_on(play(&options));
        runtime.shutdown_timeout(Duration::from_secs(1));
        played
    });
    match played {
        Ok(code) => code,
        Err(error) => {
            eprintln!("fuseboard demo: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn play(options: &Options) -> Result<ExitCode, DemoError> {
    let folder = tempfile::Builder::new().prefix("fuseboard-demo-").tempdir()?;
    let mut world = Box::pin(World::start(options, folder.path())).await?;
    let mut face = Face::open(options.plain)?;
    let ended = tokio::select! {
        ended = watch(&mut world, &mut face) => ended,
        stopped = stop_signal() => stopped.map(|()| Ended::Stopped).map_err(DemoError::from),
    };
    let seen_live = matches!(face, Face::Plain(_));
    drop(face);
    let ended = ended?;
    let mut stdout = io::stdout();
    let paint = Paint(stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none());
    if !seen_live {
        stdout.write_all(report::story(world.story(), paint).as_bytes())?;
    }
    if ended == Ended::Stopped {
        world.abandon().await?;
        writeln!(stdout, "\nStopped before the end: there is no ledger.")?;
        return Ok(ExitCode::from(STOPPED));
    }
    let balance = Box::pin(world.finish()).await?;
    stdout.write_all(report::ledger(&balance, paint).as_bytes())?;
    verdict(&balance, folder)
}

fn verdict(balance: &Balance, folder: TempDir) -> Result<ExitCode, DemoError> {
    if balance.holds() {
        return Ok(ExitCode::SUCCESS);
    }
    let kept = folder.keep();
    writeln!(io::stdout(), "  The service's file and the store are kept in {}", kept.display())?;
    Ok(ExitCode::FAILURE)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    AsPlanned,
    Stopped,
}

/// Lets the world go on, and shows it, until nothing more happens or somebody has seen enough.
async fn watch(world: &mut World, face: &mut Face) -> Result<Ended, DemoError> {
    let mut frames = interval(FRAME);
    frames.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        frames.tick().await;
        let goes_on = world.advance().await?;
        face.show(&world.scene())?;
        if face.quit_asked()? {
            return Ok(Ended::Stopped);
        }
        if !goes_on {
            face.stand_still().await;
            return Ok(Ended::AsPlanned);
        }
    }
}

/// Waits until somebody wants the demo to end. Nothing is left behind then: no process, no folder, no raw terminal.
async fn stop_signal() -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}

/// How the demo is shown.
#[derive(Debug)]
enum Face {
    Plain(Plain<Stdout>),
    View(Box<View>),
}

impl Face {
    fn open(plain: bool) -> io::Result<Self> {
        match plain || !has_screen() {
            true => Ok(Face::Plain(Plain::new(io::stdout()))),
            false => Ok(Face::View(Box::new(View::open()?))),
        }
    }

    fn show(&mut self, scene: &Scene) -> io::Result<()> {
        match self {
            Face::Plain(plain) => plain.show(scene),
            Face::View(view) => view.show(scene),
        }
    }

    fn quit_asked(&mut self) -> io::Result<bool> {
        match self {
            Face::Plain(_) => Ok(false),
            Face::View(view) => view.quit_asked(),
        }
    }

    async fn stand_still(&self) {
        if let Face::View(_) = self {
            sleep(LAST_PICTURE).await;
        }
    }
}

/// Whether there is a terminal that can show the view, and keys to end it with.
fn has_screen() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    let size = ratatui::crossterm::terminal::size();
    let sized = size.is_ok_and(|(columns, rows)| columns > 0 && rows > 0);
    io::stdout().is_terminal() && io::stdin().is_terminal() && !dumb && sized
}
