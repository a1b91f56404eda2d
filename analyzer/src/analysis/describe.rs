//! An event in words: its function, place in the source, task, and what its words mean.
//!
//! All views that print what was recorded print it as it is decoded here.

mod answer;
mod flags;
mod meaning;

pub use answer::part_name;
pub use flags::{block_status, error_cause};
pub use meaning::{FieldForm, returned};

use crate::context::Tasks;
use crate::hash::Map;
use crate::model::{Comm, Definitions, Level, OpCodes, Task, name_of_words};
use crate::trackers::probes::{Probes, RoleValues};
use crate::trackers::{Devices, Trackers};
use iotrace_format::definition::{At, CallSite, Definition, Probe, ReturnType};
use iotrace_format::event::{self, BUILTINS, Event, FIRST_PROBE, KindId};
use iotrace_format::layer::Layer;
use iotrace_format::role::Role;
use iotrace_format::stage::Stage;
use meaning::Meaning;
use rustc_hash::FxHashMap;
use std::borrow::Cow;

/// A word, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldText<'a> {
    /// Name.
    pub name: Cow<'a, str>,
    /// As recorded; of a name, its first 8 bytes.
    pub value: u64,
    /// As views print it.
    pub text: Cow<'a, str>,
    /// What it is printed as.
    pub form: FieldForm,
}

/// An event in words, those of the trace's definitions where they are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described<'a> {
    /// Number, from 1 over the whole trace; 0 if nobody counted.
    pub number: u64,
    /// When, in instructions.
    pub clock: u64,
    /// vCPU.
    pub vcpu: u16,
    /// What the CPU was in.
    pub level: Level,
    /// The current task.
    pub task: Task,
    /// Name of the kind: a built-in's, or a function's in the catalog.
    pub name: Cow<'a, str>,
    /// What views call it.
    pub title: Cow<'a, str>,
    /// Entry or exit, of a probe.
    pub at: Option<At>,
    /// Stage in the catalog, or label.
    pub stage: Cow<'a, str>,
    /// Layer of the I/O path.
    pub layer: Option<Layer>,
    /// Source file and line, if known.
    pub source: Option<(Cow<'a, str>, u32)>,
    /// Words.
    pub words: Vec<FieldText<'a>>,
}

impl Described<'_> {
    /// With words of its own, to be kept.
    #[must_use]
    pub fn into_owned(self) -> Described<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        let word = |word: FieldText<'_>| FieldText { name: own(word.name), text: own(word.text), ..word };
        Described {
            name: own(self.name),
            title: own(self.title),
            stage: own(self.stage),
            source: self.source.map(|(file, line)| (own(file), line)),
            words: self.words.into_iter().map(word).collect(),
            ..self
        }
    }
}

/// Knows what is needed to describe events.
#[derive(Debug, Default)]
pub struct Describer {
    tasks: Tasks,
    followed: FollowedProbes,
    wording: Wording,
}

/// Probes whose events tell of devices or of new tasks.
#[derive(Debug, Default)]
struct FollowedProbes {
    probes: Probes,
    /// By the numbers of probes: whether they are among them.
    are_followed: Vec<bool>,
}

impl FollowedProbes {
    fn define(&mut self, probe: &Probe) {
        let Some(at) = probe.id.checked_sub(FIRST_PROBE).map(usize::from) else { return };
        self.probes.define(probe);
        self.are_followed.resize(self.are_followed.len().max(at + 1), false);
        self.are_followed[at] = matches!(probe.stage, Some(Stage::PciEnable | Stage::TaskNew));
    }

    /// The words of an event of one of them.
    #[inline]
    fn words<'a>(&'a self, event: &Event<'a>) -> Option<RoleValues<'a>> {
        let at = usize::from(event.kind.checked_sub(FIRST_PROBE)?);
        if self.are_followed.get(at).copied()? { self.probes.words(event) } else { None }
    }
}

/// Knows what an event is in words, but for its task. Threads may share it.
#[derive(Debug)]
pub struct Wording {
    devices: Devices,
    codes: OpCodes,
    /// The words of each kind.
    words: FxHashMap<KindId, Vec<(String, Meaning)>>,
    /// Where calls are, in words, by the address behind them.
    sites: Map<u64, String>,
}

impl Default for Wording {
    fn default() -> Self {
        let (devices, codes) = (Devices::default(), OpCodes::default());
        let mut new = Self { devices, codes, words: FxHashMap::default(), sites: Map::default() };
        BUILTINS.iter().for_each(|builtin| new.define_words(builtin.id, builtin.words, None));
        new
    }
}

impl Describer {
    /// Takes in a definition.
    pub fn define(&mut self, definition: &Definition) {
        if let Definition::Probe(probe) = definition {
            self.followed.define(probe);
        }
        self.wording.define(definition);
    }

    /// Goes on where trackers have come to.
    pub(crate) fn resume(&mut self, trackers: &Trackers) {
        self.tasks = trackers.tasks().clone();
        self.wording.devices.resume(trackers.device_places());
    }

    /// Must see every event, in order.
    #[inline]
    pub fn follow(&mut self, event: &Event<'_>) {
        if event.kind < FIRST_PROBE {
            return self.tasks.event(event);
        }
        let Some(words) = self.followed.words(event) else { return };
        match words.stage() {
            Some(Stage::PciEnable) => self.wording.devices.enabled(&words),
            // What was at its address before is another task.
            Some(Stage::TaskNew) => {
                words.get(Role::Task).into_iter().for_each(|task| self.tasks.forget(task))
            }
            _ => {}
        }
    }

    /// Whether the wording of the events before this one is another once it was followed.
    #[must_use]
    pub fn rewords(&self, event: &Event<'_>) -> bool {
        self.followed.words(event).is_some_and(|words| words.stage() == Some(&Stage::PciEnable))
    }

    /// The address of the task of which an event that was followed tells something: its name, or that it is new.
    #[inline]
    pub(crate) fn told_task(&self, event: &Event<'_>) -> Option<u64> {
        if event.kind < FIRST_PROBE {
            return event.words.first().copied().filter(|_| event.kind == event::TASK.id);
        }
        let words = self.followed.words(event)?;
        words.get(Role::Task).filter(|_| words.stage() == Some(&Stage::TaskNew))
    }

    /// The task at an address.
    #[must_use]
    pub fn task(&self, address: u64) -> Task {
        self.tasks.get(address)
    }

    /// The values that operations have in this kernel.
    #[must_use]
    pub fn codes(&self) -> &OpCodes {
        &self.wording.codes
    }

    /// What events are in words now.
    #[must_use]
    pub fn wording(&self) -> &Wording {
        &self.wording
    }

    /// An event in words.
    #[must_use]
    pub fn describe<'a>(&'a self, definitions: &'a Definitions, event: &Event<'_>) -> Described<'a> {
        let named = Vec::from_iter(self.named_tasks(event));
        self.wording.describe(definitions, event, self.tasks.get(event.task), &named)
    }

    /// The tasks that an event's words are addresses of, in the order of the words.
    pub fn named_tasks(&self, event: &Event<'_>) -> impl Iterator<Item = Task> {
        let known = self.wording.words.get(&event.kind).map_or(&[][..], Vec::as_slice);
        let words = known.iter().zip(event.words).filter(|((_, meaning), _)| *meaning == Meaning::Task);
        words.map(|(_, address)| self.tasks.get(*address))
    }
}

impl Wording {
    fn define(&mut self, definition: &Definition) {
        match definition {
            Definition::Kind(kind) => self.define_words(kind.id, &kind.words, None),
            Definition::Probe(probe) => self.define_words(probe.id, &probe.words, Some(probe)),
            Definition::Site(call) => _ = self.sites.insert(call.address, site(call)),
            Definition::Device(device) => self.devices.define(device),
            Definition::Constant(constant) => self.codes.define(&constant.name, constant.value),
            _ => {}
        }
    }

    fn define_words(&mut self, kind: KindId, names: &[impl AsRef<str>], probe: Option<&Probe>) {
        let words = names.iter().map(AsRef::as_ref).enumerate();
        let words = words.map(|(at, name): (_, &str)| (name.to_owned(), Meaning::of(name, at, probe)));
        self.words.insert(kind, words.collect());
    }

    /// An event of a task in words; `named` are the tasks that its words are addresses of.
    #[must_use]
    pub fn describe<'a>(
        &'a self,
        definitions: &'a Definitions,
        event: &Event<'_>,
        task: Task,
        named: &[Task],
    ) -> Described<'a> {
        let probe = definitions.probes.get(&event.kind);
        let source = probe.filter(|p| !p.file.is_empty()).map(|p| (p.file.as_str().into(), p.line));
        let mut words = self.words(definitions, event, named);
        words.extend(probe.and_then(answer::callers));
        Described {
            number: 0,
            clock: event.clock,
            vcpu: event.vcpu,
            level: Level::of(event.context),
            task,
            name: probe
                .map_or_else(|| definitions.kind_name(event.kind).into(), |p| p.function.as_str().into()),
            title: probe.map_or_else(|| definitions.kind_name(event.kind).into(), Probe::title),
            at: probe.map(|p| p.at),
            stage: probe.map_or(Cow::Borrowed(""), Probe::stage_name),
            layer: probe.map(|p| p.layer),
            source,
            words,
        }
    }

    fn words<'a>(
        &'a self,
        definitions: &'a Definitions,
        event: &Event<'_>,
        named: &[Task],
    ) -> Vec<FieldText<'a>> {
        let known = self.words.get(&event.kind).map_or(&[][..], Vec::as_slice);
        let (mut words, mut named) = (Vec::with_capacity(event.words.len()), named.iter());
        let mut rest = event.words.iter().copied().enumerate();
        while let Some((at, value)) = rest.next() {
            let Some((name, meaning)) = known.get(at) else {
                let text = Meaning::Number.text(value).into();
                let (name, form) = (Cow::Owned(format!("word{at}")), Meaning::Number.form(value));
                words.push(FieldText { name, value, text, form });
                continue;
            };
            let task = if *meaning == Meaning::Task { named.next() } else { None };
            match meaning {
                Meaning::Returned(ReturnType::Void) => {}
                Meaning::Name => {
                    let more = known[at + 1..].iter().take_while(|(_, meaning)| *meaning == Meaning::Name);
                    let parts = rest.by_ref().take(more.count()).map(|(_, part)| part);
                    words.push(name_field(name, &Vec::from_iter(std::iter::once(value).chain(parts))));
                }
                Meaning::AnsweredText => {
                    let parts = rest.by_ref().take(answer::more_parts(&known[at..])).map(|(_, part)| part);
                    words.push(answer::field(name, &Vec::from_iter(std::iter::once(value).chain(parts))));
                }
                _ => {
                    let (text, form) = self.text(definitions, *meaning, value, task);
                    words.push(FieldText { name: name.as_str().into(), value, text, form });
                }
            }
        }
        self.add_register(event, &mut words);
        if let (true, [_, _, _, comm0, comm1]) = (event.kind == event::TASK.id, event.words) {
            words.truncate(3);
            let text = Comm::from_words(*comm0, *comm1).to_string().into();
            words.push(FieldText { name: "comm".into(), value: *comm0, text, form: FieldForm::Decoded });
        }
        words
    }

    fn add_register(&self, event: &Event<'_>, words: &mut Vec<FieldText<'_>>) {
        let mmio = [event::MMIO_READ.id, event::MMIO_WRITE.id].contains(&event.kind);
        let found = words.first().filter(|_| mmio).and_then(|address| self.devices.find(address.value));
        if let Some((device, bar, offset, register)) = found {
            let at = format!("{device}:bar{bar}+{offset:#x}");
            let text = register.map_or(at, |r| format!("{device}:{}", r.name)).into();
            let form = FieldForm::Decoded;
            words.insert(0, FieldText { name: "register".into(), value: offset, text, form });
        }
    }

    fn text<'a>(
        &'a self,
        definitions: &'a Definitions,
        meaning: Meaning,
        value: u64,
        task: Option<&Task>,
    ) -> (Cow<'a, str>, FieldForm) {
        let named =
            |task: &&Task| task.address != 0 && *task != &Task { address: task.address, ..Task::default() };
        let known = match meaning {
            Meaning::Caller => self.sites.get(&value).map(|site| site.as_str().into()),
            Meaning::Function => definitions.symbols.get(&value).map(|name| name.as_str().into()),
            Meaning::Task => task.filter(named).map(|task| format!("{}/{}", task.comm, task.pid).into()),
            Meaning::Softirq => Some(definitions.softirq(value).into()),
            Meaning::Operation(field) => Some(self.codes.decode(value, field).rwbs().into()),
            _ => None,
        };
        match known {
            Some(text) => (text, FieldForm::Decoded),
            None => (meaning.text(value).into(), meaning.form(value)),
        }
    }
}

/// A name in the place of the words that have it: `file.name` of `file.name0` to `file.name3`.
fn name_field<'a>(first: &str, parts: &[u64]) -> FieldText<'a> {
    let name = first.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned().into();
    let (value, text) = (parts.first().copied().unwrap_or(0), name_of_words(parts.iter().copied()));
    let form = if text.is_empty() { FieldForm::Raw } else { FieldForm::Decoded };
    FieldText { name, value, text: text.into(), form }
}

/// Where a call is: file and line, or function and offset.
fn site(site: &CallSite) -> String {
    let Some(frame) = site.frames.first() else { return format!("{:#x}", site.address) };
    match frame.line {
        0 => format!("{}+{:#x}", frame.function, site.offset),
        line => format!("{}:{line}", frame.file),
    }
}

#[cfg(test)]
mod tests;
