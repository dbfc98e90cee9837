//! Membership entries: writing this device's own, and what follows from any that arrive.

use ayni_log::header::{BodyV1, Subject};
use ayni_log::ids::{LogKind, LogName, StoreId};
use ayni_log::membership::{ControlBody, IncarnationBody, Role, control_entries, grant};
use ayni_log::sign::DeviceSecret;
use ayni_log::tip::Tip;
use ayni_log::write::{Draft, write_commit};
use ayni_store::{BranchRow, Write};

use crate::core::anchors::Anchors;
use crate::core::branches::Branch;
use crate::core::documents::Documents;
use crate::core::effects::merge_rejudged;
use crate::core::state::State;
use crate::environment::{Environment, random};
use crate::error::Error;

/// Who writes on this device.
pub(crate) struct Author<'a> {
    pub(crate) secret: &'a DeviceSecret,
    pub(crate) incarnation: StoreId,
    /// The incarnation before, if the folder was restored or copied.
    pub(crate) previous: Option<StoreId>,
    pub(crate) environment: &'a dyn Environment,
}

impl Author<'_> {
    pub(crate) fn log(&self, state: &State, kind: LogKind) -> LogName {
        LogName { project: state.project, device: self.secret.id(), kind, incarnation: self.incarnation }
    }

    /// The branch of one of this device's own logs; begun where it is not there yet.
    pub(crate) fn branch(&self, tx: &mut Write<'_>, state: &mut State, kind: LogKind) -> Result<BranchRow, Error> {
        let name = self.log(state, kind);
        if let Some(branch) = state.branches.of_log(name.id()).next() {
            return Ok(branch.row);
        }
        let row = tx.add_log(&name, true)?;
        state.branches.insert(Branch::new(row, None, Tip::new(name), 0));
        Ok(row)
    }

    /// Writes one commit of control entries, after the one that opens the log if that is still to be written.
    pub(crate) fn write_control(
        &self,
        tx: &mut Write<'_>,
        state: &mut State,
        documents: &mut Documents,
        bodies: Vec<ControlBody>,
    ) -> Result<(), Error> {
        let row = self.branch(tx, state, LogKind::Control)?;
        let opened = state.branches.get(row).is_some_and(|branch| branch.tip.length() > 0);
        let opens = matches!(bodies.first(), Some(ControlBody::Found(_) | ControlBody::Incarnation(_)));
        if !opened && !opens {
            self.append_control(tx, state, row, &[ControlBody::Incarnation(self.incarnation_body())])?;
        }
        self.append_control(tx, state, row, &bodies)?;
        control_changed(tx, state, documents)
    }

    /// Opens this device's incarnation, if that is still to be done: after a restore nothing else has.
    pub(crate) fn open_log(&self, tx: &mut Write<'_>, state: &mut State) -> Result<(), Error> {
        let row = self.branch(tx, state, LogKind::Control)?;
        if state.branches.get(row).is_some_and(|branch| branch.tip.length() > 0) {
            return Ok(());
        }
        let mut documents = Documents::default();
        self.write_control(tx, state, &mut documents, vec![ControlBody::Incarnation(self.incarnation_body())])?;
        documents.flush(tx, state)
    }

    fn incarnation_body(&self) -> IncarnationBody {
        IncarnationBody { previous: self.previous }
    }

    fn append_control(
        &self,
        tx: &mut Write<'_>,
        state: &mut State,
        row: BranchRow,
        bodies: &[ControlBody],
    ) -> Result<(), Error> {
        let Some(branch) = state.branches.get(row) else { return Err(Error::Damaged("this device's control log")) };
        let before = branch.tip.clone();
        // A copy of this device may have written on in its log, and anchored more.
        let seen = if branch.has_seen_all() { branch.seen.clone() } else { state.read_seen(tx, row)? };
        let mut anchors = Anchors::new(&state.branches, &seen);
        anchors.see_heads(tx, before.name().device, &state.view.heads_for(&before))?;
        let time = self.environment.now();
        let mut declarations = std::mem::take(&mut anchors.declarations);
        let seen = anchors.into_seen();
        let draft = |body: &ControlBody| Draft {
            body: BodyV1 {
                time,
                key: 0,
                declarations: std::mem::take(&mut declarations),
                subject: Subject::None,
                attachments: Vec::new(),
            },
            content: body.encode(),
        };
        let drafts = bodies.iter().map(draft).collect();
        let (segments, tip) = write_commit(&before, self.secret, None, drafts)?;
        let written: Vec<_> = segments.iter().flat_map(|segment| segment.entries.clone()).collect();
        let entries = control_entries(&written, &before).map_err(|error| Error::Membership(error.to_string()))?;
        state.view.insert_all(entries).map_err(|error| Error::Membership(error.to_string()))?;
        tx.append(row, &segments, &tip, &[])?;
        if let Some(branch) = state.branches.get_mut(row) {
            (branch.tip, branch.seen) = (tip, seen);
        }
        Ok(())
    }

    /// What a device does of itself when membership changed: once admitted it opens its log; a coordinator passes keys to
    /// those who lack them.
    pub(crate) fn respond(
        &self,
        tx: &mut Write<'_>,
        state: &mut State,
        documents: &mut Documents,
    ) -> Result<(), Error> {
        let Some(role) = state.view.role(self.secret.id()).filter(|role| *role != Role::Removed) else {
            return Ok(());
        };
        let row = self.branch(tx, state, LogKind::Control)?;
        if state.branches.get(row).is_some_and(|branch| branch.tip.length() == 0) {
            self.write_control(tx, state, documents, vec![ControlBody::Incarnation(self.incarnation_body())])?;
        }
        if role != Role::Coordinator {
            return Ok(());
        }
        let lacking: Vec<_> =
            state.view.lacking_keys().into_iter().filter(|member| member.device != self.secret.id()).collect();
        let mut grants = Vec::new();
        for member in lacking {
            let seed = random(self.environment);
            if let Ok(body) = grant(&state.ring, member.device, &member.exchange, member.role, &seed) {
                grants.push(ControlBody::Grant(body));
            }
        }
        if grants.is_empty() { Ok(()) } else { self.write_control(tx, state, documents, grants) }
    }
}

/// Draws the consequences of control entries that came or were written: keys open, schemas hold, and what counts is judged
/// anew.
pub(crate) fn control_changed(tx: &mut Write<'_>, state: &mut State, documents: &mut Documents) -> Result<(), Error> {
    state.ring.update(&state.view);
    state.follow_schemas(tx)?;
    for row in state.branches.rows(LogKind::Data) {
        state.recount(tx, row)?;
    }
    merge_rejudged(tx, state, documents)
}
