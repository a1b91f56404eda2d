//! What is wrong with the plugin's arguments, and what they may be.

use super::USAGE;
use crate::choice::ChoiceError;
use crate::window::WindowError;
use iotrace_format::layer::Layer;
use thiserror::Error;

/// The plugin's arguments cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ArgsError {
    /// A name alone; QEMU makes `name=on` of it.
    #[error("argument {name:?} has no value; usage: {}", USAGE)]
    NoValue {
        /// Its name.
        name: String,
    },
    /// No argument has this name.
    #[error("there is no argument {name:?}; usage: {}", USAGE)]
    UnknownName {
        /// The name.
        name: String,
    },
    /// An argument without which nothing can be traced.
    #[error("argument {name:?} is missing; usage: {}", USAGE)]
    Missing {
        /// Its name.
        name: &'static str,
    },
    /// `mode=` something else.
    #[error(
        "mode={value}: it can be thin (no arguments) or full (all functions of the kernel); without it, the functions \
         of the catalog are recorded with their arguments"
    )]
    Mode {
        /// What it is.
        value: String,
    },
    /// `mmio=` something else.
    #[error("mmio={value}: it can only be all; without it, what drivers access is recorded")]
    Mmio {
        /// What it is.
        value: String,
    },
    /// `mmio=all` against `capture=`.
    #[error("mmio=all: capture= leaves mmio out; add +mmio to it")]
    MmioLeftOut,
    /// `capture=` with a word that it does not have.
    #[error(
        "capture={value}: {word:?} is neither a layer ({}) nor mmio nor interrupts",
        Layer::names(Layer::CATALOG)
    )]
    Capture {
        /// The whole value.
        value: String,
        /// The word.
        word: String,
    },
    /// The file that an argument names is not there.
    #[error("{name}={value}: there is no such file")]
    NoFile {
        /// The argument's name.
        name: String,
        /// The file.
        value: String,
    },
    /// The folder that an argument names is not there.
    #[error("{name}={value}: there is no such folder")]
    NoFolder {
        /// The argument's name.
        name: String,
        /// The folder.
        value: String,
    },
    /// `memory=` is no number of MiB.
    #[error("memory={value}: it must be a number of MiB, as 64")]
    Memory {
        /// What it is.
        value: String,
    },
    /// `note=` without a key.
    #[error("note={value}: it must be KEY:VALUE")]
    Note {
        /// What it is.
        value: String,
    },
    /// `from=` or `only=`.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// `window=`.
    #[error(transparent)]
    Window(#[from] WindowError),
}
