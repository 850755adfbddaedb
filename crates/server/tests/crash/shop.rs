//! The server and the payment service, as processes that can be killed.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use fuseboard_server::demo::ledger::Ledger;
use serde_json::Value;
use tempfile::TempDir;

use crate::http::{Answer, send};

const BINARY: &str = env!("CARGO_BIN_EXE_fuseboard");

pub(crate) struct Shop {
    folder: TempDir,
    gateway: SocketAddr,
    admin: SocketAddr,
    payments: SocketAddr,
    processes: Mutex<Processes>,
}

#[derive(Default)]
struct Processes {
    gateway: Option<Child>,
    payments: Option<Child>,
}

impl Drop for Processes {
    fn drop(&mut self) {
        for child in [&mut self.gateway, &mut self.payments] {
            kill(child);
        }
    }
}

fn kill(child: &mut Option<Child>) {
    if let Some(mut child) = child.take() {
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
    }
}

impl Shop {
    /// Starts both processes on free ports, in a temporary folder.
    pub(crate) fn open() -> Shop {
        let [gateway, admin, payments] = free_addresses();
        let shop = Shop {
            folder: tempfile::tempdir().unwrap(),
            gateway,
            admin,
            payments,
            processes: Mutex::default(),
        };
        fs::write(shop.file("fuseboard.toml"), shop.config()).unwrap();
        shop.start_payments();
        shop.start_gateway();
        shop
    }

    fn config(&self) -> String {
        let data = self.file("data");
        format!(
            r#"
[server]
listen = "{}"
admin = "{}"
data = "{}"

[letters]
max_crashes = 1000000
max_attempts = 1000000
retry = "backoff(100ms, max=500ms, jitter=0.2)"

[upstreams.payments]
endpoints = ["http://{}"]
timeout = "2s"
trip = "failure_streak(3)"
retry = "backoff(200ms, max=500ms, jitter=0.2)"
recovery = "successes(1)"
replay = {{ concurrency = 4, rate = 2000 }}

[[routes]]
path = "/payments"
upstream = "payments"
idempotent = true
fallback = ["queue"]

[[routes]]
path = "/payments/once"
upstream = "payments"
fallback = ["queue"]
"#,
            self.gateway,
            self.admin,
            data.display(),
            self.payments,
        )
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn processes(&self) -> MutexGuard<'_, Processes> {
        self.processes.lock().unwrap()
    }

    pub(crate) fn start_gateway(&self) {
        let log = fs::File::options().create(true).append(true).open(self.file("gateway.log"));
        let mut command = Command::new(BINARY);
        command.arg("serve").arg("--config").arg(self.file("fuseboard.toml"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.unwrap());
        self.processes().gateway = Some(command.spawn().unwrap());
        self.wait_for_port(self.gateway, "gateway");
    }

    pub(crate) fn start_payments(&self) {
        let mut command = Command::new(BINARY);
        command.arg("payments").arg("--listen").arg(self.payments.to_string());
        command.arg("--ledger").arg(self.file("ledger.jsonl"));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        self.processes().payments = Some(command.spawn().unwrap());
        self.wait_for_port(self.payments, "payments");
    }

    pub(crate) fn kill_gateway(&self) {
        kill(&mut self.processes().gateway);
    }

    pub(crate) fn kill_payments(&self) {
        kill(&mut self.processes().payments);
    }

    /// SIGTERM: exit code 0 within 10 s.
    pub(crate) fn stop_in_good_order(&self) {
        let mut child = self.processes().gateway.take().unwrap();
        let killed = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status();
        assert!(killed.unwrap().success());
        for _ in 0..1000 {
            if let Some(status) = child.try_wait().unwrap() {
                assert_eq!(status.code(), Some(0), "{}", self.log());
                return;
            }
            thread::sleep(Duration::from_millis(10)); // waits for: the server to exit
        }
        child.kill().unwrap();
        panic!("no exit within 10 s of SIGTERM: {}", self.log());
    }

    fn wait_for_port(&self, address: SocketAddr, what: &str) {
        for _ in 0..1000 {
            if TcpStream::connect(address).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(10)); // waits for: a process to listen
        }
        panic!("{what} does not listen: {}", self.log());
    }

    fn log(&self) -> String {
        fs::read_to_string(self.file("gateway.log")).unwrap_or_default()
    }

    pub(crate) fn pay(&self, path: &str, amount: u64, key: Option<&str>) -> Option<Answer> {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(key.map(|key| ("idempotency-key", key)));
        send(self.gateway, "POST", path, &headers, &format!("{{\"amount\":{amount}}}"))
    }

    pub(crate) fn ledger(&self) -> Ledger {
        Ledger::read(self.file("ledger.jsonl")).unwrap()
    }

    fn letters(&self, status: &str) -> Option<Vec<Value>> {
        let mut letters = Vec::new();
        let mut after = String::new();
        loop {
            let path = format!("/v1/letters?status={status}&limit=500{after}");
            let answer = send(self.admin, "GET", &path, &[], "")?;
            let page: Value = serde_json::from_str(&answer.body).ok()?;
            letters.extend(page["letters"].as_array()?.iter().cloned());
            if page["next"].is_null() {
                return Some(letters);
            }
            after = format!("&after={}", page["next"]);
        }
    }

    /// The idempotency keys of the resolved letters; none while the server is dead.
    pub(crate) fn resolved_keys(&self) -> Vec<String> {
        let letters = self.letters("resolved").unwrap_or_default();
        let keys = letters.iter().filter_map(|letter| letter["key"].as_str());
        keys.map(str::to_owned).collect()
    }

    pub(crate) fn wait_until_drained(&self) {
        for _ in 0..600 {
            let left = ["pending", "replaying"].map(|status| self.letters(status));
            if left.iter().all(|letters| letters.as_ref().is_some_and(Vec::is_empty)) {
                return;
            }
            thread::sleep(Duration::from_millis(100)); // waits for: the server to replay what is left
        }
        panic!("letters are left: {:?}\n{}", self.letters("pending"), self.log());
    }

    /// The page of a letter says that it is resolved, and its answer is the service's own.
    pub(crate) fn check_page(&self, page: &str, amount: u64) {
        let status = send(self.gateway, "GET", page, &[], "").unwrap();
        let status: Value = serde_json::from_str(&status.body).unwrap();
        assert_eq!(status["status"], "resolved", "payment {amount}: {status}");
        let answer = send(self.gateway, "GET", &format!("{page}/answer"), &[], "").unwrap();
        assert_eq!(answer.status, 201, "payment {amount}: {}", answer.body);
        assert_eq!(answer.headers["cache-control"], "no-store");
    }

    /// As many letters are resolved as were captured, by the server's own count.
    pub(crate) fn check_conservation(&self) {
        let metrics = send(self.admin, "GET", "/metrics", &[], "").unwrap().body;
        let value = |start: &str| -> f64 {
            let line = metrics.lines().find(|line| line.starts_with(start));
            let line = line.unwrap_or_else(|| panic!("no {start} in {metrics}"));
            line.rsplit(' ').next().unwrap().parse().unwrap()
        };
        let captured = value("fuseboard_letters_captured_total{circuit=\"payments\"}");
        let resolved = value("fuseboard_letters{circuit=\"payments\",status=\"resolved\"}");
        assert!(captured > 0.0 && (captured - resolved).abs() < 0.5, "{captured} != {resolved}");
    }
}

/// Addresses that were free a moment ago.
fn free_addresses<const N: usize>() -> [SocketAddr; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap())
}
