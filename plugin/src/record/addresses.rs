//! What is remembered of addresses in the guest: which tasks and functions were named, which tasks are recorded.
//!
//! Tables of a fixed size without locks, shared by all vCPUs. An address that takes another one's place makes that
//! one unknown, which costs a name told again.

use bincode::{Decode, Encode};
use std::sync::atomic::{AtomicU64, Ordering};

/// Addresses as they are kept in a file: the places in the tables, and what is there.
#[derive(Debug, Default, Encode, Decode)]
pub struct SavedAddresses {
    tasks: Vec<(u32, u64)>,
    chosen: Vec<(u32, u64)>,
    symbols: Vec<(u32, u64)>,
    sites: Vec<(u32, u64)>,
}

/// What is known of the addresses that were met, of all vCPUs.
#[derive(Debug)]
pub struct AddressCaches {
    /// Tasks that were named.
    pub(super) tasks: AddressCache<1024>,
    /// Tasks of which it was decided whether they are recorded.
    pub(super) chosen: Chosen<1024>,
    /// Functions that were named.
    pub symbols: AddressCache<1024>,
    /// Addresses behind calls that were told.
    pub sites: AddressCache<32768>,
}

impl AddressCaches {
    /// Nothing.
    pub fn new() -> Self {
        Self {
            tasks: AddressCache::new(),
            chosen: Chosen::new(),
            symbols: AddressCache::new(),
            sites: AddressCache::new(),
        }
    }

    /// All that was met.
    pub fn save(&self) -> SavedAddresses {
        let all = |places: &[AtomicU64]| {
            let all = (0..).zip(places.iter().map(|place| place.load(Ordering::Relaxed)));
            all.filter(|(_, address)| *address != 0).collect()
        };
        SavedAddresses {
            tasks: all(&self.tasks.0),
            chosen: all(&self.chosen.0),
            symbols: all(&self.symbols.0),
            sites: all(&self.sites.0),
        }
    }

    /// What was met before; which tasks are recorded only if that is chosen as it was.
    pub fn restore(&self, saved: &SavedAddresses, same_choice: bool) {
        let fill = |places: &[AtomicU64], saved: &[(u32, u64)]| {
            for (place, address) in saved {
                if let Some(place) = places.get(*place as usize) {
                    place.store(*address, Ordering::Relaxed);
                }
            }
        };
        fill(&self.tasks.0, &saved.tasks);
        fill(&self.chosen.0, if same_choice { &saved.chosen } else { &[] });
        fill(&self.symbols.0, &saved.symbols);
        fill(&self.sites.0, &saved.sites);
    }

    /// A task has another name now, or is another one.
    pub fn forget_task(&self, task: u64) {
        self.tasks.forget(task);
        self.chosen.forget(task);
    }
}

/// Decisions on addresses, in the place that the address gives. Addresses are even: the lowest bit is the
/// decision.
#[derive(Debug)]
pub(super) struct Chosen<const PLACES: usize>(Box<[AtomicU64]>);

impl<const PLACES: usize> Chosen<PLACES> {
    fn new() -> Self {
        Self((0..PLACES).map(|_| AtomicU64::new(0)).collect())
    }

    fn place(&self, address: u64) -> &AtomicU64 {
        &self.0[AddressCache::<PLACES>::slot(address)]
    }

    /// What was decided; none if nothing was, or if another address has taken the place.
    pub(super) fn get(&self, address: u64) -> Option<bool> {
        let decided = self.place(address).load(Ordering::Relaxed);
        (decided & !1 == address).then_some(decided & 1 != 0)
    }

    /// Keeps a decision.
    pub(super) fn set(&self, address: u64, chosen: bool) {
        self.place(address).store(address | u64::from(chosen), Ordering::Relaxed);
    }

    fn forget(&self, address: u64) {
        if self.get(address).is_some() {
            self.place(address).store(0, Ordering::Relaxed);
        }
    }
}

/// Addresses that were met, in the place that the address gives.
#[derive(Debug)]
pub struct AddressCache<const PLACES: usize>(Box<[AtomicU64]>);

impl<const PLACES: usize> AddressCache<PLACES> {
    fn new() -> Self {
        Self((0..PLACES).map(|_| AtomicU64::new(0)).collect())
    }

    fn slot(address: u64) -> usize {
        // Fibonacci hashing.
        (address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % PLACES
    }

    /// What was known of an address is stale.
    pub fn forget(&self, address: u64) {
        let place = &self.0[Self::slot(address)];
        // Another one in its place stays.
        let _ = place.compare_exchange(address, 0, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// What was known of a range of addresses is stale.
    pub fn forget_all(&self, start: u64, end: u64) {
        let addresses = self.0.iter().map(|place| place.load(Ordering::Relaxed));
        addresses.filter(|address| (start..end).contains(address)).for_each(|address| self.forget(address));
    }

    /// Whether an address was not known, or was forgotten; it is known from now on.
    pub(super) fn is_new(&self, address: u64) -> bool {
        let place = &self.0[Self::slot(address)];
        place.load(Ordering::Relaxed) != address && place.swap(address, Ordering::Relaxed) != address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_met_is_known_until_it_is_forgotten() {
        let addresses = AddressCaches::new();
        assert!(addresses.tasks.is_new(64) && !addresses.tasks.is_new(64));
        assert_eq!(addresses.chosen.get(64), None);
        addresses.chosen.set(64, true);
        addresses.chosen.set(4096, false);
        assert_eq!((addresses.chosen.get(64), addresses.chosen.get(4096)), (Some(true), Some(false)));
        for same_choice in [true, false] {
            let later = AddressCaches::new();
            later.restore(&addresses.save(), same_choice);
            assert_eq!((later.tasks.is_new(64), later.tasks.is_new(128)), (false, true));
            assert_eq!(later.chosen.get(64), same_choice.then_some(true));
        }
        addresses.forget_task(64);
        assert!(addresses.tasks.is_new(64));
        assert_eq!((addresses.chosen.get(64), addresses.chosen.get(4096)), (None, Some(false)));
    }
}
