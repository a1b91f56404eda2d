//! Calls begin and end.

use super::probes::RoleValues;
use super::{Oddity, Open, Sink, Stitcher};
use crate::context::CallFrame;
use crate::model::{Call, CallEnd, CallId, Ending, Level, Point};
use iotrace_format::definition::At;
use iotrace_format::event::Event;
use iotrace_format::role::Role;
use std::rc::Rc;

impl Stitcher {
    pub(super) fn probe(&mut self, event: &Event<'_>, out: &mut dyn Sink) {
        let Some(words) = self.probes.words(event) else {
            self.counts.add(Oddity::UndefinedProbe, 1);
            return;
        };
        match words.at() {
            At::Entry => self.enter(event, &words, out),
            At::Inlined => {
                let _ = self.entry(event, &words, out);
                out.passed(self.innermost(), event);
            }
            At::Exit => {
                self.calls.leave(event, words.function(), &mut self.ended);
                self.ends(event, event.words.first().copied(), out);
            }
        }
    }

    fn enter(&mut self, event: &Event<'_>, words: &RoleValues<'_>, out: &mut dyn Sink) {
        let function = words.function();
        let caller = self.calls.caller(event, words.get(Role::Caller).unwrap_or(0));
        let repeated = words.has_exit() && self.calls.is_repeated(event, function);
        if !repeated {
            self.calls.settle(event, function, caller, &mut self.ended);
            self.ends(event, None, out);
        }
        let open = self.entry(event, words, out);
        let interrupt = matches!(open, Open::IrqFrame | Open::ExcFrame);
        if repeated || !words.has_exit() && !interrupt {
            out.passed(self.innermost(), event);
            return;
        }
        let boundary = match open {
            Open::IrqFrame | Open::Softirq | Open::Work { .. } => true,
            Open::Irq => !self.within_interrupt(),
            // In a trace of every function, it is called by one.
            Open::Syscall { .. } => !self.within_syscall(event),
            _ => false,
        };
        let (depth, parent) = (self.calls.all().len(), self.innermost());
        let frame = self.calls.enter(event, function, caller, boundary, open);
        let call = Call {
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
        };
        out.entered(&call, event);
    }

    /// An interrupt or an exception returns.
    pub(super) fn exception_return(&mut self, event: &Event<'_>, out: &mut dyn Sink) {
        let is_entry = |frame: &CallFrame<Open>| matches!(frame.data, Open::IrqFrame | Open::ExcFrame);
        self.calls.leave_interrupt(event, is_entry, &mut self.ended);
        self.ends(event, None, out);
    }

    fn ends(&mut self, event: &Event<'_>, returned: Option<u64>, out: &mut dyn Sink) {
        if self.ended.is_empty() {
            return;
        }
        let mut ended = std::mem::take(&mut self.ended);
        for left in ended.drain(..) {
            let CallFrame { number, function, kind, own, nested, data, .. } = left.frame;
            let seen = left.ending != Ending::Unseen;
            let end = CallEnd {
                id: number,
                kind,
                clock: event.clock,
                own,
                total: own + nested,
                ending: left.ending,
                returned: returned.filter(|_| seen),
            };
            if seen {
                self.exit(event, &end, (function, data), out);
            }
            out.left(&end);
        }
        self.ended = ended;
    }

    fn within_interrupt(&self) -> bool {
        let all = self.calls.all();
        all.iter().rev().find(|f| f.boundary).is_some_and(|f| f.data == Open::IrqFrame)
    }

    fn within_syscall(&self, event: &Event<'_>) -> bool {
        self.calls.open(event).iter().any(|frame| matches!(frame.data, Open::Syscall { .. }))
    }

    /// The innermost call.
    pub(super) fn innermost(&self) -> Option<CallId> {
        self.calls.all().last().map(|frame| frame.number)
    }

    /// Here, in the innermost call.
    pub(super) fn here(&self, event: &Event<'_>) -> Point {
        let all = self.calls.all();
        Point {
            clock: event.clock,
            event: self.seen,
            call: all.last().map(|frame| frame.number),
            root: root(all).map(|frame| frame.number),
            task: event.task,
            level: Level::of(event.context),
        }
    }

    /// Here, in the call that begins with this event.
    pub(super) fn here_in(&self, event: &Event<'_>, words: &RoleValues<'_>) -> Point {
        let here = self.here(event);
        let next = words.has_exit().then(|| self.calls.next());
        Point { call: next.or(here.call), root: here.root.or(next), ..here }
    }

    /// The open calls of the context at hand and one in them, by their functions, the outermost first.
    pub(super) fn functions(&self, event: &Event<'_>, innermost: u16) -> Box<[u16]> {
        self.calls.open(event).iter().map(|frame| frame.function).chain([innermost]).collect()
    }

    /// The names of functions.
    pub(super) fn names(&self, functions: &[u16]) -> Vec<Rc<str>> {
        functions.iter().map(|function| self.probes.name(*function)).collect()
    }
}

/// The outermost call of the innermost context.
fn root(all: &[CallFrame<Open>]) -> Option<&CallFrame<Open>> {
    all.iter().rev().find(|frame| frame.boundary).or(all.first())
}
