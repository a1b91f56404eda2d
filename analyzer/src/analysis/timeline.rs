//! All events of one bio: its own, and those of its requests, commands, doorbells and interrupts.
//!
//! In two passes: the first stitches until the bio and its requests are known, the second picks the
//! events that mention one of them while it lives.

use super::Progress;
use super::describe::{Described, Describer};
use super::events::time_map;
use crate::model::{Bio, BioId, Definitions, Request, RequestId, TimeMap};
use crate::reader::{Flow, Needs, Trace, Visitor, read};
use crate::stitch::{Sink, Stitcher};
use iotrace_schemas::definition::Definition;
use iotrace_schemas::event::{Event, FIRST_PROBE, MMIO_WRITE};
use iotrace_schemas::trace::reader::ReadError;
use std::collections::VecDeque;

/// Requests that are remembered though nobody has asked for them yet.
const REMEMBERED: usize = 4096;

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
    let mut finder = Finder { stitcher: Stitcher::default(), found: Found { id, ..Found::default() } };
    let finished = read(file, &mut finder, progress)?;
    let Finder { mut stitcher, mut found } = finder;
    if !found.complete() {
        stitcher.finish(&mut found);
    }
    let cut = finished.lost();
    let Some(bio) = found.bio.take() else { return Ok(None) };
    let requests: Vec<_> = found.wanted(&bio).cloned().collect();
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
    requests: VecDeque<Request>,
}

impl Found {
    fn wanted<'a>(&'a self, bio: &'a Bio) -> impl Iterator<Item = &'a Request> {
        self.requests.iter().filter(|rq| bio.request == Some(rq.id) || bio.other_requests.contains(&rq.id))
    }

    fn complete(&self) -> bool {
        let has = |bio: &Bio, id: RequestId| self.wanted(bio).any(|rq| rq.id == id);
        self.bio.as_ref().is_some_and(|bio| {
            bio.request.is_none_or(|id| has(bio, id)) && bio.other_requests.iter().all(|id| has(bio, *id))
        })
    }
}

impl Sink for Found {
    fn bio(&mut self, bio: Bio) {
        if bio.id == self.id {
            self.bio = Some(bio);
        }
    }

    fn request(&mut self, request: &Request) {
        // The flush of a bio ends before the bio does: requests are kept before they are known to matter.
        if self.requests.len() == REMEMBERED {
            self.requests.pop_front();
        }
        self.requests.push_back(request.clone());
    }
}

struct Finder {
    stitcher: Stitcher,
    found: Found,
}

impl Visitor for Finder {
    fn define(&mut self, definition: &Definition) {
        self.stitcher.define(definition);
    }

    fn event(&mut self, _: &Definitions, event: &Event<'_>) -> Flow {
        self.stitcher.event(event, &mut self.found);
        if self.found.bio.is_some() && self.found.complete() { Flow::Stop } else { Flow::Continue }
    }
}

/// An object and the clocks between which its address means it.
struct Lifetime {
    pointer: u64,
    name: String,
    from: u64,
    to: u64,
}

struct Picker {
    describer: Describer,
    objects: Vec<Lifetime>,
    instants: Vec<u64>,
    /// From the interrupt to the completion in it.
    interrupts: Vec<(u64, u64)>,
    /// Clocks between which something concerns it.
    first: u64,
    last: u64,
    events: Vec<Described<'static>>,
}

impl Picker {
    fn new(bio: &Bio, requests: &[Request]) -> Self {
        let (from, to) = (bio.queued(), bio.ended().unwrap_or(u64::MAX));
        let mut picker = Self {
            describer: Describer::default(),
            objects: vec![Lifetime { pointer: bio.pointer, name: format!("#{}", bio.id), from, to }],
            instants: bio.call.map(|call| call.clock).into_iter().collect(),
            interrupts: Vec::new(),
            first: bio.call.map_or(from, |call| call.clock.min(from)),
            last: to,
            events: Vec::new(),
        };
        requests.iter().for_each(|request| picker.add(request));
        picker
    }

    fn add(&mut self, request: &Request) {
        let (from, to) = (request.got, request.freed.unwrap_or(u64::MAX));
        (self.first, self.last) = (self.first.min(from), self.last.max(to));
        let name = format!("rq{}", request.id);
        self.objects.push(Lifetime { pointer: request.pointer, name, from, to });
        for attempt in &request.attempts {
            if attempt.pointer != 0 {
                let name = format!("cmd{}", attempt.command);
                self.objects.push(Lifetime { pointer: attempt.pointer, name, from, to });
            }
            self.instants.extend(attempt.doorbell);
            if let (Some(irq), Some(done)) = (attempt.interrupt, attempt.done) {
                self.interrupts.push((irq.clock, done));
            }
        }
    }

    fn name(&self, value: u64, clock: u64) -> Option<&str> {
        let alive = |o: &&Lifetime| o.pointer == value && (o.from..=o.to).contains(&clock);
        self.objects.iter().find(alive).map(|object| object.name.as_str())
    }

    fn concerns(&self, definitions: &Definitions, event: &Event<'_>) -> bool {
        if event.kind < FIRST_PROBE {
            return event.kind == MMIO_WRITE.id && self.instants.contains(&event.clock);
        }
        let stage = definitions.probes.get(&event.kind).map_or("", |probe| probe.stage.as_str());
        let within = |(from, to): &(u64, u64)| (*from..=*to).contains(&event.clock);
        event.words.iter().any(|word| self.name(*word, event.clock).is_some())
            || stage.starts_with("irq.") && self.interrupts.iter().any(within)
            || stage.starts_with("vfs.") && self.instants.contains(&event.clock)
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
                if let Some(name) = self.name(word.value, event.clock) {
                    word.text = name.to_owned().into();
                }
            }
            self.events.push(described);
        }
        Flow::Continue
    }
}
