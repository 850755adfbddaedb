//! The time line: stacked bars of what was answered, and under them how the circuit and the service were.

use fuseboard_core::State;
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};

use super::{colours, panels};
use crate::demo::scene::{Bucket, Condition, Scene};
use crate::demo::traffic::Score;

/// Room for the words at the left.
const LABELS: u16 = 9;
/// A cell filled from below, by eighths.
const EIGHTHS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

pub(super) fn timeline(frame: &mut Frame<'_>, area: Rect, scene: &Scene) {
    let hint = Line::from(Span::styled(" a column is half a second ", colours::DIM));
    let block =
        panels::block("answers").title(legend(&scene.score)).title_bottom(hint.right_aligned());
    let inner = block.inner(area);
    frame.render_widget(block, area);
    if inner.width <= LABELS || inner.height < 3 {
        return;
    }
    let columns = usize::from(inner.width - LABELS);
    let shown = &scene.history[scene.history.len().saturating_sub(columns)..];
    let bars = Rect { height: inner.height - 2, ..inner };
    let buffer = frame.buffer_mut();
    draw_bars(buffer, bars, shown);
    draw_strips(buffer, inner, shown);
}

fn legend(score: &Score) -> Line<'static> {
    let Score { served, queued, refused, unknown } = *score;
    let parts = [
        (colours::SERVED, "served", served),
        (colours::QUEUED, "queued", queued),
        (colours::REFUSED, "refused", refused),
        (colours::UNKNOWN, "unknown", unknown),
    ];
    let spans = parts.into_iter().flat_map(|(colour, word, count)| {
        [Span::styled(" ■ ", Style::new().fg(colour)), Span::raw(format!("{word} {count} "))]
    });
    Line::from(spans.collect::<Vec<_>>()).right_aligned()
}

/// The answers of a bucket, from the bottom of its bar to the top.
fn stack(score: &Score) -> [(u64, Color); 4] {
    [
        (score.served, colours::SERVED),
        (score.queued, colours::QUEUED),
        (score.refused, colours::REFUSED),
        (score.unknown, colours::UNKNOWN),
    ]
}

fn height(score: &Score) -> u64 {
    stack(score).into_iter().map(|(count, _)| count).sum()
}

fn draw_bars(buffer: &mut Buffer, area: Rect, shown: &[Bucket]) {
    let most = shown.iter().map(|bucket| height(&bucket.score)).max().unwrap_or(0).max(1);
    let eighths = u64::from(area.height) * 8;
    buffer.set_string(area.x, area.y, format!("{most:>7} ┐"), colours::DIM);
    for row in 1..area.height {
        buffer.set_string(area.x + 8, area.y + row, "│", colours::DIM);
    }
    for (column, bucket) in shown.iter().enumerate() {
        let x = area.x + LABELS + column as u16;
        for row in 0..area.height {
            let cell = cell(&bucket.score, most, eighths, u64::from(row) * 8);
            let y = area.bottom() - 1 - row;
            buffer.set_string(x, y, cell.0, cell.1);
        }
    }
}

/// One cell of a bar whose lower edge is `low` eighths above the ground. A cell has two colours at most: where three
/// parts meet, the two lowest are shown.
fn cell(score: &Score, most: u64, eighths: u64, low: u64) -> (&'static str, Style) {
    let mut sum = 0;
    let mut parts = stack(score).into_iter().filter_map(|(count, colour)| {
        let from = sum * eighths / most;
        sum += count;
        let to = sum * eighths / most;
        let inside = to.min(low + 8).saturating_sub(from.max(low));
        (inside > 0).then_some((inside as usize, colour))
    });
    match (parts.next(), parts.next()) {
        (None, _) => (EIGHTHS[0], Style::new()),
        (Some((filled, colour)), None) => (EIGHTHS[filled.min(8)], Style::new().fg(colour)),
        (Some((lower, colour)), Some((upper, above))) if lower + upper >= 8 => {
            (EIGHTHS[lower.min(8)], Style::new().fg(colour).bg(above))
        }
        // The bar ends in this cell: the larger part gives it its colour.
        (Some((lower, colour)), Some((upper, above))) => {
            let colour = if lower >= upper { colour } else { above };
            (EIGHTHS[(lower + upper).min(8)], Style::new().fg(colour))
        }
    }
}

fn draw_strips(buffer: &mut Buffer, inner: Rect, shown: &[Bucket]) {
    let rows = [inner.bottom() - 2, inner.bottom() - 1];
    buffer.set_string(inner.x, rows[0], "circuit", colours::DIM);
    buffer.set_string(inner.x, rows[1], "service", colours::DIM);
    for (column, bucket) in shown.iter().enumerate() {
        let x = inner.x + LABELS + column as u16;
        let circuit = match bucket.circuit {
            State::Closed => "─",
            State::HalfOpen => "▒",
            _ => "█",
        };
        let service = match bucket.service {
            Condition::Alive => "─",
            Condition::BrownOut => "▒",
            Condition::Killed => "█",
        };
        let colour = colours::of_state(bucket.circuit);
        buffer.set_string(x, rows[0], circuit, Style::new().fg(colour));
        let colour = colours::of_condition(bucket.service);
        buffer.set_string(x, rows[1], service, Style::new().fg(colour));
    }
}
