//! What catalog files are about, and the controllers whose drivers they have.

use bincode::{Decode, Encode};
use serde::Deserialize;

/// A catalog file: a part of the I/O path.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct CatalogPart {
    /// What it is about, as views print it; a file's name if the file has no title.
    pub title: String,
    /// Names of its functions.
    pub functions: Vec<String>,
}

/// A controller that QEMU emulates, and its driver.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Encode, Decode)]
#[serde(deny_unknown_fields)]
pub struct Controller {
    /// QEMU's names for it, as `-device` takes them.
    pub qemu: Vec<String>,
    /// Module of the driver; empty if the catalog has none of it.
    #[serde(default)]
    pub module: String,
    /// Functions with which a command comes in and with which the interrupt of its completion begins; of each list the first
    /// that a kernel has.
    #[serde(default)]
    pub entry: Vec<String>,
    /// See `entry`.
    #[serde(default)]
    pub interrupt: Vec<String>,
    /// Name of the device whose registers have the doorbell, or the function that is one.
    #[serde(default)]
    pub doorbell: String,
    /// Why QEMU's replays with it fail, or some of them; empty if they do not.
    #[serde(default)]
    pub replay: String,
    /// No replay works, not only some.
    #[serde(default)]
    pub live_only: bool,
}
