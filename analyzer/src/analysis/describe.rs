//! An event in words: its function, place in the source, task, and what its words mean.

use crate::context::Tasks;
use crate::hash::Map;
use crate::model::{Comm, Definitions, Level, OpCodes, OpField, Task, major_minor};
use crate::trackers::probes::{Probes, RoleValues};
use crate::trackers::{Devices, Trackers};
use iotrace_format::definition::Probe;
use iotrace_format::definition::{At, CallSite, Definition};
use iotrace_format::event::{self, BUILTINS, Event, FIRST_PROBE, KindId};
use iotrace_format::layer::Layer;
use iotrace_format::stage::Stage;
use rustc_hash::FxHashMap;
use std::borrow::Cow;

/// A word, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldText<'a> {
    /// Name.
    pub name: Cow<'a, str>,
    /// As recorded.
    pub value: u64,
    /// As views print it.
    pub text: Cow<'a, str>,
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
    /// Name of the kind: a built-in's, or a function's.
    pub name: Cow<'a, str>,
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
        let word =
            |word: FieldText<'_>| FieldText { name: own(word.name), value: word.value, text: own(word.text) };
        Described {
            name: own(self.name),
            stage: own(self.stage),
            source: self.source.map(|(file, line)| (own(file), line)),
            words: self.words.into_iter().map(word).collect(),
            ..self
        }
    }
}

/// What a word is printed as.
#[derive(Debug, Clone, Copy)]
enum Meaning {
    /// Major and minor number of a device.
    Device,
    /// Operation and flags of a bio or a request.
    Operation(OpField),
    /// Where a call is.
    Caller,
    /// Address of a function.
    Function,
    /// A number that may be negative, of 64 bits.
    Signed,
    /// The same of 32 bits.
    Tag,
    /// Bits.
    Bits,
    /// A number, or a pointer.
    Number,
}

impl Meaning {
    /// By a word's name, as the catalog gives them.
    fn of(name: &str) -> Self {
        let field = name.rsplit('.').next().unwrap_or(name);
        match field {
            "dev" => Self::Device,
            "op" => Self::Operation(OpField::of_word(name)),
            "caller" => Self::Caller,
            "end_io" | "handler" | "pc" | "from" | "to" => Self::Function,
            "bias" | "drift" | "ret" => Self::Signed,
            "tag" => Self::Tag,
            "flags" | "result" | "address" => Self::Bits,
            "value" if name == field => Self::Bits,
            _ => Self::Number,
        }
    }
}

/// Knows what is needed to describe events.
#[derive(Debug, Default)]
pub struct Describer {
    tasks: Tasks,
    probes: Probes,
    wording: Wording,
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
        BUILTINS.iter().for_each(|builtin| new.define_words(builtin.id, builtin.words));
        new
    }
}

impl Describer {
    /// Takes in a definition.
    pub fn define(&mut self, definition: &Definition) {
        if let Definition::Probe(probe) = definition {
            self.probes.define(probe);
        }
        self.wording.define(definition);
    }

    /// Goes on where trackers have come to.
    pub(crate) fn resume(&mut self, trackers: &Trackers) {
        self.tasks = trackers.tasks().clone();
        self.wording.devices.resume(trackers.device_places());
    }

    /// Must see every event, in order.
    pub fn follow(&mut self, event: &Event<'_>) {
        if event.kind < FIRST_PROBE {
            self.tasks.event(event);
        } else if let Some(words) = self.enabled(event) {
            self.wording.devices.enabled(&words);
        }
    }

    /// Whether the wording of the events before this one is another once it was followed.
    #[must_use]
    pub fn rewords(&self, event: &Event<'_>) -> bool {
        event.kind >= FIRST_PROBE && self.enabled(event).is_some()
    }

    /// The words of an event that tells where a device's registers are.
    fn enabled<'a>(&self, event: &Event<'a>) -> Option<RoleValues<'a>> {
        self.probes.words(event).filter(|words| words.stage() == Some(&Stage::PciEnable))
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
        self.wording.describe(definitions, event, self.tasks.get(event.task))
    }
}

impl Wording {
    fn define(&mut self, definition: &Definition) {
        match definition {
            Definition::Kind(kind) => self.define_words(kind.id, &kind.words),
            Definition::Probe(probe) => self.define_words(probe.id, &probe.words),
            Definition::Site(call) => _ = self.sites.insert(call.address, site(call)),
            Definition::Device(device) => self.devices.define(device),
            Definition::Constant(constant) => self.codes.define(&constant.name, constant.value),
            _ => {}
        }
    }

    fn define_words(&mut self, kind: KindId, names: &[impl AsRef<str>]) {
        let word = |name: &str| (name.to_owned(), Meaning::of(name));
        self.words.insert(kind, names.iter().map(|name| word(name.as_ref())).collect());
    }

    /// An event of a task in words.
    #[must_use]
    pub fn describe<'a>(
        &'a self,
        definitions: &'a Definitions,
        event: &Event<'_>,
        task: Task,
    ) -> Described<'a> {
        let probe = definitions.probes.get(&event.kind);
        let source = probe.filter(|p| !p.file.is_empty()).map(|p| (p.file.as_str().into(), p.line));
        Described {
            number: 0,
            clock: event.clock,
            vcpu: event.vcpu,
            level: Level::of(event.context),
            task,
            name: probe
                .map_or_else(|| definitions.kind_name(event.kind).into(), |p| p.function.as_str().into()),
            at: probe.map(|p| p.at),
            stage: probe.map_or(Cow::Borrowed(""), Probe::stage_name),
            layer: probe.map(|p| p.layer),
            source,
            words: self.words(definitions, event),
        }
    }

    fn words<'a>(&'a self, definitions: &'a Definitions, event: &Event<'_>) -> Vec<FieldText<'a>> {
        let known = self.words.get(&event.kind).map_or(&[][..], Vec::as_slice);
        let mut words: Vec<_> = (event.words.iter().enumerate())
            .map(|(at, value)| {
                let (name, meaning) = known.get(at).map_or_else(
                    || (Cow::Owned(format!("word{at}")), Meaning::Number),
                    |(name, meaning)| (name.as_str().into(), *meaning),
                );
                FieldText { name, value: *value, text: self.text(definitions, meaning, *value) }
            })
            .collect();
        self.add_register(event, &mut words);
        if let (true, [_, _, _, comm0, comm1]) = (event.kind == event::TASK.id, event.words) {
            words.truncate(3);
            let text = Comm::from_words(*comm0, *comm1).to_string().into();
            words.push(FieldText { name: "comm".into(), value: *comm0, text });
        }
        words
    }

    fn add_register(&self, event: &Event<'_>, words: &mut Vec<FieldText<'_>>) {
        let mmio = [event::MMIO_READ.id, event::MMIO_WRITE.id].contains(&event.kind);
        let found = words.first().filter(|_| mmio).and_then(|address| self.devices.find(address.value));
        if let Some((device, bar, offset, register)) = found {
            let at = format!("{device}:bar{bar}+{offset:#x}");
            let text = register.map_or(at, |r| format!("{device}:{}", r.name)).into();
            words.insert(0, FieldText { name: "register".into(), value: offset, text });
        }
    }

    fn text<'a>(&'a self, definitions: &'a Definitions, meaning: Meaning, value: u64) -> Cow<'a, str> {
        let known = match meaning {
            Meaning::Caller => self.sites.get(&value),
            Meaning::Function => definitions.symbols.get(&value),
            _ => None,
        };
        if let Some(text) = known {
            return text.as_str().into();
        }
        let text = match meaning {
            Meaning::Device => {
                let (major, minor) = major_minor(value);
                format!("{major}:{minor}")
            }
            Meaning::Operation(field) => self.codes.decode(value, field).rwbs(),
            Meaning::Signed => (value as i64).to_string(),
            Meaning::Tag => (value as u32 as i32).to_string(),
            // Pointers are of the kernel's half of the address space.
            Meaning::Number if value >> 47 == 0 => value.to_string(),
            Meaning::Number | Meaning::Bits | Meaning::Caller | Meaning::Function => format!("{value:#x}"),
        };
        text.into()
    }
}

/// Where a call is: file and line, or function and offset.
fn site(site: &CallSite) -> String {
    let Some(frame) = site.frames.first() else { return format!("{:#x}", site.address) };
    match frame.line {
        0 => format!("{}+{:#x}", frame.function, site.offset),
        line => format!("{}:{line}", frame.file),
    }
}
