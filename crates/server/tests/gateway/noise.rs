//! A store that refuses is counted each time and spoken of once.

use std::io;
use std::sync::{Arc, Mutex};

use tracing::subscriber::set_default;

use crate::rig::{CHAIN, Rig, Setup, with_body};
use crate::upstream::Upstream;
use crate::wire::Wire;

/// What was logged by this thread, on which the whole server of a test runs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn lines_with(&self, text: &str) -> usize {
        let log = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        log.lines().filter(|line| line.contains(text)).count()
    }
}

#[tokio::test]
async fn a_store_that_refuses_is_logged_when_that_begins_and_when_it_ends() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    let _logging = set_default(subscriber);
    let upstream = Upstream::good().await;
    let rig = Rig::start(Setup::of(&upstream).route(CHAIN).letters("capacity = 1\n")).await;
    for round in 1..=3 {
        rig.force_open();
        let first = with_body("POST", "/", &format!("idempotency-key: {round}\r\n"), "kept");
        let kept = rig.ask(&first).await;
        assert_eq!(kept.status, 202);
        assert_eq!(log.lines_with("requests are kept again"), round - 1);
        for _ in 0..20 {
            assert_eq!(rig.ask(with_body("POST", "/", "", "refused")).await.status, 503);
            assert_eq!(rig.ask(&first).await.status, 202, "a repeat needs no room");
        }
        assert_eq!(log.lines_with("requests cannot be kept"), round);
        rig.circuit().reset();
        rig.until_letter(&kept.get("location").unwrap(), "resolved").await;
    }
    let mut operator = Wire::connect(rig.app.admin()).await;
    let metrics = operator.ask("GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n").await.text();
    let line = "fuseboard_captures_refused_total{circuit=\"shop\",reason=\"full\"} 60";
    assert!(metrics.lines().any(|one| one == line), "{metrics}");
}
