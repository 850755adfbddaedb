//! Tables for people.

use std::time::Duration;

use fuseboard_core::text::format_duration;
use serde_json::Value;

pub(super) fn heading(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Columns as wide as their widest cell, two spaces apart.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

/// One line for each of these fields that is there.
pub(super) fn named<'a>(
    object: &Value,
    names: impl IntoIterator<Item = &'a &'static str>,
) -> String {
    let said = names.into_iter().filter(|name| !object[**name].is_null());
    let rows: Vec<_> = said.map(|name| vec![name.to_string(), plain(&object[*name])]).collect();
    table(&rows)
}

/// The entries of a list, empty if there is none.
pub(super) fn entries(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

/// A value in a table's cell.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => harmless(text, &[]),
        value => value.to_string(),
    }
}

/// Milliseconds, to the nearest of what people want to know.
pub(super) fn lasting(value: &Value) -> String {
    let Some(millis) = value.as_u64() else { return "-".to_owned() };
    let unit = match millis {
        0..1000 => 1,
        1000..10_000 => 100,
        10_000..3_600_000 => 1000,
        _ => 60_000,
    };
    let nearest = millis.saturating_add(unit / 2) / unit * unit;
    format_duration(Duration::from_millis(nearest)).to_string()
}

/// Text that was sent by whoever it was must not steer the terminal.
pub(super) fn harmless(text: &str, but: &[char]) -> String {
    let harmless = |c: char| if c.is_control() && !but.contains(&c) { '\u{fffd}' } else { c };
    text.chars().map(harmless).collect()
}
