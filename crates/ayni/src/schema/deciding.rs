//! The schema of a collection: which holds, deciding another, and proposing one from code.

use std::ops::ControlFlow;
use std::sync::Arc;

use ayni_log::membership::Role;

use super::{Schema, Violation};
use crate::collection::Collection;
use crate::core::documents::Documents;
use crate::core::inner::check_name;
use crate::core::schemas::decide;
use crate::document::Document;
use crate::error::Error;
use crate::project::require;
use crate::sync::pool::{enqueue, look_for_due};
use crate::sync::queue::Job;

/// What became of a schema that code proposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proposal {
    /// This device, a coordinator's, decided it: it holds.
    Decided,
    /// The project has this one, or one with the same or a greater number, which stands.
    Stands,
    /// A coordinator has to decide it: the program on a coordinator's device proposes it too, or someone runs `ayni schema
    /// set`. Until then what the project has holds, if anything.
    Waits,
}

impl Collection {
    /// The schema that holds, if a coordinator decided one.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn schema(&self) -> Result<Option<Arc<Schema>>, Error> {
        Ok(self.project.published()?.schemas.get(&self.name).map(|known| known.schema.clone()))
    }

    /// Schemas that coordinators decided at the same time as the one that holds. They have no effect; deciding once more
    /// settles it.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn schemas_passed_over(&self) -> Result<Vec<Arc<Schema>>, Error> {
        Ok(self.project.published()?.schemas.get(&self.name).map_or(Vec::new(), |known| known.passed_over.clone()))
    }

    /// Decides the schema of the collection, for everyone; gives `false` if it holds already. What was written before stays as
    /// it is ([`Collection::violations`] finds what is otherwise); the indexes are made in the background, on every device.
    ///
    /// # Errors
    /// [`Error::Role`] unless this device is a coordinator, [`Error::SchemaTooLarge`], and whatever the disk says.
    pub fn set_schema(&self, schema: &Schema) -> Result<bool, Error> {
        check_name("the name of a collection", &self.name)?;
        let inner = &self.project.database.inner;
        let decided = self.project.core.write(inner, |tx, state| {
            require(state, self.project.database.device(), Role::Coordinator, "decide a schema")?;
            let tag = state.ring.naming_key().ok_or(Error::NoKeys)?.tag(&self.name);
            let holds =
                |known: &crate::core::schemas::KnownSchema| *known.schema == *schema && known.passed_over.is_empty();
            if state.schemas.get(&tag).is_some_and(holds) {
                return Ok(false);
            }
            let body = decide(&state.view, &state.ring, &self.name, schema)?;
            let mut documents = Documents::default();
            inner.author().write_control(tx, state, &mut documents, vec![body])?;
            documents.flush(tx, state)?;
            Ok(true)
        })?;
        if decided {
            enqueue(inner, Job::Index { project: self.project.id() });
            look_for_due(inner, self.project.id());
        }
        Ok(decided)
    }

    /// Proposes the schema that a program is written for: to be called whenever it starts. It is decided where the project has
    /// none or one with a smaller number, and this device is a coordinator's.
    ///
    /// # Errors
    /// As [`Collection::set_schema`], but for the role.
    pub fn propose_schema(&self, schema: &Schema) -> Result<Proposal, Error> {
        if self.schema()?.is_some_and(|known| *known == *schema || known.version() >= schema.version()) {
            return Ok(Proposal::Stands);
        }
        match self.set_schema(schema) {
            Ok(true) => Ok(Proposal::Decided),
            Ok(false) => Ok(Proposal::Stands),
            Err(Error::Role { .. } | Error::Pending) => Ok(Proposal::Waits),
            Err(error) => Err(error),
        }
    }

    /// Visits the documents that are not as a schema says, with what is wrong, in the order of their ids, until the visitor
    /// breaks off.
    ///
    /// # Errors
    /// If the database cannot be read, and those of the visitor.
    pub fn violations(
        &self,
        schema: &Schema,
        mut visit: impl FnMut(Document, Vec<Violation>) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        self.for_each(|document| match schema.check(&document.fields()) {
            violations if violations.is_empty() => Ok(ControlFlow::Continue(())),
            violations => visit(document, violations),
        })
    }
}
