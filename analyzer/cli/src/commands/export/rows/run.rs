//! What a trace says about the run that it is of.

use super::{RecordTable, Row};
use iotrace::Session;
use iotrace::analysis::records::RecordsEnd;
use iotrace::analysis::workload;
use iotrace::reader::definitions;
use iotrace_format::trace::reader::ReadError;
use schemars::JsonSchema;
use serde::Serialize;

/// The run that the trace is of: one row.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct RunRow {
    /// What the trace is recognized by: the same for copies of it.
    trace: String,
    /// Release of the kernel.
    release: Option<String>,
    /// The kernel's version, as it prints it.
    banner: String,
    /// Build-id of the kernel, hexadecimal.
    build_id: Option<String>,
    /// The workload, as the recording names it.
    workload_name: Option<String>,
    /// Exit status of the workload, if it failed.
    workload_status: Option<i64>,
    /// The controller that the guest had.
    controller: Option<String>,
    /// The file system.
    file_system: Option<String>,
    /// Who served the guest's requests: host, instant.
    disk: Option<String>,
    /// Version of QEMU.
    qemu: Option<String>,
    /// vCPUs.
    vcpus: u32,
    /// When the workload began; null without a mark.
    begin_clock: Option<u64>,
    /// When the workload began.
    begin_ns: Option<u64>,
    /// When the workload ended; null without a mark.
    end_clock: Option<u64>,
    /// When the workload ended.
    end_ns: Option<u64>,
    /// Guest instructions of the workload, in all contexts.
    instructions: Option<u64>,
    /// Time of the workload.
    elapsed_ns: Option<u64>,
    /// Where the trace is truncated or damaged, and why; null if it is whole.
    lost: Option<String>,
}

impl Row for RunRow {
    const TABLE: RecordTable = RecordTable::Runs;
}

impl RunRow {
    /// The row of a trace.
    ///
    /// # Errors
    /// If the trace cannot be read.
    pub fn new(session: &Session, end: &RecordsEnd) -> Result<Self, ReadError> {
        let (definitions, times) = (definitions(session)?, session.times()?);
        let marks = workload(&times.marks);
        let (begin, over) = (marks.map(|(begin, _)| begin), marks.and_then(|(_, end)| end));
        let ns = |clock: Option<u64>| clock.and_then(|clock| times.time.ns(clock));
        let note = |key: &str| definitions.note(key).map(str::to_owned);
        let build_id: String = definitions.trace.build_id.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self {
            trace: run_name(session),
            release: definitions.release().map(str::to_owned),
            banner: definitions.trace.banner.clone(),
            build_id: Some(build_id).filter(|id| !id.is_empty()),
            workload_name: note("workload"),
            workload_status: note("workload status").and_then(|status| status.parse().ok()),
            controller: note("controller"),
            file_system: note("file system"),
            disk: note("disk"),
            qemu: note("qemu"),
            vcpus: definitions.trace.vcpus,
            begin_clock: begin,
            begin_ns: ns(begin),
            end_clock: over,
            end_ns: ns(over),
            instructions: begin.zip(over).map(|(begin, end)| end.saturating_sub(begin)),
            elapsed_ns: begin.zip(over).and_then(|(begin, end)| times.time.between(begin, end)),
            lost: end.lost.clone(),
        })
    }
}

/// What a trace is called among others. It begins with a word, so that no engine takes it for a number.
pub fn run_name(session: &Session) -> String {
    format!("trace-{:016x}", session.fingerprint())
}
