//! `ayni completions`: what a shell needs to complete commands.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::failure::{Answer, Outcome};
use crate::terminal::out;

/// Print the completions for a shell
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  ayni completions bash > ~/.local/share/bash-completion/completions/ayni
  ayni completions zsh > ~/.zfunc/_ayni
  ayni completions fish > ~/.config/fish/completions/ayni.fish")]
pub(crate) struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(arguments: Arguments) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::Cli::command(), "ayni", &mut text);
    std::io::Write::write_all(&mut out::data(), &text)?;
    Ok(Answer::Yes)
}
