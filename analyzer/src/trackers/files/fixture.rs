//! For tests: the tracker of files with facts made by hand.

use super::FileTracker;
use crate::model::{Cause, Io};
use crate::trackers::fact::BegunIo;
use crate::trackers::fixture::{FactSource, RoleArguments};
use crate::trackers::timelines::Found;

/// The tracker of files by itself, the source of its facts, and what it found.
#[derive(Default)]
pub struct Files {
    pub source: FactSource,
    pub tracker: FileTracker,
    pub found: Found,
}

impl Files {
    /// A system call begins.
    pub fn syscall(&mut self, clock: u64, stage: &str, arguments: RoleArguments<'_>) -> BegunIo {
        let Self { source, tracker, found } = self;
        source.enter(clock, stage, arguments, |fact| tracker.syscall(fact, found))
    }

    /// A function with an exit is entered.
    pub fn enter(&mut self, clock: u64, stage: &str, arguments: RoleArguments<'_>) {
        let Self { source, tracker, found } = self;
        source.enter(clock, stage, arguments, |fact| tracker.fact(fact, &|| Cause::Unknown.into(), found));
    }

    /// A function without an exit reaches its stage.
    pub fn reach(&mut self, clock: u64, stage: &str, arguments: RoleArguments<'_>) {
        let Self { source, tracker, found } = self;
        source
            .reach_only(clock, stage, arguments, |fact| tracker.fact(fact, &|| Cause::Unknown.into(), found));
    }

    /// The innermost call ends, with what it returned.
    pub fn exit(&mut self, clock: u64, stage: &str, returned: u64) {
        let Self { source, tracker, found } = self;
        source.exit(clock, stage, returned, |end| tracker.end(end, found));
    }

    /// The trace is over: all I/Os.
    pub fn finish(mut self) -> Vec<Io> {
        self.tracker.finish(&mut self.found);
        self.found.ios
    }
}
