//! What continuous replay takes from a letter's domain, and what it tells its handlers.

use std::sync::Arc;

use fuseboard_core::letter::Status;
use fuseboard_services::domains::{Domain, Domains};
use fuseboard_services::replay::ReplayContext;
use fuseboard_store::{Draft, LetterId, Priority, Sqlite, SqliteOptions};

use crate::SECOND;
use crate::bench::{Behaviour, Bench, Setup, wait};

#[tokio::test(start_paused = true)]
async fn a_handler_knows_that_it_replays_and_which_attempt_with_which_key() {
    assert_eq!(ReplayContext::current(), None);
    let bench = Bench::start(Behaviour::Answers(503));
    bench.capture(1).await;
    wait(20 * SECOND).await;
    let contexts = bench.contexts();
    assert!(contexts.len() >= 3);
    for (context, attempt) in contexts.into_iter().zip(1..) {
        let context = context.expect("a handler runs in a replay");
        let circuit = "payments".to_owned();
        let (dlq_id, key) = (LetterId(1), "key-1".to_owned());
        assert_eq!(context, ReplayContext { dlq_id, circuit, key, attempt });
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_replay_creates_no_new_letter() {
    let bench = Bench::start(Behaviour::Answers(503));
    bench.capture(3).await;
    bench.settle_down().await;
    assert!(bench.deliveries() >= 30, "each was tried ten times");
    let counts = bench.letters.counts().await.unwrap();
    assert_eq!((counts.captured, counts.of(Status::RequiresReview)), (3, 3));
}

#[tokio::test]
async fn payloads_beyond_four_kibibytes_and_secrets_are_replayed_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let letters = Arc::new(Sqlite::open(SqliteOptions::new(folder.path())).unwrap());
    let bench = Bench::of(Setup { letters, ..Setup::default() });
    let body: Vec<u8> = (0..1_000_003_u32).map(|n| (n % 251) as u8).collect();
    let secret = ("authorization".to_owned(), b"Bearer s3cret\xff".to_vec());
    let (kept, header) = (body.clone(), secret.clone());
    let change = move |draft: &mut Draft| (draft.body, draft.headers) = (kept, vec![header]);
    let id = bench.insert("payments", "password=hunter2", change).await;
    bench.ring("payments");
    while bench.letters.get(id).await.unwrap().unwrap().life.status != Status::Resolved {
        tokio::task::yield_now().await;
    }
    let came = bench.latest().unwrap();
    assert!(came.body == body && came.headers == [secret]);
    assert_eq!(came.key, "password=hunter2");
}

#[tokio::test(start_paused = true)]
async fn the_replay_of_a_circuit_touches_no_letter_of_another() {
    let circuits = vec!["payments", "mails"];
    let bench = Bench::of(Setup { circuits, ..Setup::default() });
    for circuit in ["payments", "mails", "unknown"] {
        bench.insert(circuit, &format!("of-{circuit}"), |_| {}).await;
    }
    bench.breaker.force_open(fuseboard_core::Pin::by("test"));
    wait(600 * SECOND).await;
    let came = bench.came("mails");
    assert_eq!(came.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), ["of-mails"]);
    for id in [1, 3] {
        assert_eq!(bench.letter(id).await.life.fence, 0, "nobody claimed it");
    }
}

#[tokio::test(start_paused = true)]
async fn a_domain_may_allow_fewer_attempts_than_the_store() {
    let orders = Domain { max_retries: Some(3), ..Domain::default() };
    let domains = Domains::default().domain("Orders", orders);
    let behaviour = Behaviour::Answers(503);
    let bench = Bench::of(Setup { domains, behaviour, ..Setup::default() });
    let of_orders = bench.insert("payments", "order", |_| {}).await;
    let other = bench.insert("payments", "mail", |draft| draft.domain = "mails".to_owned()).await;
    bench.ring("payments");
    bench.settle_down().await;
    for (id, attempts, told) in [(of_orders, 3, true), (other, 10, false)] {
        let life = bench.letters.get(id).await.unwrap().unwrap().life;
        assert_eq!((life.status, life.attempts), (Status::RequiresReview, attempts));
        let history = bench.letters.history(id).await.unwrap();
        let why = "domain orders allows 3 attempts";
        let says = history.iter().any(|entry| entry.what.contains(why));
        assert_eq!(says, told, "{history:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_letter_that_its_domain_has_exhausted_meanwhile_is_not_tried_again() {
    let bench = Bench::start(Behaviour::Answers(503));
    bench.capture(1).await;
    wait(20 * SECOND).await;
    let tried = bench.deliveries() as u32;
    let letters = bench.stop(7 * SECOND).await;
    let orders = Domain { max_retries: Some(tried), ..Domain::default() };
    let domains = Domains::default().domain("orders", orders);
    let bench = Bench::of(Setup { domains, letters, ..Setup::default() });
    bench.settle_down().await;
    let life = bench.letter(1).await.life;
    assert_eq!((life.status, life.attempts), (Status::RequiresReview, tried));
    assert_eq!(bench.deliveries(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_most_urgent_letters_go_first_and_of_these_the_earliest_due() {
    let bench = Bench::start(Behaviour::Takes(SECOND));
    bench.breaker.force_open(fuseboard_core::Pin::by("test"));
    for (key, priority) in [
        ("low", Priority::Low),
        ("normal-1", Priority::Normal),
        ("critical", Priority::Critical),
        ("normal-2", Priority::Normal),
    ] {
        bench.insert("payments", key, |draft| draft.priority = priority).await;
        wait(SECOND).await;
    }
    bench.breaker.reset();
    bench.settle_down().await;
    let came: Vec<_> = bench.came("payments").into_iter().map(|(key, _)| key).collect();
    assert_eq!(came, ["critical", "normal-1", "normal-2", "low"]);
}

#[tokio::test(start_paused = true)]
async fn the_oldest_due_letter_is_the_probe_however_urgent_others_are() {
    let bench = Bench::start(Behaviour::Answers(503));
    bench.trip();
    bench.insert("payments", "low", |draft| draft.priority = Priority::Low).await;
    wait(SECOND).await;
    bench.insert("payments", "critical", |draft| draft.priority = Priority::Critical).await;
    wait(11 * SECOND).await;
    assert_eq!(bench.came("payments")[0].0, "low");
}
