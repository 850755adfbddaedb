//! The shop: real payments over real sockets, at a steady rate, each with a key of its own, and what became of each.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use fuseboard_core::random::{Random, SeededRandom};
use fuseboard_core::time::{Clock, Moment, SystemClock};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::client::{Client, NoAnswer};

/// How long a customer waits for an answer: well beyond the gateway's own timeout.
const PATIENCE: Duration = Duration::from_secs(5);
/// Payments in flight at once, at least and at most.
const CLIENTS: (u32, u32) = (16, 128);
/// One payment in so many is made at the till.
const TILL: u64 = 10;

/// How much traffic there is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Where the gateway listens.
    pub(crate) gateway: SocketAddr,
    /// Payments per second.
    pub(crate) rate: u32,
    /// For how long.
    pub(crate) length: Duration,
    /// Amounts and keys follow from it.
    pub(crate) seed: u64,
}

impl Plan {
    /// How many payments that makes.
    pub(crate) fn total(&self) -> u64 {
        u64::from(self.rate) * self.length.as_secs()
    }

    /// When payment `number` is due, after the first one.
    fn due(&self, number: u64) -> Duration {
        Duration::from_nanos(number * 1_000_000_000 / u64::from(self.rate))
    }

    fn payment(&self, number: u64, random: &dyn Random) -> Payment {
        let place = if number % TILL == TILL - 1 { Place::Till } else { Place::Online };
        let amount = 100 + (random.draw() * 20_000.0) as u64;
        let key = format!("demo-{:x}-{number:05}", self.seed);
        Payment { key, amount, place, answer: Answer::Unknown("not sent".to_owned()) }
    }
}

/// Where a payment is made, which decides what can be done with it when the service is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the online shop: it may be done later.
    Online,
    /// At the till: the customer waits, so it is done now or not at all.
    Till,
}

impl Place {
    /// The path that such payments are sent to.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Place::Online => "/payments",
            Place::Till => "/payments/till",
        }
    }
}

/// A payment that the shop sent, and what it was told.
#[derive(Clone, Debug)]
pub(crate) struct Payment {
    pub(crate) key: String,
    pub(crate) amount: u64,
    pub(crate) place: Place,
    pub(crate) answer: Answer,
}

/// What the shop was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Acknowledged: it was done.
    Served,
    /// Acknowledged: it will be done, and this page tells how it went.
    Queued { page: String },
    /// It was not done, and the shop was told so.
    Refused(StatusCode),
    /// It may have been done: the answer does not say, or there was none.
    Unknown(String),
}

impl Answer {
    /// What an answer means. Only who says that it was not done refused it.
    pub(crate) fn of(answered: &Result<Response<Bytes>, NoAnswer>) -> Self {
        let response = match answered {
            Ok(response) => response,
            Err(error) => return Answer::Unknown(error.to_string()),
        };
        let status = response.status();
        let header =
            |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        match (status, header("location")) {
            (StatusCode::ACCEPTED, Some(page)) => Answer::Queued { page: page.to_owned() },
            (StatusCode::ACCEPTED, None) => Answer::Unknown("202 without a Location".to_owned()),
            _ if status.is_success() => Answer::Served,
            _ if !(status.is_client_error() || status.is_server_error()) => {
                Answer::Unknown(status.to_string())
            }
            _ => match header("fuseboard-reason") {
                Some(reason) if may_be_done(reason) => {
                    Answer::Unknown(format!("{status}: {reason}"))
                }
                _ => Answer::Refused(status),
            },
        }
    }
}

/// Whether the gateway had already sent the payment on when it gave up, for this reason.
fn may_be_done(reason: &str) -> bool {
    ["timeout", "reset", "failure"].into_iter().any(|word| reason.starts_with(word))
}

/// Payments by what came of them, until now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Score {
    pub(crate) served: u64,
    pub(crate) queued: u64,
    pub(crate) refused: u64,
    pub(crate) unknown: u64,
}

impl Score {
    /// Counts one answer.
    pub(crate) fn count(&mut self, answer: &Answer) {
        match answer {
            Answer::Served => self.served += 1,
            Answer::Queued { .. } => self.queued += 1,
            Answer::Refused(_) => self.refused += 1,
            Answer::Unknown(_) => self.unknown += 1,
        }
    }

    /// Served or queued: the shop may tell its customer that it is paid.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.served + self.queued
    }

    /// What came since `earlier`.
    pub(crate) fn since(&self, earlier: &Score) -> Score {
        Score {
            served: self.served - earlier.served,
            queued: self.queued - earlier.queued,
            refused: self.refused - earlier.refused,
            unknown: self.unknown - earlier.unknown,
        }
    }
}

#[derive(Debug, Default)]
struct Counters {
    next: AtomicU64,
    score: Mutex<Score>,
}

impl Counters {
    fn score(&self) -> MutexGuard<'_, Score> {
        self.score.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The traffic while it runs.
#[derive(Debug)]
pub(crate) struct Traffic {
    counters: Arc<Counters>,
    clients: JoinSet<Vec<Payment>>,
    payments: Vec<Payment>,
}

impl Traffic {
    /// Starts the clients.
    pub(crate) fn start(plan: Plan, clock: SystemClock) -> Self {
        let counters = Arc::new(Counters::default());
        let mut clients = JoinSet::new();
        let start = clock.now();
        for number in 0..plan.rate.clamp(CLIENTS.0, CLIENTS.1) {
            let counters = Arc::clone(&counters);
            let random = SeededRandom::new(plan.seed ^ u64::from(number) << 32);
            clients.spawn(pay(plan, counters, random, clock, start));
        }
        Traffic { counters, clients, payments: Vec::new() }
    }

    /// What came of the payments until now.
    pub(crate) fn score(&self) -> Score {
        *self.counters.score()
    }

    /// Whether every payment was sent and has its answer. Gathers them.
    ///
    /// # Panics
    ///
    /// If a client panicked: what it was told is lost then, and no ledger could balance.
    pub(crate) fn is_over(&mut self) -> bool {
        while let Some(joined) = self.clients.try_join_next() {
            self.payments.extend(joined.expect("a client does not panic, and nobody aborts it"));
        }
        self.clients.is_empty()
    }

    /// The payments of the clients that have ended, by key.
    pub(crate) fn into_payments(mut self) -> Vec<Payment> {
        self.payments.sort_by(|left, right| left.key.cmp(&right.key));
        self.payments
    }
}

/// One client: takes the next payment, waits until it is due, sends it, and remembers what it was told.
async fn pay(
    plan: Plan,
    counters: Arc<Counters>,
    random: SeededRandom,
    clock: SystemClock,
    start: Moment,
) -> Vec<Payment> {
    let mut client = Client::new(plan.gateway);
    let mut payments = Vec::new();
    loop {
        let number = counters.next.fetch_add(1, Ordering::Relaxed);
        if number >= plan.total() {
            return payments;
        }
        sleep((start + plan.due(number)).since(clock.now())).await;
        let mut payment = plan.payment(number, &random);
        let answered = client.send(request(&payment), PATIENCE).await;
        payment.answer = Answer::of(&answered);
        counters.score().count(&payment.answer);
        payments.push(payment);
    }
}

fn request(payment: &Payment) -> Request<Full<Bytes>> {
    let body = format!("{{\"amount\":{}}}", payment.amount);
    Request::post(payment.place.path())
        .header("idempotency-key", &payment.key)
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))
        .expect("a path and a key of letters and digits make a request")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, header: Option<(&str, &str)>) -> Result<Response<Bytes>, NoAnswer> {
        let response = Response::builder().status(status);
        let response =
            header.into_iter().fold(response, |one, (name, value)| one.header(name, value));
        Ok(response.body(Bytes::new()).unwrap())
    }

    #[test]
    fn only_what_was_surely_not_done_is_a_refusal() {
        let refused = |status: u16| Answer::Refused(StatusCode::from_u16(status).unwrap());
        let unknown = |why: &str| Answer::Unknown(why.to_owned());
        let because = |reason| Some(("fuseboard-reason", reason));
        let page = "/.fuseboard/letters/abc";
        let rows = [
            (answered(201, None), Answer::Served),
            (answered(202, Some(("location", page))), Answer::Queued { page: page.to_owned() }),
            (answered(202, None), unknown("202 without a Location")),
            (answered(422, None), refused(422)),
            (answered(500, None), refused(500)),
            (answered(503, because("rejected")), refused(503)),
            (answered(503, because("rejected; not queued: the store is full")), refused(503)),
            (answered(502, because("connect")), refused(502)),
            (answered(502, because("reset")), unknown("502 Bad Gateway: reset")),
            (answered(504, because("timeout")), unknown("504 Gateway Timeout: timeout")),
            (answered(307, None), unknown("307 Temporary Redirect")),
            (Err(NoAnswer::TooLate(PATIENCE)), unknown("no answer within 5 s")),
        ];
        for (answered, expected) in rows {
            assert_eq!(Answer::of(&answered), expected, "{answered:?}");
        }
    }

    #[test]
    fn payments_have_keys_of_their_own_and_one_in_ten_is_made_at_the_till() {
        let gateway = SocketAddr::from(([127, 0, 0, 1], 1));
        let plan = Plan { gateway, rate: 40, length: Duration::from_secs(5), seed: 7 };
        let random = SeededRandom::new(7);
        let payments: Vec<_> = (0..plan.total()).map(|n| plan.payment(n, &random)).collect();
        let keys: std::collections::BTreeSet<_> = payments.iter().map(|one| &one.key).collect();
        assert_eq!((payments.len(), keys.len()), (200, 200));
        let till = payments.iter().filter(|payment| payment.place == Place::Till).count();
        assert_eq!(till, 20);
        assert_eq!(plan.due(40), Duration::from_secs(1));
    }
}
