//! Tables. At a terminal they have a heading and fit the width; elsewhere the cells stand whole, with tabs between them
//! and without a heading, for `cut` and `awk`.

use std::io::{self, Write};

use console::{Alignment, Style, measure_text_width, pad_str, style, truncate_str};

use super::out;

/// What stands between columns.
const GAP: &str = "  ";
/// A column is not made narrower than this.
const NARROWEST: usize = 6;

/// Rows under a heading.
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

struct Column {
    title: &'static str,
    name: String,
    alignment: Alignment,
}

/// What stands in one column of a row.
#[derive(Clone)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// With a style for terminals.
    pub(crate) fn styled(text: impl Into<String>, style: Style) -> Self {
        Self { text: one_line(text.into()), style }
    }

    /// Less important than the others.
    pub(crate) fn dim(text: impl Into<String>) -> Self {
        Self::styled(text, Style::new().dim())
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
    pub(crate) fn new(titles: &[&'static str]) -> Self {
        let mut table = Self { columns: Vec::new(), rows: Vec::new() };
        for title in titles {
            let (title, alignment) = match title.strip_prefix('>') {
                Some(title) => (title, Alignment::Right),
                None => (*title, Alignment::Left),
            };
            table.columns.push(Column { title, name: String::new(), alignment });
        }
        table
    }

    /// A further column, with a heading that is known only now.
    pub(crate) fn add_column(&mut self, name: &str, right: bool) {
        let alignment = if right { Alignment::Right } else { Alignment::Left };
        self.columns.push(Column { title: "", name: name.to_owned(), alignment });
    }

    /// A further row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Prints it.
    pub(crate) fn print(&self) -> io::Result<()> {
        let mut out = out::data();
        match out::width() {
            Some(width) => self.print_fitting(&mut out, width)?,
            None => {
                for row in &self.rows {
                    let cells: Vec<&str> = row.iter().map(|cell| cell.text.as_str()).collect();
                    writeln!(out, "{}", cells.join("\t"))?;
                }
            }
        }
        out.flush()
    }

    fn print_fitting(&self, out: &mut impl Write, width: usize) -> io::Result<()> {
        let widths = self.widths(width);
        let shown = widths.len();
        let heading = self.columns.iter().map(|column| {
            let title = if column.title.is_empty() { column.name.clone() } else { column.title.to_uppercase() };
            Cell::dim(title)
        });
        let heading: Vec<Cell> = heading.collect();
        if heading.iter().any(|cell| !cell.text.is_empty()) {
            self.print_row(out, &heading, &widths)?;
        }
        for row in &self.rows {
            self.print_row(out, row, &widths)?;
        }
        if shown < self.columns.len() {
            let names: Vec<&str> = self.columns.iter().skip(shown).map(|column| column.name.as_str()).collect();
            super::say::note(style(format!("not shown for lack of width: {}", names.join(", "))).dim().for_stderr());
        }
        Ok(())
    }

    fn print_row(&self, out: &mut impl Write, row: &[Cell], widths: &[usize]) -> io::Result<()> {
        let mut line = String::new();
        for ((cell, column), width) in row.iter().zip(&self.columns).zip(widths) {
            if !line.is_empty() {
                line.push_str(GAP);
            }
            let text = truncate_str(&cell.text, *width, "…");
            let text = pad_str(&text, *width, column.alignment, None);
            line.push_str(&cell.style.apply_to(text).to_string());
        }
        writeln!(out, "{}", line.trim_end())
    }

    /// The width of each column that is shown. The widest give way first; columns that cannot stand at all are left out,
    /// the last ones first.
    fn widths(&self, total: usize) -> Vec<usize> {
        let natural = self.columns.iter().enumerate().map(|(at, column)| {
            let title = measure_text_width(column.title).max(measure_text_width(&column.name));
            let cells = self.rows.iter().filter_map(|row| row.get(at)).map(|cell| measure_text_width(&cell.text));
            cells.max().unwrap_or(0).max(title)
        });
        let mut widths: Vec<usize> = natural.collect();
        let least = |widths: &[usize]| {
            widths.iter().map(|width| (*width).min(NARROWEST)).sum::<usize>()
                + GAP.len() * widths.len().saturating_sub(1)
        };
        while widths.len() > 1 && least(&widths) > total {
            widths.pop();
        }
        let room = total.saturating_sub(GAP.len() * widths.len().saturating_sub(1));
        while widths.iter().sum::<usize>() > room {
            let Some(widest) = widths.iter_mut().max_by_key(|width| **width).filter(|width| **width > NARROWEST) else {
                break;
            };
            *widest -= 1;
        }
        widths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_never_stands_wider_than_the_terminal() {
        let mut table = Table::new(&["id", ">documents"]);
        for name in ["name", "a long name of a field", "c", "d", "e"] {
            table.add_column(name, false);
        }
        let long = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch";
        table.row(["1", "2", long, long, "ñandú", "→", ""].map(Cell::from));
        for width in 40..200 {
            let mut out = Vec::new();
            table.print_fitting(&mut out, width).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(text.lines().all(|line| measure_text_width(line) <= width), "{width}:\n{text}");
        }
    }

    #[test]
    fn nothing_in_a_cell_can_break_the_line_or_steer_the_terminal() {
        assert_eq!(Cell::from("a\nb\u{1b}[31mc").text, "a b [31mc");
    }
}
