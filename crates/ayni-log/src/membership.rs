//! Who is in a project, what they may do, and which keys they hold.
//!
//! All of it stands in control logs, as entries whose payloads ([`ControlBody`]) are clear but for names and keys. The
//! [`ControlView`] takes them in whatever order they come and answers alike on every device that holds the same ones:
//! who was admitted, which role a device had at given control heads, which entries of a data log count. The [`KeyRing`]
//! opens the keys that were sealed to one device. `docs/membership.md` states every byte and every rule.

mod acts;
mod body;
mod control;
mod counting;
mod envelope;
mod fences;
mod graph;
mod keys;
mod people;
mod project;
mod recovery;
mod request;
mod ring;
mod settle;
mod ticket;
mod view;

pub use acts::{ActError, admit, device_name, first_epoch, founding, grant, invite, removal, role_change, rotate};
pub use body::{ControlBody, Kind, VERSION};
pub use control::{ControlEntry, ControlReference, PayloadMissing, control_entries};
pub use counting::{Counting, Step, Wait};
pub use envelope::{SealError, open_name, seal_name};
pub use keys::{EpochBody, EpochKeys, GrantBody, OlderEpoch, Recipient};
pub use people::{AdmitBody, Consent, DeviceNameBody, Fence, InviteBody, RemoveBody, Role, RoleBody};
pub use project::{
    AdoptBody, EntryName, FoundingBody, IncarnationBody, PurgeBody, Retention, RetentionBody, SchemaBody,
};
pub use recovery::{RecoveryKey, RecoveryWordsError};
pub use request::{JoinRequest, RequestError};
pub use ring::KeyRing;
pub use ticket::{Ticket, TicketError};
pub use view::{ControlView, InsertError, Inserted, InviteState, Member, founder};
