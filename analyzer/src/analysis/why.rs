//! The critical path of an I/O: what was being waited for, at each moment between call and return.
//!
//! In: a trace, an I/O. Out: a [`Why`]: spans that follow one another without a gap from the entry of the system
//! call to its return, so that they add up to the whole.
//!
//! While the task runs, it is the task. While it does not, it is what made whoever woke it come to that: an
//! interrupt's handler, and what that came for; a softirq, and whoever raised it; a work item, and whoever queued it;
//! another task. An interrupt that comes while the task runs is its device's, not the task's.
//!
//! What an interrupt came for is what is known of it. If it, or what it started, completed the request whose end woke
//! the task, that is the device: from the doorbell, or from where the request was issued if no doorbell is known; before
//! that it is whoever did that. If a clock's handler ran in it, that is a timer. Otherwise it is unknown, and counted.
//!
//! Of a request that is tried more than once the attempts say what was waited for between them.
//!
//! Hand-overs are followed back so far ([`FARTHEST`]); what is before that is unknown.

mod gather;
mod index;
mod resolve;
mod retries;

use super::Progress;
use super::describe::Describer;
use super::subject::{Subject, Wanted, subject};
use crate::model::{CommandError, Definitions, DeviceStart, IoTime, Level, Task, TimeMap};
use crate::session::{Session, SessionError};
use iotrace_format::stage::{Begins, Stage};

/// Hand-overs that are followed back at most.
pub const FARTHEST: usize = 24;

/// What is going on in a span.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doing {
    /// A task runs: in the I/O's own call, or one that is waited for.
    Running {
        /// The task.
        task: String,
        /// The work item, if it is one.
        work: Option<String>,
    },
    /// A task could run, and another one does.
    Runnable {
        /// The task.
        task: String,
    },
    /// A device works on a command.
    Device {
        /// Number of the command.
        command: u64,
        /// Its interrupt handler, to tell the device by.
        handler: String,
        /// What its work is known to begin with.
        since: DeviceStart,
    },
    /// A command failed, and is aborted, or its device reset.
    Recovery {
        /// Number of the command.
        command: u64,
    },
    /// A request went back to the queue, and is not tried again yet.
    Requeued {
        /// Number of the command that failed or was refused.
        command: u64,
        /// Why.
        reason: String,
    },
    /// An interrupt is handled that belongs to what is waited for.
    Interrupt {
        /// Its handler.
        handler: String,
    },
    /// An interrupt is handled that came in between.
    Interrupted {
        /// Its handler, or its entry.
        handler: String,
    },
    /// A softirq is raised and not served yet.
    SoftirqPending {
        /// Its name.
        name: String,
    },
    /// Softirqs are served.
    Softirq,
    /// A work item is queued and not run yet.
    WorkPending {
        /// Its function.
        function: String,
    },
    /// The thread of an interrupt has work and does not run yet.
    ThreadPending {
        /// The thread.
        task: String,
    },
    /// A timer runs.
    Timer {
        /// Its function.
        function: String,
    },
    /// An interrupt is waited for that completed nothing that was waited for, and is no clock's.
    UnknownInterrupt {
        /// Its handler, or its entry.
        handler: String,
    },
    /// A softirq is waited for of which it is not known who raised it.
    UnknownSoftirq {
        /// Its name; empty if that is not known either.
        name: String,
    },
    /// What a task waits for is not in the trace.
    Unknown {
        /// The task.
        task: String,
    },
    /// Something runs of which it is not known what.
    UnknownContext {
        /// The task that ran, or was interrupted.
        task: String,
    },
    /// What a task waits for is more than [`FARTHEST`] hand-overs away, and is not looked for.
    TooFar {
        /// The task.
        task: String,
    },
}

impl Doing {
    /// A device is waited for; all else is the guest's.
    #[must_use]
    pub fn is_device(&self) -> bool {
        matches!(self, Self::Device { .. })
    }
}

/// A part of the time between call and return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Its begin, in instructions.
    pub from: u64,
    /// Its end, in instructions.
    pub to: u64,
    /// What is going on.
    pub doing: Doing,
    /// How many hand-overs away from the task that asked.
    pub depth: usize,
    /// Where, in the words of the listing: the function that waits, wakes, rings.
    pub place: String,
}

/// The critical path of an I/O.
#[derive(Debug, Clone)]
pub struct Why {
    /// The I/O, and what belongs to it.
    pub subject: Subject,
    /// The spans, from call to return.
    pub spans: Vec<Span>,
    /// Commands of its requests that failed, by number.
    pub errors: Vec<CommandError>,
    /// From clocks to virtual time.
    pub time: TimeMap,
    /// What the trace says about itself.
    pub definitions: Definitions,
}

impl Why {
    /// From call to return, and the part of it that is waited for devices: virtual nanoseconds, or instructions if there are
    /// none.
    #[must_use]
    pub fn io_time(&self, time: &TimeMap) -> IoTime {
        let mut sum = IoTime::default();
        for span in &self.spans {
            let length = time.length(span.from, span.to);
            sum.elapsed += length;
            sum.device += if span.doing.is_device() { length } else { 0 };
        }
        sum
    }

    /// How often an interrupt or a softirq was waited for of which it is not known what it came for.
    #[must_use]
    pub fn unknown_interrupts(&self) -> usize {
        let is_unknown = |span: &&Span| {
            matches!(span.doing, Doing::UnknownInterrupt { .. } | Doing::UnknownSoftirq { .. })
        };
        self.spans.iter().filter(is_unknown).count()
    }
}

/// Why an I/O could not be explained.
#[derive(Debug, thiserror::Error)]
pub enum WhyError {
    /// The trace or its index cannot be read.
    #[error(transparent)]
    Read(#[from] SessionError),
    /// There is no such I/O.
    #[error("no such I/O in the trace")]
    NoSuch,
    /// A bio is nobody's call.
    #[error("its origin is not a system call of the trace: select an I/O")]
    NoCall,
    /// The call is not over.
    #[error("its system call did not return before the end of the trace")]
    NotOver,
}

/// The critical path of what is asked about: of an I/O, or of the I/O that a bio was queued for.
///
/// # Errors
/// [`WhyError`].
pub fn why(session: &Session, wanted: &Wanted, progress: Progress<'_>) -> Result<Why, WhyError> {
    let subject = subject(session, wanted, progress)?.ok_or(WhyError::NoSuch)?;
    let io = subject.ios.first().ok_or(WhyError::NoCall)?.clone();
    let left = io.left.ok_or(WhyError::NotOver)?;
    let time = session.times().map_err(SessionError::Read)?.time.clone();
    let (seen, definitions) = gather::gather(session, io.entered, left, progress)?;
    let resolver = resolve::Resolver::new(&seen, &definitions);
    let spans = resolver.resolve(io.task.address, io.entered, left);
    let handler = |address| function(&definitions, address);
    let spans = retries::name_retries(spans, &subject.requests, handler);
    let errors = retries::errors(&subject.requests);
    Ok(Why { subject, spans, errors, time, definitions })
}

/// Adds a span that follows the others: it is part of the last one if that says the same. One without any time is left
/// out.
fn push(spans: &mut Vec<Span>, span: Span) {
    match spans.last_mut() {
        _ if span.from >= span.to => {}
        Some(last) if (&last.doing, last.depth, &last.place) == (&span.doing, span.depth, &span.place) => {
            last.to = span.to;
        }
        _ => spans.push(span),
    }
}

/// A task as spans name it.
fn named(task: &Task) -> String {
    format!("{}/{}", task.comm, task.pid)
}

/// What an outermost call begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Context {
    Unknown,
    Task,
    Work,
    IrqThread,
    Softirq,
    Interrupt,
}

impl Context {
    fn of(stage: Option<&Stage>, level: Level) -> Self {
        match stage.and_then(Stage::begins) {
            _ if stage == Some(&Stage::IrqThread) => Self::IrqThread,
            Some(Begins::Interrupt) => Self::Interrupt,
            Some(Begins::Softirq) => Self::Softirq,
            Some(Begins::Work) => Self::Work,
            _ if level >= Level::Hardirq => Self::Interrupt,
            _ if level == Level::Unknown => Self::Unknown,
            _ => Self::Task,
        }
    }
}

/// A function by its address.
fn function(definitions: &Definitions, address: u64) -> String {
    Describer::function(definitions, address)
}

#[cfg(test)]
mod tests;
