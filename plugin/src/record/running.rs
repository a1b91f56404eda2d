//! What runs: the current task and the preemption count, from the per-CPU data.
//!
//! In: their offsets, the base of the per-CPU data. Out: both, read together where they lie near one another.

use crate::qemu::{Cpu, Resident};
use iotrace_profile::Context;

/// Bytes that are read at once: two cache lines, in which kernels keep what is needed together.
const SPAN: usize = 128;

/// Where the current task and the preemption count are; none of them known at first.
#[derive(Debug, Default)]
pub(super) struct Running {
    task: Option<u64>,
    count: Option<u64>,
    /// The offset of the first of them and the bytes up to the end of the last, if they are near one another.
    together: Option<(u64, usize)>,
    resident: Resident,
}

impl Running {
    /// From the profile's offsets.
    pub(super) fn new(context: &Context) -> Self {
        let (task, count) = (context.current_task, context.preempt_count);
        let together = task.zip(count).and_then(|(task, count)| {
            let first = task.min(count);
            let length = usize::try_from((task + 8).max(count + 4) - first).ok()?;
            (length <= SPAN).then_some((first, length))
        });
        Self { task, count, together, resident: Resident::default() }
    }

    /// The task's address and the count; 0 for what is not known or cannot be read.
    pub(super) fn read(&mut self, cpu: &Cpu, base: u64) -> (u64, u32) {
        let Some((first, length)) = self.together else {
            let read =
                |offset: Option<u64>, width| offset.and_then(|o| cpu.number(base.wrapping_add(o), width));
            return (read(self.task, 8).unwrap_or(0), read(self.count, 4).unwrap_or(0) as u32);
        };
        let mut bytes = [0; SPAN];
        if !self.resident.read(cpu, base.wrapping_add(first), &mut bytes[..length]) {
            return (0, 0);
        }
        self.parts(&bytes, first)
    }

    fn parts(&self, bytes: &[u8; SPAN], first: u64) -> (u64, u32) {
        let at = |offset: Option<u64>| &bytes[(offset.unwrap_or(first) - first) as usize..];
        let task = at(self.task).first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        (task, at(self.count).first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(task: u64, count: u64) -> Running {
        let (current_task, preempt_count) = (Some(task), Some(count));
        Running::new(&Context { current_task, preempt_count, ..Context::default() })
    }

    #[test]
    fn what_lies_in_one_line_is_read_at_once() {
        assert_eq!(running(0x1000, 0x1008).together, Some((0x1000, 12)));
        assert_eq!(running(0x1004, 0x1000).together, Some((0x1000, 12)));
        assert_eq!(running(0x1000, 0x107c).together, Some((0x1000, 128)));
        assert_eq!(running(0x1000, 0x1080).together, None);
        assert_eq!(Running::new(&Context::default()).together, None);
        let mut bytes = [0; SPAN];
        bytes[..12].copy_from_slice(&[3, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0xff]);
        assert_eq!(running(0x1004, 0x1000).parts(&bytes, 0x1000), (0xff00_0000_0000_0009, 0x1_0003));
    }
}
