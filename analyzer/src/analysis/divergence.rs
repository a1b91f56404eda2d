//! The first event in which two traces of one recording differ.
//!
//! In: two traces. Out: how many events they have in common, and the first that is not the same in both. A replay
//! executes what was recorded, so that two traces of it with the same probes are equal; where they are not, the first
//! difference is where to look for the reason.
//!
//! Both traces are read at once, the second by a thread of its own, in batches of which at most [`BATCHES`] wait.
//! Event types are compared by what they are of (symbol, place, address, fields), not by their numbers, which depend
//! on the catalog.

mod batch;

use super::Progress;
use crate::model::Definitions;
use crate::reader::{Flow, Trace, Visitor, definitions, read};
use batch::{Batch, BatchSender, EventTypes};
use iotrace_format::definition::{Definition, TraceInfo};
use iotrace_format::event::{BUILTINS, Event, KindId};
use iotrace_format::trace::reader::ReadError;
use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

/// Batches of events that may wait for the other trace.
const BATCHES: usize = 4;

/// Which events are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ComparedTypes {
    /// All.
    #[default]
    All,
    /// Those of the event types and probes that both traces have.
    Common,
}

/// What the comparison of two traces found. Of pairs, the first is of the first trace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Divergence {
    /// Events that are the same in both, up to the first that is not.
    pub equal: u64,
    /// The first difference; none if there is none.
    pub first: Option<FirstDifference>,
    /// What was not compared, since the other trace does not have it.
    pub left_out: [LeftOutTypes; 2],
    /// What could not be read of each trace, for people.
    pub lost: [Option<String>; 2],
    /// What of the two guests differs, so that they are not of one recording: its name, and its values.
    pub guests: Vec<FieldDifference>,
}

/// Event types that were not compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOutTypes {
    /// Their names, as in views, by name.
    pub names: Vec<String>,
    /// How many events they have in what was read of the trace.
    pub events: u64,
}

/// The first event that is not the same in both traces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstDifference {
    /// Where it is in each; none for a trace that has no further event.
    pub at: [Option<EventPlace>; 2],
    /// What differs in it; empty if one trace has no further event.
    pub fields: Vec<FieldDifference>,
}

/// Where an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPlace {
    /// Number, from 1.
    pub number: u64,
    /// When, in instructions.
    pub clock: u64,
}

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldDifference {
    /// Its name: `clock`, `task`, or that of a field of the event type.
    pub name: String,
    /// Its values as recorded, addresses in hexadecimal.
    pub values: [String; 2],
}

/// What an event is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct EventType {
    name: String,
    symbol: String,
    address: u64,
    words: Vec<String>,
}

impl EventType {
    fn of(definitions: &Definitions, kind: KindId) -> Self {
        let probe = definitions.probes.get(&kind);
        Self {
            name: definitions.kind_name(kind),
            symbol: probe.map_or_else(String::new, |probe| probe.symbol.clone()),
            address: probe.map_or(0, |probe| probe.address),
            words: definitions.word_names(kind).into_iter().map(str::to_owned).collect(),
        }
    }

    /// All that a trace defines.
    fn all(definitions: &Definitions) -> BTreeSet<Self> {
        let builtins = BUILTINS.iter().map(|builtin| &builtin.id);
        let kinds = builtins.chain(definitions.kinds.keys()).chain(definitions.probes.keys());
        kinds.map(|kind| Self::of(definitions, *kind)).collect()
    }

    /// For people: more than its name if the names are the same.
    fn text(&self, other: &Self) -> String {
        if self.name != other.name {
            return self.name.clone();
        }
        format!("{} ({} at {:#x}: {})", self.name, self.symbol, self.address, self.words.join(", "))
    }
}

/// Compares two traces.
///
/// # Errors
/// [`ReadError`], and of which trace, 0 or 1.
pub fn divergence(
    traces: [&Trace; 2],
    compared: ComparedTypes,
    progress: Progress<'_>,
) -> Result<Divergence, (usize, ReadError)> {
    let first = |error| (0, error);
    let second = |error| (1, error);
    let types = match compared {
        ComparedTypes::All => None,
        ComparedTypes::Common => {
            let [a, b] = [definitions(traces[0]).map_err(first)?, definitions(traces[1]).map_err(second)?];
            Some([EventType::all(&a), EventType::all(&b)])
        }
    };
    let common: Option<BTreeSet<EventType>> =
        types.as_ref().map(|[a, b]| a.intersection(b).cloned().collect());
    let (sender, receiver) = sync_channel(BATCHES);
    let mut comparer = Comparer {
        types: EventTypes::new(common.as_ref()),
        other: OtherTrace { receiver, batch: Batch::default(), next: 0 },
        found: Divergence::default(),
    };
    let (of_first, of_second) = thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut batches = BatchSender::new(EventTypes::new(common.as_ref()), sender);
            let finished = read(traces[1], &mut batches, &mut |_| {})?;
            let trace = finished.definitions.trace.clone();
            Ok((finished.lost(), trace, batches.finish()))
        });
        let finished = read(traces[0], &mut comparer, progress);
        comparer.finish();
        (finished, reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let finished = of_first.map_err(first)?;
    let (lost, other, left_out) = of_second.map_err(second)?;
    let guests = guests([&finished.definitions.trace, &other]);
    let Comparer { types: EventTypes { left_out: left_out_of_first, .. }, found, .. } = comparer;
    let names = |side: usize| match (&types, &common) {
        (Some(types), Some(common)) => types[side].difference(common).map(|of| of.name.clone()).collect(),
        _ => Vec::new(),
    };
    let left_out = [(names(0), left_out_of_first), (names(1), left_out)];
    let left_out = left_out.map(|(names, events)| LeftOutTypes { names, events });
    Ok(Divergence { left_out, lost: [finished.lost(), lost], guests, ..found })
}

/// What of the guests differs that is the same in all replays of one recording.
fn guests(traces: [&TraceInfo; 2]) -> Vec<FieldDifference> {
    let shift = |shift: Option<u8>| shift.map_or_else(|| "none".to_owned(), |shift| shift.to_string());
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let of = |name: &str, values: [String; 2]| FieldDifference { name: name.to_owned(), values };
    let all = [
        of("kernel", traces.map(|trace| trace.banner.trim_end().to_owned())),
        of("build-id", traces.map(|trace| hex(&trace.build_id))),
        of("KASLR slide", traces.map(|trace| format!("{:#x}", trace.slide))),
        of("vCPUs", traces.map(|trace| trace.vcpus.to_string())),
        of("icount shift", traces.map(|trace| shift(trace.icount_shift))),
    ];
    all.into_iter().filter(|fact| fact.values[0] != fact.values[1]).collect()
}

/// The events of the second trace, as its thread sends them.
struct OtherTrace {
    receiver: Receiver<Batch>,
    batch: Batch,
    next: usize,
}

impl OtherTrace {
    /// Where the next event is in the batch; none at the end of the trace.
    fn next(&mut self) -> Option<usize> {
        while self.next >= self.batch.events.len() {
            (self.batch, self.next) = (self.receiver.recv().ok()?, 0);
        }
        self.next += 1;
        Some(self.next - 1)
    }
}

/// Compares the events of the first trace with those of the second.
struct Comparer<'c> {
    types: EventTypes<'c>,
    other: OtherTrace,
    found: Divergence,
}

impl Comparer<'_> {
    /// The first trace has no further event, or a difference is found. Then the second is read no further.
    fn finish(&mut self) {
        if self.found.first.is_none()
            && let Some(next) = self.other.next()
        {
            let found = &self.other.batch.events[next];
            let place = EventPlace { number: found.number, clock: found.event.clock };
            self.found.first = Some(FirstDifference { at: [None, Some(place)], fields: Vec::new() });
        }
        self.other.receiver = sync_channel(0).1;
    }
}

impl Visitor for Comparer<'_> {
    fn skipped(&mut self, events: u64) {
        self.types.skipped(events);
    }

    fn define(&mut self, _: &Definition) {
        self.types.defining();
    }

    fn event(&mut self, definitions: &Definitions, event: &Event<'_>) -> Flow {
        let Some((number, of)) = self.types.next(definitions, event.kind) else { return Flow::Continue };
        let place = Some(EventPlace { number, clock: event.clock });
        let Some(next) = self.other.next() else {
            self.found.first = Some(FirstDifference { at: [place, None], fields: Vec::new() });
            return Flow::Stop;
        };
        let other = &self.other.batch.events[next];
        let words = self.other.batch.words(other);
        let place_of_other = EventPlace { number: other.number, clock: other.event.clock };
        let other_event = Event { kind: event.kind, words, ..other.event };
        if of == other.of && *event == other_event {
            self.found.equal += 1;
            return Flow::Continue;
        }
        let fields = differences([&of, &other.of], [event, &other_event]);
        self.found.first = Some(FirstDifference { at: [place, Some(place_of_other)], fields });
        Flow::Stop
    }
}

/// What differs between two events.
fn differences(of: [&EventType; 2], events: [&Event<'_>; 2]) -> Vec<FieldDifference> {
    let [a, b] = events;
    let hex = |values: [u64; 2]| values.map(|value| format!("{value:#x}"));
    let decimal = |values: [u64; 2]| values.map(|value| value.to_string());
    let mut fields = vec![
        ("type".to_owned(), [of[0].text(of[1]), of[1].text(of[0])]),
        ("clock".to_owned(), decimal([a.clock, b.clock])),
        ("vcpu".to_owned(), decimal([a.vcpu.into(), b.vcpu.into()])),
        ("preempt_count".to_owned(), hex([a.context.into(), b.context.into()])),
        ("task".to_owned(), hex([a.task, b.task])),
        ("stack".to_owned(), hex([a.stack, b.stack])),
    ];
    if of[0] == of[1] {
        let name = |at: usize| of[0].words.get(at).cloned().unwrap_or_else(|| format!("word {at}"));
        let value = |event: &Event<'_>, at: usize| {
            event.words.get(at).map_or_else(|| "-".to_owned(), |word| format!("{word:#x}"))
        };
        let count = a.words.len().max(b.words.len());
        fields.extend((0..count).map(|at| (name(at), [value(a, at), value(b, at)])));
    }
    let differ = fields.into_iter().filter(|(_, values)| values[0] != values[1]);
    differ.map(|(name, values)| FieldDifference { name, values }).collect()
}

#[cfg(test)]
mod tests;
