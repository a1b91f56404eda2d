//! Distributions per operation: how many, how much, and the time to each stage from the one before.

use super::spread::{PercentileSummary, ValueHistogram};
use crate::model::{Bio, BioStage, ErrorCause, IoTime, Origin, TimeMap};
use std::collections::BTreeMap;

/// What a row of the summary is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SummaryRow {
    /// The time to this stage from the one before it.
    Stage(BioStage),
    /// The whole way from Q to E.
    Total,
    /// The part of it in which no device had a command of the bio.
    Guest,
    /// The part of it in which a device had one.
    Device,
}

/// How a time is spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageSpread {
    /// Which time.
    pub row: SummaryRow,
    /// In instructions.
    pub instructions: PercentileSummary,
    /// In virtual nanoseconds.
    pub ns: Option<PercentileSummary>,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpSummary {
    /// Letters of the operation and its flags.
    pub rwbs: String,
    /// Bios that were queued; those cut off from them are not counted again.
    pub count: u64,
    /// Parts of those that were split. Their stages are in the distributions.
    pub split_off: u64,
    /// Bios that came of them on another device, and copies. Their stages are in the distributions.
    pub passed_on: u64,
    /// Bytes of the bios that were queued.
    pub bytes: u64,
    /// Bios that were merged into another's request.
    pub merged: u64,
    /// Bios whose request was issued more than once.
    pub retried: u64,
    /// Bios that ended with an error.
    pub failed: u64,
    /// Commands that failed, by their causes; of several bios in a request once for each.
    pub errors: BTreeMap<ErrorCause, u64>,
    /// Per stage in their order, then the whole and its parts.
    pub stages: Vec<StageSpread>,
}

/// Instructions and nanoseconds of each row.
type Spans = BTreeMap<SummaryRow, (ValueHistogram, ValueHistogram)>;

#[derive(Debug, Default)]
struct Gathered {
    count: u64,
    split_off: u64,
    passed_on: u64,
    bytes: u64,
    merged: u64,
    retried: u64,
    failed: u64,
    errors: BTreeMap<ErrorCause, u64>,
    stages: Spans,
}

impl Gathered {
    fn add(&mut self, bio: &Bio, time: &TimeMap) {
        match bio.origin {
            Origin::Queued => {
                self.count += 1;
                self.bytes = self.bytes.saturating_add(bio.bytes);
            }
            Origin::Split { .. } | Origin::Rest { .. } => self.split_off += 1,
            Origin::Remap { .. } | Origin::Clone { .. } | Origin::Serve { .. } => self.passed_on += 1,
        }
        self.merged += u64::from(bio.at(BioStage::Merged).is_some());
        self.retried += u64::from(bio.attempts > 1);
        self.failed += u64::from(bio.status != 0);
        for error in &bio.errors {
            *self.errors.entry(error.cause).or_default() += 1;
        }
        // The way of one that went on as others is theirs.
        for pair in bio.stages.windows(2).filter(|_| bio.parts == 0) {
            let (from, to) = (pair[0].clock, pair[1].clock);
            self.add_value(SummaryRow::Stage(pair[1].stage), to - from, time.between(from, to));
        }
        if bio.origin == Origin::Queued {
            self.add_whole(bio, time);
        }
    }

    fn add_whole(&mut self, bio: &Bio, time: &TimeMap) {
        let Some(instructions) = bio.time(&TimeMap::default()) else { return };
        let ns = bio.time(time).filter(|_| time.is_virtual());
        let mut add = |row, part: fn(IoTime) -> u64| self.add_value(row, part(instructions), ns.map(part));
        add(SummaryRow::Total, |time| time.elapsed);
        add(SummaryRow::Guest, IoTime::guest);
        add(SummaryRow::Device, |time| time.device);
    }

    fn add_value(&mut self, row: SummaryRow, instructions: u64, ns: Option<u64>) {
        let values = self.stages.entry(row).or_default();
        values.0.add(instructions);
        ns.into_iter().for_each(|ns| values.1.add(ns));
    }

    fn into_summary(self, rwbs: String) -> OpSummary {
        let stages = self.stages.into_iter().filter_map(|(row, (instructions, ns))| {
            Some(StageSpread { row, instructions: instructions.spread()?, ns: ns.spread() })
        });
        let stages = stages.collect();
        let Self { count, split_off, passed_on, bytes, merged, retried, failed, errors, .. } = self;
        OpSummary { rwbs, count, split_off, passed_on, bytes, merged, retried, failed, errors, stages }
    }
}

/// What is to be said of bios, gathered from one after the other.
#[derive(Debug, Default)]
pub struct Summary(BTreeMap<String, Gathered>);

impl Summary {
    /// Takes in a bio whose times are known.
    pub fn add(&mut self, bio: &Bio, time: &TimeMap) {
        self.0.entry(bio.op.rwbs()).or_default().add(bio, time);
    }

    /// Whether percentiles are rounded.
    #[must_use]
    pub fn is_rounded(&self) -> bool {
        let mut all = self.0.values().flat_map(|op| op.stages.values());
        all.any(|(instructions, ns)| instructions.is_rounded() || ns.is_rounded())
    }

    /// By operation, in the order of their letters.
    #[must_use]
    pub fn into_operations(self) -> Vec<OpSummary> {
        self.0.into_iter().map(|(rwbs, gathered)| gathered.into_summary(rwbs)).collect()
    }
}
