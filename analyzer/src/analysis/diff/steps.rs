//! What the steps of the I/Os' ways cost on both sides.

use super::compare::Pairs;
use super::gather::{IoStep, StepTotals};
use super::presence::Presence;
use super::test::SampleValues;
use super::{Both, StepCost};
use std::collections::BTreeMap;

#[derive(Default)]
struct Sum {
    times: Both,
    instructions: Both,
    elapsed: Both,
    device: Both,
    values: SampleValues,
    /// I/Os that have it, of A and of B.
    have: [u64; 2],
}

/// The steps of pairs of one system call, or of all, added up, in the order of the way.
pub fn steps(pairs: Pairs<'_>, recordings: usize) -> Vec<StepCost> {
    let mut sums = BTreeMap::<IoStep, Sum>::new();
    for (recording, a, b) in pairs {
        for (side, work) in [a, b].into_iter().enumerate() {
            for (step, StepTotals { times, instructions, ns, device }) in &work.steps {
                let sum = sums.entry(*step).or_default();
                sum.times.count(side, *times);
                sum.instructions.count(side, *instructions);
                sum.elapsed.count(side, *ns);
                sum.device.count(side, *device);
                sum.values.add(side, *recording, *instructions);
                sum.have[side] += 1;
            }
        }
    }
    let cost = |(step, sum): (IoStep, Sum)| {
        let (mut presence, test) = (Presence::default(), sum.values.test(recordings));
        presence.add(pairs.len(), sum.have);
        StepCost {
            part: step.part(),
            step: step.name(),
            times: sum.times,
            instructions: sum.instructions,
            elapsed: sum.elapsed,
            device: sum.device,
            spread: sum.values.spread(),
            evidence: presence.evidence(&test),
            test,
        }
    };
    sums.into_iter().map(cost).collect()
}
