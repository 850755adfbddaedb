//! The story so far: the newest lines, as many as there is room for.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{colours, panels};
use crate::demo::scene::Scene;

pub(super) fn story(frame: &mut Frame<'_>, area: Rect, scene: &Scene) {
    let hint = Line::from(Span::styled(" q quits ", colours::DIM)).right_aligned();
    let block = panels::block("what happened").title_bottom(hint);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let hidden = scene.story.len().saturating_sub(usize::from(inner.height));
    let lines: Vec<Line<'_>> = scene.story[hidden..]
        .iter()
        .map(|line| {
            let at = format!("{:>5.1}  ", line.at.as_secs_f64());
            let room = usize::from(inner.width).saturating_sub(at.len() + 9);
            Line::from(vec![
                Span::styled(at, colours::DIM),
                Span::raw(format!("{:<9}", line.who.as_str())),
                Span::styled(shortened(&line.text, room), colours::of_tone(line.tone)),
            ])
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), inner);
}

/// `text`, or its beginning and `…`.
pub(super) fn shortened(text: &str, room: usize) -> String {
    match text.char_indices().nth(room) {
        None => text.to_owned(),
        Some(_) => text.chars().take(room.saturating_sub(1)).chain(['…']).collect(),
    }
}
