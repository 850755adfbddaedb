//! A way to the server that can be cut at a given word, before it arrives or after.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// At which word a connection is cut. The word itself is not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    OnTheWayThere(&'static str),
    OnTheWayBack(&'static str),
}

type Plan = Arc<Mutex<Option<Cut>>>;

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    plan: Plan,
}

impl Proxy {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, plan) = (listener.local_addr().unwrap(), Plan::default());
        let shared = plan.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(server).await.unwrap();
                tokio::spawn(pass(client, server, shared.clone()));
            }
        });
        Proxy { address, plan }
    }

    /// Cuts the connection that brings this next.
    pub(crate) fn cut_at(&self, cut: Cut) {
        *self.plan.lock().unwrap() = Some(cut);
    }

    /// Whether it has been cut as planned.
    pub(crate) fn has_cut(&self) -> bool {
        self.plan.lock().unwrap().is_none()
    }
}

/// Passes on what comes in both directions; ends, and with it the connections, when they are cut.
async fn pass(client: TcpStream, server: TcpStream, plan: Plan) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = flow(from_client, to_server, &plan, |cut| match cut {
            Cut::OnTheWayThere(word) => Some(word),
            Cut::OnTheWayBack(_) => None,
        }) => {}
        () = flow(from_server, to_client, &plan, |cut| match cut {
            Cut::OnTheWayBack(word) => Some(word),
            Cut::OnTheWayThere(_) => None,
        }) => {}
    }
}

async fn flow(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    plan: &Plan,
    word: impl Fn(Cut) -> Option<&'static str>,
) {
    let mut bytes = vec![0; 1 << 20];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        {
            let mut plan = plan.lock().unwrap();
            let word = plan.and_then(&word).map(str::as_bytes);
            if word.is_some_and(|word| bytes[..length].windows(word.len()).any(|seen| seen == word))
            {
                *plan = None;
                return;
            }
        }
        if to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}
