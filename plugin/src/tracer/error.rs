//! Why a guest cannot be traced: what QEMU prints before it ends.

use super::profile::LoadError;
use crate::args::ArgsError;
use crate::choice::ChoiceError;
use crate::state::StateError;
use crate::writer::StartError;
use iotrace_arch::KNOWN;
use thiserror::Error;

/// The plugin cannot be installed.
#[derive(Debug, Error)]
pub enum InstallError {
    /// QEMU emulates another processor, or runs a single program.
    #[error(
        "the guest is {target}{}; iotrace traces {} only",
        if *system { "" } else { " (user mode)" },
        KNOWN.iter().map(|arch| arch.qemu).collect::<Vec<_>>().join(", ")
    )]
    Guest {
        /// The processor, as QEMU calls it.
        target: String,
        /// A whole system.
        system: bool,
    },
    /// The kernel is of another processor.
    #[error(
        "the guest is {guest}, but kernel= is a kernel for {profile}: specify the vmlinux of the guest's \
         kernel"
    )]
    Arch {
        /// The guest's processor.
        guest: &'static str,
        /// The kernel's.
        profile: String,
    },
    /// The arguments.
    #[error(transparent)]
    Args(#[from] ArgsError),
    /// The kernel profile.
    #[error(transparent)]
    Profile(#[from] LoadError),
    /// What is asked for is not in this kernel.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// The state to go on from.
    #[error(transparent)]
    State(#[from] StateError),
    /// The trace.
    #[error(transparent)]
    Writer(#[from] StartError),
}
