//! Records of a guest that is made up.

use super::*;
use crate::qemu::fake;
use iotrace_arch::FIRST;
use iotrace_profile::{CountBits, CountPlace};

/// Where the fake guest's per-CPU data has the current task and the preemption count.
const CONTEXT: ContextAccess = ContextAccess {
    current_task: Some(0x100),
    preempt_count: Some(CountPlace::PerCpu(0x108)),
    count_bits: CountBits::Usual,
    pid: None,
    tgid: None,
    comm: None,
    mm: None,
    stack: None,
};

/// A recorder whose file goes nowhere, of a guest with its per-CPU data at `base`: this task runs, with this count.
fn recorder(base: u64, task: u64, count: u32) -> Recorder {
    let mut data = vec![0; 0x200];
    data[0x100..0x108].copy_from_slice(&task.to_le_bytes());
    data[0x108..0x10c].copy_from_slice(&count.to_le_bytes());
    fake::map(base, &data);
    fake::set(FIRST.registers.per_cpu, base);
    let path = std::env::temp_dir().join(format!("iotrace-recorder-{}-{base:x}", std::process::id()));
    let writer = Writer::start(&path).expect("the folder for temporary files is writable");
    std::fs::remove_file(path).expect("it was just made");
    let mut recorder = Recorder::new(0, Arc::new(writer), Arc::new(AddressCaches::new()));
    recorder.begin(CONTEXT, None, None);
    recorder
}

/// Bases as they are with 4-level and with 5-level paging, and one of user mode in the larger half that this has.
#[test]
fn the_task_and_its_context_are_known_with_4_and_5_level_paging() {
    for (base, known) in
        [(0xffff_8880_1f60_0000, true), (0xff11_0000_1f60_0000, true), (0x00ff_7fff_1f60_0000, false)]
    {
        let (task, count) = (base + 0x40_0000, 0x0001_0000);
        let moment = recorder(base, task, count).moment(&fake::cpu(0), 7, 0);
        let expected = if known { (task, count) } else { (0, 0) };
        assert_eq!((moment.task, moment.context), expected, "{base:#x}");
    }
}

#[test]
fn a_context_that_cannot_be_read_is_unknown() {
    let base = 0xffff_8880_1f70_0000;
    let mut recorder = recorder(base, base + 0x40_0000, 0);
    recorder.begin(ContextAccess { preempt_count: None, ..CONTEXT }, None, None);
    let moment = recorder.moment(&fake::cpu(0), 7, 0);
    assert_eq!((moment.task, moment.context), (base + 0x40_0000, UNKNOWN_CONTEXT));
    // Its task is known, and where its count is, but there is no memory.
    recorder.begin(CONTEXT, None, None);
    fake::set(FIRST.registers.per_cpu, base + 0x10_0000);
    let moment = recorder.moment(&fake::cpu(0), 7, 0);
    assert_eq!((moment.task, moment.context), (0, UNKNOWN_CONTEXT));
}
