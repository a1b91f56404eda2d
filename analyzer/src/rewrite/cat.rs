//! Several parts of one recording, one behind the other.

use super::{Output, RewriteError};
use crate::analysis::Progress;
use crate::hash::Map;
use crate::model::Definitions;
use crate::reader::{Flow, Visitor, read};
use crate::session::Session;
use iotrace_format::definition::Definition;
use iotrace_format::event::{Event, KindId, is_landmark};
use rustc_hash::FxHashSet;
use std::path::{Path, PathBuf};

/// Writes traces one behind the other; returns how many events are in the new one.
///
/// They must be of one recording (kernel, its place in memory, guest) and define the same kinds of events; each
/// begins where the one before ends, or later. Landmarks from before that, which stand at the beginning of a part,
/// are in the parts before and are left out. Of definitions that two traces have one is kept.
///
/// Events keep their numbers, and objects theirs, if those of each part go on behind those of the part before; the events
/// of a part that does not are numbered on from there, and its objects counted on.
///
/// # Errors
/// [`RewriteError`]; [`RewriteError::Apart`] if they do not belong together.
pub fn cat(traces: &[(PathBuf, Session)], to: &Path, progress: Progress<'_>) -> Result<u64, RewriteError> {
    let mut joiner = Joiner::new(Output::create(to)?);
    let mut before: Option<&PathBuf> = None;
    for (path, trace) in traces {
        joiner.begin();
        read(trace, &mut joiner, progress)?;
        if let (Some(reason), Some(before)) = (joiner.apart.take(), before) {
            return Err(RewriteError::Apart { path: path.clone(), before: before.clone(), reason });
        }
        before = Some(path);
    }
    joiner.output.finish()
}

struct Joiner {
    output: Output,
    /// Definitions so far, by what they define.
    known: Map<Name, Definition>,
    /// Last clock of the traces before this one; none for the first.
    begins: Option<u64>,
    last: Option<u64>,
    /// Number of the event at hand in this trace.
    number: u64,
    /// Number of the last event that was written.
    written: u64,
    /// Events of this trace before this number are there because they have to be known.
    context: u64,
    /// What is added to this trace's numbers; not known before its first event.
    shift: Option<u64>,
    /// What this trace states of numbers and hand-offs, until that is known.
    stated: Vec<Definition>,
    /// Why this trace does not follow the one before.
    apart: Option<String>,
    landmarks: FxHashSet<KindId>,
}

/// What a definition is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Name {
    Trace,
    Kind(KindId),
    Module(u32),
    Symbol(u64),
    Site(u64),
    Device(String),
    Note(String, String),
    Constant(String),
    OfPart,
}

impl Name {
    fn of(definition: &Definition) -> Self {
        match definition {
            Definition::Trace(_) => Self::Trace,
            Definition::Kind(kind) => Self::Kind(kind.id),
            Definition::Probe(probe) => Self::Kind(probe.id),
            Definition::Module(module) => Self::Module(module.id),
            Definition::Symbol(symbol) => Self::Symbol(symbol.address),
            Definition::Site(site) => Self::Site(site.address),
            Definition::Device(device) => Self::Device(device.name.clone()),
            Definition::Note(note) => Self::Note(note.topic.clone(), note.text.clone()),
            Definition::Constant(constant) => Self::Constant(constant.name.clone()),
            Definition::Numbers(_) | Definition::HandOff(_) | Definition::Begin(_) => Self::OfPart,
        }
    }

    /// Two traces of one recording define it alike.
    fn is_fixed(&self) -> bool {
        !matches!(self, Self::Symbol(_) | Self::Site(_) | Self::Note(..))
    }
}

impl Joiner {
    fn new(output: Output) -> Self {
        let (known, landmarks) = (Map::default(), FxHashSet::default());
        let (begins, last, apart, shift, stated) = (None, None, None, None, Vec::new());
        Self {
            output,
            known,
            begins,
            last,
            number: 0,
            context: 0,
            written: 0,
            shift,
            stated,
            apart,
            landmarks,
        }
    }

    /// Another trace follows.
    fn begin(&mut self) {
        self.begins = self.last;
        (self.number, self.context) = (0, 0);
        self.shift = None;
        self.stated.clear();
    }

    /// Whether the parts before have the event at hand.
    fn is_context(&self) -> bool {
        self.number < self.context && self.number <= self.written
    }

    /// What the trace states holds only for the numbers that it has.
    fn state(&mut self, definition: &Definition) {
        match self.shift {
            None => self.stated.push(definition.clone()),
            Some(0) => self.output.define(definition),
            Some(_) => {}
        }
    }

    /// Writes the event at hand.
    fn write(&mut self, event: &Event<'_>) {
        let (number, written) = (self.number, self.written);
        let shift = *self.shift.get_or_insert(if number > written { 0 } else { written + 1 - number });
        for stated in std::mem::take(&mut self.stated).iter().filter(|_| shift == 0) {
            self.output.define(&behind(stated, written));
        }
        self.written = number.saturating_add(shift);
        self.output.event(self.written, event);
    }

    fn is_landmark(&self, kind: KindId) -> bool {
        is_landmark(kind) || self.landmarks.contains(&kind)
    }
}

/// How two definitions of one thing differ, in few words.
fn difference(name: &Name, before: &Definition, now: &Definition) -> String {
    match (before, now) {
        (Definition::Trace(a), Definition::Trace(b)) if a.banner != b.banner || a.build_id != b.build_id => {
            "different kernels".into()
        }
        (Definition::Trace(a), Definition::Trace(b)) if a.slide != b.slide => {
            format!("different KASLR slides ({:#x} and {:#x})", a.slide, b.slide)
        }
        (Definition::Trace(_), Definition::Trace(_)) => "different runs or tracers".into(),
        _ => format!("different definitions of {name:?}"),
    }
}

/// What is stated of events behind this one. Who has the parts before knows more of hand-offs.
fn behind(stated: &Definition, event: u64) -> Definition {
    match stated {
        Definition::Numbers(numbers) => {
            Definition::Numbers(numbers.iter().filter(|number| number.event > event).copied().collect())
        }
        other => other.clone(),
    }
}

impl Visitor for Joiner {
    fn skipped(&mut self, events: u64) {
        self.number = self.number.saturating_add(events);
    }

    fn define(&mut self, definition: &Definition) {
        match definition {
            Definition::Begin(begin) => {
                self.context = begin.event;
                return self.state(definition);
            }
            Definition::Numbers(_) | Definition::HandOff(_) => return self.state(definition),
            _ => {}
        }
        let name = Name::of(definition);
        match self.known.get(&name) {
            Some(known) if known == definition => return,
            Some(known) if name.is_fixed() && self.begins.is_some() => {
                self.apart.get_or_insert_with(|| difference(&name, known, definition));
                return;
            }
            _ => {}
        }
        if let Definition::Probe(probe) = definition {
            self.landmarks.extend(probe.is_landmark().then_some(probe.id));
        }
        self.output.define(definition);
        self.known.insert(name, definition.clone());
    }

    fn event(&mut self, _: &Definitions, event: &Event<'_>) -> Flow {
        self.number = self.number.saturating_add(1);
        match self.begins.filter(|begins| event.clock <= *begins) {
            // It was told by a part before.
            Some(_) if self.is_landmark(event.kind) || self.is_context() => return Flow::Continue,
            Some(begins) if event.clock < begins => {
                let reason = format!("its events begin at clock {}, before the end at {begins}", event.clock);
                self.apart.get_or_insert(reason);
            }
            _ => {}
        }
        if self.apart.is_some() || self.output.failed.is_some() {
            return Flow::Stop;
        }
        self.write(event);
        self.last = self.last.max(Some(event.clock));
        Flow::Continue
    }
}
