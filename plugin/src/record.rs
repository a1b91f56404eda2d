//! Execution time: appends fixed-size records to a vCPU's buffer.
//!
//! In: a site that was hit. Out: records, see `writer::header` for their layout. Nothing here allocates,
//! formats or waits, except when a buffer is full.

use crate::guest::follow;
use crate::qemu::{ARGUMENTS, Access, Cpu, Icount, Register};
use crate::site::{Entry, Exit};
use crate::writer::{BUFFER, HEADER, Writer, header};
use iotrace_profile::Context;
use iotrace_profile::plan::{Source, Word};
use iotrace_schemas::event::{self, Builtin, KindId, MAX_WORDS};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Most elements of a list that one hit records: what a guest's broken list can cost.
const LIST: usize = 4096;
/// Addresses that are remembered as named.
const KNOWN: usize = 1024;

/// What a record needs to know of the moment.
#[derive(Debug, Clone, Copy, Default)]
struct Moment {
    clock: u64,
    task: u64,
    context: u32,
}

/// One vCPU's records.
pub struct Recorder {
    vcpu: u16,
    writer: Arc<Writer>,
    buffer: Vec<u64>,
    context: Context,
    tasks: Arc<Known>,
    symbols: Arc<Known>,
    /// A function's address that was just recorded and has no name yet.
    unnamed: Option<u64>,
    /// Clock of the last record: what is set right later does not go back behind it.
    last: u64,
    /// A full buffer was handed over.
    full: bool,
    /// Virtual time as last told.
    bias: Option<u64>,
    icount: Option<Icount>,
}

impl Recorder {
    /// A recorder for a vCPU.
    pub fn new(vcpu: u32, writer: Arc<Writer>, tasks: Arc<Known>, symbols: Arc<Known>) -> Self {
        Self {
            vcpu: vcpu as u16,
            writer,
            buffer: Vec::with_capacity(BUFFER),
            context: Context::default(),
            tasks,
            symbols,
            unnamed: None,
            last: 0,
            full: false,
            bias: None,
            icount: None,
        }
    }

    /// The guest's kernel is known: from here on, tasks can be told.
    pub fn begin(&mut self, context: Context, icount: Option<Icount>) {
        (self.context, self.icount) = (context, icount);
    }

    /// A function is entered.
    pub fn entry(&mut self, cpu: &Cpu, clock: u64, entry: &Entry) {
        let Some(kind) = entry.kind else { return };
        let moment = self.moment(cpu, clock);
        let arguments = Arguments::new(cpu);
        let Some((position, link)) = entry.plan.list else {
            self.words(cpu, moment, kind, &entry.plan.words, &arguments, 0);
            return;
        };
        let head = arguments.get(position);
        let mut at = cpu.number(head, 8).unwrap_or(head);
        for _ in 0..LIST {
            if at == head {
                return;
            }
            let element = at.wrapping_add_signed(-link);
            self.words(cpu, moment, kind, &entry.plan.words, &arguments, element);
            at = cpu.number(at, 8).unwrap_or(head);
        }
    }

    /// A function returns.
    pub fn exit(&mut self, cpu: &Cpu, clock: u64, exit: &Exit) {
        let moment = self.moment(cpu, clock);
        match exit.value {
            true => self.push(moment, exit.kind, &[cpu.register(Register::Rax)]),
            false => self.push(moment, exit.kind, &[]),
        }
    }

    /// A device was accessed by the instruction at `pc`.
    pub fn device(&mut self, cpu: &Cpu, clock: u64, access: Access, pc: u64) {
        let kind = if access.write { event::MMIO_WRITE } else { event::MMIO_READ };
        let address = access.device.unwrap_or(0);
        self.builtin(cpu, clock, kind, &[address, access.width.into(), access.value, pc]);
    }

    /// An event of the plugin's own, in the context of what runs.
    pub fn builtin(&mut self, cpu: &Cpu, clock: u64, kind: Builtin, words: &[u64]) {
        debug_assert_eq!(kind.words.len(), words.len());
        let moment = self.moment(cpu, clock);
        self.push(moment, kind.id, words);
    }

    /// Compares clocks in a device access: returns by how much `clock` is ahead of QEMU's, and records
    /// it, if it is or if virtual time has moved without instructions.
    pub fn synchronize(&mut self, clock: u64) -> i64 {
        let Some(icount) = self.icount else { return 0 };
        // QEMU counts the accessing instruction itself, as executed.
        let (executed, now) = icount.read_in_device_access();
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

    /// A function's address that was recorded for the first time since this was last asked.
    pub fn take_unnamed(&mut self) -> Option<u64> {
        self.unnamed.take()
    }

    /// Whether a full buffer was handed over since this was last asked.
    pub fn was_full(&mut self) -> bool {
        std::mem::take(&mut self.full)
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
        plan: &[Word],
        arguments: &Arguments,
        element: u64,
    ) {
        let mut words = [0; MAX_WORDS];
        for (word, value) in plan.iter().zip(&mut words) {
            *value = match &word.source {
                Source::Argument(position) => arguments.get(*position),
                Source::Element => element,
                Source::Through(position, access) => {
                    follow(access, arguments.get(*position), cpu).unwrap_or(0)
                }
                Source::ThroughElement(access) => follow(access, element, cpu).unwrap_or(0),
            };
            // A second one in the same record has its turn the next time.
            if word.symbol && *value != 0 && self.unnamed.is_none() && self.symbols.is_new(*value) {
                self.unnamed = Some(*value);
            }
        }
        self.push(moment, kind, &words[..plan.len().min(MAX_WORDS)]);
    }

    /// What runs now; a task that was not met before is named first.
    fn moment(&mut self, cpu: &Cpu, clock: u64) -> Moment {
        let base = cpu.register(Register::GsBase);
        // In user mode, and before the kernel has set it up, GS is not the kernel's.
        if base < crate::guest::KERNEL_HALF {
            return Moment { clock, ..Moment::default() };
        }
        let read = |offset: Option<u64>, width| {
            offset.and_then(|o| cpu.number(base.wrapping_add(o), width)).unwrap_or(0)
        };
        let task = read(self.context.current_task, 8);
        let context = read(self.context.preempt_count, 4) as u32;
        let moment = Moment { clock, task, context };
        if task != 0 && self.tasks.is_new(task) {
            self.name_task(cpu, moment);
        }
        moment
    }

    fn name_task(&mut self, cpu: &Cpu, moment: Moment) {
        let task = moment.task;
        let read = |access: &Option<iotrace_profile::plan::Access>| {
            access.as_ref().and_then(|a| follow(a, task, cpu)).unwrap_or(0)
        };
        let comm = read(&self.context.comm);
        let part = |offset| if comm == 0 { 0 } else { cpu.number(comm + offset, 8).unwrap_or(0) };
        let words = [task, read(&self.context.pid), read(&self.context.tgid), part(0), part(8)];
        self.push(moment, event::TASK.id, &words);
    }

    fn push(&mut self, moment: Moment, kind: KindId, words: &[u64]) {
        if self.buffer.len() + HEADER + words.len() > BUFFER {
            self.flush();
            self.full = true;
        }
        self.last = moment.clock.max(self.last);
        self.buffer.extend_from_slice(&[header(kind, words.len(), moment.context), self.last, moment.task]);
        self.buffer.extend_from_slice(words);
    }
}

/// Addresses already named, tasks or functions, in the place that the address gives; of all vCPUs.
pub struct Known([AtomicU64; KNOWN]);

impl Known {
    /// None.
    pub fn new() -> Self {
        Self([const { AtomicU64::new(0) }; KNOWN])
    }

    /// What was known of an address is stale.
    pub fn forget(&self, address: u64) {
        let place = &self.0[slot(address)];
        // Another one in its place stays.
        let _ = place.compare_exchange(address, 0, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// What was known of a range of addresses is stale.
    pub fn forget_all(&self, start: u64, end: u64) {
        let addresses = self.0.iter().map(|place| place.load(Ordering::Relaxed));
        addresses.filter(|address| (start..end).contains(address)).for_each(|address| self.forget(address));
    }

    /// Whether an address was not known, or was forgotten; it is known from now on.
    fn is_new(&self, address: u64) -> bool {
        let place = &self.0[slot(address)];
        place.load(Ordering::Relaxed) != address && place.swap(address, Ordering::Relaxed) != address
    }
}

fn slot(address: u64) -> usize {
    // Tasks are aligned to 64 bytes and more (struct task_struct, ARCH_MIN_TASKALIGN), functions to 16.
    ((address >> 6) ^ (address >> 16)) as usize % KNOWN
}

/// The registers that hold arguments, each read when it is first asked for.
struct Arguments<'a> {
    cpu: &'a Cpu,
    values: [Cell<Option<u64>>; ARGUMENTS.len()],
}

impl<'a> Arguments<'a> {
    fn new(cpu: &'a Cpu) -> Self {
        Self { cpu, values: Default::default() }
    }

    fn get(&self, position: u8) -> u64 {
        let at = usize::from(position);
        let (Some(value), Some(register)) = (self.values.get(at), ARGUMENTS.get(at)) else { return 0 };
        value.get().unwrap_or_else(|| {
            let read = self.cpu.register(*register);
            value.set(Some(read));
            read
        })
    }
}
