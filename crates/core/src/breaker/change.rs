//! A change under the circuit's lock, and what follows from it: the word for who comes without the lock, and the news.

use std::sync::{Arc, PoisonError};

use super::Shared;
use super::inner::Inner;
use crate::listener::tell;
use crate::sync::MutexGuard;
use crate::time::{Moment, WallTime};

impl Shared {
    /// Reads, after noticing what lapsed until now.
    pub(super) fn look<T>(self: &Arc<Self>, read: impl FnOnce(&mut Inner, Moment) -> T) -> T {
        let now = self.common.clock.now();
        self.change(|inner| {
            inner.engine.tick(now, &*self.common.random);
            read(inner, now)
        })
    }

    /// Changes the circuit under its lock, and tells the listeners when that is released.
    #[inline]
    pub(super) fn change<T>(self: &Arc<Self>, change: impl FnOnce(&mut Inner) -> T) -> T {
        self.change_locked(self.lock(), change)
    }

    #[inline]
    pub(super) fn change_locked<T>(
        self: &Arc<Self>,
        mut inner: MutexGuard<'_, Inner>,
        change: impl FnOnce(&mut Inner) -> T,
    ) -> T {
        let generation = inner.engine.circuit().generation();
        inner.absorb(generation);
        let result = change(&mut inner);
        self.publish(&mut inner, generation);
        let news = inner.engine.has_notices();
        if news {
            inner.queue_news(!self.common.listeners.is_empty());
        }
        drop(inner);
        if news {
            self.tell_news();
        }
        result
    }

    #[cold]
    fn tell_news(&self) {
        let next = || self.lock().news()?.next();
        while let Some(notice) = next() {
            tell(&self.common.listeners, &self.name, &notice);
            if let Some(news) = self.lock().news() {
                news.told();
            }
        }
    }

    /// Says what may be done without the lock from here on. A transition ends what its generation counted.
    #[inline]
    fn publish(self: &Arc<Self>, inner: &mut Inner, before: u64) {
        let generation = inner.engine.circuit().generation();
        if generation != before {
            // A circuit that never left closed has rejected nothing, so that no rejection has its number.
            inner.list(self);
            inner.extra().cells.next_generation();
        }
        let extra = inner.extra.as_deref();
        let announce = |word| extra.into_iter().for_each(|extra| extra.cells.announce(word));
        self.published.publish(generation, inner.engine.ease(), announce);
    }

    #[inline]
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The wall-clock time of a moment that is not long ago.
    pub(super) fn wall(&self, moment: Moment, now: Moment) -> WallTime {
        self.common.clock.wall() - now.since(moment)
    }
}
