//! An event in words: its function, place in the source, task, and what its words mean.

use crate::context::Tasks;
use crate::model::{Comm, Definitions, Level, OpCodes, Task, major_minor};
use crate::stitch::Signal;
use crate::stitch::devices::Devices;
use crate::stitch::probes::Probes;
use iotrace_schemas::definition::{At, Definition, Site};
use iotrace_schemas::event::{self, Event, FIRST_PROBE};
use std::borrow::Cow;

/// A word, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word<'a> {
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
    /// Stage in the catalog.
    pub stage: Cow<'a, str>,
    /// Layer of the I/O path.
    pub layer: Cow<'a, str>,
    /// Source file and line, if known.
    pub source: Option<(Cow<'a, str>, u32)>,
    /// Words.
    pub words: Vec<Word<'a>>,
}

impl Described<'_> {
    /// With words of its own, to be kept.
    #[must_use]
    pub fn into_owned(self) -> Described<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        let word = |word: Word<'_>| Word { name: own(word.name), value: word.value, text: own(word.text) };
        Described {
            name: own(self.name),
            stage: own(self.stage),
            layer: own(self.layer),
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
    probes: Probes,
    devices: Devices,
    codes: OpCodes,
}

impl Describer {
    /// Takes in a definition.
    pub fn define(&mut self, definition: &Definition) {
        match definition {
            Definition::Probe(probe) => self.probes.define(probe),
            Definition::Device(device) => self.devices.define(device),
            Definition::Constant(constant) => self.codes.define(&constant.name, constant.value),
            _ => {}
        }
    }

    /// Must see every event, in order.
    pub fn follow(&mut self, event: &Event<'_>) {
        if event.kind < FIRST_PROBE {
            self.tasks.event(event);
        } else if let Some(words) = self.probes.words(event).filter(|w| w.signal() == Signal::PciEnable) {
            self.devices.enabled(&words);
        }
    }

    /// The task at an address.
    #[must_use]
    pub fn task(&self, address: u64) -> Task {
        self.tasks.get(address)
    }

    /// The values that operations have in this kernel.
    #[must_use]
    pub fn codes(&self) -> &OpCodes {
        &self.codes
    }

    /// An event in words.
    #[must_use]
    pub fn describe<'a>(&'a self, definitions: &'a Definitions, event: &Event<'_>) -> Described<'a> {
        let probe = definitions.probes.get(&event.kind);
        let source = probe.filter(|p| !p.file.is_empty()).map(|p| (p.file.as_str().into(), p.line));
        Described {
            number: 0,
            clock: event.clock,
            vcpu: event.vcpu,
            level: Level::of(event.context),
            task: self.tasks.get(event.task),
            name: definitions.function_name(event.kind),
            at: probe.map(|p| p.at),
            stage: probe.map_or("", |p| &p.stage).into(),
            layer: probe.map_or("", |p| &p.layer).into(),
            source,
            words: self.words(definitions, event),
        }
    }

    fn words<'a>(&'a self, definitions: &'a Definitions, event: &Event<'_>) -> Vec<Word<'a>> {
        let names = definitions.word_names(event.kind);
        let mut words: Vec<_> = (event.words.iter().enumerate())
            .map(|(at, value)| {
                let name =
                    names.get(at).map_or_else(|| Cow::Owned(format!("word{at}")), |name| (*name).into());
                let text = self.text(definitions, &name, *value);
                Word { name, value: *value, text }
            })
            .collect();
        self.add_register(event, &mut words);
        if let (true, [_, _, _, comm0, comm1]) = (event.kind == event::TASK.id, event.words) {
            words.truncate(3);
            let text = Comm::from_words(*comm0, *comm1).to_string().into();
            words.push(Word { name: "comm".into(), value: *comm0, text });
        }
        words
    }

    fn add_register(&self, event: &Event<'_>, words: &mut Vec<Word<'_>>) {
        let mmio = [event::MMIO_READ.id, event::MMIO_WRITE.id].contains(&event.kind);
        let found = words.first().filter(|_| mmio).and_then(|address| self.devices.find(address.value));
        if let Some((device, bar, offset, register)) = found {
            let at = format!("{device}:bar{bar}+{offset:#x}");
            let text = register.map_or(at, |r| format!("{device}:{}", r.name)).into();
            words.insert(0, Word { name: "register".into(), value: offset, text });
        }
    }

    fn text<'a>(&self, definitions: &'a Definitions, name: &str, value: u64) -> Cow<'a, str> {
        let field = name.rsplit('.').next().unwrap_or(name);
        let text = match field {
            "dev" => {
                let (major, minor) = major_minor(value);
                format!("{major}:{minor}")
            }
            "op" => self.codes.decode(value).rwbs(),
            "caller" => definitions.sites.get(&value).map_or_else(|| format!("{value:#x}"), site),
            "end_io" | "handler" | "pc" | "from" | "to" => match definitions.symbols.get(&value) {
                Some(symbol) => return symbol.as_str().into(),
                None => format!("{value:#x}"),
            },
            "bias" | "drift" | "ret" | "tag" if field != "tag" => (value as i64).to_string(),
            "tag" => (value as u32 as i32).to_string(),
            "flags" | "result" | "address" => format!("{value:#x}"),
            "value" if name == field => format!("{value:#x}"),
            // Pointers, of the kernel's half of the address space.
            _ if value >> 47 != 0 => format!("{value:#x}"),
            _ => value.to_string(),
        };
        text.into()
    }
}

/// Where a call is: file and line, or function and offset.
fn site(site: &Site) -> String {
    let Some(frame) = site.frames.first() else { return format!("{:#x}", site.address) };
    match frame.line {
        0 => format!("{}+{:#x}", frame.function, site.offset),
        line => format!("{}:{line}", frame.file),
    }
}
