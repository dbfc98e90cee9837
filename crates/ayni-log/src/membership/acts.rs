//! What a coordinator does, as bodies ready to be written. Pure: random bytes are given.

use thiserror::Error;
use zeroize::Zeroizing;

use crate::ids::{DeviceId, ExchangeKey, Hash, ProjectId};
use crate::limits;
use crate::seal::{CarriageKey, NamingKey, ReadingKey};
use crate::sign::DeviceSecret;

use super::envelope::{
    Purpose, SealError, Stretched, Which, carriage_commitment, naming_commitment, reading_commitment, seal_name,
    seal_to, wrap,
};
use super::keys::{EpochBody, EpochKeys, GrantBody, GrantedKeys, OlderEpoch, Recipient};
use super::people::{AdmitBody, Consent, DeviceNameBody, Fence, InviteBody, RemoveBody, Role, RoleBody};
use super::project::FoundingBody;
use super::request::JoinRequest;
use super::ring::KeyRing;
use super::ticket::invite_key;
use super::view::{ControlView, InviteState};

/// Why an act cannot be written by this device now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ActError {
    /// Keys that this device was never given.
    #[error("this device lacks keys of the project: let it sync with a coordinator first")]
    KeysMissing,
    /// More concurrent epochs or devices than the format takes.
    #[error("more {0} than the format takes")]
    TooMany(&'static str),
    /// A name that is too long, or a key that cannot be sealed to.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// A project's founding body and the id that follows from it.
///
/// # Errors
/// [`SealError::LongName`].
pub fn founding(
    founder: &DeviceSecret,
    recovery: &DeviceSecret,
    naming: &NamingKey,
    name: &str,
    random: [u8; 32],
) -> Result<(FoundingBody, ProjectId), SealError> {
    let body = FoundingBody {
        founder: founder.id(),
        founder_exchange: founder.exchange_public(),
        recovery: recovery.id(),
        recovery_exchange: recovery.exchange_public(),
        naming: naming_commitment(naming),
        random,
        name: seal_name(naming, &random, name)?,
    };
    let project = body.project();
    Ok((body, project))
}

/// The first epoch, to be written right behind the founding entry, in one commit with it: keys for the founder and the
/// recovery key. `random` must be secret and new.
///
/// # Errors
/// [`SealError`] never in practice: both keys are the founder's own.
pub fn first_epoch(
    founding: &FoundingBody,
    naming: &NamingKey,
    random: &[u8; 32],
) -> Result<(EpochBody, EpochKeys), SealError> {
    let mut recipients =
        [(founding.founder, founding.founder_exchange, true), (founding.recovery, founding.recovery_exchange, true)];
    recipients.sort_unstable();
    epoch(founding.project(), naming, &recipients, &[], random)
}

/// A new epoch for everyone who is in the project now but `without` (those removed in the same commit), and the recovery
/// key. A device whose exchange key cannot be sealed to is left out. `random` must be secret and new.
///
/// # Errors
/// [`ActError::KeysMissing`] when this device lacks a key of the epochs before, which the new one must carry.
pub fn rotate(
    view: &ControlView,
    ring: &KeyRing,
    without: &[DeviceId],
    random: &[u8; 32],
) -> Result<(EpochBody, EpochKeys), ActError> {
    let founding = view.founding().ok_or(ActError::KeysMissing)?;
    let naming = ring.naming_key().ok_or(ActError::KeysMissing)?;
    let stays = |role: Role, device: &DeviceId| role.carries() && !without.contains(device);
    let mut recipients: Vec<(DeviceId, ExchangeKey, bool)> = view
        .members()
        .into_iter()
        .filter(|member| stays(member.role, &member.device))
        .map(|member| (member.device, member.exchange, member.role.reads()))
        .collect();
    recipients.push((founding.recovery, founding.recovery_exchange, true));
    recipients.sort_unstable();
    if recipients.len() > limits::EPOCH_RECIPIENTS {
        return Err(ActError::TooMany("devices"));
    }
    let heads = view.epoch_heads();
    if heads.len() > limits::KEY_SET_EPOCHS {
        return Err(ActError::TooMany("concurrent epochs"));
    }
    let older: Option<Vec<_>> =
        heads.iter().map(|head| Some((*head, ring.reading_key(head)?, ring.carriage_key(head)?))).collect();
    Ok(epoch(view.project(), naming, &recipients, &older.ok_or(ActError::KeysMissing)?, random)?)
}

fn epoch(
    project: ProjectId,
    naming: &NamingKey,
    recipients: &[(DeviceId, ExchangeKey, bool)],
    older: &[(Hash, &ReadingKey, &CarriageKey)],
    random: &[u8; 32],
) -> Result<(EpochBody, EpochKeys), SealError> {
    let mut random = Stretched::new(random);
    let keys =
        EpochKeys { reading: ReadingKey::from_bytes(random.take()), carriage: CarriageKey::from_bytes(random.take()) };
    let (reading, carriage) = (keys.reading.as_bytes(), keys.carriage.as_bytes());
    let both = Zeroizing::new([reading.as_slice(), carriage].concat());
    let mut sealed_to = Vec::with_capacity(recipients.len());
    for (device, exchange, reads) in recipients {
        let plaintext = if *reads { both.as_slice() } else { carriage };
        match seal_to(Purpose::Epoch, project, *device, exchange, plaintext, &mut random) {
            Ok(sealed) => sealed_to.push(Recipient { device: *device, reads: *reads, sealed }),
            // One device with a useless key must not keep the others from new keys.
            Err(SealError::WeakKey) => {}
            Err(error) => return Err(error),
        }
    }
    let body = EpochBody {
        reading: reading_commitment(&keys.reading),
        carriage: carriage_commitment(&keys.carriage),
        naming: wrap(Which::Naming, reading, &Hash(project.0), naming.as_bytes()),
        recipients: sealed_to,
        older: older
            .iter()
            .map(|(epoch, old_reading, old_carriage)| OlderEpoch {
                epoch: *epoch,
                reading: wrap(Which::Reading, reading, epoch, old_reading.as_bytes()),
                carriage: wrap(Which::Carriage, carriage, epoch, old_carriage.as_bytes()),
            })
            .collect(),
    };
    Ok((body, keys))
}

/// An invite for the ticket with this secret.
pub fn invite(project: ProjectId, secret: &[u8; 16], role: Role, expires: Option<i64>, uses: u32) -> InviteBody {
    InviteBody { key: invite_key(project, secret).id(), role, expires, uses: uses.max(1) }
}

/// The admission of a device whose request [was checked](ControlView::check_request), with the role that its ticket
/// promised. To be written in one commit with its [grant](grant()).
///
/// # Errors
/// [`SealError::LongName`].
pub fn admit(request: &JoinRequest, invite: &InviteState, naming: &NamingKey) -> Result<AdmitBody, SealError> {
    Ok(AdmitBody {
        device: request.device,
        exchange: request.exchange,
        role: invite.body.role,
        consent: Some(Consent { invite: invite.hash, signature: request.by_device }),
        name: seal_name(naming, &request.device.0, &request.name)?,
    })
}

/// All keys that this device holds, sealed to another: all of them if its role reads, else only those to carry with.
/// `random` must be secret and new.
///
/// # Errors
/// [`ActError::KeysMissing`] when there is no epoch whose keys are here, [`SealError::WeakKey`] when nothing can be sealed
/// to the device.
pub fn grant(
    ring: &KeyRing,
    device: DeviceId,
    exchange: &ExchangeKey,
    role: Role,
    random: &[u8; 32],
) -> Result<GrantBody, ActError> {
    let keys = |epoch: &Hash| {
        let reading = ring.reading_key(epoch).filter(|_| role.reads()).cloned();
        Some((*epoch, reading, ring.carriage_key(epoch)?.clone()))
    };
    let granted = GrantedKeys(ring.epochs().filter_map(keys).collect());
    if granted.0.is_empty() {
        return Err(ActError::KeysMissing);
    }
    if granted.0.len() > limits::GRANTED_EPOCHS {
        return Err(ActError::TooMany("epochs"));
    }
    let mut random = Stretched::new(random);
    let sealed = seal_to(Purpose::Grant, ring.project(), device, exchange, &granted.encode(), &mut random)?;
    Ok(GrantBody { device, sealed })
}

/// A removal. `fences` are the ends of the device's branches, control and data, as far as they are to count, each at the
/// end of a commit. To be written in one commit with a [new epoch](rotate()).
pub fn removal(device: DeviceId, fences: Vec<Fence>) -> RemoveBody {
    RemoveBody { device, fences: in_order(fences) }
}

/// A change of role from `now` to `then`. A demotion fences the logs that the new role may not write: `fences` are their
/// ends; others are left out.
pub fn role_change(device: DeviceId, now: Role, then: Role, fences: Vec<Fence>) -> RoleBody {
    let fences = (then < now).then(|| in_order(fences.into_iter().filter(|fence| !then.writes(fence.kind)).collect()));
    RoleBody { device, role: then, fences }
}

fn in_order(mut fences: Vec<Fence>) -> Vec<Fence> {
    fences.sort_unstable();
    fences.dedup();
    fences
}

/// A name for a device.
///
/// # Errors
/// [`SealError::LongName`].
pub fn device_name(naming: &NamingKey, device: DeviceId, name: &str) -> Result<DeviceNameBody, SealError> {
    Ok(DeviceNameBody { device, name: seal_name(naming, &device.0, name)? })
}
