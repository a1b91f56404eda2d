//! Three questions about the block layer, answered with what happened in a trace.
//!
//! 1. How does the block softirq come to be raised, by whom, and when does the completion do without it?
//! 2. How is the task woken that waits in a system call, and by whom?
//! 3. Does a thread run the queue of requests, or by which way was each request dispatched?
//!
//! In: a trace. Out: an [`Explanation`]: what was counted, each with the number of the first event that shows
//! it. Counted is what happened between the marks of the workload; without marks, everything.

use super::{Progress, Workload, subject::cut};
use crate::model::{
    Attempt, CompletionWay, Definitions, DispatchWay, Io, IoId, Level, Raise, Request, TimeMap, Wait,
    WorkloadMark,
};
use crate::session::{Observer, PassEnd, Session};
use crate::trackers::Sink;
use iotrace_format::stage::BLOCK_SOFTIRQ;
use iotrace_format::trace::reader::ReadError;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Something that happened so many times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OccurrenceCount {
    /// How often.
    pub count: u64,
    /// Number of the first event that shows it, counted from 1 over the whole trace.
    pub first: u64,
}

impl OccurrenceCount {
    fn add(&mut self, event: u64) {
        self.first = if self.count == 0 { event } else { self.first.min(event) };
        self.count += 1;
    }
}

/// How a completion came to be: what the CPU was in when the driver told the block layer, and where the rest was
/// done.
pub type Completed = (Level, CompletionWay);

/// How a softirq was raised: the open calls, the outermost first, and what the CPU was in.
pub type Raised = (Vec<Arc<str>>, Level);

/// A kind of wait.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WaitKind {
    /// The function that the task waited in.
    pub function: String,
    /// What for, as the catalog says it.
    pub what: String,
    /// The open calls of the waker, the outermost first.
    pub waker: Vec<Arc<str>>,
    /// What the waker's CPU was in.
    pub level: Level,
    /// Name of the waker's task, if it was a task.
    pub by: Option<String>,
}

/// The answers.
#[derive(Debug, Clone, Default)]
pub struct Explanation {
    /// How the block softirq was raised.
    pub raises: BTreeMap<Raised, OccurrenceCount>,
    /// How completions came.
    pub completions: BTreeMap<Completed, OccurrenceCount>,
    /// Requests that were issued and are complete, of which it is not known how: a function by which their driver reports
    /// that, or completes them, has no probe.
    pub unknown_completions: u64,
    /// How waiting tasks were woken; with the instructions from stopping to being woken, added up.
    pub waits: BTreeMap<WaitKind, (OccurrenceCount, u64)>,
    /// By which way requests were dispatched, and by which task, or at which level.
    pub dispatches: BTreeMap<(DispatchWay, String), OccurrenceCount>,
    /// Way of each request's attempt: request, command, way, number of the event.
    pub requests: Vec<(u64, u64, DispatchWay, u64)>,
    /// Only what happened between the marks of the workload is counted.
    pub marked: bool,
    /// From clocks to virtual time.
    pub time: TimeMap,
    /// What the trace says about itself.
    pub definitions: Definitions,
    /// The file was cut or is damaged: where and why.
    pub cut: Option<String>,
}

/// Answers the questions from a trace.
///
/// # Errors
/// [`ReadError`].
pub fn explain(session: &Session, progress: Progress<'_>) -> Result<Explanation, ReadError> {
    let mut seen = Seen::default();
    let PassEnd { pass, finished } = session.run(&mut [&mut seen], progress)?;
    let mut explanation = seen.settle(&finished.definitions);
    explanation.time = pass.keeper.into_map();
    explanation.cut = cut(&finished);
    explanation.definitions = finished.definitions;
    Ok(explanation)
}

#[derive(Default)]
struct Seen {
    workload: Workload,
    /// How each softirq was raised, by its number.
    raises: BTreeMap<(u64, Raised), OccurrenceCount>,
    /// Waits of I/Os that are under way, by the I/O: whether it concerns a disk is known when it is over.
    waits: BTreeMap<IoId, Vec<Wait>>,
    held: usize,
    answer: Explanation,
}

/// Most waits that are kept of I/Os under way: those of the oldest go first.
const HELD: usize = 1 << 16;

impl Seen {
    /// Whether a clock is in the workload, as far as it is known by now.
    fn inside(&self, clock: u64) -> bool {
        match self.workload.span() {
            Some((begin, end)) => clock >= begin && end.is_none_or(|end| clock <= end),
            None => true,
        }
    }

    /// What was seen before the first mark does not count if there is one.
    fn begin(&mut self) {
        self.raises.clear();
        (self.waits, self.held) = (BTreeMap::new(), 0);
        self.answer = Explanation::default();
    }

    fn settle(mut self, definitions: &Definitions) -> Explanation {
        let block = definitions.constants.get("BLOCK_SOFTIRQ").copied().map(i64::cast_unsigned);
        let block = block.unwrap_or(BLOCK_SOFTIRQ.into());
        let raises = self.raises.into_iter().filter(|((number, _), _)| *number == block);
        self.answer.raises = raises.map(|((_, raised), times)| (raised, times)).collect();
        self.answer.marked = self.workload.has_begun();
        self.answer
    }

    fn waited(&mut self, wait: Wait) {
        let by = (wait.level == Level::Task).then(|| thread_family(&wait.waker_task.comm.to_string()));
        let kind =
            WaitKind { function: wait.function, what: wait.what, waker: wait.waker, level: wait.level, by };
        let (times, waited) = self.answer.waits.entry(kind).or_default();
        times.add(wait.event);
        *waited = waited.saturating_add(wait.clocks.1.saturating_sub(wait.clocks.0));
    }

    fn attempt(&mut self, request: &Request, attempt: &Attempt) {
        if let (Some(way), Some(clock)) = (attempt.way, attempt.left_queue())
            && self.inside(clock)
        {
            let by = attempt.dispatched_by.clone().unwrap_or_default();
            self.answer.dispatches.entry((way, by)).or_default().add(attempt.dispatch_event);
            self.answer.requests.push((request.id, attempt.command, way, attempt.dispatch_event));
        }
        if let (Some(level), Some(way), Some(clock)) =
            (attempt.completed_at, attempt.completion, attempt.completed)
            && self.inside(clock)
        {
            self.answer.completions.entry((level, way)).or_default().add(attempt.completion_event);
        }
    }
}

impl Observer for Seen {}

impl Sink for Seen {
    fn mark(&mut self, mark: WorkloadMark) {
        let before = self.workload.has_begun();
        self.workload.mark(mark);
        if !before && self.workload.has_begun() {
            self.begin();
        }
    }

    fn raised(&mut self, raise: Raise) {
        if self.inside(raise.at.clock) {
            let raised = (raise.calls, raise.at.level);
            self.raises.entry((raise.number, raised)).or_default().add(raise.at.event);
        }
    }

    fn request(&mut self, request: &Request) {
        request.attempts.iter().for_each(|attempt| self.attempt(request, attempt));
        let ended = request.ended.or(request.updates.last().map(|update| update.clock));
        if let (Some(attempt), Some(ended)) = (request.issued(), ended) {
            let is_unknown = attempt.completed_at.is_none() || attempt.completion.is_none();
            self.answer.unknown_completions += u64::from(is_unknown && self.inside(ended));
        }
    }

    fn wait(&mut self, wait: Wait) {
        if !self.inside(wait.clocks.0) {
            return;
        }
        while self.held >= HELD
            && let Some((_, oldest)) = self.waits.pop_first()
        {
            self.held -= oldest.len();
        }
        self.held += 1;
        self.waits.entry(wait.io).or_default().push(wait);
    }

    fn io(&mut self, io: Io) {
        let waits = self.waits.remove(&io.id).unwrap_or_default();
        self.held -= waits.len();
        if io.concerns_a_disk() {
            waits.into_iter().for_each(|wait| self.waited(wait));
        }
    }
}

/// The name of a thread without the numbers that tell it from its like: `kworker` of `kworker/0:1H`.
pub(super) fn thread_family(comm: &str) -> String {
    comm.split(['/', ':']).next().unwrap_or(comm).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{RequestKind, Update};

    fn request(attempt: Attempt) -> Request {
        let mut request = Request::new(1, 0x1000, RequestKind::Data, 5);
        request.attempts.push(attempt);
        request
    }

    // Issued and complete: not reported by a driver; reported, without what completes it; known. Not complete, not issued.
    #[test]
    fn completions_of_which_it_is_not_known_how_are_counted() {
        let issued = |clock, completion: Option<_>, ended| {
            let reported = completion.map(|_| Level::Hardirq);
            let completion = completion.flatten();
            let mut issued = request(Attempt { completed_at: reported, completion, ..Attempt::default() });
            issued.issue(clock);
            issued.ended = ended;
            issued
        };
        let mut seen = Seen::default();
        let inline = Some(CompletionWay::InPlace);
        let requests = [(None, Some(30)), (Some(None), Some(30)), (Some(inline), Some(30)), (None, None)];
        for (completion, ended) in requests {
            seen.request(&issued(20, completion, ended));
        }
        let mut updated = issued(20, None, None);
        updated.updates.push(Update { clock: 30, bytes: 512, error: 0 });
        seen.request(&updated);
        let mut never = request(Attempt::default());
        never.ended = Some(30);
        seen.request(&never);
        assert_eq!(seen.settle(&Definitions::default()).unknown_completions, 3);
    }

    /// With one queue for each device, as up to 4.20, requests are issued without having been dispatched.
    #[test]
    fn what_is_issued_without_a_dispatch_is_counted() {
        let by = "kworker/0:1H".to_owned();
        let issued = Attempt {
            command: 3,
            way: Some(DispatchWay::Kblockd),
            dispatched_by: Some(by.clone()),
            issued: Some(20),
            dispatch_event: 7,
            ..Attempt::default()
        };
        let dispatched = Attempt { dispatched: Some(30), ..issued.clone() };
        let never = Attempt { issued: None, ..issued.clone() };
        let mut seen = Seen::default();
        for attempt in [issued, dispatched, never] {
            seen.request(&request(attempt));
        }
        let answer = seen.settle(&Definitions::default());
        let times = &answer.dispatches[&(DispatchWay::Kblockd, by)];
        assert_eq!((times.count, times.first, answer.requests.len()), (2, 7, 2));
    }
}
