//! The projects that this side has named, in the order in which it did.

use std::ops::{Index, IndexMut};

use super::shared::Shared;

/// They are only ever added to, so an index that was given out stays good.
#[derive(Debug, Default)]
pub(super) struct Projects(Vec<Shared>);

impl Projects {
    /// Adds one; its index is the length before.
    pub(super) fn push(&mut self, shared: Shared) {
        self.0.push(shared);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Shared> {
        self.0.iter()
    }

    /// The one at an index that may be of anyone's making.
    pub(super) fn at(&self, index: usize) -> Option<&Shared> {
        self.0.get(index)
    }

    /// The one at an index that may be of anyone's making.
    pub(super) fn at_mut(&mut self, index: usize) -> Option<&mut Shared> {
        self.0.get_mut(index)
    }
}

/// With an index that this list gave out; any other is looked up with [`Projects::at`].
#[expect(clippy::indexing_slicing, reason = "an invariant of the list: indices that were given out stay good")]
impl Index<usize> for Projects {
    type Output = Shared;

    fn index(&self, index: usize) -> &Shared {
        &self.0[index]
    }
}

#[expect(clippy::indexing_slicing, reason = "an invariant of the list: indices that were given out stay good")]
impl IndexMut<usize> for Projects {
    fn index_mut(&mut self, index: usize) -> &mut Shared {
        &mut self.0[index]
    }
}
