//! By which way a request was dispatched, and by which its completion came: told by the calls that are open.

use super::requests::{Exchange, RequestCall, RequestTracker};
use crate::model::{CompletionWay, DispatchWay, Level};
use crate::trackers::counts::Oddity;
use crate::trackers::fact::{Context, Fact};
use bincode::{Decode, Encode};
use iotrace_format::stage::{BLOCK_SOFTIRQ, Stage};

/// A call that runs a queue: one bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct QueueRun(u8);

impl QueueRun {
    const RUN: Self = Self(1);
    const WORK: Self = Self(2);
    const REQUEUE: Self = Self(4);
    const RESTART: Self = Self(8);
    const DIRECT: Self = Self(16);
    const PLUG: Self = Self(32);

    /// That of a stage; none if it runs no queue.
    pub fn of_stage(stage: &Stage) -> Option<Self> {
        match stage {
            Stage::QueueRun | Stage::SingleQueueRun => Some(Self::RUN),
            Stage::QueueWork => Some(Self::WORK),
            Stage::QueueRequeue => Some(Self::REQUEUE),
            Stage::QueueRestart => Some(Self::RESTART),
            Stage::IssueDirect => Some(Self::DIRECT),
            Stage::PlugFlush | Stage::PlugFinish => Some(Self::PLUG),
            _ => None,
        }
    }

    /// The way that the calls make which are open together.
    fn way(calls: impl Iterator<Item = Self>) -> DispatchWay {
        let all = calls.fold(0, |all, call| all | call.0);
        let has = |call: Self| all & call.0 != 0;
        match () {
            () if has(Self::REQUEUE) => DispatchWay::Requeue,
            () if has(Self::WORK) => DispatchWay::Kblockd,
            () if has(Self::RESTART) => DispatchWay::Restart,
            () if has(Self::PLUG) && has(Self::DIRECT) => DispatchWay::PlugDirect,
            () if has(Self::PLUG) => DispatchWay::PlugFlush,
            () if has(Self::DIRECT) => DispatchWay::Direct,
            () if has(Self::RUN) => DispatchWay::Run,
            () => DispatchWay::Unknown,
        }
    }
}

/// The task that runs here, or the level that interrupted it.
pub fn runner(context: &Context<'_>) -> String {
    match context.level {
        Level::Task => context.task().comm.to_string(),
        level => level.name().to_owned(),
    }
}

impl RequestTracker {
    /// The way by which a request is given to the SCSI layer here.
    pub(super) fn dispatch_way(&self, context: &Context<'_>) -> DispatchWay {
        QueueRun::way(self.calls.of_context(context).filter_map(|call| match call {
            RequestCall::Queue(run) => Some(*run),
            _ => None,
        }))
    }

    /// The function of a softirq begins.
    pub fn softirq(&mut self, fact: &Fact<'_>) {
        if *fact.stage == Stage::Softirq(BLOCK_SOFTIRQ) {
            self.calls.insert(fact, RequestCall::BlockSoftirq);
        }
    }

    /// A driver completes a request, if it is a known one.
    pub fn completed(&mut self, fact: &Fact<'_>, request: Option<u64>, exchange: &mut Exchange<'_>) {
        let Some(pointer) = request.filter(|request| self.live.contains_key(request)) else {
            return self.counts.add(Oddity::CommandUnknown, 1);
        };
        if let Some(attempt) = self.attempt(pointer, |_| false) {
            attempt.completed = Some(fact.context.clock());
            attempt.completed_at = Some(fact.context.level);
        }
        if self.current_batch(&fact.context).is_some() {
            self.update(fact, exchange);
        }
        self.calls.insert(fact, RequestCall::Complete { request: pointer });
    }

    /// The completion of a request is processed, if it is a known one.
    pub fn completion_processed(&mut self, fact: &Fact<'_>, request: Option<u64>) {
        let Some(pointer) = request.filter(|request| self.live.contains_key(request)) else {
            return self.counts.add(Oddity::CommandUnknown, 1);
        };
        let way = self.completion_way(fact);
        if let Some(attempt) = self.attempt(pointer, |_| false) {
            attempt.softirq = Some(fact.context.clock());
            (attempt.completion, attempt.completion_event) = (Some(way), fact.context.number);
        }
    }

    fn completion_way(&self, fact: &Fact<'_>) -> CompletionWay {
        let open = || self.calls.of_context(&fact.context);
        let completes = |call: &RequestCall| match call {
            RequestCall::Complete { request } => Some(*request) == fact.roles.request(),
            _ => false,
        };
        if open().any(|call| matches!(call, RequestCall::BlockSoftirq)) {
            CompletionWay::Softirq
        } else if open().any(completes) {
            CompletionWay::InPlace
        } else {
            CompletionWay::Elsewhere
        }
    }
}
