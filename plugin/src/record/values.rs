//! The words of a function's entry: its arguments, and what is read through them.
//!
//! In: a plan, the vCPU at the function's first instruction. Out: values; 0 for what cannot be read.

use crate::follow::follow;
use crate::qemu::Cpu;
use crate::site::EntryProbe;
use iotrace_profile::plan::{ArgumentLocation, EntryPlan, FieldSource, OpenFilePlan};
use std::cell::Cell;

/// Most elements of a list that one hit records: what a guest's broken list can cost.
const LIST: usize = 4096;
/// Arguments that a probe may have.
const ARGUMENTS: usize = 12;

/// Where a function is entered.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    /// The stack pointer.
    pub stack: u64,
    /// Address of the `struct file` of the open file that a plan is about.
    pub file: Option<u64>,
}

impl Place {
    /// The place of an entry, in a task.
    pub(super) fn of(
        cpu: &Cpu,
        plan: &EntryPlan,
        arguments: &Arguments<'_>,
        (task, stack): (u64, u64),
    ) -> Self {
        let file = plan.open_file.as_ref().and_then(|open| open_file(cpu, open, arguments, task));
        Self { stack, file }
    }
}

/// The `struct file` of an open file of a task.
fn open_file(cpu: &Cpu, plan: &OpenFilePlan, arguments: &Arguments<'_>, task: u64) -> Option<u64> {
    let number = value(cpu, &plan.number, arguments, 0, Place::default()) & u64::from(u32::MAX);
    let table = follow(&plan.table, task, cpu).filter(|table| *table != 0)?;
    if number >= follow(&plan.limit, table, cpu)? {
        return None;
    }
    let file = cpu.number(follow(&plan.array, table, cpu)?.wrapping_add(number * 8), 8)?;
    Some(file).filter(|file| *file != 0)
}

/// The value of a word of an event.
pub(super) fn value(
    cpu: &Cpu,
    source: &FieldSource,
    arguments: &Arguments<'_>,
    element: u64,
    place: Place,
) -> u64 {
    match source {
        FieldSource::ThroughFile(access) => {
            place.file.and_then(|file| follow(access, file, cpu)).unwrap_or(0)
        }
        FieldSource::Argument(position) => arguments.get(*position),
        FieldSource::Caller => cpu.number(place.stack, 8).unwrap_or(0),
        FieldSource::Element => element,
        FieldSource::Through(position, access) => follow(access, arguments.get(*position), cpu).unwrap_or(0),
        FieldSource::ThroughElement(access) => follow(access, element, cpu).unwrap_or(0),
    }
}

/// Goes through the elements of a plan's list until there was enough; without a list there is one element.
pub(super) fn each_element(
    cpu: &Cpu,
    plan: &EntryPlan,
    arguments: &Arguments<'_>,
    mut go_on: impl FnMut(u64) -> bool,
) {
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

/// The arguments of a call, each read when it is first asked for.
pub(super) struct Arguments<'a> {
    cpu: &'a Cpu,
    plan: &'a [ArgumentLocation],
    values: [Cell<Option<u64>>; ARGUMENTS],
}

/// The argument that what the plugin does itself is about; 0 if the entry names none.
pub fn subject(cpu: &Cpu, entry: &EntryProbe) -> u64 {
    entry.subject.map_or(0, |at| Arguments::new(cpu, &entry.plan).get(at))
}

impl<'a> Arguments<'a> {
    /// Of a call that begins.
    pub(super) fn new(cpu: &'a Cpu, plan: &'a EntryPlan) -> Self {
        Self { cpu, plan: &plan.arguments, values: Default::default() }
    }

    /// An argument by its place; 0 if it cannot be read.
    pub(super) fn get(&self, position: u8) -> u64 {
        let at = usize::from(position);
        let (Some(value), Some(place)) = (self.values.get(at), self.plan.get(at)) else { return 0 };
        value.get().unwrap_or_else(|| {
            let read = self.read(place).unwrap_or(0);
            value.set(Some(read));
            read
        })
    }

    fn read(&self, place: &ArgumentLocation) -> Option<u64> {
        let registers = &self.cpu.arch().registers;
        let register = |number: u8| Some(self.cpu.register(registers.dwarf(number.into())?));
        match *place {
            ArgumentLocation::Register(number) => register(number),
            ArgumentLocation::Sum(number, offset) => Some(register(number)?.wrapping_add_signed(offset)),
            ArgumentLocation::Memory { register: number, offset, width } => {
                self.cpu.number(register(number)?.wrapping_add_signed(offset), width)
            }
            ArgumentLocation::Constant(value) => Some(value),
            ArgumentLocation::Unknown => None,
        }
    }
}
