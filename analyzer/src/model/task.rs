//! Tasks of the guest.

use super::name::name_of_bytes;
use bincode::{Decode, Encode};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// `task_struct.comm`: up to 16 bytes, ended by a zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Encode, Decode)]
pub struct Comm([u8; 16]);

impl Comm {
    /// From the two little-endian words of a task event.
    #[must_use]
    pub fn from_words(first: u64, second: u64) -> Self {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&first.to_le_bytes());
        bytes[8..].copy_from_slice(&second.to_le_bytes());
        Self(bytes)
    }

    /// From text; what is over 16 bytes is left out.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
        Self(bytes)
    }

    /// As text. A name is the guest's to choose: nothing in it drives a terminal.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        let text = name_of_bytes(&self.0);
        match text.contains(char::is_control) {
            false => text,
            true => text.replace(char::is_control, "?").into(),
        }
    }

    /// The two words of a task event.
    #[must_use]
    pub fn words(self) -> (u64, u64) {
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| self.0[at + i]));
        (word(0), word(8))
    }
}

impl fmt::Display for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text())
    }
}

impl Serialize for Comm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

/// A task, under the name it had at the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Encode, Decode)]
pub struct Task {
    /// Address of its `task_struct`.
    pub address: u64,
    /// Thread id.
    pub pid: u32,
    /// Process id.
    pub tgid: u32,
    /// Name.
    pub comm: Comm,
}

impl Task {
    /// Whether its name and its ids are known; the idle task has the thread id 0.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.pid != 0 || self.comm != Comm::default()
    }
}
