//! The story: what happens, in sentences.

use std::time::Duration;

use fuseboard_core::{Cause, State, Transition};

use super::scene::{Condition, LetterCounts};
use super::traffic::Score;

/// Whom a line of the story is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Shop,
    Service,
    Circuit,
    Letters,
}

impl Who {
    /// The word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Who::Shop => "shop",
            Who::Service => "service",
            Who::Circuit => "circuit",
            Who::Letters => "letters",
        }
    }
}

/// Whether it is good news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Bad,
    Tense,
    Neutral,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Since the first payment.
    pub(crate) at: Duration,
    pub(crate) who: Who,
    pub(crate) tone: Tone,
    pub(crate) text: String,
}

impl Line {
    /// The line without colours: `  5.1 s  circuit  open: ...`.
    pub(crate) fn plain(&self) -> String {
        format!("{:>5.1} s  {:<7}  {}", self.at.as_secs_f64(), self.who.as_str(), self.text)
    }
}

/// The story so far, told from what is seen.
#[derive(Debug, Default)]
pub(crate) struct Story {
    lines: Vec<Line>,
    /// How the service was told to be, the last time.
    service: Option<Condition>,
    letters: LetterCounts,
    /// How many letters had been captured before those that wait.
    captured_before: Option<u64>,
    /// When the circuit opened, while it is not closed again.
    opened: Option<Duration>,
    /// When the circuit closed the last time.
    closed: Option<Duration>,
}

impl Story {
    /// Everything told until now, oldest first.
    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Tells of something.
    pub(crate) fn tell(&mut self, at: Duration, who: Who, tone: Tone, text: impl Into<String>) {
        self.lines.push(Line { at, who, tone, text: text.into() });
    }

    /// Tells that the service changed.
    pub(crate) fn service(&mut self, at: Duration, condition: Condition, pid: Option<u32>) {
        let process = pid.map_or("no process".to_owned(), |pid| format!("process {pid}"));
        let (tone, text) = match (self.service.replace(condition), condition) {
            (_, Condition::Killed) => (Tone::Bad, "killed with SIGKILL: nobody listens".to_owned()),
            (_, Condition::BrownOut) => {
                (Tone::Bad, "brown-out: answers 500, or pays and never answers".to_owned())
            }
            (Some(Condition::Killed), _) => (Tone::Good, format!("back, as {process}")),
            (Some(_), _) => (Tone::Good, "recovered: does every payment again".to_owned()),
            (None, _) => (Tone::Good, format!("alive, {process}")),
        };
        self.tell(at, Who::Service, tone, text);
    }

    /// Tells that the circuit changed its state.
    pub(crate) fn circuit(&mut self, at: Duration, transition: &Transition) {
        let (tone, mut text) = transition_text(transition);
        if transition.from == State::Closed {
            self.opened = Some(at);
        }
        let closed = transition.to == State::Closed;
        if let Some(opened) = self.opened.take_if(|_| closed) {
            text = format!("{text}, {} after it opened", seconds(at.saturating_sub(opened)));
        }
        self.tell(at, Who::Circuit, tone, text);
        if closed {
            self.closed = Some(at);
        }
        if closed && self.letters.waiting() > 0 {
            let text = format!("{} kept payments go out, oldest first", self.letters.waiting());
            self.tell(at, Who::Letters, Tone::Good, text);
        }
    }

    /// Tells what is new of the letters.
    pub(crate) fn letters(&mut self, at: Duration, now: LetterCounts) {
        let before = std::mem::replace(&mut self.letters, now);
        if now.stuck > before.stuck {
            let text = format!("{} need a person to look at them", now.stuck);
            self.tell(at, Who::Letters, Tone::Bad, text);
        }
        if now.waiting() > 0 {
            if self.captured_before.is_none() {
                self.captured_before = Some(before.captured);
                let text = "captured: what cannot be done now is kept on disk (202)";
                self.tell(at, Who::Letters, Tone::Tense, text);
            }
            return;
        }
        if let Some(captured_before) = self.captured_before.take() {
            let replayed = now.captured - captured_before;
            let since = self.closed.map_or(String::new(), |closed| {
                format!(", {} after the circuit closed", seconds(at.saturating_sub(closed)))
            });
            let text = format!("replayed: all {replayed} payments{since}");
            self.tell(at, Who::Letters, Tone::Good, text);
        }
    }

    /// Tells that the traffic is over.
    pub(crate) fn traffic_over(&mut self, at: Duration, score: &Score) {
        let Score { served, queued, refused, unknown } = score;
        let sent = served + queued + refused + unknown;
        let text = format!(
            "{sent} sent: {served} served, {queued} queued, {refused} refused, {unknown} unknown"
        );
        self.tell(at, Who::Shop, Tone::Neutral, text);
    }
}

fn transition_text(transition: &Transition) -> (Tone, String) {
    let why = transition.trip.as_ref().map(|trip| trip.why.as_str()).unwrap_or_default();
    let next = match transition.retry_after {
        Some(after) => format!(", probe in {}", seconds(after)),
        None => String::new(),
    };
    match (transition.to, transition.cause) {
        (State::Open, Cause::Tripped) => (Tone::Bad, format!("opens: {why}{next}")),
        (State::Open, Cause::ProbeFailed) => {
            (Tone::Bad, format!("opens again: the probe failed{next}"))
        }
        (State::Open, cause) => (Tone::Bad, format!("opens: {cause}{next}")),
        (State::HalfOpen, _) => (Tone::Tense, "half-open: a probe goes out".to_owned()),
        (State::Closed, Cause::Recovered) => {
            (Tone::Good, "closes: the probes came back".to_owned())
        }
        (to, cause) => (Tone::Neutral, format!("{to}: {cause}")),
    }
}

/// `1.0 s`.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(captured: u64, pending: u64) -> LetterCounts {
        let resolved = captured - pending;
        LetterCounts { captured, pending, resolved, ..LetterCounts::default() }
    }

    fn texts(story: &Story) -> Vec<&str> {
        story.lines().iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn letters_are_told_of_when_they_begin_to_wait_and_when_none_waits_any_more() {
        let mut story = Story::default();
        let counts = [waiting(0, 0), waiting(3, 3), waiting(9, 5), waiting(9, 0), waiting(9, 0)];
        for (second, counts) in counts.into_iter().enumerate() {
            story.letters(Duration::from_secs(second as u64), counts);
        }
        story.letters(Duration::from_secs(9), waiting(10, 1));
        story.letters(Duration::from_secs(10), waiting(10, 0));
        let captured = "captured: what cannot be done now is kept on disk (202)";
        let told = [captured, "replayed: all 9 payments", captured, "replayed: all 1 payments"];
        assert_eq!(texts(&story), told);
    }

    #[test]
    fn a_service_that_comes_back_is_told_from_one_that_recovers() {
        let mut story = Story::default();
        let conditions = [
            (Condition::Alive, Some(1)),
            (Condition::Killed, None),
            (Condition::Alive, Some(2)),
            (Condition::BrownOut, Some(2)),
            (Condition::Alive, Some(2)),
        ];
        for (condition, pid) in conditions {
            story.service(Duration::ZERO, condition, pid);
        }
        let told = texts(&story);
        assert_eq!((told[0], told[2]), ("alive, process 1", "back, as process 2"));
        assert!(told[4].starts_with("recovered"), "{told:?}");
    }

    #[test]
    fn every_line_fits_beside_its_time_on_80_columns() {
        let mut story = Story::default();
        let counts = [waiting(0, 0), waiting(99_999, 99_999), waiting(99_999, 0)];
        for (condition, counts) in
            [Condition::Alive, Condition::Killed, Condition::BrownOut].into_iter().zip(counts)
        {
            story.service(Duration::from_secs(999), condition, Some(999_999));
            story.letters(Duration::from_secs(999), counts);
        }
        for line in story.lines() {
            assert!(line.plain().chars().count() <= 80, "{}", line.plain());
        }
    }
}
