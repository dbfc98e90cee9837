//! A large collection, and the same in plain SQLite, with every index: what is asked and read is asked of it.

use super::Bench;
use crate::devices::{COLLECTION, Device, values, write};
use crate::plain::{Plain, Rows};
use crate::records::{Indexes, Random, records};
use anyhow::Result;
use ayni::{Collection, Project};
use std::cell::OnceCell;

/// Both, made when they are first asked for.
#[derive(Default)]
pub(super) struct Large(OnceCell<Held>);

struct Held {
    count: usize,
    plain: Plain,
    plain_ids: Vec<Vec<u8>>,
    /// Holds the database open.
    _device: Device,
    project: Project,
}

/// Records that are made at a time.
const PIECE: usize = 100_000;

impl Bench {
    /// Ten times as many records as bulk work has, with every index: in plain SQLite and as documents.
    pub(super) fn large(&self) -> Result<LargeRef<'_>> {
        if let Some(held) = self.large.0.get() {
            return Ok(LargeRef(held));
        }
        let count = self.records * 10;
        eprintln!("making {count} records with {}", Indexes::All);
        let mut plain = Plain::create(&self.file("large.db"), Indexes::All)?;
        let device = Device::create(&self.file("large"), "one")?;
        let project = device.found(Indexes::All)?;
        let mut random = Random::new(5);
        let mut plain_ids = Vec::new();
        for records in records(count).chunks(PIECE) {
            let rows: Vec<Rows> = records.iter().map(|record| Rows::of(record, &mut random)).collect();
            plain.write(&rows)?;
            plain_ids.extend(rows.iter().map(|row| row.id().to_vec()));
            write(&project, values(records)?)?;
        }
        let held = Held { count, plain, plain_ids, _device: device, project };
        Ok(LargeRef(self.large.0.get_or_init(|| held)))
    }
}

/// The large collection and its like.
#[derive(Clone, Copy)]
pub(super) struct LargeRef<'a>(&'a Held);

impl<'a> LargeRef<'a> {
    pub(super) fn count(self) -> usize {
        self.0.count
    }

    pub(super) fn plain(self) -> &'a Plain {
        &self.0.plain
    }

    /// The ids of the rows in plain SQLite.
    pub(super) fn plain_ids(self) -> &'a [Vec<u8>] {
        &self.0.plain_ids
    }

    pub(super) fn project(self) -> &'a Project {
        &self.0.project
    }

    pub(super) fn collection(self) -> Collection {
        self.0.project.collection(COLLECTION)
    }
}
