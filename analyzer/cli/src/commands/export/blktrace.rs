//! Files of blktrace, one for each device, as blkparse and btt read them: `sda.blktrace.0`.
//!
//! In: what the kernel's block tracepoints would have reported; some of it comes late, and is put in order. Out: `struct
//! blk_io_trace` (include/uapi/linux/blktrace_api.h), 48 bytes in the byte order of a little-endian machine, with what follows
//! it; before the first event of a task, its name.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | magic and version |
//! | 4 | 4 | sequence: from 1, by time |
//! | 8 | 8 | virtual nanoseconds; guest instructions without icount |
//! | 16 | 8 | sector |
//! | 24 | 4 | bytes |
//! | 28 | 4 | action, and its categories |
//! | 32 | 4 | thread id |
//! | 36 | 4 | device: 12 bits major, 20 bits minor |
//! | 40 | 4 | CPU |
//! | 44 | 2 | error |
//! | 46 | 2 | bytes that follow |

use super::format::{ExportFormat, FormatOptions};
use super::output::{ExportFile, ExportTarget, FirstError};
use super::reorder::Reorder;
use anyhow::{Result, bail};
use iotrace::analysis::records::{RecordNeeds, RecordScope, RecordSink};
use iotrace::hash::Map;
use iotrace::model::{Bio, BlockEvent, BlockKind, Comm, Op, OpName, major_minor};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, Write};
use std::path::PathBuf;

/// `BLK_IO_TRACE_MAGIC | BLK_IO_TRACE_VERSION`.
const MAGIC: u32 = 0x6561_7400 | 0x07;
/// Bytes of `struct blk_io_trace`.
const SIZE: usize = 48;
/// `BLK_TN_PROCESS`: the name of a task.
const PROCESS: u32 = category(Category::Notify);
/// Names of tasks of a device that are kept; of others the name is written before each event.
const NAMES: usize = 1 << 16;

/// `enum blktrace_cat`: the numbers of their bits.
#[derive(Clone, Copy)]
enum Category {
    Read = 0,
    Write = 1,
    Flush = 2,
    Sync = 3,
    Queue = 4,
    Requeue = 5,
    Issue = 6,
    Complete = 7,
    Fs = 8,
    Passthrough = 9,
    Notify = 10,
    Ahead = 11,
    Meta = 12,
    Discard = 13,
    Fua = 15,
}

/// `BLK_TC_ACT`.
const fn category(category: Category) -> u32 {
    1 << (16 + category as u32)
}

/// Begins an export.
///
/// # Errors
/// If there is no directory, or conditions are on what block events do not have.
pub fn begin(options: &FormatOptions<'_>, target: &ExportTarget<'_>) -> Result<impl ExportFormat + use<>> {
    let conditions = &options.query.conditions;
    let others = [
        (conditions.file.is_some(), "--file"),
        (conditions.fd.is_some(), "--fd"),
        (conditions.syscall.is_some(), "--syscall"),
        (conditions.layer.is_some(), "--layer"),
        (conditions.elapsed.is_some(), "--elapsed"),
    ];
    if let Some((_, option)) = others.iter().find(|(given, _)| *given) {
        bail!(
            "{option} does not apply to block events: use --task, --op, --sector, --size, --clock or --time"
        );
    }
    let folder = target.directory("the files of blktrace")?;
    Ok(BlktraceExport {
        folder,
        devices: BTreeMap::new(),
        names: BTreeMap::new(),
        error: FirstError::default(),
    })
}

/// Files that are being written, by device.
struct BlktraceExport {
    folder: PathBuf,
    devices: BTreeMap<u64, DeviceFile>,
    /// The kernel's names of devices.
    names: BTreeMap<u64, String>,
    error: FirstError,
}

/// The file of a device.
struct DeviceFile {
    out: ExportFile,
    /// Events that may not be in order yet.
    pending: Reorder<BlockEvent>,
    sequence: u32,
    written: u64,
    names: Map<u32, Comm>,
}

impl DeviceFile {
    fn new(out: ExportFile) -> Self {
        Self { out, pending: Reorder::default(), sequence: 0, written: 0, names: Map::default() }
    }

    fn add(&mut self, event: BlockEvent, scope: &RecordScope) -> io::Result<()> {
        let first = self.pending.push(event.clock, event);
        first.map_or(Ok(()), |(_, event)| self.write_event(event, scope))
    }

    fn write_all(&mut self, scope: &RecordScope) -> io::Result<()> {
        while let Some((_, event)) = self.pending.pop() {
            self.write_event(event, scope)?;
        }
        Ok(())
    }

    fn write_event(&mut self, event: BlockEvent, scope: &RecordScope) -> io::Result<()> {
        let comm = event.task.comm;
        if self.names.get(&event.task.pid) != Some(&comm) {
            if self.names.len() < NAMES {
                self.names.insert(event.task.pid, comm);
            }
            let (first, second) = comm.words();
            let name = [first.to_le_bytes(), second.to_le_bytes()].concat();
            let process = BlockEvent { sector: 0, sectors: 0, ..event };
            self.write(&process, PROCESS, &name, scope)?;
        }
        let rest = event.sectors.to_be_bytes();
        let split = event.kind == BlockKind::Split;
        let bytes = if split { 0 } else { event.sectors };
        self.written += 1;
        let event = BlockEvent { sectors: bytes, ..event };
        self.write(&event, action(&event), if split { &rest } else { &[] }, scope)
    }

    fn write(
        &mut self,
        event: &BlockEvent,
        action: u32,
        after: &[u8],
        scope: &RecordScope,
    ) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let (major, minor) = major_minor(event.dev);
        let bytes = u32::try_from(event.sectors.saturating_mul(512)).unwrap_or(u32::MAX);
        let mut record = [0; SIZE];
        let mut put = |at: usize, value: &[u8]| record[at..at + value.len()].copy_from_slice(value);
        put(0, &MAGIC.to_le_bytes());
        put(4, &self.sequence.to_le_bytes());
        put(8, &scope.at(event.clock).to_le_bytes());
        put(16, &event.sector.to_le_bytes());
        put(24, &bytes.to_le_bytes());
        put(28, &action.to_le_bytes());
        put(32, &event.task.pid.to_le_bytes());
        put(36, &((major << 20 | minor) as u32).to_le_bytes());
        put(46, &(after.len() as u16).to_le_bytes());
        self.out.write_all(&record)?;
        self.out.write_all(after)
    }
}

/// The action of an event, with its categories (`__blk_add_trace`, kernel/trace/blktrace.c).
fn action(event: &BlockEvent) -> u32 {
    let (number, of_kind) = match event.kind {
        BlockKind::BioQueue => (1, Some(Category::Queue)),
        BlockKind::BackMerge | BlockKind::RqMerge => (2, Some(Category::Queue)),
        BlockKind::FrontMerge => (3, Some(Category::Queue)),
        BlockKind::GetRq => (4, Some(Category::Queue)),
        BlockKind::RqRequeue => (6, Some(Category::Requeue)),
        BlockKind::RqIssue => (7, Some(Category::Issue)),
        BlockKind::RqComplete | BlockKind::BioComplete => (8, Some(Category::Complete)),
        BlockKind::RqInsert => (12, Some(Category::Queue)),
        BlockKind::Split => (13, None),
    };
    let of_request = matches!(
        event.kind,
        BlockKind::RqMerge
            | BlockKind::RqInsert
            | BlockKind::RqIssue
            | BlockKind::RqRequeue
            | BlockKind::RqComplete
    );
    let layer = if event.op.is_passthrough() { Category::Passthrough } else { Category::Fs };
    let all = of_kind.into_iter().chain(of_request.then_some(layer)).chain(categories(event.op));
    all.fold(number, |action, bit| action | category(bit))
}

/// The categories of an operation.
fn categories(op: Op) -> impl Iterator<Item = Category> {
    let Op { name, preflush, fua, ahead, sync, meta } = op;
    let writes = matches!(
        name,
        OpName::Write
            | OpName::Discard
            | OpName::SecureErase
            | OpName::WriteZeroes
            | OpName::WriteSame
            | OpName::DriverOut
    );
    let discards = matches!(name, OpName::Discard | OpName::SecureErase);
    [
        (true, if writes { Category::Write } else { Category::Read }),
        (sync, Category::Sync),
        (ahead, Category::Ahead),
        (meta, Category::Meta),
        (preflush || name == OpName::Flush, Category::Flush),
        (fua, Category::Fua),
        (discards, Category::Discard),
    ]
    .into_iter()
    .filter_map(|(holds, category)| holds.then_some(category))
}

impl RecordSink for BlktraceExport {
    fn needs(&self) -> RecordNeeds {
        // The names of devices are in bios.
        RecordNeeds { objects: true, block_events: true, ..RecordNeeds::default() }
    }

    fn bio(&mut self, bio: &Bio, _: &RecordScope) {
        if let Some(name) = &bio.device {
            self.names.entry(bio.dev).or_insert_with(|| name.to_string());
        }
    }

    fn block_event(&mut self, event: &BlockEvent, scope: &RecordScope) {
        let Self { folder, devices, error, .. } = self;
        error.attempt(|| {
            let device = match devices.entry(event.dev) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => {
                    let file = ExportFile::create(&folder.join(file_name(event.dev, None)));
                    place.insert(DeviceFile::new(file.map_err(io::Error::other)?))
                }
            };
            device.add(*event, scope)
        });
    }

    fn finish(&mut self, scope: &RecordScope) {
        for device in self.devices.values_mut() {
            self.error.attempt(|| device.write_all(scope));
        }
    }

    fn is_complete(&self) -> bool {
        self.error.is_some()
    }
}

/// The name of the file of a device: by its name, without what ends a path, or its number.
fn file_name(dev: u64, name: Option<&String>) -> String {
    let (major, minor) = major_minor(dev);
    let number = || format!("{major}_{minor}");
    let plain = |name: &&String| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let name = name.filter(|name| !name.is_empty()).filter(plain).cloned();
    format!("{}.blktrace.0", name.unwrap_or_else(number))
}

impl ExportFormat for BlktraceExport {
    fn close(mut self: Box<Self>) -> Result<u64> {
        self.error.check()?;
        let mut written = 0;
        for (dev, device) in self.devices {
            written += device.written;
            device.out.close_as(&self.folder.join(file_name(dev, self.names.get(&dev))))?;
        }
        Ok(written)
    }
}
