//! The interrupt tracker: which interrupt a vCPU handles, and which one a completion came with.
//!
//! In: facts of the entry function, of its handlers, of drivers' handlers, and of what they leave work to; QEMU's
//! reports. Out: to the sink, interrupts that were handled and hand-offs to their threads; to others, the
//! [`InterruptState`] of a vCPU.
//!
//! The kernel's entry function runs with interrupts off until its handlers are done, so the last one
//! entered on a vCPU is the one whose handlers run; no stack is needed. QEMU's own report, where there is
//! one, comes just before and gives the exact time.

mod deferred;

use super::counts::Counts;
use super::fact::{Context, EndFact, Fact, InterruptState};
use super::sink::Sink;
use crate::model::{CallId, IrqRef, Level};
use bincode::{Decode, Encode};
use deferred::DeferredInterrupts;
use iotrace_format::event::Event;
use iotrace_format::role::Role;
use iotrace_format::stage::Stage;

#[derive(Debug, Clone, Copy, Default, Encode, Decode)]
struct InterruptedVcpu {
    reported: Option<u64>,
    current: Option<IrqRef>,
    /// The last one that a driver took for its own.
    of_driver: Option<IrqRef>,
}

/// Follows what each vCPU is interrupted by.
#[derive(Debug, Default, Encode, Decode)]
pub struct InterruptTracker {
    vcpus: Vec<InterruptedVcpu>,
    last: u64,
    deferred: DeferredInterrupts,
    counts: Counts,
}

impl InterruptTracker {
    /// What was counted so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// QEMU says that it delivered an interrupt. Some vectors (the local timer) have no entry function
    /// of interest; their report is replaced by the next.
    pub fn reported(&mut self, event: &Event<'_>) {
        self.vcpu(event).reported = Some(event.clock);
    }

    /// The kernel's entry function, or its handlers.
    pub fn fact(&mut self, fact: &Fact<'_>) {
        let event = fact.context.event;
        if *fact.stage == Stage::IrqEntry {
            let frame = fact.context.interrupt_frame().map(|frame| (frame.number, frame.clock));
            let outermost = frame.unwrap_or((fact.context.calls.next(), event.clock));
            self.enter(event, fact.roles.get(Role::Vector), Some(outermost));
        } else {
            if self.vcpu(event).current.is_none_or(|irq| irq.line.is_some()) {
                // The entry function is not probed in this kernel: the handlers are the interrupt.
                self.enter(event, None, None);
            }
            if let Some(irq) = &mut self.vcpu(event).current {
                // A handler that a thread runs tells the device; what wakes the thread may be the kernel's own.
                let thread = fact.roles.get(Role::IrqThreadHandler).filter(|thread| *thread != 0);
                let handler = thread.or(fact.roles.get(Role::IrqHandler));
                (irq.line, irq.handler) = (fact.roles.get(Role::IrqNumber), handler);
            }
        }
    }

    /// The kernel's entry function returned, or a driver's handler.
    pub fn end(&mut self, end: &EndFact<'_>, out: &mut dyn Sink) {
        if !end.is_seen() {
            return;
        }
        let of_thread = self.deferred.last_of(&end.context);
        let vcpu = self.vcpu(end.context.event);
        if *end.stage == Stage::IrqEntry {
            if let Some(irq) = vcpu.current.take() {
                out.interrupted(&irq);
            }
        } else if end.call.returned.is_none_or(|value| value & 3 != 0) {
            // `irqreturn_t`: 0 is another device's interrupt. A thread may run the handler.
            vcpu.of_driver = vcpu.current.or(of_thread).or(vcpu.of_driver);
        }
    }

    /// A handler leaves work to a thread or a softirq, or one of these begins with it.
    pub fn deferred(&mut self, fact: &Fact<'_>, out: &mut dyn Sink) {
        let current = self.current(&fact.context);
        match fact.stage {
            Stage::IrqWakeThread => self.deferred.thread_woken(fact, current),
            Stage::SoftirqRaise => self.deferred.softirq_raised(fact, current),
            Stage::IrqThread => self.deferred.thread_begun(fact, out),
            Stage::Softirq(number) => self.deferred.softirq_begun(fact, *number),
            _ => {}
        }
    }

    /// A thread or a softirq has done what was left to it.
    pub fn deferred_end(&mut self, end: &EndFact<'_>) {
        self.deferred.end(end);
    }

    /// Number of the interrupt under way where an event happened, 0 if there is none.
    pub fn number(&self, event: &Event<'_>) -> u64 {
        self.vcpus.get(usize::from(event.vcpu)).and_then(|vcpu| vcpu.current).map_or(0, |irq| irq.id)
    }

    /// The number of the interrupt that came last, to be changed: the next one goes on from there.
    pub fn last_mut(&mut self) -> &mut u64 {
        &mut self.last
    }

    /// The interrupts that the completion of what was issued at a clock may have come with.
    pub fn state(&self, context: &Context<'_>, issued: Option<u64>) -> InterruptState {
        let Some(vcpu) = self.vcpus.get(usize::from(context.event.vcpu)) else {
            return InterruptState::default();
        };
        let deferred = issued.and_then(|clock| self.deferred.first_since(context, clock));
        InterruptState { current: self.current(context), of_driver: vcpu.of_driver, deferred }
    }

    /// The interrupt whose handlers run at hand.
    fn current(&self, context: &Context<'_>) -> Option<IrqRef> {
        let vcpu = self.vcpus.get(usize::from(context.event.vcpu))?;
        vcpu.current.filter(|_| context.level == Level::Hardirq)
    }

    fn vcpu(&mut self, event: &Event<'_>) -> &mut InterruptedVcpu {
        let at = usize::from(event.vcpu);
        if self.vcpus.len() <= at {
            self.vcpus.resize(at + 1, InterruptedVcpu::default());
        }
        &mut self.vcpus[at]
    }

    /// An interrupt begins; with its outermost call, and when that was entered: the handlers' code comes after the entry.
    fn enter(&mut self, event: &Event<'_>, vector: Option<u64>, outermost: Option<(CallId, u64)>) {
        self.last += 1;
        self.counts.interrupts += 1;
        let id = self.last;
        let vcpu = self.vcpu(event);
        let clock = vcpu.reported.take().unwrap_or(event.clock);
        let call = outermost.map(|(call, _)| call);
        let clock = outermost.map_or(clock, |(_, from)| from.min(clock));
        vcpu.current = Some(IrqRef { id, clock, vector, line: None, handler: None, call });
    }
}

#[cfg(test)]
mod tests;
