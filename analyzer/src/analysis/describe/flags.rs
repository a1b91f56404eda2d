//! Sets of flags by name, as the kernel's headers define them.
//!
//! In: a value. Out: its flags' names with `|` between them, what has no name in hexadecimal; `0` without any. Numbers
//! that differ between kernels are not among them.

use crate::model::ErrorCause;

/// The names of some bits; of bits that are in several, the first name counts.
type FlagNames = &'static [(u64, &'static str)];

/// `f_flags` and the argument of open: include/uapi/asm-generic/fcntl.h.
pub const OPEN: FlagNames = &[
    (0o1, "O_WRONLY"),
    (0o2, "O_RDWR"),
    (0o100, "O_CREAT"),
    (0o200, "O_EXCL"),
    (0o400, "O_NOCTTY"),
    (0o1000, "O_TRUNC"),
    (0o2000, "O_APPEND"),
    (0o4000, "O_NONBLOCK"),
    (0o4_010_000, "O_SYNC"),
    (0o10000, "O_DSYNC"),
    (0o20000, "FASYNC"),
    (0o40000, "O_DIRECT"),
    (0o100_000, "O_LARGEFILE"),
    (0o20_200_000, "O_TMPFILE"),
    (0o200_000, "O_DIRECTORY"),
    (0o400_000, "O_NOFOLLOW"),
    (0o1_000_000, "O_NOATIME"),
    (0o2_000_000, "O_CLOEXEC"),
    (0o10_000_000, "O_PATH"),
];

/// The mode of fallocate: include/uapi/linux/falloc.h.
pub const FALLOCATE: FlagNames = &[
    (0x01, "KEEP_SIZE"),
    (0x02, "PUNCH_HOLE"),
    (0x04, "NO_HIDE_STALE"),
    (0x08, "COLLAPSE_RANGE"),
    (0x10, "ZERO_RANGE"),
    (0x20, "INSERT_RANGE"),
    (0x40, "UNSHARE_RANGE"),
];

/// The flags of sync_file_range: include/uapi/linux/fs.h.
pub const SYNC_FILE_RANGE: FlagNames = &[(1, "WAIT_BEFORE"), (2, "WRITE"), (4, "WAIT_AFTER")];

/// The flags of msync: include/uapi/asm-generic/mman-common.h.
pub const MSYNC: FlagNames = &[(1, "MS_ASYNC"), (2, "MS_INVALIDATE"), (4, "MS_SYNC")];

/// The flags of io_uring_enter: include/uapi/linux/io_uring.h.
pub const IO_URING_ENTER: FlagNames = &[
    (0x01, "GETEVENTS"),
    (0x02, "SQ_WAKEUP"),
    (0x04, "SQ_WAIT"),
    (0x08, "EXT_ARG"),
    (0x10, "REGISTERED_RING"),
];

/// The states of tasks that are the same in all kernels: include/linux/sched.h.
pub const TASK_STATE: FlagNames =
    &[(1, "INTERRUPTIBLE"), (2, "UNINTERRUPTIBLE"), (4, "STOPPED"), (8, "TRACED")];

/// The names of the flags that are set.
pub fn names(mut value: u64, flags: FlagNames) -> String {
    if value == 0 {
        return "0".to_owned();
    }
    let mut set = Vec::new();
    for (bits, name) in flags {
        if value & bits == *bits {
            set.push((*name).to_owned());
            value &= !bits;
        }
    }
    if value != 0 {
        set.push(format!("{value:#x}"));
    }
    set.join("|")
}

/// The result of a SCSI command: host byte by name, message and status (include/scsi/scsi_status.h, scsi_proto.h).
pub fn scsi_result(value: u64) -> String {
    const HOST: [&str; 21] = [
        "OK",
        "NO_CONNECT",
        "BUS_BUSY",
        "TIME_OUT",
        "BAD_TARGET",
        "ABORT",
        "PARITY",
        "ERROR",
        "RESET",
        "BAD_INTR",
        "PASSTHROUGH",
        "SOFT_ERROR",
        "IMM_RETRY",
        "REQUEUE",
        "TRANSPORT_DISRUPTED",
        "TRANSPORT_FAILFAST",
        "TARGET_FAILURE",
        "NEXUS_FAILURE",
        "ALLOC_FAILURE",
        "MEDIUM_ERROR",
        "TRANSPORT_MARGINAL",
    ];
    let byte = |shift: u32| value >> shift & 0xff;
    let named = |number: u64| match number {
        0x02 => Some("CHECK_CONDITION"),
        0x04 => Some("CONDITION_MET"),
        0x08 => Some("BUSY"),
        0x18 => Some("RESERVATION_CONFLICT"),
        0x28 => Some("TASK_SET_FULL"),
        0x30 => Some("ACA_ACTIVE"),
        0x40 => Some("TASK_ABORTED"),
        _ => None,
    };
    let mut parts = Vec::new();
    if byte(16) != 0 {
        let name = usize::try_from(byte(16)).ok().and_then(|at| HOST.get(at));
        parts.push(name.map_or_else(|| format!("host:{:#x}", byte(16)), |name| format!("DID_{name}")));
    }
    for (part, shift) in [("driver", 24), ("message", 8)] {
        if byte(shift) != 0 {
            parts.push(format!("{part}:{:#x}", byte(shift)));
        }
    }
    if byte(0) != 0 {
        parts.push(named(byte(0)).map_or_else(|| format!("status:{:#x}", byte(0)), str::to_owned));
    }
    if parts.is_empty() { "GOOD".to_owned() } else { parts.join("|") }
}

/// Why a command failed, in words.
#[must_use]
pub fn error_cause(cause: ErrorCause) -> String {
    match cause {
        ErrorCause::Sense(sense) => sense.to_string(),
        ErrorCause::Result(result) => scsi_result(result),
        ErrorCause::Timeout => "timeout".to_owned(),
    }
}

/// `blk_status_t` by name, as far as all kernels that have it agree (include/linux/blk_types.h); before 4.13 an error.
pub fn block_status(value: u64) -> String {
    const NAMES: [&str; 13] = [
        "NOTSUPP",
        "TIMEOUT",
        "NOSPC",
        "TRANSPORT",
        "TARGET",
        "NEXUS",
        "MEDIUM",
        "PROTECTION",
        "RESOURCE",
        "IOERR",
        "DM_REQUEUE",
        "AGAIN",
        "DEV_RESOURCE",
    ];
    let number = value as u32 as i32;
    let name = usize::try_from(number).ok().and_then(|at| NAMES.get(at.checked_sub(1)?));
    match name {
        Some(name) => format!("{number}({name})"),
        None => super::meaning::signed(number.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_named_and_what_has_no_name_is_left() {
        for (value, flags, expected) in [
            (0, OPEN, "0"),
            (0o100_001, OPEN, "O_WRONLY|O_LARGEFILE"),
            (0o140_002, OPEN, "O_RDWR|O_DIRECT|O_LARGEFILE"),
            (0o4_010_000, OPEN, "O_SYNC"),
            (0o10_000, OPEN, "O_DSYNC"),
            (0x8000_0001, OPEN, "O_WRONLY|0x80000000"),
            (3, FALLOCATE, "KEEP_SIZE|PUNCH_HOLE"),
            (3, TASK_STATE, "INTERRUPTIBLE|UNINTERRUPTIBLE"),
            (0x109, TASK_STATE, "INTERRUPTIBLE|TRACED|0x100"),
        ] {
            assert_eq!(names(value, flags), expected);
        }
    }

    #[test]
    fn results_and_states_are_named() {
        for (value, expected) in [
            (0, "GOOD"),
            (2, "CHECK_CONDITION"),
            (0x402, "message:0x4|CHECK_CONDITION"),
            (0x1_00ff, "DID_NO_CONNECT|status:0xff"),
            (0x0803_0000, "DID_TIME_OUT|driver:0x8"),
            (0xff_0000, "host:0xff"),
        ] {
            assert_eq!(scsi_result(value), expected);
        }
        for (value, expected) in [(0, "0"), (10, "10(IOERR)"), (14, "14"), (0xffff_fffb, "-5(EIO)")] {
            assert_eq!(block_status(value), expected);
        }
    }
}
