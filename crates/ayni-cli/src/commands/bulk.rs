//! What the commands share that change every document for which something holds.

use ayni::query::Selector;
use ayni::{BulkProgress, Collection, Error};
use serde_json::json;

use super::query;
use crate::failure::{Answer, Failure, Outcome};
use crate::setting::Setting;
use crate::terminal::{out, progress, say, words};

/// Which documents, if they are not named one by one.
#[derive(clap::Args)]
pub(super) struct Choice {
    /// All documents for which this holds, written as for `ayni query`; may be given several times
    #[arg(id = "selector", long = "where", value_name = "SELECTOR")]
    selector: Vec<String>,
    /// With --where: only say how many there are
    #[arg(long, requires = "selector")]
    dry_run: bool,
}

/// Is told how far it is after each commit.
pub(super) type Progress<'p> = &'p mut dyn FnMut(BulkProgress);

impl Choice {
    pub(super) fn is_given(&self) -> bool {
        !self.selector.is_empty()
    }

    /// Does it, or says for how many it would be done. `verbs`: what it does, and what it has done.
    pub(super) fn run(
        &self,
        setting: &Setting,
        collection: &Collection,
        (does, did): (&str, &str),
        change: impl FnOnce(&Selector, Progress<'_>) -> Result<BulkProgress, Error>,
    ) -> Outcome {
        // Such as a variable that is not set: to change all documents is said in so many words.
        if self.selector.iter().any(|word| word.trim().is_empty()) {
            return Err(Failure::usage("what stands behind --where is empty", "--where '{}' means all documents"));
        }
        let selector = query::selector(&self.selector)?;
        let name = collection.name();
        query::check_exists(collection)?;
        if self.dry_run {
            let matched = collection.count(&selector)?;
            match setting.json {
                true => out::json(&json!({ "collection": name, "matched": matched, "dry_run": true }))?,
                false => say::note(format_args!("would {does} {} in {name}", words::counted(matched, "document"))),
            }
            return Ok(Answer::from(matched > 0));
        }
        let bar = progress::bar(Some(0));
        let outcome = change(&selector, &mut |progress: BulkProgress| {
            bar.set_length(progress.matched);
            bar.set_position(progress.done);
            bar.set_message(words::counted(progress.done, "document"));
        });
        bar.finish_and_clear();
        let BulkProgress { matched, changed, .. } = outcome?;
        if setting.json {
            out::json(&json!({ "collection": name, "matched": matched, did: changed }))?;
        } else {
            let rest = match matched.saturating_sub(changed) {
                0 => String::new(),
                same => format!("; {} showed all of it already", words::counted(same, "document")),
            };
            say::done(format_args!("{did} {} in {name}{rest}", words::counted(changed, "document")));
        }
        Ok(Answer::from(matched > 0))
    }
}
