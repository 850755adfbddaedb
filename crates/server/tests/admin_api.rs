//! The admin API over a real socket: each route, its errors, and who may ask.
#![cfg(test)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::letter::{Answer, Event, Life, Status};
use fuseboard_core::time::{Clock, ManualClock};
use fuseboard_core::{Board, Failure, Listener, Pin};
use fuseboard_server::admin::{self, AdminState};
use fuseboard_server::config::Config;
use fuseboard_server::metrics::Metrics;
use fuseboard_services::wake::Bells;
use fuseboard_store::{Draft, Letters, Memory, Priority, Settlement, StoredAnswer, Token};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const CONFIG: &str = r#"
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
struct Server {
    address: SocketAddr,
    clock: Arc<ManualClock>,
    board: Board,
    letters: Arc<Memory>,
    metrics: Arc<Metrics>,
    stop: watch::Sender<bool>,
}

/// What came back.
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    #[track_caller]
    fn json(&self) -> Value {
        assert!(self.has("content-type: application/json"), "{}", self.head);
        serde_json::from_str(&self.body).unwrap()
    }

    /// The detail of a problem document that says `status`.
    #[track_caller]
    fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.body);
        assert!(self.has("content-type: application/problem+json"), "{}", self.head);
        let problem: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], "about:blank");
        assert!(problem["title"].is_string());
        problem["detail"].as_str().unwrap().to_owned()
    }

    fn has(&self, header: &str) -> bool {
        self.head.to_ascii_lowercase().lines().any(|line| line == header)
    }
}

impl Server {
    async fn start() -> Self {
        Server::with_config(CONFIG).await
    }

    async fn with_config(config: &str) -> Self {
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
        let state = AdminState {
            board: board.clone(),
            letters: Arc::clone(&letters) as Arc<dyn Letters>,
            bells: bells.clone(),
            config,
            metrics: Arc::clone(&metrics),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            address,
        };
        let stop = watch::Sender::new(false);
        tokio::spawn(admin::serve(listener, state, stop.subscribe()));
        Server { address, clock, board, letters, metrics, stop }
    }

    async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &format!("Host: {}\r\n", self.address)).await
    }

    async fn ask(&self, method: &str, path: &str, headers: &str) -> Reply {
        self.send(format!("{method} {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n")).await
    }

    /// An operator's order, as JSON.
    async fn order(&self, path: &str, body: &str, headers: &str) -> Reply {
        let headers = format!("Host: localhost\r\n{headers}Content-Length: {}\r\n", body.len());
        self.send(format!("POST {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n{body}")).await
    }

    async fn send(&self, request: String) -> Reply {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// Opens the circuit by two failures.
    fn trip(&self, circuit: &str) {
        let breaker = self.board.get(circuit).unwrap();
        for _ in 0..2 {
            breaker.try_acquire().unwrap().failure(Failure::new("503 Service Unavailable"));
        }
    }

    async fn capture(&self, circuit: &str, key: &str, body: &[u8]) -> i64 {
        let now = self.clock.wall();
        let draft = Draft {
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
            sla_deadline: None,
            sealed_by: None,
            fingerprint: None,
            life: Life::captured(now),
            captured_at: now,
        };
        self.letters.insert(draft).await.unwrap().id().0
    }

    /// Replays the circuit's next letter, which is answered `status`.
    async fn replay(&self, circuit: &str, status: u16) {
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

#[tokio::test]
async fn a_closed_circuit_is_shown_with_its_rules() {
    let server = Server::start().await;
    server.clock.advance(Duration::from_millis(1500));
    let circuits = server.get("/v1/circuits").await.json();
    let names: Vec<&Value> =
        circuits["circuits"].as_array().unwrap().iter().map(|circuit| &circuit["name"]).collect();
    assert_eq!(names, ["orders/eu", "payments"]);

    let circuit = server.get("/v1/circuits/payments").await.json();
    assert_eq!(circuit, circuits["circuits"][1]);
    let metrics = json!({
        "total": 0, "successes": 0, "failures": 0, "failure_rate": null, "streak": 0, "avg_latency_ms": null,
        "slow": [{ "threshold": "1s", "calls": 0 }], "in_flight_over": [],
    });
    let totals = json!({
        "success": 0, "failure": 0, "ignored": 0, "cancelled": 0, "rejected": 0, "stale": 0,
    });
    let rules = json!({
        "window": "count(10)", "trip": "failure_streak(2) | slow_rate(1, 1s)", "retry": "cooldown(10s)",
        "permit": "all", "slots": "3", "recovery": "successes(3)", "probe_timeout": "1m",
        "cancelled_after": "5s",
    });
    let expected = json!({
        "name": "payments", "state": "closed", "since": "1970-01-01T00:00:00Z", "lasted_ms": 1500,
        "reopens": 0, "generation": 0, "in_flight": 0, "metrics": metrics, "totals": totals,
        "last_error": null, "retry_after_ms": null, "why": null, "pin": null, "rules": rules,
    });
    assert_eq!(circuit, expected);
}

#[tokio::test]
async fn an_open_circuit_says_why_and_until_when() {
    let server = Server::start().await;
    server.clock.advance(Duration::from_secs(1));
    server.trip("payments");
    server.clock.advance(Duration::from_secs(4));
    let circuit = server.get("/v1/circuits/payments").await.json();
    assert_eq!(circuit["state"], "open");
    assert_eq!(circuit["since"], "1970-01-01T00:00:01Z");
    assert_eq!((&circuit["lasted_ms"], &circuit["retry_after_ms"]), (&json!(4000), &json!(6000)));
    assert_eq!(circuit["why"], "failure_streak(2): 2 in a row");
    assert_eq!(circuit["totals"]["failure"], 2);
    let last_error = json!({ "message": "503 Service Unavailable", "at": "1970-01-01T00:00:01Z" });
    assert_eq!(circuit["last_error"], last_error);
}

#[tokio::test]
async fn a_pin_is_shown_with_who_set_it() {
    let server = Server::start().await;
    let breaker = server.board.get("orders/eu").unwrap();
    breaker.force_open(Pin::by("ops").because("drill").lasting(Duration::from_secs(60)));
    let circuit = server.get("/v1/circuits/orders%2Feu").await.json();
    assert_eq!(circuit["state"], "forced_open");
    assert_eq!(circuit["why"], "pinned by ops: drill");
    assert_eq!(
        circuit["pin"],
        json!({ "actor": "ops", "reason": "drill", "remaining_ms": 60_000 })
    );
}

#[tokio::test]
async fn letters_are_listed_page_by_page_and_filtered() {
    let server = Server::start().await;
    assert_eq!(server.get("/v1/letters").await.json(), json!({ "letters": [], "next": null }));
    for key in ["a", "b", "c"] {
        server.capture("payments", key, b"{}").await;
    }
    server.capture("orders/eu", "d", b"{}").await;
    server.replay("payments", 200).await;

    let keys = async |query: &str| {
        let page = server.get(&format!("/v1/letters?{query}")).await.json();
        let letters = page["letters"].as_array().unwrap();
        let keys: String = letters.iter().map(|one| one["key"].as_str().unwrap()).collect();
        (keys, page["next"].as_i64())
    };
    let first = keys("limit=2").await;
    let next = first.1.unwrap();
    assert_eq!(first.0, "ab");
    assert_eq!(keys(&format!("limit=2&after={next}")).await, ("cd".to_owned(), None));
    assert_eq!(keys("limit=4").await, ("abcd".to_owned(), None), "a full page may be the last");
    assert_eq!(keys("circuit=orders/eu").await.0, "d");
    assert_eq!(keys("status=pending&circuit=payments").await.0, "bc");
    assert_eq!(keys("status=resolved").await.0, "a");
    assert_eq!(keys("circuit=unknown").await.0, "");
}

#[tokio::test]
async fn a_letter_is_shown_with_all_that_is_kept_of_it() {
    let server = Server::start().await;
    let id = server.capture("payments", "order-7", b"{\"amount\":1}").await;
    server.replay("payments", 422).await;
    let letter = server.get(&format!("/v1/letters/{id}")).await.json();
    let text = |field: &str| letter[field].as_str().unwrap().to_owned();
    assert_eq!(letter["id"], id);
    assert!(text("location").starts_with("/.fuseboard/letters/"), "{letter}");
    assert_eq!(
        (text("circuit"), text("status")),
        ("payments".to_owned(), "requires_review".to_owned())
    );
    assert_eq!((text("method"), text("uri")), ("POST".to_owned(), "/charge?order=7".to_owned()));
    assert_eq!((text("failure"), text("key")), ("rejected".to_owned(), "order-7".to_owned()));
    assert_eq!(
        (text("body_text"), letter["body_length"].as_u64()),
        ("{\"amount\":1}".to_owned(), Some(12))
    );
    assert_eq!(
        (letter["attempts"].as_u64(), letter["answer_status"].as_u64()),
        (Some(1), Some(422))
    );
    assert_eq!(text("captured_at"), "1970-01-01T00:00:00Z");
    let headers = json!([
        { "name": "accept", "text": "*/*" },
        { "name": "x-raw", "hex": "ff01" },
        { "name": "Authorization", "hidden": 10 },
    ]);
    assert_eq!(letter["headers"], headers);
    assert_eq!(
        (&letter["answer"]["status"], &letter["answer"]["body_text"]),
        (&json!(422), &json!("no"))
    );
    let history = letter["history"].as_array().unwrap();
    let what: Vec<&str> = history.iter().map(|entry| entry["what"].as_str().unwrap()).collect();
    assert!(what.starts_with(&["captured", "claimed", "answered 422"]), "{what:?}");
}

#[tokio::test]
async fn a_body_that_is_no_text_is_shown_in_hexadecimal() {
    let server = Server::start().await;
    let id = server.capture("payments", "k", &[0x00, 0xff, 0x7f]).await;
    let letter = server.get(&format!("/v1/letters/{id}")).await.json();
    assert_eq!((&letter["body_hex"], &letter["body_text"]), (&json!("00ff7f"), &Value::Null));
}

#[tokio::test]
async fn what_cannot_be_answered_is_a_problem_that_says_what_could() {
    let server = Server::start().await;
    let rows = [
        (
            "/v1/circuits/nope",
            404,
            "there is no circuit `nope`: expected one of orders/eu, payments",
        ),
        ("/v1/letters/7", 404, "there is no letter 7, or it was purged"),
        ("/v1/letters/x", 400, "id: `x` is not a letter's number: expected decimal digits"),
        (
            "/v1/letters?limit=501",
            400,
            "limit: `501` is not possible: expected a number from 1 to 500",
        ),
        ("/v1/letters?limit=0", 400, "limit: `0` is not possible: expected a number from 1 to 500"),
        (
            "/v1/letters?after=x",
            400,
            "after: `x` is not a letter's number: expected decimal digits",
        ),
        (
            "/v1/letters?domain=a",
            400,
            "domain: no such filter: expected circuit, status, after or limit",
        ),
        (
            "/v1/letters?status=lost",
            400,
            "status: `lost` is not a status: expected pending, replaying, requires_review, resolved, \
             discarded or expired",
        ),
        (
            "/v2",
            404,
            "there is nothing at `/v2`: expected /v1/circuits, /v1/letters, /healthz, /readyz or /metrics",
        ),
    ];
    for (path, status, detail) in rows {
        let reply = server.get(path).await;
        assert_eq!(reply.problem(status), detail, "{path}");
        assert!(reply.has("cache-control: no-store"), "{}", reply.head);
    }
    let not_text = server.get("/v1/circuits/%ff").await;
    assert!(not_text.problem(400).contains("UTF-8"), "{}", not_text.body);

    let host = format!("Host: {}\r\n", server.address);
    let reply = server.ask("DELETE", "/v1/letters", &host).await;
    assert_eq!(reply.problem(405), "`/v1/letters` does not take DELETE: expected GET");
    assert!(reply.has("allow: get,head"), "{}", reply.head);
}

#[tokio::test]
async fn health_follows_the_store() {
    let server = Server::start().await;
    for path in ["/healthz", "/readyz"] {
        let reply = server.get(path).await;
        assert_eq!((reply.status, reply.json()), (200, json!({ "status": "ok" })), "{path}");
    }
    server.letters.close().await.unwrap();
    for path in ["/healthz", "/readyz"] {
        let detail = server.get(path).await.problem(503);
        assert!(detail.starts_with("store: the store is unavailable"), "{detail}");
    }
    server.get("/v1/letters").await.problem(503);
    let circuits = server.get("/v1/circuits").await;
    assert_eq!(circuits.status, 200, "circuits do not need the store");
    let metrics = server.get("/metrics").await;
    assert!(metrics.body.contains("\nfuseboard_store_up 0\n"), "{}", metrics.body);
    assert!(!metrics.body.contains("fuseboard_letters{"), "what is not known is not claimed");
}

#[tokio::test]
async fn readiness_ends_while_requests_are_not_kept() {
    let server = Server::start().await;
    let degraded = json!({
        "status": "degraded", "detail": "the store did not keep the latest request: disk_full",
    });
    let ready = async || {
        let reply = server.get("/readyz").await;
        (reply.status, reply.json())
    };
    server.metrics.count_refused_capture("payments", "disk_full");
    assert_eq!(ready().await, (503, degraded.clone()));
    assert_eq!(server.get("/healthz").await.status, 200, "it is alive all the same");
    server.metrics.capture_worked();
    assert_eq!(ready().await, (200, json!({ "status": "ok" })));

    server.metrics.count_refused_capture("payments", "disk_full");
    server.clock.advance(Duration::from_secs(59));
    assert_eq!(ready().await, (503, degraded));
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(
        ready().await.0,
        200,
        "without requests, nothing would ever show that it works again"
    );
    server.metrics.count_refused_capture("gone", "disk_full");
    let line = "fuseboard_captures_refused_total{circuit=\"payments\",reason=\"disk_full\"} 2";
    let text = server.get("/metrics").await.body;
    assert_line(&text, line);
    assert!(!text.contains("gone"), "labels are bounded by the configuration");
}

#[tokio::test]
async fn letters_that_nobody_replays_are_told() {
    let server = Server::start().await;
    server.capture("payments", "a", b"").await;
    server.capture("renamed", "b", b"").await;
    server.capture("renamed", "c", b"").await;
    server.capture("finished", "d", b"").await;
    server.replay("renamed", 422).await;
    server.replay("finished", 200).await;
    for path in ["/healthz", "/readyz"] {
        let reply = server.get(path).await;
        let expected = json!({ "status": "ok", "unconfigured": { "renamed": 2 } });
        assert_eq!((reply.status, reply.json()), (200, expected), "{path}");
    }
}

const JSON: &str = "Content-Type: application/json\r\n";
const REASON: &str = "{\"reason\": \" the address is fixed \"}";

#[tokio::test]
async fn an_operator_sends_a_letter_back_or_gives_it_up() {
    let tokens = "[server.tokens]\nops = \"s3cret\"\n";
    for (config, actor) in [(CONFIG.to_owned(), "admin"), (format!("{CONFIG}{tokens}"), "ops")] {
        let server = Server::with_config(&config).await;
        let headers = format!("{JSON}Authorization: Bearer s3cret\r\n");
        let id = server.capture("payments", "a", b"").await;
        server.replay("payments", 422).await;
        server.clock.advance(Duration::from_secs(5));
        let requeue = format!("/v1/letters/{id}/requeue");
        let reply = server.order(&requeue, REASON, &headers).await;
        let due_at = "1970-01-01T00:00:05Z";
        let expected = json!({ "id": id, "status": "pending", "due_at": due_at });
        assert_eq!((reply.status, reply.json()), (200, expected));
        let again = server.order(&requeue, REASON, &headers).await;
        assert_eq!(again.problem(409), "a letter that is pending does not take this");

        let discard = format!("/v1/letters/{id}/discard");
        let reply = server.order(&discard, REASON, &headers).await;
        assert_eq!((reply.status, &reply.json()["status"]), (200, &json!("discarded")));
        let again = server.order(&discard, REASON, &headers).await;
        assert_eq!(again.problem(409), "a letter that is discarded does not take this");

        let history = server.letters.history(fuseboard_store::LetterId(id)).await.unwrap();
        let what: Vec<&str> = history.iter().map(|entry| entry.what.as_str()).collect();
        for done in ["requeued", "discarded"] {
            let entry = format!("{done} by {actor}: the address is fixed");
            assert!(what.contains(&&*entry), "{entry}: {what:?}");
        }
    }
}

#[tokio::test]
async fn an_order_that_cannot_be_carried_out_changes_nothing() {
    let server = Server::start().await;
    let id = server.capture("payments", "a", b"").await;
    let path = format!("/v1/letters/{id}/discard");
    let rows = [
        (path.as_str(), REASON, "", 415, "Expected request with `Content-Type: application/json`"),
        (&path, REASON, "Content-Type: text/plain\r\n", 415, "Expected request with"),
        (&path, "{", JSON, 400, "Failed to parse the request body as JSON"),
        (&path, "{}", JSON, 422, "Failed to deserialize the JSON body"),
        (&path, "{\"reason\": \"a\", \"by\": \"b\"}", JSON, 422, "Failed to deserialize"),
        (&path, "{\"reason\": \" \"}", JSON, 400, "reason: expected one line of text"),
        (&path, "{\"reason\": \"a\\nb\"}", JSON, 400, "reason: expected one line of text"),
        ("/v1/letters/x/discard", REASON, JSON, 400, "id: `x` is not a letter's number"),
        (
            "/v1/letters/7000/discard",
            REASON,
            JSON,
            404,
            "there is no letter 7000, or it was purged",
        ),
        (
            "/v1/letters/7000/requeue",
            REASON,
            JSON,
            404,
            "there is no letter 7000, or it was purged",
        ),
        ("/v1/letters/1/burn", REASON, JSON, 404, "there is nothing at `/v1/letters/1/burn`"),
    ];
    for (path, body, headers, status, detail) in rows {
        let found = server.order(path, body, headers).await.problem(status);
        assert!(found.starts_with(detail), "{path} {body}: {found}");
    }
    let long = format!("{{\"reason\": \"{}\"}}", "x".repeat(501));
    server.order(&path, &long, JSON).await.problem(400);
    let foreign = format!("{JSON}Origin: http://evil.example\r\n");
    server.order(&path, REASON, &foreign).await.problem(403);
    let read = server.get(&path).await;
    assert_eq!(read.problem(405), format!("`{path}` does not take GET: expected POST"));
    let letter = server.get(&format!("/v1/letters/{id}")).await.json();
    assert_eq!(letter["status"], "pending");
    assert_eq!(letter["history"].as_array().unwrap().len(), 1, "{letter}");
}

#[tokio::test]
async fn only_requests_meant_for_this_server_are_answered() {
    let names = "[server]\nadmin_hosts = [\"fuseboard.internal\"]\n";
    let server = Server::with_config(&format!("{CONFIG}{names}")).await;
    let port = server.address.port();
    let own = format!("127.0.0.1:{port}");
    let rows = [
        (format!("Host: {own}\r\n"), 200),
        (format!("Host: localhost:{port}\r\n"), 200),
        ("Host: LOCALHOST\r\n".to_owned(), 200),
        ("Host: [::1]:9999\r\n".to_owned(), 200),
        (format!("Host: {own}\r\nOrigin: http://{own}\r\n"), 200),
        ("Host: Fuseboard.Internal\r\n".to_owned(), 200),
        (format!("Host: fuseboard.internal:{port}\r\n"), 200),
        ("Host: u@fuseboard.internal\r\n".to_owned(), 403),
        ("Host: x.fuseboard.internal\r\n".to_owned(), 403),
        (format!("Host: evil.example:{port}\r\n"), 403),
        ("Host: localhost.evil.example\r\n".to_owned(), 403),
        ("Host: 10.1.2.3\r\n".to_owned(), 403),
        (format!("Host: u@localhost:{port}\r\n"), 403),
        ("Host:\r\n".to_owned(), 403),
        (format!("Host: {own}\r\nOrigin: http://evil.example\r\n"), 403),
        (format!("Host: {own}\r\nOrigin: http://localhost:{port}\r\n"), 403),
        (format!("Host: {own}\r\nOrigin: null\r\n"), 403),
    ];
    for (headers, status) in rows {
        for path in ["/v1/circuits", "/healthz", "/nothing"] {
            let reply = server.ask("GET", path, &headers).await;
            let expected = if status == 200 && path == "/nothing" { 404 } else { status };
            assert_eq!(reply.status, expected, "{path} {headers}");
            if status == 403 {
                let detail = reply.problem(403);
                assert!(
                    detail.starts_with("Host: expected") || detail.starts_with("Origin: expected")
                );
            }
        }
    }
}

#[tokio::test]
async fn with_tokens_configured_only_a_token_opens_what_is_not_health() {
    let tokens = "[server.tokens]\nops = \"s3cret\"\nbot = \"other-one\"\n";
    let server = Server::with_config(&format!("{CONFIG}{tokens}")).await;
    let rows = [
        ("Bearer s3cret", true),
        ("bearer other-one", true),
        ("Bearer s3cre", false),
        ("Bearer s3crets", false),
        ("Bearer ops", false),
        ("Bearer ", false),
        ("s3cret", false),
        ("Basic s3cret", false),
    ];
    for (credentials, right) in rows {
        let headers = format!("Host: localhost\r\nAuthorization: {credentials}\r\n");
        for path in ["/v1/circuits", "/v1/letters", "/readyz", "/metrics"] {
            let reply = server.ask("GET", path, &headers).await;
            assert_eq!(reply.status, if right { 200 } else { 401 }, "{path} {credentials}");
        }
        let health = server.ask("GET", "/healthz", &headers).await;
        assert_eq!(health.status, 200, "{credentials}");
    }
    let reply = server.get("/nothing").await;
    let detail = reply.problem(401);
    assert_eq!(detail, "Authorization: expected `Bearer` and a token of [server.tokens]");
    assert!(reply.has("www-authenticate: bearer realm=\"fuseboard\""), "{}", reply.head);
}

#[tokio::test]
async fn metrics_are_there_from_the_first_scrape() {
    let server = Server::start().await;
    let reply = server.get("/metrics").await;
    assert!(reply.has("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"));
    for state in fuseboard_core::State::ALL {
        let value = u8::from(state == fuseboard_core::State::Closed);
        let line =
            format!("fuseboard_circuit_state{{circuit=\"payments\",state=\"{state}\"}} {value}");
        assert_line(&reply.body, &line);
    }
    for outcome in ["success", "failure", "ignored", "cancelled", "rejected", "stale"] {
        assert_line(
            &reply.body,
            &format!("fuseboard_calls_total{{circuit=\"payments\",outcome=\"{outcome}\"}} 0"),
        );
    }
    for status in Status::ALL {
        assert_line(
            &reply.body,
            &format!("fuseboard_letters{{circuit=\"payments\",status=\"{status}\"}} 0"),
        );
    }
    for line in [
        "fuseboard_call_duration_seconds_count{circuit=\"orders/eu\"} 0",
        "fuseboard_letters_captured_total{circuit=\"payments\"} 0",
        "fuseboard_oldest_letter_age_seconds{circuit=\"payments\"} 0.0",
        "fuseboard_store_up 1",
        "# EOF",
    ] {
        assert_line(&reply.body, line);
    }
}

#[tokio::test]
async fn metrics_follow_what_happens() {
    let server = Server::start().await;
    server.clock.advance(Duration::from_secs(3));
    server.trip("payments");
    assert!(server.board.get("payments").unwrap().try_acquire().is_err());
    server.metrics.observe_call("payments", Duration::from_millis(20));
    server.metrics.count_replay("payments", "resolved");
    server.capture("payments", "a", b"").await;
    server.capture("gone", "b", b"").await;
    server.clock.advance(Duration::from_secs(4));
    let text = server.get("/metrics").await.body;
    for line in [
        "fuseboard_circuit_state{circuit=\"payments\",state=\"open\"} 1",
        "fuseboard_circuit_state{circuit=\"payments\",state=\"closed\"} 0",
        "fuseboard_calls_total{circuit=\"payments\",outcome=\"failure\"} 2",
        "fuseboard_calls_total{circuit=\"payments\",outcome=\"rejected\"} 1",
        "fuseboard_call_duration_seconds_count{circuit=\"payments\"} 1",
        "fuseboard_call_duration_seconds_bucket{le=\"0.025\",circuit=\"payments\"} 1",
        "fuseboard_state_seconds_total{circuit=\"payments\",state=\"closed\"} 3.0",
        "fuseboard_state_seconds_total{circuit=\"payments\",state=\"open\"} 4.0",
        "fuseboard_state_seconds_total{circuit=\"orders/eu\",state=\"closed\"} 7.0",
        "fuseboard_transitions_total{circuit=\"payments\",from=\"closed\",to=\"open\",cause=\"tripped\"} 1",
        "fuseboard_replays_total{circuit=\"payments\",result=\"resolved\"} 1",
        "fuseboard_letters{circuit=\"payments\",status=\"pending\"} 1",
        "fuseboard_letters_captured_total{circuit=\"payments\"} 1",
        "fuseboard_oldest_letter_age_seconds{circuit=\"payments\"} 4.0",
        "fuseboard_letters{circuit=\"other\",status=\"pending\"} 1",
    ] {
        assert_line(&text, line);
    }
    assert!(!text.contains("gone"), "labels are bounded by the configuration");
}

#[tokio::test]
async fn circuits_that_are_not_configured_make_no_series() {
    let server = Server::start().await;
    server.metrics.observe_call("gone", Duration::from_millis(20));
    server.metrics.count_replay("gone", "resolved");
    assert!(!server.get("/metrics").await.body.contains("gone"));
}

#[tokio::test]
async fn the_api_ends_when_it_is_told_to() {
    let server = Server::start().await;
    assert_eq!(server.get("/healthz").await.status, 200);
    server.stop.send_replace(true);
    // The listener is closed once nobody holds a receiver any more.
    server.stop.closed().await;
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[track_caller]
fn assert_line(text: &str, line: &str) {
    assert!(text.lines().any(|one| one == line), "no line\n{line}\nin\n{text}");
}
