//! What can be done, how often it is, and the plan that a seed makes of it.
//!
//! A step has a seed of its own, which decides everything about it and what the scheduler does after it. So a plan from
//! which steps are taken out still means the same in the rest.

use ayni::Role;

use crate::broken::Broken;
use crate::device::{Device, Nature};
use crate::dice::Dice;
use crate::world::World;

macro_rules! actions {
    ($($name:ident $weight:literal $text:literal;)*) => {
        /// Something that a user, a machine, the network or an attacker does.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Action { $(#[doc = $text] $name,)* }

        /// All actions, and how often each is taken in proportion.
        const GRAMMAR: &[(Action, usize)] = &[$((Action::$name, $weight),)*];

        impl Action {
            /// What it is called in a census.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

actions! {
    Create 8 "create a document";
    Put 10 "put a keyed document";
    Edit 18 "edit a document";
    OpenWindow 6 "open a document in a window";
    EditInWindow 10 "edit in a window";
    Add 8 "add to a counter";
    Unset 5 "unset a field";
    Delete 8 "delete a document";
    Several 6 "several edits in one commit";
    Import 3 "import records";
    Scribble 6 "scribble without a model";
    Index 1 "make an index";
    Query 4 "ask a query";
    History 3 "look at the history";
    LookBack 1 "look at the past";
    Watch 5 "watch a live list";
    Search 1 "search for words";
    Schema 1 "decide a schema";
    Undo 2 "undo a change";
    Export 1 "export";
    Rename 1 "rename a device";
    Status 8 "read the status";
    Rebuild 1 "rebuild the views";
    Restart 3 "restart a device";
    Join 2 "invite a member";
    JoinCoordinator 1 "invite a coordinator";
    JoinReader 1 "invite a reader";
    Connect 26 "connect two devices";
    ConnectBadly 6 "connect by a bad channel";
    ConnectShortly 6 "connect by a channel that is cut";
    Lie 4 "connect to a member that lies";
    Forge 9 "a member forges";
    Cut 5 "cut a wire";
    Split 2 "split the network";
    Join2 4 "join the network again";
    Goodbye 2 "leave all conversations";
    Wait 6 "let time pass";
    WaitLong 1 "let minutes pass";
    PowerCut 7 "cut the power";
    PowerOn 12 "turn devices on";
    FillDisk 2 "fill a disk";
    MakeRoom 4 "make room on a disk";
    Clock 4 "set a clock wrong";
    BackUp 2 "copy a folder";
    Restore 2 "restore a folder";
    UseCopy 1 "use a folder twice";
    Fork 1 "fork a device";
    Stranger 2 "a stranger connects";
    Garbage 2 "garbage comes";
}

/// What must have happened over a suite, beside every action.
pub const EXPECTED: &[&str] = &[
    "undelete",
    "a change was undone",
    "edit through an old window",
    "join",
    "status: has everything",
    "status: is behind",
    "claim checked after a start",
    "power cut",
    "power cut at opening",
    "unsynced write lost",
    "unsynced write torn",
    "opening without room",
    "commit in flight: there",
    "commit in flight: not there",
    "deletion in flight that can be told",
    "key folder: hint lost",
    "key folder: hint cut off",
    "key folder: hint older",
    "key folder: a file that was not put in place",
    "write without room",
    "refused for want of room",
    "folder restored",
    "folder used twice",
    "device forked",
    "a forked device notices",
    "wire cut at a byte",
    "conversation ended with a reason",
    "level: both sides say so",
    "tampering noticed",
    "tampering did no harm",
    "bad channel: a bit turned over",
    "bad channel: bytes lost",
    "bad channel: bytes twice",
    "bad channel: bytes out of order",
    "liar: withholds",
    "liar: floods",
    "liar: sends out of order",
    "liar: forges",
    "forger let in",
    "forged: in another's log",
    "forged: at a taken position",
    "forged: another signature",
    "forged: another payload",
    "forged: headers alone",
    "forged: another previous hash",
    "forged: a broken chain",
    "forged: a fork of its own log",
    "forged: makes itself a coordinator",
    "forged: admits a stranger",
    "forged: invites a stranger",
    "forged: replays a decision",
    "forged: removes everybody",
    "forged: demotes another",
    "forged: begins an epoch",
    "forged: purges everything",
    "forged: names another",
    "forged: a stranger's log",
    "forged: an intruder at the door",
    "forged: another's receipt",
    "forged: an edit at any time",
    "network split both ways",
    "network split one way",
    "stranger at the door",
    "garbage at the door",
];

/// One step of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// Decides how, and what happens after it.
    pub seed: u64,
}

/// The plan of a seed.
pub fn plan(seed: u64, actions: usize) -> Vec<Step> {
    let mut dice = Dice::branch(seed, "plan", 0);
    let total: usize = GRAMMAR.iter().map(|(_, weight)| weight).sum();
    let step = |_| {
        let mut at = dice.below(total);
        let found = GRAMMAR.iter().find(|(_, weight)| match at.checked_sub(*weight) {
            Some(rest) => {
                at = rest;
                false
            }
            None => true,
        });
        Step { action: found.map_or(Action::Wait, |(action, _)| *action), seed: dice.number() }
    };
    (0..actions).map(step).collect()
}

/// All actions.
pub fn all() -> impl Iterator<Item = Action> {
    GRAMMAR.iter().map(|(action, _)| *action)
}

impl World {
    /// Does a step, and what the scheduler does after it.
    pub(crate) fn step(&mut self, step: Step) -> Result<(), Broken> {
        let mut dice = Dice::new(step.seed);
        self.act(step.action, &mut dice)?;
        (0..self.devices.len()).for_each(|device| self.notice_power_cut(device));
        let moments = [0, 3, 10, 40][dice.below(4)];
        self.moments(moments, &mut dice)?;
        self.check_level_claims()
    }

    fn act(&mut self, action: Action, dice: &mut Dice) -> Result<(), Broken> {
        use Action as A;
        let in_project = |device: &Device| device.is_on() && device.nature != Nature::Stranger;
        let Some(device) = self.some_device(dice, in_project) else {
            return self.turn_all_on(dice);
        };
        self.census.count(action.name());
        match action {
            A::Create => self.create(device, dice),
            A::Put => self.put(device, dice),
            A::Edit => self.edit(device, dice),
            A::OpenWindow => self.open_window(device, dice),
            A::EditInWindow => self.edit_in_window(device, dice),
            A::Add => self.add(device, dice),
            A::Unset => self.unset(device, dice),
            A::Delete => self.delete(device, dice),
            A::Several => self.several(device, dice),
            A::Import => self.import(device, dice),
            A::Scribble => self.scribble(device, dice),
            A::Index => self.index(device, dice),
            A::Query => self.query(device, dice),
            A::History => self.history(device, dice),
            A::LookBack => self.look_back(device, dice),
            A::Watch => self.watch(device, dice),
            A::Search => self.search(device, dice),
            A::Schema => self.decide_schema(device, dice),
            A::Undo => self.undo(device, dice),
            A::Export => self.export(device),
            A::Rename => self.rename(device, dice),
            A::Status => self.status(device),
            A::Rebuild => self.rebuild(device),
            A::Restart => self.restart(device, dice),
            A::Join | A::JoinCoordinator | A::JoinReader if !self.has_room() => Ok(()),
            A::Join => self.join(Role::Member, dice),
            A::JoinCoordinator => self.join(Role::Coordinator, dice),
            A::JoinReader => self.join(Role::Reader, dice),
            A::Connect => self.connect_some(device, dice),
            A::ConnectBadly => self.connect_badly(device, dice),
            A::ConnectShortly => self.connect_shortly(device, dice),
            A::Lie => self.connect_to_liar(dice),
            A::Forge => self.forge(dice),
            A::Cut => self.cut_some(dice),
            A::Split => self.split_network(dice),
            A::Join2 => self.join_network(),
            A::Goodbye => self.goodbye(device),
            A::Wait => self.wait(dice, 3_000),
            A::WaitLong => self.wait(dice, 200_000),
            A::PowerCut => self.power_cut(device, dice),
            A::PowerOn => self.turn_all_on(dice),
            A::FillDisk => self.fill_disk(device, dice),
            A::MakeRoom => {
                (0..self.devices.len()).for_each(|device| self.make_room(device));
                Ok(())
            }
            A::Clock => self.set_clock(device, dice),
            A::BackUp => self.back_up(device, dice),
            A::Restore => self.restore(device, dice),
            A::UseCopy => self.use_copy(device, dice),
            A::Fork => self.fork(device, dice),
            A::Stranger => self.stranger(device, dice),
            A::Garbage => self.garbage(device, dice),
        }
    }

    fn turn_all_on(&mut self, dice: &mut Dice) -> Result<(), Broken> {
        for device in 0..self.devices.len() {
            self.turn_on(device, dice)?;
        }
        Ok(())
    }
}
