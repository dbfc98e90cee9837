//! Writing under a schema: what it puts in, what it refuses, and the operations that its merge kinds ask for.

use ayni_doc::{Document, Kind, Map, Operation, SetKind};

use super::Schema;
use crate::error::Error;

impl Schema {
    /// Puts defaults into the fields of a new document.
    ///
    /// # Errors
    /// [`Error::Invalid`] if they are not as this says then.
    pub(crate) fn prepare(&self, collection: &str, fields: &mut Map) -> Result<(), Error> {
        self.fill_defaults(fields);
        match self.check(fields) {
            violations if violations.is_empty() => Ok(()),
            violations => Err(Error::Invalid { collection: collection.to_owned(), violations }),
        }
    }

    /// That an edit breaks no rule that the document did not break before: what others wrote, or what was written before
    /// there was this schema, need not be mended along with it.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the rules.
    pub(crate) fn check_edit(&self, collection: &str, before: &Map, after: &Map) -> Result<(), Error> {
        let mut violations = self.check(after);
        if violations.is_empty() {
            return Ok(());
        }
        let broken = self.check(before);
        violations.retain(|violation| !broken.contains(violation));
        match violations.is_empty() {
            true => Ok(()),
            false => Err(Error::Invalid { collection: collection.to_owned(), violations }),
        }
    }

    /// The operations that make a new document of these fields. A counter is set: a document that two devices made under one
    /// key would else count twice.
    pub(crate) fn creation(&self, fields: &Map) -> Result<Vec<Operation>, Error> {
        let kind = |names: &[&str]| match self.merge_kind(names) {
            Kind::Counter => Kind::Latest,
            kind => kind,
        };
        Ok(Document::default().edit_to(fields, &kind)?)
    }

    /// The operations that make a document show other fields.
    pub(crate) fn edit(&self, document: &Document, fields: &Map) -> Result<Vec<Operation>, Error> {
        Ok(document.edit_to(fields, &|names: &[&str]| self.merge_kind(names))?)
    }

    /// Gives operations that set whole values the kinds of their fields.
    pub(crate) fn give_kinds(&self, operations: &mut [Operation]) {
        for operation in operations {
            if let Operation::Set { path, kind: kind @ SetKind::Latest, .. } = operation {
                *kind = match self.merge_kind(path.names()) {
                    Kind::First => SetKind::First,
                    Kind::Min => SetKind::Min,
                    Kind::Max => SetKind::Max,
                    _ => SetKind::Latest,
                };
            }
        }
    }
}
