//! Passes facts to the trackers of objects, and from one to another, in a fixed order.
//!
//! In: the facts of the call tracker. Out: what the trackers find, to a [`Sink`]. A fact goes to the trackers that its
//! stage concerns; what one of them has to know from another first is asked here, and handed over as a value.

use super::block::BlockTracker;
use super::commands::{CommandTracker, Devices};
use super::counts::Counts;
use super::fact::{BlockFact, CallPosition, Context, EndFact, Fact, QueuedBio, RequestState};
use super::files::FileTracker;
use super::interrupts::InterruptTracker;
use super::origins::OriginTracker;
use super::probes::{Probes, RoleValues};
use super::sink::Sink;
use crate::context::{Calls, Tasks};
use crate::model::{CallEnd, CallId, Cause};
use bincode::{Decode, Encode};
use iotrace_format::definition::{Definition, Device, ObjectKind, PendingHandOff};
use iotrace_format::event::Event;
use iotrace_format::stage::Stage;
use std::sync::Arc;

/// The trackers of objects.
#[derive(Debug, Default, Encode, Decode)]
pub struct ObjectTrackers {
    block: BlockTracker,
    commands: CommandTracker,
    files: FileTracker,
    origins: OriginTracker,
    interrupts: InterruptTracker,
}

impl ObjectTrackers {
    /// Takes in a definition.
    pub fn define(&mut self, definition: &Definition) {
        self.block.define(definition);
        self.commands.define(definition);
        self.files.define(definition);
    }

    /// Devices of the catalog that the guest enabled.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        Devices::present(self.commands.devices())
    }

    /// Where the guest's devices are.
    pub fn device_places(&self) -> &Devices {
        self.commands.devices()
    }

    /// Adds what the trackers have counted.
    pub fn add_counts(&self, counts: &mut Counts) {
        let others = [self.commands.counts(), self.files.counts(), self.interrupts.counts()];
        self.block.counts().into_iter().chain(others).for_each(|more| counts.add_all(more));
    }

    /// Number of the interrupt under way on an event's vCPU; 0 if there is none.
    pub fn interrupt(&self, event: &Event<'_>) -> u64 {
        self.interrupts.number(event)
    }

    /// The number of the object of a kind that began last, to be changed: the next one goes on from there.
    pub fn last_mut(&mut self, object: ObjectKind) -> &mut u64 {
        match object {
            ObjectKind::Io => self.files.last_mut(),
            ObjectKind::Interrupt => self.interrupts.last_mut(),
            _ => self.block.last_mut(object),
        }
    }

    /// The number of the object that an event is about: of a bio, request or command the one at an address.
    pub fn number_of(&mut self, object: ObjectKind, address: u64, event: &Event<'_>) -> Option<u64> {
        match object {
            ObjectKind::Io => Some(self.files.current()),
            ObjectKind::Interrupt => Some(self.interrupt(event)).filter(|number| *number != 0),
            ObjectKind::Command => self.block.number_of(object, self.commands.request_of(address)),
            _ => self.block.number_of(object, address),
        }
    }

    /// What was asked for and has not begun, to be known before an event.
    pub fn hand_offs(&self, event: u64, calls: &Calls<CallPosition>, probes: &Probes) -> Vec<PendingHandOff> {
        self.origins.hand_offs(event, calls, probes)
    }

    /// Waits in inlined functions of calls that are open: the call's number, that of the event.
    pub fn inlined_waits(&self, calls: &Calls<CallPosition>) -> impl Iterator<Item = (CallId, u64)> {
        self.origins.inlined_waits(calls)
    }

    /// Takes in a hand-off that a part of a trace states.
    pub fn restore(&mut self, hand_off: &PendingHandOff, calls: &Calls<CallPosition>, tasks: &Tasks) {
        self.origins.restore(hand_off, calls, tasks);
    }

    /// The trace is over: gives what is still in flight.
    pub fn finish(&mut self, out: &mut dyn Sink) {
        self.block.finish(out);
        self.files.finish(out);
    }

    /// QEMU delivered an interrupt.
    pub fn interrupt_reported(&mut self, event: &Event<'_>) {
        self.interrupts.reported(event);
    }

    /// Bytes of a file are in the bio that is queued next.
    pub fn bio_pages(&mut self, event: &Event<'_>) {
        self.files.bio_pages(event);
    }

    /// Any call ended, with a stage or without.
    #[inline]
    pub fn call_ended(&mut self, call: &CallEnd, out: &mut dyn Sink) {
        self.files.call_ended(call, out);
    }

    /// The task is gone, if one is, whose calls were in this stack.
    pub fn task_gone(&mut self, stack: Option<usize>, out: &mut dyn Sink) {
        stack.into_iter().for_each(|stack| self.files.task_gone(stack, out));
    }

    /// The guest wrote to a device's memory.
    pub fn device_write(&mut self, context: &Context<'_>) {
        let block = &mut self.block;
        for fact in self.commands.device_write(context, |request| block.request(request)) {
            block.command(&fact);
        }
    }

    /// A driver starts the commands that wait at a controller.
    fn doorbell(&mut self, context: &Context<'_>) {
        let block = &mut self.block;
        for fact in self.commands.doorbell(context, |request| block.request(request)) {
            block.command(&fact);
        }
    }

    /// What the block layer has of the request that a function is about, or that its command is for.
    fn request(&self, roles: &RoleValues<'_>) -> Option<RequestState> {
        self.block.request(self.commands.request(roles)?)
    }

    /// The command whose completion a function processes; none if it does not, or if that is not known.
    #[inline]
    pub fn completes(&self, roles: &RoleValues<'_>) -> Option<u64> {
        roles.stage().filter(|stage| stage.is_completion())?;
        self.request(roles)?.last.map(|attempt| attempt.command)
    }

    /// A function reached its stage.
    pub fn fact(&mut self, fact: &Fact<'_>, out: &mut dyn Sink) {
        use Stage as S;
        match fact.stage {
            S::CommandPrepare
            | S::CommandDispatch
            | S::CommandStart
            | S::CommandDriverDone
            | S::CommandDone
            | S::CommandFinish
            | S::CommandSense
            | S::CommandTimeout
            | S::CommandError
            | S::CommandAbort
            | S::ResetDevice
            | S::ResetTarget
            | S::ResetBus
            | S::ResetHost
            | S::RequestAnswered => self.command(fact, out),
            S::CommandDoorbell => self.doorbell(&fact.context),
            S::TransferStart => self.commands.transfer_submitted(fact),
            S::TransferDone => self.transfer_done(fact, out),
            S::RequestComplete => {
                self.command(fact, out);
                self.block.completed(fact, self.commands.request(fact.roles), out);
            }
            S::RequestSoftirq => self.block.completion_processed(fact, self.commands.request(fact.roles)),
            S::PciEnable => self.commands.device_enabled(fact),
            S::VfsRead
            | S::VfsWrite
            | S::VfsFsync
            | S::FileAccess
            | S::FilePosition
            | S::CacheWrite
            | S::CacheMap
            | S::CacheDrop => {
                let origins = &self.origins;
                self.files.fact(fact, &|| origins.cause(&fact.context), out);
            }
            S::Syscall(_) => self.origins.io_begun(fact, &self.files.syscall(fact, out)),
            S::EntryIssue => {
                let cause = self.origins.cause(&fact.context);
                if let Some(io) = self.files.entry_issued(fact, &cause, out) {
                    self.origins.io_begun(fact, &io);
                }
            }
            S::EntryComplete => self.files.entry_complete(fact, out),
            S::MemoryFault => {
                if let Some(io) = self.files.page_fault(fact, out) {
                    self.origins.io_begun(fact, &io);
                }
            }
            S::IrqHandler => self.interrupts.fact(fact),
            S::IrqEntry => {
                self.interrupts.fact(fact);
                self.origins.fact(fact, out);
            }
            S::Softirq(_) => {
                self.interrupts.deferred(fact, out);
                self.origins.fact(fact, out);
                self.block.softirq(fact);
            }
            S::SoftirqRaise => {
                self.interrupts.deferred(fact, out);
                self.origins.fact(fact, out);
            }
            S::IrqWakeThread | S::IrqThread => self.interrupts.deferred(fact, out),
            S::IrqFrame
            | S::TaskWake
            | S::TaskNew
            | S::TaskSwitch
            | S::Wait(_)
            | S::Block(_)
            | S::TimerStart
            | S::TimerRun
            | S::SoftirqRun => self.origins.fact(fact, out),
            S::WorkQueue | S::WorkRun => {
                self.origins.fact(fact, out);
                self.work_changed(out);
            }
            S::IrqDriver | S::IrqTimer | S::ExceptionFrame | S::Lock(_) => {}
            _ => self.block_layer(fact, out),
        }
    }

    /// A call ended.
    pub fn end(&mut self, end: &EndFact<'_>, out: &mut dyn Sink) {
        use Stage as S;
        match end.stage {
            S::IrqDriver => self.interrupts.end(end, out),
            S::IrqThread => self.interrupts.deferred_end(end),
            S::CommandStart => self.commands.start_ended(end),
            S::Softirq(_) => {
                self.interrupts.deferred_end(end);
                self.block_call_ended(end, out);
            }
            S::IrqEntry => {
                self.interrupts.end(end, out);
                self.origins.end(end);
            }
            S::VfsRead | S::VfsWrite | S::VfsFsync | S::CacheWrite => self.files.end(end, out),
            S::Syscall(_) | S::MemoryFault | S::EntryIssue => {
                self.files.end(end, out);
                self.origins.end(end);
            }
            S::IrqFrame | S::TaskWake | S::Wait(_) | S::Block(_) | S::TimerRun | S::SoftirqRun => {
                self.origins.end(end);
            }
            S::WorkRun => {
                self.origins.end(end);
                self.work_changed(out);
            }
            _ => self.block_call_ended(end, out),
        }
    }

    /// A call ended that the block layer may have begun something with.
    fn block_call_ended(&mut self, end: &EndFact<'_>, out: &mut dyn Sink) {
        let splits = *end.stage == Stage::BioSplit;
        let call = splits.then(|| self.files.current_call(&end.context)).flatten();
        if let Some(returned) = self.block.call_ended(end, call, out) {
            self.commands.request_returned(&returned);
        }
        self.derived();
    }

    /// Work items were queued, or are over: the I/Os that they originate from wait for them.
    fn work_changed(&mut self, out: &mut dyn Sink) {
        for (io, change) in self.origins.take_changes() {
            self.files.awaits(io, change, out);
        }
    }

    /// What the block layer tells of a bio or a request, and what has to be known of it elsewhere.
    fn block_layer(&mut self, fact: &Fact<'_>, out: &mut dyn Sink) {
        match fact.stage {
            Stage::BioEnd => self.files.bio_ended(fact),
            Stage::RequestIssue => self.commands.request_issued(fact),
            Stage::RequestUpdate | Stage::RequestEnd => self.request_completed(fact, out),
            _ => {}
        }
        let queues = *fact.stage == Stage::BioQueue;
        let call = queues.then(|| self.files.current_call(&fact.context)).flatten();
        match self.block.fact(fact, call, out) {
            Some(BlockFact::Queued(bio)) => {
                let cause = self.bio_cause(fact, &bio, out);
                let carries = self.files.bio_queued(fact, &bio, &cause, out);
                self.block.attribute(&bio, cause, carries);
            }
            Some(BlockFact::Returned(request)) => self.commands.request_returned(&request),
            None => {}
        }
        self.derived();
    }

    /// What a bio that is queued goes back to: one that came of another to that one's I/O, by way of what runs here if
    /// that leads there as well.
    fn bio_cause(&mut self, fact: &Fact<'_>, bio: &QueuedBio, out: &mut dyn Sink) -> Arc<Cause> {
        let here = self.origins.cause(&fact.context);
        let inherited = self.block.inherited(bio).filter(|of| of.io().is_some() && of.io() != here.io());
        inherited.unwrap_or_else(|| self.files.own(fact, here, out))
    }

    /// Bios that came of others go back to what those do.
    fn derived(&mut self) {
        for (bio, cause) in self.block.take_derived() {
            self.files.bio_derived(bio, &cause);
        }
    }

    /// A request is complete, whether or not the driver has reported its command.
    fn request_completed(&mut self, fact: &Fact<'_>, out: &mut dyn Sink) {
        if let Some(request) = self.request(fact.roles) {
            let interrupts = self.interrupts.state(&fact.context, self.commands.issued(&request));
            let completed = self.commands.request_completed(&fact.context, &request, interrupts, out);
            completed.iter().for_each(|fact| self.block.command(fact));
        }
    }

    /// A part of a command is done.
    fn transfer_done(&mut self, fact: &Fact<'_>, out: &mut dyn Sink) {
        let Some((begun, request)) = self.commands.transfer(fact) else { return };
        let interrupts = self.interrupts.state(&fact.context, Some(begun));
        self.commands.transfer_done(fact, self.block.request(request), interrupts, out);
    }

    /// What is told of a command, or of the request that it is for.
    fn command(&mut self, fact: &Fact<'_>, out: &mut dyn Sink) {
        let request = self.request(fact.roles);
        let issued = request.and_then(|request| self.commands.issued(&request));
        let interrupts = self.interrupts.state(&fact.context, issued);
        if let Some(fact) = self.commands.fact(fact, request, interrupts, out) {
            self.block.command(&fact);
        }
    }
}
