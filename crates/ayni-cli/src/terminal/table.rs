//! Tables. At a terminal they have a heading and fit the width; elsewhere the cells stand whole, with tabs between them
//! and without a heading, for `cut` and `awk`.
//!
//! At a terminal the columns that a command has itself are never left out: their texts go on in further lines, and where there
//! is no room for that each row becomes a list. Of the columns of documents texts are cut and the last ones left out, which is
//! told; numbers, ids and places stand whole or not at all.

use std::io::{self, Write};

use console::{Alignment, Style};

use super::fit::{cut, fill, width, wrap};
use super::{out, words};

/// What stands between columns.
const GAP: &str = "  ";
/// A text is not made narrower than this.
const NARROWEST: usize = 12;
/// What stands whole is cut all the same where it is wider than this.
const WHOLE: usize = 40;

/// Rows under a heading.
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

struct Column {
    title: String,
    alignment: Alignment,
    /// It is a field of documents: it can be left out.
    of_documents: bool,
}

/// What stands in one column of a row.
#[derive(Clone)]
pub(crate) struct Cell {
    text: String,
    style: Style,
    whole: bool,
}

impl Cell {
    /// With a style for terminals.
    pub(crate) fn styled(text: impl Into<String>, style: Style) -> Self {
        Self { text: one_line(text.into()), style, whole: false }
    }

    /// Less important than the others.
    pub(crate) fn dim(text: impl Into<String>) -> Self {
        Self::styled(text, Style::new().dim())
    }

    /// Of no use in parts: a number, an id, a place.
    pub(crate) fn whole(self) -> Self {
        Self { whole: true, ..self }
    }

    fn least(&self) -> usize {
        width(&self.text).min(if self.whole { WHOLE } else { NARROWEST })
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(text, Style::new())
    }
}

fn one_line(text: String) -> String {
    match text.contains(|letter: char| letter.is_control()) {
        true => text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect(),
        false => text,
    }
}

impl Table {
    /// With these headings; one that begins with `>` is of a column that is aligned right.
    pub(crate) fn new(titles: &[&str]) -> Self {
        let column = |title: &&str| match title.strip_prefix('>') {
            Some(title) => Column { title: title.to_uppercase(), alignment: Alignment::Right, of_documents: false },
            None => Column { title: title.to_uppercase(), alignment: Alignment::Left, of_documents: false },
        };
        Self { columns: titles.iter().map(column).collect(), rows: Vec::new() }
    }

    /// A further column with a field of documents.
    pub(crate) fn add_column(&mut self, name: &str, right: bool) {
        let alignment = if right { Alignment::Right } else { Alignment::Left };
        self.columns.push(Column { title: one_line(words::clean(name)), alignment, of_documents: true });
    }

    /// A further row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Prints it.
    pub(crate) fn print(&self) -> io::Result<()> {
        let mut out = out::data();
        let Some(columns) = out::width() else {
            for row in &self.rows {
                let cells: Vec<&str> = row.iter().map(|cell| cell.text.as_str()).collect();
                writeln!(out, "{}", cells.join("\t"))?;
            }
            return out.flush();
        };
        let left_out = self.print_fitting(&mut out, columns)?;
        out.flush()?;
        if !left_out.is_empty() {
            let names = left_out.join(", ");
            super::say::aside(format_args!("not shown for lack of width: {names}"));
        }
        Ok(())
    }

    /// Prints it for a terminal of this width; gives the columns that there is no room for.
    fn print_fitting(&self, out: &mut impl Write, total: usize) -> io::Result<Vec<&str>> {
        let Some(widths) = self.widths(total) else {
            self.print_as_lists(out, total)?;
            return Ok(Vec::new());
        };
        let titles: Vec<Cell> = self.columns.iter().map(|column| Cell::dim(column.title.clone()).whole()).collect();
        if titles.iter().any(|title| !title.text.is_empty()) {
            self.print_row(out, &titles, &widths)?;
        }
        for row in &self.rows {
            self.print_row(out, row, &widths)?;
        }
        let left_out = self.columns.iter().zip(&widths).filter(|(_, width)| width.is_none());
        Ok(left_out.map(|(column, _)| column.title.as_str()).collect())
    }

    /// Prints a row, in as many lines as its longest text of a command's own column takes.
    fn print_row(&self, out: &mut impl Write, row: &[Cell], widths: &[Option<usize>]) -> io::Result<()> {
        let shown = row.iter().zip(&self.columns).zip(widths);
        let shown = shown.filter_map(|((cell, column), width)| Some((cell, column, (*width)?)));
        let lines_of = |(cell, column, width): (&Cell, &Column, usize)| match column.of_documents || cell.whole {
            true => vec![cut(&cell.text, width).into_owned()],
            false => wrap(&cell.text, width),
        };
        let cells: Vec<_> = shown.map(|shown| (shown, lines_of(shown))).collect();
        for at in 0..cells.iter().map(|(_, lines)| lines.len()).max().unwrap_or(0) {
            let mut line = String::new();
            for (place, ((cell, column, width), lines)) in cells.iter().enumerate() {
                let text = lines.get(at).map_or("", String::as_str);
                let text = fill(text, *width, column.alignment);
                // Spaces at the end inside of a style could not be taken off the line.
                let (text, spaces) = text.split_at(text.trim_end().len());
                let gap = if place == 0 { "" } else { GAP };
                line.push_str(&format!("{gap}{}{spaces}", cell.style.apply_to(text)));
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// Prints each row as a list of what stands in its columns, under what stands in the first that has a heading.
    fn print_as_lists(&self, out: &mut impl Write, total: usize) -> io::Result<()> {
        let titles = self.columns.iter().map(|column| width(&column.title)).max().unwrap_or(0);
        for row in &self.rows {
            let mut first = true;
            for (cell, column) in row.iter().zip(&self.columns).filter(|(cell, _)| !cell.text.is_empty()) {
                let (title, indent) = match first {
                    true => (String::new(), 0),
                    false => (fill(&column.title.to_lowercase(), titles, Alignment::Left), titles + 4),
                };
                let title = if first { String::new() } else { format!("  {}{GAP}", console::style(title).dim()) };
                for (at, line) in wrap(&cell.text, total.saturating_sub(indent)).into_iter().enumerate() {
                    let start = if at == 0 { title.clone() } else { " ".repeat(indent) };
                    writeln!(out, "{start}{}", cell.style.apply_to(line))?;
                }
                first &= column.title.is_empty();
            }
        }
        Ok(())
    }

    /// The width of each column that is shown; `None` if not even the command's own columns can stand beside each other. The
    /// widest give way first.
    fn widths(&self, total: usize) -> Option<Vec<Option<usize>>> {
        let mut left = total + GAP.len();
        let mut shown = Vec::new();
        for (at, column) in self.columns.iter().enumerate() {
            let cells = || self.rows.iter().filter_map(|row| row.get(at));
            let title = width(&column.title);
            let least = cells().map(Cell::least).max().unwrap_or(0).max(title.min(NARROWEST));
            let most = cells().map(|cell| width(&cell.text)).max().unwrap_or(0).max(title).min(total);
            match left.checked_sub(least + GAP.len()) {
                Some(rest) => {
                    left = rest;
                    shown.push(Some((least, most)));
                }
                None if column.of_documents => shown.push(None),
                None => return None,
            }
        }
        let taken: usize = shown.iter().flatten().map(|(_, most)| most + GAP.len()).sum();
        let mut excess = taken.saturating_sub(total + GAP.len());
        while excess > 0 {
            let yielding = shown.iter_mut().flatten().filter(|(least, width)| width > least);
            let Some((_, widest)) = yielding.max_by_key(|(_, width)| *width) else { break };
            *widest -= 1;
            excess -= 1;
        }
        Some(shown.into_iter().map(|column| column.map(|(_, width)| width)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch";

    fn printed(table: &Table, columns: usize) -> String {
        let mut out = Vec::new();
        table.print_fitting(&mut out, columns).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().all(|line| width(line) <= columns), "{columns}:\n{text}");
        text
    }

    #[test]
    fn a_table_never_stands_wider_than_the_terminal() {
        let mut table = Table::new(&["id", ">documents"]);
        for name in ["name", "a long name of a field", "c", "d", "e"] {
            table.add_column(name, false);
        }
        table
            .row(["1", "2", LONG, "北京市朝阳区三里屯", "ñandú", "→", "👨\u{200d}👩\u{200d}👧 family"].map(Cell::from));
        for columns in 20..200 {
            printed(&table, columns);
        }
    }

    #[test]
    fn of_a_command_s_own_columns_nothing_is_lost_at_any_width() {
        let mut table = Table::new(&["device", "role", ">changes", "what"]);
        table.row(["Ana's laptop", "coordinator", "12", "created: name, population, location"].map(Cell::from));
        for columns in 20..200 {
            let text = printed(&table, columns);
            let letters = text.split_whitespace().collect::<String>();
            for word in ["Ana's", "laptop", "coordinator", "12", "created:", "population,", "location"] {
                assert!(letters.contains(word), "{word} is not in\n{text}");
            }
        }
    }

    #[test]
    fn numbers_ids_and_places_stand_whole_or_not_at_all() {
        let mut table = Table::new(&["id"]);
        ["name", "population", "location"].iter().for_each(|name| table.add_column(name, false));
        let whole = ["428450", "13.5320° S 71.9675° W"].map(|text| Cell::from(text).whole());
        table.row([Cell::from("aebagbaf").whole(), Cell::from(LONG)].into_iter().chain(whole));
        for columns in 24..120 {
            let text = printed(&table, columns);
            assert!(text.contains("aebagbaf"));
            assert!(text.contains("428450") || !text.contains("4284"), "{text}");
            assert!(text.contains("13.5320° S 71.9675° W") || !text.contains("13."), "{text}");
        }
    }

    #[test]
    fn nothing_in_a_cell_can_break_the_line_or_steer_the_terminal() {
        assert_eq!(Cell::from("a\nb\u{1b}[31mc").text, "a b [31mc");
    }
}
