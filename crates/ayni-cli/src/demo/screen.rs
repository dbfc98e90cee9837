//! What the demo shows: acts with a number, lines with a label, bars while something takes long.

use std::fmt::Display;
use std::time::{Duration, Instant};

use console::{Alignment, Style, style};
use indicatif::ProgressBar;

use super::orders::Progress;
use crate::failure::Failure;
use crate::terminal::{fit, out, progress, words};

/// Columns of a label.
const LABEL: usize = 10;
/// Cells of a bar that stays on the screen.
const BAR: usize = 24;

/// The screen, or whatever the output goes to.
pub(super) struct Screen {
    plain: bool,
}

impl Screen {
    /// With bars and colours, unless `plain` or the output does not go to a terminal.
    pub(super) fn new(plain: bool) -> Self {
        let plain = plain || !out::is_terminal();
        if plain {
            console::set_colors_enabled(false);
        }
        Self { plain }
    }

    /// The title.
    pub(super) fn title(&self, title: &str, what: impl Display) -> Result<(), Failure> {
        Ok(out::line(format_args!("{}  {what}", style(title).bold()))?)
    }

    /// The beginning of an act.
    pub(super) fn act(&self, number: u32, what: impl Display) -> Result<(), Failure> {
        let number = style(format!(" {number} ")).black().on_cyan().to_string();
        let number = if self.plain { format!("{}.", number.trim()) } else { number };
        Ok(out::line(format_args!("\n{number} {}", style(what).bold()))?)
    }

    /// A line with a label.
    pub(super) fn line(&self, label: &str, what: impl Display) -> Result<(), Failure> {
        let label = fit::fill(label, LABEL, Alignment::Left);
        Ok(out::line(format_args!("    {} {what}", style(label).cyan()))?)
    }

    /// A line that is less important than the others.
    pub(super) fn aside(&self, label: &str, what: impl Display) -> Result<(), Failure> {
        self.line(label, style(what).dim())
    }

    /// A bar for something that takes long.
    pub(super) fn bar(&self, label: &'static str, unit: &'static str) -> Bar {
        let bar = (!self.plain).then(|| progress::labelled(label, None));
        Bar { bar, label, unit, began: Instant::now(), sized: false }
    }

    /// A bar that is full and stays, with what came of it.
    pub(super) fn full(&self, label: &str, what: impl Display) -> Result<(), Failure> {
        match self.plain {
            true => self.line(label, what),
            false => self.line(label, format_args!("{} {what}", style("━".repeat(BAR)).cyan())),
        }
    }

    /// The end of something that came out as it should.
    pub(super) fn good(&self, what: impl Display) -> Result<(), Failure> {
        Ok(out::line(format_args!("\n{} {}", style("✓").green().bold(), style(what).bold()))?)
    }

    /// A command to go on with.
    pub(super) fn command(&self, command: &str, what: &str) -> Result<(), Failure> {
        Ok(out::line(format_args!("    {}\n        {}", style(command).cyan(), style(what).dim()))?)
    }

    /// Text that stands out.
    pub(super) fn strong(text: impl Display) -> String {
        Style::new().bold().apply_to(text).to_string()
    }
}

/// A bar while something takes long.
pub(super) struct Bar {
    bar: Option<ProgressBar>,
    label: &'static str,
    unit: &'static str,
    began: Instant,
    sized: bool,
}

impl Bar {
    /// What is waited for before anything can be counted.
    pub(super) fn waiting(&self, what: impl Display) {
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_string());
        }
    }

    /// So far it is.
    pub(super) fn show(&mut self, progress: Progress) {
        let Some(bar) = &mut self.bar else { return };
        if !self.sized {
            self.sized = true;
            self.began = Instant::now();
            bar.finish_and_clear();
            *bar = progress::labelled(self.label, Some(progress.total));
        }
        bar.set_length(progress.total);
        bar.set_position(progress.done);
        bar.set_message(amount(progress, self.unit, self.began.elapsed()));
    }

    /// It is done: the bar goes.
    pub(super) fn clear(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// How much there is of something, and how fast it came.
pub(super) fn amount(progress: Progress, unit: &str, time: Duration) -> String {
    format!(
        "{} {unit}  {}  {}  {}",
        words::count(progress.done),
        words::bytes(progress.bytes),
        words::duration(time),
        Screen::strong(words::rate(progress.done, time)),
    )
}

/// A time in microseconds, as people read it.
pub(super) fn micros(micros: u64) -> String {
    match micros {
        ..1_000 => format!("{micros} µs"),
        1_000..100_000 => format!("{:.1} ms", micros as f64 / 1e3),
        _ => words::duration(Duration::from_micros(micros)),
    }
}
