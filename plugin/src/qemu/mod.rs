//! The edge to QEMU. Everything that is `unsafe` or differs between versions of the plugin API is in
//! this folder; what leaves it is safe.
//!
//! - `abi`: the handshake over the API's version, and the C functions whose signatures changed.
//! - `entry`: what QEMU calls.
//! - `block`: a block being translated.
//! - `cpu`: registers and memory of the vCPU that is in a callback.
//! - `registers`: the registers where QEMU keeps them.
//! - `resident`: guest memory that is read again and again.
//! - `memory`: guest memory, and nothing else that may be in its pages.
//! - `agreement`: whether what is read in QEMU's own objects is what the API says.
//! - `clock`: the count of executed instructions, ours and QEMU's.
//! - `vcpus`: which vCPU a callback is of.
//! - `per_vcpu`: state that belongs to one vCPU.
//! - `host`: signals and output.
//! - `fake`, `heap`: for unit tests, a QEMU, and what they allocate.

mod abi;
mod agreement;
mod block;
mod clock;
mod cpu;
mod entry;
#[cfg(test)]
pub mod fake;
#[cfg(test)]
pub mod heap;
mod host;
mod memory;
mod per_vcpu;
mod registers;
mod resident;
mod vcpus;

pub use agreement::take_fallbacks;
pub use block::{Instruction, TranslationBlock};
pub use clock::{Counter, Icount, VirtualClock};
pub use cpu::{Cpu, arch, set_arch};
pub use entry::{GuestInfo, Instrument, MemoryAccess};
pub use host::{block_signals, inform, report};
pub use per_vcpu::PerVcpu;
pub use resident::Resident;
