//! Interrupts: which one a completion came with.
//!
//! The kernel's entry function runs with interrupts off until its handlers are done, so the last one
//! entered on a vCPU is the one whose handlers run; no stack is needed. QEMU's own report, where there is
//! one, comes just before and gives the exact time.

use super::counts::Counts;
use crate::model::{CallId, IrqRef, Level};
use iotrace_format::event::Event;

#[derive(Debug, Clone, Copy, Default)]
struct Vcpu {
    reported: Option<u64>,
    current: Option<IrqRef>,
    /// The last one that a driver took for its own.
    driver: Option<IrqRef>,
}

/// What each vCPU was interrupted by.
#[derive(Debug, Default)]
pub struct Interrupts {
    vcpus: Vec<Vcpu>,
    last: u64,
}

impl Interrupts {
    fn vcpu(&mut self, event: &Event<'_>) -> &mut Vcpu {
        let at = usize::from(event.vcpu);
        if self.vcpus.len() <= at {
            self.vcpus.resize(at + 1, Vcpu::default());
        }
        &mut self.vcpus[at]
    }

    /// QEMU says that it delivered an interrupt. Some vectors (the local timer) have no entry function
    /// of interest; their report is replaced by the next.
    pub fn reported(&mut self, event: &Event<'_>) {
        self.vcpu(event).reported = Some(event.clock);
    }

    /// The kernel's entry function; with the outermost call, and when that was entered.
    pub fn entered(
        &mut self,
        event: &Event<'_>,
        vector: Option<u64>,
        outermost: Option<(CallId, u64)>,
        counts: &mut Counts,
    ) {
        self.last += 1;
        counts.interrupts += 1;
        let id = self.last;
        let vcpu = self.vcpu(event);
        let clock = vcpu.reported.take().unwrap_or(event.clock);
        let (call, entered) =
            (outermost.map(|(call, _)| call), outermost.map_or(clock, |(_, from)| from.min(clock)));
        vcpu.current = Some(IrqRef { id, clock, entered, vector, line: None, handler: None, call });
    }

    /// The handlers of a line are called.
    pub fn handler(
        &mut self,
        event: &Event<'_>,
        line: Option<u64>,
        handler: Option<u64>,
        counts: &mut Counts,
    ) {
        if self.vcpu(event).current.is_none_or(|irq| irq.line.is_some()) {
            // The entry function is not probed in this kernel: the handlers are the interrupt.
            self.entered(event, None, None, counts);
        }
        if let Some(irq) = &mut self.vcpu(event).current {
            (irq.line, irq.handler) = (line, handler);
        }
    }

    /// Number of the interrupt under way where an event happened, 0 if there is none.
    pub fn number(&self, event: &Event<'_>) -> u64 {
        self.vcpus.get(usize::from(event.vcpu)).and_then(|vcpu| vcpu.current).map_or(0, |irq| irq.id)
    }

    /// The entry function returned.
    pub fn left(&mut self, event: &Event<'_>) -> Option<IrqRef> {
        self.vcpu(event).current.take()
    }

    /// A driver's handler returned (`irqreturn_t`: 0 is another device's interrupt).
    pub fn driver_left(&mut self, event: &Event<'_>, returned: Option<u64>) {
        let vcpu = self.vcpu(event);
        if returned.is_none_or(|value| value & 3 != 0) {
            vcpu.driver = vcpu.current.or(vcpu.driver);
        }
    }

    /// The last interrupt that a driver took for its own.
    pub fn of_driver(&mut self, event: &Event<'_>) -> Option<IrqRef> {
        self.vcpu(event).driver
    }

    /// The interrupt that is being handled where an event happened.
    pub fn current(&mut self, event: &Event<'_>) -> Option<IrqRef> {
        self.vcpu(event).current.filter(|_| Level::of(event.context) == Level::Hardirq)
    }
}
