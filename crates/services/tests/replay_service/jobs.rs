//! Jobs: what they tell, and how they are canceled.

use std::sync::{Arc, Mutex};

use fuseboard_core::letter::Status;
use fuseboard_services::replay_service::{
    BatchOptions, Job, JobId, JobStatus, OnCircuitClose, ReplayConfig, ReplayService,
};
use fuseboard_store::{By, Letter};

use crate::rig::{Reply, Rig, SECOND};

impl Rig {
    fn only_job(&self) -> Job {
        let mut jobs = self.service.jobs();
        assert_eq!(jobs.len(), 1);
        jobs.remove(0)
    }

    /// Another process over the same store.
    fn another(&self) -> ReplayService {
        let builder = ReplayService::builder(self.letters.clone()).circuits(self.circuits.clone());
        builder.build().unwrap()
    }
}

#[tokio::test]
async fn a_batch_is_a_job_that_tells_what_it_did_and_who_wanted_it() {
    for rig in Rig::all(|letter| if letter.key == "key-1" { Reply::Never } else { Reply::Done }) {
        rig.capture(3).await;
        let options = BatchOptions {
            circuit: Some("payments".to_owned()),
            rate: Some(1000.0),
            max_items: 1,
            ..BatchOptions::by("ops", "the provider is back")
        };
        let result = rig.service.replay_batch(options).await.unwrap();
        let job = rig.only_job();
        assert_eq!((job.action, job.status, job.limit), ("replay_batch", JobStatus::Done, 1));
        assert_eq!(job.filter.to_string(), "letters of circuit payments");
        assert_eq!((job.by, job.rate), (By::new("ops", "the provider is back"), Some(1000.0)));
        assert_eq!((job.result, job.error), (result, None));
        assert!(job.ended_at >= Some(job.started_at));
        let audit = rig.audit().await;
        let told = |what| format!("ops replay_batch.{what} replay_job/{}", job.id);
        assert_eq!(audit, ["start", "end"].map(told));
        rig.conserved().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canceled_job_finishes_its_letter_and_begins_no_other() {
    for mut rig in Rig::all(|_| Reply::Done) {
        rig.capture(5).await;
        let service = rig.service.clone();
        rig.upstream = rig.decided_by(move |letter: &Letter| {
            if letter.key == "key-2" {
                let (service, id) = (service.clone(), service.jobs()[0].id);
                let canceled = tokio::task::block_in_place(|| {
                    let by = By::new("ops", "wrong letters");
                    tokio::runtime::Handle::current().block_on(service.cancel(id, by))
                });
                assert!(canceled.unwrap());
            }
            Reply::Done
        });
        let result = rig.service.replay_batch(BatchOptions::default()).await.unwrap();
        assert_eq!((result.total, result.success_count), (2, 2));
        assert_eq!(rig.only_job().status, JobStatus::Canceled);
        let id = rig.only_job().id;
        assert_eq!(rig.count(Status::Pending).await, 3);
        assert_eq!(rig.count(Status::Replaying).await, 0);
        assert!(rig.audit().await.contains(&format!("ops replay.cancel replay_job/{id}")));
        let again = rig.service.cancel(id, By::new("ops", "")).await.unwrap();
        assert!(!again, "it has ended");
        rig.conserved().await;
    }
}

#[tokio::test]
async fn jobs_that_wait_for_their_rate_show_progress_and_can_be_canceled() {
    for rig in Rig::all(|_| Reply::Done) {
        rig.capture(3).await;
        let options = BatchOptions { rate: Some(0.001), ..BatchOptions::by("ops", "slowly") };
        let id = rig.service.start_batch(options).unwrap();
        let progress = |total: usize| {
            let service = rig.service.clone();
            async move {
                while service.job(id).unwrap().result.total < total {
                    tokio::task::yield_now().await;
                }
            }
        };
        progress(1).await;
        assert_eq!(rig.service.job(id).unwrap().status, JobStatus::Running);
        assert!(rig.service.cancel(id, By::new("ops", "too slow")).await.unwrap());
        while rig.service.job(id).unwrap().status == JobStatus::Running {
            tokio::task::yield_now().await;
        }
        assert_eq!(rig.service.job(id).unwrap().result.total, 1);
        rig.conserved().await;
    }
}

#[tokio::test]
async fn letters_go_as_fast_as_the_rate_lets_them() {
    for rig in Rig::all(|_| Reply::Done) {
        rig.capture(5).await;
        let clock = rig.clock.clone();
        // Each delivery takes the second that must lie between two of them, so that nothing waits.
        let _ = rig.decided_by(move |_| {
            clock.advance(SECOND);
            Reply::Done
        });
        let options = BatchOptions { rate: Some(1.0), ..BatchOptions::default() };
        let result = rig.service.replay_batch(options).await.unwrap();
        assert_eq!(result.success_count, 5);
        rig.conserved().await;
    }
}

#[tokio::test]
async fn jobs_are_listed_newest_first_and_the_oldest_ended_are_forgotten() {
    let config = ReplayConfig { jobs_kept: 2, ..ReplayConfig::default() };
    let rig = &Rig::all_with(config, |_| Reply::Done)[0];
    let mut begun = Vec::new();
    for _ in 0..3 {
        begun.push(rig.service.start_batch(BatchOptions::default()).unwrap());
        while rig.service.jobs()[0].status == JobStatus::Running {
            tokio::task::yield_now().await;
        }
    }
    let ids: Vec<_> = rig.service.jobs().iter().map(|job| job.id).collect();
    assert_eq!(ids, [begun[2], begun[1]]);
    assert_eq!(rig.service.job(begun[0]), None);
    let all = rig.service.all_jobs(10).await.unwrap();
    let all: Vec<_> = all.into_iter().map(|job| job.id).collect();
    assert_eq!(all, [begun[2], begun[1], begun[0]], "they are still in the audit log");
    rig.conserved().await;
}

#[tokio::test]
async fn a_batch_whose_caller_goes_away_goes_on() {
    for rig in Rig::all(|_| Reply::Done) {
        rig.capture(3).await;
        let started = Arc::new(Mutex::new(false));
        let seen = started.clone();
        let service: ReplayService = rig.service.clone();
        let caller = tokio::spawn(async move {
            *seen.lock().unwrap() = true;
            service.replay_batch(BatchOptions::default()).await
        });
        while !*started.lock().unwrap() {
            tokio::task::yield_now().await;
        }
        caller.abort();
        let _ = caller.await;
        while rig.service.jobs().first().is_none_or(|job| job.status == JobStatus::Running) {
            tokio::task::yield_now().await;
        }
        assert_eq!(rig.only_job().result.success_count, 3);
        rig.conserved().await;
    }
}

#[tokio::test]
async fn jobs_outlive_their_process_with_what_they_came_to() {
    for rig in Rig::all(|letter| if letter.key == "key-1" { Reply::Never } else { Reply::Done }) {
        rig.capture(3).await;
        let options = BatchOptions {
            failure_type: Some("rejected".to_owned()),
            rate: Some(1000.0),
            max_items: 1,
            ..BatchOptions::by("kim", "the provider \"is back\"")
        };
        rig.service.replay_batch(options).await.unwrap();
        let close = OnCircuitClose::default();
        rig.service.replay_on_circuit_close("payments", close).await.unwrap();
        let own = rig.service.all_jobs(10).await.unwrap();
        assert_eq!(own, rig.service.jobs(), "of its own jobs it knows each letter");
        let later = rig.another();
        let recorded = later.all_jobs(10).await.unwrap();
        assert_eq!(recorded.len(), 2);
        for (recorded, own) in recorded.into_iter().zip(own) {
            let found = later.find_job(own.id).await.unwrap();
            assert_eq!(found.as_ref(), Some(&recorded));
            assert_eq!(recorded.result.results, []);
            // The record of the end is written a moment after the end.
            assert!(recorded.ended_at >= own.ended_at, "{recorded:?}");
            let mut own = own;
            own.result.results.clear();
            (own.ended_at, own.started_at) = (recorded.ended_at, recorded.started_at);
            assert_eq!(recorded, own, "{}", rig.name);
        }
        assert_eq!(later.all_jobs(1).await.unwrap().len(), 1);
        rig.conserved().await;
    }
}

/// A runtime whose tasks end with it, as with their process.
fn process() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

/// A batch that does a letter every 20 seconds, over a minute of which everybody's clock goes on.
async fn slow_batch_for_a_minute(rig: &Rig) -> JobId {
    rig.capture(10).await;
    let options = BatchOptions { rate: Some(0.05), ..BatchOptions::by("kim", "slowly") };
    let id = rig.service.start_batch(options).unwrap();
    for _ in 0..12 {
        rig.clock.advance(5 * SECOND);
        tokio::time::sleep(5 * SECOND).await; // waits for: the paused clock
    }
    id
}

#[test]
fn a_job_whose_process_died_is_shown_as_interrupted_with_its_progress() {
    let rig = Rig::all(|_| Reply::Done).remove(0);
    let first = process();
    let id = first.block_on(slow_batch_for_a_minute(&rig));
    let done = rig.came().len();
    assert!(done >= 2, "{done} letters in a minute");
    drop(first);
    process().block_on(async {
        let later = rig.another();
        let job = later.find_job(id).await.unwrap().unwrap();
        assert_eq!(job.status, JobStatus::Running, "nobody can know yet");
        rig.clock.advance(91 * SECOND);
        let job = later.find_job(id).await.unwrap().unwrap();
        assert_eq!((job.status, job.by.actor.as_str()), (JobStatus::Interrupted, "kim"));
        let known = job.result.success_count;
        assert!((1..=done).contains(&known), "{known} of {done}: at most 30 s are unknown");
        assert_eq!((job.result.total, job.left()), (known, 100 - known));
        assert!(!later.cancel(id, By::new("kim", "")).await.unwrap(), "it does not run");
        assert_eq!(rig.count(Status::Pending).await as usize, 10 - done);
    });
}

#[tokio::test(start_paused = true)]
async fn a_job_is_canceled_by_any_node_of_its_store() {
    let rig = &Rig::all(|_| Reply::Done)[0];
    let id = slow_batch_for_a_minute(rig).await;
    let other = rig.another();
    let by = || By::new("lee", "wrong letters");
    assert!(other.cancel(id, by()).await.unwrap());
    assert!(!other.cancel(id, by()).await.unwrap(), "it was told already");
    tokio::time::sleep(6 * SECOND).await; // waits for: the paused clock
    let job = rig.only_job();
    assert_eq!((job.id, job.status), (id, JobStatus::Canceled));
    let done = rig.came().len();
    let seen = other.find_job(id).await.unwrap().unwrap();
    assert_eq!((seen.status, seen.result.success_count), (JobStatus::Canceled, done));
    let audit = rig.audit().await;
    assert!(audit.contains(&format!("lee replay.cancel replay_job/{id}")), "{audit:?}");
    assert!(!other.cancel(id, by()).await.unwrap());
    rig.conserved().await;
}

#[tokio::test]
async fn a_dry_run_leaves_nothing_in_the_audit_log() {
    for rig in Rig::all(|_| Reply::Done) {
        rig.capture(3).await;
        let options = BatchOptions { dry_run: true, ..BatchOptions::default() };
        rig.service.replay_batch(options).await.unwrap();
        assert_eq!(rig.audit().await, [""; 0]);
        assert_eq!(rig.service.all_jobs(10).await.unwrap().len(), 1, "its own service shows it");
        assert_eq!(rig.another().all_jobs(10).await.unwrap(), []);
    }
}
