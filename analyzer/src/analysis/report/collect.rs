//! Collects what the report shows, while a trace is read.
//!
//! A bio that is over waits until its times are known for good, then it is counted and forgotten, but for the first
//! rows.

use super::devices::DeviceCollector;
use super::slowest::SlowestIos;
use super::{OccurringNames, Outcomes, ReportQuery, RequestTotals, SortBy};
use crate::analysis::Workload;
use crate::analysis::attribution::Account;
use crate::analysis::conditions::{Conditions, NoVirtualTime};
use crate::analysis::summary::Summary;
use crate::context::TimeKeeper;
use crate::hash::Map;
use crate::model::{Bio, BioId, Call, CallEnd, Io, Request, WorkloadMark};
use crate::trackers::Sink;
use iotrace_format::event::{Event, MARK_BEGIN};
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

/// The first of what comes in any order, by number. A map in whose order they come is half empty: each has a place of its own.
#[derive(Debug)]
pub struct First<T> {
    most: usize,
    rows: BTreeMap<u64, Box<T>>,
    count: u64,
}

impl<T> First<T> {
    /// None yet; so many are kept.
    pub fn new(most: usize) -> Self {
        Self { most, rows: BTreeMap::new(), count: 0 }
    }

    /// Takes in one.
    pub fn add(&mut self, number: u64, row: T) {
        self.count += 1;
        let is_behind = || self.rows.last_key_value().is_none_or(|(last, _)| number > *last);
        if self.rows.len() >= self.most && is_behind() {
            return;
        }
        self.rows.insert(number, Box::new(row));
        if self.rows.len() > self.most {
            self.rows.pop_last();
        }
    }

    /// Forgets all that came.
    pub fn clear(&mut self) {
        *self = Self::new(self.most);
    }

    /// How many came.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The first of them.
    pub fn into_rows(self) -> Vec<T> {
        self.rows.into_values().map(|row| *row).collect()
    }
}

/// What was collected so far.
#[derive(Debug)]
pub struct ReportCollector<'a> {
    question: &'a ReportQuery,
    /// How much is accounted for.
    pub account: Account,
    /// The workload is over.
    pub ended: bool,
    /// I/Os.
    pub ios: First<Io>,
    /// Bios.
    pub bios: First<Bio>,
    /// The I/Os that took longest.
    pub slowest: SlowestIos,
    /// How the I/Os and bios ended.
    pub outcomes: Outcomes,
    /// Distributions.
    pub summary: Summary,
    /// Totals by block device.
    pub device_totals: DeviceCollector,
    /// Marks of the guest.
    pub marks: Vec<WorkloadMark>,
    workload: Workload,
    /// Requests and bios of the whole trace.
    pub totals: RequestTotals,
    /// Bios whose times are not known for good.
    unsettled: VecDeque<Bio>,
    /// What may fulfil the conditions, or what is to be sorted.
    candidates: (Vec<Io>, Vec<Bio>),
    /// Names in the workload, if there are conditions.
    pub occurring: OccurringNames,
}

impl<'a> ReportCollector<'a> {
    /// Nothing yet.
    pub fn new(question: &'a ReportQuery) -> Self {
        Self {
            question,
            account: Account::default(),
            ended: false,
            ios: First::new(question.rows),
            bios: First::new(question.rows),
            slowest: SlowestIos::default(),
            outcomes: Outcomes::default(),
            summary: Summary::default(),
            device_totals: DeviceCollector::default(),
            marks: Vec::new(),
            workload: Workload::default(),
            totals: RequestTotals::default(),
            unsettled: VecDeque::new(),
            candidates: (Vec::new(), Vec::new()),
            occurring: OccurringNames::default(),
        }
    }

    /// What is shown is known at the end alone.
    fn waits(&self) -> bool {
        !self.question.conditions.is_empty() || self.question.sort != SortBy::Number
    }

    /// Takes in the bios whose times are known by now.
    pub fn settle(&mut self, keeper: &TimeKeeper) {
        let known = |bio: &Bio| bio.stages.last().is_none_or(|last| last.clock < keeper.settled());
        while self.unsettled.front().is_some_and(known)
            && let Some(bio) = self.unsettled.pop_front()
        {
            self.take(bio, keeper);
        }
        self.slowest.settle(keeper);
    }

    /// Takes in an I/O that is shown at a place.
    fn show_io(&mut self, io: Io, place: u64) {
        self.outcomes.add_io(&io);
        self.slowest.add(io.clone());
        self.ios.add(place, io);
    }

    /// Takes in a bio that is shown at a place.
    fn show_bio(&mut self, bio: Bio, place: u64, keeper: &TimeKeeper) {
        self.outcomes.add_bio(&bio);
        self.summary.add(&bio, keeper.map());
        self.bios.add(place, bio);
    }

    fn take(&mut self, bio: Bio, keeper: &TimeKeeper) {
        self.device_totals.add(&bio);
        if !self.waits() {
            let place = bio.id;
            self.show_bio(bio, place, keeper);
        } else if self.question.conditions.hold_in_queue(&bio) {
            self.candidates.1.push(bio);
        }
    }

    /// The trace is over: takes in all that is left. Returns whether it is of the whole trace.
    ///
    /// # Errors
    /// [`NoVirtualTime`].
    pub fn settle_all(&mut self, keeper: &TimeKeeper) -> Result<bool, NoVirtualTime> {
        for bio in std::mem::take(&mut self.unsettled) {
            self.take(bio, keeper);
        }
        self.choose(&self.question.conditions.settled(keeper.map(), &self.marks)?, keeper);
        self.slowest.settle_all(keeper.map());
        Ok(self.question.all || !self.workload.has_begun())
    }

    /// Takes in what matches the conditions.
    fn choose(&mut self, conditions: &Conditions, keeper: &TimeKeeper) {
        let (mut ios, mut bios) = std::mem::take(&mut self.candidates);
        bios.sort_by_key(|bio| bio.id);
        let mut ios_of: Map<BioId, Vec<&Io>> = Map::default();
        for io in &ios {
            io.all_bios().into_iter().for_each(|bio| ios_of.entry(bio).or_default().push(io));
        }
        let (sort, time) = (self.question.sort, keeper.map());
        let bio_matches =
            |bio: &&Bio| conditions.bio(bio, ios_of.get(&bio.id).into_iter().flatten().copied());
        let mut shown: Vec<&Bio> = bios.iter().filter(bio_matches).collect();
        shown.sort_by_key(|bio| (Reverse(sort.of_bio(bio, time)), bio.id));
        (0..).zip(shown).for_each(|(place, bio)| self.show_bio(bio.clone(), place, keeper));
        let bio = |id: BioId| bios.binary_search_by_key(&id, |bio| bio.id).ok().map(|at| &bios[at]);
        if !self.question.conditions.is_empty() {
            ios.iter().for_each(|io| self.occurring.add(io));
        }
        ios.retain(|io| conditions.io(io, io.all_bios().into_iter().filter_map(bio)));
        ios.sort_by_key(|io| (Reverse(sort.of_io(io, time)), io.id));
        (0..).zip(ios).for_each(|(place, io)| self.show_io(io, place));
    }
}

impl Sink for ReportCollector<'_> {
    fn entered(&mut self, call: &Call, _: &Event<'_>) {
        if !self.ended {
            self.account.entered(call);
        }
    }

    fn left(&mut self, end: &CallEnd) {
        self.account.left(end);
    }

    fn bio(&mut self, bio: Bio) {
        self.totals.bios += 1;
        // Before the first mark nobody knows whether there will be one.
        let of_workload = bio.in_workload || !self.workload.has_begun();
        if of_workload {
            self.account.bio(&bio);
        }
        if self.question.all || of_workload {
            self.unsettled.push_back(bio);
        }
    }

    fn io(&mut self, io: Io) {
        let all = self.question.all;
        if !all && !(io.concerns_a_disk() && (io.in_workload || !self.workload.has_begun())) {
            return;
        }
        if !self.waits() {
            let place = io.id;
            self.show_io(io, place);
        } else {
            self.candidates.0.push(io);
        }
    }

    fn request(&mut self, request: &Request) {
        self.totals.add(request);
    }

    fn mark(&mut self, mark: WorkloadMark) {
        let first = mark.code == MARK_BEGIN && !self.workload.has_begun();
        self.marks.push(mark);
        self.workload.mark(mark);
        if first && !self.question.all {
            self.forget();
        }
    }
}

impl ReportCollector<'_> {
    /// The workload begins: what was before does not belong to it.
    fn forget(&mut self) {
        self.ios.clear();
        self.bios.clear();
        self.slowest = SlowestIos::default();
        self.outcomes = Outcomes::default();
        self.summary = Summary::default();
        self.device_totals = DeviceCollector::default();
        self.unsettled.clear();
        self.candidates = (Vec::new(), Vec::new());
    }
}
