//! Which hand-over led to a context, and in which lines hand-overs and stops happened.

use super::Segment;
use crate::hash::Map;
use crate::model::{CallId, DeviceStart, Handover, HandoverKind, Switch};

/// Most lines at one clock that are told to ring a doorbell. There is one access, with what was inlined around it.
const MOST: usize = 16;

/// Hand-overs by the contexts that they led to, by their places in a list.
#[derive(Debug, Clone, Default)]
pub struct HandoverIndex(Map<CallId, OfContext>);

#[derive(Debug, Clone, Default)]
struct OfContext {
    /// The last by which it began.
    begun: Option<usize>,
    /// Those by which it was woken, and when, in the order of time.
    woken: Vec<(u64, usize)>,
}

impl HandoverIndex {
    /// Of these hand-overs.
    pub fn new(handovers: &[Handover]) -> Self {
        let mut index = Self::default();
        for (at, handover) in handovers.iter().enumerate() {
            let Some(root) = handover.to.root else { continue };
            let of_context = index.0.entry(root).or_default();
            match handover.kind {
                HandoverKind::Wake { .. } => of_context.woken.push((handover.to.clock, at)),
                _ => of_context.begun = Some(at),
            }
        }
        index.0.values_mut().for_each(|of_context| of_context.woken.sort_by_key(|(clock, _)| *clock));
        index
    }

    /// The last that led to a context: by which it began, or by which it was woken up to a clock.
    pub fn find(&self, root: CallId, resumed: bool, clock: u64) -> Option<usize> {
        let OfContext { begun, woken } = self.0.get(&root)?;
        if !resumed {
            return *begun;
        }
        let after = woken.partition_point(|(woken, _)| *woken <= clock);
        woken.get(after.checked_sub(1)?).map(|(_, at)| *at)
    }
}

/// Puts hand-overs and stops at the lines in which they happened.
pub fn attach(segments: &mut [Segment], handovers: &[Handover], switches: &[Switch]) {
    let mut by_call = Map::<CallId, Vec<usize>>::default();
    let mut by_clock = Map::<u64, (Vec<usize>, usize)>::default();
    for (at, handover) in handovers.iter().enumerate() {
        match (handover.kind, handover.from.call) {
            // A doorbell is an access, not a call.
            (HandoverKind::Interrupt { since: DeviceStart::Doorbell, .. }, _) => {
                by_clock.entry(handover.from.clock).or_default().0.push(at);
            }
            (_, Some(call)) => by_call.entry(call).or_default().push(at),
            _ => {}
        }
    }
    let mut stops = Map::<CallId, Vec<(u64, u64)>>::default();
    let runs = runs(switches);
    for switch in switches {
        if let Some(call) = switch.call {
            stops.entry(call).or_default().push((switch.clock, goes_on(&runs, switch)));
        }
    }
    for line in segments.iter_mut().flat_map(|segment| &mut segment.lines) {
        match line.call {
            Some(call) => {
                line.handovers = by_call.get(&call).cloned().unwrap_or_default();
                line.stops = stops.get(&call).cloned().unwrap_or_default();
            }
            None if line.omitted => {}
            None => {
                if let Some((here, lines)) = by_clock.get_mut(&line.clock).filter(|(_, lines)| *lines < MOST)
                {
                    *lines += 1;
                    line.handovers.clone_from(here);
                }
            }
        }
    }
}

/// When each task runs again, in the order of time.
fn runs(switches: &[Switch]) -> Map<u64, Vec<u64>> {
    let mut runs = Map::<u64, Vec<u64>>::default();
    switches.iter().for_each(|switch| runs.entry(switch.to).or_default().push(switch.clock));
    runs.values_mut().for_each(|clocks| clocks.sort_unstable());
    runs
}

/// When the task runs again that a switch stopped; 0 if that was not seen.
fn goes_on(runs: &Map<u64, Vec<u64>>, stop: &Switch) -> u64 {
    let clocks = runs.get(&stop.from).map_or(&[][..], Vec::as_slice);
    let after = clocks.partition_point(|clock| *clock <= stop.clock);
    clocks.get(after).copied().unwrap_or(0)
}
