//! Events of a trace that is read by another thread, in batches.

use super::EventType;
use crate::model::Definitions;
use crate::reader::{Flow, Visitor};
use iotrace_format::definition::Definition;
use iotrace_format::event::{Event, KindId};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

/// Events of a batch.
const EVENTS: usize = 8192;

/// An event whose words are in its batch.
#[derive(Debug, Clone)]
pub struct OwnedEvent {
    /// Number in the trace, from 1.
    pub number: u64,
    /// What it is of.
    pub of: Arc<EventType>,
    /// The event, without its words.
    pub event: Event<'static>,
    words: Range<usize>,
}

/// Consecutive events.
#[derive(Debug, Default)]
pub struct Batch {
    /// The events.
    pub events: Vec<OwnedEvent>,
    words: Vec<u64>,
}

impl Batch {
    /// The words of one of its events.
    pub fn words(&self, event: &OwnedEvent) -> &[u64] {
        self.words.get(event.words.clone()).unwrap_or_default()
    }
}

/// The types of the events of one trace that are compared.
#[derive(Debug)]
pub struct EventTypes<'c> {
    /// Those of both traces; none if all are compared.
    common: Option<&'c BTreeSet<EventType>>,
    known: FxHashMap<KindId, Option<Arc<EventType>>>,
    number: u64,
    /// Events that are not compared.
    pub left_out: u64,
}

impl<'c> EventTypes<'c> {
    pub fn new(common: Option<&'c BTreeSet<EventType>>) -> Self {
        Self { common, known: FxHashMap::default(), number: 0, left_out: 0 }
    }

    /// Numbers may be of other types from here on.
    pub fn defining(&mut self) {
        self.known.clear();
    }

    /// Events were left out by the reader.
    pub fn skipped(&mut self, events: u64) {
        self.number = self.number.saturating_add(events);
    }

    /// The number of the next event and what it is of; none if it is not compared.
    pub fn next(&mut self, definitions: &Definitions, kind: KindId) -> Option<(u64, Arc<EventType>)> {
        self.number = self.number.saturating_add(1);
        let common = self.common;
        let new = || {
            let of = EventType::of(definitions, kind);
            common.is_none_or(|common| common.contains(&of)).then(|| Arc::new(of))
        };
        let of = self.known.entry(kind).or_insert_with(new).clone();
        self.left_out += u64::from(of.is_none());
        of.map(|of| (self.number, of))
    }
}

/// Sends the events of a trace that are compared.
#[derive(Debug)]
pub struct BatchSender<'c> {
    types: EventTypes<'c>,
    batch: Batch,
    sender: SyncSender<Batch>,
}

impl<'c> BatchSender<'c> {
    pub fn new(types: EventTypes<'c>, sender: SyncSender<Batch>) -> Self {
        Self { types, batch: Batch::default(), sender }
    }

    /// Sends the rest; how many events were left out.
    pub fn finish(mut self) -> u64 {
        // Who compares needs no more if it does not receive.
        let _ = self.send();
        self.types.left_out
    }

    fn send(&mut self) -> Flow {
        match self.sender.send(std::mem::take(&mut self.batch)) {
            Ok(()) => Flow::Continue,
            Err(_) => Flow::Stop,
        }
    }
}

impl Visitor for BatchSender<'_> {
    fn skipped(&mut self, events: u64) {
        self.types.skipped(events);
    }

    fn define(&mut self, _: &Definition) {
        self.types.defining();
    }

    fn event(&mut self, definitions: &Definitions, event: &Event<'_>) -> Flow {
        let Some((number, of)) = self.types.next(definitions, event.kind) else { return Flow::Continue };
        let begin = self.batch.words.len();
        self.batch.words.extend_from_slice(event.words);
        let words = begin..self.batch.words.len();
        self.batch.events.push(OwnedEvent { number, of, event: Event { words: &[], ..*event }, words });
        if self.batch.events.len() < EVENTS { Flow::Continue } else { self.send() }
    }
}
