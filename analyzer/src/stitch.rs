//! Finds out which bio, request, command, doorbell and interrupt belong together.
//!
//! In: definitions and events, in the order of their clocks. Out: calls to a [`Sink`]. State machines
//! without any I/O; memory follows what is in flight. An object lives from its queueing (or allocation)
//! to its end (or release), since pointers are used again. What should not happen, but does, is counted
//! in [`Counts`].

mod bios;
mod calls;
mod causes;
mod commands;
mod counts;
pub(crate) mod devices;
mod ends;
mod flush;
mod interrupts;
mod ios;
mod merges;
mod pages;
pub(crate) mod probes;
mod requests;
mod stages;
#[cfg(test)]
mod tests;
mod ways;

pub use counts::{Counts, Oddity};
pub use probes::{Probes, RoleValues};

use crate::context::{Calls, Left, Tasks};
use crate::hash::{Map, Set};
use crate::model::{
    Bio, BlockEvent, Call, CallEnd, CallId, Cause, FileCall, FileCallKind, Handover, Io, IoId, IrqRef, Join,
    Level, OpCodes, Raise, Request, Switch, Wait, WorkloadMark,
};
use bios::LiveBio;
use causes::Causes;
use commands::Bells;
use devices::Devices;
use flush::Flushes;
use interrupts::Interrupts;
use ios::Ios;
use iotrace_format::definition::Definition;
use iotrace_format::event::{
    EXCEPTION_RETURN, Event, FIRST_PROBE, INTERRUPT, MARK, MARK_BEGIN, MARK_END, MMIO_READ, MMIO_WRITE, TASK,
};
use iotrace_format::role::Role;
use iotrace_format::stage::{BLOCK_SOFTIRQ, Stage};
use merges::PendingInsert;
use requests::ObjectState;
use std::rc::Rc;
use std::sync::Arc;

/// Where functions return to whose return address the kernel's own tracing has changed (function_graph, and
/// kretprobes under their names in several kernels).
const TRAMPOLINES: [&str; 4] =
    ["return_to_handler", "arch_rethook_trampoline", "__kretprobe_trampoline", "kretprobe_trampoline"];

/// Takes what the stitcher finds.
pub trait Sink {
    /// A bio is over, or the trace is.
    fn bio(&mut self, _bio: Bio) {}
    /// A request was given back, or the trace is over.
    fn request(&mut self, _request: &Request) {}
    /// The kernel's tracepoint would have fired.
    fn block_event(&mut self, _event: BlockEvent) {}
    /// The guest set a mark.
    fn mark(&mut self, _mark: WorkloadMark) {}
    /// A call begins, with the event of its entry.
    fn entered(&mut self, _call: &Call, _event: &Event<'_>) {}
    /// Something happened in a call that has no extent of its own: an inlined function begins, a device is
    /// accessed.
    fn passed(&mut self, _within: Option<CallId>, _event: &Event<'_>) {}
    /// All that was executed from one clock to another was in this call, the innermost.
    fn ran(&mut self, _call: CallId, _from: u64, _to: u64) {}
    /// A call ended.
    fn left(&mut self, _end: &CallEnd) {}
    /// Another task runs.
    fn switched(&mut self, _switch: &Switch) {}
    /// A context began that another one had asked for.
    fn handover(&mut self, _handover: &Handover) {}
    /// A softirq that was not pending is raised.
    fn raised(&mut self, _raise: Raise) {}
    /// An interrupt was handled.
    fn interrupted(&mut self, _irq: &IrqRef) {}
    /// A task of an I/O waited, was woken, and runs again.
    fn wait(&mut self, _wait: Wait) {}
    /// An I/O is over and its bytes are written, or the trace is over.
    fn io(&mut self, _io: Io) {}
}

/// What the exit of an open call needs to know of its entry. Small, since every call has one: what is seldom and
/// large is boxed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Open {
    /// Nothing.
    Plain,
    /// `blk_mq_submit_bio` of a bio.
    Enter { bio: u64 },
    /// A request is being allocated; for the bio that the queue works on here, if there is one.
    Get { bio: Option<u64> },
    /// `bio_split`.
    Split { bio: u64, seen: Box<ObjectState>, sectors: u64 },
    /// A bio may be merged into a request.
    Join { rq: u64, bio: u64, seen: Box<ObjectState>, join: Join },
    /// A request may be merged into another.
    Merge { rq: u64, next: u64, seen: Box<ObjectState> },
    /// A request may be inserted.
    Insert { rq: u64 },
    /// The part of an insertion that looks for a request to merge with.
    InsertMerge { rq: u64 },
    /// A request is given to the SCSI layer.
    Dispatch { rq: u64 },
    /// A task asked for I/O.
    Vfs(Box<FileCall>),
    /// A system call.
    Syscall { io: IoId, name: Rc<str> },
    /// A work item: address of its function, who queued it.
    Work { function: u64, by: Option<Rc<Cause>> },
    /// A timer that ran out: address of its function, who started it.
    Timer { function: u64, by: Option<Rc<Cause>> },
    /// A wait of a task.
    Wait(Arc<str>),
    /// A task is being woken.
    Wake { task: u64 },
    /// Softirqs are being served.
    Softirq,
    /// The block softirq is being served.
    SoftirqBlock,
    /// A request is being completed.
    Complete { rq: u64 },
    /// A way to the hardware queue.
    Way(Stage),
    /// The entry of an interrupt, up to its exception return.
    IrqFrame,
    /// The entry of an exception, up to its exception return.
    ExcFrame,
    /// An interrupt.
    Irq,
    /// A driver's own interrupt handler.
    IrqDriver,
}

/// The state of the stitching.
#[derive(Debug, Default)]
pub struct Stitcher {
    probes: Probes,
    codes: OpCodes,
    tasks: Tasks,
    symbols: Map<u64, String>,
    calls: Calls<Open>,
    /// Events seen.
    seen: u64,
    /// Calls that have just ended.
    ended: Vec<Left<Open>>,
    causes: Causes,
    ios: Ios,
    bios: Map<u64, LiveBio>,
    requests: Map<u64, Request>,
    /// Request of each command, by the commands' addresses.
    commands: Map<u64, u64>,
    /// Bios of passthrough requests, which are mapped, not queued.
    mapped: Set<u64>,
    pending: Vec<PendingInsert>,
    flushes: Flushes,
    devices: Devices,
    bells: Bells,
    interrupts: Interrupts,
    workload: bool,
    counts: Counts,
    last_bio: u64,
    last_request: u64,
    last_command: u64,
}

impl Stitcher {
    /// Takes in a definition.
    pub fn define(&mut self, definition: &Definition) {
        match definition {
            Definition::Trace(info) => {
                self.calls.set_layout(info.layout);
                self.ios.set_layout(info.layout);
            }
            Definition::Probe(probe) => self.probes.define(probe),
            Definition::Constant(constant) => {
                self.codes.define(&constant.name, constant.value);
            }
            Definition::Device(device) => self.devices.define(device),
            Definition::Site(site)
                if site.frames.last().is_some_and(|f| TRAMPOLINES.contains(&f.function.as_str())) =>
            {
                self.calls.trampoline(site.address);
            }
            Definition::Symbol(symbol) => {
                self.symbols.insert(symbol.address, symbol.name.clone());
            }
            _ => {}
        }
    }

    /// Devices of the catalog that the guest enabled.
    pub fn devices(&self) -> impl Iterator<Item = &iotrace_format::definition::Device> {
        self.devices.present()
    }

    /// What was counted so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = self.counts.clone();
        counts.add(Oddity::CallWithoutExit, self.calls.without_exit);
        counts.add(Oddity::ExitWithoutCall, self.calls.without_entry);
        counts
    }

    /// Takes in an event.
    pub fn event(&mut self, event: &Event<'_>, out: &mut dyn Sink) {
        self.seen += 1;
        if let Some((call, since)) = self.calls.advance(event) {
            out.ran(call, since, event.clock);
        }
        if event.kind >= FIRST_PROBE {
            if Level::of(event.context) == Level::Unknown {
                self.counts.add(Oddity::ContextUnknown, 1);
            }
            return self.probe(event, out);
        }
        match event.kind {
            k if k == TASK.id => self.task(event),
            k if k == MMIO_WRITE.id || k == MMIO_READ.id => {
                out.passed(self.innermost(), event);
                if k == MMIO_WRITE.id {
                    self.mmio_write(event);
                }
            }
            k if k == INTERRUPT.id => self.interrupts.reported(event),
            k if k == EXCEPTION_RETURN.id => self.exception_return(event, out),
            k if k == MARK.id => self.mark(event, out),
            _ => {}
        }
    }

    /// The trace is over: gives what is still in flight.
    pub fn finish(&mut self, out: &mut dyn Sink) {
        self.settle_inserts(out);
        let mut bios: Vec<_> = self.bios.drain().map(|(_, live)| live).collect();
        bios.sort_by_key(|live| live.bio.id);
        for live in bios {
            if live.bio.in_workload {
                self.counts.add(Oddity::BioUnfinished, 1);
            }
            out.bio(live.into_unfinished(&self.requests));
        }
        let mut requests: Vec<_> = self.requests.drain().map(|(_, rq)| rq).collect();
        requests.sort_by_key(|rq| rq.id);
        requests.iter().for_each(|rq| out.request(rq));
        self.finish_ios(out);
    }

    fn task(&mut self, event: &Event<'_>) {
        if let [address, pid, ..] = *event.words {
            let before = self.tasks.get(address).pid;
            if before != 0 && u64::from(before) != pid {
                self.calls.forget(address);
            }
        }
        self.tasks.event(event);
    }

    fn mark(&mut self, event: &Event<'_>, out: &mut dyn Sink) {
        let Some(&code) = event.words.first() else { return };
        match code {
            MARK_BEGIN => self.workload = true,
            MARK_END => self.workload = false,
            _ => {}
        }
        out.mark(WorkloadMark { clock: event.clock, code });
    }

    fn entry(&mut self, event: &Event<'_>, words: &RoleValues<'_>, out: &mut dyn Sink) -> Open {
        let Some(stage) = words.stage() else { return Open::Plain };
        match stage {
            Stage::BioQueue => self.bio_queue(event, words, out),
            Stage::BioEnter => return self.bio_enter(words),
            Stage::BioSplit => return self.bio_split(words),
            Stage::BioChain => self.bio_chain(words),
            Stage::BioEnd => self.bio_end(event, words, out),
            Stage::RequestInit => self.rq_init(event, words, out),
            Stage::MergeBack => return self.bio_merge(event, words, Join::Back, out),
            Stage::MergeFront => return self.bio_merge(event, words, Join::Front, out),
            Stage::MergeDiscard => return self.bio_merge(event, words, Join::Discard, out),
            Stage::RequestMerge => return self.rq_merge(event, words, out),
            Stage::RequestPlug => self.rq_plug(event, words, out),
            Stage::RequestInsert => return self.rq_insert(event, words, out),
            Stage::RequestInsertMerge => {
                return words.request().map_or(Open::Plain, |rq| Open::InsertMerge { rq });
            }
            Stage::RequestRequeue => self.rq_requeue(event, words, out),
            Stage::RequestDispatch => return self.rq_dispatch(event, words, out),
            Stage::RequestIssue => self.rq_issue(event, words, out),
            Stage::RequestComplete => {
                self.rq_answered(event, words, out);
                return self.rq_complete(event, words);
            }
            Stage::RequestAnswered => self.rq_answered(event, words, out),
            Stage::RequestSoftirq => self.rq_softirq(event, words),
            Stage::RequestUpdate => self.rq_update(event, words, out),
            Stage::RequestEnd => self.rq_end(event, words),
            Stage::RequestFree => self.rq_free(event, words, out),
            Stage::CommandPrepare => {
                self.rq_step(event, words, |attempt, clock| attempt.prepared = Some(clock))
            }
            Stage::CommandDispatch => self.cmd_dispatch(event, words),
            Stage::CommandStart => self.cmd_start(event, words),
            Stage::CommandDriverDone => {
                self.rq_step(event, words, |attempt, clock| attempt.driver_done = Some(clock));
            }
            Stage::CommandDone => self.cmd_done(event, words, out),
            Stage::CommandFinish => self.cmd_finish(event, words),
            Stage::FlushInsert => self.flush_insert(event, words, out),
            Stage::FlushStep => self.flush_step(event, words, out),
            Stage::FlushEnd => self.flush_end(event, words, out),
            Stage::IrqEntry => {
                let open = self.calls.all();
                let frame = open.iter().rev().find(|f| f.boundary).filter(|f| f.data == Open::IrqFrame);
                let here = || (self.calls.next(), event.clock);
                let outermost = frame.map_or_else(here, |frame| (frame.number, frame.clock));
                self.interrupts.entered(event, words.get(Role::Vector), Some(outermost), &mut self.counts);
                return Open::Irq;
            }
            Stage::IrqHandler => {
                self.interrupts.handler(
                    event,
                    words.get(Role::IrqNumber),
                    words.get(Role::IrqHandler),
                    &mut self.counts,
                );
            }
            Stage::IrqDriver => return Open::IrqDriver,
            Stage::PciEnable => self.devices.enabled(words),
            Stage::VfsRead => return self.vfs(event, words, FileCallKind::Read),
            Stage::VfsWrite => return self.vfs(event, words, FileCallKind::Write),
            Stage::VfsFsync => return self.vfs(event, words, FileCallKind::Fsync),
            Stage::Syscall(_) => return self.syscall(event, words, out),
            Stage::CacheWrite => self.cache_write(event, words),
            Stage::TaskWake => return Open::Wake { task: words.get(Role::Task).unwrap_or(0) },
            Stage::TaskNew => self.task_new(event, words),
            Stage::TaskSwitch => self.task_switch(event, words, out),
            Stage::Wait(what) => return Open::Wait(Arc::clone(what)),
            Stage::WorkQueue => self.work_queue(event, words),
            Stage::WorkRun => return self.work_run(event, words, out),
            Stage::TimerStart => self.timer_start(event, words),
            Stage::TimerRun => return self.timer_run(event, words, out),
            Stage::SoftirqRaise => self.softirq_raise(event, words, out),
            Stage::SoftirqRun => return Open::Softirq,
            Stage::Softirq(number) => {
                self.softirq_served(event, words, *number, out);
                if *number == BLOCK_SOFTIRQ {
                    return Open::SoftirqBlock;
                }
            }
            Stage::IrqFrame => return Open::IrqFrame,
            Stage::ExceptionFrame => return Open::ExcFrame,
            Stage::QueueRun
            | Stage::SingleQueueRun
            | Stage::QueueWork
            | Stage::QueueRequeue
            | Stage::QueueRestart
            | Stage::IssueDirect
            | Stage::PlugFlush
            | Stage::PlugFinish => return Open::Way(stage.clone()),
            Stage::RequestGet => return Open::Get { bio: self.bio_entered(event) },
            Stage::Lock(_) => {}
        }
        Open::Plain
    }

    /// A call has returned.
    fn exit(&mut self, event: &Event<'_>, call: &CallEnd, (function, data): (u16, Open), out: &mut dyn Sink) {
        if let Open::Plain = data {
            return;
        }
        let returned = call.returned;
        let succeeded = self.probes.succeeded(function, returned);
        match data {
            Open::Split { bio, seen, sectors } => {
                self.bio_split_done(event, returned, (bio, *seen, sectors), out);
            }
            Open::Join { rq, bio, seen, join } if succeeded => {
                self.bio_merged(event.clock, (rq, bio), *seen, join, out);
            }
            Open::Merge { rq, next, seen } if succeeded => {
                self.rq_merged(event.clock, (rq, next), *seen, out);
            }
            Open::Insert { rq } => self.rq_insert_done(rq, succeeded, out),
            Open::InsertMerge { rq } => self.rq_insert_done(rq, !succeeded, out),
            // `blk_status_t` has one byte, queuecommand an int: what is above is left over.
            Open::Dispatch { rq } if returned.is_some_and(|status| status & 0xff != 0) => self.refused(rq),
            Open::Irq => {
                if let Some(irq) = self.interrupts.left(event) {
                    out.interrupted(&irq);
                }
            }
            Open::IrqDriver => self.interrupts.driver_left(event, returned),
            Open::Get { bio } => self.rq_get(event, returned, bio, out),
            Open::Wake { task } if succeeded => self.woken(event, call.id, function, task),
            Open::Softirq => self.causes.softirqs_served(event),
            Open::Syscall { io, .. } => self.syscall_left(call, io, out),
            // The others end without a consequence for any object.
            _ => {}
        }
    }

    /// The innermost call of a task into the file system.
    fn current_call(&self, event: &Event<'_>) -> Option<FileCall> {
        if Level::of(event.context) != Level::Task {
            return None;
        }
        let open = self.calls.open(event);
        open.iter().rev().find_map(|frame| match &frame.data {
            Open::Vfs(call) => Some(**call),
            _ => None,
        })
    }
}
