//! The letters' replay: the same handler with the same bytes and key, by hand and continuously, and no second letter.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fuseboard_core::Outcome;
use fuseboard_core::letter::{Answer, Rules, Status};
use fuseboard_core::policy::Retry;
use fuseboard_core::random::SeededRandom;
use fuseboard_services::capture::{
    Call, Captured, Captures, Idempotent, Json, NotQueued, Request, Undone,
};
use fuseboard_services::governance::Open;
use fuseboard_services::replay::{
    Caution, Deliver, Delivering, Delivery, Lane, Limits, Observer, Replay, Surroundings,
};
use fuseboard_services::replay_service::BatchOptions;
use fuseboard_services::wake::Bells;
use fuseboard_store::{Letter, LetterId};

use crate::rig::{BYTES, Charge, KEY, Rig, Trouble, word};

#[tokio::test]
async fn the_handler_gets_the_same_bytes_and_key_and_knows_that_it_is_a_replay() {
    let rig = Rig::new();
    let charge = rig.charge().idempotent(Idempotent::Always).build().unwrap();
    rig.fails(Undone::Timeout);
    assert_eq!(word(&charge.call(Request::new(BYTES.to_vec()).key(KEY)).await), "queued");
    let id = rig.only_letter().await.id;
    rig.clock.advance(Duration::from_secs(3600));
    assert!(!rig.replays.replay_single(id).await.unwrap().success, "it fails once more");
    rig.recovers();
    assert!(rig.replays.replay_single(id).await.unwrap().success);
    let seen = rig.other_side.seen();
    assert!(seen.iter().all(|seen| seen.payload == BYTES && seen.key == KEY), "{seen:?}");
    assert_eq!(seen.iter().map(|seen| seen.replay).collect::<Vec<_>>(), [None, Some(1), Some(2)]);
    let contexts: Vec<_> = seen.into_iter().map(|seen| seen.context).collect();
    let context = |attempt| Some((id, KEY.to_owned(), attempt));
    assert_eq!(contexts, [None, context(1), context(2)]);
    assert_eq!(rig.only_letter().await.life.status, Status::Resolved);
    rig.conserved(1).await;
}

#[tokio::test]
async fn what_the_handler_says_decides_about_the_letter_and_the_circuit() {
    let rows = [
        (None, Status::Resolved, 1, "success"),
        (Some(Trouble(None)), Status::RequiresReview, 1, "failure"),
        (Some(Trouble(Some(Undone::Connect))), Status::Pending, 0, "failure"),
        (Some(Trouble(Some(Undone::Rejected))), Status::Pending, 0, "failure"),
        (Some(Trouble(Some(Undone::Timeout))), Status::Pending, 1, "failure"),
        (Some(Trouble(Some(Undone::Reset))), Status::Pending, 1, "failure"),
        (Some(Trouble(Some(Undone::Failure))), Status::Pending, 1, "failure"),
    ];
    for (trouble, status, attempts, outcome) in rows {
        let rig = Rig::new();
        let charge = rig.charge().build().unwrap();
        rig.fails(Undone::Rejected);
        let id = charge.call(BYTES.to_vec()).await.queued().unwrap().id;
        rig.recovers();
        rig.other_side.has(trouble);
        let before = rig.breaker.info().totals.by_outcome();
        rig.replays.replay_single(id).await.unwrap();
        let after = rig.breaker.info().totals.by_outcome().into_iter().zip(before);
        let counted: Vec<_> =
            after.filter(|(now, then)| now != then).map(|(now, _)| now.0).collect();
        assert_eq!(counted, [outcome], "{trouble:?}");
        let life = rig.only_letter().await.life;
        assert_eq!((life.status, life.attempts), (status, attempts), "{trouble:?}");
        rig.conserved(1).await;
    }
}

#[tokio::test]
async fn json_comes_back_as_it_was() {
    let rig = Rig::new();
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let call = rig.captures.protect("order", &rig.breaker, move |Json(order), _| {
        let sent = sender.send(order);
        async move { sent.map_err(|error| error.to_string()) }
    });
    let call = call.build().unwrap();
    rig.fails(Undone::Rejected);
    let order = ("Ann".to_owned(), vec![1u32, 2], Some("\u{e9}".to_owned()));
    let id = call.call(Json(order.clone())).await.queued().unwrap().id;
    let letter = rig.only_letter().await;
    assert_eq!(letter.content_type.as_deref(), Some("application/json"));
    assert_eq!(letter.body, "[\"Ann\",[1,2],\"\u{e9}\"]".as_bytes());
    rig.recovers();
    assert!(rig.replays.replay_single(id).await.unwrap().success);
    assert_eq!(receiver.recv().await, Some(order));
}

#[tokio::test]
async fn letters_that_nobody_here_can_do_are_put_off_or_wait_for_a_person() {
    let rig = Rig::new();
    let charge = rig.charge().build().unwrap();
    let count = rig.captures.protect("count", &rig.breaker, async |(), _| Ok::<(), String>(()));
    let count = count.build().unwrap();
    rig.fails(Undone::Rejected);
    let unknown = charge.call(BYTES.to_vec()).await.queued().unwrap().id;
    let unreadable = count.call(()).await.queued().unwrap().id;
    rig.recovers();

    // Another version of the program: one handler is gone, the other's payload has changed.
    let newer = Captures::builder().letters(rig.letters.clone()).build().unwrap();
    let strict = newer.protect("count", &rig.breaker, async |Json(_), _| Ok::<u32, String>(1));
    let _strict: fuseboard_services::capture::Capture<Json<u32>, _, _> = strict.build().unwrap();
    rig.replays.register_circuit_handler("payments", Arc::new(newer));
    for (id, status, note) in [
        (unknown, Status::Pending, "put off: no handler has the name `charge`"),
        (
            unreadable,
            Status::RequiresReview,
            "its payload cannot be read: EOF while parsing a value",
        ),
    ] {
        rig.replays.replay_single(id).await.unwrap();
        let letter = rig.letter(id).await;
        assert_eq!(
            (letter.life.status, letter.life.attempts > 0),
            (status, status != Status::Pending)
        );
        let error = letter.last_error.unwrap();
        assert!(error.starts_with(note), "{error}");
    }
    assert_eq!(rig.breaker.info().totals.failure, 0, "the other side has no part in it");
}

/// Who replays by making the protected call again, which would capture it again.
struct CallsAgain(Charge);

impl Deliver for CallsAgain {
    fn deliver<'a>(&'a self, letter: &'a Letter) -> Delivering<'a> {
        Box::pin(async move {
            let captured = self.0.call(letter.body.clone()).await;
            let replaying =
                matches!(captured.not_queued(), Some(NotQueued::Replaying(id)) if *id == letter.id);
            assert!(replaying || word(&captured) == "done", "{captured:?}");
            let done = word(&captured) == "done";
            Delivery {
                answer: if done { Answer::Done } else { Answer::Again { retry_after: None } },
                outcome: Outcome::Ignored,
                failure: None,
                stored: None,
                note: word(&captured).to_owned(),
            }
        })
    }
}

#[tokio::test]
async fn a_replay_that_fails_makes_no_second_letter_whoever_replays() {
    let rig = Rig::new();
    let charge = rig.charge().idempotent(Idempotent::Always).build().unwrap();
    rig.replays.register_circuit_handler("payments", Arc::new(CallsAgain(charge.clone())));
    for undone in Undone::ALL {
        rig.fails(undone);
        assert_eq!(word(&charge.call(BYTES.to_vec()).await), "queued", "{undone}");
        rig.breaker.reset();
    }
    let keys: Vec<_> = rig.all_letters().await.into_iter().map(|letter| letter.key).collect();
    rig.clock.advance(Duration::from_secs(3600));
    let batch = rig.replays.replay_batch(BatchOptions::default()).await.unwrap();
    assert_eq!((batch.total, batch.failed_count), (5, 5));
    rig.conserved(5).await;
    rig.recovers();
    let batch = rig.replays.replay_batch(BatchOptions::default()).await.unwrap();
    assert_eq!(batch.success_count, 5);
    rig.conserved(5).await;
    let sent = rig.other_side.seen().into_iter().rev().take(5).map(|seen| seen.key);
    let letters: BTreeSet<_> = keys.into_iter().collect();
    assert_eq!(sent.collect::<BTreeSet<_>>(), letters, "under the letters' own keys");
}

struct Nobody;

impl Observer for Nobody {
    fn on_replay(&self, _circuit: &str, _result: Status) {}
}

/// The continuous replay of the rig's circuit by its captures.
fn continuous(rig: &Rig, captures: &Captures, bells: &Bells) -> Replay {
    let lane = Lane {
        breaker: rig.breaker.clone(),
        deliver: Arc::new(captures.clone()),
        concurrency: 2,
        rate: 1000.0,
        lease: Duration::from_secs(30),
        caution: Caution::default(),
    };
    let surroundings = Surroundings {
        letters: rig.letters.clone(),
        bells: bells.clone(),
        clock: rig.clock.clone(),
        random: Arc::new(SeededRandom::new(1)),
        observer: Arc::new(Nobody),
        gate: Arc::new(Open),
        domains: Arc::default(),
        limits: Limits::default(),
    };
    Replay::start(vec![lane], &surroundings)
}

#[tokio::test(start_paused = true)]
async fn the_continuous_replay_is_woken_and_does_nested_calls_without_second_letters() {
    let rig = Rig::new();
    let bells = Bells::new(["payments"]);
    let captures = Captures::builder().letters(rig.letters.clone()).clock(rig.clock.clone());
    let captures = captures.bells(bells.clone()).build().unwrap();
    let stock = fuseboard_core::CircuitBreaker::builder("stock").build().unwrap();
    let other_side = Arc::clone(&rig.other_side);
    let reserve = captures.protect("reserve", &stock, move |payload: Vec<u8>, call: Call| {
        let taken = other_side.take(payload, &call);
        async move { taken }
    });
    let reserve = reserve.classify(|trouble: &Trouble| trouble.0).idempotent(Idempotent::Always);
    let reserve = reserve.build().unwrap();
    let inner = reserve.clone();
    let order = captures.protect("order", &rig.breaker, move |payload: Vec<u8>, _| {
        let inner = inner.clone();
        async move {
            match inner.call(payload).await {
                Captured::Failed(_) => Err("not reserved"),
                _ => Ok(()),
            }
        }
    });
    let order = order.build().unwrap();

    let replay = continuous(&rig, &captures, &bells);
    rig.fails(Undone::Rejected);
    let queued = order.call(Request::new(BYTES.to_vec()).key(KEY)).await;
    assert_eq!(word(&queued), "queued");
    rig.other_side.has(Trouble(Some(Undone::Timeout)));
    rig.breaker.reset();
    bells.ring("payments");
    until(&rig, |letter| letter.life.attempts == 1).await;
    rig.conserved(1).await;
    rig.recovers();
    bells.ring("payments");
    until(&rig, |letter| letter.life.status == Status::Resolved).await;
    rig.conserved(1).await;
    let seen = rig.other_side.seen();
    let keys: Vec<_> = seen.iter().map(|seen| (seen.key.as_str(), seen.replay)).collect();
    assert_eq!(keys, [("order-42/reserve", Some(1)), ("order-42/reserve", Some(2))]);

    replay.stop(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_capture_wakes_the_continuous_replay_of_its_circuit() {
    let rig = Rig::new();
    let bells = Bells::new(["payments"]);
    let captures = Captures::builder().letters(rig.letters.clone()).clock(rig.clock.clone());
    let at_once = Rules { retry: Retry::Always, ..Rules::default() };
    let captures = captures.bells(bells.clone()).rules(at_once).build().unwrap();
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    let charge = captures.protect("charge", &rig.breaker, move |(), _| {
        let tries = counted.fetch_add(1, Ordering::SeqCst);
        async move { if tries == 0 { Err("not now") } else { Ok(()) } }
    });
    let charge = charge.idempotent(Idempotent::Always).build().unwrap();
    let replay = continuous(&rig, &captures, &bells);
    tokio::time::sleep(Duration::from_millis(100)).await; // waits for: the paused clock
    let began = tokio::time::Instant::now();
    assert_eq!(word(&charge.call(()).await), "queued");
    until(&rig, |letter| letter.life.status == Status::Resolved).await;
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "it looked by itself, {:?} later",
        began.elapsed()
    );
    replay.stop(Duration::from_secs(1)).await;
}

/// Waits until the first letter is as `enough` asks for.
async fn until(rig: &Rig, enough: impl Fn(&Letter) -> bool) {
    for _ in 0..1000 {
        if enough(&rig.letter(LetterId(1)).await) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await; // waits for: the paused clock
    }
    panic!("the letter is never so: {:?}", rig.letter(LetterId(1)).await.life);
}
