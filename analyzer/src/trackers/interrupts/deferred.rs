//! Interrupts that left work to a softirq or to a thread.
//!
//! In: facts of threads that are woken by handlers, of softirqs that are raised, of both as they begin and end. Out: the
//! interrupts that may have led to what such a context does; to the sink, from which interrupt to which thread.

use crate::hash::Map;
use crate::model::{Handover, HandoverKind, IrqRef, Point};
use crate::trackers::call_states::CallStates;
use crate::trackers::fact::{Context, EndFact, Fact};
use crate::trackers::sink::Sink;
use bincode::{Decode, Encode};
use iotrace_format::role::Role;

/// Most interrupts that are kept of a context which does not begin: the oldest go first. A line is masked until its
/// thread has run, other handlers run to their end before the next interrupt.
const MOST: usize = 16;

/// Most threads and softirqs with interrupts that are kept: more than a machine has interrupt lines.
const MOST_WORKERS: usize = 1 << 12;

/// Who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
enum Worker {
    /// The thread of an `irqaction`, by its address.
    Thread(u64),
    /// A softirq of a vCPU, by its number.
    Softirq(u16, u64),
}

/// An interrupt, and where it left its work.
#[derive(Debug, Clone, Copy, Encode, Decode)]
struct DeferredInterrupt {
    irq: IrqRef,
    from: Point,
}

/// A context that does the work of interrupts.
#[derive(Debug, Encode, Decode)]
struct ServingContext {
    worker: Worker,
    interrupts: Vec<DeferredInterrupt>,
}

/// Follows interrupts into softirqs and threads.
#[derive(Debug, Default, Encode, Decode)]
pub struct DeferredInterrupts {
    pending: Map<Worker, Vec<DeferredInterrupt>>,
    serving: CallStates<ServingContext>,
}

impl DeferredInterrupts {
    /// A handler leaves work to its thread.
    pub fn thread_woken(&mut self, fact: &Fact<'_>, irq: Option<IrqRef>) {
        if let Some(action) = fact.roles.get(Role::IrqAction) {
            self.defer(fact, irq, Worker::Thread(action));
        }
    }

    /// A softirq is raised: by a handler, or by the thread or the softirq that does a handler's work.
    pub fn softirq_raised(&mut self, fact: &Fact<'_>, irq: Option<IrqRef>) {
        let Some(number) = fact.roles.get(Role::SoftirqNumber) else { return };
        let worker = Worker::Softirq(fact.context.event.vcpu, number & u64::from(u32::MAX));
        let passed_on = if irq.is_none() { self.at_hand(&fact.context) } else { Vec::new() };
        irq.into_iter().chain(passed_on).for_each(|irq| self.defer(fact, Some(irq), worker));
    }

    /// The thread does the work.
    pub fn thread_begun(&mut self, fact: &Fact<'_>, out: &mut dyn Sink) {
        let Some(action) = fact.roles.get(Role::IrqAction) else { return };
        let first = self.begin(fact, Worker::Thread(action));
        if let Some(DeferredInterrupt { irq, from }) = first {
            // Like a work item, it is a context of its own.
            let to = fact.here();
            let (kind, to) = (HandoverKind::IrqThread { irq: irq.id }, Point { root: to.call, ..to });
            out.handover(&Handover { kind, from, to });
        }
    }

    /// A softirq's function begins.
    pub fn softirq_begun(&mut self, fact: &Fact<'_>, number: u8) {
        self.begin(fact, Worker::Softirq(fact.context.event.vcpu, number.into()));
    }

    /// A thread or a softirq has done the work.
    pub fn end(&mut self, end: &EndFact<'_>) {
        self.serving.remove(end);
    }

    /// The first interrupt at a clock or after it that led to the context at hand.
    pub fn first_since(&self, context: &Context<'_>, clock: u64) -> Option<IrqRef> {
        self.of_context(context).find(|irq| irq.clock >= clock)
    }

    /// The last interrupt whose work the context at hand does.
    pub fn last_of(&self, context: &Context<'_>) -> Option<IrqRef> {
        self.of_context(context).last()
    }

    /// The interrupts whose work the context at hand does.
    fn at_hand(&self, context: &Context<'_>) -> Vec<IrqRef> {
        self.of_context(context).collect()
    }

    fn of_context(&self, context: &Context<'_>) -> impl Iterator<Item = IrqRef> {
        let serving = self.serving.of_context(context).next_back();
        // While a thread runs, its handler may interrupt it with more.
        let more = serving.and_then(|serving| match serving.worker {
            Worker::Thread(_) => self.pending.get(&serving.worker),
            Worker::Softirq(..) => None,
        });
        let known = serving.map_or(&[][..], |serving| serving.interrupts.as_slice());
        known.iter().chain(more.map_or(&[][..], Vec::as_slice)).map(|deferred| deferred.irq)
    }

    fn defer(&mut self, fact: &Fact<'_>, irq: Option<IrqRef>, worker: Worker) {
        let Some(irq) = irq else { return };
        if self.pending.len() >= MOST_WORKERS && !self.pending.contains_key(&worker) {
            return;
        }
        let pending = self.pending.entry(worker).or_default();
        if pending.last().is_none_or(|last| last.irq.id != irq.id) {
            if pending.len() == MOST {
                pending.remove(0);
            }
            pending.push(DeferredInterrupt { irq, from: fact.here() });
        }
    }

    /// A context takes on what is pending: the first of it.
    fn begin(&mut self, fact: &Fact<'_>, worker: Worker) -> Option<DeferredInterrupt> {
        let interrupts = self.pending.remove(&worker).unwrap_or_default();
        let first = interrupts.first().copied();
        self.serving.insert(fact, ServingContext { worker, interrupts });
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trackers::fixture::FactSource;

    #[test]
    fn the_threads_that_interrupts_wait_for_are_bounded() {
        let (mut source, mut deferred) = (FactSource::default(), DeferredInterrupts::default());
        let irq = IrqRef { id: 3, clock: 40, vector: None, line: None, handler: None, call: None };
        for action in 1..2 * MOST_WORKERS as u64 {
            let woken = [("action", action)];
            source.reach_only(1, "irq.wake_thread", &woken, |fact| deferred.thread_woken(fact, Some(irq)));
        }
        assert_eq!(deferred.pending.len(), MOST_WORKERS);
    }
}
