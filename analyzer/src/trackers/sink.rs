//! What the trackers give out: calls to a [`Sink`], in terms of the model.

use crate::model::{
    Bio, BlockEvent, Call, CallEnd, CallId, Handover, Io, IoId, IrqRef, Raise, Request, Switch, Wait,
    WorkloadMark,
};
use iotrace_format::event::Event;

/// Takes what the trackers find.
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
    /// An I/O is over and its bytes are written, or the trace is over. The file tracker also passes on what proves to be
    /// none ([`Io::is_io`]); the tracker of waits for devices drops it.
    fn io(&mut self, _io: Io) {}
    /// A system call or a fault that had the number of an I/O has proved to be none; there may have been waits in it.
    fn no_io(&mut self, _io: IoId) {}
}
