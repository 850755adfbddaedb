//! Operating a whole server: what is replayed by hand, what keeps replays from going, and what outlives the process.

use std::time::Duration;

use fuseboard_core::letter::Status;
use fuseboard_store::{LetterId, Query};
use serde_json::{Value, json};

use crate::rig::{CALM, Rig, Setup, with_body};
use crate::upstream::{OK, Upstream};
use crate::wire::{PATIENCE, Wire};

const QUEUE: &str = "fallback = [\"queue\"]\n";

impl Rig {
    /// What the admin API answers; no order of these tests is refused.
    async fn admin(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let answer = match body {
            Some(body) => self.tell(method, path, &body).await,
            None => {
                let request = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
                Wire::connect(self.app.admin()).await.ask(request).await
            }
        };
        assert!(answer.status < 300, "{method} {path}: {}", answer.text());
        answer.json()
    }

    async fn look(&self, path: &str) -> Value {
        self.admin("GET", path, None).await
    }

    async fn kill_switch(&self, switch: &str) {
        let body = json!({ "kill_switch": switch, "reason": "a test" });
        self.admin("PUT", "/v1/governance", Some(body)).await;
    }

    /// Queues a letter, which the circuit has to reject.
    async fn queue(&self) -> LetterId {
        let accepted = self.ask(with_body("POST", "/", "", "x")).await;
        assert_eq!(accepted.status, 202, "{}", accepted.text());
        let all = self.app.letters().list(Query { limit: 500, ..Query::default() }).await.unwrap();
        all.last().unwrap().id
    }

    async fn until_status(&self, id: LetterId, status: Status) {
        for _ in 0..PATIENCE.as_millis() / 5 {
            if self.app.letters().get(id).await.unwrap().unwrap().life.status == status {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await; // waits for: the replay
        }
        panic!("the letter is never {status}");
    }

    async fn until_ended(&self, id: &Value) -> Value {
        for _ in 0..PATIENCE.as_millis() / 5 {
            let job = self.look(&format!("/v1/jobs/{id}")).await;
            if job["status"] != "running" {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(5)).await; // waits for: the job
        }
        panic!("the job never ends");
    }
}

async fn rejecting(upstream: &Upstream, lines: &str) -> Rig {
    let setup = Setup::of(upstream).upstream(&format!("{CALM}{lines}")).route(QUEUE);
    let rig = Rig::start(setup).await;
    rig.force_open();
    rig
}

#[tokio::test]
async fn the_kill_switch_stops_the_continuous_replay_within_a_letter_and_is_on_record() {
    let upstream = Upstream::good().await;
    let rig = rejecting(&upstream, "replay = { concurrency = 1, rate = 20 }\n").await;
    let mut letters = Vec::new();
    for _ in 0..40 {
        letters.push(rig.queue().await);
    }
    rig.circuit().reset();
    upstream.until("the replay goes", |upstream| upstream.requests().len() >= 2).await;
    rig.kill_switch("on").await;
    // One may be on its way.
    let most = upstream.requests().len() + 1;
    let blocked = "/v1/audit?action=governance.blocked";
    let mut records = rig.look(blocked).await;
    for _ in 0..PATIENCE.as_millis() / 5 {
        if !records["records"].as_array().unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await; // waits for: the next letter
        records = rig.look(blocked).await;
    }
    let record = &records["records"][0];
    assert_eq!((&record["actor"], &record["subject"]), (&json!("system"), &json!("replay")));
    assert_eq!(record["after"], "continuous_replay: the kill switch is on");
    assert!(upstream.requests().len() <= most, "{} > {most}", upstream.requests().len());
    let left = rig.app.letters().counts().await.unwrap().of(Status::Pending);
    assert!(left > 0, "some letters were left for the switch to stop");

    rig.kill_switch("off").await;
    for id in letters {
        rig.until_status(id, Status::Resolved).await;
    }
    assert_eq!(upstream.requests().len(), 40, "each was done, and none twice");
    let attempts = rig.app.letters().list(Query::default()).await.unwrap();
    assert!(attempts.iter().all(|letter| letter.life.attempts == 1), "a block is no attempt");
}

#[tokio::test]
async fn the_kill_switch_stops_a_batch_within_a_letter_and_an_override_goes_on() {
    let upstream = Upstream::good().await;
    let rig = rejecting(&upstream, "").await;
    for _ in 0..6 {
        rig.queue().await;
    }
    // Pinned closed, the continuous replay rests: all that goes is what was asked for.
    let close = json!({ "reason": "a test" });
    rig.admin("POST", "/v1/circuits/shop/close", Some(close)).await;
    let slowly = json!({ "circuit": "shop", "rate": 2, "reason": "slowly" });
    let job = rig.admin("POST", "/v1/letters/replay", Some(slowly)).await;
    upstream.until("the batch goes", |upstream| !upstream.requests().is_empty()).await;
    rig.kill_switch("on").await;
    let most = upstream.requests().len() + 1;
    let job = rig.until_ended(&job["id"]).await;
    assert_eq!(job["result"]["governance_blocked"], true, "{job}");
    assert_eq!(job["result"]["governance_block_reason"], "kill_switch");
    assert!(upstream.requests().len() <= most, "{} > {most}", upstream.requests().len());
    let done = upstream.requests().len();
    let records = rig.look("/v1/audit?action=governance.blocked").await;
    assert_eq!(records["records"][0]["reason"], "slowly", "{records}");

    let insisting = json!({ "reason": "it must go", "override": true });
    let job = rig.admin("POST", "/v1/letters/replay", Some(insisting)).await;
    let job = rig.until_ended(&job["id"]).await;
    assert_eq!(job["result"]["success_count"], json!(6 - done), "{job}");
    let records = rig.look("/v1/audit?action=governance.overridden").await;
    assert_eq!(records["records"][0]["reason"], "it must go", "{records}");
}

#[tokio::test]
async fn a_letter_is_replayed_by_hand_through_the_gateways_own_code() {
    let upstream = Upstream::good().await;
    let rig = rejecting(&upstream, "").await;
    let id = rig.queue().await;
    let path = format!("/v1/letters/{id}/replay");
    let rejected = rig.admin("POST", &path, Some(json!({ "reason": "now" }))).await;
    assert_eq!((&rejected["success"], &rejected["skipped"]), (&json!(false), &json!(true)));
    assert!(rejected["message"].as_str().unwrap().contains("forced_open"), "{rejected}");

    rig.admin("POST", "/v1/circuits/shop/close", Some(json!({ "reason": "a test" }))).await;
    let done = rig.admin("POST", &path, Some(json!({ "reason": "now" }))).await;
    assert_eq!((&done["success"], &done["status"]), (&json!(true), &json!("resolved")), "{done}");
    assert_eq!((&done["answer"], &done["attempts"]), (&json!("200"), &json!("1")));
    let request = upstream.only();
    assert_eq!((request.line(), request.body.as_slice()), ("POST /", b"x".as_slice()));
    assert!(request.get("idempotency-key").unwrap().starts_with("fuseboard-"));
    let records = rig.look("/v1/audit?action=replay_single").await;
    let record = &records["records"][0];
    assert_eq!((&record["actor"], &record["reason"]), (&json!("admin"), &json!("now")));
    let again = rig.admin("POST", &path, Some(json!({ "reason": "again" }))).await;
    assert_eq!((&again["success"], &again["skipped"]), (&json!(true), &json!(true)), "{again}");
}

#[tokio::test]
async fn closing_a_circuit_by_hand_also_replays_its_letters_if_asked() {
    let upstream = Upstream::good().await;
    let rig = rejecting(&upstream, "").await;
    let id = rig.queue().await;
    let close = json!({ "reason": "the provider says it is back", "replay": true });
    let done = rig.admin("POST", "/v1/circuits/shop/close", Some(close)).await;
    assert_eq!(done["replay_triggered"], true, "{done}");
    rig.until_status(id, Status::Resolved).await;
    let jobs = rig.look("/v1/jobs").await;
    assert_eq!(jobs["jobs"][0]["action"], "replay_on_circuit_close", "{jobs}");
    assert_eq!(jobs["jobs"][0]["actor"], "admin");
    assert_eq!(jobs["jobs"][0]["escalate_failures"], true);
}

#[tokio::test]
async fn a_circuit_that_closes_begins_a_job_where_the_configuration_says_so() {
    for (lines, jobs) in [("", 0), ("[replay]\non_close = true\non_close_max_items = 7\n", 1)] {
        let upstream = Upstream::good().await;
        let setup = Setup::of(&upstream).route(QUEUE).letters(lines);
        let rig = Rig::start(setup).await;
        rig.force_open();
        let id = rig.queue().await;
        rig.circuit().reset();
        rig.until_status(id, Status::Resolved).await;
        let mut found = rig.look("/v1/jobs").await["jobs"].clone();
        for _ in 0..PATIENCE.as_millis() / 5 {
            if found.as_array().unwrap().len() >= jobs {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await; // waits for: the listener's task
            found = rig.look("/v1/jobs").await["jobs"].clone();
        }
        assert_eq!(found.as_array().unwrap().len(), jobs, "{found}");
        if jobs > 0 {
            assert_eq!((&found[0]["actor"], &found[0]["limit"]), (&json!("system"), &json!(7)));
            assert_eq!(found[0]["escalate_failures"], false);
        }
    }
}

#[tokio::test]
async fn a_letter_has_its_domains_priority_and_deadline() {
    let rows = [
        ("", "", ("shop", "normal", 24 * 3600)),
        ("[domains.shop]\npriority = \"low\"\nsla = \"1h\"\n", "", ("shop", "low", 3600)),
        (
            "sla = \"2h\"\n[domains.orders]\npriority = \"critical\"\n",
            "domain = \"orders\"\n",
            ("orders", "critical", 7200),
        ),
    ];
    for (letters, lines, (domain, priority, sla)) in rows {
        let upstream = Upstream::good().await;
        let setup = Setup::of(&upstream).upstream(&format!("{CALM}{lines}")).route(QUEUE);
        let rig = Rig::start(setup.letters(letters)).await;
        rig.force_open();
        let id = rig.queue().await;
        let letter = rig.look(&format!("/v1/letters/{id}")).await;
        assert_eq!((&letter["domain"], &letter["priority"]), (&json!(domain), &json!(priority)));
        assert_eq!(letter["late"], false);
        let kept = rig.app.letters().get(id).await.unwrap().unwrap();
        let allowed = kept.sla_deadline.unwrap().since(kept.captured_at);
        assert_eq!(allowed, Duration::from_secs(sla), "{letters}");
        for (late, many) in [("true", 0), ("false", 1)] {
            let page = rig.look(&format!("/v1/letters?priority={priority}&late={late}")).await;
            assert_eq!(page["letters"].as_array().unwrap().len(), many, "{page}");
        }
    }
}

#[tokio::test]
async fn governance_and_the_audit_log_outlive_the_server_and_its_stop_loses_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("state").display().to_string();
    let upstream = Upstream::answering(|_| OK).await;
    let setup = Setup { data: Some(data), ..Setup::of(&upstream).route(QUEUE) };
    let rig = Rig::start(setup.clone()).await;
    rig.kill_switch("on").await;
    rig.force_open();
    let id = rig.queue().await;
    let operations = rig.app.operations().clone();
    // Handed over at once, and written by a task of its own: far more than it can write before the server is told to stop.
    let pinning = rig.circuit();
    for round in 0..100 {
        let control =
            fuseboard_services::circuits::ManualControl::by("ops").because(round.to_string());
        operations.control(&pinning, fuseboard_server::operations::Order::Open, control).unwrap();
    }
    rig.app.stop().await;
    let counts = operations.audit.counts();
    assert_eq!((counts.written, counts.lost, counts.refused), (counts.accepted, 0, 0));
    drop(operations);

    let rig = Rig::start(setup).await;
    let status = rig.look("/v1/governance").await;
    assert_eq!(status["kill_switch"]["value"], "on", "{status}");
    assert_eq!(status["kill_switch"]["reason"], "a test");
    let records = rig.look("/v1/audit?actor=ops&limit=500").await;
    assert_eq!(records["records"].as_array().unwrap().len(), 100);
    rig.circuit().reset();
    let blocked = rig
        .admin("POST", &format!("/v1/letters/{id}/replay"), Some(json!({ "reason": "a" })))
        .await;
    assert_eq!(blocked["block_reason"], "kill_switch", "{blocked}");
    assert!(upstream.requests().is_empty(), "nothing was replayed meanwhile");
    rig.kill_switch("off").await;
    rig.until_status(id, Status::Resolved).await;
}

#[tokio::test]
async fn late_letters_are_raised_where_the_configuration_says_so() {
    let rows = [("", "normal"), ("raise_late = \"critical\"\n", "critical")];
    for (line, priority) in rows {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("state").display().to_string();
        let upstream = Upstream::good().await;
        let letters = format!("sla = \"1ms\"\n{line}");
        let setup =
            Setup { data: Some(data), ..Setup::of(&upstream).route(QUEUE).letters(&letters) };
        let rig = Rig::start(setup.clone()).await;
        rig.kill_switch("on").await;
        rig.force_open();
        let id = rig.queue().await;
        rig.app.stop().await;

        // What was late before is found at the start, and then every minute.
        let rig = Rig::start(setup).await;
        let mut letter = rig.look(&format!("/v1/letters/{id}")).await;
        for _ in 0..PATIENCE.as_millis() / 5 {
            if letter["priority"] == priority {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await; // waits for: the task that raises
            letter = rig.look(&format!("/v1/letters/{id}")).await;
        }
        assert_eq!((&letter["priority"], &letter["late"]), (&json!(priority), &json!(true)));
    }
}

#[tokio::test]
async fn a_spent_error_budget_keeps_the_letters_of_its_circuit_back() {
    let upstream = Upstream::answering(|_| "HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n").await;
    let slo = "slo = { objective = 0.5, window = \"1h\", min_calls = 4 }\n";
    let rig = rejecting(&upstream, slo).await;
    rig.circuit().reset();
    for _ in 0..4 {
        assert_eq!(rig.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.status, 503);
    }
    let status = rig.look("/v1/governance").await;
    assert_eq!(status["budgets"][0]["exhausted"], true, "{status}");
    rig.force_open();
    let id = rig.queue().await;
    rig.admin("POST", "/v1/circuits/shop/close", Some(json!({ "reason": "a test" }))).await;
    let asked = upstream.requests().len();
    let path = format!("/v1/letters/{id}/replay");
    let blocked = rig.admin("POST", &path, Some(json!({ "reason": "a" }))).await;
    assert_eq!(blocked["block_reason"], "error_budget", "{blocked}");
    assert_eq!(upstream.requests().len(), asked);

    let reset = json!({ "reset_budget": "shop", "reason": "the cause is gone" });
    rig.admin("PUT", "/v1/governance", Some(reset)).await;
    let tried = rig.admin("POST", &path, Some(json!({ "reason": "a" }))).await;
    assert_eq!((&tried["success"], &tried["answer"]), (&json!(false), &json!("503")), "{tried}");
}
