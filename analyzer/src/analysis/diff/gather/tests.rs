//! What I/Os did, of guests built by hand and of contexts that several share.

use super::contexts::Gatherer;
use super::*;
use crate::model::{Call, CallEnd, Ending, Handover, HandoverKind, Io, Level, Point, Task, TimeMap};
use crate::session::{Observer, Session};
use crate::trackers::Sink;
use iotrace_format::definition::{Definition, Probe, by_name};
use iotrace_format::event::Event;
use iotrace_format::layer::Layer;
use iotrace_synthetic_guest::{changed_write, direct_write};

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
    let point =
        |root| Point { clock: 0, event: 0, call: Some(root), root: Some(root), task: 7, level: Level::Task };
    for (from, command) in [(1, 11), (2, 12), (2, 13)] {
        let kind = HandoverKind::Interrupt { irq: 1, command };
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
