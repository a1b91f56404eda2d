//! All events of one bio: its own, and those of its requests, commands, doorbells and interrupts.
//!
//! In two passes over the blocks in which it is: the first picks up the bio and its requests, the second the events
//! that mention one of them while it lives.

use super::Progress;
use super::describe::{Described, FieldForm};
use super::objects::Objects;
use super::subject::{Subject, Wanted, subject};
use crate::hash::Set;
use crate::model::{Bio, BioId, Definitions, Request, TimeMap};
use crate::ranges::Ranges;
use crate::session::{Observer, Pass, Session, SessionError};
use crate::trackers::Sink;
use iotrace_format::event::{Event, FIRST_PROBE, MMIO_WRITE};
use iotrace_format::stage::Stage;

/// A bio's timeline.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// The bio.
    pub bio: Bio,
    /// Its requests, by number: the one that carried it, those merged, the flushes it waited for.
    pub requests: Vec<Request>,
    /// Its events, in order.
    pub events: Vec<Described<'static>>,
    /// From clocks to virtual time.
    pub time: TimeMap,
    /// What the trace says about itself.
    pub definitions: Definitions,
    /// The file was cut or is damaged: where and why.
    pub cut: Option<String>,
}

/// The timeline of a bio; none if the trace has none of that number.
///
/// # Errors
/// [`SessionError`].
pub fn timeline(
    session: &Session,
    id: BioId,
    progress: Progress<'_>,
) -> Result<Option<Timeline>, SessionError> {
    let Some(Subject { bios, requests, cut, .. }) = subject(session, &Wanted::Bio(id), progress)? else {
        return Ok(None);
    };
    let Some(bio) = bios.into_iter().next() else { return Ok(None) };
    let time = session.times()?.time.clone();
    let mut picker = Picker::new(&bio, &requests);
    let end = session.run_window((picker.first, picker.last), &mut [&mut picker], progress)?;
    let Picker { events, .. } = picker;
    Ok(Some(Timeline { bio, requests, events, time, definitions: end.finished.definitions, cut }))
}

struct Picker {
    objects: Objects,
    instants: Set<u64>,
    /// From the interrupt to the completion in it.
    interrupts: Ranges,
    /// Clocks between which something concerns it.
    first: u64,
    last: u64,
    events: Vec<Described<'static>>,
    /// What concerns it is over.
    over: bool,
}

impl Picker {
    fn new(bio: &Bio, requests: &[Request]) -> Self {
        let from = bio.call.map_or(bio.queued(), |call| call.clock.min(bio.queued()));
        let to = bio.ended().unwrap_or(u64::MAX);
        let attempts = || requests.iter().flat_map(|request| &request.attempts);
        let interrupts = attempts().filter_map(|attempt| Some((attempt.interrupt?.clock, attempt.done?)));
        let instants = bio.call.map(|call| call.clock).into_iter();
        Self {
            objects: Objects::new(std::slice::from_ref(bio), requests),
            instants: instants.chain(attempts().filter_map(|attempt| attempt.doorbell)).collect(),
            interrupts: Ranges::new(interrupts.enumerate().map(|(number, (from, to))| (number, from, to))),
            first: requests.iter().map(|request| request.got).fold(from, u64::min),
            last: requests.iter().map(|request| request.freed.unwrap_or(u64::MAX)).fold(to, u64::max),
            events: Vec::new(),
            over: false,
        }
    }

    fn concerns(&self, definitions: &Definitions, event: &Event<'_>) -> bool {
        if event.kind < FIRST_PROBE {
            return event.kind == MMIO_WRITE.id && self.instants.contains(&event.clock);
        }
        let stage = definitions.probes.get(&event.kind).and_then(|probe| probe.stage.as_ref());
        event.words.iter().any(|word| self.objects.name(*word, event.clock).is_some())
            || stage.is_some_and(Stage::is_interrupt) && self.interrupts.find(event.clock).is_some()
            || stage.is_some_and(Stage::is_file_call) && self.instants.contains(&event.clock)
    }
}

impl Sink for Picker {}

impl Observer for Picker {
    fn event(&mut self, pass: &Pass, definitions: &Definitions, event: &Event<'_>) {
        self.over = event.clock > self.last;
        if self.over || event.clock < self.first || !self.concerns(definitions, event) {
            return;
        }
        let mut described = pass.describer.describe(definitions, event).into_owned();
        for word in &mut described.words {
            if let Some(name) = self.objects.name(word.value, event.clock) {
                (word.text, word.form) = (name.to_owned().into(), FieldForm::Decoded);
            }
        }
        self.events.push(described);
    }

    fn inserted(&mut self, pass: &Pass, definitions: &Definitions, event: &Event<'_>) {
        self.event(pass, definitions, event);
    }

    fn is_complete(&self) -> bool {
        self.over
    }
}
