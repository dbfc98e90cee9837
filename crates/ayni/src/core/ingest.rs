//! Taking in segments from outside: placing them on their branch, verifying them, storing them, and letting whole
//! commits take effect.

use ayni_doc::Change;
use ayni_log::entry::{Entry, entry_hash, seed_of};
use ayni_log::ids::{Hash, LogKind};
use ayni_log::membership::{control_entries, founder};
use ayni_log::segment::{Admitted, Segment, Verified, VerifiedSegment, verify};
use ayni_log::tip::Tip;
use ayni_store::{BranchRow, DocumentRow, Write};
use ayni_sync::Refusal;

use crate::core::branches::Branch;
use crate::core::control::{Author, control_changed};
use crate::core::documents::Documents;
use crate::core::effects::{Arriving, Run, apply_next, merge_rejudged};
use crate::core::indexing::makes_index;
use crate::core::reading::{read_commits, tip_at};
use crate::core::state::State;
use crate::error::Error;

/// What became of a segment.
pub(crate) type Answer = Result<(), Refusal>;

/// What a batch of segments did.
#[derive(Default)]
pub(crate) struct Ingested {
    /// One for each segment, in their order.
    pub(crate) answers: Vec<Answer>,
    /// Why a segment was refused as invalid, for the log.
    pub(crate) invalid: Option<String>,
    /// An index is to be made now.
    pub(crate) begins_index: bool,
    /// There are new membership entries, and perhaps other schemas.
    pub(crate) membership_changed: bool,
}

/// A segment from outside, and what its sender says of it beside.
pub(crate) struct Incoming {
    pub(crate) segment: Segment,
    /// The hash of the entry before it.
    pub(crate) previous: Hash,
    /// The hash of its last entry.
    pub(crate) last: Hash,
}

/// Segments that continue one data branch, verified and not stored yet.
struct Gathered {
    row: BranchRow,
    segments: Vec<Verified<VerifiedSegment>>,
    tip: Tip,
}

/// What a segment turned out to be.
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
enum Taken {
    /// Everything in it is here.
    Held,
    /// It is verified and belongs on this branch.
    New { row: BranchRow, before: Tip, segment: Verified<VerifiedSegment>, tip: Tip },
    /// It is not taken.
    Refused(Refusal),
}

/// Takes in segments, in the order in which they came.
pub(crate) fn ingest(
    tx: &mut Write<'_>,
    state: &mut State,
    author: &Author<'_>,
    segments: impl IntoIterator<Item = Result<Incoming, String>>,
) -> Result<Ingested, Error> {
    let mut documents = Documents::default();
    let mut ingested = Ingested::default();
    let mut gathered: Option<Gathered> = None;
    for incoming in segments {
        let answer = match incoming {
            Err(error) => {
                ingested.invalid = Some(error);
                Err(Refusal::Invalid)
            }
            // Nothing is purged or held back by choice yet. The entries would be acknowledged, and what they are about would
            // never come: who has it takes this device to have it too.
            Ok(incoming) if incoming.segment.entries.iter().any(|entry| entry.payload.is_none()) => {
                ingested.invalid = Some("entries came without their content".into());
                Err(Refusal::Invalid)
            }
            Ok(incoming) if incoming.segment.log.kind == LogKind::Control => {
                store_gathered(tx, state, &mut documents, gathered.take())?;
                let answer = take_control(tx, state, incoming, &mut ingested)?;
                ingested.membership_changed |= answer.is_ok();
                answer
            }
            Ok(incoming) => take_data(tx, state, &mut documents, incoming, &mut gathered, &mut ingested)?,
        };
        ingested.answers.push(answer);
    }
    store_gathered(tx, state, &mut documents, gathered)?;
    if ingested.membership_changed {
        control_changed(tx, state, &mut documents)?;
        author.respond(tx, state, &mut documents)?;
        ingested.begins_index = makes_index(state);
    }
    catch_up(tx, state, &mut documents, u64::MAX)?;
    finish(tx, state, &mut documents)?;
    Ok(ingested)
}

/// Writes what a transaction changed in documents and branches.
pub(crate) fn finish(tx: &mut Write<'_>, state: &mut State, documents: &mut Documents) -> Result<(), Error> {
    merge_rejudged(tx, state, documents)?;
    documents.flush(tx, state)?;
    state.save(tx)
}

fn take_control(
    tx: &mut Write<'_>,
    state: &mut State,
    incoming: Incoming,
    ingested: &mut Ingested,
) -> Result<Answer, Error> {
    let Some(author) = admission(state, &incoming.segment) else { return Ok(Err(Refusal::AuthorUnknown)) };
    let (row, before, segment, tip) = match take(tx, state, incoming, &author, ingested)? {
        Taken::Held => return Ok(Ok(())),
        Taken::Refused(refusal) => return Ok(Err(refusal)),
        Taken::New { row, before, segment, tip } => (row, before, segment, tip),
    };
    let Ok(entries) = control_entries(&segment.entries, &before) else {
        ingested.invalid = Some("a control entry came without its content".into());
        return Ok(Err(Refusal::Invalid));
    };
    if state.view.insert_all(entries).is_err() {
        // What was taken in before the limit is in the view only; it comes again from the store at the next opening.
        return Ok(Err(Refusal::Unwanted));
    }
    tx.append(row, std::slice::from_ref(&segment), &tip, &[])?;
    if let Some(branch) = state.branches.get_mut(row) {
        branch.tip = tip;
    }
    Ok(Ok(()))
}

/// Proof that the author of a segment may be stored: admitted, or the founder whose first entry this is.
fn admission(state: &State, segment: &Segment) -> Option<Admitted> {
    let device = segment.log.device;
    state.view.admitted(device).or_else(|| {
        let first = segment.entries.first().filter(|_| segment.start == 0)?;
        founder(state.project, first.payload.as_deref()?, device)
    })
}

fn take_data(
    tx: &mut Write<'_>,
    state: &mut State,
    documents: &mut Documents,
    incoming: Incoming,
    gathered: &mut Option<Gathered>,
    ingested: &mut Ingested,
) -> Result<Answer, Error> {
    let Some(author) = state.view.admitted(incoming.segment.log.device) else {
        return Ok(Err(Refusal::AuthorUnknown));
    };
    if let Some(under_way) = gathered
        && *under_way.tip.name() == incoming.segment.log
        && under_way.tip.length() == incoming.segment.start
        && under_way.tip.hash() == incoming.previous
        && !state.branches.is_further(under_way.tip.id(), Some(under_way.row))
    {
        return Ok(match verify_as_said(incoming, &under_way.tip, &author) {
            Ok((verified, tip)) => {
                under_way.segments.push(verified);
                under_way.tip = tip;
                Ok(())
            }
            Err(error) => {
                ingested.invalid = Some(error);
                Err(Refusal::Invalid)
            }
        });
    }
    store_gathered(tx, state, documents, gathered.take())?;
    Ok(match take(tx, state, incoming, &author, ingested)? {
        Taken::Held => Ok(()),
        Taken::Refused(refusal) => Err(refusal),
        Taken::New { row, segment, tip, .. } => {
            *gathered = Some(Gathered { row, segments: vec![segment], tip });
            Ok(())
        }
    })
}

/// Verifies a segment after `before`, and that it is the one that its sender says.
fn verify_as_said(
    incoming: Incoming,
    before: &Tip,
    author: &Admitted,
) -> Result<(Verified<VerifiedSegment>, Tip), String> {
    let last = incoming.last;
    let (segment, tip) = verify(incoming.segment, before, author).map_err(|error| error.to_string())?;
    match tip.hash() == last {
        true => Ok((segment, tip)),
        false => Err("a segment that does not end as its sender says".into()),
    }
}

/// Finds the branch that a segment belongs on, verifies it there, and begins the branch if it is new.
fn take(
    tx: &mut Write<'_>,
    state: &mut State,
    mut incoming: Incoming,
    author: &Admitted,
    ingested: &mut Ingested,
) -> Result<Taken, Error> {
    let log = incoming.segment.log;
    let branches: Vec<BranchRow> = state.branches.of_log(log.id()).map(|branch| branch.row).collect();
    // Along which branch the segment goes furthest.
    let mut best: Option<(u64, Hash, BranchRow)> = None;
    for row in &branches {
        if let Some((matched, hash)) = matching(tx, state, *row, &incoming)?
            && best.is_none_or(|(most, ..)| matched > most)
        {
            best = Some((matched, hash, *row));
        }
    }
    let (before, place) = match best {
        None if !branches.is_empty() || incoming.segment.start > 0 => return Ok(Taken::Refused(Refusal::UnknownBase)),
        None if !state.branches.may_begin(&log) => return Ok(Taken::Refused(Refusal::Unwanted)),
        None => (Tip::new(log), None),
        Some((matched, hash, row)) => {
            let held = matched - incoming.segment.start;
            if held == incoming.segment.entries.len() as u64 {
                let as_said = hash == incoming.last;
                return Ok(if as_said { Taken::Held } else { Taken::Refused(Refusal::Invalid) });
            }
            incoming.segment.entries.drain(..held as usize);
            incoming.segment.start = matched;
            let tip = state.branches.get(row).map_or(Tip::new(log), |branch| branch.tip.clone());
            let forks = matched < tip.length();
            (if forks { tip_at(tx, row, matched, &log)? } else { tip }, Some((row, forks)))
        }
    };
    match verify_as_said(incoming, &before, author) {
        Ok((segment, tip)) => {
            let row = place.and_then(|(row, forks)| (!forks).then_some(row));
            if state.branches.is_further(log.id(), row) && !state.branches.refers_to(tx, &segment, row)? {
                return Ok(Taken::Refused(Refusal::Unwanted));
            }
            let row = settle_branch(tx, state, place, &before)?;
            Ok(Taken::New { row, before, segment, tip })
        }
        Err(error) => {
            ingested.invalid = Some(error);
            Ok(Taken::Refused(Refusal::Invalid))
        }
    }
}

/// The branch that a verified segment goes to: the one it continues, or a new one.
fn settle_branch(
    tx: &mut Write<'_>,
    state: &mut State,
    place: Option<(BranchRow, bool)>,
    before: &Tip,
) -> Result<BranchRow, Error> {
    let (row, fork) = match place {
        Some((row, false)) => return Ok(row),
        None => (tx.add_log(before.name(), false)?, None),
        Some((parent, true)) => {
            let row = tx.fork(parent, before)?;
            (row, tx.branch(row)?.fork)
        }
    };
    let applied = before.open_commit().unwrap_or(before.length());
    state.branches.insert(Branch::new(row, fork, before.clone(), applied));
    if before.name().kind == LogKind::Data {
        state.stepped.insert(row);
    }
    Ok(row)
}

/// Up to which position a branch and a segment are the same, and the hash of the entry before that; `None` if the
/// segment does not follow any of the branch's entries.
fn matching(tx: &Write<'_>, state: &State, row: BranchRow, incoming: &Incoming) -> Result<Option<(u64, Hash)>, Error> {
    let Some(branch) = state.branches.get(row) else { return Ok(None) };
    let (length, start) = (branch.tip.length(), incoming.segment.start);
    let before = match start.checked_sub(1) {
        None => Some(seed_of(branch.tip.id())),
        Some(_) if start > length => None,
        Some(_) if start == length => Some(branch.tip.hash()),
        Some(last) => tx.hash_at(row, last)?,
    };
    let Some(mut hash) = before.filter(|before| start == 0 || *before == incoming.previous) else { return Ok(None) };
    let mut position = start;
    for entry in &incoming.segment.entries {
        let Ok(header) = Entry::read_header(&entry.header, entry.payload.as_deref()) else { break };
        let next = entry_hash(&hash, &header.encode());
        if position >= length || tx.hash_at(row, position)? != Some(next) {
            break;
        }
        hash = next;
        position += 1;
    }
    Ok(Some((position, hash)))
}

/// Stores what was gathered, and lets its whole commits take effect where nothing before them waits.
fn store_gathered(
    tx: &mut Write<'_>,
    state: &mut State,
    documents: &mut Documents,
    gathered: Option<Gathered>,
) -> Result<(), Error> {
    let Some(Gathered { row, segments, tip }) = gathered else { return Ok(()) };
    let entries: Vec<Arriving<'_>> =
        segments.iter().flat_map(|segment| &segment.entries).map(|entry| Arriving::new(entry, None)).collect();
    let rows = take_effect(tx, state, documents, row, &entries, tip.clone())?;
    tx.append(row, &segments, &tip, &rows)?;
    Ok(())
}

/// Writes this device's own commit: its entries take effect at once.
pub(crate) fn store_own(
    tx: &mut Write<'_>,
    state: &mut State,
    documents: &mut Documents,
    row: BranchRow,
    segments: &[Verified<VerifiedSegment>],
    tip: Tip,
    changes: Vec<Change>,
) -> Result<(), Error> {
    let entries: Vec<Arriving<'_>> = segments
        .iter()
        .flat_map(|segment| &segment.entries)
        .zip(changes)
        .map(|(entry, change)| Arriving::new(entry, Some(change)))
        .collect();
    let length = tip.length();
    let rows = take_effect(tx, state, documents, row, &entries, tip.clone())?;
    tx.append(row, segments, &tip, &rows)?;
    match state.branches.get(row).is_some_and(|branch| branch.applied == length) {
        true => Ok(()),
        false => Err(Error::NoKeys),
    }
}

/// Lets the whole commits among new entries of a branch take effect, until one has to wait. Gives the documents of the
/// entries as far as they are known; the branch has its new tip then.
fn take_effect(
    tx: &mut Write<'_>,
    state: &mut State,
    documents: &mut Documents,
    row: BranchRow,
    entries: &[Arriving<'_>],
    tip: Tip,
) -> Result<Vec<Option<DocumentRow>>, Error> {
    let Some(branch) = state.branches.get_mut(row) else { return Ok(Vec::new()) };
    let ready = branch.applied == branch.tip.length();
    branch.tip = tip;
    let first = entries.first().map_or(0, |entry| entry.position);
    branch.arriving = (first, entries.iter().map(|entry| (entry.hash, entry.header.ends_commit)).collect());
    state.recount(tx, row)?;
    state.stepped.insert(row);
    let mut run = Run::new(row, entries);
    while ready && apply_next(tx, state, documents, &mut run)? {}
    if let Some(branch) = state.branches.get_mut(row) {
        branch.arriving = (0, Vec::new());
    }
    let mut rows = run.into_documents();
    rows.resize(entries.len(), None);
    Ok(rows)
}

/// Lets stored commits take effect for which nothing is lacking any more, on all branches, until none is left or about
/// `most` entries took effect. Gives how many did.
pub(crate) fn catch_up(
    tx: &mut Write<'_>,
    state: &mut State,
    documents: &mut Documents,
    most: u64,
) -> Result<u64, Error> {
    let mut done = 0;
    loop {
        let is_behind = |branch: &&Branch| {
            branch.tip.name().kind == LogKind::Data
                && branch.applied < branch.tip.open_commit().unwrap_or(branch.tip.length())
        };
        let behind: Vec<BranchRow> = state.branches.iter().filter(is_behind).map(|branch| branch.row).collect();
        let before = done;
        for row in behind {
            while done < most {
                match apply_stored(tx, state, documents, row)? {
                    0 => break,
                    applied => done += applied,
                }
            }
        }
        if done == before || done >= most {
            return Ok(done);
        }
    }
}

/// Lets the next stored commits of a branch take effect; gives how many entries, 0 if there are none or they have to wait.
fn apply_stored(
    tx: &mut Write<'_>,
    state: &mut State,
    documents: &mut Documents,
    row: BranchRow,
) -> Result<u64, Error> {
    let Some(branch) = state.branches.get(row) else { return Ok(0) };
    let (from, to) = (branch.applied, branch.tip.open_commit().unwrap_or(branch.tip.length()));
    let stored = read_commits(tx, row, from..to)?;
    if stored.is_empty() && from < to {
        // Damage took all that is left; there is nothing to wait for.
        let Some(branch) = state.branches.get_mut(row) else { return Ok(0) };
        branch.applied = to;
        state.stepped.insert(row);
        return Ok(to - from);
    }
    let entries = Arriving::stored(&stored, to);
    let mut run = Run::new(row, &entries);
    while apply_next(tx, state, documents, &mut run)? {}
    let rows = run.into_documents();
    for (entry, document) in stored.iter().zip(&rows) {
        if let Some(document) = document {
            tx.set_document_of(state.branches.key(row, entry.position), *document)?;
        }
    }
    if !rows.is_empty() {
        state.stepped.insert(row);
        documents.relieve(tx, state)?;
    }
    Ok(rows.len() as u64)
}
