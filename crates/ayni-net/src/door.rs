//! The door: how many incoming handshakes may be under way, in all and from one address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::limits;

/// Counts the handshakes under way.
#[derive(Clone, Default)]
pub(crate) struct Door(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// The right to one handshake, given back when dropped.
pub(crate) struct Pass {
    door: Door,
    ip: IpAddr,
}

impl Door {
    /// One more handshake from this address, unless there are too many.
    pub(crate) fn enter(&self, ip: IpAddr) -> Option<Pass> {
        let mut inside = self.lock();
        let total: usize = inside.values().sum();
        let here = inside.entry(ip).or_default();
        if total >= limits::MAX_HANDSHAKES || *here >= limits::MAX_HANDSHAKES_PER_ADDRESS {
            return None;
        }
        *here = here.saturating_add(1);
        Some(Pass { door: self.clone(), ip })
    }

    /// So many are inside that whoever comes next must show that it receives what we send to its address.
    pub(crate) fn is_crowded(&self) -> bool {
        self.lock().values().sum::<usize>() > limits::CROWDED_HANDSHAKES
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut inside = self.door.lock();
        if let Some(here) = inside.get_mut(&self.ip) {
            *here = here.saturating_sub(1);
            if *here == 0 {
                inside.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_the_place_of_others() {
        let door = Door::default();
        let flooder = IpAddr::from([10, 0, 0, 1]);
        let mut passes: Vec<_> = std::iter::from_fn(|| door.enter(flooder)).collect();
        assert_eq!(passes.len(), limits::MAX_HANDSHAKES_PER_ADDRESS);
        assert!(door.enter(IpAddr::from([10, 0, 0, 2])).is_some());
        passes.pop();
        assert!(door.enter(flooder).is_some());
    }

    #[test]
    fn many_addresses_cannot_take_more_than_there_is() {
        let door = Door::default();
        let passes: Vec<_> = (0..=255).filter_map(|last| door.enter(IpAddr::from([10, 0, 0, last]))).collect();
        assert_eq!(passes.len(), limits::MAX_HANDSHAKES);
        assert!(door.is_crowded());
    }
}
