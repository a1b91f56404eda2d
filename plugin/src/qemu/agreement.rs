//! What the plugin reads in QEMU's own objects, and whether the plugin API agrees with it.
//!
//! In: what was found to differ. Out: once on each thread, that it did. From then on the API alone is used for that.

use std::cell::Cell;

/// Something that is read in QEMU's own objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum PrivateRead {
    /// A vCPU's registers.
    Registers = 1,
    /// Guest memory that is mapped once.
    Resident = 2,
    /// Guest memory, and that it is memory.
    Memory = 4,
}

impl PrivateRead {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Registers, Self::Resident, Self::Memory];

    /// What the plugin does instead.
    pub fn fallback(self) -> &'static str {
        match self {
            Self::Registers => {
                "registers in QEMU's objects are not those of the plugin API: reading them through the API, which is \
                 slower"
            }
            Self::Resident => {
                "guest memory mapped from QEMU is not that of the plugin API: reading it through the API, which is \
                 slower"
            }
            Self::Memory => {
                "QEMU's map of memory and devices is not what the plugin API reads: reading through the API; where the \
                 guest has a pointer to a device, the read may change the device"
            }
        }
    }
}

thread_local! {
    /// Bits of those that were found to differ and not reported yet.
    static NEWS: Cell<u8> = const { Cell::new(0) };
}

/// The API does not agree.
pub(super) fn disagrees(what: PrivateRead) {
    NEWS.set(NEWS.get() | what as u8);
}

/// What was found to differ on this thread since this was last asked.
pub fn take_fallbacks() -> impl Iterator<Item = PrivateRead> {
    let news = NEWS.take();
    PrivateRead::ALL.into_iter().filter(move |what| news & *what as u8 != 0)
}
