//! What happened, by the task or the context that it happened to, in the order of time.
//!
//! Of each list only the part is looked at that is asked about: the time to resolve a wait follows what is in it.

use super::Context;
use super::gather::{Root, SchedulingEvents};
use crate::hash::Map;
use crate::model::{CallId, Handover, HandoverKind, Switch};
use iotrace_format::stage::TIMER_SOFTIRQ;

/// What happened, where it can be found.
pub struct SchedulingIndex<'a> {
    seen: &'a SchedulingEvents,
    /// Which task runs from which clock on: what switches say, and what is seen where they are missing.
    running: Vec<(u64, u64)>,
    /// Of each task: its switches, interrupts that came while it ran, and how it was woken.
    of_task: Map<u64, OfTask<'a>>,
    /// What devices did, by the commands: the parts that they carried out by themselves, and all of it.
    commands: Map<u64, Vec<&'a Handover>>,
    /// What work items and the threads of interrupts began with.
    queued: Map<CallId, &'a Handover>,
    /// What softirqs served, by number; without a number, all of it.
    served: Map<(CallId, Option<u64>), Vec<&'a Handover>>,
}

#[derive(Default)]
struct OfTask<'a> {
    switches: Vec<Switch>,
    interrupts: Vec<&'a Root>,
    wakes: Vec<&'a Handover>,
}

impl<'a> SchedulingIndex<'a> {
    /// Of what was seen.
    pub fn new(seen: &'a SchedulingEvents) -> Self {
        let mut index = Self {
            seen,
            running: Vec::new(),
            of_task: Map::default(),
            commands: Map::default(),
            queued: Map::default(),
            served: Map::default(),
        };
        // Clocks of several vCPUs may be out of order.
        let mut switches = seen.switches.clone();
        switches.sort_by_key(|switch| switch.clock);
        let running = switches.iter().map(|switch| (switch.clock, switch.to));
        index.running = running.chain(seen.resumed.iter().copied()).collect();
        // Few are behind gaps: all but them are in order.
        index.running.sort_by_key(|(clock, _)| *clock);
        for switch in &switches {
            index.of_task.entry(switch.from).or_default().switches.push(*switch);
            if switch.to != switch.from {
                index.of_task.entry(switch.to).or_default().switches.push(*switch);
            }
        }
        for root in seen.roots.values().filter(|root| root.context == Context::Interrupt) {
            index.of_task.entry(root.task).or_default().interrupts.push(root);
        }
        seen.handovers.iter().for_each(|handover| index.handover(handover));
        for task in index.of_task.values_mut() {
            task.interrupts.sort_by_key(|root| root.from);
            task.wakes.sort_by_key(|wake| wake.to.clock);
        }
        index.served.values_mut().for_each(|served| served.sort_by_key(|handover| handover.to.clock));
        index
    }

    fn handover(&mut self, handover: &'a Handover) {
        if let HandoverKind::Wake { task } = handover.kind {
            return self.of_task.entry(task).or_default().wakes.push(handover);
        }
        if let HandoverKind::Interrupt { command, .. } = handover.kind {
            self.commands.entry(command).or_default().push(handover);
        }
        let Some(root) = handover.to.root else { return };
        let number = match handover.kind {
            HandoverKind::Interrupt { .. } => return,
            HandoverKind::Work { .. } | HandoverKind::IrqThread { .. } => {
                self.queued.entry(root).or_insert(handover);
                return;
            }
            HandoverKind::Timer { .. } => TIMER_SOFTIRQ.into(),
            HandoverKind::Softirq { number } => number,
            HandoverKind::Wake { .. } => return,
        };
        self.served.entry((root, Some(number))).or_default().push(handover);
        self.served.entry((root, None)).or_default().push(handover);
    }

    /// A context, by its outermost call.
    pub fn root(&self, id: Option<CallId>) -> Option<(CallId, &'a Root)> {
        id.and_then(|id| Some((id, self.seen.roots.get(&id)?)))
    }

    /// Switches from and to a task.
    pub fn switches(&self, task: u64) -> &[Switch] {
        self.of_task.get(&task).map_or(&[], |task| &task.switches)
    }

    /// Interrupts that came from one clock to another while a task ran.
    pub fn interrupts(&self, task: u64, from: u64, to: u64) -> impl Iterator<Item = &'a Root> {
        let all = self.of_task.get(&task).map_or(&[][..], |task| &task.interrupts);
        let first = all.partition_point(|root| root.from < from);
        all[first..].iter().copied().take_while(move |root| root.from < to)
    }

    /// The first hand-over by which a task was woken that ran again at a clock, or later.
    pub fn wakes(&self, task: u64, clock: u64) -> impl Iterator<Item = &'a Handover> {
        let all = self.of_task.get(&task).map_or(&[][..], |task| &task.wakes);
        let first = all.partition_point(|wake| wake.to.clock < clock);
        all[first..].iter().copied()
    }

    /// Whether a task runs at a clock: the last switch before says so. With several vCPUs only its own switches do; without
    /// any it runs all the time, since what it does is asked about.
    pub fn runs_at(&self, task: u64, clock: u64) -> bool {
        if self.seen.vcpus > 1 {
            let own = self.switches(task);
            let after = own.partition_point(|switch| switch.clock <= clock);
            let before = after.checked_sub(1).map(|at| own[at].to == task);
            return before.unwrap_or_else(|| own.first().is_none_or(|next| next.from == task));
        }
        let before = self.running.partition_point(|(since, _)| *since <= clock);
        let last = before.checked_sub(1).map(|at| self.running[at].1);
        last.unwrap_or(self.seen.running) == task || {
            // Before the first switch that was seen nobody knows; its own next one tells.
            let next = self.switches(task).first();
            last.is_none() && self.seen.running == 0 && next.is_none_or(|switch| switch.from == task)
        }
    }

    /// The hand-over of a command to its device, and from there to an interrupt: what comes after those of its parts.
    pub fn command(&self, command: u64) -> Option<&'a Handover> {
        self.parts(command).last().copied()
    }

    /// The same, and those of the parts of a command, in the order in which they were done.
    pub fn parts(&self, command: u64) -> &[&'a Handover] {
        self.commands.get(&command).map_or(&[], Vec::as_slice)
    }

    /// The hand-over that a work item or the thread of an interrupt began with.
    pub fn queued(&self, id: CallId) -> Option<&'a Handover> {
        self.queued.get(&id).copied()
    }

    /// When the softirq began that was served last up to a clock in a context, and its number.
    pub fn served(&self, id: CallId, clock: u64) -> Option<(u64, u64)> {
        let served = self.seen.softirqs.get(&id)?;
        let after = served.partition_point(|(begun, _)| *begun <= clock);
        served.get(after.checked_sub(1)?).copied()
    }

    /// The last hand-over up to a clock that a context served for a softirq, or of a timer in it; whichever softirq it
    /// is, if its number is not known. Of a timer's function the timer tells more than the softirq, and comes after it.
    pub fn raised(&self, id: CallId, number: Option<u64>, clock: u64) -> Option<&'a Handover> {
        let all = self.served.get(&(id, number))?;
        let after = all.partition_point(|handover| handover.to.clock <= clock);
        all.get(after.checked_sub(1)?).copied()
    }
}
