//! Execution time: appends fixed-size records to a vCPU's buffer.
//!
//! In: a site that was hit. Out: records, see `writer::header` for their layout. Nothing here allocates,
//! formats or waits, except when a buffer is full.

use crate::choice::{Only, Test};
use crate::guest::follow;
use crate::qemu::{Access, Cpu, Icount, Register};
use crate::site::{Entry, Exit};
use crate::writer::{BUFFER, HEADER, Writer, header};
use iotrace_profile::Context;
use iotrace_profile::plan::{Plan, Source, Value};
use iotrace_schemas::event::{self, Builtin, KERNEL_HALF, KindId, MAX_WORDS};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Most elements of a list that one hit records: what a guest's broken list can cost.
const LIST: usize = 4096;
/// Arguments that a probe may have.
const ARGUMENTS: usize = 12;

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

/// What is known of the addresses that were met, of all vCPUs.
#[derive(Debug)]
pub struct Met {
    /// Tasks that were named.
    tasks: Known<1024>,
    /// Tasks of which it was decided whether they are recorded.
    chosen: Chosen<1024>,
    /// Functions that were named.
    pub symbols: Known<1024>,
    /// Addresses behind calls that were told.
    pub sites: Known<32768>,
}

impl Met {
    /// Nothing.
    pub fn new() -> Self {
        Self { tasks: Known::new(), chosen: Chosen::new(), symbols: Known::new(), sites: Known::new() }
    }

    /// A task has another name now, or is another one.
    pub fn forget_task(&self, task: u64) {
        self.tasks.forget(task);
        self.chosen.forget(task);
    }
}

/// One vCPU's records.
pub struct Recorder {
    vcpu: u16,
    writer: Arc<Writer>,
    buffer: Vec<u64>,
    context: Context,
    only: Option<Only>,
    met: Arc<Met>,
    /// What was just recorded and has to be defined.
    undefined: [Option<Undefined>; 2],
    /// The task that ran last, for moments in which the kernel's per-CPU data is out of reach.
    task: u64,
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
    pub fn new(vcpu: u32, writer: Arc<Writer>, met: Arc<Met>) -> Self {
        Self {
            vcpu: vcpu as u16,
            writer,
            buffer: Vec::with_capacity(BUFFER),
            context: Context::default(),
            only: None,
            met,
            undefined: [None; 2],
            task: 0,
            last: 0,
            full: false,
            bias: None,
            icount: None,
        }
    }

    /// The guest's kernel is known: from here on, tasks can be told.
    pub fn begin(&mut self, context: Context, only: Option<Only>, icount: Option<Icount>) {
        (self.context, self.only, self.icount) = (context, only, icount);
    }

    /// A function is entered.
    pub fn entry(&mut self, cpu: &Cpu, clock: u64, entry: &Entry) {
        let Some(kind) = entry.kind else { return };
        let moment = self.moment(cpu, clock, cpu.register(Register::RSP));
        let arguments = Arguments::new(cpu, &entry.plan);
        if !self.wants_entry(cpu, moment, entry, &arguments) {
            return;
        }
        self.name(cpu, moment);
        each_element(cpu, &entry.plan, &arguments, |element| {
            self.words(cpu, moment, kind, &entry.plan, &arguments, element);
            true
        });
    }

    /// Whether a function is entered as the recording's beginning is.
    pub fn begins(&mut self, cpu: &Cpu, entry: &Entry, tests: &[Test]) -> bool {
        let moment = self.moment(cpu, 0, cpu.register(Register::RSP));
        let arguments = Arguments::new(cpu, &entry.plan);
        let mut found = false;
        each_element(cpu, &entry.plan, &arguments, |element| {
            found = tests.iter().all(|test| {
                let word = entry.plan.words.get(usize::from(test.word));
                let value = word.map(|word| value(cpu, &word.source, &arguments, element, moment.stack));
                value.is_some_and(|value| value & test.mask == test.value)
            });
            !found
        });
        found && self.wants_entry(cpu, moment, entry, &arguments)
    }

    /// A function returns whose return address lies (or lay) at `stack`.
    pub fn exit(&mut self, cpu: &Cpu, clock: u64, stack: u64, exit: Exit) {
        let moment = self.moment(cpu, clock, stack);
        if !exit.always && !self.wants(cpu, moment.context, moment.task) {
            return;
        }
        self.name(cpu, moment);
        match exit.value {
            true => self.push(moment, exit.kind, &[cpu.register(Register::RAX)]),
            false => self.push(moment, exit.kind, &[]),
        }
    }

    /// A device was accessed by the instruction at `pc`.
    pub fn device(&mut self, cpu: &Cpu, clock: u64, access: Access, pc: u64) {
        let kind = if access.write { event::MMIO_WRITE } else { event::MMIO_READ };
        let address = access.device.unwrap_or(0);
        let moment = self.moment(cpu, clock, cpu.register(Register::RSP));
        if self.wants(cpu, moment.context, moment.task) {
            self.name(cpu, moment);
            self.push(moment, kind.id, &[address, access.width.into(), access.value, pc]);
        }
    }

    /// An event of the plugin's own, in the context of what runs; recorded whatever task that is.
    pub fn builtin(&mut self, cpu: &Cpu, clock: u64, kind: Builtin, words: &[u64]) {
        debug_assert_eq!(kind.words.len(), words.len());
        let moment = self.moment(cpu, clock, cpu.register(Register::RSP));
        self.name(cpu, moment);
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

    /// What was recorded for the first time since this was last asked.
    pub fn take_undefined(&mut self) -> [Option<Undefined>; 2] {
        std::mem::take(&mut self.undefined)
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
        plan: &Plan,
        arguments: &Arguments,
        element: u64,
    ) {
        let mut words = [0; MAX_WORDS];
        for (word, place) in plan.words.iter().zip(&mut words) {
            *place = value(cpu, &word.source, arguments, element, moment.stack);
            let value = &*place;
            if word.source == Source::Caller {
                self.called_from(*value);
            }
            // A second one in the same record has its turn the next time.
            if word.symbol && *value != 0 && self.undefined[0].is_none() && self.met.symbols.is_new(*value) {
                self.undefined[0] = Some(Undefined::Symbol(*value));
            }
        }
        self.push(moment, kind, &words[..plan.words.len().min(MAX_WORDS)]);
    }

    /// A return address that was not met before is to be defined.
    fn called_from(&mut self, address: u64) {
        if address != 0 && self.met.sites.is_new(address) {
            self.undefined[1] = Some(Undefined::Site(address));
        }
    }

    /// Whether what happens in a task is recorded.
    fn wants(&self, cpu: &Cpu, context: u32, task: u64) -> bool {
        // NMIs, interrupts, a softirq being served (include/linux/preempt.h).
        const ABOVE_TASKS: u32 = 0x00ff_0100;
        let Some(only) = &self.only else { return true };
        if context & ABOVE_TASKS != 0 || task == 0 {
            return true;
        }
        self.met.chosen.get(task).unwrap_or_else(|| {
            let wanted = only.is(&self.context, task, cpu);
            self.met.chosen.set(task, wanted);
            wanted
        })
    }

    fn wants_entry(&self, cpu: &Cpu, moment: Moment, entry: &Entry, arguments: &Arguments<'_>) -> bool {
        entry.always
            || self.wants(cpu, moment.context, moment.task)
            || entry.next.is_some_and(|next| self.wants(cpu, 0, arguments.get(next)))
    }

    /// What runs now.
    fn moment(&mut self, cpu: &Cpu, clock: u64, stack: u64) -> Moment {
        let base = cpu.register(Register::GS_BASE);
        // In user mode, between it and the kernel, and before the kernel has set it up, GS is not the kernel's.
        if base < KERNEL_HALF {
            return Moment { clock, task: self.task, stack, context: 0 };
        }
        let read = |offset: Option<u64>, width| {
            offset.and_then(|o| cpu.number(base.wrapping_add(o), width)).unwrap_or(0)
        };
        let task = read(self.context.current_task, 8);
        let context = read(self.context.preempt_count, 4) as u32;
        let moment = Moment { clock, task, stack, context };
        self.task = task;
        moment
    }

    /// Names the task of a moment, if it was not met before.
    fn name(&mut self, cpu: &Cpu, moment: Moment) {
        // Where GS is not the kernel's, the task is the one that ran last.
        if moment.task != 0 && self.met.tasks.is_new(moment.task) {
            self.name_task(cpu, moment);
        }
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
        let first = header(kind, words.len(), moment.context);
        self.buffer.extend_from_slice(&[first, self.last, moment.task, moment.stack]);
        self.buffer.extend_from_slice(words);
    }
}

/// The value of a word of an event.
fn value(cpu: &Cpu, source: &Source, arguments: &Arguments<'_>, element: u64, stack: u64) -> u64 {
    match source {
        Source::Argument(position) => arguments.get(*position),
        Source::Caller => cpu.number(stack, 8).unwrap_or(0),
        Source::Element => element,
        Source::Through(position, access) => follow(access, arguments.get(*position), cpu).unwrap_or(0),
        Source::ThroughElement(access) => follow(access, element, cpu).unwrap_or(0),
    }
}

/// Goes through the elements of a plan's list until there was enough; without a list there is one element.
fn each_element(cpu: &Cpu, plan: &Plan, arguments: &Arguments<'_>, mut go_on: impl FnMut(u64) -> bool) {
    let Some((position, link)) = plan.list else {
        go_on(0);
        return;
    };
    let head = arguments.get(position);
    let mut at = cpu.number(head, 8).unwrap_or(head);
    for _ in 0..LIST {
        if at == head || !go_on(at.wrapping_add_signed(-link)) {
            return;
        }
        at = cpu.number(at, 8).unwrap_or(head);
    }
}

/// Decisions on addresses, in the place that the address gives. Addresses are even: the lowest bit is the
/// decision.
#[derive(Debug)]
struct Chosen<const PLACES: usize>(Box<[AtomicU64]>);

impl<const PLACES: usize> Chosen<PLACES> {
    fn new() -> Self {
        Self((0..PLACES).map(|_| AtomicU64::new(0)).collect())
    }

    fn place(&self, address: u64) -> &AtomicU64 {
        &self.0[Known::<PLACES>::slot(address)]
    }

    fn get(&self, address: u64) -> Option<bool> {
        let decided = self.place(address).load(Ordering::Relaxed);
        (decided & !1 == address).then_some(decided & 1 != 0)
    }

    fn set(&self, address: u64, chosen: bool) {
        self.place(address).store(address | u64::from(chosen), Ordering::Relaxed);
    }

    fn forget(&self, address: u64) {
        if self.get(address).is_some() {
            self.place(address).store(0, Ordering::Relaxed);
        }
    }
}

/// Addresses that were met, in the place that the address gives.
#[derive(Debug)]
pub struct Known<const PLACES: usize>(Box<[AtomicU64]>);

impl<const PLACES: usize> Known<PLACES> {
    fn new() -> Self {
        Self((0..PLACES).map(|_| AtomicU64::new(0)).collect())
    }

    fn slot(address: u64) -> usize {
        // Fibonacci hashing.
        (address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % PLACES
    }

    /// What was known of an address is stale.
    pub fn forget(&self, address: u64) {
        let place = &self.0[Self::slot(address)];
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
        let place = &self.0[Self::slot(address)];
        place.load(Ordering::Relaxed) != address && place.swap(address, Ordering::Relaxed) != address
    }
}

/// The arguments of a call, each read when it is first asked for.
struct Arguments<'a> {
    cpu: &'a Cpu,
    plan: &'a [Value],
    values: [Cell<Option<u64>>; ARGUMENTS],
}

impl<'a> Arguments<'a> {
    fn new(cpu: &'a Cpu, plan: &'a Plan) -> Self {
        Self { cpu, plan: &plan.arguments, values: Default::default() }
    }

    fn get(&self, position: u8) -> u64 {
        let at = usize::from(position);
        let (Some(value), Some(place)) = (self.values.get(at), self.plan.get(at)) else { return 0 };
        value.get().unwrap_or_else(|| {
            let read = self.read(place).unwrap_or(0);
            value.set(Some(read));
            read
        })
    }

    fn read(&self, place: &Value) -> Option<u64> {
        let register = |number| Some(self.cpu.register(Register::dwarf(number)?));
        match *place {
            Value::Register(number) => register(number),
            Value::Sum(number, offset) => Some(register(number)?.wrapping_add_signed(offset)),
            Value::Memory { register: number, offset, width } => {
                self.cpu.number(register(number)?.wrapping_add_signed(offset), width)
            }
            Value::Constant(value) => Some(value),
            Value::Unknown => None,
        }
    }
}
