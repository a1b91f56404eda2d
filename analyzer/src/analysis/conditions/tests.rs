//! Conditions on an I/O and a bio built by hand.

use super::*;
use crate::model::{Carried, Comm, File, Op, OpName, Origin, StageMark};
use iotrace_format::layer::Layer;
use std::sync::Arc;

fn task(name: &str, pid: u32) -> Task {
    Task { address: u64::from(pid), pid, tgid: pid, comm: Comm::from_text(name) }
}

/// 59 bytes written through descriptor 3, from clock 100 to 200.
fn io() -> Io {
    Io {
        id: 12,
        syscall: "write".into(),
        call: None,
        task: task("loop-write", 119),
        fd: Some(3),
        file: Some(File { ino: 131, dev: 8 << 20, name: "test.txt".into(), on_disk: true }),
        position: Some(0),
        count: Some(59),
        returned: Some(59),
        entered: 100,
        left: Some(200),
        cost: 90,
        bios: Vec::new(),
        cached: 59,
        carried: vec![Carried { io: 12, bio: 58, from: 0, to: 59 }],
        in_workload: true,
        ..Io::default()
    }
}

/// The page of it, written back by a kworker, from clock 500 to 600.
pub(crate) fn bio() -> Bio {
    let mark = |stage, clock| StageMark { stage, clock, shared: 1 };
    let worker = task("kworker/0:1", 26);
    let op = Op { sync: true, ..Op::plain(OpName::Write) };
    Bio {
        dev: 8 << 20,
        sector: 80,
        bytes: 4096,
        task: worker,
        cause: Some(Arc::new(Cause::Work { function: 7, task: worker, by: None })),
        carries: io().carried,
        in_workload: true,
        stages: vec![mark(BioStage::Queued, 500), mark(BioStage::Issued, 550), mark(BioStage::Ended, 600)],
        ..Bio::new(58, 1, Origin::Queued, op, 500)
    }
}

#[test]
fn each_condition_is_decided_by_what_it_is_about_or_by_what_belongs_to_it() {
    let some = |text: &str| Some(text.to_owned());
    let none = Conditions::default;
    for (conditions, of_io, of_bio) in [
        (none(), true, true),
        (Conditions { fd: Some(3), size: Some(59..=59), ..none() }, true, true),
        (Conditions { fd: Some(4), ..none() }, false, false),
        (Conditions { task: some("loop-write"), ..none() }, true, true),
        (Conditions { task: some("26"), ..none() }, false, true),
        (Conditions { file: some("test.txt"), ..none() }, true, true),
        (Conditions { file: some("131"), ..none() }, true, true),
        (Conditions { file: some("132"), ..none() }, false, false),
        (Conditions { size: Some(4096..=4096), ..none() }, false, true),
        (Conditions { syscall: some("write"), ..none() }, true, true),
        (Conditions { syscall: some("read"), ..none() }, false, false),
        (Conditions { op: Some(OpIs::Letters("WS".into())), ..none() }, true, true),
        (Conditions { op: Some(OpIs::Read), ..none() }, false, false),
        (Conditions { sector: Some(87..=100), ..none() }, true, true),
        (Conditions { sector: Some(88..=100), ..none() }, false, false),
        (Conditions { layer: Some(Layer::Vfs), ..none() }, true, false),
        (Conditions { layer: Some(Layer::Scsi), ..none() }, true, true),
        (Conditions { layer: Some(Layer::Driver), ..none() }, false, false),
        (Conditions { clock: Some(150..=160), ..none() }, true, true),
        (Conditions { clock: Some(590..=900), ..none() }, false, true),
        (Conditions { clock: Some(601..=900), ..none() }, false, false),
    ] {
        assert_eq!(conditions.io(&io(), [&bio()]), of_io, "I/O: {conditions:?}");
        assert_eq!(conditions.bio(&bio(), Some(&io())), of_bio, "bio: {conditions:?}");
    }
    let of_nobody = Conditions { fd: Some(3), ..none() };
    assert!(!of_nobody.bio(&bio(), None));
}

#[test]
fn a_window_of_time_becomes_one_of_clocks() {
    let mut time = TimeMap::new(Some(2));
    time.begin(0, 0);
    let begin = WorkloadMark { clock: 1000, code: iotrace_format::event::MARK_BEGIN };
    let conditions = Conditions { time: Some(40..=79), clock: Some(0..=1015), ..Conditions::default() };
    let clock = |marks: &[WorkloadMark]| conditions.settled(&time, marks).unwrap().clock;
    assert_eq!(clock(&[begin]), Some(1010..=1015));
    assert_eq!(clock(&[]), Some(10..=19));
    assert_eq!(conditions.settled(&TimeMap::new(None), &[begin]), Err(NoVirtualTime));
}
