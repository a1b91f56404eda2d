//! From a pass over a trace to records.

use super::super::conditions::{ConditionFields, Conditions};
use super::contexts::OpenContexts;
use super::join::{Decided, RecordJoin};
use super::{RecordNeeds, RecordScope, RecordSink};
use crate::hash::Set;
use crate::model::{
    Bio, BlockEvent, Call, CallEnd, CallId, Definitions, Handover, Io, IoId, IrqRef, Request, Switch, Wait,
};
use crate::session::{Observer, Pass};
use crate::trackers::Sink;
use iotrace_format::definition::Definition;
use iotrace_format::event::{Event, KindId};
use rustc_hash::FxHashMap;

/// Passes the records of a pass on to a sink.
pub struct RecordObserver<'a> {
    scope: RecordScope,
    conditions: Conditions,
    all: bool,
    needs: RecordNeeds,
    join: RecordJoin,
    kinds: FxHashMap<KindId, Option<ConditionFields>>,
    contexts: OpenContexts,
    /// The clock up to which it is known in which call each vCPU was.
    ran_until: FxHashMap<u16, u64>,
    /// Something ran in a call up to the event at hand.
    ran: bool,
    sink: &'a mut dyn RecordSink,
}

impl<'a> RecordObserver<'a> {
    /// Nothing yet; `calls` are those that contexts are selected by.
    pub fn new(
        scope: RecordScope,
        conditions: Conditions,
        all: bool,
        calls: Option<Set<CallId>>,
        sink: &'a mut dyn RecordSink,
    ) -> Self {
        let contexts = OpenContexts { task: conditions.task.clone(), calls, ..OpenContexts::default() };
        Self {
            join: RecordJoin::new(conditions.clone()),
            needs: sink.needs(),
            scope,
            conditions,
            all,
            kinds: FxHashMap::default(),
            contexts,
            ran_until: FxHashMap::default(),
            ran: false,
            sink,
        }
    }

    /// The trace is over. Returns how many records were decided about too early.
    pub fn finish(mut self) -> u64 {
        self.join.finish();
        self.pass_on();
        self.sink.finish(&self.scope);
        self.join.undecided
    }

    fn pass_on(&mut self) {
        for decided in self.join.take() {
            match decided {
                Decided::Io(io) => self.sink.io(&io, &self.scope),
                Decided::Bio(bio) => self.sink.bio(&bio, &self.scope),
                Decided::Request(request) => self.sink.request(&request, &self.scope),
                Decided::Wait(wait) => self.sink.wait(&wait, &self.scope),
            }
        }
    }

    /// Whether what is of the workload, or was got at a clock, is passed on.
    fn is_of_workload(&self, in_workload: bool) -> bool {
        self.all || in_workload || self.scope.workload.is_none()
    }

    fn describe(&mut self, pass: &Pass, definitions: &Definitions, event: &Event<'_>) {
        if !self.needs.events || !self.scope.contains(event.clock) {
            return;
        }
        let of_kind = || self.conditions.of_kind(definitions, event.kind);
        let Some(fields) = self.kinds.entry(event.kind).or_insert_with(of_kind) else { return };
        let task = pass.describer.task(event.task);
        if self.conditions.event(fields, event, &task, pass.describer.codes()) {
            let mut described = pass.describer.describe(definitions, event);
            described.number = pass.trackers.number();
            self.sink.event(&described, &self.scope);
        }
    }

    /// What was executed up to an event, outside of calls, was the task's that runs.
    fn account(&mut self, event: &Event<'_>) {
        let from = self.ran_until.insert(event.vcpu, event.clock).unwrap_or(event.clock);
        if std::mem::take(&mut self.ran) {
            return;
        }
        let task = self.scope.tasks.get(event.task);
        let (from, to) = (from.max(self.scope.window.0), event.clock.min(self.scope.window.1));
        if from < to && self.contexts.takes_outside(&task) {
            self.sink.ran(None, task, from, to, &self.scope);
        }
    }
}

impl Observer for RecordObserver<'_> {
    fn define(&mut self, definition: &Definition) {
        self.scope.definitions.add(definition);
        self.kinds.clear();
    }

    fn event(&mut self, pass: &Pass, definitions: &Definitions, event: &Event<'_>) {
        if self.needs.contexts {
            self.account(event);
        }
        self.scope.tasks.event(event);
        self.describe(pass, definitions, event);
    }

    fn inserted(&mut self, pass: &Pass, definitions: &Definitions, event: &Event<'_>) {
        self.describe(pass, definitions, event);
    }

    fn is_complete(&self) -> bool {
        self.sink.is_complete()
    }
}

impl Sink for RecordObserver<'_> {
    fn bio(&mut self, bio: Bio) {
        if self.needs.objects && self.is_of_workload(bio.in_workload) {
            self.join.bio(bio);
            self.pass_on();
        }
    }

    fn request(&mut self, request: &Request) {
        let workload = self.scope.workload.unwrap_or((0, None));
        let in_workload = (workload.0..=workload.1.unwrap_or(u64::MAX)).contains(&request.got);
        if self.needs.objects && self.is_of_workload(in_workload) {
            self.join.request(request);
            self.pass_on();
        }
    }

    fn io(&mut self, io: Io) {
        if !(self.all || io.concerns_a_disk() && self.is_of_workload(io.in_workload)) {
            self.join.leave_out(io.id);
        } else if self.needs.objects {
            self.join.io(io);
            self.pass_on();
        }
    }

    fn no_io(&mut self, io: IoId) {
        self.join.leave_out(io);
    }

    fn wait(&mut self, wait: Wait) {
        if self.needs.objects {
            self.join.wait(wait);
        }
    }

    fn block_event(&mut self, event: BlockEvent) {
        let bytes = event.sectors.saturating_mul(512);
        let fits = self.scope.contains(event.clock) && self.conditions.block_event(&event, bytes);
        if self.needs.block_events && fits {
            self.sink.block_event(&event, &self.scope);
        }
    }

    fn entered(&mut self, call: &Call, event: &Event<'_>) {
        if self.needs.contexts {
            let entered = self.contexts.enter(call, &self.scope);
            self.sink.entered(&entered, event, &self.scope);
            if let Some((end, call)) = self.contexts.give_up(event.clock) {
                self.sink.left(&end, &call, &self.scope);
            }
        }
    }

    fn passed(&mut self, within: Option<CallId>, event: &Event<'_>) {
        if let Some(call) = within.and_then(|call| self.contexts.get(call)) {
            self.sink.passed(call, event, &self.scope);
        }
    }

    fn ran(&mut self, call: CallId, from: u64, to: u64) {
        self.ran = true;
        let (from, to) = (from.max(self.scope.window.0), to.min(self.scope.window.1));
        if from < to
            && let Some(call) = self.contexts.get(call)
        {
            self.sink.ran(Some(call), call.task, from, to, &self.scope);
        }
    }

    fn left(&mut self, end: &CallEnd) {
        if let Some(call) = self.contexts.leave(end.id) {
            self.sink.left(end, &call, &self.scope);
        }
    }

    fn switched(&mut self, switch: &Switch) {
        if self.needs.contexts {
            self.sink.switched(switch, &self.scope);
        }
    }

    fn handover(&mut self, handover: &Handover) {
        if self.needs.contexts {
            self.sink.handover(handover, &self.scope);
        }
    }

    fn interrupted(&mut self, irq: &IrqRef) {
        if self.needs.contexts {
            self.sink.interrupted(irq, &self.scope);
        }
    }
}
