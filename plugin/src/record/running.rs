//! What runs: the current task and the preemption count.
//!
//! In: where they are, the base of the per-CPU data. Out: both, read together where they lie near one another; of what
//! cannot be read, nothing is said.

use crate::follow::follow;
use crate::qemu::{Cpu, Resident};
use iotrace_profile::plan::ValueAccess;
use iotrace_profile::{ContextAccess, CountPlace};

/// Bytes that are read at once: two cache lines, in which kernels keep what is needed together.
const SPAN: usize = 128;

/// Where the current task and the preemption count are; none of them known at first.
#[derive(Debug, Default)]
pub(super) struct Running {
    task: Option<u64>,
    count: Option<CountPlace>,
    /// The offset of the first of them and the bytes up to the end of the last, if they are near one another in the
    /// per-CPU data.
    together: Option<(u64, usize)>,
    resident: Resident,
    /// The current task's pointer to what has the count, and the count there.
    behind: [Resident; 2],
}

impl Running {
    /// From the profile's places.
    pub(super) fn new(context: &ContextAccess) -> Self {
        let (task, count) = (context.current_task, context.preempt_count.clone());
        let together = task.zip(per_cpu(count.as_ref())).and_then(|(task, count)| {
            let first = task.min(count);
            let length = usize::try_from((task + 8).max(count + 4) - first).ok()?;
            (length <= SPAN).then_some((first, length))
        });
        Self { task, count, together, ..Self::default() }
    }

    /// The task's address, 0 if it is not known, and the count.
    pub(super) fn read(&mut self, cpu: &Cpu, base: u64) -> (u64, Option<u32>) {
        let Some((first, length)) = self.together else { return self.apart(cpu, base) };
        let mut bytes = [0; SPAN];
        if !self.resident.read(cpu, base.wrapping_add(first), &mut bytes[..length]) {
            return (0, None);
        }
        let (task, count) = self.parts(&bytes, first);
        (task, Some(count))
    }

    /// Where they are is asked again.
    pub(super) fn renew(&mut self) {
        let [pointer, number] = &mut self.behind;
        [&mut self.resident, pointer, number].into_iter().for_each(Resident::renew);
    }

    fn apart(&mut self, cpu: &Cpu, base: u64) -> (u64, Option<u32>) {
        let mut bytes = [0; 8];
        let found = |offset| self.resident.read(cpu, base.wrapping_add(offset), &mut bytes);
        let task = if self.task.is_some_and(found) { u64::from_le_bytes(bytes) } else { 0 };
        let count = match &self.count {
            None => None,
            Some(CountPlace::PerCpu(offset)) => {
                cpu.number(base.wrapping_add(*offset), 4).map(|count| count as u32)
            }
            Some(CountPlace::OfTask(_)) if task == 0 => None,
            Some(CountPlace::OfTask(access)) => count_of(&mut self.behind, access, task, cpu),
        };
        (task, count)
    }

    fn parts(&self, bytes: &[u8; SPAN], first: u64) -> (u64, u32) {
        let at = |offset: Option<u64>| &bytes[(offset.unwrap_or(first) - first) as usize..];
        let task = at(self.task).first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        (task, at(per_cpu(self.count.as_ref())).first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes)))
    }
}

fn per_cpu(place: Option<&CountPlace>) -> Option<u64> {
    match place {
        Some(CountPlace::PerCpu(offset)) => Some(*offset),
        _ => None,
    }
}

/// The count behind a pointer of a task.
fn count_of(behind: &mut [Resident; 2], access: &ValueAccess, task: u64, cpu: &Cpu) -> Option<u32> {
    let ([step], 4) = (&access.steps[..], access.width) else {
        return follow(access, task, cpu).map(|count| count as u32);
    };
    let [pointer, number] = behind;
    let (mut address, mut count) = ([0; 8], [0; 4]);
    pointer.read(cpu, task.wrapping_add_signed(*step), &mut address).then_some(())?;
    let address = u64::from_le_bytes(address).wrapping_add_signed(access.offset);
    number.read(cpu, address, &mut count).then(|| u32::from_le_bytes(count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qemu::fake;

    /// With the count at the bottom of the stack, as in 3.10: the current task's, whichever that is.
    #[test]
    fn the_count_is_found_on_the_stack_of_the_task_that_runs() {
        let access = ValueAccess { steps: vec![8], offset: 0x1c, width: 4, ..ValueAccess::default() };
        let preempt_count = Some(CountPlace::OfTask(access));
        let mut running =
            Running::new(&ContextAccess { current_task: Some(0), preempt_count, ..ContextAccess::default() });
        let [base, first, second, stacks] =
            [0xffff_8880_1f60_0000_u64, 0xffff_8880_0010_0000, 0xffff_8880_0020_0000, 0xffff_8880_0300_0000];
        let count = |stack, count: u32| fake::map(stack, &[&[0; 0x1c][..], &count.to_le_bytes()].concat());
        let pointer = |task, stack: u64| fake::map(task, &[[0; 8], stack.to_le_bytes()].concat());
        let mut read = |task: u64| {
            fake::map(base, &task.to_le_bytes());
            running.read(&fake::cpu(0), base)
        };
        pointer(first, stacks);
        pointer(second, stacks + 0x2000);
        count(stacks, 0x0001_0100);
        count(stacks + 0x2000, 3);
        assert_eq!(read(first), (first, Some(0x0001_0100)));
        assert_eq!(read(second), (second, Some(3)));
        count(stacks, 0x0200);
        assert_eq!(read(first), (first, Some(0x0200)));
        // Another task at the same address.
        pointer(first, stacks + 0x2000);
        assert_eq!(read(first), (first, Some(3)));
        pointer(first, 0);
        assert_eq!(read(first), (first, None));
        assert_eq!(read(0), (0, None));
    }

    fn running(task: u64, count: u64) -> Running {
        let (current_task, preempt_count) = (Some(task), Some(CountPlace::PerCpu(count)));
        Running::new(&ContextAccess { current_task, preempt_count, ..ContextAccess::default() })
    }

    #[test]
    fn what_lies_in_one_line_is_read_at_once() {
        assert_eq!(running(0x1000, 0x1008).together, Some((0x1000, 12)));
        assert_eq!(running(0x1004, 0x1000).together, Some((0x1000, 12)));
        assert_eq!(running(0x1000, 0x107c).together, Some((0x1000, 128)));
        assert_eq!(running(0x1000, 0x1080).together, None);
        assert_eq!(Running::new(&ContextAccess::default()).together, None);
        let mut bytes = [0; SPAN];
        bytes[..12].copy_from_slice(&[3, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0xff]);
        assert_eq!(running(0x1004, 0x1000).parts(&bytes, 0x1000), (0xff00_0000_0000_0009, 0x1_0003));
    }
}
