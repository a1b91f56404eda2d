//! Operations and their flags, from `bi_opf` and `cmd_flags`.

use rustc_hash::FxHashMap;
use std::fmt;

/// Bits of `bi_opf` that hold the operation (`REQ_OP_BITS`).
const OP_MASK: u64 = 0xff;

/// What is done to the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OpName {
    /// Read sectors.
    Read,
    /// Write sectors.
    Write,
    /// Empty the device's cache.
    Flush,
    /// Give sectors up.
    Discard,
    /// Erase sectors for good.
    SecureErase,
    /// Fill sectors with zeroes.
    WriteZeroes,
    /// Anything about zones.
    Zone,
    /// A driver's or a user's own command, reading.
    DriverIn,
    /// A driver's or a user's own command, writing.
    DriverOut,
    /// An operation this version does not know.
    Other(u8),
}

impl fmt::Display for OpName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read => f.pad("read"),
            Self::Write => f.pad("write"),
            Self::Flush => f.pad("flush"),
            Self::Discard => f.pad("discard"),
            Self::SecureErase => f.pad("secure-erase"),
            Self::WriteZeroes => f.pad("write-zeroes"),
            Self::Zone => f.pad("zone"),
            Self::DriverIn => f.pad("driver-in"),
            Self::DriverOut => f.pad("driver-out"),
            Self::Other(code) => f.pad(&format!("op-{code}")),
        }
    }
}

/// An operation with the flags that blktrace shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Op {
    /// Operation.
    pub name: OpName,
    /// Flush the device's cache first.
    pub preflush: bool,
    /// Force unit access: be on the medium when it is done.
    pub fua: bool,
    /// Read-ahead.
    pub ahead: bool,
    /// Somebody waits.
    pub sync: bool,
    /// A file system's own data.
    pub meta: bool,
}

impl Op {
    /// An operation without flags.
    #[must_use]
    pub fn plain(name: OpName) -> Self {
        Self { name, preflush: false, fua: false, ahead: false, sync: false, meta: false }
    }

    /// Not a file system's request: it has no sector.
    #[must_use]
    pub fn is_passthrough(self) -> bool {
        matches!(self.name, OpName::DriverIn | OpName::DriverOut)
    }

    /// The letters of `blk_fill_rwbs` (kernel/trace/blktrace.c).
    #[must_use]
    pub fn rwbs(self) -> String {
        let name = match self.name {
            OpName::Write => "W",
            OpName::Discard => "D",
            OpName::SecureErase => "DE",
            OpName::Flush => "F",
            OpName::Read => "R",
            _ => "N",
        };
        let letter = |set: bool, letter| if set { letter } else { "" };
        [
            letter(self.preflush, "F"),
            name,
            letter(self.fua, "F"),
            letter(self.ahead, "A"),
            letter(self.sync, "S"),
            letter(self.meta, "M"),
        ]
        .concat()
    }
}

/// The values that operations and flags have in this kernel.
#[derive(Debug, Clone)]
pub struct OpCodes {
    names: FxHashMap<u8, OpName>,
    preflush: u32,
    fua: u32,
    ahead: u32,
    sync: u32,
    meta: u32,
}

impl Default for OpCodes {
    /// Those of 6.1 (include/linux/blk_types.h), for a trace that does not tell.
    fn default() -> Self {
        let names = [
            (0, OpName::Read),
            (1, OpName::Write),
            (2, OpName::Flush),
            (3, OpName::Discard),
            (5, OpName::SecureErase),
            (9, OpName::WriteZeroes),
            (34, OpName::DriverIn),
            (35, OpName::DriverOut),
        ];
        Self { names: names.into_iter().collect(), preflush: 18, fua: 17, ahead: 19, sync: 11, meta: 12 }
    }
}

impl OpCodes {
    /// Takes in an enumerator of this kernel; others than operations and flags are passed over.
    pub fn define(&mut self, name: &str, value: i64) {
        let Ok(value) = u8::try_from(value) else { return };
        let bit = u32::from(value);
        match name {
            "__REQ_PREFLUSH" => self.preflush = bit,
            "__REQ_FUA" => self.fua = bit,
            "__REQ_RAHEAD" => self.ahead = bit,
            "__REQ_SYNC" => self.sync = bit,
            "__REQ_META" => self.meta = bit,
            _ => {
                if let Some(op) = op_name(name) {
                    let several = matches!(op, OpName::Zone | OpName::DriverIn | OpName::DriverOut);
                    self.names.retain(|_, known| *known != op || several);
                    self.names.insert(value, op);
                }
            }
        }
    }

    /// The operation that `bi_opf` or `cmd_flags` holds.
    #[must_use]
    pub fn decode(&self, opf: u64) -> Op {
        let code = (opf & OP_MASK) as u8;
        let name = self.names.get(&code).copied().unwrap_or(OpName::Other(code));
        let flag = |bit: u32| opf.checked_shr(bit).is_some_and(|shifted| shifted & 1 != 0);
        Op {
            name,
            preflush: flag(self.preflush),
            fua: flag(self.fua),
            ahead: flag(self.ahead),
            sync: flag(self.sync),
            meta: flag(self.meta),
        }
    }
}

fn op_name(constant: &str) -> Option<OpName> {
    Some(match constant {
        "REQ_OP_READ" => OpName::Read,
        "REQ_OP_WRITE" => OpName::Write,
        "REQ_OP_FLUSH" => OpName::Flush,
        "REQ_OP_DISCARD" => OpName::Discard,
        "REQ_OP_SECURE_ERASE" | "REQ_OP_SECURE_DISCARD" => OpName::SecureErase,
        "REQ_OP_WRITE_ZEROES" => OpName::WriteZeroes,
        "REQ_OP_DRV_IN" => OpName::DriverIn,
        "REQ_OP_DRV_OUT" => OpName::DriverOut,
        // 5.10's own operations for passthrough SCSI commands; nothing but their name differs.
        "REQ_OP_SCSI_IN" => OpName::DriverIn,
        "REQ_OP_SCSI_OUT" => OpName::DriverOut,
        name if name.starts_with("REQ_OP_ZONE_") => OpName::Zone,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_those_of_blktrace() {
        let codes = OpCodes::default();
        for (opf, letters) in [
            (0, "R"),
            (1 | 1 << 11, "WS"),
            (1 | 1 << 18 | 1 << 17 | 1 << 11 | 1 << 12, "FWFSM"),
            (2 | 1 << 18, "FF"),
            (1 << 19, "RA"),
            (3, "D"),
            (5, "DE"),
            (34, "N"),
            (200, "N"),
        ] {
            assert_eq!(codes.decode(opf).rwbs(), letters, "{opf:#x}");
        }
    }

    #[test]
    fn a_kernels_own_values_are_taken() {
        let mut codes = OpCodes::default();
        codes.define("REQ_OP_DISCARD", 77);
        codes.define("__REQ_SYNC", 40);
        assert_eq!(codes.decode(77 | 1 << 40).rwbs(), "DS");
        assert_eq!(codes.decode(3).name, OpName::Other(3));
    }
}
