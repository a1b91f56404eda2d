//! What the plugin keeps because of the guest, and how much that may be: `memory=` of its arguments, 64 MiB if not given.
//!
//! In: bytes that are to be kept. Out: whether there is room for them; how many things were left out for want of it.
//!
//! | kept | bytes | until |
//! |---|---|---|
//! | a function of a module | 128 and its name | its module is unloaded |
//! | the same with `mode=full` | another 400, its name and its module's | QEMU ends: translated code may refer to it |
//! | a module | 512 | it is unloaded |
//! | a probe in a module | 512, 160 a word and 32 an argument | QEMU ends |
//! | an instruction that may access a device | 192 | QEMU ends |
//! | an address that was named, or not | 32 | its module is unloaded |
//! | a translated block, where translated code counts | 32 and 2 an instruction | QEMU has thrown all blocks away twice |
//! | code that is looked through for jumps | its length, and 8 a jump | that is done |
//!
//! Besides, at most 8,192 modules are kept at a time, 262,144 addresses of functions that were named and as many return
//! addresses; and at most 16,777,216 symbols of modules are read in a session, so that modules that are loaded again and
//! again do not take all the time. What is left out for that is counted as the rest is.
//!
//! The rest does not grow with what the guest does: tables of fixed size of open calls, and of tasks, functions and
//! return addresses that were met; at most 65,471 numbers of probes; 1 MiB of records for each vCPU and four more; at
//! most 1,024 definitions in each of at most nine messages to the writer's thread. That keeps 1 MiB of definitions, a
//! block of events and one of landmarks for each vCPU, and for the file's index about 64 bytes of each 65,536 events.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Bytes that may be kept, if nothing else is asked for.
pub const DEFAULT: usize = 64 << 20;
/// Symbols of modules that may be read.
const SYMBOLS: u64 = 1 << 24;

/// What is kept, and may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Functions of modules: they have no probes, and addresses in them no names.
    Function,
    /// Modules: nothing of them is known when they are unloaded.
    Module,
    /// Instructions that may access devices: what they access is not recorded.
    Device,
    /// Addresses that events mention: they have no names.
    Address,
    /// Translated blocks: where they are left early, the clock is not corrected.
    Block,
    /// Functions whose code is not looked through for jumps: returns may be missing.
    Code,
}

/// Names of what was left out, in the order of [`Kept`].
const NAMES: [&str; 6] = [
    "functions of modules",
    "modules",
    "instructions that may access devices",
    "names of addresses",
    "corrections of the clock",
    "functions that may end in a jump",
];

/// The room, of all vCPUs together.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    used: AtomicUsize,
    /// Symbols of modules that were read.
    symbols: AtomicU64,
    left_out: [AtomicU64; NAMES.len()],
    /// Something was left out, and nobody has been told yet.
    news: AtomicBool,
}

impl Budget {
    /// Room for as many bytes.
    pub fn new(limit: usize) -> Self {
        let (used, symbols) = (AtomicUsize::new(0), AtomicU64::new(0));
        Self { limit, used, symbols, left_out: Default::default(), news: AtomicBool::new(false) }
    }

    /// Takes room. False if there is none: then it is to be left out, and is counted.
    pub fn take(&self, kept: Kept, bytes: usize) -> bool {
        let add = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.limit);
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok();
        if !taken {
            self.leave_out(kept, 1);
        }
        taken
    }

    /// So many things are left out.
    pub fn leave_out(&self, kept: Kept, count: u64) {
        let before: u64 = self.left_out.iter().map(|count| count.load(Ordering::Relaxed)).sum();
        self.left_out[kept as usize].fetch_add(count, Ordering::Relaxed);
        if before == 0 && count != 0 {
            self.news.store(true, Ordering::Relaxed);
        }
    }

    /// How many of a module's symbols may be read; the others are counted as functions that are left out.
    pub fn read_symbols(&self, count: u64) -> u64 {
        let before = self.symbols.fetch_add(count, Ordering::Relaxed);
        let allowed = SYMBOLS.saturating_sub(before).min(count);
        self.leave_out(Kept::Function, count - allowed);
        allowed
    }

    /// Gives room back that was taken.
    pub fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Mebibytes that may be kept.
    pub fn mebibytes(&self) -> usize {
        self.limit >> 20
    }

    /// Whether something was left out for the first time since this was last asked.
    pub fn has_news(&self) -> bool {
        self.news.load(Ordering::Relaxed) && self.news.swap(false, Ordering::Relaxed)
    }

    /// What was left out, and how much of it; none if nothing was.
    pub fn left_out(&self) -> Option<String> {
        let counts = self.left_out.iter().map(|count| count.load(Ordering::Relaxed)).zip(NAMES);
        let told: Vec<_> =
            counts.filter(|(count, _)| *count != 0).map(|(count, name)| format!("{count} {name}")).collect();
        (!told.is_empty()).then(|| told.join(", "))
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(DEFAULT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_counted_and_told_once() {
        let budget = Budget::new(100);
        assert!(budget.take(Kept::Function, 60) && budget.take(Kept::Device, 40) && !budget.has_news());
        assert_eq!(budget.left_out(), None);
        assert!(!budget.take(Kept::Function, 1) && budget.has_news() && !budget.has_news());
        budget.give_back(40);
        assert!(budget.take(Kept::Address, 40) && !budget.take(Kept::Address, usize::MAX));
        budget.leave_out(Kept::Function, 6);
        assert!(!budget.has_news());
        assert_eq!([SYMBOLS - 5, 9].map(|count| budget.read_symbols(count)), [SYMBOLS - 5, 5]);
        assert_eq!(budget.left_out().as_deref(), Some("11 functions of modules, 1 names of addresses"));
    }
}
