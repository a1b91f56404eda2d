//! What the CPU is in, from the kernel's `preempt_count`.

use bincode::{Decode, Encode};
use iotrace_format::event::UNKNOWN_CONTEXT;
use serde::Serialize;

/// What the CPU is in (include/linux/preempt.h).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Encode, Decode)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Not known: the count could not be read.
    #[default]
    Unknown,
    /// A task's own work.
    Task,
    /// A softirq is being served. Softirqs merely disabled do not count.
    Softirq,
    /// An interrupt handler.
    Hardirq,
    /// A non-maskable interrupt.
    Nmi,
}

impl Level {
    /// A `preempt_count` that tells this level: the reverse of [`Self::of`].
    #[must_use]
    pub fn preempt_count(self) -> u32 {
        match self {
            Self::Unknown => UNKNOWN_CONTEXT,
            Self::Task => 0,
            Self::Softirq => 0x100,
            Self::Hardirq => 0x1_0000,
            Self::Nmi => 0x10_0000,
        }
    }

    /// The level that a `preempt_count` tells.
    #[must_use]
    pub fn of(context: u32) -> Self {
        const NMI: u32 = 0x00f0_0000;
        const HARDIRQ: u32 = 0x000f_0000;
        // Serving adds 0x100 once; disabling adds 0x200 each time (SOFTIRQ_DISABLE_OFFSET).
        const SERVING: u32 = 0x0100;
        if context & UNKNOWN_CONTEXT != 0 {
            Self::Unknown
        } else if context & NMI != 0 {
            Self::Nmi
        } else if context & HARDIRQ != 0 {
            Self::Hardirq
        } else if context & SERVING != 0 {
            Self::Softirq
        } else {
            Self::Task
        }
    }

    /// Name, as views print it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Task => "task",
            Self::Softirq => "softirq",
            Self::Hardirq => "hardirq",
            Self::Nmi => "nmi",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_preempt_h() {
        for (count, level) in [
            (0, Level::Task),
            (0x8000_0003, Level::Task),
            (0x0000_0200, Level::Task),
            (0x0000_0100, Level::Softirq),
            (0x0000_0301, Level::Softirq),
            (0x0001_0100, Level::Hardirq),
            (0x0011_0000, Level::Nmi),
            (UNKNOWN_CONTEXT, Level::Unknown),
        ] {
            assert_eq!(Level::of(count), level, "{count:#x}");
        }
    }
}
