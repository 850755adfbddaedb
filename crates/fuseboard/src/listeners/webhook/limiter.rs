//! At most so many messages per circuit and interval; what comes on top waits, and becomes one message.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use fuseboard_core::time::{Moment, WallTime};

use crate::listeners::parent::parent;
use crate::listeners::{News, What};

/// One message to be: a piece of news, and how much earlier news of its circuit it stands for.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) news: News,
    pub(super) at: WallTime,
    pub(super) left_out: u64,
}

impl Entry {
    pub(super) fn new(news: News, at: WallTime) -> Self {
        Entry { news, at, left_out: 0 }
    }

    /// How much news is told or lost with it.
    pub(super) fn weight(&self) -> u64 {
        1 + self.left_out
    }

    /// Makes this stand for `newer`, too. A state says more than a warning, so no warning takes its place.
    fn absorb(&mut self, newer: Entry) {
        let left_out = self.weight();
        let (old, new) = (&self.news.what, &newer.news.what);
        if !matches!((old, new), (What::Transition(_), What::WouldTrip(_))) {
            *self = newer;
        }
        self.left_out = left_out;
    }
}

/// How much may be sent about one circuit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    /// How many messages; at least 1.
    pub(super) at_most: usize,
    /// In any span of this length.
    pub(super) within: Duration,
}

/// What waits to be sent, by circuit; keyed circuits share their parent's place. Time comes in with every call.
#[derive(Debug)]
pub(super) struct Limiter {
    limit: Limit,
    /// How many entries may wait, over all circuits.
    capacity: usize,
    lanes: BTreeMap<String, Lane>,
    /// How many entries ever came, which is the order they are sent in.
    count: u64,
}

#[derive(Debug, Default)]
struct Lane {
    /// When its latest messages were sent, as far as they still count.
    sent: VecDeque<Moment>,
    /// What waits, oldest first, with its number.
    waiting: VecDeque<(u64, Entry)>,
}

impl Lane {
    fn forget(&mut self, limit: Limit, now: Moment) {
        while self.sent.front().is_some_and(|sent| *sent + limit.within <= now) {
            self.sent.pop_front();
        }
    }

    /// When its next message may be sent; `None` if that is now.
    fn blocked_until(&self, limit: Limit) -> Option<Moment> {
        let oldest = self.sent.front()?;
        (self.sent.len() >= limit.at_most).then(|| *oldest + limit.within)
    }

    fn first(&self) -> Option<u64> {
        self.waiting.front().map(|(number, _)| *number)
    }
}

impl Limiter {
    pub(super) fn new(limit: Limit, capacity: usize) -> Self {
        Limiter { limit, capacity, lanes: BTreeMap::new(), count: 0 }
    }

    /// Takes `entry`. Gives back how much older news, of whatever circuit, was dropped to make room.
    pub(super) fn offer(&mut self, entry: Entry, now: Moment) -> u64 {
        let lane = self.lanes.entry(parent(&entry.news.circuit).to_owned()).or_default();
        lane.forget(self.limit, now);
        let full = lane.sent.len() + lane.waiting.len() >= self.limit.at_most;
        match lane.waiting.back_mut() {
            Some((_, last)) if full => last.absorb(entry),
            // One may always wait, however much was sent: it stands for all that come after it.
            _ => {
                self.count += 1;
                lane.waiting.push_back((self.count, entry));
            }
        }
        if self.waiting() > self.capacity { self.drop_oldest() } else { 0 }
    }

    /// The oldest entry that may be sent now; at the `end`, whatever was sent before.
    pub(super) fn next(&mut self, now: Moment, end: bool) -> Option<Entry> {
        let limit = self.limit;
        self.lanes.retain(|_, lane| {
            lane.forget(limit, now);
            !(lane.sent.is_empty() && lane.waiting.is_empty())
        });
        let free = |lane: &&mut Lane| end || lane.blocked_until(limit).is_none();
        let lanes = self.lanes.values_mut().filter(free);
        let lane = lanes.filter(|lane| !lane.waiting.is_empty()).min_by_key(|lane| lane.first())?;
        let (_, entry) = lane.waiting.pop_front()?;
        lane.sent.push_back(now);
        Some(entry)
    }

    /// When [`next`](Limiter::next) has something to give: [`Moment::ZERO`] if now, `None` if nothing waits.
    pub(super) fn due(&self) -> Option<Moment> {
        let waiting = self.lanes.values().filter(|lane| !lane.waiting.is_empty());
        waiting.map(|lane| lane.blocked_until(self.limit).unwrap_or(Moment::ZERO)).min()
    }

    /// The number of the entry that came last.
    pub(super) fn latest(&self) -> u64 {
        self.count
    }

    /// The lowest number of all that waits.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.lanes.values().filter_map(Lane::first).min()
    }

    /// Forgets all that waits; gives back how much news that was.
    pub(super) fn clear(&mut self) -> u64 {
        let waiting = self.lanes.values().flat_map(|lane| &lane.waiting);
        let lost = waiting.map(|(_, entry)| entry.weight()).sum();
        self.lanes.clear();
        lost
    }

    fn waiting(&self) -> usize {
        self.lanes.values().map(|lane| lane.waiting.len()).sum()
    }

    fn drop_oldest(&mut self) -> u64 {
        let lanes = self.lanes.values_mut().filter(|lane| !lane.waiting.is_empty());
        let oldest = lanes.min_by_key(|lane| lane.first());
        let dropped = oldest.and_then(|lane| lane.waiting.pop_front());
        dropped.map_or(0, |(_, entry)| entry.weight())
    }
}
