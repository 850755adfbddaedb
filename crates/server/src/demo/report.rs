//! The end, on paper: the story and the ledger as text.

use std::fmt::Write;

use super::balance::{Balance, Claim};
use super::story::{Line, Tone};
use super::traffic::Score;

/// Colours, where they are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint(pub(crate) bool);

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        match self.0 {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }

    fn tone(self, tone: Tone, text: &str) -> String {
        match tone {
            Tone::Good => self.with("32", text),
            Tone::Bad => self.with("31", text),
            Tone::Tense => self.with("33", text),
            Tone::Neutral => text.to_owned(),
        }
    }

    fn bold(self, text: &str) -> String {
        self.with("1", text)
    }
}

/// The story, one line per event.
pub(crate) fn story(lines: &[Line], paint: Paint) -> String {
    let painted = lines.iter().map(|line| paint.tone(line.tone, &line.plain()));
    painted.map(|line| line + "\n").collect()
}

/// The ledger: what the shop was told, the claims, and the verdict.
pub(crate) fn ledger(balance: &Balance, paint: Paint) -> String {
    let Score { served, queued, refused, unknown } = balance.score;
    let acknowledged = balance.score.acknowledged();
    let title = "The ledger: what the shop was told, and what the service's own file says";
    let mut text = format!("\n{}\n\n", paint.bold(title));
    let kept = format!("{served} served at once, {queued} kept and done later");
    let rows = [
        ("sent", acknowledged + refused + unknown, "payments, each with a key of its own"),
        ("acknowledged", acknowledged, kept.as_str()),
        ("refused", refused, "the shop was told that it is not done"),
        ("unknown", unknown, "the shop was told neither"),
        ("replays", balance.replays, "that the service took from the gateway"),
        ("repeats", balance.repeats, "that it knew by their key, and did not do again"),
    ];
    for (word, number, remark) in rows {
        let _ = writeln!(text, "  {word:<13}{number:>6}   {remark}");
    }
    text.push('\n');
    for claim in &balance.claims {
        text.push_str(&claim_text(claim, paint));
    }
    text.push_str(&match balance.holds() {
        true => paint.with("1;32", "\n  It balances.\n"),
        false => paint.with("1;31", "\n  It does NOT balance.\n"),
    });
    text
}

fn claim_text(claim: &Claim, paint: Paint) -> String {
    let mark = match claim.holds {
        true => paint.tone(Tone::Good, "✔"),
        false => paint.tone(Tone::Bad, "✘"),
    };
    let mut text = format!("  {mark} {:<44} {}\n", claim.text, claim.figures);
    for broken_by in &claim.broken_by {
        let line = format!("      {broken_by}\n");
        text.push_str(&paint.tone(Tone::Bad, &line));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balance(holds: bool) -> Balance {
        let broken_by =
            if holds { Vec::new() } else { vec!["demo-7-00042 was done 2 times".to_owned()] };
        let claim =
            Claim { holds, text: "captured = resolved", figures: "3 = 3".to_owned(), broken_by };
        let score = Score { served: 5, queued: 3, refused: 1, unknown: 1 };
        Balance { score, claims: vec![claim], repeats: 2, replays: 3 }
    }

    #[test]
    fn a_ledger_that_balances_says_so_in_plain_text_without_colours() {
        let text = ledger(&balance(true), Paint(false));
        assert!(text.contains("  ✔ captured = resolved") && text.contains("3 = 3"), "{text}");
        assert!(text.contains("sent             10 "), "{text}");
        assert!(text.contains("It balances.") && !text.contains("NOT"), "{text}");
        assert!(!text.contains('\x1b'), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn a_ledger_that_does_not_balance_names_what_is_wrong() {
        let text = ledger(&balance(false), Paint(true));
        assert!(text.contains('✘') && text.contains("demo-7-00042 was done 2 times"), "{text}");
        assert!(text.contains("It does NOT balance.") && text.contains('\x1b'), "{text}");
    }
}
