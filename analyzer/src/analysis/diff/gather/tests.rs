//! What I/Os did, of guests built by hand and of contexts that several share.

use super::contexts::Gatherer;
use super::*;
use crate::model::{
    Call, CallEnd, DeviceStart, Ending, Handover, HandoverKind, Io, Level, Point, Task, TimeMap,
};
use crate::session::{Observer, Session};
use crate::trackers::Sink;
use iotrace_format::definition::{Definition, Probe, by_name};
use iotrace_format::event::Event;
use iotrace_format::layer::Layer;
use iotrace_synthetic_guest::{
    HARDIRQ, KWORKER, SYNC, SyntheticGuest, TASK, WRITE as OP_WRITE, changed_write, direct_write,
    io as extent,
};
use std::collections::BTreeMap;

#[test]
fn steps_add_up_to_the_io() {
    for guest in [direct_write(), changed_write()] {
        let run = gather(&Session::from_bytes(guest.file()).unwrap(), &mut |_| {}).unwrap();
        let [work] = &run.works[..] else { panic!("{:?}", run.works) };
        let sum = |of: fn(&StepTotals) -> u64| work.steps.iter().map(|(_, part)| of(part)).sum::<u64>();
        assert_eq!(sum(|part| part.instructions), work.tree.total(), "{:?}", work.steps);
        assert_eq!(sum(|part| part.ns), work.elapsed, "{:?}", work.steps);
        let stages: Vec<_> = work.steps.iter().map(|(step, _)| step.name()).collect();
        let way = ["Q", "G", "D", "driver", "doorbell", "irq", "C", "E", "wake-up", "runs", "return"];
        let reached: Vec<_> = way.into_iter().filter(|step| stages.contains(step)).collect();
        assert!(reached.len() >= 8, "{stages:?}");
    }
}

const WRITE: u16 = 64;
const IRQ: u16 = 65;

fn probe(id: u16, stage: &str) -> Probe {
    Probe {
        id,
        function: stage.into(),
        symbol: stage.into(),
        layer: Layer::Block,
        stage: by_name::stage(stage),
        ..Probe::default()
    }
}

fn call(gatherer: &mut Gatherer, id: u64, kind: u16, boundary: bool) {
    let (clock, task, level) = (id * 100, 7, Level::Task);
    let call = Call {
        id,
        parent: None,
        depth: 0,
        depth_in_context: 0,
        kind,
        clock,
        task,
        level,
        boundary,
        caller: 0,
    };
    let event = Event { kind, vcpu: 0, clock, context: 0, task, stack: 0, words: &[] };
    gatherer.entered(&call, &event);
}

fn end(gatherer: &mut Gatherer, id: u64, own: u64) {
    let clock = id * 100 + own;
    gatherer.left(&CallEnd {
        id,
        kind: WRITE,
        clock,
        own,
        total: own,
        ending: Ending::Returned,
        returned: None,
        returns: None,
    });
}

fn io(id: u64) -> Io {
    Io {
        id,
        syscall: "fsync".into(),
        call: Some(id),
        task: Task::default(),
        fd: None,
        file: None,
        position: None,
        count: None,
        returned: None,
        entered: id * 100,
        left: Some(id * 100 + 10),
        cost: 10,
        bios: Vec::new(),
        cached: 0,
        carried: Vec::new(),
        in_workload: true,
        ..Io::default()
    }
}

#[test]
fn an_interrupt_for_several_ios_counts_for_each_and_once_in_all() {
    let mut gatherer = Gatherer::default();
    gatherer.define(&Definition::Probe(probe(WRITE, "sys.fsync")));
    gatherer.define(&Definition::Probe(probe(IRQ, "irq.frame")));
    for id in [1, 2] {
        call(&mut gatherer, id, WRITE, false);
        end(&mut gatherer, id, 10);
    }
    call(&mut gatherer, 3, IRQ, true);
    let point = |root| Point {
        clock: 0,
        event: 0,
        call: Some(root),
        root: Some(root),
        task: 7,
        level: Level::Task,
        completes: None,
    };
    for (from, command) in [(1, 11), (2, 12), (2, 13)] {
        let kind = HandoverKind::Interrupt { irq: Some(1), command, since: DeviceStart::Doorbell };
        gatherer.handover(&Handover { kind, from: point(from), to: point(3) });
    }
    end(&mut gatherer, 3, 70);
    [1, 2].into_iter().for_each(|id| gatherer.io(io(id)));
    let (works, _) = gatherer.finish(&TimeMap::default());
    let told: Vec<_> = works
        .iter()
        .map(|w| (w.interrupts, w.shared_interrupts, w.shared_instructions, w.tree.total()))
        .collect();
    assert_eq!(told, [(1, 0, 0, 80), (0, 1, 70, 10)]);
}

const BIO: u64 = 0xffff_8880_0100_0000;
const REQUEST: u64 = 0xffff_8880_0200_0000;

/// An fsync that waits from 170 on while another task runs, is woken in an interrupt from 200 to 220, and runs again.
fn waiting((pid, name): (u64, &str), again: u64) -> SyntheticGuest {
    let flush = extent(80, 4096, OP_WRITE | SYNC);
    let mut guest = SyntheticGuest::default();
    guest.name_task(2, KWORKER, pid, name);
    guest.entry(100, "sys.fsync", &[("regs.fd", 3)]);
    guest.submit(150, BIO, REQUEST, flush);
    guest.issue(160, REQUEST, BIO, flush);
    guest.entry(165, "task.wait.completion", &[("x", 1)]);
    guest.switch(170, KWORKER);
    guest.entry(200, "irq.entry", &[("vector", 38)]);
    guest.at(HARDIRQ, |guest| {
        guest.entry(203, "cmd.done", &[("cmd", REQUEST + 0x200), ("cmd.rq", REQUEST)]);
        guest.entry(205, "rq.complete", &[("rq", REQUEST)]);
        guest.entry(210, "task.wake", &[("task", TASK)]);
        guest.exit(212, "task.wake", 1);
        guest.exit(213, "rq.complete", 0);
    });
    guest.exit(220, "irq.entry", 0);
    guest.switch(again, TASK);
    guest.exit(again + 10, "task.wait.completion", 0);
    guest.exit(again + 20, "sys.fsync", 0);
    guest
}

// The other task is idle and hands over at 230, or it is busy up to 330: of the time, 170 to 330 without the interrupt is
// its own, 4 ns for each instruction.
#[test]
fn a_busy_task_changes_no_step_but_that_of_others() {
    let gathered = |guest: &SyntheticGuest| {
        let run = gather(&Session::from_bytes(guest.file()).unwrap(), &mut |_| {}).unwrap();
        let [work] = &run.works[..] else { panic!("{:?}", run.works) };
        work.clone()
    };
    let (idle, busy) = (gathered(&waiting((0, "swapper/0"), 230)), gathered(&waiting((26, "busy"), 330)));
    let steps = |work: &Work| {
        let steps = work.steps.iter().map(|(step, totals)| (step.name(), *totals));
        steps.collect::<BTreeMap<_, _>>()
    };
    let (of_idle, of_busy) = (steps(&idle), steps(&busy));
    let others = |steps: &BTreeMap<&str, StepTotals>| steps.get("others").map_or(0, |totals| totals.ns);
    assert_eq!(others(&of_busy) - others(&of_idle), 4 * (160 - 20));
    for (name, totals) in of_busy.iter().filter(|(name, _)| **name != "others") {
        assert!(totals.ns <= of_idle[name].ns, "{name}: {totals:?} and {:?}", of_idle[name]);
        assert_eq!(totals.instructions, of_idle[name].instructions, "{name}");
    }
    for work in [&idle, &busy] {
        assert_eq!(work.steps.iter().map(|(_, totals)| totals.ns).sum::<u64>(), work.elapsed);
    }
}
