//! The ledger at the end: what the shop was told, beside what the payment service's own file and the store say.

use std::collections::BTreeSet;

use super::ledger::Ledger;
use super::pages::Pages;
use super::scene::LetterCounts;
use super::traffic::{Answer, Payment, Score};

/// What the balance is computed from.
#[derive(Clone, Debug)]
pub(crate) struct Accounts {
    /// How many payments the plan had.
    pub(crate) planned: u64,
    /// What the shop was told of each.
    pub(crate) payments: Vec<Payment>,
    /// What the service recorded.
    pub(crate) ledger: Ledger,
    /// What the store says of the letters.
    pub(crate) letters: LetterCounts,
    /// What the pages said to those who were told 202.
    pub(crate) pages: Pages,
}

/// One claim, and whether it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) holds: bool,
    pub(crate) text: &'static str,
    /// The numbers behind it.
    pub(crate) figures: String,
    /// The first few things that break it.
    pub(crate) broken_by: Vec<String>,
}

/// The claims, and the numbers beside them.
#[derive(Clone, Debug)]
pub(crate) struct Balance {
    pub(crate) score: Score,
    pub(crate) claims: Vec<Claim>,
    /// Deliveries that the service recognised by their key, and did not do again.
    pub(crate) repeats: u64,
    /// Deliveries that were replays.
    pub(crate) replays: u64,
}

/// How many of the things that break a claim are shown.
const SHOWN: usize = 3;

impl Balance {
    /// Computes it.
    pub(crate) fn of(accounts: &Accounts) -> Balance {
        let mut score = Score::default();
        accounts.payments.iter().for_each(|payment| score.count(&payment.answer));
        let entries = accounts.ledger.entries();
        let claims = vec![
            everything_is_accounted_for(accounts, &score),
            acknowledged_is_done_once(accounts),
            refused_is_not_done(accounts),
            unknown_is_done_at_most_once(accounts),
            nothing_else_is_done(accounts),
            captured_is_resolved(accounts),
            pages_tell_the_same(accounts),
        ];
        Balance {
            score,
            claims,
            repeats: entries.iter().filter(|entry| !entry.applied).count() as u64,
            replays: entries.iter().filter(|entry| entry.replay.is_some()).count() as u64,
        }
    }

    /// Whether every claim holds.
    pub(crate) fn holds(&self) -> bool {
        self.claims.iter().all(|claim| claim.holds)
    }
}

fn everything_is_accounted_for(accounts: &Accounts, score: &Score) -> Claim {
    let keys: BTreeSet<&str> = accounts.payments.iter().map(|one| one.key.as_str()).collect();
    let (acknowledged, Score { refused, unknown, .. }) = (score.acknowledged(), *score);
    let sum = acknowledged + refused + unknown;
    Claim {
        holds: sum == accounts.planned && keys.len() as u64 == accounts.planned,
        text: "sent = acknowledged + refused + unknown",
        figures: format!("{} = {acknowledged} + {refused} + {unknown}", accounts.planned),
        broken_by: Vec::new(),
    }
}

/// Checks how often each payment with some kind of answer was done, against what is right for it.
fn each(
    accounts: &Accounts,
    text: &'static str,
    concerns: impl Fn(&Answer) -> bool,
    right: impl Fn(u64) -> bool,
) -> Claim {
    let applied = accounts.ledger.applied();
    let (mut good, mut all, mut broken_by) = (0u64, 0u64, Vec::new());
    for payment in accounts.payments.iter().filter(|payment| concerns(&payment.answer)) {
        let times = applied.get(payment.key.as_str()).copied().unwrap_or_default();
        all += 1;
        match right(times) {
            true => good += 1,
            false if broken_by.len() < SHOWN => {
                broken_by.push(format!("{} was done {times} times", payment.key));
            }
            false => {}
        }
    }
    Claim { holds: good == all, text, figures: format!("{good} of {all}"), broken_by }
}

fn acknowledged_is_done_once(accounts: &Accounts) -> Claim {
    let acknowledged = |answer: &Answer| matches!(answer, Answer::Served | Answer::Queued { .. });
    each(accounts, "acknowledged: each done exactly once", acknowledged, |times| times == 1)
}

fn refused_is_not_done(accounts: &Accounts) -> Claim {
    let refused = |answer: &Answer| matches!(answer, Answer::Refused(_));
    each(accounts, "refused: none was done", refused, |times| times == 0)
}

fn unknown_is_done_at_most_once(accounts: &Accounts) -> Claim {
    let unknown = |answer: &Answer| matches!(answer, Answer::Unknown(_));
    each(accounts, "unknown: each done at most once", unknown, |times| times <= 1)
}

fn nothing_else_is_done(accounts: &Accounts) -> Claim {
    let sent: BTreeSet<(&str, u64)> =
        accounts.payments.iter().map(|payment| (payment.key.as_str(), payment.amount)).collect();
    let foreign =
        |entry: &&super::ledger::Entry| !sent.contains(&(entry.key.as_str(), entry.amount));
    let foreign: Vec<_> = accounts.ledger.entries().iter().filter(foreign).collect();
    let all = accounts.ledger.entries().len();
    Claim {
        holds: foreign.is_empty(),
        text: "every entry is a payment that was sent",
        figures: format!("{} of {all}", all - foreign.len()),
        broken_by: foreign
            .iter()
            .take(SHOWN)
            .map(|entry| format!("{} of {} was not sent", entry.key, entry.amount))
            .collect(),
    }
}

fn captured_is_resolved(accounts: &Accounts) -> Claim {
    let LetterCounts { captured, resolved, .. } = accounts.letters;
    let queued = accounts.payments.iter().filter(|one| matches!(one.answer, Answer::Queued { .. }));
    let queued = queued.count() as u64;
    let mut broken_by = Vec::new();
    if captured < queued {
        broken_by.push(format!("{queued} payments were answered 202, {captured} are in the store"));
    }
    Claim {
        holds: captured == resolved && broken_by.is_empty(),
        text: "captured = resolved",
        figures: format!("{captured} = {resolved}"),
        broken_by,
    }
}

fn pages_tell_the_same(accounts: &Accounts) -> Claim {
    let Pages { read, wrong } = &accounts.pages;
    Claim {
        holds: wrong.is_empty(),
        text: "each 202's page has the service's own 201",
        figures: format!("{} of {read}", read - wrong.len() as u64),
        broken_by: wrong.iter().take(SHOWN).cloned().collect(),
    }
}

#[cfg(test)]
mod tests;
