//! Jobs in words, for people.

use serde_json::Value;

use crate::cli::table::{entries, heading, named, plain, table};

/// What is shown of a job by itself where it says something, in this order.
const FIELDS: [&str; 14] = [
    "id",
    "action",
    "status",
    "error",
    "limit",
    "rate",
    "adaptive",
    "priority",
    "dry_run",
    "override",
    "actor",
    "reason",
    "started_at",
    "ended_at",
];
/// As many letters as are shown; all are in the JSON form.
const SHOWN: usize = 20;

pub(super) fn list(answer: &Value) -> String {
    let jobs = entries(&answer["jobs"]);
    if jobs.is_empty() {
        return "no jobs\n".to_owned();
    }
    let titles = [
        "JOB", "STATUS", "WHICH", "LETTERS", "DONE", "FAILED", "SKIPPED", "BY", "STARTED", "REASON",
    ];
    let mut rows = vec![heading(&titles)];
    rows.extend(jobs.iter().map(row));
    table(&rows)
}

fn row(job: &Value) -> Vec<String> {
    let result = &job["result"];
    let mut row = vec![plain(&job["id"]), plain(&job["status"]), which(job)];
    row.extend(
        ["total", "success_count", "failed_count", "skipped_count"]
            .map(|name| plain(&result[name])),
    );
    row.extend(["actor", "started_at", "reason"].map(|name| plain(&job[name])));
    row
}

pub(super) fn job(job: &Value) -> String {
    let said = FIELDS.iter().filter(|name| job[**name] != false);
    let mut text = named(job, said);
    text += &format!("\n{}\n{}\n", which(job), counts(job));
    let result = &job["result"];
    if let Some(reason) = blocked(result) {
        text += &format!("{reason}\n");
    }
    let results = entries(&result["results"]);
    let done = |one: &&Value| one["success"] == true && one["skipped"] != true;
    let shown: Vec<_> = results.iter().filter(|one| !done(one)).collect();
    if !shown.is_empty() {
        let row = |one: &&Value| vec![plain(&one["id"]), outcome(one)];
        let mut rows = vec![heading(&["LETTER", "RESULT"])];
        rows.extend(shown.iter().take(SHOWN).map(row));
        text += &format!("\n{}", table(&rows));
        if shown.len() > SHOWN {
            text += &format!("and {} more: --json shows all\n", shown.len() - SHOWN);
        }
    }
    text
}

/// What a job that has begun is about, and how to stop it.
pub(super) fn begun(job: &Value) -> String {
    let id = plain(&job["id"]);
    format!("job {id}: {}; `fuseboard dlq cancel {id}` stops it\n", which(job))
}

/// How far a job is.
pub(super) fn counts(job: &Value) -> String {
    let result = &job["result"];
    let [total, done, failed, skipped] =
        ["total", "success_count", "failed_count", "skipped_count"]
            .map(|name| plain(&result[name]));
    let limit = match job["adaptive"] == true {
        true => String::new(),
        false => format!(" (at most {})", plain(&job["limit"])),
    };
    format!("{total} letters{limit}: {done} done, {failed} failed, {skipped} skipped")
}

/// Why a job that ended counts as not done, if it does.
pub(super) fn shortfall(job: &Value) -> Option<String> {
    let (id, result) = (plain(&job["id"]), &job["result"]);
    if job["status"] == "failed" {
        return Some(format!("job {id} broke off: {}; {}", plain(&job["error"]), counts(job)));
    }
    if job["dry_run"] == true || result["success_count"].as_u64().is_some_and(|done| done > 0) {
        return None;
    }
    let failed = entries(&result["results"]).iter().find(|one| one["success"] != true);
    Some(match (blocked(result), failed) {
        (Some(reason), _) => reason,
        (None, _) if result["inflight_skipped"] == true => {
            "another replay of this circuit is on its way".to_owned()
        }
        (None, Some(one)) => {
            format!("{}; letter {}: {}", counts(job), plain(&one["id"]), outcome(one))
        }
        (None, None) => format!("no letter was due, of {}", which(job)),
    })
}

fn blocked(result: &Value) -> Option<String> {
    let blocked = result["governance_blocked"] == true;
    blocked.then(|| {
        let reason = plain(&result["governance_block_reason"]);
        format!("governance blocks replay: {reason}; see `fuseboard governance show`; --override goes on all the same")
    })
}

fn which(job: &Value) -> String {
    let filter = &job["filter"];
    let one = |name: &str| filter[name].as_str().map(|value| format!("{name} {value}"));
    let failures: Vec<_> = entries(&filter["failures"]).iter().map(plain).collect();
    let failures = (!failures.is_empty()).then(|| format!("failure {}", failures.join(" or ")));
    let parts: Vec<_> = [one("circuit"), one("domain"), failures].into_iter().flatten().collect();
    match parts.is_empty() {
        true => "all letters".to_owned(),
        false => format!("letters of {}", parts.join(", ")),
    }
}

fn outcome(result: &Value) -> String {
    match result["error"].as_str() {
        Some(error) => plain(&Value::from(error)),
        None => plain(&result["message"]),
    }
}
