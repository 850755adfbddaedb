//! An admin API over a real socket, with two circuits, letters in memory and a clock that stands still.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::letter::{Answer, Event, Life};
use fuseboard_core::random::SeededRandom;
use fuseboard_core::time::{Clock, ManualClock};
use fuseboard_core::{Board, Failure, Listener};
use fuseboard_server::admin::{self, AdminState};
use fuseboard_server::config::Config;
use fuseboard_server::metrics::Metrics;
use fuseboard_server::operations::{Foundations, Operations, Running, closings};
use fuseboard_services::replay::Observer;
use fuseboard_services::wake::Bells;
use fuseboard_store::{Draft, Letters, Memory, Priority, Settlement, StoredAnswer, Token};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Whoever waits longer than this has found a defect.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const JSON: &str = "Content-Type: application/json\r\n";

pub(crate) const CONFIG: &str = r#"
[defaults]
window = "count(10)"
trip = "failure_streak(2) | slow_rate(1, 1s)"
retry = "cooldown(10s)"

[upstreams.payments]
endpoints = ["http://127.0.0.1:9000"]

[upstreams."orders/eu"]
endpoints = ["http://127.0.0.1:9001"]

[[routes]]
path = "/"
upstream = "payments"
"#;

/// An admin API on a clock that stands still, with two circuits and no letters.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) board: Board,
    pub(crate) letters: Arc<Memory>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) stop: watch::Sender<bool>,
    _running: Running,
}

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert!(self.has("content-type: application/json"), "{}", self.head);
        serde_json::from_str(&self.body).unwrap()
    }

    /// The detail of a problem document that says `status`.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.body);
        assert!(self.has("content-type: application/problem+json"), "{}", self.head);
        let problem: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], "about:blank");
        assert!(problem["title"].is_string());
        problem["detail"].as_str().unwrap().to_owned()
    }

    pub(crate) fn has(&self, header: &str) -> bool {
        self.head.to_ascii_lowercase().lines().any(|line| line == header)
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        Server::with_config(CONFIG).await
    }

    pub(crate) async fn with_config(config: &str) -> Self {
        let config = Arc::new(Config::parse(config, "test").unwrap());
        let clock = Arc::new(ManualClock::new());
        let metrics = Arc::new(Metrics::new(&config, Arc::clone(&clock) as Arc<dyn Clock>));
        let board = Board::builder()
            .clock(Arc::clone(&clock) as Arc<dyn Clock>)
            .shared_listener(Arc::clone(&metrics) as Arc<dyn Listener>)
            .build();
        for upstream in config.upstreams.values() {
            board.get_or_create(&upstream.name, upstream.rules.clone()).unwrap();
        }
        let letters = Arc::new(Memory::default());
        let bells = Bells::new(config.upstreams.keys().map(String::as_str));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (_, closed) = closings();
        let (operations, background) = Operations::new(Foundations {
            config: Arc::clone(&config),
            board: board.clone(),
            letters: Arc::clone(&letters) as Arc<dyn Letters>,
            random: Arc::new(SeededRandom::new(7)),
            observer: Arc::clone(&metrics) as Arc<dyn Observer>,
            closed,
        })
        .unwrap();
        let running = background.start();
        let state = AdminState {
            board: board.clone(),
            letters: Arc::clone(&letters) as Arc<dyn Letters>,
            bells: bells.clone(),
            config,
            metrics: Arc::clone(&metrics),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            operations,
            address,
        };
        let stop = watch::Sender::new(false);
        tokio::spawn(admin::serve(listener, state, stop.subscribe()));
        Server { address, clock, board, letters, metrics, stop, _running: running }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &format!("Host: {}\r\n", self.address)).await
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &str) -> Reply {
        self.send(format!("{method} {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n")).await
    }

    /// An operator's order, as JSON.
    pub(crate) async fn order(&self, path: &str, body: &str, headers: &str) -> Reply {
        let headers = format!("Host: localhost\r\n{headers}Content-Length: {}\r\n", body.len());
        self.send(format!("POST {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n{body}")).await
    }

    /// An operator's order of any method.
    pub(crate) async fn tell(&self, method: &str, path: &str, body: &Value) -> Reply {
        let body = body.to_string();
        let headers = format!("Host: localhost\r\n{JSON}Content-Length: {}\r\n", body.len());
        let head = format!("{method} {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
        self.send(format!("{head}{body}")).await
    }

    /// The audit records that a query is about, the newest first.
    pub(crate) async fn audited(&self, query: &str) -> Vec<Value> {
        let page = self.get(&format!("/v1/audit?{query}")).await.json();
        page["records"].as_array().unwrap().clone()
    }

    pub(crate) async fn send(&self, request: String) -> Reply {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// Opens the circuit by two failures.
    pub(crate) fn trip(&self, circuit: &str) {
        let breaker = self.board.get(circuit).unwrap();
        for _ in 0..2 {
            breaker.try_acquire().unwrap().failure(Failure::new("503 Service Unavailable"));
        }
    }

    pub(crate) async fn capture(&self, circuit: &str, key: &str, body: &[u8]) -> i64 {
        self.keep(self.draft(circuit, key, body)).await
    }

    pub(crate) async fn keep(&self, draft: Draft) -> i64 {
        self.letters.insert(draft).await.unwrap().id().0
    }

    /// A letter that should be done within the hour.
    pub(crate) fn draft(&self, circuit: &str, key: &str, body: &[u8]) -> Draft {
        let now = self.clock.wall();
        Draft {
            token: Token::random(),
            circuit: circuit.to_owned(),
            domain: "default".to_owned(),
            failure: "rejected".to_owned(),
            method: "POST".to_owned(),
            uri: "/charge?order=7".to_owned(),
            headers: vec![
                ("accept".to_owned(), b"*/*".to_vec()),
                ("x-raw".to_owned(), vec![0xff, 0x01]),
                ("Authorization".to_owned(), b"Bearer abc".to_vec()),
            ],
            content_type: Some("application/json".to_owned()),
            body: body.to_vec(),
            key: key.to_owned(),
            scope: Vec::new(),
            order_key: None,
            priority: Priority::Normal,
            sla_deadline: Some(now + Duration::from_secs(3600)),
            sealed_by: None,
            fingerprint: None,
            life: Life::captured(now),
            captured_at: now,
        }
    }

    /// Replays the circuit's next letter, which is answered `status`.
    pub(crate) async fn replay(&self, circuit: &str, status: u16) {
        let now = self.clock.wall();
        let claimed = self.letters.claim(circuit, 1, Duration::from_secs(15), now).await.unwrap();
        let fence = claimed[0].life.fence;
        let answer = Answer::from_http(status, None);
        let stored = StoredAnswer {
            status,
            headers: vec![("content-type".to_owned(), b"text/plain".to_vec())],
            body: b"no".to_vec(),
            at: now,
            truncated: false,
            sealed_by: None,
        };
        let settlement = Settlement {
            event: Event::Settled { fence, answer, draw: 0.5 },
            answer: Some(stored),
            note: format!("answered {status}"),
        };
        self.letters.settle(claimed[0].id, settlement, now).await.unwrap();
    }
}

#[track_caller]
pub(crate) fn assert_line(text: &str, line: &str) {
    assert!(text.lines().any(|one| one == line), "no line\n{line}\nin\n{text}");
}
