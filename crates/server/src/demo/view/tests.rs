//! What the view shows, on a terminal in memory.

use std::time::Duration;

use fuseboard_core::{State, Totals};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;

use super::*;
use crate::demo::scene::{Bucket, Circuit, Condition, LetterCounts, Phase};
use crate::demo::story::{Story, Tone, Who};
use crate::demo::traffic::Score;

fn scene() -> Scene {
    let mut story = Story::default();
    story.tell(Duration::from_secs(5), Who::Service, Tone::Bad, "killed with SIGKILL");
    let text = "opens: failure_streak(3): 3 in a row, probe in 1.0 s";
    story.tell(Duration::from_millis(5_100), Who::Circuit, Tone::Bad, text);
    let bucket = |served, queued, circuit, service| {
        let score = Score { served, queued, ..Score::default() };
        Bucket { score, circuit, service }
    };
    let healthy = bucket(20, 0, State::Closed, Condition::Alive);
    let broken = bucket(0, 20, State::Open, Condition::Killed);
    Scene {
        at: Duration::from_secs(6),
        length: Duration::from_secs(25),
        phase: Phase::Traffic,
        circuit: Circuit {
            state: State::Open,
            lasted: Duration::from_millis(900),
            why: Some("failure_streak(3): 3 in a row".to_owned()),
            reopens: 1,
            retry: Some((Duration::from_millis(500), Duration::from_secs(1))),
            in_flight: 0,
            totals: Totals { success: 200, failure: 3, rejected: 37, ..Totals::default() },
        },
        condition: Condition::Killed,
        condition_lasted: Duration::from_secs(1),
        pid: None,
        address: ([127, 0, 0, 1], 20_001).into(),
        score: Score { served: 200, queued: 36, refused: 4, unknown: 0 },
        letters: LetterCounts {
            captured: 40,
            pending: 30,
            resolved: 10,
            ..LetterCounts::default()
        },
        history: [healthy; 10].into_iter().chain([broken; 2]).collect(),
        story: story.lines().to_vec(),
    }
}

fn screen(scene: &Scene, columns: u16, rows: u16) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| draw(frame, scene)).unwrap();
    terminal
}

fn rows(terminal: &Terminal<TestBackend>) -> Vec<String> {
    let buffer = terminal.backend().buffer();
    let columns = usize::from(buffer.area.width);
    let symbols: Vec<&str> = buffer.content.iter().map(|cell| cell.symbol()).collect();
    symbols.chunks(columns).map(|row| row.concat()).collect()
}

#[test]
fn everything_that_matters_is_on_80_columns_and_24_rows() {
    let text = rows(&screen(&scene(), 80, 24)).join("\n");
    let wanted = [
        "FUSEBOARD",
        "6.0 of 25 s",
        "OPEN",
        "for 0.9 s, reopened 1 time",
        "by failure_streak(3): 3 in a row",
        "probe in 0.5 s",
        "200 calls done, 3 failed, 37 not made",
        "KILLED",
        "no process",
        "127.0.0.1:20001",
        "served 200",
        "queued 36",
        "refused 4",
        "unknown 0",
        "captured 40",
        "pending 30",
        "resolved 10",
        " 5.0  service  killed with SIGKILL",
        " 5.1  circuit  opens: failure_streak(3): 3 in a row, probe in 1.0 s",
        "q quits",
    ];
    for words in wanted {
        assert!(text.contains(words), "`{words}` is missing in\n{text}");
    }
}

#[test]
fn the_bars_and_strips_have_the_colours_of_what_happened() {
    let terminal = screen(&scene(), 80, 24);
    let text = rows(&terminal);
    let strip = text.iter().position(|row| row.contains("│ circuit ")).unwrap() as u16;
    let buffer = terminal.backend().buffer();
    // Two columns for the border, nine for the words; ten healthy half seconds, then the service is dead.
    let at = |column: u16, row: u16| (buffer[(column, row)].symbol(), buffer[(column, row)].fg);
    assert_eq!(at(11, strip), ("─", Color::Green));
    assert_eq!(at(21, strip), ("█", Color::Red));
    assert_eq!(at(21, strip + 1), ("█", Color::Red));
    assert_eq!(at(11, strip - 1), ("█", Color::Green), "served");
    assert_eq!(at(21, strip - 1), ("█", Color::Yellow), "queued");
    assert_eq!(at(23, strip - 1).0, " ", "the future is empty");
}

#[test]
fn the_bar_until_the_probe_is_half_full_at_half_time() {
    let text = rows(&screen(&scene(), 80, 24));
    let row = text.iter().find(|row| row.contains("probe in 0.5 s ")).unwrap();
    let count = |glyph| row.chars().filter(|one| *one == glyph).count();
    assert!(count('━').abs_diff(count('─')) <= 1, "{row}");
    assert!(count('━') > 5, "{row}");
}

#[test]
fn the_newest_lines_are_seen_and_long_ones_are_shortened() {
    let mut scene = scene();
    let mut story = Story::default();
    for number in 0..20 {
        let text = format!("event {number} {}", "and so on ".repeat(20));
        story.tell(Duration::from_secs(number), Who::Shop, Tone::Neutral, text);
    }
    scene.story = story.lines().to_vec();
    let text = rows(&screen(&scene, 80, 24)).join("\n");
    assert!(text.contains("event 19") && !text.contains("event 9 "), "{text}");
    assert!(text.contains("… │"), "{text}");
}

#[test]
fn any_size_of_terminal_is_drawn_on() {
    let scenes = [scene(), Scene { history: Vec::new(), story: Vec::new(), ..scene() }];
    for scene in &scenes {
        for (columns, lines) in
            [(1, 1), (20, 5), (59, 24), (60, 20), (80, 24), (132, 43), (400, 100)]
        {
            let shown = rows(&screen(scene, columns, lines)).concat();
            let small = columns < 60 || lines < 20;
            assert_eq!(shown.contains("payment service"), !small, "{columns}x{lines}");
        }
    }
}

#[test]
fn every_state_has_its_own_badge() {
    for state in State::ALL {
        let mut scene = scene();
        scene.circuit.state = state;
        let badge = state.as_str().to_uppercase().replace('_', "-");
        assert!(rows(&screen(&scene, 80, 24))[2].contains(&badge), "{state}");
    }
}

#[test]
fn q_esc_and_control_c_end_it_and_nothing_else_does() {
    let none = KeyModifiers::NONE;
    assert!(ends(KeyCode::Char('q'), none));
    assert!(ends(KeyCode::Esc, none));
    assert!(ends(KeyCode::Char('c'), KeyModifiers::CONTROL));
    assert!(!ends(KeyCode::Char('c'), none));
    assert!(!ends(KeyCode::Enter, none));
}
