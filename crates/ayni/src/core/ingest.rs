//! Taking in segments from outside: placing them on their branch, verifying them, storing them, and letting whole
//! commits take effect.

use std::collections::BTreeSet;

use ayni_doc::Change;
use ayni_log::entry::{Entry, entry_hash, seed_of};
use ayni_log::ids::LogKind;
use ayni_log::limits;
use ayni_log::membership::{control_entries, founder};
use ayni_log::segment::{Admitted, Segment, Verified, VerifiedSegment, VerifyError, verify};
use ayni_log::tip::Tip;
use ayni_store::{BranchRow, DocumentRow, Write};
use ayni_sync::Refusal;

use crate::core::branches::Branch;
use crate::core::control::{Author, control_changed};
use crate::core::documents::Documents;
use crate::core::effects::{Arriving, Outcome, apply_commit};
use crate::core::state::{State, read_entries, tip_at};
use crate::error::Error;

/// What became of a segment.
pub(crate) type Answer = Result<(), Refusal>;

/// What a batch of segments did.
#[derive(Default)]
pub(crate) struct Ingested {
    /// One for each segment, in their order.
    pub(crate) answers: Vec<Answer>,
    /// The branches that grew.
    pub(crate) grown: BTreeSet<BranchRow>,
    /// Why a segment was refused as invalid, for the log.
    pub(crate) invalid: Option<String>,
}

/// Segments that continue one data branch, verified and not stored yet.
struct Run {
    row: BranchRow,
    segments: Vec<Verified<VerifiedSegment>>,
    tip: Tip,
}

/// Where a segment goes.
enum Place {
    /// Everything in it is here.
    Held,
    /// It continues a branch; entries that were here are cut off its front.
    Continues(BranchRow, Segment),
    /// It is the first of its log.
    Begins(Segment),
    /// It forks off a branch; what is shared is cut off its front.
    Forks(BranchRow, Segment),
    /// Nothing here comes before it.
    Nowhere,
}

/// Takes in segments, in the order in which they came.
pub(crate) fn ingest(
    tx: &mut Write<'_>,
    state: &mut State,
    author: &Author<'_>,
    segments: impl IntoIterator<Item = Result<Segment, String>>,
) -> Result<Ingested, Error> {
    let mut documents = Documents::default();
    let mut ingested = Ingested::default();
    let mut run: Option<Run> = None;
    let mut membership_changed = false;
    for segment in segments {
        let answer = match segment {
            Err(error) => {
                ingested.invalid = Some(error);
                Err(Refusal::Invalid)
            }
            Ok(segment) if segment.log.kind == LogKind::Control => {
                store_run(tx, state, &mut documents, run.take(), &mut ingested)?;
                let answer = take_control(tx, state, segment, &mut ingested)?;
                membership_changed |= answer.is_ok();
                answer
            }
            Ok(segment) => take_data(tx, state, &mut documents, segment, &mut run, &mut ingested)?,
        };
        ingested.answers.push(answer);
    }
    store_run(tx, state, &mut documents, run, &mut ingested)?;
    if membership_changed {
        control_changed(tx, state, &mut documents)?;
        author.respond(tx, state, &mut documents)?;
        ingested.grown.extend(state.branches.rows(LogKind::Control));
    }
    catch_up(tx, state, &mut documents, u64::MAX)?;
    documents.flush(tx, &state.indexes)?;
    state.save(tx)?;
    Ok(ingested)
}

fn take_control(
    tx: &mut Write<'_>,
    state: &mut State,
    segment: Segment,
    ingested: &mut Ingested,
) -> Result<Answer, Error> {
    let Some(author) = admission(state, &segment) else { return Ok(Err(Refusal::AuthorUnknown)) };
    let (row, segment) = match place(tx, state, segment)? {
        Place::Held => return Ok(Ok(())),
        Place::Nowhere => return Ok(Err(Refusal::UnknownBase)),
        Place::Continues(row, segment) => (Some((row, false)), segment),
        Place::Forks(row, segment) => (Some((row, true)), segment),
        Place::Begins(segment) => (None, segment),
    };
    let before = match row {
        None => Tip::new(segment.log),
        Some((row, true)) => tip_at(tx, row, segment.start, &segment.log)?,
        Some((row, false)) => state.branches.get(row).map_or(Tip::new(segment.log), |branch| branch.tip.clone()),
    };
    let (verified, tip) = match verify(segment, &before, &author) {
        Ok(verified) => verified,
        Err(error) => return Ok(refuse(&error, ingested)),
    };
    let Ok(entries) = control_entries(&verified.entries, &before) else {
        ingested.invalid = Some("a control entry came without its content".into());
        return Ok(Err(Refusal::Invalid));
    };
    if state.view.insert_all(entries).is_err() {
        // What was taken in before the limit is in the view only; it comes again from the store at the next opening.
        return Ok(Err(Refusal::Unwanted));
    }
    let row = settle_branch(tx, state, row, &before)?;
    tx.append(row, std::slice::from_ref(&verified), &tip, &[])?;
    if let Some(branch) = state.branches.get_mut(row) {
        branch.tip = tip;
    }
    ingested.grown.insert(row);
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
    segment: Segment,
    run: &mut Option<Run>,
    ingested: &mut Ingested,
) -> Result<Answer, Error> {
    let Some(author) = state.view.admitted(segment.log.device) else { return Ok(Err(Refusal::AuthorUnknown)) };
    if let Some(under_way) = run
        && *under_way.tip.name() == segment.log
        && under_way.tip.length() == segment.start
    {
        // A segment of the other side of a fork fails here, and is placed like any other below.
        if let Ok((verified, tip)) = verify(segment.clone(), &under_way.tip, &author) {
            under_way.segments.push(verified);
            under_way.tip = tip;
            return Ok(Ok(()));
        }
    }
    store_run(tx, state, documents, run.take(), ingested)?;
    let (row, forks, segment) = match place(tx, state, segment)? {
        Place::Held => return Ok(Ok(())),
        Place::Nowhere => return Ok(Err(Refusal::UnknownBase)),
        Place::Continues(row, segment) => (Some(row), false, segment),
        Place::Forks(row, segment) => (Some(row), true, segment),
        Place::Begins(segment) => (None, false, segment),
    };
    let before = match (row, forks) {
        (None, _) => Tip::new(segment.log),
        (Some(row), true) => tip_at(tx, row, segment.start, &segment.log)?,
        (Some(row), false) => state.branches.get(row).map_or(Tip::new(segment.log), |branch| branch.tip.clone()),
    };
    match verify(segment, &before, &author) {
        Ok((verified, tip)) => {
            let row = settle_branch(tx, state, row.map(|row| (row, forks)), &before)?;
            *run = Some(Run { row, segments: vec![verified], tip });
            Ok(Ok(()))
        }
        Err(error) => Ok(refuse(&error, ingested)),
    }
}

fn refuse(error: &VerifyError, ingested: &mut Ingested) -> Answer {
    ingested.invalid = Some(error.to_string());
    Err(Refusal::Invalid)
}

/// The branch that a verified segment goes to: the one it continues, or a new one.
fn settle_branch(
    tx: &mut Write<'_>,
    state: &mut State,
    row: Option<(BranchRow, bool)>,
    before: &Tip,
) -> Result<BranchRow, Error> {
    let (row, fork) = match row {
        Some((row, false)) => return Ok(row),
        None => (tx.add_log(before.name(), false)?, None),
        Some((parent, true)) => {
            let row = tx.fork(parent, before)?;
            (row, tx.branch(row)?.fork)
        }
    };
    state.branches.insert(Branch::new(row, fork, before.clone(), before.length()));
    if before.name().kind == LogKind::Data {
        state.stepped.insert(row);
    }
    Ok(row)
}

fn place(tx: &Write<'_>, state: &State, mut segment: Segment) -> Result<Place, Error> {
    let log = segment.log.id();
    let branches: Vec<&Branch> = state.branches.of_log(log).collect();
    if branches.is_empty() {
        return Ok(if segment.start == 0 { Place::Begins(segment) } else { Place::Nowhere });
    }
    // Along which branch the segment goes furthest.
    let mut best: Option<(u64, &Branch)> = None;
    for branch in &branches {
        if let Some(matched) = matching(tx, branch, &segment)?
            && best.is_none_or(|(most, _)| matched > most)
        {
            best = Some((matched, branch));
        }
    }
    let Some((matched, branch)) = best else { return Ok(Place::Nowhere) };
    let held = matched - segment.start;
    if held == segment.entries.len() as u64 {
        return Ok(Place::Held);
    }
    segment.entries.drain(..held as usize);
    segment.start = matched;
    if matched == branch.tip.length() {
        return Ok(Place::Continues(branch.row, segment));
    }
    if branches.len() >= limits::BRANCHES_PER_LOG {
        return Ok(Place::Nowhere);
    }
    Ok(Place::Forks(branch.row, segment))
}

/// Up to which position a branch and a segment that begins on it are the same; `None` if the segment does not follow
/// any of the branch's entries. A segment that begins where the branch ends is taken to follow it: verifying tells.
fn matching(tx: &Write<'_>, branch: &Branch, segment: &Segment) -> Result<Option<u64>, Error> {
    let length = branch.tip.length();
    if segment.start > length {
        return Ok(None);
    }
    if segment.start == length {
        return Ok(Some(length));
    }
    let mut hash = match segment.start.checked_sub(1) {
        None => seed_of(branch.tip.id()),
        Some(before) => match tx.hash_at(branch.row, before)? {
            Some(hash) => hash,
            None => return Ok(None),
        },
    };
    let mut position = segment.start;
    for entry in &segment.entries {
        let Ok(header) = Entry::read_header(&entry.header, entry.payload.as_deref()) else { break };
        hash = entry_hash(&hash, &header.encode());
        if position >= length || tx.hash_at(branch.row, position)? != Some(hash) {
            break;
        }
        position += 1;
    }
    Ok(Some(position))
}

/// Stores a run, and lets its whole commits take effect where nothing before them waits.
fn store_run(
    tx: &mut Write<'_>,
    state: &mut State,
    documents: &mut Documents,
    run: Option<Run>,
    ingested: &mut Ingested,
) -> Result<(), Error> {
    let Some(run) = run else { return Ok(()) };
    ingested.grown.insert(run.row);
    let entries: Vec<Arriving<'_>> =
        run.segments.iter().flat_map(|segment| &segment.entries).map(|entry| Arriving::new(entry, None)).collect();
    let rows = take_effect(tx, state, documents, run.row, &entries, run.tip.clone())?;
    tx.append(run.row, &run.segments, &run.tip, &rows)?;
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
    let mut rows = Vec::with_capacity(entries.len());
    let mut rest = entries;
    while ready && let Some(end) = rest.iter().position(|entry| entry.header.ends_commit) {
        let (commit, after) = rest.split_at(end + 1);
        match apply_commit(tx, state, documents, row, commit)? {
            Outcome::Applied(applied) => rows.extend(applied),
            Outcome::Waits => break,
        }
        rest = after;
    }
    if let Some(branch) = state.branches.get_mut(row) {
        branch.arriving = (0, Vec::new());
    }
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

/// Lets the next stored commit of a branch take effect; gives its entries, 0 if there is none or it has to wait.
fn apply_stored(
    tx: &mut Write<'_>,
    state: &mut State,
    documents: &mut Documents,
    row: BranchRow,
) -> Result<u64, Error> {
    let Some(branch) = state.branches.get(row) else { return Ok(0) };
    let (from, length) = (branch.applied, branch.tip.length());
    if from >= branch.tip.open_commit().unwrap_or(length) {
        return Ok(0);
    }
    let mut stored = read_entries(tx, row, from, length.min(from + limits::COMMIT_ENTRIES as u64))?;
    let Some(end) = stored.iter().position(|entry| entry.header.ends_commit) else { return Ok(0) };
    stored.truncate(end + 1);
    let entries: Vec<Arriving<'_>> = stored.iter().map(|entry| Arriving::new(entry, None)).collect();
    let Outcome::Applied(rows) = apply_commit(tx, state, documents, row, &entries)? else { return Ok(0) };
    for (entry, document) in stored.iter().zip(rows) {
        if let Some(document) = document {
            tx.set_document_of(state.branches.key(row, entry.position), document)?;
        }
    }
    state.stepped.insert(row);
    Ok(stored.len() as u64)
}
