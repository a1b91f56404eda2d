//! Several parts of one recording, one behind the other.

use super::{Output, RewriteError};
use crate::analysis::Progress;
use crate::hash::Map;
use crate::model::Definitions;
use crate::reader::{Flow, Trace, Visitor, read};
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
/// # Errors
/// [`RewriteError`]; [`RewriteError::Apart`] if they do not belong together.
pub fn cat(traces: &[(PathBuf, Trace)], to: &Path, progress: Progress<'_>) -> Result<u64, RewriteError> {
    let mut joiner = Joiner::new(Output::create(to)?);
    let mut before: Option<&PathBuf> = None;
    for (path, trace) in traces {
        joiner.begins = joiner.last;
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
    /// Why this trace does not go behind the one before.
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
        Self { output, known, begins: None, last: None, apart: None, landmarks }
    }

    fn is_landmark(&self, kind: KindId) -> bool {
        is_landmark(kind) || self.landmarks.contains(&kind)
    }
}

/// How two definitions of one thing differ, in few words.
fn difference(name: &Name, before: &Definition, now: &Definition) -> String {
    match (before, now) {
        (Definition::Trace(a), Definition::Trace(b)) if a.banner != b.banner || a.build_id != b.build_id => {
            "they are of different kernels".into()
        }
        (Definition::Trace(a), Definition::Trace(b)) if a.slide != b.slide => {
            format!("the kernel lies elsewhere (KASLR slide {:#x}, then {:#x})", a.slide, b.slide)
        }
        (Definition::Trace(_), Definition::Trace(_)) => "they are of different runs or tracers".into(),
        _ => format!("they define {name:?} differently"),
    }
}

impl Visitor for Joiner {
    fn define(&mut self, definition: &Definition) {
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
        match self.begins.filter(|begins| event.clock <= *begins) {
            // It was told by a part before.
            Some(_) if self.is_landmark(event.kind) => return Flow::Continue,
            Some(begins) if event.clock < begins => {
                let reason =
                    format!("it has events at clock {}, before {begins}, where that ends", event.clock);
                self.apart.get_or_insert(reason);
            }
            _ => {}
        }
        if self.apart.is_some() || self.output.failed.is_some() {
            return Flow::Stop;
        }
        self.output.event(event);
        self.last = self.last.max(Some(event.clock));
        Flow::Continue
    }
}
