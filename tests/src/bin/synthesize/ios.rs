//! The I/Os of the real trace, and where one of them waits for the disk.
//!
//! In: the real trace. Out: numbers of events, counted from 1.

use anyhow::{Context as _, Result};
use iotrace::model::{Call, CallId, Definitions, Io};
use iotrace::trackers::Sink;
use iotrace::{Observer, Pass, Session};
use iotrace_format::event::Event;
use std::collections::HashMap;

/// What an I/O that waits for the disk is sought among first.
const FIRST_CHOICE: &str = "fsync";

/// A moment in which an I/O waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitingIo {
    /// The event with which the I/O begins.
    pub begins: u64,
    /// The last event before others may come.
    pub pause: u64,
}

/// Where the I/Os are.
#[derive(Debug, Default)]
pub struct IoPlaces {
    /// I/Os of the workload that concern a disk.
    pub of_disk: u64,
    /// A moment in which one of them waits, and little else is going on.
    pub waiting: Option<WaitingIo>,
}

impl IoPlaces {
    /// Finds them. `is_moved` tells the tasks that each copy has its own of.
    ///
    /// # Errors
    /// If the trace cannot be read.
    pub fn find(session: &Session, is_moved: &dyn Fn(u64) -> bool) -> Result<Self> {
        let mut finder =
            Finder { is_moved, number: 0, calls: HashMap::new(), ios: Vec::new(), moments: Vec::new() };
        session.run(&mut [&mut finder], &mut |_| {}).context("looking for I/Os")?;
        Ok(finder.places())
    }
}

struct Finder<'f> {
    is_moved: &'f dyn Fn(u64) -> bool,
    /// Number of the event at hand.
    number: u64,
    /// The event of each call's entry.
    calls: HashMap<CallId, u64>,
    ios: Vec<Io>,
    moments: Vec<Moment>,
}

/// What is going on behind an event.
struct Moment {
    /// Number of the event.
    event: u64,
    clock: u64,
    task: u64,
    /// Open calls of tasks that all copies have in common.
    open: usize,
}

impl Finder<'_> {
    fn places(self) -> IoPlaces {
        let concerns = |io: &Io| io.in_workload && io.concerns_a_disk();
        let begins = |io: &Io| io.call.and_then(|call| self.calls.get(&call)).copied();
        IoPlaces {
            of_disk: self.ios.iter().filter(|io| concerns(io)).count() as u64,
            waiting: self.waiting(
                self.ios.iter().filter(|io| concerns(io) && (self.is_moved)(io.task.address)),
                &begins,
            ),
        }
    }

    /// Of the I/Os that wait, the one that takes longest, an fsync if there is one.
    fn waiting<'i>(
        &self,
        ios: impl Iterator<Item = &'i Io>,
        begins: &dyn Fn(&Io) -> Option<u64>,
    ) -> Option<WaitingIo> {
        let waits = ios.filter_map(|io| {
            let (left, begins) = (io.left?, begins(io)?);
            let pause = self.quiet(io, left)?;
            let rank = (&*io.syscall == FIRST_CHOICE, left - io.entered);
            (pause > begins).then_some((rank, WaitingIo { begins, pause }))
        });
        waits.max_by_key(|(rank, _)| *rank).map(|(_, waiting)| waiting)
    }
}

impl Finder<'_> {
    /// The event behind which an I/O waits and the fewest calls are open; of several, one in the middle.
    fn quiet(&self, io: &Io, left: u64) -> Option<u64> {
        let begin = self.moments.partition_point(|moment| moment.clock < io.entered);
        let end = self.moments.partition_point(|moment| moment.clock < left);
        let waits = || self.moments[begin..end].iter().filter(|moment| moment.task != io.task.address);
        let fewest = waits().map(|moment| moment.open).min()?;
        let quiet: Vec<_> = waits().filter(|moment| moment.open == fewest).collect();
        quiet.get(quiet.len() / 2).map(|moment| moment.event)
    }
}

impl Sink for Finder<'_> {
    fn entered(&mut self, call: &Call, _: &Event<'_>) {
        // The observer is given the event after the trackers have taken it in.
        self.calls.insert(call.id, self.number + 1);
    }

    fn io(&mut self, io: Io) {
        self.ios.push(io);
    }
}

impl Observer for Finder<'_> {
    fn event(&mut self, pass: &Pass, _: &Definitions, event: &Event<'_>) {
        self.number += 1;
        let open = pass.trackers.open_calls().filter(|(task, ..)| !(self.is_moved)(*task)).count();
        self.moments.push(Moment { event: self.number, clock: event.clock, task: event.task, open });
    }
}
