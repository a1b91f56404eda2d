//! For tests: facts made by hand, for one tracker alone.
//!
//! Stages and arguments have the names that the catalog gives them.

use super::calls::CallTracker;
use super::fact::{Context, EndFact, Fact};
use super::probes::Probes;
use crate::model::{CallEnd, Ending};
use iotrace_format::definition::{At, Definition, Layout, TraceInfo};
use iotrace_format::event::{self, Event, FIRST_PROBE};
use iotrace_format::layer::Layer;
use iotrace_synthetic_guest;
use std::collections::HashMap;

/// Roles and their values.
pub type RoleArguments<'a> = &'a [(&'a str, u64)];

/// Makes facts, and the circumstances that they have.
pub struct FactSource {
    calls: CallTracker,
    probes: Probes,
    kinds: HashMap<(String, At, Vec<String>), u16>,
    /// The task that runs.
    pub task: u64,
    /// Its `preempt_count`.
    pub context: u32,
    /// The vCPU.
    pub vcpu: u16,
    /// The interrupt under way.
    pub interrupt: u64,
    /// The command whose completion the calls that are entered process.
    pub completes: Option<u64>,
}

impl Default for FactSource {
    fn default() -> Self {
        let (calls, probes, kinds) = (CallTracker::default(), Probes::default(), HashMap::new());
        let mut new = Self {
            calls,
            probes,
            kinds,
            task: iotrace_synthetic_guest::TASK,
            context: 0,
            vcpu: 0,
            interrupt: 0,
            completes: None,
        };
        let info = TraceInfo { layout: Layout::default(), ..TraceInfo::default() };
        new.calls.define(&Definition::Trace(info));
        new.name_task(iotrace_synthetic_guest::TASK, 42, *b"dd\0\0\0\0\0\0");
        new
    }
}

impl FactSource {
    /// A task gets its name.
    pub fn name_task(&mut self, task: u64, pid: u64, comm: [u8; 8]) {
        let words = [task, pid, pid, u64::from_le_bytes(comm), 0];
        let event = self.event(event::TASK.id, 0, &words);
        self.calls.task(&event);
    }

    /// The guest sets a mark.
    pub fn mark(&mut self, code: u64) {
        let words = [code, 0];
        let event = self.event(event::MARK.id, 0, &words);
        self.calls.mark(&event, &mut super::timelines::Found::default());
    }

    /// A function with an exit is entered: the fact is given, then the call is open.
    pub fn enter<R>(
        &mut self,
        clock: u64,
        stage: &str,
        arguments: RoleArguments<'_>,
        take: impl FnOnce(&Fact<'_>) -> R,
    ) -> R {
        self.kind(stage, At::Exit, &[("ret", 0)]);
        self.reach(clock, stage, At::Entry, arguments, take)
    }

    /// A function without an exit reaches its stage: no call is open afterwards.
    pub fn reach_only<R>(
        &mut self,
        clock: u64,
        stage: &str,
        arguments: RoleArguments<'_>,
        take: impl FnOnce(&Fact<'_>) -> R,
    ) -> R {
        self.reach(clock, stage, At::Inlined, arguments, take)
    }

    /// The innermost call ends, which is that of a stage; with what it returned.
    pub fn exit<R>(
        &mut self,
        clock: u64,
        stage: &str,
        returned: u64,
        take: impl FnOnce(&EndFact<'_>) -> R,
    ) -> R {
        self.end(clock, stage, (Some(returned), Ending::Returned), take)
    }

    /// The innermost call, which is that of a stage, turns out to have ended.
    pub fn lose<R>(&mut self, clock: u64, stage: &str, take: impl FnOnce(&EndFact<'_>) -> R) -> R {
        self.end(clock, stage, (None, Ending::Unseen), take)
    }

    /// Something happens that has no stage.
    pub fn at<R>(&mut self, clock: u64, words: &[u64], take: impl FnOnce(&Context<'_>) -> R) -> R {
        let event = self.event(event::MMIO_WRITE.id, clock, words);
        self.calls.count_event();
        self.calls.advance(&event, &mut super::timelines::Found::default());
        take(&self.calls.context(&self.probes, &event, self.interrupt))
    }

    /// Another task runs; the fact is given as it is when that is known.
    pub fn switch<R>(&mut self, clock: u64, to: u64, take: impl FnOnce(&Fact<'_>) -> R) -> R {
        let arguments = [("prev", self.task), ("next", to)];
        let result = self.reach(clock, "task.switch", At::Inlined, &arguments, take);
        self.task = to;
        result
    }

    fn reach<R>(
        &mut self,
        clock: u64,
        stage: &str,
        at: At,
        arguments: RoleArguments<'_>,
        take: impl FnOnce(&Fact<'_>) -> R,
    ) -> R {
        let kind = self.kind(stage, at, arguments);
        let words: Vec<_> = arguments.iter().map(|(_, value)| *value).collect();
        let event = self.event(kind, clock, &words);
        self.calls.count_event();
        self.calls.advance(&event, &mut super::timelines::Found::default());
        let roles = self.probes.words(&event).unwrap();
        let mut ended = Vec::new();
        let entry = self.calls.settle(&event, &roles, &mut ended);
        assert_eq!(ended, []);
        let call = entry.call.filter(|_| at == At::Entry);
        if stage == "task.switch" {
            self.calls.switch(&event, &roles, &mut super::timelines::Found::default());
        }
        let context = self.calls.context(&self.probes, &event, self.interrupt);
        let result = take(&Fact { stage: roles.stage().unwrap(), roles: &roles, call, context });
        if call.is_some() {
            self.calls.enter(&event, &roles, entry.caller, self.completes);
        }
        result
    }

    fn end<R>(
        &mut self,
        clock: u64,
        stage: &str,
        (returned, ending): (Option<u64>, Ending),
        take: impl FnOnce(&EndFact<'_>) -> R,
    ) -> R {
        let kind = self.kind(stage, At::Exit, &[("ret", 0)]);
        let words = [returned.unwrap_or(0)];
        let event = self.event(kind, clock, &words);
        self.calls.count_event();
        self.calls.advance(&event, &mut super::timelines::Found::default());
        let (roles, mut ended) = (self.probes.words(&event).unwrap(), Vec::new());
        self.calls.leave(&event, &roles, &mut ended);
        let [left] = &ended[..] else { panic!("{ended:?}") };
        let (id, own) = (left.frame.number, left.frame.own);
        let total = own + left.frame.nested;
        let call = CallEnd { id, kind: left.frame.kind, clock, own, total, ending, returned, returns: None };
        let (stage, function) = (roles.stage().unwrap(), roles.function());
        let context = self.calls.context(&self.probes, &event, self.interrupt);
        take(&EndFact { stage, call: &call, function, context })
    }

    fn event<'a>(&self, kind: u16, clock: u64, words: &'a [u64]) -> Event<'a> {
        let Self { task, context, vcpu, .. } = *self;
        Event { kind, vcpu, clock, context, task, stack: 0, words }
    }

    fn kind(&mut self, stage: &str, at: At, arguments: RoleArguments<'_>) -> u16 {
        let names: Vec<_> = arguments.iter().map(|(name, _)| (*name).to_owned()).collect();
        let next = FIRST_PROBE + self.kinds.len() as u16;
        let kind = *self.kinds.entry((stage.to_owned(), at, names.clone())).or_insert(next);
        if kind == next {
            let mut probe = iotrace_synthetic_guest::probe(kind, stage, at, names);
            if at == At::Inlined {
                probe.function.push_str("_inlined");
            }
            if stage.starts_with("task.") {
                probe.layer = Layer::Sched;
            }
            self.probes.define(&probe);
        }
        kind
    }
}
