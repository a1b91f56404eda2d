//! Builds traces by hand, for tests: what a guest would have done, call by call.
//!
//! Probes are defined as they are used, one for each stage, side and set of words.
#![allow(dead_code, missing_docs, unused_imports)] // each test uses its part

mod failing;

pub use failing::failing;

mod files;

pub use files::*;

mod reuse;

pub use reuse::{CHILD, reused};

mod way;

pub use way::{changed_write, direct_write};

use iotrace_format::definition::by_name;
use iotrace_format::definition::{
    AddressName, At, Constant, Definition, Device, DeviceRegister, Layout, Probe, Success, TraceInfo,
};
use iotrace_format::event::{self, Event, FIRST_PROBE};
use iotrace_format::trace::writer::TraceWriter;
use std::collections::BTreeMap;

pub const TASK: u64 = 0xffff_8880_0000_1000;
pub const SDA: u64 = 8 << 20;
pub const WRITE: u64 = 1;
pub const SYNC: u64 = 1 << 11;
pub const FUA: u64 = 1 << 17;
pub const PREFLUSH: u64 = 1 << 18;
pub const DRV_IN: u64 = 34;
pub const HARDIRQ: u32 = 0x1_0000;
pub const SOFTIRQ: u32 = 0x100;
pub const BELL: u64 = 0xfebf_0014;
const CHAIN_END: u64 = 0xffff_ffff_8100_0000;

#[derive(Clone)]
pub struct Owned {
    pub kind: u16,
    pub clock: u64,
    pub context: u32,
    pub task: u64,
    pub stack: u64,
    pub words: Vec<u64>,
}

impl Owned {
    pub fn event(&self) -> Event<'_> {
        let Self { kind, clock, context, task, stack, words } = self;
        let (kind, clock, context, task, stack) = (*kind, *clock, *context, *task, *stack);
        Event { kind, vcpu: 0, clock, context, task, stack, words }
    }
}

/// A bio or a request, as events see it.
#[derive(Clone, Copy)]
pub struct Extent {
    pub sector: u64,
    pub bytes: u64,
    pub op: u64,
}

pub fn io(sector: u64, bytes: u64, op: u64) -> Extent {
    Extent { sector, bytes, op }
}

#[derive(Clone)]
pub struct SyntheticGuest {
    pub definitions: Vec<Definition>,
    pub events: Vec<Owned>,
    pub context: u32,
    pub task: u64,
    /// Stack pointer of the calls to come; 0 if it is of no interest.
    pub stack: u64,
    kinds: BTreeMap<(String, bool, Vec<String>), u16>,
}

impl Default for SyntheticGuest {
    fn default() -> Self {
        let info = TraceInfo {
            writer: "synthetic".into(),
            target: iotrace_arch::FIRST.name.into(),
            plugin_api: 4,
            vcpus: 1,
            icount_shift: Some(2),
            banner: "Linux version 6.1.0".into(),
            build_id: vec![0xab, 0xcd],
            slide: 0,
            notes: vec![("workload".into(), "synthetic".into())],
            layout: Layout::default(),
        };
        let bell = DeviceRegister {
            name: "ISTAT".into(),
            bar: 1,
            offset: 0x14,
            width: 1,
            doorbell: true,
            mask: 0x20,
        };
        let registers = vec![bell];
        let device = Device { name: "lsi53c895a".into(), vendor: 0x1000, device: 0x12, registers };
        let chain = AddressName { address: CHAIN_END, name: "bio_chain_endio".into() };
        let discard = Constant { name: "REQ_OP_DISCARD".into(), value: 3 };
        let mut guest = Self {
            definitions: vec![
                Definition::Trace(info),
                Definition::Device(device),
                Definition::Symbol(chain),
                Definition::Constant(discard),
            ],
            events: Vec::new(),
            context: 0,
            task: TASK,
            stack: 0,
            kinds: BTreeMap::new(),
        };
        let comm = u64::from_le_bytes(*b"dd\0\0\0\0\0\0");
        guest.raw(0, event::TASK.id, &[TASK, 42, 42, comm, 0]);
        guest.raw(0, event::CLOCK.id, &[0, 0]);
        let pci = [
            ("pci.vendor", 0x1000),
            ("pci.device", 0x12),
            ("pci.bar1", BELL - 0x14),
            ("pci.bar1_end", BELL + 99),
        ];
        guest.entry(1, "pci.enable", &pci);
        guest
    }
}

impl SyntheticGuest {
    pub fn raw(&mut self, clock: u64, kind: u16, words: &[u64]) {
        let (context, task, stack) = (self.context, self.task, self.stack);
        self.events.push(Owned { kind, clock, context, task, stack, words: words.to_vec() });
    }

    /// Does something at a level above tasks.
    pub fn at(&mut self, context: u32, work: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.context, context);
        work(self);
        self.context = before;
    }

    fn probe(&mut self, clock: u64, stage: &str, at: At, words: &[(&str, u64)]) {
        let names: Vec<_> = words.iter().map(|(name, _)| (*name).to_owned()).collect();
        let next = FIRST_PROBE + self.kinds.len() as u16;
        let kind = *self.kinds.entry((stage.to_owned(), at == At::Entry, names.clone())).or_insert(next);
        if kind == next {
            self.definitions.push(Definition::Probe(probe(kind, stage, at, names)));
        }
        let values: Vec<_> = words.iter().map(|(_, value)| *value).collect();
        self.raw(clock, kind, &values);
    }

    pub fn entry(&mut self, clock: u64, stage: &str, words: &[(&str, u64)]) {
        self.probe(clock, stage, At::Entry, words);
    }

    pub fn exit(&mut self, clock: u64, stage: &str, returned: u64) {
        self.probe(clock, stage, At::Exit, &[("ret", returned)]);
    }

    pub fn mark(&mut self, clock: u64, code: u64) {
        self.raw(clock, event::MARK.id, &[code, 0]);
    }

    pub fn queue(&mut self, clock: u64, bio: u64, io: Extent) {
        self.queue_as(clock, bio, io, &[("bio.traced", 0), ("bio.chained", 0), ("bio.remaining", 1)]);
    }

    pub fn queue_as(&mut self, clock: u64, bio: u64, io: Extent, more: &[(&str, u64)]) {
        let words = [&bio_words("bio", bio, io)[..], more].concat();
        self.entry(clock, "bio.queue", &words);
    }

    pub fn enter(&mut self, clock: u64, bio: u64, io: Extent) {
        self.entry(clock, "bio.enter", &[("bio", bio), ("bio.sector", io.sector), ("bio.size", io.bytes)]);
    }

    pub fn leave(&mut self, clock: u64) {
        self.exit(clock, "bio.enter", 0);
    }

    pub fn get(&mut self, clock: u64, rq: u64) {
        self.entry(clock - 1, "rq.get", &[]);
        self.exit(clock, "rq.get", rq);
    }

    /// Queues a bio and gets a request for it right away.
    pub fn submit(&mut self, clock: u64, bio: u64, rq: u64, io: Extent) {
        self.queue(clock, bio, io);
        self.enter(clock + 1, bio, io);
        self.get(clock + 10, rq);
        self.leave(clock + 11);
    }

    pub fn rq(&mut self, clock: u64, stage: &str, rq: u64, bio: u64, io: Extent) {
        self.rq_with(clock, stage, rq, bio, io, &[]);
    }

    pub fn rq_with(&mut self, clock: u64, stage: &str, rq: u64, bio: u64, io: Extent, more: &[(&str, u64)]) {
        let words = [
            ("rq", rq),
            ("rq.dev", SDA),
            ("rq.sector", io.sector),
            ("rq.size", io.bytes),
            ("rq.op", io.op),
            ("rq.bio", bio),
            ("rq.biotail", bio),
        ];
        self.entry(clock, stage, &[&words[..], more].concat());
    }

    pub fn merge(
        &mut self,
        clock: u64,
        stage: &str,
        (rq, at): (u64, Extent),
        (bio, io): (u64, Extent),
        merged: bool,
    ) {
        let words = [
            ("rq", rq),
            ("rq.dev", SDA),
            ("rq.sector", at.sector),
            ("rq.size", at.bytes),
            ("rq.op", at.op),
            ("bio", bio),
            ("bio.sector", io.sector),
            ("bio.size", io.bytes),
            ("bio.op", io.op),
        ];
        self.entry(clock - 1, stage, &words);
        self.exit(clock, stage, u64::from(!merged));
    }

    /// Issue at `clock`, driver at +1, command into the queue at +2, doorbell at +3.
    pub fn issue(&mut self, clock: u64, rq: u64, bio: u64, io: Extent) {
        self.entry(clock, "rq.dispatch", &[("data", 1), ("data.rq", rq)]);
        self.rq(clock, "rq.issue", rq, bio, io);
        self.entry(clock + 1, "cmd.dispatch", &[("cmd", rq + 0x200), ("cmd.rq", rq)]);
        self.entry(clock + 2, "cmd.start", &[("ccb", 1), ("ccb.cmd", rq + 0x200)]);
        self.bell(clock + 3);
        self.exit(clock + 3, "rq.dispatch", 0);
    }

    pub fn bell(&mut self, clock: u64) {
        self.raw(clock, event::MMIO_WRITE.id, &[BELL, 1, 0x20, 0]);
    }

    /// An interrupt at `clock` that finds commands done, at +2 and on.
    pub fn interrupt(&mut self, clock: u64, done: &[u64]) {
        self.entry(clock, "irq.entry", &[("vector", 38)]);
        self.at(HARDIRQ, |guest| {
            guest.entry(clock + 1, "irq.handler", &[("desc", 1), ("desc.irq", 11), ("desc.handler", 0x99)]);
            for (rq, at) in done.iter().zip(clock + 2..) {
                guest.entry(at, "cmd.done", &[("cmd", rq + 0x200), ("cmd.rq", *rq)]);
            }
        });
        self.exit(clock + 2 + done.len() as u64, "irq.entry", 0);
    }

    pub fn update(&mut self, clock: u64, rq: u64, bio: u64, io: Extent, bytes: u64) {
        self.rq_with(clock, "rq.update", rq, bio, io, &[("error", 0), ("bytes", bytes)]);
    }

    pub fn end(&mut self, clock: u64, bio: u64) {
        self.end_as(clock, bio, &[("bio.chained", 0), ("bio.remaining", 1)]);
    }

    pub fn end_as(&mut self, clock: u64, bio: u64, more: &[(&str, u64)]) {
        let words = [&[("bio", bio), ("bio.status", 0), ("bio.traced", 0)][..], more].concat();
        self.entry(clock, "bio.end", &words);
    }

    /// Completes a request of one bio: C at `clock`, E at +1, given back at +3.
    pub fn complete(&mut self, clock: u64, rq: u64, bio: u64, io: Extent) {
        self.update(clock, rq, bio, io, io.bytes);
        self.end(clock + 1, bio);
        self.entry(clock + 2, "rq.end", &[("rq", rq), ("error", 0)]);
        self.free(clock + 3, rq);
    }

    pub fn free(&mut self, clock: u64, rq: u64) {
        self.entry(clock, "rq.free", &[("rq", rq)]);
    }

    /// The words of a bio whose end completes `parent`.
    pub fn chained_to(parent: u64) -> [(&'static str, u64); 4] {
        [("bio.chained", 0), ("bio.remaining", 1), ("bio.end_io", CHAIN_END), ("bio.private", parent)]
    }

    /// The trace file.
    pub fn file(&self) -> Vec<u8> {
        self.file_in_blocks(16)
    }

    /// The trace file, with so many events in a block.
    pub fn file_in_blocks(&self, size: usize) -> Vec<u8> {
        let mut writer = TraceWriter::new(Vec::new()).unwrap();
        writer.definitions(&self.definitions).unwrap();
        for events in self.events.chunks(size) {
            events.iter().for_each(|owned| writer.event(&owned.event()).unwrap());
            writer.flush().unwrap();
        }
        writer.finish().unwrap()
    }
}

fn bio_words(name: &str, bio: u64, io: Extent) -> Vec<(&'static str, u64)> {
    assert_eq!(name, "bio");
    vec![("bio", bio), ("bio.dev", SDA), ("bio.sector", io.sector), ("bio.size", io.bytes), ("bio.op", io.op)]
}

/// A probe of the function of a stage, with words of these names.
pub fn probe(id: u16, stage: &str, at: At, words: Vec<String>) -> Probe {
    let success = match (at, stage) {
        (At::Exit, "rq.merge" | "rq.insert_merge" | "task.wake") => Some(Success::NonZero),
        (At::Exit, "merge.back" | "merge.front" | "merge.discard" | "rq.insert") => Some(Success::Equals(0)),
        _ => None,
    };
    let function = format!("{}_function", stage.replace('.', "_"));
    let known = by_name::stage(stage);
    Probe {
        id,
        at,
        symbol: function.clone(),
        function,
        module: stage.starts_with("cmd.").then(|| "sym53c8xx".to_owned()),
        address: 0xffff_ffff_8200_0000 + u64::from(id),
        layer: iotrace_format::layer::Layer::Block,
        roles: by_name::roles(&words, known.as_ref()),
        stage: known,
        label: String::new(),
        file: "block/blk-mq.c".into(),
        line: 100 + u32::from(id),
        words,
        success,
        returns: None,
        inside: Vec::new(),
    }
}

/// A workload of three bios: one alone, one merged into its request, and a read that is still in flight
/// when the trace ends.
pub fn small() -> SyntheticGuest {
    let (a, b, c) = (io(100, 4096, WRITE | SYNC), io(108, 4096, WRITE | SYNC), io(500, 512, 0));
    let mut guest = SyntheticGuest::default();
    guest.submit(50, 0xb0, 0xa000, io(7, 512, 0));
    guest.issue(80, 0xa000, 0xb0, io(7, 512, 0));
    guest.interrupt(90, &[0xa000]);
    guest.complete(95, 0xa000, 0xb0, io(7, 512, 0));
    guest.mark(100, event::MARK_BEGIN);
    guest.submit(1000, 0xb1, 0xa000, a);
    guest.rq(1020, "rq.plug", 0xa000, 0xb1, a);
    guest.queue(1100, 0xb2, b);
    guest.enter(1101, 0xb2, b);
    guest.merge(1150, "merge.back", (0xa000, a), (0xb2, b), true);
    guest.leave(1151);
    guest.rq(1200, "rq.insert", 0xa000, 0xb1, io(100, 8192, a.op));
    guest.issue(1300, 0xa000, 0xb1, io(100, 8192, a.op));
    guest.raw(1400, event::IDLE.id, &[]);
    guest.interrupt(1400, &[0xa000]);
    guest.raw(1450, event::CLOCK.id, &[1_000_000, 0]);
    guest.update(1500, 0xa000, 0xb1, io(100, 8192, a.op), 8192);
    guest.end(1510, 0xb1);
    guest.end(1520, 0xb2);
    guest.free(1530, 0xa000);
    guest.submit(1600, 0xb3, 0xa400, c);
    guest.mark(1700, event::MARK_END);
    guest.raw(1800, event::SHUTDOWN.id, &[1]);
    guest
}
