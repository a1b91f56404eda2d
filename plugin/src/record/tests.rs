//! Records of a guest that is made up.

use super::*;
use crate::qemu::fake;
use iotrace_arch::FIRST;
use iotrace_profile::plan::ValueAccess;
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

/// A context in which a task has its thread id, and behind that its name.
fn with_names() -> ContextAccess {
    let at = |offset, width| Some(ValueAccess { offset, width, ..ValueAccess::default() });
    ContextAccess { pid: at(0, 4), tgid: at(0, 4), comm: at(8, 0), ..CONTEXT }
}

/// The guest's task at `address` has this name now, whatever tells of it.
fn rename(address: u64, pid: u32, comm: &str) {
    let mut bytes = [0; 24];
    bytes[..4].copy_from_slice(&pid.to_le_bytes());
    bytes[8..8 + comm.len()].copy_from_slice(comm.as_bytes());
    fake::map(address, &bytes);
}

/// Which names were recorded: clock, the task that ran, the task named, its thread id, the first 8 bytes of its name.
fn named(recorder: &Recorder) -> Vec<(u64, u64, u64, u64, String)> {
    let events = layout::events(0, &recorder.buffer).filter(|event| event.kind == event::TASK.id);
    let name = |word: u64| String::from_utf8_lossy(&word.to_le_bytes()).trim_end_matches('\0').to_owned();
    let words =
        events.map(|event| (event.clock, event.task, event.words[0], event.words[1], name(event.words[3])));
    words.collect()
}

/// The task at `address` runs: something happens at a clock.
fn runs(recorder: &mut Recorder, base: u64, address: u64, clock: u64) {
    let mut data = vec![0; 0x200];
    data[0x100..0x108].copy_from_slice(&address.to_le_bytes());
    fake::map(base, &data);
    recorder.builtin(&fake::cpu(0), clock, event::IDLE, &[]);
}

/// A kernel may write a task's name, or reuse its `task_struct`, where no probe is: what runs next is looked at.
#[test]
fn a_task_is_named_again_if_it_has_another_name_when_it_runs_again() {
    let base = 0xffff_8880_1f80_0000;
    let (first, second) = (base + 0x40_0000, base + 0x50_0000);
    let mut recorder = recorder(base, first, 0);
    recorder.begin(with_names(), None, None);
    rename(first, 7, "kthreadd");
    rename(second, 8, "sh");
    for (clock, task) in [(1, first), (2, second), (3, first), (4, second)] {
        runs(&mut recorder, base, task, clock);
    }
    rename(first, 7, "kworker");
    for (clock, task) in [(5, second), (6, first), (7, first), (8, second)] {
        runs(&mut recorder, base, task, clock);
    }
    rename(first, 9, "kworker");
    runs(&mut recorder, base, first, 9);
    let expected = [
        (1, first, first, 7, "kthreadd".to_owned()),
        (2, second, second, 8, "sh".to_owned()),
        (6, first, first, 7, "kworker".to_owned()),
        (9, first, first, 9, "kworker".to_owned()),
    ];
    assert_eq!(named(&recorder), expected);
}

/// On the way into the kernel the page tables may be the program's, which have no tasks.
#[test]
fn a_task_that_is_out_of_reach_is_named_with_what_happens_next() {
    let base = 0xffff_8880_1f90_0000;
    let task = base + 0x40_0000;
    let mut recorder = recorder(base, task, 0);
    recorder.begin(with_names(), None, None);
    runs(&mut recorder, base, task, 1);
    assert_eq!(named(&recorder), []);
    rename(task, 7, "sh");
    runs(&mut recorder, base, task, 2);
    runs(&mut recorder, base, task, 3);
    assert_eq!(named(&recorder), [(2, task, task, 7, "sh".to_owned())]);
}

#[test]
fn a_new_task_is_named_before_it_runs_and_only_once() {
    let base = 0xffff_8880_1f90_0000;
    let (parent, child) = (base + 0x40_0000, base + 0x50_0000);
    let mut recorder = recorder(base, parent, 0);
    recorder.begin(with_names(), None, None);
    rename(parent, 7, "sh");
    rename(child, 8, "sh");
    runs(&mut recorder, base, parent, 1);
    recorder.task(&fake::cpu(0), 2, child);
    runs(&mut recorder, base, child, 3);
    // Another task at the same address.
    rename(child, 9, "sh");
    recorder.addresses.forget_task(child);
    runs(&mut recorder, base, parent, 4);
    recorder.task(&fake::cpu(0), 5, child);
    recorder.task(&fake::cpu(0), 6, 0);
    let sh = |clock, task, pid| (clock, parent, task, pid, "sh".to_owned());
    assert_eq!(named(&recorder), [sh(1, parent, 7), sh(2, child, 8), sh(5, child, 9)]);
    // The parent has another name since it began to run, and so has what it makes.
    rename(parent, 7, "dd");
    rename(child, 10, "dd");
    recorder.task(&fake::cpu(0), 7, child);
    let dd = |task, pid| (7, parent, task, pid, "dd".to_owned());
    assert_eq!(named(&recorder)[3..], [dd(parent, 7), dd(child, 10)]);
}

/// Which tasks are recorded is decided anew when they run again.
#[test]
fn a_task_that_was_given_the_name_that_is_asked_for_is_recorded() {
    let base = 0xffff_8880_1fa0_0000;
    let (first, second) = (base + 0x40_0000, base + 0x50_0000);
    let mut recorder = recorder(base, first, 0);
    let mut context = with_names();
    // No thread of the kernel: those are recorded whatever their names are.
    context.mm = Some(ValueAccess { offset: 0, width: 4, ..ValueAccess::default() });
    recorder.begin(context, Some(Only::parse("task:dd").expect("it is a name")), None);
    rename(first, 7, "sh");
    rename(second, 8, "sh");
    let mut wanted = |task: u64| {
        runs(&mut recorder, base, task, 1);
        recorder.wants(&fake::cpu(0), 0, task)
    };
    assert!(!wanted(first) && !wanted(second));
    rename(first, 7, "dd");
    assert!(wanted(first) && !wanted(second));
    // It exits: its memory is gone, as if it were a thread of the kernel.
    rename(second, 0, "sh");
    assert!(wanted(first) && !wanted(second));
}
