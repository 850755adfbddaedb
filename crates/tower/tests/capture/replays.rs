//! Letters that become requests again: the same bytes, headers and key, and no second letter.

use std::sync::{Arc, Mutex};

use fuseboard_core::Outcome;
use fuseboard_core::letter::{Answer, Status};
use fuseboard_services::capture::{Idempotent, Undone};
use fuseboard_services::replay::{Deliver, Delivering, Delivery};
use fuseboard_services::replay_service::BatchOptions;
use fuseboard_store::Letter;
use http::{Request, Response};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::rig::{BYTES, Error, KEY, Rig, Whole, post, whole};

#[tokio::test]
async fn the_other_side_gets_the_same_request_and_sees_that_it_is_a_replay() {
    for undone in Undone::ALL {
        let rig = Rig::new();
        let layer = rig.capture().idempotent(Idempotent::Always);
        let replay = rig.capture().build().unwrap().replay::<Whole, _>(rig.other_side.clone());
        rig.replays.register_circuit_handler("payments", Arc::new(replay));
        rig.fails(undone);
        rig.send(layer, post(whole(BYTES), Some(KEY))).await.unwrap();
        rig.recovers();
        let id = rig.only_letter().await.id;
        assert!(rig.replays.replay_single(id).await.unwrap().success, "{undone}");
        let seen = rig.other_side.seen();
        let replayed = seen.last().unwrap();
        assert_eq!((replayed.body.as_slice(), replayed.key.as_str()), (BYTES, KEY), "{undone}");
        assert_eq!(replayed.line, "POST http://payments/charge?a=b");
        assert_eq!(replayed.test, ["1", "2"]);
        assert_eq!((replayed.replay.as_deref(), replayed.in_replay), (Some("1"), true));
        let answer = rig.only_letter().await.answer.unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (200, b"answered".as_slice()));
        assert!(answer.headers.contains(&("x-answer".to_owned(), b"1".to_vec())));
        rig.conserved(1).await;
    }
}

#[tokio::test]
async fn what_the_other_side_answers_decides_about_the_letter_and_the_circuit() {
    let rows = [
        (Undone::Connect, Status::Pending, 0),
        (Undone::Timeout, Status::Pending, 1),
        (Undone::Reset, Status::Pending, 1),
        (Undone::Failure, Status::Pending, 1),
    ];
    for (undone, status, attempts) in rows {
        let rig = Rig::new();
        let layer = rig.capture().build().unwrap();
        let replay = layer.replay::<Whole, _>(rig.other_side.clone());
        rig.replays.register_circuit_handler("payments", Arc::new(replay));
        rig.fails(Undone::Rejected);
        rig.send(rig.capture(), post(whole(BYTES), None)).await.unwrap();
        rig.recovers();
        rig.fails(undone);
        let id = rig.only_letter().await.id;
        assert!(!rig.replays.replay_single(id).await.unwrap().success, "{undone}");
        let letter = rig.only_letter().await;
        assert_eq!((letter.life.status, letter.life.attempts), (status, attempts), "{undone}");
        assert_eq!(rig.breaker.info().totals.failure, 1, "{undone}");
        rig.conserved(1).await;
    }
    for (code, status) in
        [(204, Status::Resolved), (404, Status::RequiresReview), (429, Status::Pending)]
    {
        let rig = Rig::new();
        let layer = rig.capture().build().unwrap();
        let client = service_fn(move |_: Request<Whole>| async move {
            let response = Response::builder().status(code).body(whole(b""));
            Ok::<_, std::io::Error>(response.unwrap())
        });
        rig.replays.register_circuit_handler("payments", Arc::new(layer.replay(client)));
        rig.fails(Undone::Rejected);
        rig.send(rig.capture(), post(whole(BYTES), None)).await.unwrap();
        rig.recovers();
        let id = rig.only_letter().await.id;
        rig.replays.replay_single(id).await.unwrap();
        assert_eq!(rig.only_letter().await.life.status, status, "{code}");
    }
}

/// A program that replays through the whole stack, capture and breaker included.
#[tokio::test]
async fn a_replay_that_fails_makes_no_second_letter_even_through_the_capture_itself() {
    let rig = Rig::new();
    let layer = rig.capture().idempotent(Idempotent::Always).build().unwrap();
    let stack = layer.layer(rig.client::<Whole>());
    let through = stack.clone().map_err(|error| error.into_inner());
    let replay = layer.replay_with::<Whole, _, _>(through, std::convert::identity);
    rig.replays.register_circuit_handler("payments", Arc::new(replay));
    for undone in [Undone::Timeout, Undone::Reset, Undone::Failure, Undone::Connect] {
        rig.fails(undone);
        let response = stack.clone().oneshot(post(whole(BYTES), None)).await.unwrap();
        assert_eq!(response.status(), 202, "{undone}");
        rig.clock.advance(std::time::Duration::from_secs(3600));
    }
    let batch = rig.replays.replay_batch(BatchOptions::default()).await.unwrap();
    assert_eq!((batch.total, batch.failed_count), (4, 4));
    rig.conserved(4).await;
    rig.recovers();
    let batch = rig.replays.replay_batch(BatchOptions::default()).await.unwrap();
    assert_eq!(batch.success_count, 4);
    rig.conserved(4).await;
    let keys = |seen: &[crate::rig::Seen]| {
        seen.iter().map(|seen| seen.key.clone()).collect::<std::collections::BTreeSet<_>>()
    };
    let seen = rig.other_side.seen();
    assert_eq!((keys(&seen).len(), keys(&seen[..4])), (4, keys(&seen[8..])));
}

/// Who replays by making a request of its own, without a key, through the whole stack.
struct Anew<S>(Mutex<S>);

impl<S> Deliver for Anew<S>
where
    S: Service<Request<Whole>, Response = Response<Whole>, Error = Error, Future: Send>,
    S: Clone + Send,
{
    fn deliver<'a>(&'a self, letter: &'a Letter) -> Delivering<'a> {
        let stack = self.0.lock().unwrap().clone();
        let request = post(whole(&letter.body), None);
        Box::pin(async move {
            let done = stack.oneshot(request).await.is_ok_and(|response| response.status() == 200);
            let note = format!("done: {done}");
            let answer = if done { Answer::Done } else { Answer::NotReached };
            Delivery { answer, outcome: Outcome::Ignored, failure: None, stored: None, note }
        })
    }
}

#[tokio::test]
async fn a_request_that_a_replay_makes_anew_has_the_letters_key() {
    let rig = Rig::new();
    let stack = rig.capture().build().unwrap().layer(rig.client::<Whole>());
    rig.replays.register_circuit_handler("payments", Arc::new(Anew(Mutex::new(stack.clone()))));
    rig.fails(Undone::Rejected);
    assert_eq!(stack.oneshot(post(whole(BYTES), None)).await.unwrap().status(), 202);
    rig.recovers();
    let letter = rig.only_letter().await;
    assert!(rig.replays.replay_single(letter.id).await.unwrap().success);
    let [seen] = rig.other_side.seen().try_into().unwrap();
    assert_eq!((seen.key, seen.body), (letter.key, BYTES.to_vec()));
    rig.conserved(1).await;
}
