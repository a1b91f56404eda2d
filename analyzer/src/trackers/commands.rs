//! The command tracker: commands are passed to the driver, to the controller, and are done.
//!
//! In: facts of commands and of answered requests, writes to devices, with the [`RequestState`] that the block layer
//! has of each command's request. Out: [`CommandFact`]s for the block layer; to the sink, from which doorbell to which
//! interrupt a command went, and each part of it that has a doorbell and an interrupt of its own.
//! Oddities counted: commands without a known request, a doorbell or an interrupt; doorbells that pass on nothing.

mod devices;
mod doorbells;
mod transfers;

pub use devices::Devices;

use super::counts::{Counts, Oddity};
use super::fact::{
    AttemptState, CommandFact, CommandStep, Context, EndFact, Fact, InterruptState, RequestState,
    ReturnedRequest,
};
use super::probes::RoleValues;
use super::sink::Sink;
use crate::hash::Map;
use crate::model::{DeviceStart, Handover, HandoverKind, IrqRef, Level, Point, RecoveryStep, Sense};
use bincode::{Decode, Encode};
use doorbells::Doorbells;
use iotrace_format::definition::Definition;
use iotrace_format::role::Role;
use iotrace_format::stage::Stage;
use transfers::Transfers;

/// Follows commands from the driver to the device and back.
#[derive(Debug, Default, Encode, Decode)]
pub struct CommandTracker {
    /// Request of each command, by the commands' addresses.
    requests: Map<u64, u64>,
    /// Where each request under way was issued, by the requests' addresses.
    issued: Map<u64, Point>,
    doorbells: Doorbells,
    transfers: Transfers,
    devices: Devices,
    counts: Counts,
}

impl CommandTracker {
    /// Takes in a definition.
    pub fn define(&mut self, definition: &Definition) {
        if let Definition::Device(device) = definition {
            self.devices.define(device);
        }
    }

    /// Where the guest's devices are.
    pub fn devices(&self) -> &Devices {
        &self.devices
    }

    /// What was counted so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// A device was enabled.
    pub fn device_enabled(&mut self, fact: &Fact<'_>) {
        self.devices.enabled(fact.roles);
    }

    /// The address of the request that the command at an address is for; the address if that is none.
    pub fn request_of(&self, address: u64) -> u64 {
        self.requests.get(&address).copied().unwrap_or(address)
    }

    /// The address of the request that a fact is about, or that its command is for.
    pub fn request(&self, roles: &RoleValues<'_>) -> Option<u64> {
        roles.request().or_else(|| self.requests.get(&roles.command()?).copied())
    }

    /// A request is issued to its driver.
    pub fn request_issued(&mut self, fact: &Fact<'_>) {
        if let Some(request) = self.request(fact.roles) {
            self.issued.insert(request, fact.here());
        }
    }

    /// When a request was given to its device, as far as that is known.
    pub fn issued(&self, request: &RequestState) -> Option<u64> {
        let known = request.last.and_then(|attempt| attempt.doorbell.or(attempt.driver));
        known.or_else(|| self.issued.get(&request.pointer).map(|from| from.clock))
    }

    /// A request was refused or requeued: its command waits for no doorbell.
    pub fn request_returned(&mut self, request: &ReturnedRequest) {
        self.doorbells.forget(request.pointer);
        self.issued.remove(&request.pointer);
    }

    /// A request is complete whose driver has not given back a command: none of its functions may have a probe. Returns that
    /// the device had finished it, if it had it.
    pub fn request_completed(
        &mut self,
        context: &Context<'_>,
        request: &RequestState,
        interrupts: InterruptState,
        out: &mut dyn Sink,
    ) -> Option<CommandFact> {
        let attempt = request.last.filter(|attempt| attempt.done.is_none() && !attempt.is_over);
        let attempt = attempt.filter(|_| self.issued.contains_key(&request.pointer))?;
        let interrupt = interrupts.current.or(interrupts.deferred);
        let end = self.hand_over(context, (request.pointer, attempt.command), interrupt, out)?;
        let step = CommandStep::Completed(interrupt, end);
        Some(CommandFact { request: request.pointer, clock: context.clock(), step, result: None })
    }

    /// The guest writes to a device, perhaps to a doorbell.
    pub fn device_write(
        &mut self,
        context: &Context<'_>,
        request: impl Fn(u64) -> Option<RequestState>,
    ) -> Vec<CommandFact> {
        let &[address, _, value, ..] = context.event.words else { return Vec::new() };
        if !self.devices.is_doorbell(address, value) {
            return Vec::new();
        }
        self.doorbell(context, request)
    }

    /// A doorbell: it passes on the commands that wait for it at this place, each the first time.
    pub fn doorbell(
        &mut self,
        context: &Context<'_>,
        request: impl Fn(u64) -> Option<RequestState>,
    ) -> Vec<CommandFact> {
        self.counts.doorbells += 1;
        let passed_on = self.doorbells.ring(context);
        let has_transfer = self.transfers.rung(context);
        self.counts.idle_doorbells += u64::from(passed_on.is_empty() && !has_transfer);
        let mut facts = Vec::with_capacity(passed_on.len());
        for pointer in passed_on {
            let last = request(pointer).and_then(|request| request.last);
            if last.is_some_and(|attempt| attempt.doorbell.is_none()) {
                self.doorbells.rung(pointer, context.here());
                let (clock, step) = (context.clock(), CommandStep::Doorbell);
                facts.push(CommandFact { request: pointer, clock, step, result: None });
            }
        }
        facts
    }

    /// Something is told of a command, or of the request that it is for; with what the block layer has of that, if it
    /// knows it.
    pub fn fact(
        &mut self,
        fact: &Fact<'_>,
        request: Option<RequestState>,
        interrupts: InterruptState,
        out: &mut dyn Sink,
    ) -> Option<CommandFact> {
        match fact.stage {
            // A control block without a command (a message, a bus reset) is nobody's request.
            Stage::CommandStart if fact.roles.command().is_none() => return None,
            // A driver with commands has told of the command before; of one without, this is the answer.
            Stage::RequestComplete | Stage::RequestAnswered
                if !request.and_then(|request| request.last).is_some_and(is_unanswered) =>
            {
                let context = &fact.context;
                return self.request_completed(context, &request?, interrupts, out);
            }
            _ => {}
        }
        let Some(request) = request else {
            // Seen of commands without a request: the error handler's own.
            self.counts.add(Oddity::CommandUnknown, 1);
            return None;
        };
        let step = match fact.stage {
            Stage::CommandPrepare => CommandStep::Prepared,
            Stage::CommandDispatch => self.passed(fact, request.pointer),
            Stage::CommandStart => {
                self.doorbells.wait(&fact.context, request.pointer);
                self.transfers.command_begun(fact, request.pointer);
                CommandStep::Started
            }
            Stage::CommandDriverDone => CommandStep::DriverDone,
            Stage::CommandFinish => CommandStep::Finished(result(fact.roles).unwrap_or(0)),
            Stage::CommandSense => CommandStep::Sense(sense(fact.roles)),
            stage => match recovery(stage) {
                Some(step) => CommandStep::Recovery(step),
                None => CommandStep::Done(self.answered(&fact.context, &request, interrupts, out)),
            },
        };
        let result = result(fact.roles).filter(|_| has_result(&step));
        Some(CommandFact { request: request.pointer, clock: fact.context.clock(), step, result })
    }

    /// The call in which a driver carried out a command is over.
    pub fn start_ended(&mut self, end: &EndFact<'_>) {
        self.transfers.call_ended(end);
    }

    /// A part of the command that is carried out here is submitted.
    pub fn transfer_submitted(&mut self, fact: &Fact<'_>) {
        self.transfers.submitted(fact);
    }

    /// When the controller began with the part of a command that a fact is about, and the address of the command's request.
    pub fn transfer(&self, fact: &Fact<'_>) -> Option<(u64, u64)> {
        self.transfers.of(fact).map(|transfer| (transfer.from.clock, transfer.request))
    }

    /// A part of a command is done: the interrupt that it came with is the device's work on the command.
    pub fn transfer_done(
        &mut self,
        fact: &Fact<'_>,
        request: Option<RequestState>,
        interrupts: InterruptState,
        out: &mut dyn Sink,
    ) {
        let Some(transfer) = self.transfers.completed(fact) else { return };
        let Some(attempt) = request.and_then(|request| request.last).filter(|last| !last.is_over) else {
            return;
        };
        let begun = AttemptState { doorbell: Some(transfer.from.clock), ..attempt };
        if let Some(irq) = interrupt(fact.context.level, &begun, interrupts) {
            let (command, since) = (attempt.command, transfer.since);
            let kind = HandoverKind::Interrupt { irq: Some(irq.id), command, since };
            out.handover(&Handover { kind, from: transfer.from, to: begin(&fact.context, &irq) });
        }
    }

    fn passed(&mut self, fact: &Fact<'_>, request: u64) -> CommandStep {
        let command = fact.roles.command().unwrap_or(0);
        self.requests.insert(command, request);
        self.issued.entry(request).or_insert_with(|| fact.here());
        if !fact.context.probes.tells_start(fact.roles.function()) {
            self.doorbells.wait(&fact.context, request);
        }
        CommandStep::Passed(command)
    }

    /// The driver gives a command back: the interrupt that it came with.
    fn answered(
        &mut self,
        context: &Context<'_>,
        request: &RequestState,
        interrupts: InterruptState,
        out: &mut dyn Sink,
    ) -> Option<IrqRef> {
        let goes_on = request.last.filter(|attempt| !attempt.is_over && attempt.done.is_none());
        let next = AttemptState { command: request.next_command, ..AttemptState::default() };
        let attempt = goes_on.unwrap_or(next);
        let interrupt = interrupt(context.level, &attempt, interrupts);
        if let Some(oddity) = oddity(context.level, &attempt, interrupt.is_some()) {
            self.counts.add(oddity, 1);
        }
        self.hand_over(context, (request.pointer, attempt.command), interrupt, out);
        interrupt
    }

    /// A request, by its address, and its command are found complete: the device has worked on it from its doorbell, or
    /// from where it was issued if no doorbell is known, up to the interrupt, or to the context at hand if that is one
    /// and the interrupt is not known. Returns when the device had finished it, if it had it.
    fn hand_over(
        &mut self,
        context: &Context<'_>,
        (request, command): (u64, u64),
        interrupt: Option<IrqRef>,
        out: &mut dyn Sink,
    ) -> Option<u64> {
        let issued = self.issued.remove(&request).map(|from| (from, DeviceStart::Issue));
        let rung = self.doorbells.take_rung(request).map(|from| (from, DeviceStart::Doorbell));
        self.doorbells.forget(request);
        let (from, since) = rung.or(issued)?;
        let here = Point { completes: None, ..context.here() };
        let to = match interrupt {
            Some(irq) => begin(context, &irq),
            None if matches!(context.level, Level::Softirq | Level::Hardirq) => here,
            None => return None,
        };
        let irq = interrupt.map(|irq| irq.id);
        // What was issued in the context that ends it was not given to a device.
        let was_there = rung.is_some() || from.clock < to.clock && from.root != to.root;
        was_there.then(|| {
            out.handover(&Handover { kind: HandoverKind::Interrupt { irq, command, since }, from, to });
            to.clock
        })
    }
}

/// Where an interrupt began that led to the context at hand.
fn begin(context: &Context<'_>, irq: &IrqRef) -> Point {
    let (clock, call, level) = (irq.clock, irq.call, Level::Hardirq);
    Point { clock, call, root: call, level, completes: None, ..context.here() }
}

/// Whether the result that is read at a step is the command's: before it is done, that of an attempt before.
fn has_result(step: &CommandStep) -> bool {
    matches!(step, CommandStep::Done(_) | CommandStep::Finished(_) | CommandStep::Sense(_))
}

/// The SCSI result: an `int`.
fn result(roles: &RoleValues<'_>) -> Option<u64> {
    roles.get(Role::CommandResult).map(|result| result & u64::from(u32::MAX))
}

/// The sense data of a command, as far as it was read.
fn sense(roles: &RoleValues<'_>) -> Option<Sense> {
    let first = roles.get(Role::CommandSense0)?;
    let second = roles.get(Role::CommandSense8).unwrap_or(0);
    let mut buffer = [0; 16];
    buffer[..8].copy_from_slice(&first.to_le_bytes());
    buffer[8..].copy_from_slice(&second.to_le_bytes());
    Sense::from_buffer(&buffer)
}

/// What is done for a command that failed.
fn recovery(stage: &Stage) -> Option<RecoveryStep> {
    Some(match stage {
        Stage::CommandTimeout => RecoveryStep::Timeout,
        Stage::CommandError => RecoveryStep::ErrorHandler,
        Stage::CommandAbort => RecoveryStep::Abort,
        Stage::ResetDevice => RecoveryStep::ResetDevice,
        Stage::ResetTarget => RecoveryStep::ResetTarget,
        Stage::ResetBus => RecoveryStep::ResetBus,
        Stage::ResetHost => RecoveryStep::ResetHost,
        _ => return None,
    })
}

/// The driver has the command and has not given it back.
fn is_unanswered(attempt: AttemptState) -> bool {
    attempt.driver.is_some() && attempt.done.is_none()
}

/// The interrupt that a completion at this level came with.
fn interrupt(level: Level, attempt: &AttemptState, interrupts: InterruptState) -> Option<IrqRef> {
    match level {
        Level::Hardirq => interrupts.current,
        Level::Unknown => None,
        // A driver may leave the rest of its handler to a tasklet or a thread (megaraid_sas does).
        _ => {
            let told = attempt.doorbell.or(attempt.driver)?;
            // The clock of an interrupt may be that of the doorbell: between them a live guest's clock is resynchronized.
            let of_driver = interrupts.of_driver.filter(|irq| irq.clock >= told);
            match level {
                // The handler of a driver that a thread runs takes no interrupt.
                Level::Task => interrupts.deferred.or(of_driver),
                _ => of_driver.or(interrupts.deferred),
            }
        }
    }
}

/// What is odd about a completion.
fn oddity(level: Level, attempt: &AttemptState, has_interrupt: bool) -> Option<Oddity> {
    let is_silent = attempt.doorbell.is_none() && attempt.driver.is_some();
    match (matches!(level, Level::Hardirq | Level::Unknown), has_interrupt) {
        // No such target: the driver says so in the call that brought the command.
        (false, false) if is_silent => Some(Oddity::AnsweredByDriver),
        (false, false) => Some(Oddity::CompletionOutsideInterrupt),
        (true, false) => Some(Oddity::InterruptUnknown),
        (_, true) if is_silent => Some(Oddity::CommandWithoutDoorbell),
        (_, true) => None,
    }
}

#[cfg(test)]
mod direct_tests;
#[cfg(test)]
mod tests;
