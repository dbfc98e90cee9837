//! Long work: a bar with a real total, at a terminal only.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar towards a total, or a spinner where it is not known.
pub(crate) fn bar(total: Option<u64>) -> ProgressBar {
    let template = match total {
        Some(_) => "  {bar:24.cyan/dim} {percent:>3} %  {wide_msg}",
        None => "  {spinner:.cyan} {wide_msg}",
    };
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(10));
    bar.set_style(style(template));
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// A bar with a label before it, or a spinner where the total is not known.
pub(crate) fn labelled(label: &'static str, total: Option<u64>) -> ProgressBar {
    let template = match total {
        Some(_) => "    {prefix:10.cyan} {bar:24.cyan/dim} {percent:>3} %  {msg}",
        None => "    {prefix:10.cyan} {spinner:.cyan} {msg}",
    };
    let bar = bar(total).with_prefix(label);
    bar.set_style(style(template));
    bar
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("━╸─").tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
}
