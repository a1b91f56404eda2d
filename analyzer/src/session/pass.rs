//! A pass over a trace: the trackers, and those who observe what they find.

use crate::analysis::describe::Describer;
use crate::context::{Tasks, TimeKeeper};
use crate::index::{Checkpoint, OpenCallEntry, SessionIndexBuilder};
use crate::model::{
    Bio, BlockEvent, Call, CallEnd, CallId, Definitions, Handover, Io, IoId, IrqRef, Raise, Request, Switch,
    Wait, WorkloadMark,
};
use crate::reader::{Finished, Flow, Visitor};
use crate::trackers::{Sink, Trackers};
use iotrace_format::definition::Definition;
use iotrace_format::event::Event;
use iotrace_format::trace::columns::EventBlock;

/// Takes what a pass finds: that of the trackers as a [`Sink`], and the events themselves.
pub trait Observer: Sink {
    /// A definition; the trackers know it already.
    fn define(&mut self, _definition: &Definition) {}

    /// The pass begins in the middle of the trace, where the tasks at these addresses run, and all have these names. The
    /// calls that are open there are given as if they were entered now, the first first.
    fn resumed(&mut self, _running: &[u64], _tasks: &Tasks) {}

    /// Events are missing before the next one.
    fn skipped(&mut self, _events: u64) {}

    /// An event, after the trackers have taken it in.
    fn event(&mut self, _pass: &Pass, _definitions: &Definitions, _event: &Event<'_>) {}

    /// An event that was inserted into the trace afterwards: no step of the guest's.
    fn inserted(&mut self, _pass: &Pass, _definitions: &Definitions, _event: &Event<'_>) {}

    /// Nothing more is needed: the pass ends when this is true of all observers. Objects in flight are given then.
    fn is_complete(&self) -> bool {
        false
    }
}

/// What a pass knows at the event at hand; after the pass, at the last one.
#[derive(Debug, Default)]
pub struct Pass {
    /// Which objects belong together.
    pub trackers: Trackers,
    /// Names of tasks, and events as text.
    pub describer: Describer,
    /// From clocks to virtual time; of a pass that began in the middle, since then.
    pub keeper: TimeKeeper,
}

/// What is known after a pass.
#[derive(Debug)]
pub struct PassEnd {
    /// The state of the pass at its last event.
    pub pass: Pass,
    /// Definitions, damage and counts of the reader.
    pub finished: Finished,
}

/// A pass under way.
pub(super) struct RunningPass<'o, 'x> {
    pass: Pass,
    observers: Observers<'o, 'x>,
    /// Open calls of the checkpoint that the pass begins with, before its first event.
    resumes: Option<Vec<OpenCallEntry>>,
}

impl<'o, 'x> RunningPass<'o, 'x> {
    /// From the beginning.
    pub fn new(observers: Observers<'o, 'x>) -> Self {
        Self { pass: Pass::default(), observers, resumes: None }
    }

    /// From a checkpoint on.
    pub fn resume(Checkpoint { trackers, open }: Checkpoint, observers: Observers<'o, 'x>) -> Self {
        let pass = Pass { trackers, ..Pass::default() };
        Self { pass, observers, resumes: Some(open) }
    }

    /// The pass is over: gives what is still in flight.
    pub fn finish(mut self, finished: Finished) -> (PassEnd, Option<SessionIndexBuilder>) {
        if let Some(builder) = &mut self.observers.builder {
            builder.begin(None);
        }
        self.pass.trackers.finish(&mut self.observers);
        (PassEnd { pass: self.pass, finished }, self.observers.builder)
    }

    #[cold]
    fn begin(&mut self, open: &[OpenCallEntry]) {
        self.pass.describer.resume(&self.pass.trackers);
        let running: Vec<_> = self.pass.trackers.running_tasks().collect();
        let tasks = self.pass.trackers.tasks();
        self.observers.each(|observer| observer.resumed(&running, tasks));
        for entry in open {
            self.observers.entered(&entry.call, &entry.event());
        }
    }
}

impl Visitor for RunningPass<'_, '_> {
    fn define(&mut self, definition: &Definition) {
        self.pass.keeper.define(definition);
        self.pass.trackers.define(definition);
        self.pass.describer.define(definition);
        self.observers.each(|observer| observer.define(definition));
    }

    fn skipped(&mut self, events: u64) {
        self.pass.trackers.skipped(events);
        self.observers.each(|observer| observer.skipped(events));
    }

    fn event(&mut self, definitions: &Definitions, event: &Event<'_>) -> Flow {
        if let Some(open) = self.resumes.take() {
            self.begin(&open);
        }
        self.pass.keeper.event(event);
        self.pass.describer.follow(event);
        if let Some(builder) = &mut self.observers.builder {
            builder.begin(Some(event.clock));
        }
        match self.observers.only() {
            Some(only) => self.pass.trackers.event(event, only),
            None => self.pass.trackers.event(event, &mut self.observers),
        }
        let pass = &self.pass;
        if pass.trackers.is_inserted(event) {
            self.observers.each(|observer| observer.inserted(pass, definitions, event));
        } else {
            self.observers.each(|observer| observer.event(pass, definitions, event));
        }
        if let Some(builder) = &mut self.observers.builder {
            builder.settle(pass);
        }
        if self.observers.are_complete() { Flow::Stop } else { Flow::Continue }
    }

    fn block(&mut self, block: &EventBlock, first: u64, next: usize) {
        if let Some(builder) = &mut self.observers.builder {
            builder.block(&self.pass, block, first, next);
        }
    }
}

/// Passes on to several observers what one pass finds; and what an index has, to its builder.
pub(super) struct Observers<'o, 'x> {
    all: &'o mut [&'x mut dyn Observer],
    builder: Option<SessionIndexBuilder>,
}

impl<'o, 'x> Observers<'o, 'x> {
    pub fn new(all: &'o mut [&'x mut dyn Observer], builder: Option<SessionIndexBuilder>) -> Self {
        Self { all, builder }
    }

    /// The observer, if there is one and nothing else.
    fn only(&mut self) -> Option<&mut dyn Observer> {
        match (&mut *self.all, &self.builder) {
            ([only], None) => Some(&mut **only),
            _ => None,
        }
    }

    fn each(&mut self, mut call: impl FnMut(&mut dyn Observer)) {
        self.all.iter_mut().for_each(|observer| call(*observer));
    }

    fn are_complete(&self) -> bool {
        self.builder.is_none() && self.all.iter().all(|observer| observer.is_complete())
    }
}

impl Sink for Observers<'_, '_> {
    fn bio(&mut self, bio: Bio) {
        if let Some(builder) = &mut self.builder {
            builder.bio(&bio);
        }
        self.each(|observer| observer.bio(bio.clone()));
    }

    fn request(&mut self, request: &Request) {
        if let Some(builder) = &mut self.builder {
            builder.request(request);
        }
        self.each(|observer| observer.request(request));
    }

    fn block_event(&mut self, event: BlockEvent) {
        self.each(|observer| observer.block_event(event));
    }

    fn mark(&mut self, mark: WorkloadMark) {
        self.each(|observer| observer.mark(mark));
    }

    fn entered(&mut self, call: &Call, event: &Event<'_>) {
        self.each(|observer| observer.entered(call, event));
    }

    fn passed(&mut self, within: Option<CallId>, event: &Event<'_>) {
        self.each(|observer| observer.passed(within, event));
    }

    fn ran(&mut self, call: CallId, from: u64, to: u64) {
        self.each(|observer| observer.ran(call, from, to));
    }

    fn left(&mut self, end: &CallEnd) {
        self.each(|observer| observer.left(end));
    }

    fn switched(&mut self, switch: &Switch) {
        if let Some(builder) = &mut self.builder {
            builder.switched(switch);
        }
        self.each(|observer| observer.switched(switch));
    }

    fn handover(&mut self, handover: &Handover) {
        self.each(|observer| observer.handover(handover));
    }

    fn raised(&mut self, raise: Raise) {
        self.each(|observer| observer.raised(raise.clone()));
    }

    fn interrupted(&mut self, irq: &IrqRef) {
        self.each(|observer| observer.interrupted(irq));
    }

    fn wait(&mut self, wait: Wait) {
        self.each(|observer| observer.wait(wait.clone()));
    }

    fn io(&mut self, io: Io) {
        if let Some(builder) = &mut self.builder {
            builder.io(&io);
        }
        self.each(|observer| observer.io(io.clone()));
    }

    fn no_io(&mut self, io: IoId) {
        self.each(|observer| observer.no_io(io));
    }
}
