//! Traces that no guest makes: a million of what could make an analysis slow, in a file of some KiB.
//!
//! Events are written as they come, in blocks as large as the writer makes them.

use iotrace_format::definition::by_name;
use iotrace_format::definition::{AddressName, At, Definition, Probe, Success, TraceInfo};
use iotrace_format::event::{Event, FIRST_PROBE, MARK, TASK};
use iotrace_format::stage::Stage;
use iotrace_format::trace::writer::TraceWriter;

/// The task that runs unless another one is set.
pub const TASK_A: u64 = 0xffff_8880_0000_1000;
pub const TASK_B: u64 = 0xffff_8880_0000_2000;
/// `preempt_count` of an interrupt handler, of a softirq.
pub const HARDIRQ: u32 = 0x1_0000;
/// `REQ_OP_WRITE`.
pub const WRITE: u64 = 1;
/// Address of `bio_chain_endio`.
pub const CHAIN_END: u64 = 0xffff_ffff_8100_0000;

/// A trace that is being made.
pub struct Crafted {
    writer: TraceWriter<Vec<u8>>,
    next: u16,
    /// Clock of the last event.
    pub clock: u64,
    pub vcpu: u16,
    pub task: u64,
    pub stack: u64,
    pub context: u32,
}

impl Default for Crafted {
    fn default() -> Self {
        Self::of_vcpus(1)
    }
}

impl Crafted {
    pub fn of_vcpus(vcpus: u32) -> Self {
        let mut writer = TraceWriter::new(Vec::new()).unwrap();
        let info = TraceInfo { vcpus, icount_shift: Some(2), ..TraceInfo::default() };
        let end = AddressName { address: CHAIN_END, name: "bio_chain_endio".into() };
        writer.definitions(&[Definition::Trace(info), Definition::Symbol(end)]).unwrap();
        Self { writer, next: FIRST_PROBE, clock: 0, vcpu: 0, task: TASK_A, stack: 0, context: 0 }
    }

    pub fn define(&mut self, definition: Definition) {
        self.writer.definitions(&[definition]).unwrap();
    }

    /// A probe that a stage is told by, of a function named after it; its number.
    pub fn probe(&mut self, stage: &str, at: At, words: &[&str]) -> u16 {
        self.probe_of(&stage.replace('.', "_"), stage, at, words)
    }

    /// A probe of a function; its number.
    pub fn probe_of(&mut self, function: &str, stage: &str, at: At, words: &[&str]) -> u16 {
        let words = Vec::from_iter(words.iter().map(|word| (*word).to_owned()));
        let known = by_name::stage(stage);
        let roles = by_name::roles(&words, known.as_ref());
        let label = if known.is_none() { stage.to_owned() } else { String::new() };
        self.define_probe(Probe {
            function: function.into(),
            stage: known,
            label,
            roles,
            at,
            words,
            ..Probe::default()
        })
    }

    /// A probe under the next number.
    pub fn define_probe(&mut self, probe: Probe) -> u16 {
        let id = self.next;
        self.next += 1;
        let success = match (probe.at, &probe.stage) {
            (At::Exit, Some(Stage::RequestMerge | Stage::TaskWake)) => Some(Success::NonZero),
            (At::Exit, Some(Stage::MergeBack)) => Some(Success::Equals(0)),
            _ => None,
        };
        self.define(Definition::Probe(Probe { id, symbol: probe.function.clone(), success, ..probe }));
        id
    }

    /// Probes of the entry and the exit of a function.
    pub fn call(&mut self, stage: &str, words: &[&str]) -> (u16, u16) {
        (self.probe(stage, At::Entry, words), self.probe(stage, At::Exit, &["ret"]))
    }

    /// The same of one that tells no stage.
    pub fn plain_call(&mut self, function: &str) -> (u16, u16) {
        (self.probe_of(function, "", At::Entry, &[]), self.probe_of(function, "", At::Exit, &["ret"]))
    }

    /// An event, an instruction after the one before.
    pub fn event(&mut self, kind: u16, words: &[u64]) {
        self.clock += 1;
        let Self { clock, vcpu, task, stack, context, .. } = *self;
        self.writer.event(&Event { kind, vcpu, clock, context, task, stack, words }).unwrap();
    }

    pub fn mark(&mut self, code: u64) {
        self.event(MARK.id, &[code, 0]);
    }

    pub fn name_task(&mut self, task: u64, pid: u64) {
        self.event(TASK.id, &[task, pid, pid, u64::from_le_bytes(*b"dd\0\0\0\0\0\0"), 0]);
    }

    /// The file.
    pub fn file(self) -> Vec<u8> {
        self.writer.finish().unwrap()
    }
}
