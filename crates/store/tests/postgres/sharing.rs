//! Several nodes on one database: they share letters, clocks and news.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::letter::{Answer, Event, Status};
use fuseboard_core::time::{Clock, ManualClock, SystemClock, WallTime};
use fuseboard_store::{
    By, Inserted, LetterId, Letters, Postgres, PostgresOptions, Settlement, StoreError, conformance,
};
use tokio::sync::mpsc;

use crate::server::Server;

const NOW: WallTime = WallTime::from_unix_millis(1_000);
const MINUTE: Duration = Duration::from_secs(60);

/// Two stores in one schema, as two processes have them.
async fn two() -> (Postgres, Postgres) {
    let options = Server::shared().options();
    let first = Postgres::open(options.clone()).await.unwrap();
    (first, Postgres::open(options).await.unwrap())
}

fn done(fence: u64) -> Settlement {
    let event = Event::Settled { fence, answer: Answer::Done, draw: 0.5 };
    Settlement { event, answer: None, note: "answered 201".to_owned() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_letter_is_ever_claimed_by_two_nodes() {
    let (first, second) = two().await;
    let (first, second) = (Arc::new(first), Arc::new(second));
    let mut inserted = BTreeSet::new();
    for n in 0..400 {
        let draft = conformance::draft("payments", &n.to_string(), NOW);
        inserted.insert(first.insert(draft).await.unwrap().id());
    }
    let mut replayers = Vec::new();
    for store in [&first, &second, &first, &second] {
        let store = store.clone();
        replayers.push(tokio::spawn(async move {
            let mut claimed = Vec::new();
            loop {
                let letters = store.claim("payments", 7, MINUTE, NOW).await.unwrap();
                if letters.is_empty() {
                    return claimed;
                }
                for letter in letters {
                    assert_eq!(letter.life.fence, 1);
                    store.settle(letter.id, done(1), NOW).await.unwrap();
                    claimed.push(letter.id);
                }
            }
        }));
    }
    let mut all = Vec::new();
    for replayer in replayers {
        all.extend(replayer.await.unwrap());
    }
    assert_eq!((all.len(), all.iter().copied().collect()), (400, inserted));
    assert_eq!(second.counts().await.unwrap().of(Status::Resolved), 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_two_nodes_bring_at_once_is_one_letter() {
    let (first, second) = two().await;
    for n in 0..50 {
        let draft = || conformance::draft("payments", &n.to_string(), NOW);
        let (a, b) = tokio::join!(first.insert(draft()), second.insert(draft()));
        let (a, b) = (a.unwrap(), b.unwrap());
        assert_eq!((a.id(), a.token()), (b.id(), b.token()));
        let new = [a, b].iter().filter(|one| matches!(one, Inserted::New(..))).count();
        assert_eq!(new, 1);
    }
    assert_eq!(first.counts().await.unwrap().captured, 50);
}

#[tokio::test]
async fn a_holder_that_lost_its_lease_to_another_node_is_fenced() {
    let (first, second) = two().await;
    let id = first.insert(conformance::draft("payments", "k", NOW)).await.unwrap().id();
    let old = first.claim("payments", 1, MINUTE, NOW).await.unwrap()[0].life.fence;
    assert!(second.claim("payments", 1, MINUTE, NOW).await.unwrap().is_empty());
    let later = NOW + MINUTE;
    let new = second.claim("payments", 1, MINUTE, later).await.unwrap()[0].life.fence;
    let late = first.settle(id, done(old), later).await;
    assert!(matches!(late, Err(StoreError::Fenced(_))), "{late:?}");
    second.settle(id, done(new), later).await.unwrap();
}

/// A clock that is as far from the system's as it is told to be.
#[derive(Debug)]
struct Wrong {
    right: SystemClock,
    ahead: Duration,
}

impl Clock for Wrong {
    fn now(&self) -> fuseboard_core::time::Moment {
        self.right.now()
    }

    fn wall(&self) -> WallTime {
        self.right.wall() + self.ahead
    }
}

#[tokio::test]
async fn a_node_whose_clock_is_an_hour_ahead_does_not_end_anothers_lease() {
    let options = Server::shared().options();
    let right: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let ahead = Duration::from_secs(3_600);
    let wrong: Arc<dyn Clock> = Arc::new(Wrong { right: SystemClock::new(), ahead });
    let open = |clock: &Arc<dyn Clock>| {
        Postgres::open(PostgresOptions { clock: clock.clone(), ..options.clone() })
    };
    let (punctual, early) = (open(&right).await.unwrap(), open(&wrong).await.unwrap());
    let now = right.wall();
    punctual.insert(conformance::draft("payments", "k", now)).await.unwrap();
    assert_eq!(punctual.claim("payments", 1, MINUTE, now).await.unwrap().len(), 1);
    assert!(early.claim("payments", 1, MINUTE, wrong.wall()).await.unwrap().is_empty());
    let due = early.next_due("payments").await.unwrap().expect("a lease ends");
    let error = due.since(now + MINUTE + ahead).max((now + MINUTE + ahead).since(due));
    assert!(error < Duration::from_secs(5), "the lease ends by its clock, off by {error:?}");
    let over = wrong.wall() + MINUTE + Duration::from_secs(5);
    assert_eq!(early.claim("payments", 1, MINUTE, over).await.unwrap().len(), 1);
}

/// Waits for the next circuit that `rings` brings, other than those that were there before.
async fn next_ring(rings: &mut mpsc::UnboundedReceiver<String>) -> String {
    let ring = tokio::time::timeout(Duration::from_secs(20), rings.recv()).await;
    ring.expect("it rings within seconds").expect("the store is there")
}

#[tokio::test]
async fn captures_and_requeues_wake_the_other_nodes() {
    let (first, second) = two().await;
    let (ring, mut rings) = mpsc::unbounded_channel();
    second.ring_on_work(move |circuit| ring.send(circuit.to_owned()).unwrap());
    // Until the other listens, which it does soon, nothing rings: so these are captured until one does.
    let mut n = 0;
    while rings.is_empty() {
        let key = n.to_string();
        first.insert(conformance::draft("odd \0 name", &key, NOW)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await; // waits for: the other node to listen
        n += 1;
        assert!(n < 500, "nothing rings");
    }
    assert_eq!(next_ring(&mut rings).await, "odd \0 name");
    let id = first.insert(conformance::draft("payments", "k", NOW)).await.unwrap().id();
    while next_ring(&mut rings).await != "payments" {}
    // What the other was told of it also finds, although it has looked above that before.
    assert_eq!(second.claim("payments", 9, MINUTE, NOW + MINUTE).await.unwrap()[0].id, id);
    assert!(second.claim("payments", 9, MINUTE, NOW + MINUTE).await.unwrap().is_empty());
    second
        .settle(id, Settlement { event: Event::HandedBack { fence: 1 }, ..done(1) }, NOW + MINUTE)
        .await
        .unwrap();
    first.act(id, Event::SetAside, By::system(""), NOW).await.unwrap();
    first.act(id, Event::Requeue, By::system(""), NOW).await.unwrap();
    while next_ring(&mut rings).await != "payments" {}
    assert_eq!(second.claim("payments", 9, MINUTE, NOW + MINUTE).await.unwrap()[0].id, id);
}

#[tokio::test]
async fn what_no_notification_told_of_is_found_within_seconds() {
    let clock = Arc::new(ManualClock::new());
    let options = PostgresOptions { clock: clock.clone(), ..Server::shared().options() };
    let store = Postgres::open(options.clone()).await.unwrap();
    let id = store.insert(conformance::draft("payments", "k", NOW)).await.unwrap().id();
    let claimed = store.claim("payments", 1, MINUTE, NOW).await.unwrap();
    store.settle(id, done(claimed[0].life.fence), NOW).await.unwrap();
    assert!(store.claim("payments", 1, MINUTE, NOW + MINUTE).await.unwrap().is_empty());
    // Somebody puts a letter below where this node has seen that nothing is left, and says nothing.
    let client = Server::shared().client().await;
    let undo = format!(
        "UPDATE {}.letters SET status = 'pending', not_before = not_before - 500",
        options.schema
    );
    client.batch_execute(&undo).await.unwrap();
    clock.advance(Duration::from_secs(5));
    let found = store.claim("payments", 1, MINUTE, NOW + MINUTE).await.unwrap();
    assert_eq!(found.iter().map(|letter| letter.id).collect::<Vec<LetterId>>(), [id]);
}
