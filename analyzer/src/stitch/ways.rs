//! By which way a request was dispatched, and by which its completion came.

use super::probes::RoleValues;
use super::{Open, Stitcher};
use crate::model::{CompletionWay, DispatchWay, Level};
use iotrace_format::event::Event;
use iotrace_format::stage::Stage;

impl Stitcher {
    /// The way by which the request is given to the SCSI layer here: told by the calls that are open.
    pub(super) fn dispatch_way(&self, event: &Event<'_>) -> DispatchWay {
        let mut ways = Vec::new();
        for frame in self.calls.open(event) {
            if let Open::Way(stage) = &frame.data
                && !ways.contains(&stage)
            {
                ways.push(stage);
            }
        }
        let has = |stage| ways.contains(&&stage);
        let flushes = has(Stage::PlugFlush) || has(Stage::PlugFinish);
        match () {
            () if has(Stage::QueueRequeue) => DispatchWay::Requeue,
            () if has(Stage::QueueWork) => DispatchWay::Kblockd,
            () if has(Stage::QueueRestart) => DispatchWay::Restart,
            () if flushes && has(Stage::IssueDirect) => DispatchWay::PlugDirect,
            () if flushes => DispatchWay::PlugFlush,
            () if has(Stage::IssueDirect) => DispatchWay::Direct,
            () if has(Stage::QueueRun) || has(Stage::SingleQueueRun) => DispatchWay::Run,
            () => DispatchWay::Unknown,
        }
    }

    /// The task that runs here, or the level that interrupted it.
    pub(super) fn runner(&self, event: &Event<'_>) -> String {
        match Level::of(event.context) {
            Level::Task => self.task_at(event.task).comm.to_string(),
            level => level.name().to_owned(),
        }
    }

    pub(super) fn rq_complete(&mut self, event: &Event<'_>, words: &RoleValues<'_>) -> Open {
        let level = Level::of(event.context);
        self.rq_step(event, words, |attempt, clock| {
            attempt.completed = Some(clock);
            attempt.completed_at = Some(level);
        });
        self.request_of(words).map_or(Open::Plain, |rq| Open::Complete { rq })
    }

    pub(super) fn rq_softirq(&mut self, event: &Event<'_>, words: &RoleValues<'_>) {
        let open = self.calls.open(event);
        let rq = words.request();
        let way = if open.iter().any(|f| f.data == Open::SoftirqBlock) {
            CompletionWay::Softirq
        } else if open.iter().any(|f| matches!(f.data, Open::Complete { rq: other } if Some(other) == rq)) {
            CompletionWay::InPlace
        } else {
            CompletionWay::Elsewhere
        };
        let number = self.seen;
        self.rq_step(event, words, |attempt, clock| {
            attempt.softirq = Some(clock);
            (attempt.completion, attempt.completion_event) = (Some(way), number);
        });
    }
}
