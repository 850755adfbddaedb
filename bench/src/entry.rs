//! One contestant in one case: a breaker under traffic, in the state that the case claims to measure.

use crate::protect::{Answer, Told};

/// Calls come in hundreds, so that every batch holds its share of failures exactly.
pub(crate) const HUNDRED: u64 = 100;

/// What a batch of calls came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    pub(crate) rejected: u64,
}

impl Tally {
    #[inline(always)]
    pub(crate) fn add<T>(&mut self, answer: &Answer<T>) {
        match answer {
            Answer::Value(_) => self.succeeded += 1,
            Answer::Failed => self.failed += 1,
            Answer::Rejected => self.rejected += 1,
        }
    }
}

/// What a case claims about the breaker while it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Every call goes through, and so many of a hundred fail.
    Closed { failures: u64 },
    /// Every call is rejected.
    Open,
}

impl Claim {
    fn tally(self, calls: u64) -> Tally {
        match self {
            Claim::Closed { failures } => {
                let failed = calls / HUNDRED * failures;
                Tally { succeeded: calls - failed, failed, rejected: 0 }
            }
            Claim::Open => Tally { rejected: calls, ..Tally::default() },
        }
    }

    fn told(self) -> Told {
        match self {
            Claim::Closed { .. } => Told::Closed,
            Claim::Open => Told::Open,
        }
    }
}

/// Makes that many calls, a multiple of a hundred.
pub(crate) type Run = Box<dyn Fn(u64) -> Tally + Send + Sync>;

/// Asks the breaker for its state, if the crate tells it.
pub(crate) type Ask = Box<dyn Fn() -> Option<Told> + Send + Sync>;

/// A contestant ready to be measured.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    claim: Claim,
    run: Run,
    ask: Ask,
}

impl Entry {
    pub(crate) fn new(name: &'static str, claim: Claim, run: Run, ask: Ask) -> Self {
        Entry { name, claim, run, ask }
    }

    /// Makes `calls` calls, and nothing else: this is what is timed.
    pub(crate) fn run(&self, calls: u64) -> Tally {
        (self.run)(calls)
    }

    /// Whether the breaker was, and still is, in the state that is claimed.
    pub(crate) fn check(&self, calls: u64, tally: Tally) -> Result<(), String> {
        let expected = self.claim.tally(calls);
        if tally != expected {
            return Err(format!("not {:?}: {tally:?} instead of {expected:?}", self.claim));
        }
        match (self.ask)() {
            Some(told) if told != self.claim.told() => {
                Err(format!("not {:?}: it says it is {told:?}", self.claim))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(claim: Claim, told: Option<Told>) -> Entry {
        Entry::new("x", claim, Box::new(|_| Tally::default()), Box::new(move || told))
    }

    #[test]
    fn a_batch_that_was_not_what_the_case_claims_is_refused() {
        let closed = Claim::Closed { failures: 30 };
        let tally = |succeeded, failed, rejected| Tally { succeeded, failed, rejected };
        let cases = [
            (closed, None, tally(140, 60, 0), true),
            (closed, Some(Told::Closed), tally(140, 60, 0), true),
            (closed, Some(Told::Other), tally(140, 60, 0), false),
            (closed, None, tally(139, 60, 1), false),
            (closed, None, tally(141, 59, 0), false),
            (Claim::Open, Some(Told::Open), tally(0, 0, 200), true),
            (Claim::Open, Some(Told::Other), tally(0, 0, 200), false),
            (Claim::Open, None, tally(1, 0, 199), false),
        ];
        for (claim, told, tally, fine) in cases {
            let checked = entry(claim, told).check(200, tally);
            assert_eq!(checked.is_ok(), fine, "{claim:?} {told:?} {tally:?}");
        }
    }
}
