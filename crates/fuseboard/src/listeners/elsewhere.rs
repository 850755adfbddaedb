//! A listener that does I/O, on a thread of its own.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fuseboard_core::{Listener, Transition};

use super::{InvalidCapacity, News};

mod queue;

use queue::{Item, Queue};

/// Runs a listener on a thread of its own, so that one that writes to a network never delays the call that made the
/// transition.
///
/// What it has not told yet waits in a queue of fixed length; if that is full, the news is dropped and counted.
///
/// ```
/// use fuseboard::{CircuitBreaker, Elsewhere, Transition};
///
/// let webhook = |circuit: &str, transition: &Transition| println!("{circuit} is {}", transition.to);
/// let breaker = CircuitBreaker::builder("payments").listener(Elsewhere::new(webhook, 1000)?).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # At the end
///
/// When the last breaker that uses it is gone, the rest of the queue is told and the thread ends. Dropping waits for that, but
/// no longer than [5 s](Elsewhere::stop_within): then what still waits is given up, and the thread is left to itself and
/// ends with the news that it is telling. In async code, drop the board where blocking is allowed.
///
/// A program that ends drops no statics, so nothing waits for the listeners of the [board of the process](crate::global), nor
/// of any other that is still in use, and `std::process::exit` drops nothing at all. [Flush](Elsewhere::flush) before:
///
/// ```
/// use fuseboard::{Board, Elsewhere, Listener, Transition, global};
/// use std::{sync::Arc, time::Duration};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let report = |circuit: &str, transition: &Transition| println!("{circuit} is {}", transition.to);
///     let reports = Arc::new(Elsewhere::new(report, 1000)?);
///     let listener: Arc<dyn Listener> = reports.clone();
///     global::install(Board::builder().shared_listener(listener).build())?;
///
///     // what the program does
///
///     if !reports.flush(Duration::from_secs(5)) {
///         eprintln!("some reports were not made");
///     }
///     Ok(())
/// }
/// ```
pub struct Elsewhere {
    queue: Arc<Queue>,
    /// `None` once it is dropped.
    thread: Option<JoinHandle<()>>,
    stop_within: Duration,
}

impl fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elsewhere").field("dropped", &self.dropped()).finish_non_exhaustive()
    }
}

impl Elsewhere {
    /// Starts a thread for `listener`, with a queue of at most `capacity` pieces of news.
    ///
    /// # Errors
    ///
    /// An [`InvalidCapacity`] inside an error of the kind [`InvalidInput`](io::ErrorKind::InvalidInput) if the capacity is
    /// zero; the system's own error if it gives no thread.
    pub fn new(listener: impl Listener + 'static, capacity: usize) -> io::Result<Self> {
        let refused = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
        InvalidCapacity::check(capacity, usize::MAX).map_err(refused)?;
        let queue = Arc::new(Queue::new(capacity));
        let theirs = Arc::clone(&queue);
        let run = move || {
            let finish = Finish(theirs);
            tell(&listener, &finish.0);
            drop(listener); // before the end is said, which is what a drop waits for
        };
        let thread = thread::Builder::new().name("fuseboard-listener".to_owned()).spawn(run)?;
        Ok(Elsewhere { queue, thread: Some(thread), stop_within: Duration::from_secs(5) })
    }

    /// Waits for at most so long, when dropped, for the rest of the queue to be told. By default 5 s; zero waits for
    /// nothing. More than an hour counts as an hour.
    #[must_use]
    pub fn stop_within(mut self, limit: Duration) -> Self {
        self.stop_within = limit;
        self
    }

    /// Waits until the listener was told all that was queued before, for at most `limit`; says whether it was. News that comes
    /// meanwhile is not waited for, and what was [dropped](Elsewhere::dropped) was never queued. Called by the listener itself
    /// it answers at once, with no.
    ///
    /// It blocks its thread: in async code, call it where blocking is allowed.
    pub fn flush(&self, limit: Duration) -> bool {
        !self.is_own_thread() && self.queue.flush().recv_timeout(limit).is_ok()
    }

    /// How much news was dropped because the queue was full or the listener had ended.
    pub fn dropped(&self) -> u64 {
        self.queue.dropped()
    }

    fn is_own_thread(&self) -> bool {
        let own = self.thread.as_ref().map(|thread| thread.thread().id());
        own == Some(thread::current().id())
    }
}

impl Listener for Elsewhere {
    fn on_transition(&self, circuit: &str, transition: &Transition) {
        self.queue.put(News::transition(circuit, transition));
    }

    fn on_would_trip(&self, circuit: &str, why: &str) {
        self.queue.put(News::would_trip(circuit, why));
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.queue.stop();
        // A listener may own the last breaker that uses it; its own thread cannot wait for itself.
        if self.is_own_thread() || !self.queue.wait_for_end(self.stop_within) {
            return;
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Says that the thread has ended, however it ends.
struct Finish(Arc<Queue>);

impl Drop for Finish {
    fn drop(&mut self) {
        self.0.finish();
    }
}

fn tell(listener: &dyn Listener, queue: &Queue) {
    while let Some(item) = queue.take() {
        match item {
            Item::News(news) => {
                // A panic in one piece of news must not silence the rest.
                let _ = catch_unwind(AssertUnwindSafe(|| news.tell(listener)));
            }
            // Who asked may have stopped waiting.
            Item::Flush(told) => drop(told.send(())),
        }
    }
}
