//! Order keys, settings and leases that several nodes use at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fuseboard_core::letter::{Answer, Event, Life, Status};
use fuseboard_core::time::WallTime;
use fuseboard_store::{
    Acquired, By, ClaimFilter, Draft, Leases, LetterId, Letters, Postgres, Settings, Settlement,
    StoreError, conformance,
};
use futures_util::future::join_all;

use crate::server::Server;

const NOW: WallTime = WallTime::from_unix_millis(1_000);
const MINUTE: Duration = Duration::from_secs(60);

async fn two() -> [Arc<Postgres>; 2] {
    let options = Server::shared().options();
    let first = Postgres::open(options.clone()).await.unwrap();
    [Arc::new(first), Arc::new(Postgres::open(options).await.unwrap())]
}

fn in_line(line: usize, key: &str) -> Draft {
    let order_key = Some(format!("customer-{line}"));
    Draft { order_key, ..conformance::draft("payments", key, NOW) }
}

fn done(fence: u64) -> Settlement {
    let event = Event::Settled { fence, answer: Answer::Done, draw: 0.5 };
    Settlement { event, answer: None, note: String::new() }
}

/// Claims and settles until `letters` of them have been seen; in which order those of each line came.
async fn replay(
    store: Arc<Postgres>,
    seen: Arc<Mutex<BTreeMap<String, Vec<LetterId>>>>,
    letters: usize,
) {
    let by_filter = ClaimFilter { limit: 3, ..ClaimFilter::default() };
    for round in 0.. {
        let so_far: usize = seen.lock().unwrap().values().map(Vec::len).sum();
        if so_far == letters {
            return;
        }
        assert!(round < 5_000, "{so_far} of {letters} letters were replayed");
        let claimed = match round % 2 {
            0 => store.claim("payments", 3, MINUTE, NOW).await.unwrap(),
            _ => store.claim_by(by_filter.clone(), MINUTE, NOW).await.unwrap(),
        };
        for letter in claimed {
            let line = letter.order_key.expect("every letter is in a line");
            // Before it is settled: from then on the next one may come, to anybody.
            seen.lock().unwrap().entry(line).or_default().push(letter.id);
            store.settle(letter.id, done(letter.life.fence), NOW).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_of_a_line_that_nodes_fill_and_empty_at_once_go_in_order_and_none_is_left() {
    let stores = two().await;
    let seen = Arc::new(Mutex::new(BTreeMap::new()));
    let mut tasks = Vec::new();
    for writer in 0..4 {
        let store = stores[writer % 2].clone();
        tasks.push(tokio::spawn(async move {
            for n in 0..10 {
                let drafts = (0..3).map(|line| in_line(line, &format!("{writer} {n} {line}")));
                for inserted in join_all(drafts.map(|draft| store.insert(draft))).await {
                    inserted.unwrap();
                }
            }
        }));
    }
    for store in [&stores[0], &stores[1], &stores[0], &stores[1]] {
        tasks.push(tokio::spawn(replay(store.clone(), seen.clone(), 120)));
    }
    for task in tasks {
        task.await.unwrap();
    }
    for (line, ids) in seen.lock().unwrap().iter() {
        assert_eq!(ids.len(), 40, "{line}");
        assert!(ids.is_sorted(), "{line} went as {ids:?}");
    }
    assert_eq!(stores[0].counts().await.unwrap().of(Status::Resolved), 120);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_ends_letters_of_a_line_at_once_frees_the_one_that_is_left() {
    let stores = two().await;
    for n in 0..20 {
        let mut ids = Vec::new();
        for place in 0..5 {
            // The first has expired: a claim ends it, while operators end the others.
            let expires_at = (place == 0).then_some(NOW);
            let life = Life { expires_at, ..Life::captured(NOW) };
            let draft = Draft { life, ..in_line(n, &format!("{n} {place}")) };
            ids.push(stores[0].insert(draft).await.unwrap().id());
        }
        let discard = |store: usize, place: usize| {
            stores[store].act(ids[place], Event::Discard, By::system(""), NOW)
        };
        let (claimed, a, b, c) = tokio::join!(
            stores[0].claim("payments", 9, MINUTE, NOW),
            discard(1, 1),
            discard(0, 2),
            discard(1, 3)
        );
        let mut claimed = claimed.unwrap();
        for discarded in [a, b, c] {
            // A claim that came in between may have it, and then it is not for an operator to end.
            assert!(
                matches!(discarded, Ok(_) | Err(StoreError::Refused(_))),
                "{discarded:?} of {ids:?}"
            );
        }
        for _ in 0..10 {
            for letter in claimed.drain(..) {
                let _ = stores[1].settle(letter.id, done(letter.life.fence), NOW).await;
            }
            let filter = ClaimFilter { limit: 9, ..ClaimFilter::default() };
            claimed = stores[1].claim_by(filter, MINUTE, NOW).await.unwrap();
        }
        let line = format!("customer-{n}");
        let left = stores[0].first_in_line("payments", &line).await.unwrap();
        assert_eq!(left, None, "line {n} is stuck");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_nodes_one_changes_a_setting_and_one_gets_a_lease() {
    let [first, second] = two().await;
    for seen in 0..30 {
        let change = |store: &Arc<Postgres>| {
            let store = store.clone();
            let (name, value) = ("kill_switch".to_owned(), seen.to_string());
            async move { store.change_setting(name, value, seen, By::new("ops", ""), NOW).await }
        };
        let (a, b) = tokio::join!(change(&first), change(&second));
        let outdated = |answer: &Result<_, StoreError>| matches!(answer, Err(StoreError::Outdated { current, .. }) if *current == seen + 1);
        assert!(a.is_ok() && outdated(&b) || b.is_ok() && outdated(&a), "{a:?} {b:?}");

        let acquire = |store: &Arc<Postgres>| {
            let store = store.clone();
            let name = format!("replay/{seen}");
            async move { store.acquire(name, "somebody".to_owned(), MINUTE, NOW).await.unwrap() }
        };
        let answers: [Acquired; 2] = tokio::join!(acquire(&first), acquire(&second)).into();
        let mine = answers.iter().filter(|answer| matches!(answer, Acquired::Mine(_))).count();
        assert_eq!(mine, 1, "{answers:?}");
    }
    assert_eq!(first.settings().await.unwrap()[0].revision, 30);
}
