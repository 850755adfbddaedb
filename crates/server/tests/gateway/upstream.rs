//! An upstream that does what its script says, and remembers what it got.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::wire::{Body, Framing, Head, PATIENCE, Wire};

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
    pub(crate) whole: bool,
}

/// What all connections of an upstream tell.
struct Log {
    requests: Mutex<Vec<Request>>,
    accepted: AtomicUsize,
    open: AtomicUsize,
    marks: AtomicUsize,
    changed: watch::Sender<()>,
    /// What the test has told the scripts.
    told: Semaphore,
}

/// The upstream; dropped, it refuses connections.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    log: Arc<Log>,
    accepting: JoinHandle<()>,
}

/// One connection, as a script has it.
pub(crate) struct Peer {
    pub(crate) wire: Wire,
    /// 0 for the first connection of this upstream.
    pub(crate) number: usize,
    log: Arc<Log>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.log.open.fetch_sub(1, Ordering::SeqCst);
        self.log.changed.send_replace(());
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Request {
    /// Method and target.
    pub(crate) fn line(&self) -> &str {
        self.head.start.strip_suffix(" HTTP/1.1").expect("the gateway speaks HTTP/1.1")
    }

    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.head.get(name)
    }
}

impl Peer {
    /// The next request's head, which is remembered with an empty body.
    pub(crate) async fn head(&mut self) -> Option<Head> {
        let head = self.wire.head().await?;
        self.remember(Request { head: head.clone(), body: Vec::new(), whole: false });
        Some(head)
    }

    /// The next request; `None` if the connection ends first.
    pub(crate) async fn request(&mut self) -> Option<Request> {
        let head = self.wire.head().await?;
        let Body { bytes, whole } = self.wire.body(head.framing(Framing::Exactly(0))).await;
        let request = Request { head, body: bytes, whole };
        self.remember(request.clone());
        Some(request)
    }

    fn remember(&self, request: Request) {
        self.log.requests.lock().unwrap().push(request);
        self.log.changed.send_replace(());
    }

    /// Lets the test know that the script has come this far.
    pub(crate) fn mark(&self) {
        self.log.marks.fetch_add(1, Ordering::SeqCst);
        self.log.changed.send_replace(());
    }

    /// Waits until the test says to go on.
    pub(crate) async fn told(&self) {
        self.log.told.acquire().await.unwrap().forget();
    }

    /// Says something; whether the other side is still there to hear it is not asked.
    pub(crate) async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.wire.try_send(bytes).await;
    }
}

impl Upstream {
    /// Every connection runs `script`, and is closed when that ends.
    pub(crate) async fn scripted<S, F>(script: S) -> Upstream
    where
        S: Fn(Peer) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let log = Arc::new(Log {
            requests: Mutex::default(),
            accepted: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            marks: AtomicUsize::new(0),
            told: Semaphore::new(0),
            changed: watch::Sender::new(()),
        });
        let shared = Arc::clone(&log);
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let number = shared.accepted.fetch_add(1, Ordering::SeqCst);
                shared.open.fetch_add(1, Ordering::SeqCst);
                let peer = Peer { wire: Wire::new(stream), number, log: Arc::clone(&shared) };
                connections.spawn(script(peer));
            }
        });
        Upstream { address, log, accepting }
    }

    /// Reads whole requests and answers each with what `answer` makes of it, on connections that are kept alive.
    pub(crate) async fn answering<A, B>(answer: A) -> Upstream
    where
        A: Fn(&Request) -> B + Send + Sync + 'static,
        B: AsRef<[u8]> + Send,
    {
        let answer = Arc::new(answer);
        Upstream::scripted(move |mut peer| {
            let answer = Arc::clone(&answer);
            async move {
                while let Some(request) = peer.request().await {
                    if request.whole {
                        peer.say(answer(&request)).await;
                    }
                }
            }
        })
        .await
    }

    /// Answers everything with 200.
    pub(crate) async fn good() -> Upstream {
        Upstream::answering(|_| OK).await
    }

    /// Reads whole requests and never answers.
    pub(crate) async fn silent() -> Upstream {
        Upstream::scripted(|mut peer| async move { while peer.request().await.is_some() {} }).await
    }

    /// Reads a request and then resets the connection.
    pub(crate) async fn resetting() -> Upstream {
        Upstream::scripted(|mut peer| async move {
            peer.request().await;
            peer.wire.will_reset();
        })
        .await
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.log.requests.lock().unwrap().clone()
    }

    /// The only request so far.
    #[track_caller]
    pub(crate) fn only(&self) -> Request {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:#?}");
        requests.into_iter().next().unwrap()
    }

    pub(crate) fn accepted(&self) -> usize {
        self.log.accepted.load(Ordering::SeqCst)
    }

    pub(crate) fn open(&self) -> usize {
        self.log.open.load(Ordering::SeqCst)
    }

    pub(crate) fn marks(&self) -> usize {
        self.log.marks.load(Ordering::SeqCst)
    }

    /// Lets one script that waits for it go on.
    pub(crate) fn tell(&self) {
        self.log.told.add_permits(1);
    }

    /// Waits until the upstream has seen what `enough` asks for.
    pub(crate) async fn until(&self, what: &str, enough: impl Fn(&Upstream) -> bool) {
        let mut changed = self.log.changed.subscribe();
        let seen = timeout(PATIENCE, async {
            while !enough(self) {
                changed.changed().await.unwrap();
            }
        });
        seen.await.unwrap_or_else(|_| panic!("the upstream never saw {what}"));
    }
}

/// An address that refuses connections for as long as this lives.
pub(crate) struct Dead {
    pub(crate) address: SocketAddr,
    _bound: TcpSocket,
}

impl Dead {
    pub(crate) fn end() -> Dead {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Dead { address: socket.local_addr().unwrap(), _bound: socket }
    }
}
