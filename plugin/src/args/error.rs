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
    #[error("argument {name:?} without a value; usage: {}", USAGE)]
    NoValue {
        /// Its name.
        name: String,
    },
    /// No argument has this name.
    #[error("unknown argument {name:?}; usage: {}", USAGE)]
    UnknownName {
        /// The name.
        name: String,
    },
    /// An argument without which nothing can be traced.
    #[error("missing argument {name:?}; usage: {}", USAGE)]
    Missing {
        /// Its name.
        name: &'static str,
    },
    /// `mode=` something else.
    #[error(
        "mode={value}: expected thin (no arguments) or full (all kernel functions); default: catalog \
         functions with arguments"
    )]
    Mode {
        /// What it is.
        value: String,
    },
    /// `mmio=` something else.
    #[error("mmio={value}: expected all; default: accesses of drivers")]
    Mmio {
        /// What it is.
        value: String,
    },
    /// `mmio=all` against `capture=`.
    #[error("mmio=all: capture= excludes mmio; add +mmio")]
    MmioLeftOut,
    /// `capture=` with a word that it does not have.
    #[error(
        "capture={value}: {word:?} is not a layer ({}), mmio or interrupts",
        Layer::names(Layer::CATALOG)
    )]
    Capture {
        /// The whole value.
        value: String,
        /// The word.
        word: String,
    },
    /// The file that an argument names is not there.
    #[error("{name}={value}: no such file")]
    NoFile {
        /// The argument's name.
        name: String,
        /// The file.
        value: String,
    },
    /// The folder that an argument names is not there.
    #[error("{name}={value}: no such directory")]
    NoFolder {
        /// The argument's name.
        name: String,
        /// The folder.
        value: String,
    },
    /// `memory=` is no number of MiB.
    #[error("memory={value}: expected a number of MiB, such as 64")]
    Memory {
        /// What it is.
        value: String,
    },
    /// `note=` without a key.
    #[error("note={value}: expected KEY:VALUE")]
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
