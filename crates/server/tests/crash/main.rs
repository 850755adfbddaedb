//! The promise: a real upstream and the real server are killed at random moments under load, and every request that was
//! acknowledged has been done.
//!
//! `FUSEBOARD_CRASH_ROUNDS` (default 12) says how often something is killed, `FUSEBOARD_CRASH_SEED` repeats a run.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use fuseboard_core::random::{Random, SeededRandom};
use fuseboard_server::demo::ledger::Ledger;

mod http;
mod shop;

use http::Answer;
use shop::Shop;

/// One request as its caller remembers it. The amount is unique, so it names the payment.
struct Sent {
    amount: u64,
    /// The caller's own key, if it sent one.
    key: Option<String>,
    /// Whether it went by the route that says it is idempotent.
    idempotent: bool,
    /// `None`: the connection broke, nobody knows.
    status: Option<u16>,
    /// The letter's page.
    page: Option<String>,
}

impl Sent {
    fn acknowledged(&self) -> bool {
        matches!(self.status, Some(200..=299))
    }
}

#[test]
fn every_acknowledged_request_is_done_whoever_is_killed() {
    let rounds = number("FUSEBOARD_CRASH_ROUNDS", 12);
    let seed = number("FUSEBOARD_CRASH_SEED", 20_261_121);
    let shop = Shop::open();
    let resolved_at = Mutex::new(BTreeMap::new());
    let (over, next) = (AtomicBool::new(false), AtomicU64::new(1));
    let sent = thread::scope(|scope| {
        let (shop, resolved_at, over, next) = (&shop, &resolved_at, &over, &next);
        let callers: Vec<_> =
            (0..8).map(|caller| scope.spawn(move || call(shop, caller, next, over))).collect();
        let watcher = scope.spawn(move || watch(shop, resolved_at, over));
        kill_things(shop, rounds, seed);
        over.store(true, Ordering::SeqCst);
        watcher.join().unwrap();
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect::<Vec<Sent>>()
    });
    shop.wait_until_drained();
    check(&shop, &sent, &resolved_at.into_inner().unwrap(), seed);
    let ledger = shop.ledger();
    shop.kill_gateway();
    shop.start_gateway();
    shop.stop_in_good_order();
    assert_eq!(shop.ledger(), ledger, "nothing is replayed after it was resolved, seed {seed}");
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn kill_things(shop: &Shop, rounds: u64, seed: u64) {
    let random = SeededRandom::new(seed);
    let pause = |least: f64, most: f64| {
        let wait = Duration::from_secs_f64(least + (most - least) * random.draw());
        thread::sleep(wait); // waits for: the load to reach a random point
    };
    for _ in 0..rounds {
        pause(0.2, 0.9);
        match random.draw() {
            draw if draw < 0.4 => {
                shop.kill_gateway();
                pause(0.0, 0.2);
                shop.start_gateway();
            }
            draw if draw < 0.7 => {
                shop.kill_payments();
                pause(0.1, 1.0);
                shop.start_payments();
            }
            _ => {
                shop.kill_payments();
                pause(0.0, 0.5);
                shop.kill_gateway();
                shop.start_gateway();
                pause(0.0, 0.5);
                shop.start_payments();
            }
        }
    }
}

fn call(shop: &Shop, caller: u64, next: &AtomicU64, over: &AtomicBool) -> Vec<Sent> {
    let random = SeededRandom::new(caller);
    let mut sent = Vec::new();
    while !over.load(Ordering::SeqCst) {
        let amount = next.fetch_add(1, Ordering::SeqCst);
        let key = (random.draw() < 0.5).then(|| format!("caller-{amount}"));
        let idempotent = random.draw() < 0.7;
        let path = if idempotent { "/payments" } else { "/payments/once" };
        let answer = shop.pay(path, amount, key.as_deref());
        let (status, page) = match answer {
            Some(Answer { status, headers, .. }) => {
                (Some(status), headers.get("location").cloned())
            }
            None => (None, None),
        };
        sent.push(Sent { amount, key, idempotent, status, page });
        thread::sleep(Duration::from_millis((10.0 * random.draw()) as u64)); // waits for: nothing, it paces the load
    }
    sent
}

/// Notes, when a letter is first seen resolved, how often its key had been replayed by then.
fn watch(shop: &Shop, resolved_at: &Mutex<BTreeMap<String, u64>>, over: &AtomicBool) {
    while !over.load(Ordering::SeqCst) {
        let keys = shop.resolved_keys();
        let replays = replays(&shop.ledger());
        let mut seen = resolved_at.lock().unwrap();
        for key in keys {
            let so_far = replays.get(&key).copied().unwrap_or_default();
            seen.entry(key).or_insert(so_far);
        }
        drop(seen);
        thread::sleep(Duration::from_millis(100)); // waits for: more letters to be resolved by the server
    }
}

fn replays(ledger: &Ledger) -> BTreeMap<String, u64> {
    let mut replays = BTreeMap::new();
    for entry in ledger.entries().iter().filter(|entry| entry.replay.is_some()) {
        *replays.entry(entry.key.clone()).or_default() += 1;
    }
    replays
}

fn check(shop: &Shop, sent: &[Sent], resolved_at: &BTreeMap<String, u64>, seed: u64) {
    let ledger = shop.ledger();
    let mut keys: BTreeMap<u64, BTreeSet<&str>> = BTreeMap::new();
    let mut applied: BTreeMap<u64, u64> = BTreeMap::new();
    let mut deliveries: BTreeMap<u64, u64> = BTreeMap::new();
    for entry in ledger.entries() {
        keys.entry(entry.amount).or_default().insert(&entry.key);
        *applied.entry(entry.amount).or_default() += u64::from(entry.applied);
        *deliveries.entry(entry.amount).or_default() += 1;
    }
    for one in sent {
        let amount = one.amount;
        let done = applied.get(&amount).copied().unwrap_or_default();
        let keys = keys.get(&amount).cloned().unwrap_or_default();
        assert!(keys.len() <= 1, "payment {amount} came with the keys {keys:?}, seed {seed}");
        if one.acknowledged() {
            assert_eq!(
                done, 1,
                "payment {amount} was acknowledged ({:?}), seed {seed}",
                one.status
            );
        }
        if let (Some(key), Some(delivered)) = (&one.key, keys.first()) {
            assert_eq!(key, delivered, "the caller's own key is kept, seed {seed}");
        }
        let repeatable = one.idempotent || one.key.is_some();
        let delivered = deliveries.get(&amount).copied().unwrap_or_default();
        if !repeatable && one.status != Some(202) {
            assert!(delivered <= 1, "payment {amount} may not be repeated, seed {seed}");
        }
        if let Some(page) = &one.page {
            shop.check_page(page, amount);
        }
    }
    let replays = replays(&ledger);
    for (key, then) in resolved_at {
        let now = replays.get(key).copied().unwrap_or_default();
        assert_eq!(now, *then, "{key} was replayed after it was resolved, seed {seed}");
    }
    assert!(!resolved_at.is_empty(), "letters were seen to be resolved under load");
    shop.check_conservation();
    report(sent, &ledger);
}

fn report(sent: &[Sent], ledger: &Ledger) {
    let count = |wanted: fn(&Sent) -> bool| sent.iter().filter(|sent| wanted(sent)).count();
    let queued = count(|sent| sent.status == Some(202));
    assert!(queued > 100, "the circuit opened and requests were kept, but only {queued}");
    assert!(count(|sent| sent.status == Some(201)) > 100, "requests went through");
    println!(
        "{} sent: {} acknowledged ({queued} queued), {} unknown; {} deliveries in the ledger",
        sent.len(),
        count(Sent::acknowledged),
        count(|sent| sent.status.is_none()),
        ledger.entries().len(),
    );
}
