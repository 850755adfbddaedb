//! A listener that does I/O, on a thread of its own.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use fuseboard_core::{Listener, Transition};

use super::News;

/// Runs a listener on a thread of its own, so that one that writes to a network never delays the call that made the
/// transition.
///
/// What it has not told yet waits in a queue of fixed length; if that is full, the news is dropped and counted. When the
/// last breaker that uses it is gone, the rest of the queue is told and the thread ends.
///
/// ```
/// use fuseboard::{CircuitBreaker, Elsewhere, Transition};
///
/// let webhook = |circuit: &str, transition: &Transition| println!("{circuit} is {}", transition.to);
/// let breaker = CircuitBreaker::builder("payments").listener(Elsewhere::new(webhook, 1000)?).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Elsewhere {
    /// `None` only while it is dropped.
    queue: Option<SyncSender<News>>,
    thread: Option<JoinHandle<()>>,
    dropped: Arc<AtomicU64>,
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
    /// If the system gives no thread.
    pub fn new(listener: impl Listener + 'static, capacity: usize) -> std::io::Result<Self> {
        let (queue, waiting) = sync_channel(capacity);
        let thread = Builder::new()
            .name("fuseboard-listener".to_owned())
            .spawn(move || tell(&listener, &waiting))?;
        Ok(Elsewhere { queue: Some(queue), thread: Some(thread), dropped: Arc::default() })
    }

    /// How much news was dropped because the queue was full or the listener had ended.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn send(&self, news: News) {
        let sent = self.queue.as_ref().is_some_and(|queue| queue.try_send(news).is_ok());
        if !sent {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Listener for Elsewhere {
    fn on_transition(&self, circuit: &str, transition: &Transition) {
        self.send(News::transition(circuit, transition));
    }

    fn on_would_trip(&self, circuit: &str, why: &str) {
        self.send(News::would_trip(circuit, why));
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // A listener may own the last breaker that uses it; its own thread cannot wait for itself.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

fn tell(listener: &dyn Listener, waiting: &Receiver<News>) {
    for news in waiting {
        // A panic in one piece of news must not silence the rest.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| news.tell(listener)));
    }
}
