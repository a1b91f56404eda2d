//! When the task of an I/O slept while a device had a command.
//!
//! In: what the other trackers find: bios and requests with the times that devices had their commands, waits, I/Os. Out:
//! the same, and in each I/O its [`Io::device`]: of each wait the parts in which a device had a command that completed
//! before the task was woken. What is still at a device then is not what was waited for. A bio of which others came has
//! the times of those too.
//!
//! Memory: the last [`COMMANDS`] commands, and [`SPANS`] spans of each of the last [`IOS`] I/Os and [`PARENTS`] bios that
//! have any. Whatever is over reaches the sink, also what proves to be no I/O, and is dropped here with its spans.

use super::sink::Sink;
use crate::model::{
    Attempt, Bio, BioId, BlockEvent, Call, CallEnd, CallId, Handover, Io, IoId, IrqRef, Raise, Request,
    Switch, Wait, WorkloadMark,
};
use bincode::{Decode, Encode};
use iotrace_format::event::Event;
use std::collections::{BTreeMap, VecDeque};

/// Most commands that are kept; a wait for more of them than that has the time of the last.
const COMMANDS: usize = 1 << 10;
/// Most I/Os that are kept, as many as may be under way or have bytes that are not written.
const IOS: usize = 1 << 16;
/// Most bios that are kept of which others came.
const PARENTS: usize = 1 << 12;
/// Most spans of an I/O or a bio: what is beyond them is not the device's.
const SPANS: usize = 1 << 8;

/// Follows commands and waits.
#[derive(Debug, Default, Encode, Decode)]
pub struct DeviceWaitTracker {
    /// When devices had commands, in the order in which that became known.
    commands: VecDeque<(u64, u64)>,
    /// Spans of I/Os that are not over.
    ios: BTreeMap<IoId, Vec<(u64, u64)>>,
    /// Spans of the bios that came of a bio which is not over.
    parents: BTreeMap<BioId, Vec<(u64, u64)>>,
}

impl DeviceWaitTracker {
    fn command(&mut self, span: (u64, u64)) {
        if self.commands.len() >= COMMANDS {
            self.commands.pop_front();
        }
        self.commands.push_back(span);
    }

    fn bio(&mut self, bio: &mut Bio) {
        bio.at_device.iter().for_each(|span| self.command(*span));
        bio.at_device.extend(self.parents.remove(&bio.id).into_iter().flatten());
        bio.at_device = union(std::mem::take(&mut bio.at_device));
        bio.at_device.truncate(SPANS);
        if let Some(of) = bio.origin.of() {
            add(&mut self.parents, PARENTS, of, &bio.at_device);
        }
    }

    fn wait(&mut self, wait: &Wait) {
        let (blocked, woken, _) = wait.clocks;
        let completed = self.commands.iter().filter(|(_, to)| (blocked..=woken).contains(to));
        let spans = union(completed.map(|(from, to)| ((*from).max(blocked), *to)).collect());
        add(&mut self.ios, IOS, wait.io, &spans);
    }

    /// Passes on to a sink what is found, with what is known of the I/Os in it.
    pub fn sink<'s>(&'s mut self, out: &'s mut dyn Sink) -> DeviceWaitSink<'s> {
        DeviceWaitSink { waits: self, out }
    }
}

/// Adds the spans of an object; if there are too many objects, the oldest goes.
fn add(objects: &mut BTreeMap<u64, Vec<(u64, u64)>>, most: usize, object: u64, spans: &[(u64, u64)]) {
    if spans.is_empty() {
        return;
    }
    let known = objects.entry(object).or_default();
    known.extend(spans.iter().take(SPANS.saturating_sub(known.len())));
    if objects.len() > most {
        objects.pop_first();
    }
}

/// Spans in the order of time, those that overlap or touch as one.
fn union(mut spans: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    spans.sort_unstable();
    spans.dedup_by(|next, last| {
        let overlaps = next.0 <= last.1;
        if overlaps {
            last.1 = last.1.max(next.1);
        }
        overlaps
    });
    spans.retain(|(from, to)| from < to);
    spans
}

/// A sink between the trackers of objects and the one that takes what they find.
pub struct DeviceWaitSink<'s> {
    waits: &'s mut DeviceWaitTracker,
    out: &'s mut dyn Sink,
}

impl Sink for DeviceWaitSink<'_> {
    fn bio(&mut self, mut bio: Bio) {
        self.waits.bio(&mut bio);
        self.out.bio(bio);
    }

    fn request(&mut self, request: &Request) {
        // Those with bios are known already, since their bios end first.
        if request.members.is_empty() {
            request.attempts.iter().filter_map(Attempt::at_device).for_each(|span| self.waits.command(span));
        }
        self.out.request(request);
    }

    fn wait(&mut self, wait: Wait) {
        self.waits.wait(&wait);
        self.out.wait(wait);
    }

    fn io(&mut self, mut io: Io) {
        // Also what proves to be none is over, and nothing of it is kept.
        io.device = self.waits.ios.remove(&io.id).map(union).unwrap_or_default();
        if io.is_io() {
            self.out.io(io);
        } else {
            self.out.no_io(io.id);
        }
    }

    fn block_event(&mut self, event: BlockEvent) {
        self.out.block_event(event);
    }

    fn mark(&mut self, mark: WorkloadMark) {
        self.out.mark(mark);
    }

    fn entered(&mut self, call: &Call, event: &Event<'_>) {
        self.out.entered(call, event);
    }

    fn passed(&mut self, within: Option<CallId>, event: &Event<'_>) {
        self.out.passed(within, event);
    }

    fn ran(&mut self, call: CallId, from: u64, to: u64) {
        self.out.ran(call, from, to);
    }

    fn left(&mut self, end: &CallEnd) {
        self.out.left(end);
    }

    fn switched(&mut self, switch: &Switch) {
        self.out.switched(switch);
    }

    fn handover(&mut self, handover: &Handover) {
        self.out.handover(handover);
    }

    fn raised(&mut self, raise: Raise) {
        self.out.raised(raise);
    }

    fn interrupted(&mut self, irq: &IrqRef) {
        self.out.interrupted(irq);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{IoKind, Level, Op, OpName, Origin, Task, TimeMap};
    use crate::trackers::timelines::*;

    // fsync #1 rings for B, then for C, and sleeps    irq of B: wakes it    irq of C
    // 100      163                 167       170      200        212        400
    #[test]
    fn a_sleep_is_the_devices_while_it_has_a_command_that_completes_before_the_wake_up() {
        let (flush, other) = (io(80, 4096, WRITE | SYNC), io(96, 4096, WRITE));
        let mut guest = SyntheticGuest::default();
        guest.name_task(2, KWORKER, 26, "kworker/0:1");
        guest.entry(100, "sys.fsync", &[("regs.fd", 3)]);
        guest.submit(120, B, RQ, flush);
        guest.submit(140, C, RQ + 0x400, other);
        guest.issue(160, RQ, B, flush);
        guest.issue(164, RQ + 0x400, C, other);
        guest.entry(169, "task.wait.completion", &[("x", 1)]);
        guest.switch(170, KWORKER);
        guest.interrupt(200, &[RQ]);
        guest.at(HARDIRQ, |guest| {
            guest.complete(205, RQ, B, flush);
            guest.entry(210, "task.wake", &[("task", TASK)]);
            guest.exit(212, "task.wake", 1);
        });
        guest.switch(230, TASK);
        guest.exit(240, "task.wait.completion", 0);
        guest.exit(250, "sys.fsync", 0);
        guest.interrupt(400, &[RQ + 0x400]);
        guest.at(HARDIRQ, |guest| guest.complete(405, RQ + 0x400, C, other));
        let found = track(&guest);
        assert_eq!(
            (found.bio(1).at_device.as_slice(), found.bio(2).at_device.as_slice()),
            (&[(163, 200)][..], &[(167, 400)][..])
        );
        assert_eq!(found.io(1).device, [(170, 200)]);
        let time = TimeMap::default();
        let parts = found.io(1).time(&time).map(|time| (time.elapsed, time.device, time.guest()));
        assert_eq!((parts, found.io(1).device_within(&time, 180, 190)), (Some((150, 30, 120)), 10));
        let of_bio = found.bio(2).time(&time).expect("it ended");
        assert_eq!((of_bio.elapsed, of_bio.device), (266, 233));
    }

    // Of a system call that is no I/O nothing is left behind, however many there are.
    #[test]
    fn a_wait_in_a_system_call_that_is_no_io_is_dropped_with_it() {
        let (mut waits, mut found) = (DeviceWaitTracker::default(), Found::default());
        waits.command((10, 20));
        for (id, kind) in [(1, IoKind::OtherSyscall), (2, IoKind::Fault), (3, IoKind::Syscall)] {
            waits.wait(&wait(id, (5, 30, 40)));
            waits.sink(&mut found).io(Io { id, kind, ..Io::default() });
        }
        let given: Vec<_> = found.ios.iter().map(|io| (io.id, io.device.clone())).collect();
        assert_eq!((given, waits.ios.len()), (vec![(3, vec![(10, 20)])], 0));
        // Who keeps waits until their I/Os are known learns that these have none.
        assert_eq!(found.no_ios, [1, 2]);
    }

    fn wait(io: IoId, clocks: (u64, u64, u64)) -> Wait {
        let (task, level) = (Task::default(), Level::Task);
        let (function, what, waker) = (String::new(), String::new(), Vec::new());
        Wait { task, io, function, what, clocks, event: 0, waker, level, waker_task: task }
    }

    fn bio(id: BioId, origin: Origin, at_device: &[(u64, u64)]) -> Bio {
        Bio { at_device: at_device.to_vec(), ..Bio::new(id, B, origin, Op::plain(OpName::Read), 1) }
    }

    // The ways of parts overlap: no time counts twice.
    #[test]
    fn a_bio_has_the_device_times_of_those_that_came_of_it() {
        let (mut waits, mut found) = (DeviceWaitTracker::default(), Found::default());
        for bio in [
            bio(2, Origin::Clone { of: 1 }, &[(30, 40), (10, 20)]),
            bio(4, Origin::Clone { of: 3 }, &[(35, 50)]),
            bio(3, Origin::Split { of: 1 }, &[]),
            bio(1, Origin::Queued, &[]),
        ] {
            waits.sink(&mut found).bio(bio);
        }
        let times: Vec<_> = found.bios.iter().map(|bio| bio.at_device.clone()).collect();
        assert_eq!(
            times,
            [vec![(10, 20), (30, 40)], vec![(35, 50)], vec![(35, 50)], vec![(10, 20), (30, 50)]]
        );
        assert!(waits.parents.is_empty());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut waits = DeviceWaitTracker::default();
        for io in 0..2 * IOS as u64 {
            waits.command((2 * io, 2 * io + 1));
            waits.wait(&wait(io, (0, u64::MAX, u64::MAX)));
            waits.bio(&mut bio(0, Origin::Split { of: io }, &[(2 * io, 2 * io + 1)]));
        }
        let most = waits.ios.values().map(Vec::len).max();
        assert_eq!((waits.commands.len(), waits.ios.len(), most), (COMMANDS, IOS, Some(SPANS)));
        assert_eq!(waits.parents.len(), PARENTS);
        // The newest are kept.
        let newest = 2 * IOS as u64 - 1;
        assert!(waits.ios.contains_key(&newest) && waits.parents.contains_key(&newest));
    }
}
