//! Layers of the I/O path: where in the kernel a function is.

/// The layers of the I/O path, from the system call to the hardware and back, in the order that views
/// present them.
pub const LAYERS: &[&str] = &[
    "syscall",
    "vfs",
    "page-cache",
    "filesystem",
    "writeback",
    "block",
    "scsi",
    "driver",
    "irq",
    "softirq",
    "sched",
    "kernel",
    OTHER,
];

/// The layer of functions that are not of the catalog.
pub const OTHER: &str = "other";

/// The layers that functions of the catalog are in: all but [`OTHER`], the last.
pub const CATALOG_LAYERS: &[&str] = match LAYERS {
    [of_catalog @ .., _] => of_catalog,
    [] => LAYERS,
};
