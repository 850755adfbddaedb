//! The command line: `fuseboard serve | check | circuits | dlq | governance | audit | demo`.
//!
//! Exit codes: 0 when it was done; 1 when nothing was done, 2 for input that cannot be used, each with one message on
//! standard error.

use std::fmt::Display;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};

use crate::config::{Config, ConfigError, Overrides};
use crate::{app, demo};

mod audit;
mod check;
mod circuits;
mod client;
mod dlq;
mod governance;
mod log;
mod path;
mod remote;
mod table;

/// How long calls that block a thread, such as of the system's resolver, may hold up the end.
const BLOCKED: Duration = Duration::from_millis(200);
const BAD_INPUT: u8 = 2;
const NOTHING_TO_SERVE: &str = "nothing to serve: give --config fuseboard.toml, or --upstream \
                                http://host:port for a gateway in front of one service";

/// Stops calls to a dependency that is failing, keeps the work that could not be done, and sends it again when the
/// dependency is back.
#[derive(Debug, Parser)]
#[command(name = "fuseboard", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the gateway and the admin API until SIGTERM or SIGINT
    Serve(ServeOptions),
    /// Reads a configuration file and says what it means
    Check {
        /// The configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Shows the circuits of a running server, opens and closes them by hand
    Circuits(circuits::Options),
    /// Lists the letters of a running server, replays them, gives them up, moves them
    Dlq(dlq::Options),
    /// Stops the replay of letters, or lets it go on
    Governance(governance::Options),
    /// Shows who did what to circuits, letters and settings, and why
    Audit(audit::Options),
    /// Shows on this machine, with real processes, what Fuseboard does when a service fails
    Demo(demo::Options),
    /// The payment service of the demo
    #[command(hide = true)]
    Payments(demo::payments::PaymentsOptions),
}

#[derive(Debug, Args)]
struct ServeOptions {
    /// The configuration file
    #[arg(long, value_name = "FILE", conflicts_with = "upstream")]
    config: Option<PathBuf>,
    /// An address of the service to protect, http://host:port; again for another address of the same service
    #[arg(long, value_name = "URL")]
    upstream: Vec<String>,
    /// Where the gateway listens [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", value_parser = address)]
    listen: Option<SocketAddr>,
    /// Where the admin API listens [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDR", value_parser = address)]
    admin: Option<SocketAddr>,
    /// The folder in which letters are kept [default: fuseboard-data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl ServeOptions {
    /// The configuration that the options amount to; none if they name nothing to serve.
    fn config(self) -> Result<Option<Config>, ConfigError> {
        let ServeOptions { config, upstream, listen, admin, data } = self;
        let overrides = Overrides { listen, admin, data };
        match config {
            Some(file) => Config::load(&file)?.with(&overrides).map(Some),
            None if upstream.is_empty() => Ok(None),
            None => Config::for_endpoints(&upstream, &overrides).map(Some),
        }
    }
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "expected an address such as 127.0.0.1:8080 or [::1]:8080")
}

/// Does what the command line of this process says.
pub fn run() -> ExitCode {
    match Cli::try_parse() {
        Ok(Cli { command }) => dispatch(command),
        Err(help) if help.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            eprint!("{help}");
            ExitCode::from(BAD_INPUT)
        }
        Err(error) if error.use_stderr() => {
            let message = error.to_string();
            refuse(message.strip_prefix("error: ").unwrap_or(&message).trim_end())
        }
        Err(help) => print(&help.to_string()),
    }
}

fn dispatch(command: Command) -> ExitCode {
    match command {
        Command::Serve(options) => match options.config() {
            Ok(Some(config)) => serve(config),
            Ok(None) => refuse(NOTHING_TO_SERVE),
            Err(error) => refuse(error),
        },
        Command::Check { config: file } => match Config::load(&file) {
            Ok(config) => print(&check::describe(&config, &file.display().to_string())),
            Err(error) => refuse(error),
        },
        Command::Circuits(options) => circuits::run(options),
        Command::Dlq(options) => dlq::run(options),
        Command::Governance(options) => governance::run(options),
        Command::Audit(options) => audit::run(options),
        Command::Demo(options) => demo::run(options),
        Command::Payments(options) => demo::payments::payments(options),
    }
}

fn serve(config: Config) -> ExitCode {
    let log = match log::start() {
        Ok(log) => log,
        Err(error) => return refuse(error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(format!("the runtime cannot start: {error}")),
    };
    let served = runtime.block_on(app::serve(config));
    runtime.shutdown_timeout(BLOCKED);
    drop(log);
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(error),
    }
}

fn refuse(message: impl Display) -> ExitCode {
    log::say(message);
    ExitCode::from(BAD_INPUT)
}

/// Writes to standard output; whoever reads it may have gone away.
fn print(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
