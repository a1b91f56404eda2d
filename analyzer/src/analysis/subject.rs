//! What a question is about: an I/O or a bio, with the bios, requests and I/Os that belong to it.
//!
//! In two passes: the first finds it and the numbers of what belongs to it, the second picks that up. Memory
//! follows what belongs to it, not the length of the trace.

use super::Progress;
use super::conditions::Conditions;
use super::remembered::Remembered;
use super::report::{ReportError, ReportQuery, report};
use crate::model::{Bio, BioId, Definitions, Io, IoId, Request};
use crate::reader::{Finished, Flow, Trace, Visitor, read};
use crate::trackers::{Sink, Trackers};
use iotrace_format::definition::Definition;
use iotrace_format::event::Event;
use iotrace_format::trace::reader::ReadError;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// An I/O, by its number.
    Io(IoId),
    /// A bio, by its number.
    Bio(BioId),
    /// The n-th call (from 1) of a system call in the workload.
    Syscall(String, usize),
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(id) => write!(f, "I/O #{id}"),
            Self::Bio(id) => write!(f, "bio #{id}"),
            Self::Syscall(name, 1) => write!(f, "call of {name} in its workload"),
            Self::Syscall(name, at) => write!(f, "{at} calls of {name} in its workload"),
        }
    }
}

/// An I/O or a bio and what belongs to it, each by number.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    /// The I/O; of a bio: those whose bytes it carries, and the one it was queued for.
    pub ios: Vec<Io>,
    /// The bios.
    pub bios: Vec<Bio>,
    /// Their requests: those that carried them, those merged away, the flushes they waited for.
    pub requests: Vec<Request>,
    /// The file was cut or is damaged: where and why.
    pub cut: Option<String>,
}

impl Subject {
    /// From its first moment to its last, in instructions.
    #[must_use]
    pub fn window(&self) -> (u64, u64) {
        let begins = self.ios.iter().map(|io| io.entered).chain(self.bios.iter().map(Bio::queued));
        let over = |end: Option<u64>| end.unwrap_or(u64::MAX);
        let ends = self.ios.iter().map(|io| over(io.left));
        let ends = ends.chain(self.bios.iter().map(|bio| over(bio.ended())));
        let freed = self.requests.iter().map(|request| over(request.freed));
        (begins.min().unwrap_or(0), ends.chain(freed).max().unwrap_or(u64::MAX))
    }
}

/// Finds what is asked about; none if the trace has it not.
///
/// # Errors
/// [`ReadError`].
pub fn subject(file: &Trace, wanted: &Wanted, progress: Progress<'_>) -> Result<Option<Subject>, ReadError> {
    let mut finder = Finder::new(wanted);
    let finished = pass(file, &mut finder, progress)?;
    let cut = cut(&finished);
    let Some((ios, bios)) = finder.numbers() else { return Ok(None) };
    let mut picker = Picker { ios, bios, ..Picker::default() };
    pass(file, &mut picker, progress)?;
    let Picker { mut subject, requests, .. } = picker;
    subject.requests = requests.into_found();
    subject.requests.sort_by_key(|request| request.id);
    subject.bios.sort_by_key(|bio| bio.id);
    subject.ios.sort_by_key(|io| io.id);
    Ok(Some(Subject { cut, ..subject }))
}

/// The first I/O of the workload that fulfils conditions, else the first bio; none if there is neither.
///
/// # Errors
/// [`ReportError`].
pub fn first(
    file: &Trace,
    conditions: &Conditions,
    progress: Progress<'_>,
) -> Result<Option<Wanted>, ReportError> {
    let question = ReportQuery { conditions: conditions.clone(), rows: 1, ..ReportQuery::default() };
    let report = report(file, &question, progress)?;
    let io = report.ios.first().map(|io| Wanted::Io(io.id));
    Ok(io.or(report.bios.first().map(|bio| Wanted::Bio(bio.id))))
}

/// Where and why a file was cut or is damaged, for people.
pub(super) fn cut(finished: &Finished) -> Option<String> {
    finished.lost()
}

trait Asking: Sink {
    /// Nothing more is needed.
    fn complete(&self) -> bool;
}

struct Tracking<'a, S: Asking> {
    trackers: Trackers,
    sink: &'a mut S,
}

impl<S: Asking> Visitor for Tracking<'_, S> {
    fn define(&mut self, definition: &Definition) {
        self.trackers.define(definition);
    }

    fn skipped(&mut self, events: u64) {
        self.trackers.skipped(events);
    }

    fn event(&mut self, _: &Definitions, event: &Event<'_>) -> Flow {
        self.trackers.event(event, self.sink);
        if self.sink.complete() { Flow::Stop } else { Flow::Continue }
    }
}

fn pass<S: Asking>(file: &Trace, sink: &mut S, progress: Progress<'_>) -> Result<Finished, ReadError> {
    let mut tracking = Tracking { trackers: Trackers::default(), sink };
    let finished = read(file, &mut tracking, progress)?;
    let Tracking { mut trackers, sink } = tracking;
    if !sink.complete() {
        trackers.finish(sink);
    }
    Ok(finished)
}

struct Finder<'a> {
    wanted: &'a Wanted,
    io: Option<Io>,
    bio: Option<Bio>,
    /// System calls of the wanted name, by number.
    calls: BTreeMap<IoId, Io>,
}

impl<'a> Finder<'a> {
    fn new(wanted: &'a Wanted) -> Self {
        Self { wanted, io: None, bio: None, calls: BTreeMap::new() }
    }

    /// Numbers of the I/Os and bios that belong to what is wanted.
    fn numbers(self) -> Option<(BTreeSet<IoId>, BTreeSet<BioId>)> {
        let io = match self.wanted {
            Wanted::Syscall(_, at) => self.calls.into_values().nth(at.checked_sub(1)?),
            _ => self.io,
        };
        if let Some(io) = io {
            let bios = io.bios.iter().copied().chain(io.carried.iter().map(|c| c.bio));
            return Some(([io.id].into(), bios.collect()));
        }
        let bio = self.bio?;
        let cause = bio.cause.as_ref().and_then(|cause| cause.io());
        Some((bio.carries.iter().map(|c| c.io).chain(cause).collect(), [bio.id].into()))
    }
}

impl Sink for Finder<'_> {
    fn io(&mut self, io: Io) {
        match self.wanted {
            Wanted::Io(id) if *id == io.id => self.io = Some(io),
            Wanted::Syscall(name, _) if **name == *io.syscall && io.in_workload => {
                self.calls.insert(io.id, io);
            }
            _ => {}
        }
    }

    fn bio(&mut self, bio: Bio) {
        if *self.wanted == Wanted::Bio(bio.id) {
            self.bio = Some(bio);
        }
    }
}

impl Asking for Finder<'_> {
    fn complete(&self) -> bool {
        self.io.is_some() || self.bio.is_some()
    }
}

#[derive(Default)]
struct Picker {
    ios: BTreeSet<IoId>,
    bios: BTreeSet<BioId>,
    requests: Remembered,
    subject: Subject,
}

impl Sink for Picker {
    fn io(&mut self, io: Io) {
        if self.ios.remove(&io.id) {
            self.subject.ios.push(io);
        }
    }

    fn bio(&mut self, bio: Bio) {
        if self.bios.remove(&bio.id) {
            self.requests.want(&bio);
            self.subject.bios.push(bio);
        }
    }

    fn request(&mut self, request: &Request) {
        self.requests.add(request);
    }
}

impl Asking for Picker {
    fn complete(&self) -> bool {
        self.ios.is_empty() && self.bios.is_empty() && self.requests.is_complete()
    }
}
