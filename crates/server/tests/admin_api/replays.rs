//! Replay that operators ask for, as far as it can be seen without an upstream.

use serde_json::{Value, json};

use crate::rig::{PATIENCE, Server};

const BATCH: &str = "/v1/letters/replay";

/// The job once it has ended.
async fn ended(server: &Server, job: &Value) -> Value {
    let path = format!("/v1/jobs/{}", job["id"]);
    for _ in 0..PATIENCE.as_millis() / 5 {
        let job = server.get(&path).await.json();
        if job["status"] != "running" {
            return job;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await; // waits for: the job
    }
    panic!("the job never ends: {job}");
}

#[tokio::test]
async fn a_dry_run_tells_which_letters_would_go_and_changes_nothing() {
    let server = Server::start().await;
    let id = server.capture("payments", "a", b"").await;
    server.capture("orders/eu", "b", b"").await;
    let order = json!({ "circuit": "payments", "dry_run": true, "reason": "a look" });
    let reply = server.tell("POST", BATCH, &order).await;
    assert_eq!(reply.status, 202, "{}", reply.body);
    let job = ended(&server, &reply.json()).await;
    assert_eq!((&job["status"], &job["dry_run"]), (&json!("done"), &json!(true)));
    assert_eq!(job["filter"], json!({ "circuit": "payments", "domain": null, "failures": [] }));
    assert_eq!((&job["actor"], &job["reason"]), (&json!("admin"), &json!("a look")));
    assert_eq!((&job["result"]["total"], &job["result"]["skipped_count"]), (&json!(1), &json!(1)));
    let [one] = job["result"]["results"].as_array().unwrap().as_slice() else { panic!("{job}") };
    assert_eq!(
        (&one["id"], &one["message"]),
        (&json!(id), &json!("dry run: it would be replayed"))
    );

    let letter = server.get(&format!("/v1/letters/{id}")).await.json();
    assert_eq!((&letter["status"], &letter["attempts"]), (&json!("pending"), &json!(0)));
    assert_eq!(letter["history"].as_array().unwrap().len(), 1, "{letter}");
    assert!(server.audited("").await.is_empty());
    let jobs = server.get("/v1/jobs").await.json();
    assert_eq!(jobs["jobs"][0]["id"], job["id"]);
    assert_eq!(jobs["jobs"][0]["result"]["total"], 1);
}

#[tokio::test]
async fn a_job_is_canceled_before_its_next_letter() {
    let server = Server::start().await;
    let id = server.capture("payments", "a", b"").await;
    let order = json!({ "rate": 0.001, "max": 5, "reason": "slowly" });
    let job = server.tell("POST", BATCH, &order).await.json();
    assert_eq!(
        (&job["status"], &job["limit"], &job["rate"]),
        (&json!("running"), &json!(5), &json!(0.001))
    );
    let cancel = format!("/v1/jobs/{}/cancel", job["id"]);
    let reply = server.tell("POST", &cancel, &json!({ "reason": "wrong filter" })).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let job = ended(&server, &job).await;
    assert_eq!((&job["status"], &job["result"]["total"]), (&json!("canceled"), &json!(0)));
    let again = server.tell("POST", &cancel, &json!({ "reason": "wrong filter" })).await;
    assert_eq!(again.problem(409), format!("job {} has ended: it is canceled", job["id"]));
    assert_eq!(server.get(&format!("/v1/letters/{id}")).await.json()["attempts"], 0);
    let record = &server.audited("action=replay.cancel").await[0];
    assert_eq!((&record["actor"], &record["reason"]), (&json!("admin"), &json!("wrong filter")));
    assert_eq!(record["subject"], format!("replay_job/{}", job["id"]));
}

#[tokio::test]
async fn a_blocked_replay_is_a_result_and_a_record_that_say_so() {
    let server = Server::start().await;
    let id = server.capture("payments", "a", b"").await;
    server.tell("PUT", "/v1/governance", &json!({ "kill_switch": "on", "reason": "a" })).await;

    let single = format!("/v1/letters/{id}/replay");
    let result = server.tell("POST", &single, &json!({ "reason": "try" })).await.json();
    assert_eq!((&result["id"], &result["success"]), (&json!(id), &json!(false)));
    assert_eq!(result["error"], "the kill switch is on");
    assert_eq!(
        (&result["blocked"], &result["block_reason"]),
        (&json!("true"), &json!("kill_switch"))
    );

    let job = server.tell("POST", BATCH, &json!({ "reason": "try all" })).await.json();
    let result = ended(&server, &job).await["result"].clone();
    assert_eq!((&result["governance_blocked"], &result["total"]), (&json!(true), &json!(0)));
    assert_eq!(result["governance_block_reason"], "kill_switch");

    let records = server.audited("action=governance.blocked").await;
    let reasons: Vec<&Value> = records.iter().map(|record| &record["reason"]).collect();
    assert_eq!(reasons, ["try all", "try"]);
    assert_eq!(server.get(&format!("/v1/letters/{id}")).await.json()["attempts"], 0);
}

/// Each of these orders is answered with that problem, and leaves nothing behind.
async fn all_refused(server: &Server, rows: &[(&str, Value, u16, &str)]) {
    for (path, body, status, detail) in rows {
        let reply = server.tell("POST", path, body).await;
        assert_eq!(reply.problem(*status), *detail, "{path} {body}");
    }
    assert_eq!(server.get("/v1/jobs").await.json(), json!({ "jobs": [] }));
    assert!(server.audited("").await.is_empty(), "what was refused was not done");
}

#[tokio::test]
async fn a_single_replay_or_a_cancel_that_cannot_be_is_refused() {
    let server = Server::start().await;
    let id = server.capture("payments", "a", b"").await;
    let single = format!("/v1/letters/{id}/replay");
    let rows = [
        (single.as_str(), json!({}), 400, "reason: expected one line of text, of 1 to 500 bytes"),
        (
            &single,
            json!({ "reason": "a", "override": "yes" }),
            400,
            "override: `yes` is not possible: expected true or false",
        ),
        (
            &single,
            json!({ "reason": "a", "dry_run": true }),
            400,
            "dry_run: no such field: expected reason, override, headers",
        ),
        (
            "/v1/letters/7000/replay",
            json!({ "reason": "a" }),
            404,
            "there is no letter 7000, or it was purged",
        ),
        (
            "/v1/jobs/1/cancel",
            json!({ "reason": "a" }),
            404,
            "there is no job 1, or it was forgotten",
        ),
        (
            "/v1/jobs/x/cancel",
            json!({ "reason": "a" }),
            400,
            "id: `x` is not a job's number: expected decimal digits",
        ),
    ];
    all_refused(&server, &rows).await;
    let detail = "there is no job 1, or it was forgotten";
    assert_eq!(server.get("/v1/jobs/1").await.problem(404), detail);
}

#[tokio::test]
async fn a_batch_that_cannot_be_is_refused() {
    let server = Server::start().await;
    server.capture("payments", "a", b"").await;
    let rows = [
        (BATCH, json!({}), 400, "reason: expected one line of text, of 1 to 500 bytes"),
        (
            BATCH,
            json!({ "reason": "a", "circuit": "nope" }),
            400,
            "circuit: there is no circuit `nope`: expected one of orders/eu, payments",
        ),
        (
            BATCH,
            json!({ "reason": "a", "domain": "" }),
            400,
            "domain: `` is not possible: expected the name of a domain",
        ),
        (
            BATCH,
            json!({ "reason": "a", "max": 0 }),
            400,
            "max: `0` is not possible: expected a whole number from 1 to 100000",
        ),
        (
            BATCH,
            json!({ "reason": "a", "rate": 0 }),
            400,
            "rate: `0` is not possible: expected a number above 0, up to 1000000",
        ),
        (
            BATCH,
            json!({ "reason": "a", "adaptive": "on" }),
            400,
            "adaptive: `on` is not possible: expected true or false",
        ),
        (
            BATCH,
            json!({ "reason": "a", "priority": "high" }),
            400,
            "priority: `high` is not possible: expected true or false",
        ),
        (
            BATCH,
            json!({ "reason": "a", "limit": 5 }),
            400,
            "limit: no such field: expected circuit, domain, failure, max, rate, adaptive, priority, dry_run, override, reason",
        ),
    ];
    all_refused(&server, &rows).await;
}

#[tokio::test]
async fn letters_of_circuits_that_are_not_configured_make_no_circuit() {
    let server = Server::start().await;
    server.capture("renamed", "a", b"").await;
    let job = server.tell("POST", BATCH, &json!({ "reason": "all of them" })).await.json();
    let job = ended(&server, &job).await;
    assert_eq!(job["result"]["success_count"], 0, "{job}");
    assert_eq!(server.board.all_states().len(), 2, "the board is that of the configuration");
}
