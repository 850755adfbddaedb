//! Letters in PostgreSQL: they outlive their server, and two servers share them.

use std::path::Path;
use std::time::Duration;

use fuseboard_core::Pin;
use fuseboard_server::app::StartError;
use fuseboard_store::StoreError;
use serde_json::json;

use crate::postgres::Server;
use crate::rig::{Rig, Setup, get, with_body};
use crate::upstream::Upstream;
use crate::wire::{PATIENCE, Wire};

const QUEUE: &str = "fallback = [\"queue\"]\n";

fn setup(upstream: &Upstream, store: &str) -> Setup {
    Setup::of(upstream).route(QUEUE).letters(&format!("[store]\n{store}\n"))
}

/// A server whose letters are in a database that no other test has.
async fn over(upstream: &Upstream, database: &str) -> Setup {
    let server = Server::shared();
    server.client().await.batch_execute(&format!("CREATE DATABASE {database}")).await.unwrap();
    let url = format!("{}{database}", server.url().strip_suffix("postgres").unwrap());
    setup(upstream, &format!("letters = {url:?}"))
}

async fn capture(rig: &Rig) -> String {
    let accepted = rig.ask(with_body("POST", "/", "", "x")).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text());
    accepted.get("location").unwrap()
}

/// A job as this server's admin API tells of it, once it is `status`.
async fn until_job(rig: &Rig, path: &str, status: &str) {
    let mut last = String::new();
    for _ in 0..PATIENCE.as_millis() / 20 {
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        let answer = Wire::connect(rig.app.admin()).await.ask(request).await;
        if answer.status == 200 && answer.json()["status"] == status {
            return;
        }
        last = answer.text();
        tokio::time::sleep(Duration::from_millis(20)).await; // waits for: the job's record
    }
    panic!("the job is never {status}: {last}");
}

#[tokio::test]
async fn a_letter_outlives_its_server_and_nothing_is_in_the_data_folder() {
    let upstream = Upstream::good().await;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let setup = Setup { data: Some(data.clone()), ..over(&upstream, "outlives").await };
    let rig = Rig::start(setup.clone()).await;
    rig.force_open();
    let page = capture(&rig).await;
    rig.app.stop().await;
    assert!(upstream.requests().is_empty());

    let rig = Rig::start(setup).await;
    rig.until_letter(&page, "resolved").await;
    assert_eq!(upstream.only().body, b"x");
    rig.app.stop().await;
    assert!(!Path::new(&data).exists());
}

#[tokio::test]
async fn two_servers_over_one_database_share_letters_and_jobs() {
    let upstream = Upstream::good().await;
    let setup = over(&upstream, "shares").await;
    let (one, other) = (Rig::start(setup.clone()).await, Rig::start(setup).await);
    one.force_open();
    other.force_open();
    let page = capture(&one).await;
    assert_eq!(other.ask(get(&page)).await.json()["status"], "pending");
    other.circuit().reset();
    other.until_letter(&page, "resolved").await;
    assert_eq!(one.ask(get(&page)).await.json()["status"], "resolved");
    assert_eq!(upstream.only().body, b"x");

    other.force_open();
    capture(&one).await;
    capture(&one).await;
    // Pinned closed, only what is asked for goes: one letter, and the next after a long while.
    one.circuit().force_closed(Pin::by("test"));
    let order = json!({ "reason": "slowly", "rate": 0.001 });
    let job = one.tell("POST", "/v1/letters/replay", &order).await.json();
    let path = format!("/v1/jobs/{}", job["id"]);
    until_job(&other, &path, "running").await;
    let stop = json!({ "reason": "from the other server" });
    let canceled = other.tell("POST", &format!("{path}/cancel"), &stop).await;
    assert_eq!(canceled.status, 200, "{}", canceled.text());
    until_job(&one, &path, "canceled").await;
    until_job(&other, &path, "canceled").await;
    assert!(upstream.requests().len() < 3, "the job ended before its last letter");
}

#[tokio::test]
async fn a_database_that_cannot_be_used_ends_the_start_and_no_password_is_shown() {
    let upstream = Upstream::good().await;
    let rows = [
        (
            "letters = \"postgres://ops:hush@127.0.0.1:1/letters\"",
            "store.letters: the store is unavailable",
        ),
        ("letters = \"postgres://ops:hush@db/letters?sslmode=verify-ca\"", "store.letters: "),
        (
            "letters_env = \"FUSEBOARD_NO_SUCH_VARIABLE\"",
            "store.letters_env: `FUSEBOARD_NO_SUCH_VARIABLE` holds no such thing: expected a URL such as \
             postgres://user:password@host:5432/database in that environment variable",
        ),
    ];
    for (store, expected) in rows {
        let folder = tempfile::tempdir().unwrap();
        let data = Some(folder.path().display().to_string());
        let refused = Rig::refused(Setup { data, ..setup(&upstream, store) }).await;
        let said = refused.to_string();
        assert!(said.starts_with(expected), "{said}");
        assert!(!format!("{said} {refused:?}").contains("hush"), "{refused:?}");
        if let StartError::Store { source, .. } = refused {
            let known =
                matches!(source, StoreError::Unavailable { .. } | StoreError::Misconfigured { .. });
            assert!(known, "{source}");
        }
    }
}
