//! What means what: one colour for each state, the same in every part of the view.

use fuseboard_core::State;
use ratatui::style::{Color, Style};

use crate::demo::scene::Condition;
use crate::demo::story::Tone;

pub(super) const SERVED: Color = Color::Green;
pub(super) const QUEUED: Color = Color::Yellow;
pub(super) const REFUSED: Color = Color::Red;
pub(super) const UNKNOWN: Color = Color::Magenta;
pub(super) const DIM: Style = Style::new().fg(Color::DarkGray);

pub(super) fn of_state(state: State) -> Color {
    match state {
        State::Closed | State::ForcedClosed => Color::Green,
        State::Open | State::ForcedOpen => Color::Red,
        State::HalfOpen => Color::Yellow,
        State::MetricsOnly | State::Disabled => Color::Gray,
    }
}

pub(super) fn of_condition(condition: Condition) -> Color {
    match condition {
        Condition::Alive => Color::Green,
        Condition::Killed => Color::Red,
        Condition::BrownOut => Color::Yellow,
    }
}

pub(super) fn of_tone(tone: Tone) -> Style {
    match tone {
        Tone::Good => Style::new().fg(Color::Green),
        Tone::Bad => Style::new().fg(Color::Red),
        Tone::Tense => Style::new().fg(Color::Yellow),
        Tone::Neutral => Style::new(),
    }
}
