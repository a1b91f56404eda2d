//! Distributions per operation: how many, how much, and the time to each stage from the one before.

use crate::model::{Bio, Origin, Stage, TimeMap};
use std::collections::BTreeMap;

/// Order statistics by nearest rank, in the unit of what was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spread {
    /// How many values.
    pub count: u64,
    /// Median.
    pub median: u64,
    /// 95th percentile.
    pub p95: u64,
    /// 99th percentile.
    pub p99: u64,
    /// Largest.
    pub max: u64,
}

impl Spread {
    /// Of some values; none for none.
    #[must_use]
    pub fn of(mut values: Vec<u64>) -> Option<Self> {
        values.sort_unstable();
        let rank = |percent: usize| (values.len() * percent).div_ceil(100).max(1) - 1;
        let at = |percent| values.get(rank(percent)).copied();
        Some(Self { count: values.len() as u64, median: at(50)?, p95: at(95)?, p99: at(99)?, max: at(100)? })
    }
}

/// The time to a stage from the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageSpread {
    /// The stage that was reached; none for the whole way from Q to E.
    pub stage: Option<Stage>,
    /// In instructions.
    pub instructions: Spread,
    /// In virtual nanoseconds.
    pub ns: Option<Spread>,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpSummary {
    /// Letters of the operation and its flags.
    pub rwbs: String,
    /// Bios that were queued; those cut off from them are not counted again.
    pub count: u64,
    /// Bios cut off from them. Their stages are in the distributions.
    pub split_off: u64,
    /// Bytes of the bios that were queued.
    pub bytes: u64,
    /// Bios that were merged into another's request.
    pub merged: u64,
    /// Per stage in their order, then the whole.
    pub stages: Vec<StageSpread>,
}

/// Instructions and nanoseconds of each stage; the whole way comes last.
type Spans = BTreeMap<(bool, Option<Stage>), (Vec<u64>, Vec<u64>)>;

#[derive(Default)]
struct Gathered {
    count: u64,
    split_off: u64,
    bytes: u64,
    merged: u64,
    stages: Spans,
}

impl Gathered {
    fn add(&mut self, bio: &Bio, time: &TimeMap) {
        match bio.origin {
            Origin::Queued => {
                self.count += 1;
                self.bytes += bio.bytes;
            }
            Origin::Split { .. } => self.split_off += 1,
        }
        self.merged += u64::from(bio.at(Stage::Merged).is_some());
        for pair in bio.stages.windows(2) {
            self.span(Some(pair[1].stage), (pair[0].clock, pair[1].clock), time);
        }
        if let Some(end) = bio.ended() {
            self.span(None, (bio.queued(), end), time);
        }
    }

    fn span(&mut self, stage: Option<Stage>, (from, to): (u64, u64), time: &TimeMap) {
        let (instructions, ns) = self.stages.entry((stage.is_none(), stage)).or_default();
        instructions.push(to - from);
        ns.extend(time.between(from, to));
    }

    fn into_summary(mut self, rwbs: String) -> OpSummary {
        let stages =
            std::mem::take(&mut self.stages).into_iter().filter_map(|((_, stage), (instructions, ns))| {
                Some(StageSpread { stage, instructions: Spread::of(instructions)?, ns: Spread::of(ns) })
            });
        let Self { count, split_off, bytes, merged, .. } = self;
        OpSummary { rwbs, count, split_off, bytes, merged, stages: stages.collect() }
    }
}

/// Summaries by operation, in the order of their letters.
#[must_use]
pub fn summarize(bios: &[Bio], time: &TimeMap) -> Vec<OpSummary> {
    let mut operations = BTreeMap::<String, Gathered>::new();
    for bio in bios {
        operations.entry(bio.op.rwbs()).or_default().add(bio, time);
    }
    operations.into_iter().map(|(rwbs, gathered)| gathered.into_summary(rwbs)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let spread = Spread::of((1..=200).rev().collect()).unwrap();
        assert_eq!(spread, Spread { count: 200, median: 100, p95: 190, p99: 198, max: 200 });
        assert_eq!(Spread::of(vec![7]).unwrap().median, 7);
        assert_eq!(Spread::of(vec![]), None);
    }
}
