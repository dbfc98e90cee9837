//! The rows as a table for people and as JSON for programs.

use crate::row::{Kind, Row};
use serde_json::Value;
use std::fmt::Write;

const HEAD: [&str; 7] = ["work", "figure", "unit", "baseline", "ratio", "wanted", ""];
/// Figures stand under each other at the right.
const RIGHT: [bool; 7] = [false, true, false, true, true, false, false];

/// A table as wide as its cells.
pub fn table(rows: &[Row]) -> String {
    let cells: Vec<[String; 7]> = std::iter::once(HEAD.map(str::to_owned)).chain(rows.iter().map(cells)).collect();
    let widths: Vec<usize> =
        (0..HEAD.len()).map(|column| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for (number, row) in cells.iter().enumerate() {
        let mut line = String::new();
        for ((cell, width), right) in row.iter().zip(&widths).zip(RIGHT) {
            let gap = " ".repeat(width - cell.chars().count());
            let padded = if right { format!("{gap}{cell}") } else { format!("{cell}{gap}") };
            let _ = write!(line, "{padded}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
        if number == 0 {
            text.push_str(&"─".repeat(widths.iter().sum::<usize>() + 2 * (widths.len() - 1)));
            text.push('\n');
        }
    }
    text
}

/// The rows for programs.
pub fn json(rows: &[Row]) -> String {
    let rows: Value = rows.iter().map(Row::to_json).collect();
    format!("{rows:#}\n")
}

fn cells(row: &Row) -> [String; 7] {
    let name = match row.kind {
        Kind::Baseline => format!("  {}", row.name),
        Kind::Ayni => row.name.clone(),
    };
    let verdict = match row.ok() {
        None => "",
        Some(true) => "✓",
        Some(false) => "✗",
    };
    [
        name,
        shown(row.figure),
        row.unit.to_owned(),
        row.baseline.map(shown).unwrap_or_default(),
        row.ratio().map(|ratio| format!("{ratio:.2} ×")).unwrap_or_default(),
        row.target(),
        verdict.to_owned(),
    ]
}

/// Three significant digits, and thousands apart.
fn shown(figure: f64) -> String {
    let decimals = match figure.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{figure:.decimals$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let digits = whole.trim_start_matches('-').len();
    let mut spaced = String::new();
    for (place, digit) in whole.chars().enumerate() {
        let left = whole.len() - place;
        if place > whole.len() - digits && left.is_multiple_of(3) {
            spaced.push(',');
        }
        spaced.push(digit);
    }
    spaced + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Target;

    #[test]
    fn figures_are_shown_as_people_read_them() {
        let figures = [0.0312, 1.0, 12.34, 123.4, 1_234.5, 123_456.7, 1_234_567.0, -4_321.0];
        let wanted = ["0.031", "1.00", "12.3", "123", "1,234", "123,457", "1,234,567", "-4,321"];
        assert_eq!(figures.map(shown), wanted);
    }

    #[test]
    fn a_table_says_what_was_missed() {
        let plain = Row::baseline("plain SQLite", 100_000.0, "records/s");
        let row = Row::ayni("create", 40_000.0, "records/s").beside(&plain).wants(Target::RatioAtLeast(0.5));
        let text = table(&[plain, row]);
        assert!(text.ends_with("create           40,000  records/s   100,000  0.40 ×  ≥ 0.5 ×  ✗\n"), "{text}");
    }
}
