//! Lines with a label: the fields of a document, the values of a conflict. Each has a text, and beside it, or below where there
//! is no room, something less important.

use std::io::{self, Write};

use console::{Alignment, Style, style};

use super::fit::{fill, width, wrap};
use super::out;

/// What stands beside texts is aligned behind texts that are no wider than this.
const ALIGNED: usize = 48;

/// See the module.
pub(crate) struct Entries {
    indent: usize,
    rows: Vec<Entry>,
}

struct Entry {
    label: String,
    look: Style,
    text: String,
    aside: String,
}

impl Entries {
    /// None yet, with this indentation.
    pub(crate) fn new(indent: usize) -> Self {
        Self { indent, rows: Vec::new() }
    }

    /// A further one: label, text, and what stands beside it, which may be empty.
    pub(crate) fn row(
        &mut self,
        label: impl Into<String>,
        look: Style,
        text: impl Into<String>,
        aside: impl Into<String>,
    ) {
        self.rows.push(Entry { label: label.into(), look, text: text.into(), aside: aside.into() });
    }

    /// Writes them so that they fit the terminal, if there is one.
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        write!(out, "{}", self.fitting(out::width()))
    }

    /// As lines no wider than this.
    pub(crate) fn fitting(&self, columns: Option<usize>) -> String {
        let columns = columns.unwrap_or(usize::MAX);
        let labels = self.rows.iter().map(|row| width(&row.label)).max().unwrap_or(0).min(columns / 3);
        let start = self.indent + labels + 2;
        let room = columns.saturating_sub(start).max(1);
        let texts =
            self.rows.iter().map(|row| width(&row.text)).filter(|width| *width <= ALIGNED.min(room)).max().unwrap_or(0);
        let mut shown = String::new();
        for row in &self.rows {
            let mut label = wrap(&row.label, columns.saturating_sub(self.indent).max(1));
            // A label that is too wide has lines of its own.
            let beside = if label.last().is_some_and(|last| width(last) <= labels) { label.pop() } else { None };
            for line in label {
                shown.push_str(&format!("{}{}\n", " ".repeat(self.indent), row.look.apply_to(line)));
            }
            for (at, line) in row.lines(texts, room).into_iter().enumerate() {
                let label = beside.as_deref().filter(|_| at == 0).unwrap_or_default();
                let label = row.look.apply_to(fill(label, labels, Alignment::Left));
                let line = format!("{}{label}  {line}", " ".repeat(self.indent));
                shown.push_str(line.trim_end());
                shown.push('\n');
            }
        }
        shown
    }
}

impl Entry {
    fn lines(&self, aligned: usize, room: usize) -> Vec<String> {
        let aside = |indent: &str| format!("{indent}{}", style(&self.aside).dim());
        let alone = !self.text.contains('\n');
        if self.aside.is_empty() {
            return wrap(&self.text, room);
        }
        if alone && width(&self.text).max(aligned) + 2 + width(&self.aside) <= room {
            return vec![format!("{}{}", fill(&self.text, aligned, Alignment::Left), aside("  "))];
        }
        let mut lines = wrap(&self.text, room);
        let below = wrap(&self.aside, room.saturating_sub(2).max(1));
        lines.extend(below.into_iter().map(|line| format!("  {}", style(line).dim())));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_cut_and_nothing_stands_too_wide() {
        let mut entries = Entries::new(2);
        entries.row("name", Style::new(), "Cuzco, the navel of the world", "Ben's phone, 2 min ago");
        entries.row("population", Style::new(), "429000", "Ana's laptop, just now");
        entries.row("notes.of.the.keeper", Style::new(), "two\nlines", "");
        for columns in 16..120 {
            let text = entries.fitting(Some(columns));
            assert!(text.lines().all(|line| width(line) <= columns), "{columns}:\n{text}");
            let letters: String = text.split_whitespace().collect();
            for word in [
                "navel",
                "world",
                "Ben'sphone,2minago",
                "429000",
                "Ana'slaptop,justnow",
                "notes.of.the.keeper",
                "twolines",
            ] {
                assert!(letters.contains(word), "{word} is not in\n{text}");
            }
        }
        let wide = entries.fitting(None);
        assert!(
            wide.contains("population           429000                         Ana's laptop, just now\n"),
            "{wide}"
        );
    }
}
