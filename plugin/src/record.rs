//! Execution time: appends fixed-size records to a vCPU's buffer.
//!
//! In: a site that was hit. Out: records, see `layout`. Nothing here allocates,
//! formats or waits, except when a buffer is full.

mod addresses;
mod pages;
mod running;
mod values;

pub use addresses::{AddressCaches, SavedAddresses};

use crate::choice::{FieldTest, Only};
use crate::follow::follow;
use crate::layout;
use crate::qemu::{Cpu, Icount, MemoryAccess, VirtualClock};
use crate::site::{EntryProbe, ExitProbe};
use crate::writer::{BUFFER, Writer};
use bincode::{Decode, Encode};
use iotrace_format::event::{self, Builtin, Event, KindId, MAX_WORDS, ShutdownReason, UNKNOWN_CONTEXT};
use iotrace_profile::ContextAccess;
use iotrace_profile::plan::{EntryPlan, FieldSource};
use pages::PageRun;
use running::Running;
use std::sync::Arc;
pub use values::subject;
use values::{Arguments, Place, each_element, value};

/// What a record needs to know of the moment.
#[derive(Debug, Clone, Copy, Default)]
struct Moment {
    clock: u64,
    task: u64,
    stack: u64,
    context: u32,
}

/// An address that was recorded and is not defined in the trace yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undefined {
    /// Of a function.
    Symbol(u64),
    /// Behind a call.
    Site(u64),
}

/// A vCPU's last record, as it is kept in a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
pub struct LastRecord {
    task: u64,
    switched: bool,
    clock: u64,
    bias: Option<u64>,
}

/// One vCPU's records.
pub struct Recorder {
    vcpu: u16,
    writer: Arc<Writer>,
    buffer: Vec<u64>,
    context: ContextAccess,
    running: Running,
    only: Option<Only>,
    addresses: Arc<AddressCaches>,
    /// What was just recorded and has to be defined.
    undefined: [Option<Undefined>; 2],
    /// The task that ran last, for moments in which the kernel's per-CPU data is out of reach.
    task: u64,
    /// Another one ran before it, and may have given it another name.
    switched: bool,
    /// Clock of the last record: what is set right later does not go back behind it.
    last: u64,
    /// A full buffer was handed over.
    full: bool,
    /// Virtual time as last told.
    bias: Option<u64>,
    icount: Option<Icount>,
    /// QEMU's virtual clock, where it does not count instructions.
    elapsed: Option<VirtualClock>,
    /// What that was when it was last recorded, in nanoseconds.
    recorded: u64,
}

/// Nanoseconds between two records of the virtual clock of a guest whose instructions are not counted, at least: a request
/// to an emulated disk takes some hundred thousand.
const RESOLUTION: u64 = 4_000;

impl Recorder {
    /// A recorder for a vCPU.
    pub fn new(vcpu: u32, writer: Arc<Writer>, addresses: Arc<AddressCaches>) -> Self {
        Self {
            vcpu: vcpu as u16,
            writer,
            buffer: Vec::with_capacity(BUFFER),
            context: ContextAccess::default(),
            running: Running::default(),
            only: None,
            addresses,
            undefined: [None; 2],
            task: 0,
            switched: false,
            last: 0,
            full: false,
            bias: None,
            icount: None,
            elapsed: None,
            recorded: 0,
        }
    }

    /// The guest's kernel is known: from here on, tasks can be told.
    pub fn begin(&mut self, context: ContextAccess, only: Option<Only>, icount: Option<Icount>) {
        self.running = Running::new(&context);
        (self.context, self.only, self.icount) = (context, only, icount);
        self.elapsed = if icount.is_none() { VirtualClock::free() } else { None };
    }

    /// What the next record depends on.
    pub fn save(&self) -> LastRecord {
        LastRecord { task: self.task, switched: self.switched, clock: self.last, bias: self.bias }
    }

    /// Goes on behind a record that was made before.
    pub fn restore(&mut self, last: LastRecord) {
        (self.task, self.switched) = (last.task, last.switched);
        (self.last, self.bias) = (last.clock, last.bias);
    }

    /// A function is entered.
    pub fn entry(&mut self, cpu: &Cpu, clock: u64, entry: &EntryProbe) {
        let Some(kind) = entry.kind else { return };
        let moment = self.moment(cpu, clock, cpu.stack());
        let arguments = Arguments::new(cpu, &entry.plan);
        if !self.wants_entry(cpu, moment, entry, &arguments) {
            return;
        }
        self.name(cpu, moment);
        if let Some(plan) = &entry.plan.pages {
            let bio = arguments.get(plan.argument);
            pages::each_run(cpu, plan, bio, |run| {
                let PageRun { dev, ino, position, length, writeback } = run;
                let words = [bio, dev, ino, position, length, writeback.into()];
                self.push(moment, event::BIO_PAGES.id, &words);
            });
        }
        each_element(cpu, &entry.plan, &arguments, |element| {
            self.words(cpu, moment, kind, &entry.plan, &arguments, element);
            true
        });
    }

    /// A function is entered that is not of the catalog.
    pub fn function(&mut self, cpu: &Cpu, clock: u64, kind: KindId) {
        let moment = self.moment(cpu, clock, cpu.stack());
        if self.wants(cpu, moment.context, moment.task) {
            self.name(cpu, moment);
            self.push(moment, kind, &[]);
        }
    }

    /// Whether a function is entered as the recording's beginning is.
    pub fn begins(&mut self, cpu: &Cpu, entry: &EntryProbe, tests: &[FieldTest]) -> bool {
        let moment = self.moment(cpu, 0, cpu.stack());
        let arguments = Arguments::new(cpu, &entry.plan);
        let place = Place::of(cpu, &entry.plan, &arguments, (moment.task, moment.stack));
        let mut found = false;
        each_element(cpu, &entry.plan, &arguments, |element| {
            found = tests.iter().all(|test| {
                let word = entry.plan.words.get(usize::from(test.word));
                let value = word.map(|word| value(cpu, &word.source, &arguments, element, place));
                value.is_some_and(|value| value & test.mask == test.value)
            });
            !found
        });
        found && self.wants_entry(cpu, moment, entry, &arguments)
    }

    /// A function returns whose return address lies (or lay) at `stack`.
    pub fn exit(&mut self, cpu: &Cpu, clock: u64, stack: u64, exit: ExitProbe) {
        let moment = self.moment(cpu, clock, stack);
        if !exit.always && !self.wants(cpu, moment.context, moment.task) {
            return;
        }
        self.name(cpu, moment);
        match exit.value {
            true => self.push(moment, exit.kind, &[cpu.register(cpu.arch().registers.result)]),
            false => self.push(moment, exit.kind, &[]),
        }
    }

    /// A task is new, or has another name: told at once, since it may be mentioned before it runs.
    pub fn task(&mut self, cpu: &Cpu, clock: u64, task: u64) {
        let moment = self.moment(cpu, clock, cpu.stack());
        if task != 0 && self.wants(cpu, moment.context, moment.task) {
            // The kernel writes the boot task's own name (`init_idle`), which is the new task's as well.
            self.switched = true;
            self.name(cpu, moment);
            self.name_task(cpu, moment, task);
        }
    }

    /// A device was accessed by the instruction at `pc`.
    pub fn device(&mut self, cpu: &Cpu, clock: u64, access: MemoryAccess, pc: u64) {
        let kind = if access.write { event::MMIO_WRITE } else { event::MMIO_READ };
        let address = access.device.unwrap_or(0);
        let moment = self.moment(cpu, clock, cpu.stack());
        if self.wants(cpu, moment.context, moment.task) {
            self.name(cpu, moment);
            self.push(moment, kind.id, &[address, access.width.into(), access.value, pc]);
        }
    }

    /// An event of the plugin's own, in the context of what runs; recorded whatever task that is.
    pub fn builtin(&mut self, cpu: &Cpu, clock: u64, kind: Builtin, words: &[u64]) {
        debug_assert_eq!(kind.words.len(), words.len());
        let moment = self.moment(cpu, clock, cpu.stack());
        self.name(cpu, moment);
        self.push(moment, kind.id, words);
    }

    /// The guest's kernel was gone at this clock, for this reason: of no task.
    pub fn end(&mut self, clock: u64, reason: ShutdownReason) {
        self.push(Moment { clock, ..Moment::default() }, event::SHUTDOWN.id, &[reason as u64]);
    }

    /// Compares clocks in a device access, where QEMU has counted so many instructions and virtual nanoseconds: returns
    /// by how much `clock` is ahead of QEMU's, and records it, if it is or if virtual time has moved without
    /// instructions.
    pub fn synchronize(&mut self, clock: u64, executed: u64, now: u64) -> i64 {
        let Some(icount) = self.icount else { return 0 };
        // QEMU counts the accessing instruction itself, as executed.
        let drift = clock.wrapping_add(1).wrapping_sub(executed).cast_signed();
        let bias = now.wrapping_sub(executed << icount.shift());
        if drift != 0 || self.bias != Some(bias) {
            self.bias = Some(bias);
            let clock = clock.wrapping_sub(drift.cast_unsigned());
            let moment = Moment { clock, ..Moment::default() };
            self.push(moment, event::CLOCK.id, &[bias, drift.cast_unsigned()]);
        }
        drift
    }

    /// What was recorded for the first time since this was last asked.
    pub fn take_undefined(&mut self) -> [Option<Undefined>; 2] {
        std::mem::take(&mut self.undefined)
    }

    /// Whether a full buffer was handed over since this was last asked. Then what is read without the plugin API is
    /// compared with it.
    pub fn was_full(&mut self, cpu: &Cpu) -> bool {
        let full = std::mem::take(&mut self.full);
        if full {
            cpu.verify();
            self.running.renew();
        }
        full
    }

    /// Clock of the last record.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Hands over what is in the buffer.
    pub fn flush(&mut self) {
        if !self.buffer.is_empty() {
            let full = std::mem::take(&mut self.buffer);
            self.buffer = self.writer.exchange(self.vcpu, full);
        }
    }

    fn words(
        &mut self,
        cpu: &Cpu,
        moment: Moment,
        kind: KindId,
        plan: &EntryPlan,
        arguments: &Arguments,
        element: u64,
    ) {
        let mut words = [0; MAX_WORDS];
        let at = Place::of(cpu, plan, arguments, (moment.task, moment.stack));
        for (word, place) in plan.words.iter().zip(&mut words) {
            *place = value(cpu, &word.source, arguments, element, at);
            let value = &*place;
            if word.source == FieldSource::Caller {
                self.called_from(*value);
            }
            // A second one in the same record has its turn the next time.
            if word.symbol
                && *value != 0
                && self.undefined[0].is_none()
                && self.addresses.symbols.is_new(*value)
            {
                self.undefined[0] = Some(Undefined::Symbol(*value));
            }
        }
        self.push(moment, kind, &words[..plan.words.len().min(MAX_WORDS)]);
    }

    /// A return address that was not met before is to be defined.
    fn called_from(&mut self, address: u64) {
        if address != 0 && self.addresses.sites.is_new(address) {
            self.undefined[1] = Some(Undefined::Site(address));
        }
    }

    /// Whether what happens in a task is recorded; in an unknown context, by the task too.
    fn wants(&self, cpu: &Cpu, context: u32, task: u64) -> bool {
        // NMIs, interrupts, a softirq being served (include/linux/preempt.h).
        const ABOVE_TASKS: u32 = 0x00ff_0100;
        let Some(only) = &self.only else { return true };
        if context & ABOVE_TASKS != 0 || task == 0 {
            return true;
        }
        self.addresses.chosen.get(task).unwrap_or_else(|| {
            let wanted = only.is(&self.context, task, cpu);
            self.addresses.chosen.set(task, wanted);
            wanted
        })
    }

    fn has_memory(&self, cpu: &Cpu, task: u64) -> bool {
        self.context.mm.as_ref().and_then(|access| follow(access, task, cpu)).is_some_and(|mm| mm != 0)
    }

    fn wants_entry(&self, cpu: &Cpu, moment: Moment, entry: &EntryProbe, arguments: &Arguments<'_>) -> bool {
        entry.always
            || self.wants(cpu, moment.context, moment.task)
            || entry.next.is_some_and(|next| self.wants(cpu, 0, arguments.get(next)))
    }

    /// What runs now.
    fn moment(&mut self, cpu: &Cpu, clock: u64, stack: u64) -> Moment {
        let arch = cpu.arch();
        let base = cpu.register(arch.registers.per_cpu);
        // In user mode, between it and the kernel, and before the kernel has set it up, it is not the kernel's.
        if !arch.memory.is_kernel(base) {
            return Moment { clock, task: self.task, stack, context: 0 };
        }
        let (task, count) = self.running.read(cpu, base);
        let context = count.map_or(UNKNOWN_CONTEXT, |count| self.context.count_bits.usual(count));
        if task != self.task {
            self.task = task;
            self.switched = true;
            // One that exits has lost its memory, as threads of the kernel have none: it stays what it was.
            if self.only.is_some() && self.has_memory(cpu, task) {
                self.addresses.chosen.forget(task);
            }
        }
        Moment { clock, task, stack, context }
    }

    /// Names the task of a moment, if it was not met before, and if it has another name since it ran last.
    fn name(&mut self, cpu: &Cpu, moment: Moment) {
        // Where the per-CPU data is out of reach, the task is the one that ran last.
        if moment.task != 0 && (self.switched || !self.addresses.tasks.knows(moment.task)) {
            self.switched = false;
            self.name_task(cpu, moment, moment.task);
        }
    }

    /// Records what a task is called, if that is new. Where its memory is out of reach (on the way into the kernel, while
    /// the page tables are still the program's), that is done with what happens next.
    fn name_task(&mut self, cpu: &Cpu, moment: Moment, task: u64) {
        let Some(words) = self.task_words(cpu, task) else {
            self.switched = true;
            return;
        };
        if self.addresses.tasks.is_new(&words) {
            self.push(moment, event::TASK.id, &words);
        }
    }

    fn task_words(&self, cpu: &Cpu, task: u64) -> Option<[u64; 5]> {
        let read = |access: &Option<iotrace_profile::plan::ValueAccess>| match access {
            Some(access) => follow(access, task, cpu),
            None => Some(0),
        };
        let comm = read(&self.context.comm)?;
        let part = |offset| if comm == 0 { Some(0) } else { cpu.number(comm + offset, 8) };
        Some([task, read(&self.context.pid)?, read(&self.context.tgid)?, part(0)?, part(8)?])
    }

    fn push(&mut self, moment: Moment, kind: KindId, words: &[u64]) {
        if let Some(elapsed) = self.elapsed {
            let now = elapsed.read();
            if now >= self.recorded.saturating_add(RESOLUTION) {
                self.recorded = now;
                self.append(moment, event::TIME.id, &[now]);
            }
        }
        self.append(moment, kind, words);
    }

    fn append(&mut self, moment: Moment, kind: KindId, words: &[u64]) {
        if self.buffer.len() + layout::length(words.len()) > BUFFER {
            self.flush();
            self.full = true;
        }
        self.last = moment.clock.max(self.last);
        let Moment { task, stack, context, .. } = moment;
        let event = Event { kind, vcpu: self.vcpu, clock: self.last, context, task, stack, words };
        layout::append(&mut self.buffer, &event);
    }
}

#[cfg(test)]
mod tests;
