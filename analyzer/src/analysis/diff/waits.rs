//! Locks on the way of the I/Os, and waits: how often, and what they cost.

use super::compare::Group;
use super::names::FunctionNames;
use super::test::test;
use super::{Both, Waiting};
use iotrace_format::stage::Stage;
use std::collections::BTreeMap;

#[derive(Default)]
struct Sum {
    calls: Both,
    total: Both,
    waits: Both,
    elapsed: Both,
    device: Both,
    /// Calls and waits of each recording.
    counts: [Vec<(i64, i64)>; 2],
}

impl Sum {
    fn count(&mut self, side: usize, recording: usize) -> &mut (i64, i64) {
        let counts = &mut self.counts[side];
        counts.resize(counts.len().max(recording + 1), (0, 0));
        &mut counts[recording]
    }
}

/// What the catalog takes a function for: a lock, or a wait for something.
fn purpose(stage: &Stage) -> Option<&str> {
    match stage {
        Stage::Lock(_) => Some("lock"),
        Stage::Wait(what) | Stage::Block(what) => Some(what),
        _ => None,
    }
}

/// Locks and waits that differ, the longest difference in guest time first.
pub fn waits(groups: &[Group<'_>], names: &FunctionNames, recordings: usize) -> Vec<Waiting> {
    let mut sums = BTreeMap::<(String, String), Sum>::new();
    for group in groups {
        calls(&mut sums, group, names);
        for (recording, a, b) in &group.pairs {
            for (side, work) in [a, b].into_iter().enumerate() {
                for wait in &work.waits {
                    let sum = sums.entry((wait.function.clone(), wait.what.clone())).or_default();
                    sum.waits.count(side, 1);
                    sum.elapsed.count(side, wait.ns);
                    sum.device.count(side, wait.device);
                    sum.count(side, *recording).1 += 1;
                }
            }
        }
    }
    let waiting = |((function, what), mut sum): ((String, String), Sum)| {
        let waits = sum.waits != Both::default();
        let [a, b] = [0, 1].map(|side| {
            let of = |recording| *sum.count(side, recording);
            (0..recordings).map(of).map(|(calls, times)| if waits { times } else { calls }).collect()
        });
        let Sum { calls, total, waits, elapsed, device, .. } = sum;
        Waiting { function, what, calls, total, waits, elapsed, device, test: test(a, b) }
    };
    let guest = |w: &Waiting| w.elapsed.without(w.device);
    let differs = |waiting: &Waiting| {
        let Waiting { calls, total, waits, .. } = waiting;
        [*calls, *total, *waits, guest(waiting)].into_iter().any(|both| !both.is_equal())
    };
    let mut all: Vec<_> = sums.into_iter().map(waiting).filter(differs).collect();
    let size = |w: &Waiting| (guest(w).difference().unsigned_abs(), w.total.difference().unsigned_abs());
    all.sort_by(|x, y| (!x.test.differs, size(y), &x.function).cmp(&(!y.test.differs, size(x), &y.function)));
    all
}

/// Calls of the catalog's locks and waits.
fn calls(sums: &mut BTreeMap<(String, String), Sum>, group: &Group<'_>, names: &FunctionNames) {
    for (side, trees) in group.by_recording.iter().enumerate() {
        for (recording, tree) in trees.iter().enumerate() {
            for (node, total) in tree.nodes.iter().zip(tree.totals()) {
                let about = names.about(node.name);
                let Some(what) = about.stage.as_ref().and_then(purpose) else { continue };
                let sum = sums.entry((about.name.clone(), what.to_owned())).or_default();
                sum.calls.count(side, node.calls);
                sum.total.count(side, total);
                sum.count(side, recording).0 += node.calls.cast_signed();
            }
        }
    }
}
