//! The payment service as a process of its own: started, killed, and started again on the same port.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use fuseboard_core::random::Random;
use http::Request;
use http_body_util::Full;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::client::Client;
use super::payments::Behaviour;

/// How long the process may take until it listens.
const START: Duration = Duration::from_secs(10);
/// How long it may take to change its behaviour.
const OBEY: Duration = Duration::from_secs(2);
/// How it behaves unless it is told otherwise. Payments take a while, so that SIGKILL finds some in the middle.
pub(crate) const HEALTHY: Behaviour = Behaviour { fail_rate: 0.0, hang_rate: 0.0, latency_ms: 25 };
/// Ports that no operating system hands out by itself: while the service is dead nobody else is given its port.
const PORTS: std::ops::Range<u16> = 17_000..30_000;

/// Why the payment service is not there.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The process cannot be started or killed.
    #[error("the payment service's process: {0}")]
    Process(#[from] io::Error),
    /// It ended, or said nothing, instead of listening.
    #[error("the payment service did not start to listen on {0}")]
    Silent(SocketAddr),
    /// It does not do what it is told.
    #[error("the payment service did not change its behaviour: {0}")]
    Disobeyed(String),
    /// Every port that was tried is taken.
    #[error("no free port for the payment service between {} and {}", PORTS.start, PORTS.end)]
    NoPort,
}

/// The payment service, dead or alive.
#[derive(Debug)]
pub(crate) struct Service {
    address: SocketAddr,
    ledger: PathBuf,
    child: Option<Child>,
}

impl Service {
    /// Starts it on a free port, with its ledger in that file.
    pub(crate) async fn start(ledger: PathBuf, random: &dyn Random) -> Result<Self, ServiceError> {
        let address = free_address(random).ok_or(ServiceError::NoPort)?;
        let mut service = Service { address, ledger, child: None };
        service.restart().await?;
        Ok(service)
    }

    /// Where it listens, whenever it is alive.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its durable record.
    pub(crate) fn ledger(&self) -> &Path {
        &self.ledger
    }

    /// The number of its process, while it is alive.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// Kills it with SIGKILL: it can finish nothing, not even a line.
    pub(crate) async fn kill(&mut self) -> Result<(), ServiceError> {
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// Starts a new process on the same port, with the same ledger.
    pub(crate) async fn restart(&mut self) -> Result<(), ServiceError> {
        self.kill().await?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("payments").arg("--listen").arg(self.address.to_string());
        command.arg("--ledger").arg(&self.ledger).arg("--until-stdin-ends");
        command.arg("--latency").arg(HEALTHY.latency_ms.to_string());
        // A group of its own: Ctrl-C in the terminal is for the demo, which then ends the service.
        #[cfg(unix)]
        command.process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.kill_on_drop(true).spawn()?;
        let stdout = child.stdout.take();
        let first_line = async {
            let mut line = String::new();
            if let Some(stdout) = stdout {
                BufReader::new(stdout).read_line(&mut line).await?;
            }
            io::Result::Ok(line)
        };
        let line = timeout(START, first_line).await.unwrap_or(Ok(String::new()))?;
        if !line.starts_with("listening on") {
            return Err(ServiceError::Silent(self.address));
        }
        self.child = Some(child);
        Ok(())
    }

    /// Tells it how to behave from now on.
    pub(crate) async fn behave(&self, behaviour: Behaviour) -> Result<(), ServiceError> {
        let disobeyed = |why: String| ServiceError::Disobeyed(why);
        let body = serde_json::to_vec(&behaviour).map_err(|error| disobeyed(error.to_string()))?;
        let request = Request::put("/behaviour").body(Full::new(Bytes::from(body)));
        let request = request.map_err(|error| disobeyed(error.to_string()))?;
        let answer = Client::new(self.address).send(request, OBEY).await;
        match answer {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(disobeyed(answer.status().to_string())),
            Err(error) => Err(disobeyed(error.to_string())),
        }
    }
}

fn free_address(random: &dyn Random) -> Option<SocketAddr> {
    let span = f64::from(PORTS.end - PORTS.start);
    (0..100).find_map(|_| {
        let port = PORTS.start + (random.draw() * span) as u16;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        TcpListener::bind(address).is_ok().then_some(address)
    })
}
