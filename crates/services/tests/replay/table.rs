//! What continuous replay takes from a letter's domain, and what it tells its handlers.

use fuseboard_core::letter::Status;
use fuseboard_services::domains::{Domain, Domains};
use fuseboard_services::replay::ReplayContext;
use fuseboard_store::{LetterId, Priority};

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
