//! Who keeps a link with whom: a ring, so that everyone reaches everyone, and a few chords across it.

use std::collections::BTreeSet;

use ayni_bench::records::Random;

/// Links, each between a lower place and a higher one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    devices: usize,
    ring: BTreeSet<(usize, usize)>,
    chords: Vec<(usize, usize)>,
}

impl Topology {
    /// A ring of so many devices and one chord for each, so that a device has four links on the average.
    pub fn new(devices: usize, random: &mut Random) -> Self {
        let ring = (0..devices).filter_map(|at| link(at, (at + 1) % devices)).collect();
        let mut topology = Self { devices, ring, chords: Vec::new() };
        for _ in 0..devices {
            topology.chords.extend(topology.new_chord(random));
        }
        topology
    }

    /// Takes a chord away and puts another in; gives the devices whose links are others now.
    pub fn change(&mut self, random: &mut Random) -> BTreeSet<usize> {
        if self.chords.is_empty() {
            return BTreeSet::new();
        }
        let gone = self.chords.swap_remove(random.below(self.chords.len() as u64) as usize);
        let new = self.new_chord(random);
        self.chords.extend(new);
        [Some(gone), new].into_iter().flatten().flat_map(|(one, other)| [one, other]).collect()
    }

    /// Those that a device keeps a link with.
    pub fn links_of(&self, device: usize) -> BTreeSet<usize> {
        let other = |(one, other): &(usize, usize)| match device {
            at if at == *one => Some(*other),
            at if at == *other => Some(*one),
            _ => None,
        };
        self.ring.iter().chain(&self.chords).filter_map(other).collect()
    }

    /// How many links there are.
    pub fn len(&self) -> usize {
        self.ring.len() + self.chords.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A link that is not there yet, if one is found.
    fn new_chord(&self, random: &mut Random) -> Option<(usize, usize)> {
        let mut draw = || random.below(self.devices as u64) as usize;
        (0..20)
            .filter_map(|_| link(draw(), draw()))
            .find(|chord| !self.ring.contains(chord) && !self.chords.contains(chord))
    }
}

fn link(one: usize, other: usize) -> Option<(usize, usize)> {
    (one != other).then(|| (one.min(other), one.max(other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_has_a_few_links_whatever_changes() {
        let mut random = Random::new(1);
        let mut topology = Topology::new(50, &mut random);
        for _ in 0..100 {
            assert_eq!(topology.len(), 100);
            assert!((0..50).all(|at| topology.links_of(at).len() >= 2));
            assert!(topology.change(&mut random).len() <= 4);
        }
    }

    #[test]
    fn few_devices_are_all_linked() {
        assert_eq!(Topology::new(2, &mut Random::new(1)).links_of(0), [1].into());
        assert_eq!(Topology::new(3, &mut Random::new(1)).links_of(2), [0, 1].into());
    }
}
