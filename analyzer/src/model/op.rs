//! Operations and their flags, from `bi_opf` (before 4.8 `bi_rw`) and `cmd_flags`.
//!
//! In: the kernel's enumerators, then values of these fields. Out: an `Op`. A kernel has one of three encodings
//! (include/linux/blk_types.h and blkdev.h): flags alone before 4.8, the operation in the topmost `REQ_OP_BITS` bits
//! of the field in 4.8 and 4.9, the operation in the lowest 8 bits from 4.10 on.

use bincode::{Decode, Encode};
use rustc_hash::FxHashMap;
use serde::{Serialize, Serializer};
use std::fmt;

/// `REQ_OP_BITS` from 4.10 on: the lowest bits hold the operation.
const LOW_OP_BITS: u32 = 8;
/// `REQ_OP_BITS` of 4.8 and 4.9: the topmost bits hold the operation.
const TOP_OP_BITS: u32 = 3;

/// What is done to the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
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
    /// Write the same block to many sectors; up to 5.17.
    WriteSame,
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
            Self::WriteSame => f.pad("write-same"),
            Self::Zone => f.pad("zone"),
            Self::DriverIn => f.pad("driver-in"),
            Self::DriverOut => f.pad("driver-out"),
            Self::Other(code) => f.pad(&format!("op-{code}")),
        }
    }
}

impl Serialize for OpName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An operation with the flags that blktrace shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Encode, Decode)]
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
            OpName::Write | OpName::WriteSame => "W",
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

/// The field that holds an operation: its width counts where the topmost bits have the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OpField {
    /// `bi_opf` of a bio.
    Bio,
    /// `cmd_flags` of a request.
    Request,
}

impl OpField {
    /// The field that a word holds, by its name in the catalog: `bio.op`, `rq.op`.
    #[must_use]
    pub fn of_word(name: &str) -> Self {
        match name.rsplit('.').nth(1) {
            Some("rq" | "next") => Self::Request,
            _ => Self::Bio,
        }
    }

    /// Its width in 4.8 and 4.9: `unsigned int bi_opf`, `u64 cmd_flags`.
    fn bits(self) -> u32 {
        match self {
            Self::Bio => 32,
            Self::Request => 64,
        }
    }
}

/// How a kernel encodes an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// Before 4.8: by the flags `REQ_WRITE`, `REQ_DISCARD`, `REQ_SECURE`, `REQ_WRITE_SAME`.
    Flags,
    /// 4.8 and 4.9: in the topmost bits.
    TopBits,
    /// From 4.10 on: in the lowest bits.
    LowBits,
}

/// The flags that make the operation before 4.8, as bit numbers.
#[derive(Debug, Clone, Copy, Default)]
struct OpFlags {
    write: Option<u32>,
    discard: Option<u32>,
    secure: Option<u32>,
    write_same: Option<u32>,
}

/// The values that operations and flags have in this kernel.
#[derive(Debug, Clone)]
pub struct OpCodes {
    names: FxHashMap<u8, OpName>,
    /// An enumerator of operations was defined.
    has_operations: bool,
    /// The bit of the first flag, `__REQ_FAILFAST_DEV`: from 4.10 on it follows the operation.
    first_flag: u32,
    flags: OpFlags,
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
        Self {
            names: names.into_iter().collect(),
            has_operations: false,
            first_flag: LOW_OP_BITS,
            flags: OpFlags::default(),
            preflush: 18,
            fua: 17,
            ahead: 19,
            sync: 11,
            meta: 12,
        }
    }
}

impl OpCodes {
    /// Takes in an enumerator of this kernel; others than operations and flags are passed over.
    pub fn define(&mut self, name: &str, value: i64) {
        let Ok(value) = u8::try_from(value) else { return };
        let bit = u32::from(value);
        match name {
            "__REQ_PREFLUSH" | "__REQ_FLUSH" => self.preflush = bit,
            "__REQ_FUA" => self.fua = bit,
            "__REQ_RAHEAD" => self.ahead = bit,
            "__REQ_SYNC" => self.sync = bit,
            "__REQ_META" => self.meta = bit,
            "__REQ_FAILFAST_DEV" => self.first_flag = bit,
            "__REQ_WRITE" => self.flags.write = Some(bit),
            "__REQ_DISCARD" => self.flags.discard = Some(bit),
            "__REQ_SECURE" => self.flags.secure = Some(bit),
            "__REQ_WRITE_SAME" => self.flags.write_same = Some(bit),
            _ => {
                if let Some(op) = op_name(name) {
                    self.define_operation(op, value);
                }
            }
        }
    }

    fn define_operation(&mut self, op: OpName, value: u8) {
        let several = matches!(op, OpName::Zone | OpName::DriverIn | OpName::DriverOut);
        let replaced = |code: &u8, known: &OpName| *code == value || *known == op && !several;
        self.names.retain(|code, known| !replaced(code, known));
        self.names.insert(value, op);
        self.has_operations = true;
    }

    fn encoding(&self) -> Encoding {
        // A distribution's 3.10 has names of operations as well, which stand for these flags.
        if self.flags.write.is_some() {
            Encoding::Flags
        } else if self.has_operations && self.first_flag < LOW_OP_BITS {
            Encoding::TopBits
        } else {
            Encoding::LowBits
        }
    }

    /// The operation that a bio's or a request's field holds.
    #[must_use]
    pub fn decode(&self, value: u64, field: OpField) -> Op {
        let name = match self.encoding() {
            Encoding::Flags => self.by_flags(value),
            Encoding::TopBits => {
                let field_value = value & u64::MAX >> (64 - field.bits());
                self.by_code((field_value >> (field.bits() - TOP_OP_BITS)) as u8)
            }
            Encoding::LowBits => self.by_code((value & ((1 << LOW_OP_BITS) - 1)) as u8),
        };
        Op {
            name,
            preflush: is_set(value, self.preflush),
            fua: is_set(value, self.fua),
            ahead: is_set(value, self.ahead),
            sync: is_set(value, self.sync),
            meta: is_set(value, self.meta),
        }
    }

    fn by_code(&self, code: u8) -> OpName {
        self.names.get(&code).copied().unwrap_or(OpName::Other(code))
    }

    /// A discard has the flag of a write as well, and so has what writes one block to many sectors.
    fn by_flags(&self, value: u64) -> OpName {
        let has = |bit: Option<u32>| bit.is_some_and(|bit| is_set(value, bit));
        let OpFlags { write, discard, secure, write_same } = self.flags;
        match (has(discard), has(write)) {
            (true, _) if has(secure) => OpName::SecureErase,
            (true, _) => OpName::Discard,
            (false, true) if has(write_same) => OpName::WriteSame,
            (false, true) => OpName::Write,
            (false, false) => OpName::Read,
        }
    }
}

fn is_set(value: u64, bit: u32) -> bool {
    value.checked_shr(bit).is_some_and(|shifted| shifted & 1 != 0)
}

fn op_name(constant: &str) -> Option<OpName> {
    Some(match constant {
        "REQ_OP_READ" => OpName::Read,
        "REQ_OP_WRITE" => OpName::Write,
        "REQ_OP_FLUSH" => OpName::Flush,
        "REQ_OP_DISCARD" => OpName::Discard,
        "REQ_OP_SECURE_ERASE" | "REQ_OP_SECURE_DISCARD" => OpName::SecureErase,
        "REQ_OP_WRITE_ZEROES" => OpName::WriteZeroes,
        "REQ_OP_WRITE_SAME" => OpName::WriteSame,
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
            assert_eq!(codes.decode(opf, OpField::Bio).rwbs(), letters, "{opf:#x}");
        }
    }

    fn codes(constants: &[(&str, i64)]) -> OpCodes {
        let mut codes = OpCodes::default();
        constants.iter().for_each(|(name, value)| codes.define(name, *value));
        codes
    }

    #[test]
    fn a_kernels_own_values_are_taken() {
        let codes = codes(&[("REQ_OP_DISCARD", 77), ("__REQ_SYNC", 40)]);
        assert_eq!(codes.decode(77 | 1 << 40, OpField::Request).rwbs(), "DS");
        assert_eq!(codes.decode(3, OpField::Bio).name, OpName::Other(3));
    }

    /// Enumerators and values of 3.10, where bi_rw and cmd_flags have the same flags.
    #[test]
    fn before_4_8_flags_make_the_operation() {
        let codes = codes(&[
            ("__REQ_WRITE", 0),
            ("__REQ_FAILFAST_DEV", 1),
            ("__REQ_SYNC", 4),
            ("__REQ_META", 5),
            ("__REQ_DISCARD", 7),
            ("__REQ_SECURE", 8),
            ("__REQ_WRITE_SAME", 9),
            ("__REQ_FUA", 11),
            ("__REQ_FLUSH", 12),
            ("__REQ_RAHEAD", 13),
        ]);
        for (value, name, letters) in [
            (0, OpName::Read, "R"),
            (1 << 13, OpName::Read, "RA"),
            (1 << 4 | 1 << 5, OpName::Read, "RSM"),
            (1, OpName::Write, "W"),
            // WRITE_SYNC: with REQ_NOIDLE, which has no letter
            (1 | 1 << 4 | 1 << 10, OpName::Write, "WS"),
            (1 | 1 << 4 | 1 << 10 | 1 << 11 | 1 << 12, OpName::Write, "FWFS"),
            (1 | 1 << 7, OpName::Discard, "D"),
            (1 | 1 << 7 | 1 << 8, OpName::SecureErase, "DE"),
            (1 | 1 << 9, OpName::WriteSame, "W"),
            // the request's own flags, as REQ_SORTED, have no letters
            (1 | 1 << 15 | 1 << 21 | 1 << 33, OpName::Write, "W"),
        ] {
            for field in [OpField::Bio, OpField::Request] {
                let op = codes.decode(value, field);
                assert_eq!((op.name, op.rwbs().as_str()), (name, letters), "{value:#x}");
            }
        }
    }

    /// 3.10.0-1160.el7 has operations whose values are masks of flags.
    #[test]
    fn flags_count_where_operations_are_other_names_of_them() {
        let flags = [("__REQ_WRITE", 0), ("__REQ_FAILFAST_DEV", 1), ("__REQ_SYNC", 4), ("__REQ_DISCARD", 7)];
        let operations = [("REQ_OP_READ", 0), ("REQ_OP_WRITE", 1), ("REQ_OP_DISCARD", 128)];
        let codes = codes(&[&flags[..], &operations].concat());
        for (value, letters) in [(0, "R"), (1 | 1 << 4, "WS"), (1 | 1 << 7, "D")] {
            for field in [OpField::Bio, OpField::Request] {
                assert_eq!(codes.decode(value, field).rwbs(), letters);
            }
        }
    }

    /// Enumerators and values of 4.8: 3 bits on top of 32 in a bio, of 64 in a request.
    #[test]
    fn in_4_8_the_topmost_bits_hold_the_operation() {
        let codes = codes(&[
            ("REQ_OP_READ", 0),
            ("REQ_OP_WRITE", 1),
            ("REQ_OP_DISCARD", 2),
            ("REQ_OP_SECURE_ERASE", 3),
            ("REQ_OP_WRITE_SAME", 4),
            ("REQ_OP_FLUSH", 5),
            ("__REQ_FAILFAST_DEV", 0),
            ("__REQ_SYNC", 3),
            ("__REQ_META", 4),
            ("__REQ_FUA", 8),
            ("__REQ_PREFLUSH", 9),
            ("__REQ_RAHEAD", 10),
        ]);
        for (operation, flags, letters) in [
            (0, 0, "R"),
            (0, 1 << 10, "RA"),
            (1, 1 << 3, "WS"),
            (1, 1 << 3 | 1 << 4 | 1 << 8 | 1 << 9, "FWFSM"),
            (2, 0, "D"),
            (3, 0, "DE"),
            (4, 0, "W"),
            (5, 1 << 9, "FF"),
        ] {
            let op: u64 = operation;
            assert_eq!(codes.decode(op << 29 | flags, OpField::Bio).rwbs(), letters);
            assert_eq!(codes.decode(op << 61 | flags, OpField::Request).rwbs(), letters);
        }
        // A flag of a request in the bits that are a bio's topmost.
        assert_eq!(codes.decode(1 << 29, OpField::Request).name, OpName::Read);
    }

    /// Enumerators and values of 4.10: what the codes were before means other things.
    #[test]
    fn from_4_10_the_lowest_bits_hold_the_operation() {
        let codes = codes(&[
            ("REQ_OP_READ", 0),
            ("REQ_OP_WRITE", 1),
            ("REQ_OP_FLUSH", 2),
            ("REQ_OP_DISCARD", 3),
            ("REQ_OP_SECURE_ERASE", 5),
            ("REQ_OP_WRITE_SAME", 7),
            ("REQ_OP_WRITE_ZEROES", 8),
            ("__REQ_FAILFAST_DEV", 8),
            ("__REQ_SYNC", 11),
            ("__REQ_PREFLUSH", 18),
        ]);
        for field in [OpField::Bio, OpField::Request] {
            assert_eq!(codes.decode(2 | 1 << 18, field).rwbs(), "FF");
            assert_eq!(codes.decode(5, field).rwbs(), "DE");
            assert_eq!(codes.decode(7, field).name, OpName::WriteSame);
            assert_eq!(codes.decode(1 | 1 << 11, field).rwbs(), "WS");
        }
    }

    #[test]
    fn words_tell_their_field() {
        for (word, field) in [
            ("bio.op", OpField::Bio),
            ("parent.op", OpField::Bio),
            ("rq.op", OpField::Request),
            ("next.op", OpField::Request),
        ] {
            assert_eq!(OpField::of_word(word), field, "{word}");
        }
    }
}
