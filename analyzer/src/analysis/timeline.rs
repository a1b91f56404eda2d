//! All events of one bio: its own, and those of its requests, commands, doorbells and interrupts.
//!
//! In two passes: the first follows the trace until the bio and its requests are known, the second picks the
//! events that mention one of them while it lives.

use super::Progress;
use super::describe::{Described, Describer};
use super::events::time_map;
use super::objects::Objects;
use super::remembered::Remembered;
use crate::hash::Set;
use crate::model::{Bio, BioId, Definitions, Request, TimeMap};
use crate::ranges::Ranges;
use crate::reader::{Flow, Needs, Trace, Visitor, read};
use crate::trackers::{Sink, Trackers};
use iotrace_format::definition::Definition;
use iotrace_format::event::{Event, FIRST_PROBE, MMIO_WRITE};
use iotrace_format::stage::Stage;
use iotrace_format::trace::reader::ReadError;

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
/// [`ReadError`].
pub fn timeline(file: &Trace, id: BioId, progress: Progress<'_>) -> Result<Option<Timeline>, ReadError> {
    let mut finder = Finder { trackers: Trackers::default(), found: Found { id, ..Found::default() } };
    let finished = read(file, &mut finder, progress)?;
    let Finder { mut trackers, mut found } = finder;
    if !found.is_complete() {
        trackers.finish(&mut found);
    }
    let cut = finished.lost();
    let Some(bio) = found.bio.take() else { return Ok(None) };
    let requests = found.requests.into_found();
    let time = time_map(file)?;
    let mut picker = Picker::new(&bio, &requests);
    let finished = read(file, &mut picker, progress)?;
    let events = picker.events;
    let definitions = finished.definitions;
    Ok(Some(Timeline { bio, requests, events, time, definitions, cut }))
}

#[derive(Default)]
struct Found {
    id: BioId,
    bio: Option<Bio>,
    requests: Remembered,
}

impl Found {
    fn is_complete(&self) -> bool {
        self.bio.is_some() && self.requests.is_complete()
    }
}

impl Sink for Found {
    fn bio(&mut self, bio: Bio) {
        if bio.id == self.id {
            self.requests.want(&bio);
            self.bio = Some(bio);
        }
    }

    fn request(&mut self, request: &Request) {
        self.requests.add(request);
    }
}

struct Finder {
    trackers: Trackers,
    found: Found,
}

impl Visitor for Finder {
    fn define(&mut self, definition: &Definition) {
        self.trackers.define(definition);
    }

    fn skipped(&mut self, events: u64) {
        self.trackers.skipped(events);
    }

    fn event(&mut self, _: &Definitions, event: &Event<'_>) -> Flow {
        self.trackers.event(event, &mut self.found);
        if self.found.is_complete() { Flow::Stop } else { Flow::Continue }
    }
}

struct Picker {
    describer: Describer,
    objects: Objects,
    instants: Set<u64>,
    /// From the interrupt to the completion in it.
    interrupts: Ranges,
    /// Clocks between which something concerns it.
    first: u64,
    last: u64,
    events: Vec<Described<'static>>,
}

impl Picker {
    fn new(bio: &Bio, requests: &[Request]) -> Self {
        let from = bio.call.map_or(bio.queued(), |call| call.clock.min(bio.queued()));
        let to = bio.ended().unwrap_or(u64::MAX);
        let attempts = || requests.iter().flat_map(|request| &request.attempts);
        let interrupts = attempts().filter_map(|attempt| Some((attempt.interrupt?.clock, attempt.done?)));
        let instants = bio.call.map(|call| call.clock).into_iter();
        Self {
            describer: Describer::default(),
            objects: Objects::new(std::slice::from_ref(bio), requests),
            instants: instants.chain(attempts().filter_map(|attempt| attempt.doorbell)).collect(),
            interrupts: Ranges::new(interrupts.enumerate().map(|(number, (from, to))| (number, from, to))),
            first: requests.iter().map(|request| request.got).fold(from, u64::min),
            last: requests.iter().map(|request| request.freed.unwrap_or(u64::MAX)).fold(to, u64::max),
            events: Vec::new(),
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

impl Visitor for Picker {
    fn needs(&self) -> Needs {
        Needs { clocks: self.first..=self.last, ..Needs::ALL }
    }

    fn landmark(&mut self, _: &Definitions, event: &Event<'_>) {
        self.describer.follow(event);
    }

    fn define(&mut self, definition: &Definition) {
        self.describer.define(definition);
    }

    fn event(&mut self, definitions: &Definitions, event: &Event<'_>) -> Flow {
        self.describer.follow(event);
        if event.clock > self.last {
            return Flow::Stop;
        }
        if self.concerns(definitions, event) {
            let mut described = self.describer.describe(definitions, event).into_owned();
            for word in &mut described.words {
                if let Some(name) = self.objects.name(word.value, event.clock) {
                    word.text = name.to_owned().into();
                }
            }
            self.events.push(described);
        }
        Flow::Continue
    }
}
