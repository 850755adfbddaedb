//! Calls that share a commit: whatever gathers while the server is busy goes to it together.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::fault::TimedOut;
use super::pool::{Errand, Pool};
use crate::error::{FullReason, StoreError, doing};

/// Calls that wait; who comes later waits to be let in.
const QUEUE: usize = 1024;

/// Calls that share one commit at most.
const GROUP: usize = 256;

/// Bytes that share one commit at most, but for a single call that brings more.
const BYTES: usize = 8 << 20;

/// Calls of one kind as one errand, which answers each of them, in order.
pub(crate) trait Group:
    Errand<Answer = Vec<Result<Self::One, StoreError>>> + Send + 'static
{
    type Item: Send + 'static;
    type One: Send + 'static;

    fn of(items: Vec<Self::Item>) -> Self;

    fn into_items(self) -> Vec<Self::Item>;

    /// How many bytes it brings, more or less.
    fn weight(item: &Self::Item) -> usize;
}

/// Who has a call: the caller can take back what no worker has taken.
#[derive(Clone, Debug, Default)]
struct Holder(Arc<AtomicU8>);

impl Holder {
    const WAITING: u8 = 0;
    const TAKEN: u8 = 1;
    const GIVEN_UP: u8 = 2;

    fn becomes(&self, holder: u8) -> bool {
        let now = Self::WAITING;
        self.0.compare_exchange(now, holder, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

struct Call<G: Group> {
    item: G::Item,
    holder: Holder,
    reply: Reply<G::One>,
}

type Queue<G> = Arc<AsyncMutex<mpsc::Receiver<Call<G>>>>;

pub(crate) struct Lane<G: Group> {
    /// `None` once closed.
    sender: Mutex<Option<mpsc::Sender<Call<G>>>>,
    workers: Mutex<Vec<JoinHandle<()>>>,
    limit: Duration,
}

impl<G: Group> Lane<G> {
    /// With two workers, one group is put together while the server commits the other.
    pub(crate) fn new(pool: &Arc<Pool>, workers: usize) -> Self {
        let (sender, queue) = mpsc::channel(QUEUE);
        let queue: Queue<G> = Arc::new(AsyncMutex::new(queue));
        let worker = |_| tokio::spawn(work(pool.clone(), queue.clone()));
        Lane {
            sender: Mutex::new(Some(sender)),
            workers: Mutex::new((0..workers).map(worker).collect()),
            limit: pool.link().limit,
        }
    }

    pub(crate) async fn call(&self, item: G::Item) -> Result<G::One, StoreError> {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let sender = sender.ok_or_else(StoreError::closed)?;
        let (holder, (reply, mut answer)) = (Holder::default(), oneshot::channel());
        let call = Call { item, holder: holder.clone(), reply };
        let sent = timeout(self.limit, sender.send(call)).await;
        sent.map_err(|_| late())?.map_err(|_| StoreError::closed())?;
        drop(sender);
        match timeout(self.limit, &mut answer).await {
            Ok(answered) => answered.map_err(|_| StoreError::gone())?,
            Err(_) if holder.becomes(Holder::GIVEN_UP) => Err(late()),
            // The worker keeps to its own limits.
            Err(_) => answer.await.map_err(|_| StoreError::gone())?,
        }
    }

    /// Lets the calls that came before be answered.
    pub(crate) async fn close(&self) {
        drop(self.sender.lock().unwrap_or_else(PoisonError::into_inner).take());
        let workers = {
            let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *workers)
        };
        for worker in workers {
            // A worker that panicked has ended, too.
            let _ = worker.await;
        }
    }
}

fn late() -> StoreError {
    StoreError::Unavailable { doing: doing::TAKING_A_CALL, source: Arc::new(TimedOut) }
}

async fn work<G: Group>(pool: Arc<Pool>, queue: Queue<G>) {
    let mut gathered = Vec::with_capacity(GROUP);
    loop {
        let gathering = async { queue.lock().await.recv_many(&mut gathered, GROUP).await };
        if gathering.await == 0 {
            return;
        }
        let (mut items, mut replies, mut bytes) = (Vec::new(), Vec::new(), 0);
        for call in gathered.drain(..) {
            // What nobody waits for any more need not be done: a claim given now would only run out.
            if call.reply.is_closed() || !call.holder.becomes(Holder::TAKEN) {
                continue;
            }
            let weight = G::weight(&call.item);
            if bytes > 0 && bytes + weight > BYTES {
                let (items, replies) = (std::mem::take(&mut items), std::mem::take(&mut replies));
                commit::<G>(&pool, items, replies).await;
                bytes = 0;
            }
            bytes += weight;
            items.push(call.item);
            replies.push(call.reply);
        }
        commit::<G>(&pool, items, replies).await;
    }
}

/// Does `items` in one transaction, or each in its own if the server refuses them together.
async fn commit<G: Group>(pool: &Pool, items: Vec<G::Item>, replies: Vec<Reply<G::One>>) {
    if items.is_empty() {
        return;
    }
    let group = G::of(items);
    match pool.run(&group).await {
        Ok(answers) => answers.into_iter().zip(replies).for_each(answer),
        Err(error) if replies.len() > 1 && is_about_one(&error) => {
            let mut failed = None;
            for (item, reply) in group.into_items().into_iter().zip(replies) {
                let one = match &failed {
                    None => alone::<G>(pool, item).await,
                    Some(error) => Err(StoreError::clone(error)),
                };
                // The others would fail of it as well, each after as long.
                failed = one.as_ref().err().filter(|error| is_about_all(error)).cloned().or(failed);
                answer((one, reply));
            }
        }
        Err(error) => replies.into_iter().for_each(|reply| answer((Err(error.clone()), reply))),
    }
}

async fn alone<G: Group>(pool: &Pool, item: G::Item) -> Result<G::One, StoreError> {
    let answers = pool.run(&G::of(vec![item])).await?;
    answers.into_iter().next().unwrap_or_else(|| Err(StoreError::gone()))
}

fn answer<T>((answer, reply): (Result<T, StoreError>, Reply<T>)) {
    // A caller who has gone does not hear of it.
    let _ = reply.send(answer);
}

/// The classes of what the server says when it lacks resources, waits for a lock, is told to stop, or is broken.
const TROUBLES: [&str; 4] = ["53", "55", "57", "58"];

/// Whether a single one of several calls may be to blame: the server refused it, and wrote nothing.
fn is_about_one(error: &StoreError) -> bool {
    let StoreError::Unavailable { doing: doing::WRITING, source } = error else { return false };
    let error = source.downcast_ref::<tokio_postgres::Error>().and_then(|error| error.code());
    error.is_some_and(|code| !TROUBLES.iter().any(|class| code.code().starts_with(class)))
}

fn is_about_all(error: &StoreError) -> bool {
    match error {
        StoreError::Full { reason } => *reason == FullReason::Disk,
        StoreError::Unavailable { .. } => !is_about_one(error),
        _ => false,
    }
}
