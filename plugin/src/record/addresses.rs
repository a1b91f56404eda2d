//! What is remembered of addresses in the guest: which tasks and functions were named, and how; which tasks are recorded.
//!
//! Tables of a fixed size without locks, shared by all vCPUs. An address that takes another one's place makes that
//! one unknown, which costs a name told again.

use bincode::{Decode, Encode};
use std::sync::atomic::{AtomicU64, Ordering};

/// Addresses as they are kept in a file: the places in the tables, and what is there.
#[derive(Debug, Default, Encode, Decode)]
pub struct SavedAddresses {
    tasks: Vec<(u32, u64)>,
    task_names: Vec<(u32, u64)>,
    chosen: Vec<(u32, u64)>,
    symbols: Vec<(u32, u64)>,
    sites: Vec<(u32, u64)>,
}

/// What is known of the addresses that were met, of all vCPUs.
#[derive(Debug)]
pub struct AddressCaches {
    /// Tasks that were named.
    pub(super) tasks: NamedTasks<1024>,
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
            tasks: NamedTasks::new(),
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
            tasks: all(&self.tasks.addresses.0),
            task_names: all(&self.tasks.names),
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
        fill(&self.tasks.addresses.0, &saved.tasks);
        fill(&self.tasks.names, &saved.task_names);
        fill(&self.chosen.0, if same_choice { &saved.chosen } else { &[] });
        fill(&self.symbols.0, &saved.symbols);
        fill(&self.sites.0, &saved.sites);
    }

    /// A task has another name now, or is another one.
    pub fn forget_task(&self, task: u64) {
        self.tasks.addresses.forget(task);
        self.chosen.forget(task);
    }
}

/// Tasks that were named, and what they were named last: a kernel may give a task another name without any function
/// that has a probe (`kthread_create_on_node` of 3.10, `init_idle`).
#[derive(Debug)]
pub(super) struct NamedTasks<const PLACES: usize> {
    addresses: AddressCache<PLACES>,
    /// In the place of each address a digest of its task's name and ids.
    names: Box<[AtomicU64]>,
}

impl<const PLACES: usize> NamedTasks<PLACES> {
    fn new() -> Self {
        Self { addresses: AddressCache::new(), names: (0..PLACES).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Whether the task at an address was named since it was forgotten.
    pub(super) fn knows(&self, address: u64) -> bool {
        self.addresses.0[AddressCache::<PLACES>::slot(address)].load(Ordering::Relaxed) == address
    }

    /// Whether a task was not named, or otherwise; it is named so from now on. `words` are its address, ids and name.
    pub(super) fn is_new(&self, words: &[u64; 5]) -> bool {
        let digest = words.iter().fold(0_u64, |digest, word| {
            // As FxHash does it.
            (digest.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95)
        });
        let name = &self.names[AddressCache::<PLACES>::slot(words[0])];
        let renamed = name.swap(digest, Ordering::Relaxed) != digest;
        self.addresses.is_new(words[0]) || renamed
    }
}

/// Places that an address may have. Once a task exits, it cannot be decided again.
const NEIGHBOURS: usize = 8;

/// Decisions on addresses, in the place that the address gives, or one behind it. Addresses are even: the lowest bit is
/// the decision.
#[derive(Debug)]
pub(super) struct Chosen<const PLACES: usize>(Box<[AtomicU64]>);

impl<const PLACES: usize> Chosen<PLACES> {
    fn new() -> Self {
        Self((0..PLACES).map(|_| AtomicU64::new(0)).collect())
    }

    /// The place of an address, and those behind it, which it may have if that one is taken.
    fn places(&self, address: u64) -> impl Iterator<Item = &AtomicU64> {
        let first = AddressCache::<PLACES>::slot(address);
        (first..first + NEIGHBOURS).map(|place| &self.0[place % PLACES])
    }

    /// What was decided; none if nothing was, or if other addresses have taken the places.
    pub(super) fn get(&self, address: u64) -> Option<bool> {
        let mut decided = self.places(address).map(|place| place.load(Ordering::Relaxed));
        decided.find(|decided| decided & !1 == address).map(|decided| decided & 1 != 0)
    }

    /// Keeps a decision.
    pub(super) fn set(&self, address: u64, chosen: bool) {
        let place_of =
            |key: u64| self.places(address).find(|place| place.load(Ordering::Relaxed) & !1 == key);
        let place = place_of(address).or_else(|| place_of(0)).or_else(|| self.places(address).next());
        if let Some(place) = place {
            place.store(address | u64::from(chosen), Ordering::Relaxed);
        }
    }

    pub(super) fn forget(&self, address: u64) {
        let has = |place: &&AtomicU64| place.load(Ordering::Relaxed) & !1 == address;
        self.places(address).filter(has).for_each(|place| place.store(0, Ordering::Relaxed));
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
        let is_new = |of: &AddressCaches, address| of.tasks.is_new(&[address, 7, 7, 1, 2]);
        assert!(!addresses.tasks.knows(64));
        assert!(is_new(&addresses, 64) && !is_new(&addresses, 64) && addresses.tasks.knows(64));
        assert_eq!(addresses.chosen.get(64), None);
        addresses.chosen.set(64, true);
        addresses.chosen.set(4096, false);
        assert_eq!((addresses.chosen.get(64), addresses.chosen.get(4096)), (Some(true), Some(false)));
        for same_choice in [true, false] {
            let later = AddressCaches::new();
            later.restore(&addresses.save(), same_choice);
            assert_eq!((is_new(&later, 64), is_new(&later, 128)), (false, true));
            assert_eq!(later.chosen.get(64), same_choice.then_some(true));
        }
        addresses.forget_task(64);
        assert!(!addresses.tasks.knows(64) && is_new(&addresses, 64));
        assert_eq!((addresses.chosen.get(64), addresses.chosen.get(4096)), (None, Some(false)));
    }

    #[test]
    fn a_task_is_new_if_its_address_its_ids_or_its_name_are() {
        let addresses = AddressCaches::new();
        for at in 0..5 {
            let mut words = [64, 7, 7, 1, 2];
            addresses.tasks.is_new(&words);
            words[at] += 64;
            assert!(addresses.tasks.is_new(&words) && !addresses.tasks.is_new(&words), "{at}");
        }
    }

    #[test]
    fn decisions_on_addresses_of_one_place_are_kept() {
        let chosen = Chosen::<64>::new();
        let slot = AddressCache::<64>::slot;
        let same: Vec<u64> =
            (1..).map(|n| n * 64).filter(|at| slot(*at) == slot(64)).take(NEIGHBOURS).collect();
        same.iter().for_each(|address| chosen.set(*address, address % 128 == 0));
        assert!(same.iter().all(|address| chosen.get(*address) == Some(address % 128 == 0)));
        chosen.set(same[1], true);
        chosen.forget(same[0]);
        assert_eq!((chosen.get(same[0]), chosen.get(same[1])), (None, Some(true)));
    }
}
