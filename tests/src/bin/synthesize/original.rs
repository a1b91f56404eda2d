//! The real trace: its definitions, and its events before, in and after the workload.

use super::ios::{IoPlaces, WaitingIo};
use super::renewed::RenewedTasks;
use anyhow::{Result, ensure};
use iotrace::Session;
use iotrace::model::Definitions;
use iotrace::reader::{Flow, Visitor, read};
use iotrace_arch::{FIRST, Memory};
use iotrace_format::definition::{Definition, Probe};
use iotrace_format::event::{BIO_PAGES, CLOCK, Event, MARK, MARK_BEGIN, MARK_END, TASK};
use iotrace_format::role::Role;
use std::collections::{BTreeMap, HashMap, HashSet};

/// How the kernel lays out its memory: what is in its image and its modules, at the end, stays.
pub static MEMORY: &Memory = &FIRST.memory;

/// Kernel stacks are aligned to their size, as are pages and what lies in them.
pub fn alignment() -> u32 {
    MEMORY.stack_size.trailing_zeros()
}

/// A larger one stands for the end of a file.
const ANY_POSITION: u64 = i64::MAX as u64;

/// What another copy of the workload has in the place of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldVariation {
    /// The same.
    Same,
    /// The address of another object.
    Pointer,
    /// Another sector.
    Sector,
    /// Another position in a file, in bytes.
    Position,
    /// Another position in a file, in pages.
    Page,
    /// The number of another task.
    Pid,
    /// What virtual time has jumped by until then.
    Bias,
}

/// An event, and what its copies have other than it.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub kind: u16,
    pub context: u32,
    pub clock: u64,
    pub task: (u64, FieldVariation),
    pub stack: (u64, FieldVariation),
    pub words: Vec<u64>,
    pub roles: Vec<FieldVariation>,
    /// Its number, from 1.
    pub number: u64,
}

impl Recorded {
    /// As it was.
    pub fn event(&self) -> Event<'_> {
        let Self { kind, context, clock, words, .. } = self;
        let (task, stack) = (self.task.0, self.stack.0);
        Event { kind: *kind, vcpu: 0, clock: *clock, context: *context, task, stack, words }
    }
}

/// A real trace.
#[derive(Debug, Default)]
pub struct Original {
    pub definitions: Vec<Definition>,
    /// Up to the mark with which the workload begins.
    pub head: Vec<Recorded>,
    /// The workload.
    pub section: Vec<Recorded>,
    /// From the mark with which it ends.
    pub tail: Vec<Recorded>,
    /// I/Os of the workload that concern a disk.
    pub ios: u64,
    /// A moment in which one of them waits.
    pub waiting: Option<WaitingIo>,
    probes: BTreeMap<u16, Probe>,
    /// Tasks and stacks from before the workload: they go through all copies.
    lasting: HashSet<u64>,
    /// Those of them that the workload uses for others.
    renewed: HashSet<u64>,
}

impl Original {
    /// Reads it.
    ///
    /// # Errors
    /// A trace that cannot be read, of several vCPUs, or without marks around a workload.
    pub fn read(file: &Session) -> Result<Self> {
        let mut tasks = RenewedTasks::default();
        read(file, &mut tasks, &mut |_| {})?;
        let mut original = Self { renewed: tasks.found, ..Self::default() };
        let finished = read(file, &mut original, &mut |_| {})?;
        let vcpus = finished.definitions.trace.vcpus;
        ensure!(vcpus <= 1, "the trace is of {vcpus} vCPUs; one of a single vCPU is needed");
        ensure!(
            !original.tail.is_empty(),
            "the trace has no marks around a workload (iotrace-mark begin, end)"
        );
        original.add_ios(file)?;
        Ok(original)
    }

    fn add_ios(&mut self, file: &Session) -> Result<()> {
        let places = IoPlaces::find(file, &|task| self.pointer(task) == FieldVariation::Pointer)?;
        (self.ios, self.waiting) = (places.of_disk, places.waiting);
        Ok(())
    }

    /// Leaves out functions without a stage, those with most events first, until the workload has at most so many
    /// events for each I/O that concerns a disk.
    ///
    /// # Errors
    /// If the others have more.
    pub fn thin_out(&mut self, events_per_io: u64) -> Result<()> {
        let most = self.ios.saturating_mul(events_per_io);
        let functions = self.functions_without_stage();
        let mut counts = BTreeMap::<&String, u64>::new();
        for event in &self.section {
            if let Some(function) = functions.get(&event.kind) {
                *counts.entry(function).or_default() += 1;
            }
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let (mut left, mut dropped) = (self.section.len() as u64, HashSet::new());
        for (function, count) in counts {
            if left > most {
                left -= count;
                dropped.insert(function);
            }
        }
        let least = left.checked_div(self.ios).unwrap_or(0);
        ensure!(left <= most, "functions with a stage alone have {least} events per I/O");
        let drops = |event: &Recorded| functions.get(&event.kind).is_some_and(|f| dropped.contains(f));
        let pause = self.waiting.map(|waiting| waiting.pause);
        for events in [&mut self.head, &mut self.section, &mut self.tail] {
            events.retain(|event| !drops(event));
        }
        // The last event that is left before it.
        let before = self.section.iter().map(|event| event.number).rfind(|number| Some(*number) <= pause);
        self.waiting = self.waiting.and_then(|waiting| Some(WaitingIo { pause: before?, ..waiting }));
        Ok(())
    }

    /// The functions of which neither entry nor return has a stage, by the kinds of their events.
    fn functions_without_stage(&self) -> HashMap<u16, String> {
        let function = |probe: &Probe| format!("{} {:?} {:?}", probe.function, probe.symbol, probe.module);
        let has_stage = |probe: &&Probe| probe.stage.is_some() || probe.is_landmark();
        let staged: HashSet<_> = self.probes.values().filter(has_stage).map(function).collect();
        let all = self.probes.iter().map(|(kind, probe)| (*kind, function(probe)));
        all.filter(|(_, function)| !staged.contains(function)).collect()
    }

    fn word(&self, kind: u16, at: usize, value: u64) -> FieldVariation {
        match self.probes.get(&kind).and_then(|probe| probe.words.get(at)).map(String::as_str) {
            Some("bio.sector" | "rq.sector" | "next.sector") if value != 0 && value != u64::MAX => {
                FieldVariation::Sector
            }
            Some("regs.pos" | "pos" | "pos.value" | "iocb.pos") if !MEMORY.is_kernel(value) => {
                FieldVariation::Position
            }
            Some("bio.page_index") => FieldVariation::Page,
            Some(_) => match self.probes.get(&kind).and_then(|probe| *probe.roles.get(at)?) {
                Some(Role::FirstByte | Role::LastByte | Role::FaultSize) if value < ANY_POSITION => {
                    FieldVariation::Position
                }
                Some(Role::FaultPage | Role::VmaPageOffset) => FieldVariation::Page,
                _ => self.pointer(value),
            },
            None if kind == BIO_PAGES.id && at == 0 => self.pointer(value),
            None if kind == BIO_PAGES.id && BIO_PAGES.words.get(at) == Some(&"position") => {
                FieldVariation::Position
            }
            None if kind == CLOCK.id && at == 0 => FieldVariation::Bias,
            None if kind == TASK.id && at == 0 => self.pointer(value),
            None => FieldVariation::Same,
        }
    }

    /// Of an address in the kernel's memory; objects that last stay where they are.
    fn pointer(&self, value: u64) -> FieldVariation {
        let memory = (MEMORY.kernel_start..MEMORY.images.start).contains(&value);
        let lasts = [value, value >> alignment()]
            .iter()
            .any(|place| self.lasting.contains(place) && !self.renewed.contains(place));
        if memory && !lasts { FieldVariation::Pointer } else { FieldVariation::Same }
    }

    fn recorded(&self, event: &Event<'_>) -> Recorded {
        let words = event.words.to_vec();
        let mut roles: Vec<_> =
            words.iter().enumerate().map(|(at, value)| self.word(event.kind, at, *value)).collect();
        if let (true, [FieldVariation::Pointer, pid, tgid, ..]) = (event.kind == TASK.id, &mut roles[..]) {
            (*pid, *tgid) = (FieldVariation::Pid, FieldVariation::Pid);
        }
        Recorded {
            kind: event.kind,
            context: event.context,
            clock: event.clock,
            task: (event.task, self.pointer(event.task)),
            stack: (event.stack, self.pointer(event.stack)),
            words,
            roles,
            number: (self.head.len() + self.section.len() + self.tail.len()) as u64 + 1,
        }
    }
}

impl Visitor for Original {
    fn define(&mut self, definition: &Definition) {
        if let Definition::Probe(probe) = definition {
            self.probes.insert(probe.id, probe.clone());
        }
        self.definitions.push(definition.clone());
    }

    fn event(&mut self, _: &Definitions, event: &Event<'_>) -> Flow {
        let code = event.words.first().filter(|_| event.kind == MARK.id).copied();
        let recorded = self.recorded(event);
        let begun = self
            .head
            .last()
            .is_some_and(|last| last.kind == MARK.id && last.words.first() == Some(&MARK_BEGIN));
        if !self.tail.is_empty() || begun && code == Some(MARK_END) {
            self.tail.push(recorded);
        } else if begun {
            self.section.push(recorded);
        } else {
            self.lasting.extend([event.task, event.stack >> alignment()]);
            self.lasting.extend(event.words.first().filter(|_| event.kind == TASK.id));
            self.head.push(recorded);
        }
        Flow::Continue
    }
}
