//! What the processes told before they died, and what that forbids.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use fuseboard_core::letter::Status;
use fuseboard_store::LetterId;

/// What a process tells, one line each. Claims are told by their letter and fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Kept(LetterId),
    Claimed(LetterId, u64),
    Delivering(LetterId, u64),
    /// The store took the end of a claim; the letter's status after it.
    Settled(LetterId, u64, Status),
    /// The store refused the end of a claim.
    Refused(LetterId, u64),
    /// The store took the end of a claim that never was.
    Deceived(LetterId, u64),
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::Kept(id) => write!(f, "kept {id}"),
            Told::Claimed(id, fence) => write!(f, "claimed {id} {fence}"),
            Told::Delivering(id, fence) => write!(f, "delivering {id} {fence}"),
            Told::Settled(id, fence, status) => write!(f, "settled {id} {fence} {status}"),
            Told::Refused(id, fence) => write!(f, "refused {id} {fence}"),
            Told::Deceived(id, fence) => write!(f, "deceived {id} {fence}"),
        }
    }
}

impl Told {
    /// `None` for a line that is somebody else's.
    pub(crate) fn parse(line: &str) -> Option<Told> {
        let words: Vec<&str> = line.split(' ').collect();
        let id = words.get(1)?.parse().ok()?;
        let fence = || words.get(2)?.parse().ok();
        match words[0] {
            "kept" => Some(Told::Kept(id)),
            "claimed" => Some(Told::Claimed(id, fence()?)),
            "delivering" => Some(Told::Delivering(id, fence()?)),
            "settled" => Some(Told::Settled(id, fence()?, words.get(3)?.parse().ok()?)),
            "refused" => Some(Told::Refused(id, fence()?)),
            "deceived" => Some(Told::Deceived(id, fence()?)),
            _ => None,
        }
    }
}

/// Everything told so far, by all processes that ever ran. Fences order what different processes did to a letter.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) kept: BTreeSet<LetterId>,
    /// The latest fence that a claim was given.
    claimed: BTreeMap<LetterId, u64>,
    pub(crate) settled: BTreeSet<(LetterId, u64)>,
    /// The fence under which a letter was resolved.
    pub(crate) resolved: BTreeMap<LetterId, u64>,
    pub(crate) refused: usize,
    pub(crate) delivered: usize,
}

impl Ledger {
    /// Takes down what was told. Panics if it must not happen.
    pub(crate) fn hear(&mut self, told: Told) {
        match told {
            Told::Kept(id) => drop(self.kept.insert(id)),
            Told::Claimed(id, fence) => {
                let latest = self.claimed.entry(id).or_default();
                *latest = (*latest).max(fence);
                self.expect_unresolved(id, fence, "claimed");
            }
            Told::Delivering(id, fence) => {
                self.delivered += 1;
                self.expect_unresolved(id, fence, "delivered");
            }
            Told::Settled(id, fence, status) => {
                assert!(self.settled.insert((id, fence)), "{id}: two ends of claim {fence}");
                if status == Status::Resolved {
                    let other = self.resolved.insert(id, fence);
                    assert_eq!(other, None, "{id} was resolved twice");
                    let latest = self.claimed.get(&id).copied().unwrap_or_default();
                    assert!(
                        latest <= fence,
                        "{id} was resolved under {fence} after claim {latest}"
                    );
                }
            }
            Told::Refused(..) => self.refused += 1,
            Told::Deceived(id, fence) => panic!("{id}: the end of a claim {fence} that never was"),
        }
    }

    fn expect_unresolved(&self, id: LetterId, fence: u64, what: &str) {
        if let Some(under) = self.resolved.get(&id) {
            assert!(fence <= *under, "{id} was {what} under {fence}, and resolved under {under}");
        }
    }
}

#[test]
fn what_is_told_is_read_back() {
    let (id, fence) = (LetterId(7), 3);
    let all = [
        Told::Kept(id),
        Told::Claimed(id, fence),
        Told::Delivering(id, fence),
        Told::Settled(id, fence, Status::RequiresReview),
        Told::Refused(id, fence),
        Told::Deceived(id, fence),
    ];
    for told in all {
        assert_eq!(Told::parse(&told.to_string()), Some(told));
    }
    assert_eq!(Told::parse("test kills::on_sqlite ... ok"), None);
}

#[test]
#[should_panic(expected = "7 was delivered under 4, and resolved under 3")]
fn a_replay_after_the_end_is_noticed() {
    let mut ledger = Ledger::default();
    ledger.hear(Told::Claimed(LetterId(7), 3));
    ledger.hear(Told::Settled(LetterId(7), 3, Status::Resolved));
    ledger.hear(Told::Delivering(LetterId(7), 3));
    ledger.hear(Told::Delivering(LetterId(7), 4));
}

#[test]
#[should_panic(expected = "two ends of claim 3")]
fn a_second_end_of_a_claim_is_noticed() {
    let mut ledger = Ledger::default();
    ledger.hear(Told::Settled(LetterId(7), 3, Status::Pending));
    ledger.hear(Told::Settled(LetterId(7), 3, Status::Pending));
}
