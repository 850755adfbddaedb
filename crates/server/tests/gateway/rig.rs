//! A whole server of the test's own, with one upstream `shop` behind one route.

use std::net::SocketAddr;
use std::sync::{Mutex, Once};
use std::time::Duration;
use std::{panic, thread};

use fuseboard_core::{CircuitBreaker, Info, Pin};
use fuseboard_server::app::{App, Extras, StartError};
use fuseboard_server::config::Config;
use serde_json::Value;
use tempfile::TempDir;

use crate::upstream::Upstream;
use crate::wire::{Answer, PATIENCE, Wire};

/// A circuit that never trips by itself.
pub(crate) const CALM: &str = "trip = \"failure_streak(1000)\"\n";
/// The whole chain: kept if possible, or else a static answer.
pub(crate) const CHAIN: &str =
    "fallback = [\"queue\", { status = 503, body = \"later\", content_type = \"text/x\" }]\n";

/// What is special about a server: lines for the sections of its configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    pub(crate) endpoints: Vec<SocketAddr>,
    pub(crate) server: String,
    pub(crate) letters: String,
    pub(crate) upstream: String,
    pub(crate) route: String,
    /// Where the letters live, if not in a folder of the rig's own.
    pub(crate) data: Option<String>,
}

impl Setup {
    pub(crate) fn of(upstream: &Upstream) -> Setup {
        Setup { endpoints: vec![upstream.address], upstream: CALM.to_owned(), ..Setup::default() }
    }

    pub(crate) fn upstream(self, lines: &str) -> Setup {
        Setup { upstream: lines.to_owned(), ..self }
    }

    pub(crate) fn route(self, lines: &str) -> Setup {
        Setup { route: lines.to_owned(), ..self }
    }

    pub(crate) fn letters(self, lines: &str) -> Setup {
        Setup { letters: lines.to_owned(), ..self }
    }

    pub(crate) fn server(self, lines: &str) -> Setup {
        Setup { server: lines.to_owned(), ..self }
    }

    fn config(&self, data: &str) -> Config {
        let endpoints: Vec<String> =
            self.endpoints.iter().map(|address| format!("http://{address}")).collect();
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\ndata = {data:?}\n{}\n\
             [letters]\n{}\n[upstreams.shop]\nendpoints = {endpoints:?}\n{}\n\
             [[routes]]\npath = \"/\"\nupstream = \"shop\"\n{}\n",
            self.server, self.letters, self.upstream, self.route
        );
        Config::parse(&text, "test.toml").unwrap_or_else(|error| panic!("{error}"))
    }
}

/// What panicked outside these tests' own code; a task that panics tells nobody else.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());
static WATCH: Once = Once::new();

fn watch_for_panics() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if info.location().is_none_or(|at| !at.file().contains("tests/gateway")) {
            PANICS.lock().unwrap().push(info.to_string());
        }
        usual(info);
    }));
}

/// Fails, when the test is over, if anything inside the server has panicked.
struct NoPanic;

impl Drop for NoPanic {
    fn drop(&mut self) {
        let panics = PANICS.lock().unwrap().clone();
        assert!(panics.is_empty() || thread::panicking(), "the server panicked: {panics:#?}");
    }
}

pub(crate) struct Rig {
    pub(crate) app: App,
    _folder: TempDir,
    _no_panic: NoPanic,
}

impl Rig {
    pub(crate) async fn start(setup: Setup) -> Rig {
        WATCH.call_once(watch_for_panics);
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("data").display().to_string();
        let config = setup.config(setup.data.as_ref().unwrap_or(&own));
        let app = App::start(config, Extras::default()).await.unwrap();
        Rig { app, _folder: folder, _no_panic: NoPanic }
    }

    /// Why such a server does not start. It needs a folder of the caller's.
    pub(crate) async fn refused(setup: Setup) -> StartError {
        let config = setup.config(setup.data.as_deref().unwrap());
        App::start(config, Extras::default()).await.expect_err("it started")
    }

    /// A server in front of `upstream` with nothing special.
    pub(crate) async fn before(upstream: &Upstream) -> Rig {
        Rig::start(Setup::of(upstream)).await
    }

    pub(crate) async fn client(&self) -> Wire {
        Wire::connect(self.app.gateway()).await
    }

    /// Asks on a connection of its own.
    pub(crate) async fn ask(&self, request: impl AsRef<[u8]>) -> Answer {
        self.client().await.ask(request).await
    }

    /// Asks the admin API for something.
    pub(crate) async fn tell(&self, method: &str, path: &str, body: &Value) -> Answer {
        let body = body.to_string();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n");
        let length = body.len();
        let head =
            format!("{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n");
        Wire::connect(self.app.admin()).await.ask(format!("{head}{body}")).await
    }

    pub(crate) fn circuit(&self) -> CircuitBreaker {
        self.app.board().get("shop").unwrap()
    }

    /// The circuit when no call is in flight.
    pub(crate) async fn settled(&self) -> Info {
        self.until("every ticket is settled", |info| info.in_flight == 0).await
    }

    /// The circuit once it is as `enough` asks for.
    pub(crate) async fn until(&self, what: &str, enough: impl Fn(&Info) -> bool) -> Info {
        for _ in 0..PATIENCE.as_millis() / 2 {
            let info = self.circuit().info();
            if enough(&info) {
                return info;
            }
            tokio::time::sleep(Duration::from_millis(2)).await; // waits for: the gateway, which tells nobody
        }
        panic!("{what}: {:?}", self.circuit().info());
    }

    pub(crate) fn force_open(&self) {
        self.circuit().force_open(Pin::by("test"));
    }

    /// The letter's page once its status is `status`.
    pub(crate) async fn until_letter(&self, page: &str, status: &str) -> Answer {
        let mut last = String::new();
        for _ in 0..PATIENCE.as_millis() / 5 {
            let answer = self.ask(get(page)).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            if answer.json()["status"] == status {
                return answer;
            }
            last = answer.text();
            tokio::time::sleep(Duration::from_millis(5)).await; // waits for: the replay
        }
        panic!("the letter is never {status}: {last}");
    }
}

/// A request without a body.
pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")
}

/// A request with a body and perhaps more headers, each ended by CR LF.
pub(crate) fn with_body(method: &str, path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: a\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
}

/// An answer of an upstream.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} Some\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}
