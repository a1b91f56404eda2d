//! The call tracker: from events to calls and to the circumstances of each event.
//!
//! In: definitions and events, in the order of their clocks. Out: calls that begin and end, tasks that are switched,
//! marks, to a [`Sink`]; for the other trackers the [`Context`] of each event, and which calls have ended.
//! Oddities counted: calls without an exit and the reverse, probes without a definition, unknown contexts.

use super::counts::{Counts, Oddity};
use super::fact::{CallOpening, CallPosition, Context, OpenCall, interrupt_frame, is_in_syscall};
use super::probes::{Probes, RoleValues};
use super::sink::Sink;
use crate::context::{Calls, Left, Tasks};
use crate::model::{Call, CallId, Level, Switch, WorkloadMark};
use bincode::{Decode, Encode};
use iotrace_format::definition::{Definition, PartBegin};
use iotrace_format::event::{Event, FIRST_PROBE, MARK_BEGIN, MARK_END};
use iotrace_format::role::Role;
use iotrace_format::stage::Stage;

/// Where functions return to whose return address the kernel's own tracing has changed (function_graph, and
/// kretprobes under their names in several kernels).
const TRAMPOLINES: [&str; 4] =
    ["return_to_handler", "arch_rethook_trampoline", "__kretprobe_trampoline", "kretprobe_trampoline"];

/// Calls that ended with one event, the innermost first.
pub type EndedCalls = Vec<Left<CallPosition>>;

/// The entry of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionEntry {
    /// Its return address; 0 if not known.
    pub caller: u64,
    /// Number of the call that begins, if one does whose end will be seen.
    pub call: Option<CallId>,
}

/// Follows who runs, in which call.
#[derive(Debug, Default, Encode, Decode)]
pub struct CallTracker {
    tasks: Tasks,
    calls: Calls<CallPosition>,
    /// Number of the event at hand.
    seen: u64,
    /// What the CPU was in at it.
    level: Level,
    in_workload: bool,
    counts: Counts,
}

impl CallTracker {
    /// Takes in a definition.
    pub fn define(&mut self, definition: &Definition) {
        match definition {
            Definition::Trace(info) => self.calls.set_layout(info.layout),
            Definition::Site(site)
                if site.frames.last().is_some_and(|f| TRAMPOLINES.contains(&f.function.as_str())) =>
            {
                self.calls.trampoline(site.address);
            }
            _ => {}
        }
    }

    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        let mut counts = self.counts.clone();
        counts.add(Oddity::CallWithoutExit, self.calls.without_exit);
        counts.add(Oddity::ExitWithoutCall, self.calls.without_entry);
        counts
    }

    /// The next event is at hand: its number.
    #[inline]
    pub fn count_event(&mut self) -> u64 {
        self.skip(1);
        self.seen
    }

    /// So many events come before the next that are not given.
    #[inline]
    pub fn skip(&mut self, events: u64) {
        self.seen = self.seen.saturating_add(events);
    }

    /// Number of the event at hand.
    pub fn number(&self) -> u64 {
        self.seen
    }

    /// The open calls of all tasks.
    pub fn calls(&self) -> &Calls<CallPosition> {
        &self.calls
    }

    /// A part of a trace begins: what runs, and what the open calls have cost.
    pub fn begin_part(&mut self, begin: &PartBegin) {
        self.calls.begin_part(begin);
    }

    /// The number of the call that began last, to be changed: the next one goes on from there.
    pub fn last_mut(&mut self) -> &mut CallId {
        self.calls.last_mut()
    }

    /// What was executed up to the event at hand was in the call that was innermost.
    #[inline]
    pub fn advance(&mut self, event: &Event<'_>, out: &mut dyn Sink) {
        if let Some((call, since)) = self.calls.advance(event) {
            out.ran(call, since, event.clock);
        }
        self.level = Level::of(event.context);
        if self.level == Level::Unknown && event.kind >= FIRST_PROBE {
            self.counts.add(Oddity::ContextUnknown, 1);
        }
    }

    /// The circumstances of the event at hand; `interrupt` is the number of the one under way on its vCPU.
    #[inline]
    pub fn context<'a>(&'a self, probes: &'a Probes, event: &'a Event<'a>, interrupt: u64) -> Context<'a> {
        Context {
            event,
            number: self.seen,
            level: self.level,
            calls: &self.calls,
            tasks: &self.tasks,
            probes,
            interrupt,
            in_workload: self.in_workload,
        }
    }

    /// An event of a probe that was not defined.
    #[cold]
    pub fn undefined(&mut self) {
        self.counts.add(Oddity::UndefinedProbe, 1);
    }

    /// A function is entered: ends the calls that must be over.
    #[inline]
    pub fn settle(
        &mut self,
        event: &Event<'_>,
        roles: &RoleValues<'_>,
        ended: &mut EndedCalls,
    ) -> FunctionEntry {
        let function = roles.function();
        let caller = self.calls.caller(event, roles.get(Role::Caller).unwrap_or(0));
        if roles.has_exit() && self.calls.is_repeated(event, function) {
            return FunctionEntry { caller, call: None };
        }
        self.calls.settle(event, function, caller, ended);
        let is_frame = matches!(roles.stage(), Some(Stage::IrqFrame | Stage::ExceptionFrame));
        FunctionEntry { caller, call: (roles.has_exit() || is_frame).then(|| self.calls.next()) }
    }

    /// The call begins that a function's entry is; with the command whose completion it processes, if it does that.
    #[inline]
    pub fn enter(
        &mut self,
        event: &Event<'_>,
        roles: &RoleValues<'_>,
        caller: u64,
        completes: Option<u64>,
    ) -> Call {
        let (boundary, mut position) = self.position(event, roles.stage());
        // Within the completion of a flush, those of the requests that wait for it are processed.
        position.completes = position.completes.or(completes);
        let (depth, parent) = (self.calls.all().len(), self.calls.all().last().map(|call| call.number));
        let frame = self.calls.enter(event, roles.function(), caller, boundary, position);
        Call {
            id: frame.number,
            parent,
            depth,
            depth_in_context: frame.depth,
            kind: event.kind,
            clock: event.clock,
            task: event.task,
            level: frame.level,
            boundary,
            caller,
        }
    }

    /// A function returns.
    pub fn leave(&mut self, event: &Event<'_>, roles: &RoleValues<'_>, ended: &mut EndedCalls) {
        self.calls.leave(event, roles.function(), ended);
    }

    /// An interrupt or an exception returns.
    pub fn return_from_exception(&mut self, event: &Event<'_>, ended: &mut EndedCalls) {
        let is_entry = |frame: &OpenCall| {
            matches!(frame.data.opening, CallOpening::InterruptFrame | CallOpening::ExceptionFrame)
        };
        self.calls.leave_interrupt(event, is_entry, ended);
    }

    /// Names of tasks at this moment.
    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// A task begins: the one that was at its address before is gone, with its calls. Returns the number of its stack, if
    /// it had one.
    pub fn task_begun(&mut self, roles: &RoleValues<'_>) -> Option<usize> {
        let address = roles.get(Role::Task)?;
        self.tasks.forget(address);
        self.calls.forget(address)
    }

    /// A task has this name from here on. If another one was at its address before, returns the number of that one's
    /// stack.
    pub fn task(&mut self, event: &Event<'_>) -> Option<usize> {
        let other = match *event.words {
            [address, pid, ..] => {
                let before = self.tasks.get(address).pid;
                Some(address).filter(|_| before != 0 && u64::from(before) != pid)
            }
            _ => None,
        };
        self.tasks.event(event);
        other.and_then(|address| self.calls.forget(address))
    }

    /// Another task runs from here on.
    pub fn switch(&mut self, event: &Event<'_>, roles: &RoleValues<'_>, out: &mut dyn Sink) {
        if let (Some(from), Some(to)) = (roles.get(Role::PreviousTask), roles.get(Role::NextTask)) {
            let call = self.calls.all().last().map(|call| call.number);
            out.switched(&Switch { clock: event.clock, vcpu: event.vcpu, from, to, call });
            self.calls.switch(event, to);
        }
    }

    /// The guest set a mark.
    pub fn mark(&mut self, event: &Event<'_>, out: &mut dyn Sink) {
        let Some(&code) = event.words.first() else { return };
        match code {
            MARK_BEGIN => self.in_workload = true,
            MARK_END => self.in_workload = false,
            _ => {}
        }
        out.mark(WorkloadMark { clock: event.clock, code });
    }

    /// Whether a call that begins at this stage begins a context, and where it stands.
    fn position(&self, event: &Event<'_>, stage: Option<&Stage>) -> (bool, CallPosition) {
        let (opening, boundary) = match stage {
            Some(Stage::IrqFrame) => (CallOpening::InterruptFrame, true),
            Some(Stage::ExceptionFrame) => (CallOpening::ExceptionFrame, false),
            Some(Stage::SoftirqRun | Stage::WorkRun) => (CallOpening::Plain, true),
            Some(Stage::IrqEntry) => (CallOpening::Plain, interrupt_frame(self.calls.all()).is_none()),
            // In a trace of every function, it is called by one.
            Some(Stage::Syscall(_)) => (CallOpening::Syscall, !is_in_syscall(self.calls.open(event))),
            _ => (CallOpening::Plain, false),
        };
        let number = self.calls.next();
        let outer = self.calls.all().last().filter(|_| !boundary);
        let root = outer.map_or(number, |outer| outer.data.root);
        let first = outer.filter(|outer| outer.level == self.level).map_or(number, |outer| outer.data.first);
        let completes = outer.and_then(|outer| outer.data.completes);
        (boundary, CallPosition { opening, root, first, event: self.seen, completes })
    }
}

#[cfg(test)]
mod tests;
