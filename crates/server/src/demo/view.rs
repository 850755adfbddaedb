//! The live view: one screen that shows the circuit, the service, the answers, the letters and the story.

use std::io;
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::text::Line;
use ratatui::{DefaultTerminal, Frame};

use super::scene::Scene;

mod colours;
mod panels;
mod story;
mod timeline;

/// What the view needs at least, in columns and rows.
const SMALLEST: (u16, u16) = (60, 20);

/// A terminal that belongs to the demo until this is dropped.
#[derive(Debug)]
pub(crate) struct View {
    terminal: DefaultTerminal,
}

impl View {
    /// Takes the terminal. A panic gives it back, too.
    pub(crate) fn open() -> io::Result<Self> {
        Ok(View { terminal: ratatui::try_init()? })
    }

    /// Shows `scene`.
    pub(crate) fn show(&mut self, scene: &Scene) -> io::Result<()> {
        self.terminal.draw(|frame| draw(frame, scene))?;
        Ok(())
    }

    /// Whether q, Esc or Ctrl-C was pressed since the last time.
    pub(crate) fn quit_asked(&mut self) -> io::Result<bool> {
        while event::poll(Duration::ZERO)? {
            if let Event::Key(key) = event::read()?
                && key.kind == KeyEventKind::Press
                && ends(key.code, key.modifiers)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Drop for View {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

fn ends(code: KeyCode, modifiers: KeyModifiers) -> bool {
    match code {
        KeyCode::Char('q') | KeyCode::Esc => true,
        KeyCode::Char('c') => modifiers.contains(KeyModifiers::CONTROL),
        _ => false,
    }
}

/// Draws `scene` as large as the terminal is; it is made for 80 columns and 24 rows.
pub(crate) fn draw(frame: &mut Frame<'_>, scene: &Scene) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let (columns, rows) = SMALLEST;
        let text = format!("the demo goes on; to see it, make this {columns}x{rows}. q quits");
        return frame.render_widget(Line::from(text), area);
    }
    let timeline_rows = if area.height >= 30 { 12 } else { 8 };
    let rows = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(6),
        Constraint::Length(timeline_rows),
        Constraint::Length(3),
        Constraint::Fill(1),
    ]);
    let [header, top, middle, letters, bottom] = rows.areas(area);
    let columns = Layout::horizontal([Constraint::Fill(3), Constraint::Fill(2)]);
    let [circuit, service] = columns.areas(top);
    panels::header(frame, header, scene);
    panels::circuit(frame, circuit, scene);
    panels::service(frame, service, scene);
    timeline::timeline(frame, middle, scene);
    panels::letters(frame, letters, scene);
    story::story(frame, bottom, scene);
}

#[cfg(test)]
mod tests;
