//! Entries: taking them in as verified segments, reading them, and sending them on as segments.

use std::ops::{ControlFlow, Range};

use ayni_log::codec::DecodeError;
use ayni_log::entry::{Entry, entry_hash};
use ayni_log::header::Header;
use ayni_log::ids::{Hash, LogKind, Signature};
use ayni_log::limits;
use ayni_log::segment::{Segment, Verified, VerifiedSegment, WireEntry};
use ayni_log::tip::Tip;
use rusqlite::{OptionalExtension, Row, params};

use crate::branches::Piece;
use crate::error::StoreError;
use crate::{Branch, BranchRow, DocumentRow, Snapshot, Write};

/// An entry within this database: the row of the branch that holds it × 2^40 + its position. It means nothing elsewhere.
pub type EntryKey = i64;

const POSITION_BITS: u32 = 40;

/// The key of the entry that `branch` itself holds at `position` (see [`Snapshot::key_at`] for what it shares).
pub fn entry_key(branch: BranchRow, position: u64) -> EntryKey {
    (branch.0 << POSITION_BITS) | (position & (limits::POSITIONS - 1)) as i64
}

/// The branch that holds an entry and the entry's position.
pub fn entry_place(key: EntryKey) -> (BranchRow, u64) {
    (BranchRow(key >> POSITION_BITS), key as u64 & (limits::POSITIONS - 1))
}

/// An entry as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// Its key.
    pub key: EntryKey,
    /// Its hash.
    pub hash: Hash,
    /// The document it is about, once that is known.
    pub document: Option<DocumentRow>,
    /// Its header: beside the payload, or whole where the payload is not here.
    pub header: Vec<u8>,
    /// Its payload, if it is here.
    pub payload: Option<Vec<u8>>,
}

/// An entry while it is visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryRef<'a> {
    /// Its key.
    pub key: EntryKey,
    /// Its position.
    pub position: u64,
    /// Its hash.
    pub hash: Hash,
    /// The document it is about, once that is known.
    pub document: Option<DocumentRow>,
    /// Its header: beside the payload, or whole where the payload is not here.
    pub header: &'a [u8],
    /// Its payload, if it is here.
    pub payload: Option<&'a [u8]>,
}

impl EntryRef<'_> {
    /// The header, read.
    ///
    /// # Errors
    /// [`DecodeError`] when it was damaged.
    pub fn read_header(&self) -> Result<Header, DecodeError> {
        Entry::read_header(self.header, self.payload)
    }
}

impl StoredEntry {
    /// The header, read.
    ///
    /// # Errors
    /// [`DecodeError`] when it was damaged.
    pub fn read_header(&self) -> Result<Header, DecodeError> {
        Entry::read_header(&self.header, self.payload.as_deref())
    }

    pub(crate) fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            key: row.get(0)?,
            hash: Hash(row.get(1)?),
            document: row.get(2)?,
            header: row.get(3)?,
            payload: row.get(4)?,
        })
    }
}

const ENTRY: &str = "SELECT key, hash, doc, header, payload FROM entries";

impl Snapshot<'_> {
    /// The key under which the entry at a position of a branch lies; `None` beyond its end.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] if there is no such branch.
    pub fn key_at(&self, branch: BranchRow, position: u64) -> Result<Option<EntryKey>, StoreError> {
        let at = position as i64;
        let holder = self.pieces(branch)?.into_iter().find(|piece| (piece.start..piece.end).contains(&at));
        Ok(holder.map(|piece| entry_key(BranchRow(piece.row), position)))
    }

    /// The hash of the entry at a position of a branch; `None` beyond its end, or where damage took it.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] if there is no such branch.
    pub fn hash_at(&self, branch: BranchRow, position: u64) -> Result<Option<Hash>, StoreError> {
        let Some(key) = self.key_at(branch, position)? else { return Ok(None) };
        let mut statement = self.statement("SELECT hash FROM entries WHERE key = ?1")?;
        Ok(statement.query_row([key], |row| row.get(0).map(Hash)).optional()?)
    }

    /// An entry; `None` where damage took it, or there never was one.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn entry(&self, key: EntryKey) -> Result<Option<StoredEntry>, StoreError> {
        let mut statement = self.statement(&format!("{ENTRY} WHERE key = ?1"))?;
        Ok(statement.query_row([key], StoredEntry::from_row).optional()?)
    }

    /// The document that an entry is about, once that is known.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn document_of(&self, key: EntryKey) -> Result<Option<DocumentRow>, StoreError> {
        let mut statement = self.statement("SELECT doc FROM entries WHERE key = ?1")?;
        Ok(statement.query_row([key], |row| row.get(0)).optional()?.flatten())
    }

    /// Visits the entries of a branch at some positions, in order, until the visitor breaks off. What damage took is passed
    /// over.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read, and those of the visitor.
    pub fn entries<E: From<StoreError>>(
        &self,
        branch: BranchRow,
        positions: Range<u64>,
        mut visit: impl FnMut(EntryRef<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let mut statement = self.statement(&format!("{ENTRY} WHERE key >= ?1 AND key < ?2 ORDER BY key"))?;
        for piece in self.pieces(branch)? {
            let Some((from, to)) = keys_within(&piece, &positions) else { continue };
            let mut rows = statement.query([from, to]).map_err(StoreError::from)?;
            while let Some(row) = rows.next().map_err(StoreError::from)? {
                if visit(entry_ref(row).map_err(StoreError::from)?)?.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Visits the documents that the entries of a branch at some positions are about, once for each entry, until the visitor
    /// breaks off. What the entries say is not read.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn documents_of(
        &self,
        branch: BranchRow,
        positions: Range<u64>,
        mut visit: impl FnMut(DocumentRow) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let mut statement =
            self.statement("SELECT doc FROM entries WHERE key >= ?1 AND key < ?2 AND doc IS NOT NULL")?;
        for piece in self.pieces(branch)? {
            let Some((from, to)) = keys_within(&piece, &positions) else { continue };
            let mut rows = statement.query([from, to])?;
            while let Some(row) = rows.next()? {
                if visit(row.get(0)?).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The segment of a branch that begins at a position, up to the next checkpoint whose signature is kept: what another
    /// device that holds everything before is to be sent. `None` if there is nothing from there on.
    ///
    /// # Errors
    /// [`StoreError::Lost`] where damage took an entry or the checkpoint.
    pub fn segment(&self, branch: BranchRow, from: u64) -> Result<Option<Segment>, StoreError> {
        let Branch { log, length, .. } = self.branch(branch)?;
        if from >= length {
            return Ok(None);
        }
        let pieces = self.pieces(branch)?;
        let Some((to, signature)) = self.checkpoint_after(branch, &pieces, from)? else {
            return Err(StoreError::Lost("the signature of a checkpoint"));
        };
        let count = to.saturating_sub(from);
        if count > limits::SEGMENT_ENTRIES {
            return Err(StoreError::Lost("the signature of a checkpoint"));
        }
        let mut entries = Vec::with_capacity(count as usize);
        let mut statement =
            self.statement("SELECT header, payload FROM entries WHERE key >= ?1 AND key < ?2 ORDER BY key")?;
        for piece in &pieces {
            let Some(keys) = keys_within(piece, &(from..to)) else { continue };
            let mut rows = statement.query(<[i64; 2]>::from(keys))?;
            while let Some(row) = rows.next()? {
                entries.push(WireEntry { header: row.get(0)?, payload: row.get(1)? });
            }
        }
        if entries.len() as u64 != count {
            return Err(StoreError::Lost("an entry"));
        }
        Ok(Some(Segment { log, start: from, entries, signature }))
    }

    /// The nearest checkpoint beyond `from` whose signature is kept, and the signature.
    fn checkpoint_after(
        &self,
        branch: BranchRow,
        pieces: &[Piece],
        from: u64,
    ) -> Result<Option<(u64, Signature)>, StoreError> {
        let mut statement = self.statement(
            "SELECT length, signature FROM signatures WHERE branch = ?1 AND length > ?2 AND length <= ?3
             ORDER BY length LIMIT 1",
        )?;
        let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?.unsigned_abs(), Signature(row.get(1)?)));
        for piece in pieces.iter().filter(|piece| piece.end > from as i64) {
            let found = statement.query_row(params![piece.row, from as i64, piece.end], read).optional()?;
            if found.is_some() {
                return Ok(found);
            }
        }
        let mut statement =
            self.statement("SELECT length, signature FROM branches WHERE row = ?1 AND signature IS NOT NULL")?;
        Ok(statement.query_row([branch.0], read).optional()?)
    }

    /// The author's signature at a checkpoint of a branch, given as the branch's length there, if it is kept: at fixed
    /// checkpoints and at the end. A fence carries it.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] if there is no such branch.
    pub fn signature_at(&self, branch: BranchRow, length: u64) -> Result<Option<Signature>, StoreError> {
        let Some(before) = length.checked_sub(1) else { return Ok(None) };
        let kept = self.checkpoint_after(branch, &self.pieces(branch)?, before)?;
        Ok(kept.filter(|(at, _)| *at == length).map(|(_, signature)| signature))
    }

    /// Runs of positions that damage took from a branch, in order. They are empty unless a repair found some.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn gaps(&self, branch: BranchRow) -> Result<Vec<Range<u64>>, StoreError> {
        let mut statement = self.statement("SELECT start, length FROM gaps WHERE branch = ?1 ORDER BY start")?;
        let rows = statement.query_map([branch.0], |row| {
            let (start, length) = (row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, i64>(1)?.unsigned_abs());
            Ok(start..start.saturating_add(length))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Write<'_> {
    /// Appends segments, one after the other, to the branch that they continue; `tip` is the branch's tip after the last.
    /// `documents` says, for each entry of all of them in turn, which document it is about, or is empty to leave that for
    /// later ([`Write::set_document_of`]).
    ///
    /// Of signatures the fixed ones are kept, and the one at the end of the branch.
    ///
    /// # Errors
    /// [`StoreError::Moved`] if the branch has grown since the tip was read; [`StoreError::Misuse`] if what is given
    /// does not fit together. Then nothing of the transaction may stand: return the error.
    pub fn append(
        &mut self,
        branch: BranchRow,
        segments: &[Verified<VerifiedSegment>],
        tip: &Tip,
        documents: &[Option<DocumentRow>],
    ) -> Result<(), StoreError> {
        let Some(last) = segments.last() else { return Ok(()) };
        let held = self.branch(branch)?;
        self.check_segments(&held, segments, tip)?;
        let count: usize = segments.iter().map(|segment| segment.entries.len()).sum();
        if !documents.is_empty() && documents.len() != count {
            return Err(StoreError::Misuse("not one document for each entry"));
        }
        let mut insert =
            self.statement("INSERT INTO entries(key, hash, doc, header, payload) VALUES (?1, ?2, ?3, ?4, ?5)")?;
        let documents = documents.iter().copied().chain(std::iter::repeat(None));
        let entries = segments.iter().flat_map(|segment| &segment.entries);
        for (entry, document) in entries.zip(documents) {
            let key = entry_key(branch, entry.position);
            insert.execute(params![key, entry.hash.0.as_slice(), document, entry.header_bytes, entry.payload])?;
        }
        if held.log.kind == LogKind::Control {
            let mut copy =
                self.statement("INSERT INTO entries_copy SELECT * FROM entries WHERE key >= ?1 AND key < ?2")?;
            copy.execute([entry_key(branch, held.length), entry_key(branch, tip.length())])?;
        }
        let mut keep = self.statement("INSERT INTO signatures(branch, length, signature) VALUES (?1, ?2, ?3)")?;
        for segment in segments.iter().filter(|segment| segment.fixed) {
            keep.execute(params![branch.0, segment.length as i64, segment.signature.0.as_slice()])?;
        }
        let mut grow = self.statement(
            "UPDATE branches SET length = ?2, bytes = ?3, hash = ?4, signature = ?5, tip = ?6 WHERE row = ?1",
        )?;
        let (length, bytes) = (tip.length() as i64, tip.bytes() as i64);
        let (hash, signature) = (tip.hash(), last.signature.0);
        grow.execute(params![branch.0, length, bytes, hash.0.as_slice(), signature.as_slice(), tip.encode()])?;
        self.own_grew |= held.own;
        Ok(())
    }

    /// Notes which document an entry is about.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] if there is no such entry.
    pub fn set_document_of(&mut self, key: EntryKey, document: DocumentRow) -> Result<(), StoreError> {
        let mut statement = self.statement("UPDATE entries SET doc = ?2 WHERE key = ?1")?;
        match statement.execute([key, document])? {
            1 => Ok(()),
            _ => Err(StoreError::Misuse("an entry that is not here")),
        }
    }

    fn check_segments(
        &self,
        held: &Branch,
        segments: &[Verified<VerifiedSegment>],
        tip: &Tip,
    ) -> Result<(), StoreError> {
        let mut length = held.length;
        for segment in segments {
            if segment.log != held.log {
                return Err(StoreError::Misuse("a segment of another log"));
            }
            if segment.start != length {
                return Err(StoreError::Moved { held: length, given: segment.start });
            }
            length = segment.length;
        }
        let hash = segments.last().map(|segment| segment.hash);
        if tip.length() != length || Some(tip.hash()) != hash || tip.id() != held.log_id {
            return Err(StoreError::Misuse("a tip that is not the one after the segments"));
        }
        // Same length, other content: the branch was forked by another process, or the tip given is of another branch.
        if let Some(first) = segments.first().and_then(|segment| segment.entries.first())
            && entry_hash(&held.hash, &first.header.encode()) != first.hash
        {
            return Err(StoreError::Misuse("a segment of another branch"));
        }
        Ok(())
    }
}

/// The keys (from, up to) of those of a piece's entries that lie at the given positions.
fn keys_within(piece: &Piece, positions: &Range<u64>) -> Option<(i64, i64)> {
    let from = piece.start.max(positions.start as i64);
    let to = piece.end.min(i64::try_from(positions.end).unwrap_or(i64::MAX));
    let branch = BranchRow(piece.row);
    (from < to).then(|| (entry_key(branch, from as u64), entry_key(branch, 0).saturating_add(to)))
}

fn entry_ref<'a>(row: &'a Row<'_>) -> rusqlite::Result<EntryRef<'a>> {
    let key: i64 = row.get(0)?;
    let blob = |column| Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_blob_or_null()?);
    Ok(EntryRef {
        key,
        position: entry_place(key).1,
        hash: Hash(row.get(1)?),
        document: row.get(2)?,
        header: blob(3)?.unwrap_or_default(),
        payload: blob(4)?,
    })
}
