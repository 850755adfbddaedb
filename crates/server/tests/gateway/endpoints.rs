//! Several endpoints: in turn, and the next one where one takes no connection.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::rig::{CALM, Rig, Setup, answer, get, with_body};
use crate::upstream::{Dead, Upstream};

async fn named(name: &'static str) -> Upstream {
    Upstream::answering(move |_| answer(200, "", name)).await
}

fn behind(endpoints: &[SocketAddr], upstream: &str) -> Setup {
    let upstream = format!("{CALM}{upstream}");
    Setup { endpoints: endpoints.to_vec(), upstream, ..Setup::default() }
}

/// Takes connections into its queue until that is full, and then lets everybody wait.
struct Hole {
    address: SocketAddr,
    _listening: tokio::net::TcpListener,
    _waiting: Vec<TcpStream>,
}

impl Hole {
    async fn dig() -> Hole {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listening = socket.listen(1).unwrap();
        let address = listening.local_addr().unwrap();
        let mut waiting = Vec::new();
        let brief = Duration::from_millis(100);
        while let Ok(connected) = timeout(brief, TcpStream::connect(address)).await {
            waiting.push(connected.unwrap());
            assert!(waiting.len() < 20, "the queue never fills");
        }
        Hole { address, _listening: listening, _waiting: waiting }
    }
}

#[tokio::test]
async fn requests_go_round() {
    let [a, b, c] = [named("a").await, named("b").await, named("c").await];
    let rig = Rig::start(behind(&[a.address, b.address, c.address], "")).await;
    let mut seen = String::new();
    for _ in 0..9 {
        seen += &rig.ask(get("/")).await.text();
    }
    assert_eq!(seen, "abcabcabc");
    assert_eq!([&a, &b, &c].map(|one| one.accepted()), [1; 3], "each keeps its connection");
}

#[tokio::test]
async fn a_dead_endpoint_costs_no_request() {
    let (a, c, dead) = (named("a").await, named("c").await, Dead::end());
    let rig = Rig::start(behind(&[a.address, dead.address, c.address], "")).await;
    for index in 0..30 {
        let answer = rig.ask(with_body("POST", "/", "", "hello")).await;
        assert_eq!(answer.status, 200, "{index}");
    }
    let [for_a, for_c] = [&a, &c].map(|one| one.requests());
    assert_eq!(for_a.len() + for_c.len(), 30);
    assert!(for_a.iter().chain(&for_c).all(|request| request.body == b"hello" && request.whole));
    let totals = rig.settled().await.totals;
    assert_eq!((totals.success, totals.failure), (30, 0));
}

#[tokio::test]
async fn an_endpoint_that_dies_with_its_connections_costs_no_request() {
    let (a, b) = (named("a").await, named("b").await);
    let rig = Rig::start(behind(&[a.address, b.address], "")).await;
    for _ in 0..4 {
        assert_eq!(rig.ask(get("/")).await.status, 200);
    }
    let dead = a.address;
    drop(a);
    while TcpStream::connect(dead).await.is_ok() {
        tokio::task::yield_now().await;
    }
    for index in 0..10 {
        assert_eq!(rig.ask(get("/")).await.text(), "b", "{index}");
    }
    assert_eq!(rig.settled().await.totals.failure, 0);
}

#[tokio::test]
async fn where_all_are_dead_nothing_was_sent() {
    let [one, other] = [Dead::end(), Dead::end()];
    let rig = Rig::start(behind(&[one.address, other.address], "")).await;
    let answer = rig.ask(with_body("POST", "/", "", "x")).await;
    assert_eq!((answer.status, answer.get("fuseboard-reason").unwrap().as_str()), (502, "connect"));
    assert_eq!(answer.get("fuseboard-circuit").unwrap(), "shop");
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("refused"), "{detail}");
    assert_eq!(rig.settled().await.totals.failure, 1);
}

#[tokio::test]
async fn an_endpoint_that_hangs_is_passed_over_after_the_connect_timeout() {
    let (hole, alive) = (Hole::dig().await, named("alive").await);
    let times = "timeout = \"10s\"\nconnect_timeout = \"50ms\"\n";
    let rig = Rig::start(behind(&[hole.address, alive.address], times)).await;
    for _ in 0..4 {
        assert_eq!(rig.ask(get("/")).await.text(), "alive");
    }
    assert_eq!(rig.settled().await.totals.failure, 0);
}

/// The timeout of the whole call ends first, or at the same time; still nothing was sent, so it may be kept.
#[tokio::test]
async fn a_call_that_never_got_a_connection_is_a_failed_connect_whatever_ran_out() {
    for times in ["timeout = \"80ms\"\n", "timeout = \"120ms\"\nconnect_timeout = \"80ms\"\n"] {
        let (one, other) = (Hole::dig().await, Hole::dig().await);
        let setup = behind(&[one.address, other.address], times).route("fallback = [\"queue\"]\n");
        let rig = Rig::start(setup).await;
        let answer = rig.ask(get("/")).await;
        assert_eq!(answer.status, 502, "{times}");
        let reason = answer.get("fuseboard-reason").unwrap();
        assert!(reason.starts_with("connect"), "{times}: {reason}");
        let kept = rig.ask(with_body("POST", "/", "", "x")).await;
        assert_eq!(kept.status, 202, "{times}");
    }
}
