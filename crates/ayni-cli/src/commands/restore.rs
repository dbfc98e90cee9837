//! `ayni restore`: goes back to what a document was.

use serde_json::json;

use super::address::{Address, When};
use crate::failure::{Answer, Failure, Outcome};
use crate::setting::Setting;
use crate::terminal::{out, say, words};

/// Make a document show what it showed in an earlier version, or at some time
#[derive(clap::Args)]
#[command(after_help = "\
That is a change like any other: what came since stays in the history, and can be gone back to. A deleted document comes back.

Examples:
  ayni history places aebagbaf
  ayni diff places aebagbaf@5f2c
  ayni restore places aebagbaf@5f2c
  ayni restore places 'aebagbaf@2026-11-20 14:30'")]
pub(crate) struct Arguments {
    /// The collection
    collection: String,
    /// The id, the start of it, or the key; @ and the version, or the start of it, as `ayni history` shows it, or a time
    #[arg(value_name = "DOCUMENT@VERSION")]
    document: String,
}

pub(crate) fn run(setting: &Setting, arguments: Arguments) -> Outcome {
    let collection = setting.open_project()?.collection(&arguments.collection);
    let address = Address::find(&collection, Some(&arguments.document), None)?;
    let id = address.id;
    let Some(at) = address.at else {
        let remedy =
            format!("write {}@VERSION; `ayni history {} {0}` lists them", arguments.document, collection.name());
        return Err(Failure::usage("what to go back to is not said", remedy));
    };
    let changed = collection.restore_to(&address.open(&collection)?)?;
    let (then, json) = match at {
        When::Version(version) => (format!("in version {}", words::short(version)), ("version", version.to_string())),
        When::Moment(moment) => (format!("at {}", words::date(moment)), ("time", words::timestamp(moment))),
    };
    if setting.json {
        out::json(&json!({ "id": id.to_string(), json.0: json.1, "changed": changed }))?;
    } else if changed {
        say::done(format_args!("{} shows what it showed {then}", words::short(id)));
    } else {
        say::note("It shows that already: nothing was changed.");
    }
    Ok(Answer::Yes)
}
