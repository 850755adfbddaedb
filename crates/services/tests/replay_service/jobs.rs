//! Jobs: what they tell, and how they are canceled.

use std::sync::{Arc, Mutex};

use fuseboard_core::letter::Status;
use fuseboard_services::replay_service::{
    BatchOptions, JobId, JobStatus, ReplayConfig, ReplayService,
};
use fuseboard_store::{By, Letter};

use crate::rig::{Reply, Rig, SECOND};

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
        let job = rig.service.job(JobId(1)).unwrap();
        assert_eq!((job.action, job.status, job.limit), ("replay_batch", JobStatus::Done, 1));
        assert_eq!(job.filter.to_string(), "letters of circuit payments");
        assert_eq!((job.by, job.rate), (By::new("ops", "the provider is back"), Some(1000.0)));
        assert_eq!((job.result, job.error), (result, None));
        assert!(job.ended_at >= Some(job.started_at));
        let audit = rig.audit().await;
        let expected = ["ops replay_batch.start replay_job/1", "ops replay_batch.end replay_job/1"];
        assert_eq!(audit, expected);
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
                let service = service.clone();
                let canceled = tokio::task::block_in_place(|| {
                    let by = By::new("ops", "wrong letters");
                    tokio::runtime::Handle::current().block_on(service.cancel(JobId(1), by))
                });
                assert!(canceled.unwrap());
            }
            Reply::Done
        });
        let result = rig.service.replay_batch(BatchOptions::default()).await.unwrap();
        assert_eq!((result.total, result.success_count), (2, 2));
        assert_eq!(rig.service.job(JobId(1)).unwrap().status, JobStatus::Canceled);
        assert_eq!(rig.count(Status::Pending).await, 3);
        assert_eq!(rig.count(Status::Replaying).await, 0);
        assert!(rig.audit().await.contains(&"ops replay.cancel replay_job/1".to_owned()));
        let again = rig.service.cancel(JobId(1), By::new("ops", "")).await.unwrap();
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
    for _ in 0..3 {
        rig.service.replay_batch(BatchOptions::default()).await.unwrap();
    }
    let ids: Vec<_> = rig.service.jobs().iter().map(|job| job.id).collect();
    assert_eq!(ids, [JobId(3), JobId(2)]);
    assert_eq!(rig.service.job(JobId(1)), None);
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
        while rig.service.job(JobId(1)).is_none_or(|job| job.status == JobStatus::Running) {
            tokio::task::yield_now().await;
        }
        assert_eq!(rig.service.job(JobId(1)).unwrap().result.success_count, 3);
        rig.conserved().await;
    }
}
