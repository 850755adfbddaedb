//! Limits of the machine: as many connections as the configuration allows, and as many files as the system does.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::rig::{Rig, Setup, get};
use crate::upstream::Upstream;
use crate::wire::Wire;

#[tokio::test]
async fn a_connection_over_the_limit_waits_until_another_ends() {
    let upstream = Upstream::good().await;
    let rig = Rig::start(Setup::of(&upstream).server("max_connections = 2\n")).await;
    let mut first = rig.client().await;
    assert_eq!(first.ask(get("/")).await.text(), "ok");
    let half = rig.client().await;
    let mut third = rig.client().await;
    third.send(get("/third")).await;
    let brief = Duration::from_millis(100);
    assert!(timeout(brief, third.answer()).await.is_err(), "there is no room for it");
    assert_eq!(first.ask(get("/")).await.text(), "ok", "who is in is served");
    drop(half);
    assert_eq!(third.answer().await.unwrap().text(), "ok");
    assert_eq!(upstream.requests().len(), 3);
}

/// A server that may have no more than 64 files open.
struct Cramped {
    gateway: SocketAddr,
    admin: SocketAddr,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Drop for Cramped {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn free_addresses() -> [SocketAddr; 2] {
    let listeners = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap())
}

impl Cramped {
    async fn before(upstream: &Upstream) -> Cramped {
        let folder = tempfile::tempdir().unwrap();
        let [gateway, admin] = free_addresses();
        let config = format!(
            "[server]\nlisten = \"{gateway}\"\nadmin = \"{admin}\"\ndata = {data:?}\n\
             [upstreams.shop]\nendpoints = [\"http://{endpoint}\"]\n\
             trip = \"failure_streak(1)\"\nretry = \"cooldown(1h)\"\n\
             [[routes]]\npath = \"/\"\nupstream = \"shop\"\n",
            data = folder.path().join("data").display().to_string(),
            endpoint = upstream.address,
        );
        let file = folder.path().join("fuseboard.toml");
        fs::write(&file, config).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -n 64 && exec \"$0\" serve --config \"$1\""]);
        command.arg(env!("CARGO_BIN_EXE_fuseboard")).arg(file);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let cramped = Cramped { gateway, admin, child, _folder: folder };
        for _ in 0..2000 {
            if TcpStream::connect(gateway).await.is_ok() {
                return cramped;
            }
            sleep(Duration::from_millis(10)).await; // waits for: a process to listen
        }
        panic!("it does not listen");
    }
}

#[tokio::test]
async fn running_out_of_files_is_not_the_upstreams_failure() {
    let upstream = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.say("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok").await;
    })
    .await;
    let server = Cramped::before(&upstream).await;
    let mut client = Wire::connect(server.gateway).await;
    let mut operator = Wire::connect(server.admin).await;
    let circuit = "GET /v1/circuits/shop HTTP/1.1\r\nhost: localhost\r\n\r\n";
    assert_eq!(operator.ask(circuit).await.status, 200);
    let mut crowd = Vec::new();
    let refused = loop {
        let answer = client.ask(get("/")).await;
        if answer.status != 200 {
            break answer;
        }
        assert!(crowd.len() < 300, "it never runs out");
        crowd.push(TcpStream::connect(server.gateway).await.unwrap());
    };
    assert_eq!(refused.status, 502);
    assert_eq!(refused.get("fuseboard-reason").unwrap(), "connect");
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.starts_with("no connection can be opened here"), "{detail}");
    let seen = operator.ask(circuit).await.json();
    assert_eq!((&seen["state"], &seen["totals"]["failure"]), (&"closed".into(), &0.into()));
    assert_eq!(seen["totals"]["ignored"], 1);
    drop(crowd);
    let mut last = refused;
    for _ in 0..500 {
        last = client.ask(get("/")).await;
        if last.status == 200 {
            return;
        }
        sleep(Duration::from_millis(10)).await; // waits for: the server to see that the crowd has left
    }
    panic!("it never recovers: {}", last.text());
}
