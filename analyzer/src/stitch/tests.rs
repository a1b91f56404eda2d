//! Timelines drawn, built and measured, by subject.

mod bios;
mod causes;
mod commands;
mod flush;
mod ios;
mod merges;
mod requests;
mod single_queue;
mod streams;
mod ways;

use super::*;
use crate::guest::{TASK, *};
use crate::model::{Bio, BioStage, BlockEvent, BlockKind, Origin, RequestKind};

#[derive(Default)]
struct Found {
    bios: Vec<Bio>,
    requests: Vec<Request>,
    said: Vec<BlockEvent>,
    ios: Vec<Io>,
    waits: Vec<Wait>,
    handovers: Vec<Handover>,
    counts: Counts,
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
    fn io(&mut self, io: Io) {
        self.ios.push(io);
    }
    fn wait(&mut self, wait: Wait) {
        self.waits.push(wait);
    }
    fn handover(&mut self, handover: &Handover) {
        self.handovers.push(*handover);
    }
}

fn stitch(guest: &SyntheticGuest) -> Found {
    let (mut stitcher, mut found) = (Stitcher::default(), Found::default());
    guest.definitions.iter().for_each(|definition| stitcher.define(definition));
    guest.events.iter().for_each(|event| stitcher.event(&event.event(), &mut found));
    stitcher.finish(&mut found);
    found.counts = stitcher.counts();
    found.bios.sort_by_key(|bio| bio.id);
    found.requests.sort_by_key(|request| request.id);
    found.ios.sort_by_key(|io| io.id);
    found
}

impl Found {
    /// Stages of a bio, with its clocks.
    fn stages(&self, id: u64) -> Vec<(BioStage, u64)> {
        self.bio(id).stages.iter().map(|mark| (mark.stage, mark.clock)).collect()
    }

    fn bio(&self, id: u64) -> &Bio {
        self.bios.iter().find(|bio| bio.id == id).unwrap()
    }

    fn io(&self, id: u64) -> &Io {
        self.ios.iter().find(|io| io.id == id).unwrap()
    }

    /// What a bio goes back to, the nearest first: kind, and the task's number or the function's address.
    fn chain(&self, id: u64) -> Vec<(&'static str, u64)> {
        let links = self.bio(id).cause.as_ref().unwrap().chain();
        let link = |cause: &Cause| match cause {
            Cause::Syscall { io, .. } => ("syscall", *io),
            Cause::Work { function, .. } => ("work", *function),
            Cause::Timer { function, .. } => ("timer", *function),
            Cause::Interrupt { irq } => ("interrupt", *irq),
            Cause::Softirq => ("softirq", 0),
            Cause::Thread { task, .. } => ("thread", task.pid.into()),
            Cause::Unknown => ("unknown", 0),
        };
        links.map(link).collect()
    }

    fn said(&self, kind: BlockKind) -> Vec<(u64, u64, u64)> {
        let of_kind = self.said.iter().filter(|event| event.kind == kind);
        of_kind.map(|event| (event.clock, event.sector, event.sectors)).collect()
    }

    fn assert_sound(&self) {
        let losses: Vec<_> = self.counts.all().filter(|(oddity, _)| oddity.is_loss()).collect();
        assert!(losses.is_empty(), "{losses:?}");
        for bio in self.bios.iter().filter(|bio| bio.ended().is_some()) {
            let parts: u64 = bio.stages.windows(2).map(|pair| pair[1].clock - pair[0].clock).sum();
            assert_eq!(Some(parts), bio.ended().map(|end| end - bio.queued()), "the parts are the whole");
        }
    }
}

use BioStage::{
    Completed, Done, Doorbell, Driver, Ended, Got, Inserted, Interrupt, Issued, Merged, Plugged, Postflushed,
    Preflushed, Queued,
};

const B: u64 = 0xb100;
const C: u64 = 0xb200;
const RQ: u64 = 0xa000;
