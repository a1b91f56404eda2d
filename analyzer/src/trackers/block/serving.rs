//! Bios that the driver of a stacked device queues to serve others: for the file of a loop device.
//!
//! In: facts of what is served. Out: the bio that is served where another one is queued. Where the function that serves is
//! inlined, what it serves counts until it serves something else or the call around it is over.

use super::bios::BioTracker;
use super::live::LiveBio;
use crate::model::{BioId, Origin};
use crate::trackers::fact::{Context, Fact};
use bincode::{Decode, Encode};

/// A bio that is being served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct ServedBio {
    pointer: u64,
    id: BioId,
}

impl BioTracker {
    /// The bio at an address, or one that is not known, begins to be served here.
    pub fn serve(&mut self, fact: &Fact<'_>, pointer: Option<u64>) {
        let served = pointer.and_then(|pointer| Some(ServedBio { pointer, id: self.number_of(pointer)? }));
        match fact.call {
            Some(_) => self.serving.insert(fact, served),
            None => self.serving.set_innermost(&fact.context, served),
        }
    }

    /// A bio that is queued here comes of the one that is served here, if one is.
    pub(super) fn resolve_served(&mut self, context: &Context<'_>, live: &mut LiveBio) {
        if live.bio.origin != Origin::Queued || live.source.is_some() {
            return;
        }
        let Some(ServedBio { pointer, id }) = self.serving.of_context(context).next_back().copied().flatten()
        else {
            return;
        };
        live.bio.origin = Origin::Serve { of: id };
        let served =
            self.live.get_mut(&pointer).map(|live| live.innermost_mut()).filter(|served| served.id == id);
        if let Some(served) = served {
            served.parts += 1;
            live.bio.cause = served.cause.clone();
        }
    }
}
