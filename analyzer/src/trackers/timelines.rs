//! For tests: timelines drawn, built, and measured by all trackers together; and what a sink has got.

use super::{Counts, Sink, Trackers};
pub use crate::model::{
    Bio, BioStage, BlockEvent, BlockKind, Cause, Handover, Io, IoId, IrqRef, Origin, Raise, Request,
    RequestKind, Wait,
};
pub use iotrace_synthetic_guest::{TASK, *};

#[derive(Debug, Default)]
pub struct Found {
    pub bios: Vec<Bio>,
    pub requests: Vec<Request>,
    pub said: Vec<BlockEvent>,
    pub ios: Vec<Io>,
    pub no_ios: Vec<IoId>,
    pub waits: Vec<Wait>,
    pub handovers: Vec<Handover>,
    pub raised: Vec<Raise>,
    pub interrupts: Vec<IrqRef>,
    pub counts: Counts,
}

impl Sink for Found {
    fn bio(&mut self, bio: Bio) {
        self.bios.push(bio);
    }
    fn request(&mut self, request: &Request) {
        self.requests.push(request.clone());
    }
    fn block_event(&mut self, event: BlockEvent) {
        self.said.push(event);
    }
    fn no_io(&mut self, io: IoId) {
        self.no_ios.push(io);
    }
    fn io(&mut self, io: Io) {
        self.ios.push(io);
    }
    fn wait(&mut self, wait: Wait) {
        self.waits.push(wait);
    }
    fn handover(&mut self, handover: &Handover) {
        self.handovers.push(*handover);
    }
    fn raised(&mut self, raise: Raise) {
        self.raised.push(raise);
    }
    fn interrupted(&mut self, irq: &IrqRef) {
        self.interrupts.push(*irq);
    }
}

pub fn track(guest: &SyntheticGuest) -> Found {
    let (mut trackers, mut found) = (Trackers::default(), Found::default());
    guest.definitions.iter().for_each(|definition| trackers.define(definition));
    guest.events.iter().for_each(|event| trackers.event(&event.event(), &mut found));
    trackers.finish(&mut found);
    found.counts = trackers.counts();
    found.bios.sort_by_key(|bio| bio.id);
    found.requests.sort_by_key(|request| request.id);
    found.ios.sort_by_key(|io| io.id);
    found
}

impl Found {
    /// Stages of a bio, with its clocks.
    pub fn stages(&self, id: u64) -> Vec<(BioStage, u64)> {
        self.bio(id).stages.iter().map(|mark| (mark.stage, mark.clock)).collect()
    }

    pub fn bio(&self, id: u64) -> &Bio {
        self.bios.iter().find(|bio| bio.id == id).unwrap()
    }

    pub fn io(&self, id: u64) -> &Io {
        self.ios.iter().find(|io| io.id == id).unwrap()
    }

    /// What a bio goes back to, the nearest first: kind, and the task's number or the function's address.
    pub fn chain(&self, id: u64) -> Vec<(&'static str, u64)> {
        let links = self.bio(id).cause.as_ref().unwrap().chain();
        let link = |cause: &Cause| match cause {
            Cause::Syscall { io, .. } => ("syscall", *io),
            Cause::Fault { io, .. } => ("fault", *io),
            Cause::Kernel { io, .. } => ("kernel", *io),
            Cause::Work { function, .. } => ("work", *function),
            Cause::Timer { function, .. } => ("timer", *function),
            Cause::Interrupt { irq } => ("interrupt", *irq),
            Cause::Softirq => ("softirq", 0),
            Cause::Thread { task, .. } => ("thread", task.pid.into()),
            Cause::Unknown => ("unknown", 0),
        };
        links.map(link).collect()
    }

    pub fn said(&self, kind: BlockKind) -> Vec<(u64, u64, u64)> {
        let of_kind = self.said.iter().filter(|event| event.kind == kind);
        of_kind.map(|event| (event.clock, event.sector, event.sectors)).collect()
    }

    pub fn assert_sound(&self) {
        let losses: Vec<_> = self.counts.all().filter(|(oddity, _)| oddity.is_loss()).collect();
        assert!(losses.is_empty(), "{losses:?}");
        for bio in self.bios.iter().filter(|bio| bio.ended().is_some()) {
            let parts: u64 = bio.stages.windows(2).map(|pair| pair[1].clock - pair[0].clock).sum();
            assert_eq!(Some(parts), bio.ended().map(|end| end - bio.queued()), "the parts are the whole");
        }
    }
}

pub use BioStage::{
    Completed, Done, Doorbell, Driver, Ended, FirstIssued, Got, Inserted, Interrupt, Issued, Merged, Plugged,
    Postflushed, Preflushed, Queued, Requeued,
};

pub const B: u64 = 0xb100;
pub const C: u64 = 0xb200;
pub const RQ: u64 = 0xa000;
