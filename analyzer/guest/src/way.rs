//! One direct write, with all contexts: the system call, the interrupt, the softirq, the work item that a
//! timer-less kworker runs, and the wake-up.

use super::{HARDIRQ, SDA, SOFTIRQ, SYNC, SyntheticGuest, TASK, WRITE, io};
use iotrace_arch::FIRST;
use iotrace_format::definition::{AddressName, CallSite, Constant, Definition, SiteFrame};
use iotrace_format::event;

/// The guest's idle task and its worker.
pub const IDLE: u64 = 0xffff_8880_0000_9000;
pub const WORKER: u64 = 0xffff_8880_0000_5000;
const STACK: u64 = 0xffff_c900_0001_3f00;
const IDLE_STACK: u64 = 0xffff_ffff_8260_3f00;
const IRQ_STACK: u64 = 0xffff_c900_0000_3f00;
const WORKER_STACK: u64 = 0xffff_c900_0009_3f00;
const DONE_WORK: u64 = 0xffff_ffff_8110_0000;
const SITE: u64 = 0xffff_ffff_8200_0123;

impl SyntheticGuest {
    /// A call whose return address lies so many words below the top of the stack at hand.
    pub fn call(&mut self, clock: u64, below: u64, stage: &str, words: &[(&str, u64)]) {
        let top = self.stack;
        self.stack = top - 8 * below;
        self.entry(clock, stage, &[&[("caller", SITE)][..], words].concat());
        self.stack = top;
    }

    /// Its return.
    pub fn back(&mut self, clock: u64, below: u64, stage: &str, returned: u64) {
        let top = self.stack;
        self.stack = top - 8 * below;
        self.exit(clock, stage, returned);
        self.stack = top;
    }

    /// Does something deeper in the stack.
    pub fn deeper(&mut self, below: u64, work: impl FnOnce(&mut Self)) {
        let top = self.stack;
        self.stack = top - 8 * below;
        work(self);
        self.stack = top;
    }

    /// Another task runs, on its own stack.
    pub fn switch_to(&mut self, clock: u64, next: u64, stack: u64) {
        let prev = self.task;
        self.deeper(30, |guest| guest.entry(clock, "task.switch", &[("prev", prev), ("next", next)]));
        (self.task, self.stack) = (next, stack);
    }
}

/// Where contexts are told by their labels, and a function's return by its stack.
pub fn direct_write() -> SyntheticGuest {
    of_kernel(false)
}

/// The same on another kernel, on which `vfs.write` calls `vfs.extra` of 30 instructions, and runs the queue
/// itself, after the plug was flushed.
pub fn changed_write() -> SyntheticGuest {
    of_kernel(true)
}

fn of_kernel(changed: bool) -> SyntheticGuest {
    let write = io(88, 4096, WRITE | SYNC);
    let mut guest = SyntheticGuest::default();
    let comm = |name: &[u8; 8]| u64::from_le_bytes(*name);
    let frames = vec![
        SiteFrame { function: "call_write_iter".into(), file: "include/linux/fs.h".into(), line: 2265 },
        SiteFrame { function: "vfs_write".into(), file: "fs/read_write.c".into(), line: 590 },
    ];
    guest.definitions.extend([
        Definition::Site(CallSite { address: SITE, offset: 0x23, frames }),
        Definition::Symbol(AddressName { address: DONE_WORK, name: "done_work".into() }),
        Definition::Symbol(AddressName { address: 0x99, name: "sym53c8xx_intr".into() }),
        Definition::Constant(Constant { name: "BLOCK_SOFTIRQ".into(), value: 4 }),
    ]);
    guest.raw(2, event::TASK.id, &[IDLE, 0, 0, comm(b"swapper\0"), 0]);
    guest.raw(2, event::TASK.id, &[WORKER, 26, 26, comm(b"kworker\0"), 0]);
    guest.mark(100, event::MARK_BEGIN);
    guest.stack = STACK;
    submit(&mut guest, write, changed);
    guest.switch_to(1400, IDLE, IDLE_STACK);
    guest.raw(1410, event::IDLE.id, &[]);
    interrupt(&mut guest, write);
    guest.raw(2400, event::CLOCK.id, &[4000, 0]);
    guest.switch_to(2500, WORKER, WORKER_STACK);
    work(&mut guest);
    guest.switch_to(2900, TASK, STACK);
    guest.back(2950, 6, "task.schedule", 0);
    guest.back(2960, 5, "task.wait.dio", 0);
    guest.back(3000, 1, "vfs.write", 4096);
    guest.back(3050, 0, "sys.pwrite", 4096);
    guest.mark(3100, event::MARK_END);
    guest
}

/// The call down to the doorbell and the wait.
fn submit(guest: &mut SyntheticGuest, write: super::Extent, changed: bool) {
    let earlier = if changed { 30 } else { 0 };
    guest.call(1000 - earlier, 0, "sys.pwrite", &[("regs.fd", 3), ("regs.count", 4096), ("regs.pos", 0)]);
    let name = u64::from_le_bytes(*b"test.bin");
    let file = [("file", 1), ("file.ino", 131), ("file.dev", SDA), ("file.name0", name), ("file.name1", 0)];
    guest.call(1010 - earlier, 1, "vfs.write", &[&file[..], &[("count", 4096), ("pos.value", 0)]].concat());
    if changed {
        guest.call(1020, 2, "vfs.extra", &[]);
        guest.back(1050, 2, "vfs.extra", 0);
    }
    guest.deeper(3, |guest| guest.queue(1100, 0xb1, write));
    guest.deeper(3, |guest| guest.enter(1101, 0xb1, write));
    guest.deeper(4, |guest| guest.get(1110, 0xa000));
    guest.deeper(3, |guest| guest.leave(1111));
    guest.call(1150, 2, "plug.flush", &[]);
    if changed {
        guest.back(1155, 2, "plug.flush", 0);
    }
    let below = if changed { 2 } else { 3 };
    guest.call(1160, below, "hw.run", &[]);
    guest.deeper(4, |guest| guest.issue(1200, 0xa000, 0xb1, write));
    guest.back(1220, below, "hw.run", 0);
    if !changed {
        guest.back(1230, 2, "plug.flush", 0);
    }
    guest.call(1300, 5, "task.wait.dio", &[]);
    guest.call(1320, 6, "task.schedule", &[]);
}

/// The interrupt, which raises the softirq, in which the request is completed.
fn interrupt(guest: &mut SyntheticGuest, write: super::Extent) {
    let below = guest.stack;
    guest.call(2000, 20, "irq.frame", &[]);
    guest.stack = IRQ_STACK;
    guest.call(2010, 1, "irq.entry", &[("vector", 38)]);
    guest.at(HARDIRQ, |guest| {
        guest.call(2020, 2, "irq.handler", &[("desc", 1), ("desc.irq", 11), ("desc.handler", 0x99)]);
        guest.call(2050, 3, "cmd.done", &[("cmd", 0xa200), ("cmd.rq", 0xa000)]);
        guest.call(2060, 4, "rq.complete", &[("rq", 0xa000)]);
        guest.call(2065, 5, "softirq.raise", &[("nr", 4)]);
        guest.back(2070, 5, "softirq.raise", 0);
        guest.back(2080, 4, "rq.complete", 0);
        guest.back(2085, 3, "cmd.done", 0);
        guest.back(2090, 2, "irq.handler", 1);
    });
    guest.back(2100, 1, "irq.entry", 0);
    guest.call(2150, 1, "softirq.run", &[]);
    guest.at(SOFTIRQ, |guest| {
        guest.call(2160, 2, "softirq.block", &[]);
        guest.call(2170, 3, "rq.softirq", &[("rq", 0xa000)]);
        guest.deeper(4, |guest| guest.complete(2180, 0xa000, 0xb1, write));
        guest.call(2200, 4, "work.queue", &[("work", 0x77), ("work.func", DONE_WORK)]);
        guest.back(2230, 4, "work.queue", 1);
        guest.back(2240, 3, "rq.softirq", 0);
        guest.back(2250, 2, "softirq.block", 0);
    });
    guest.back(2260, 1, "softirq.run", 0);
    guest.stack = below - 8 * 20 + 8;
    guest.raw(2300, event::EXCEPTION_RETURN.id, &[FIRST.memory.kernel_start]);
    guest.stack = below;
}

/// The work item that wakes the task.
fn work(guest: &mut SyntheticGuest) {
    guest.call(2510, 0, "work.run", &[("work", 0x77), ("work.func", DONE_WORK)]);
    guest.call(2600, 1, "task.wake", &[("task", TASK)]);
    guest.back(2650, 1, "task.wake", 1);
    guest.back(2700, 0, "work.run", 0);
}
