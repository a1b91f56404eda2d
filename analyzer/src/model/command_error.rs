//! Why a command failed, and what the error handler did for it.

use super::Attempt;
use bincode::{Decode, Encode};
use serde::Serialize;
use std::fmt;

/// Names of the sense keys, by their numbers (SPC-4, table 49; drivers/scsi/constants.c).
const KEYS: [&str; 16] = [
    "No Sense",
    "Recovered Error",
    "Not Ready",
    "Medium Error",
    "Hardware Error",
    "Illegal Request",
    "Unit Attention",
    "Data Protect",
    "Blank Check",
    "Vendor Specific",
    "Copy Aborted",
    "Aborted Command",
    "Equal",
    "Volume Overflow",
    "Miscompare",
    "Completed",
];

/// Bit of the response code that is not part of it: the information field is valid.
const VALID: u8 = 0x80;

/// The sense data with which a device answers a command that it does not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Encode, Decode)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct Sense {
    /// Sense key.
    pub key: u8,
    /// Additional sense code.
    pub asc: u8,
    /// Additional sense code qualifier.
    pub ascq: u8,
}

impl Sense {
    /// From the first 16 bytes of a sense buffer, fixed (response codes 0x70, 0x71) or of descriptors (0x72, 0x73);
    /// none if it is neither (`scsi_normalize_sense`).
    #[must_use]
    pub fn from_buffer(buffer: &[u8; 16]) -> Option<Self> {
        let (key, asc, ascq) = match buffer[0] & !VALID {
            0x70 | 0x71 => (buffer[2], buffer[12], buffer[13]),
            0x72 | 0x73 => (buffer[1], buffer[2], buffer[3]),
            _ => return None,
        };
        Some(Self { key: key & 0xf, asc, ascq })
    }

    /// Name of the sense key.
    #[must_use]
    pub fn name(self) -> &'static str {
        KEYS[usize::from(self.key & 0xf)]
    }
}

impl fmt::Display for Sense {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, asc, ascq } = self;
        write!(f, "{} {key:x}/{asc:02x}/{ascq:02x}", self.name())
    }
}

/// Why a command failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Encode, Decode)]
pub enum ErrorCause {
    /// The device said why.
    Sense(Sense),
    /// The SCSI result (`scsi_cmnd.result`), not 0: without sense data.
    Result(u64),
    /// It was not completed in time.
    Timeout,
}

/// What the error handler does for a command that failed, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Encode, Decode)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RecoveryStep {
    /// The command is not completed in time.
    Timeout,
    /// The command is aborted.
    Abort,
    /// The command is handed to the error handler.
    ErrorHandler,
    /// The device is reset.
    ResetDevice,
    /// The target is reset.
    ResetTarget,
    /// The bus is reset.
    ResetBus,
    /// The host adapter is reset.
    ResetHost,
}

impl RecoveryStep {
    /// What happened, in words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Abort => "abort",
            Self::ErrorHandler => "error handler",
            Self::ResetDevice => "device reset",
            Self::ResetTarget => "target reset",
            Self::ResetBus => "bus reset",
            Self::ResetHost => "host reset",
        }
    }
}

/// A step of the recovery of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct RecoveryMark {
    /// What was done.
    pub step: RecoveryStep,
    /// When, in instructions.
    pub clock: u64,
}

/// A command that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct CommandError {
    /// Number of the command.
    pub command: u64,
    /// Why.
    pub cause: ErrorCause,
    /// What was done for it, in order.
    pub recovery: Vec<RecoveryStep>,
}

impl CommandError {
    /// Those of some attempts, by the commands' numbers.
    pub fn of<'a>(attempts: impl IntoIterator<Item = &'a Attempt>) -> Vec<Self> {
        let mut errors = Vec::from_iter(attempts.into_iter().filter_map(Attempt::command_error));
        errors.sort_by_key(|error| error.command);
        errors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(bytes: &[(usize, u8)]) -> [u8; 16] {
        let mut buffer = [0xee; 16];
        bytes.iter().for_each(|(at, byte)| buffer[*at] = *byte);
        buffer
    }

    #[test]
    fn sense_data_is_read_in_both_formats() {
        for (bytes, text) in [
            (&[(0, 0x70), (2, 0x03), (12, 0x11), (13, 0)][..], "Medium Error 3/11/00"),
            (&[(0, 0xf0), (2, 0x63), (12, 0x11), (13, 0x0b)], "Medium Error 3/11/0b"),
            (&[(0, 0x71), (2, 0x0b), (12, 0), (13, 0x06)], "Aborted Command b/00/06"),
            (&[(0, 0x72), (1, 0x06), (2, 0x29), (3, 0)], "Unit Attention 6/29/00"),
            (&[(0, 0x73), (1, 0xf4), (2, 0x44), (3, 1)], "Hardware Error 4/44/01"),
        ] {
            let sense = Sense::from_buffer(&buffer(bytes)).map(|sense| sense.to_string());
            assert_eq!(sense.as_deref(), Some(text));
        }
    }

    #[test]
    fn what_is_no_sense_data_is_not_taken_for_it() {
        for code in [0, 0x6f, 0x74, 0x7f, 0x80, 0xff] {
            assert_eq!(Sense::from_buffer(&buffer(&[(0, code)])), None, "{code:#x}");
        }
    }
}
