//! Tasks that get other names, and whose `task_struct`s become those of other tasks.

use super::{SyntheticGuest, TASK};
use iotrace_format::event::{MARK_BEGIN, MARK_END};

/// The `task_struct` of `sh/50`, later of `late/70`.
pub const CHILD: u64 = 0xffff_8880_0000_5000;
/// The `task_struct` of a kworker.
pub const OTHER: u64 = 0xffff_8880_0000_6000;

/// An fsync of `dd/42`, from 100 to 250, that waits for `sh/50`, a child of `dd`, until this wakes it at 200. Before the
/// call returns, `sh` has become `cat` and has ended, and `late/70` is at its address. Then `dd` ends: the second fsync,
/// from 320 to 340, is that of `next/80` at its address.
///
/// ```text
/// dd/42         ====|                      |====
/// sh, cat/50        |====sh====cat|                          ====
/// kworker/26                      |==|
/// late/70                            |=====|
///              100  170  200  205 208 220  230
/// ```
pub fn reused() -> SyntheticGuest {
    let mut guest = SyntheticGuest::default();
    guest.name_task(2, OTHER, 26, "kworker/0:1");
    guest.mark(10, MARK_BEGIN);
    fork(&mut guest, 20, CHILD, 50, "dd");
    guest.switch(30, CHILD);
    guest.name_task(40, CHILD, 50, "sh");
    guest.switch(50, TASK);
    guest.entry(100, "sys.fsync", &[("regs.fd", 3)]);
    guest.entry(165, "task.wait.completion", &[("x", 1)]);
    guest.switch(170, CHILD);
    guest.entry(198, "task.wake", &[("task", TASK)]);
    guest.exit(200, "task.wake", 1);
    guest.name_task(205, CHILD, 50, "cat");
    guest.switch(208, OTHER);
    fork(&mut guest, 210, CHILD, 70, "kworker/0:1");
    guest.switch(220, CHILD);
    guest.name_task(222, CHILD, 70, "late");
    guest.switch(230, TASK);
    guest.exit(240, "task.wait.completion", 0);
    guest.exit(250, "sys.fsync", 0);
    guest.switch(260, OTHER);
    fork(&mut guest, 300, TASK, 80, "kworker/0:1");
    guest.switch(310, TASK);
    guest.name_task(315, TASK, 80, "next");
    guest.entry(320, "sys.fsync", &[("regs.fd", 4)]);
    guest.exit(340, "sys.fsync", 0);
    guest.mark(400, MARK_END);
    guest
}

/// A task is made, with the name of the one that makes it.
fn fork(guest: &mut SyntheticGuest, clock: u64, task: u64, pid: u64, comm: &str) {
    guest.entry(clock, "task.new", &[("task", task)]);
    guest.name_task(clock, task, pid, comm);
}
