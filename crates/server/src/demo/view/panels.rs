//! The panels: the header, the circuit, the service and the letters.

use fuseboard_core::State;
use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Padding, Paragraph};

use super::colours;
use crate::demo::scene::{Circuit, LetterCounts, Phase, Scene};
use crate::demo::story::seconds;

/// The frame that every panel has.
pub(super) fn block(title: &str) -> Block<'_> {
    let title = Span::styled(format!(" {title} "), Style::new().bold());
    let block = Block::bordered().border_type(BorderType::Rounded).border_style(colours::DIM);
    block.title(title).padding(Padding::horizontal(1))
}

pub(super) fn header(frame: &mut Frame<'_>, area: Rect, scene: &Scene) {
    let name = Span::styled(" FUSEBOARD ", Style::new().bold().reversed());
    let left = Line::from(vec![name, Span::raw(" the service dies, the payments do not")]);
    let phase = match scene.phase {
        Phase::Traffic => {
            let (at, length) = (scene.at.as_secs_f64(), scene.length.as_secs());
            format!("{at:.1} of {length} s ")
        }
        Phase::Draining => "replaying what was kept ".to_owned(),
        Phase::Checking => "computing the ledger ".to_owned(),
    };
    frame.render_widget(left, area);
    let right = Line::from(Span::styled(phase, colours::DIM)).alignment(Alignment::Right);
    frame.render_widget(right, area);
}

fn badge(text: &str, colour: Color) -> Span<'static> {
    let style = Style::new().fg(Color::Black).bg(colour).bold();
    Span::styled(format!("  {}  ", text.to_uppercase().replace('_', "-")), style)
}

pub(super) fn circuit(frame: &mut Frame<'_>, area: Rect, scene: &Scene) {
    let circuit = &scene.circuit;
    let colour = colours::of_state(circuit.state);
    let block = block("circuit payments").border_style(Style::new().fg(colour));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let mut lasted = format!("  for {}", seconds(circuit.lasted));
    match circuit.reopens {
        0 => {}
        1 => lasted.push_str(", reopened 1 time"),
        times => lasted.push_str(&format!(", reopened {times} times")),
    }
    let totals = circuit.totals;
    let calls = format!(
        "{} calls done, {} failed, {} not made",
        totals.success, totals.failure, totals.rejected
    );
    let lines = vec![
        Line::from(vec![badge(circuit.state.as_str(), colour), Span::raw(lasted)]),
        Line::from(why(circuit)),
        next(scene, inner.width),
        Line::styled(calls, colours::DIM),
    ];
    frame.render_widget(Paragraph::new(lines), inner);
}

fn why(circuit: &Circuit) -> String {
    match (&circuit.why, circuit.state) {
        (Some(why), _) => format!("by {why}"),
        (None, State::Closed) => "every call goes to the service".to_owned(),
        (None, state) => state.to_string(),
    }
}

/// What comes next: a bar that runs until the probe, or what the probes do.
fn next(scene: &Scene, width: u16) -> Line<'static> {
    let circuit = &scene.circuit;
    match (circuit.state, circuit.retry) {
        (State::Open, Some((left, whole))) => {
            let text = format!("probe in {:<6} ", seconds(left));
            let room = usize::from(width).saturating_sub(text.len());
            let whole = whole.max(left).as_secs_f64().max(f64::EPSILON);
            let gone = ((1.0 - left.as_secs_f64() / whole) * room as f64).round() as usize;
            let bar = Span::styled("━".repeat(gone), Style::new().fg(Color::Red));
            let rest = Span::styled("─".repeat(room - gone.min(room)), colours::DIM);
            Line::from(vec![Span::raw(text), bar, rest])
        }
        (State::HalfOpen, _) => Line::styled(
            format!("probing, {} in flight", circuit.in_flight),
            Style::new().fg(Color::Yellow),
        ),
        (State::Closed, _) if scene.letters.waiting() > 0 => {
            Line::styled("replaying what was kept", Style::new().fg(Color::Cyan))
        }
        _ => Line::from(""),
    }
}

pub(super) fn service(frame: &mut Frame<'_>, area: Rect, scene: &Scene) {
    let colour = colours::of_condition(scene.condition);
    let block = block("payment service").border_style(Style::new().fg(colour));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let process = match scene.pid {
        Some(pid) => format!("process {pid}"),
        None => "no process".to_owned(),
    };
    let lasted = format!("  for {}", seconds(scene.condition_lasted));
    let lines = vec![
        Line::from(vec![badge(scene.condition.as_str(), colour), Span::raw(lasted)]),
        Line::from(scene.condition.explained()),
        Line::styled(process, colours::DIM),
        Line::styled(scene.address.to_string(), colours::DIM),
    ];
    frame.render_widget(Paragraph::new(lines), inner);
}

pub(super) fn letters(frame: &mut Frame<'_>, area: Rect, scene: &Scene) {
    let LetterCounts { captured, pending, replaying, resolved, stuck } = scene.letters;
    let block = block("kept payments");
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let mut spans = vec![
        Span::raw(format!("captured {captured} ")),
        Span::styled(format!(" pending {pending} "), Style::new().fg(colours::QUEUED)),
        Span::styled(format!(" replaying {replaying} "), Style::new().fg(Color::Cyan)),
        Span::styled(format!(" resolved {resolved} "), Style::new().fg(colours::SERVED)),
    ];
    if stuck > 0 {
        spans.push(Span::styled(format!(" stuck {stuck} "), Style::new().fg(colours::REFUSED)));
    }
    let used: usize = spans.iter().map(Span::width).sum();
    let room = usize::from(inner.width).saturating_sub(used + 1) as u64;
    let parts = [
        (resolved, "█", colours::SERVED),
        (replaying, "▓", Color::Cyan),
        (pending + stuck, "░", colours::QUEUED),
    ];
    let (mut sum, mut drawn) = (0, 0);
    spans.push(Span::raw(" "));
    for (count, glyph, colour) in parts {
        sum += count;
        let end = (sum * room).checked_div(captured).unwrap_or_default().min(room);
        let text = glyph.repeat(end.saturating_sub(drawn) as usize);
        spans.push(Span::styled(text, Style::new().fg(colour)));
        drawn = drawn.max(end);
    }
    frame.render_widget(Line::from(spans), inner);
}
