//! What a look-up does beside finding: it makes a key's circuit, makes room for it, and tidies up a little.

use std::sync::MutexGuard;

use super::shard::{Counts, Gone, Room, Search, Shard};
use super::{KeyOf, Shared, lock, name};
use crate::breaker::{CircuitBreaker, Glance};
use crate::time::Moment;

/// So many idle circuits of each queue are forgotten by one look-up. A new key forgets more than it adds.
const SWEPT_FOR_A_KNOWN_KEY: u32 = 1;
const SWEPT_FOR_A_NEW_KEY: u32 = 2;

impl<K> Shared<K> {
    /// The circuit of a key that has one. From now on it is the one that was used last.
    pub(super) fn known<Q: KeyOf<K> + ?Sized>(&self, key: &Q, hash: u64) -> Option<CircuitBreaker> {
        let now = match self.limits.idle() {
            Some(_) => self.family.common.clock.coarse(),
            None => Moment::ZERO,
        };
        // What is forgotten is dropped when the lock is gone: here and below, the lock is declared later.
        let mut gone = Gone::new();
        let mut shard = self.shard(hash);
        let found = shard.touch(hash, |own| key.is(own), now)?;
        shard.sweep(now, SWEPT_FOR_A_KNOWN_KEY, &mut gone);
        Some(found)
    }

    /// The circuit of a key that had none a moment ago.
    #[cold]
    pub(super) fn welcome<Q: KeyOf<K> + ?Sized>(&self, key: &Q, hash: u64) -> CircuitBreaker {
        let named = name::of(&self.family.name, key).and_then(|name| {
            let (now, mut search) = (self.family.common.clock.coarse(), Search::new());
            self.sweep(hash, now);
            // A flood of keys that find no room shall not cost a circuit each, so room comes first.
            self.place(key, hash, now, &mut search, None).or_else(|| {
                let made = self.family.make(&name).ok()?;
                let placed = self.place(key, hash, now, &mut search, Some(made))?;
                // Who changed the rules since it was made has either seen it, or is seen here.
                self.family.update(&placed);
                Some(placed)
            })
        });
        named.unwrap_or_else(|| self.overflow(&mut self.shard(hash)))
    }

    /// The circuit that another thread has made for the key meanwhile; or the one that was `made`, if there is room
    /// for it; or the overflow circuit, if there is none; nothing, if there is room and nothing was made.
    fn place<Q: KeyOf<K> + ?Sized>(
        &self,
        key: &Q,
        hash: u64,
        now: Moment,
        search: &mut Search,
        made: Option<CircuitBreaker>,
    ) -> Option<CircuitBreaker> {
        let mut gone = Gone::new();
        loop {
            let mut shard = self.shard(hash);
            if let Some(found) = shard.touch(hash, |own| key.is(own), now) {
                return Some(found);
            }
            match shard.make_room(now, search, &mut gone) {
                Room::Yes => {
                    let breaker = made.clone()?;
                    shard.insert(hash, key.to_owned(), breaker, now);
                    return made;
                }
                Room::No => return Some(self.overflow(&mut shard)),
                Room::Lapsed(breaker) => {
                    drop(shard);
                    breaker.tick();
                }
            }
        }
    }

    /// Forgets a few circuits that nobody uses, and looks after one that is not closed.
    fn sweep(&self, hash: u64, now: Moment) {
        let mut gone = Gone::new();
        let lapsed = {
            let mut shard = self.shard(hash);
            shard.sweep(now, SWEPT_FOR_A_NEW_KEY, &mut gone);
            shard.unpark(now)
        };
        if let Some(breaker) = lapsed {
            breaker.tick();
        }
    }

    fn overflow(&self, shard: &mut Shard<K>) -> CircuitBreaker {
        shard.counts.overflowed += 1;
        self.overflow.clone()
    }

    pub(super) fn shard(&self, hash: u64) -> MutexGuard<'_, Shard<K>> {
        // Their number is a power of two. A shard's own table goes by the other half of the hash.
        let at = (hash >> 32) as usize & (self.shards.len() - 1);
        lock(&self.shards[at])
    }

    /// Every circuit as it is now, and what the shards have counted.
    pub(super) fn survey(&self, mut each: impl FnMut(&CircuitBreaker, Glance)) -> Counts {
        let (now, mut sum) = (self.family.common.clock.now(), Counts::default());
        for shard in &self.shards {
            let others = {
                let shard = lock(shard);
                // In one go with its circuits: what is forgotten between the two would be in both, or in neither.
                sum += shard.counts;
                shard.survey(now, &mut each)
            };
            for breaker in others {
                breaker.tick();
                each(&breaker, breaker.glance(now));
            }
        }
        sum
    }
}
