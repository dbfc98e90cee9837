//! Questions, asked only where a person can answer.

use std::io::IsTerminal;

use crate::failure::Failure;

/// The variable that answers for the passphrase.
pub(crate) const PASSPHRASE: &str = "AYNI_PASSPHRASE";

/// Whether a person can be asked.
pub(crate) fn attended() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// The passphrase from the environment, if it is there.
pub(crate) fn given_passphrase() -> Option<String> {
    std::env::var(PASSPHRASE).ok().filter(|given| !given.is_empty())
}

/// The passphrase of a database.
pub(crate) fn passphrase() -> Result<String, Failure> {
    match given_passphrase() {
        Some(given) => Ok(given),
        None => prompt("Passphrase: "),
    }
}

/// A passphrase for a new database: typed twice, so that a slip does not lock it for good.
pub(crate) fn new_passphrase() -> Result<String, Failure> {
    if let Some(given) = given_passphrase() {
        return Ok(given);
    }
    let first = prompt("New passphrase: ")?;
    if first.is_empty() {
        return Err(Failure::new(
            "the passphrase is empty",
            "choose one that nobody guesses, such as five random words",
        ));
    }
    match prompt("Once more: ")? == first {
        true => Ok(first),
        false => Err(Failure::new("the two passphrases differ", "try again")),
    }
}

fn prompt(question: &str) -> Result<String, Failure> {
    if !attended() {
        return Err(Failure::new(
            "the database opens with a passphrase, and there is no terminal to ask for it",
            format_args!("set {PASSPHRASE}"),
        ));
    }
    rpassword::prompt_password(question)
        .map_err(|_| Failure::new("the passphrase was not given", format_args!("try again, or set {PASSPHRASE}")))
}

/// A question that Enter or `y` answers with yes, and anything else with no, the end of the input too.
pub(crate) fn yes(question: &str) -> Result<bool, Failure> {
    if !attended() {
        return Ok(false);
    }
    let answer = line(&format!("{question} [Y/n]"))?;
    if answer.is_none() {
        // Below the question.
        eprintln!();
    }
    Ok(answer.is_some_and(|answer| matches!(answer.trim(), "" | "y" | "Y" | "yes")))
}

/// A question and the line that answers it; `None` at the end of the input.
pub(crate) fn line(question: &str) -> Result<Option<String>, Failure> {
    eprint!("{question} ");
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer)?;
    Ok((read > 0).then_some(answer))
}
