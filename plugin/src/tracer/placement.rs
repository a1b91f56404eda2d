//! Places the profile's functions at the addresses they have in the guest.
//!
//! In: the profile, where the kernel is, a module that was loaded. Out: sites in their places, and the
//! definitions that tell a reader of the trace what they are.

use crate::args::Capture;
use crate::guest::LoadedModule;
use crate::instrument::Places;
use crate::qemu::{ARGUMENTS, Cpu};
use crate::site::{Entry, Exit, Site};
use iotrace_profile::plan::{Plan, Source};
use iotrace_profile::{Action, Function, Place, Profile};
use iotrace_schemas::definition::{At, Definition, Kind, Module, Note, Probe, Severity, Symbol};
use iotrace_schemas::event::{BUILTINS, FIRST_PROBE, KindId};
use rustc_hash::FxHashSet;

/// What has been placed.
#[derive(Debug, Default)]
pub struct Placement {
    next: u16,
    slide: u64,
    modules: Vec<Module>,
    /// Functions by address, to name the addresses that events mention.
    symbols: Vec<(u64, String)>,
    named: FxHashSet<u64>,
}

impl Placement {
    /// Places what is in the kernel image, and defines everything that does not depend on modules.
    pub fn place_image(
        &mut self,
        profile: &Profile,
        capture: &Capture,
        slide: u64,
        places: &mut Places,
    ) -> Vec<Definition> {
        self.slide = slide;
        let moved = |(address, name): &(u64, String)| (address.wrapping_add(slide), name.clone());
        self.symbols = profile.symbols.iter().map(moved).collect();
        let thunks = self.symbols.iter().filter(|(_, name)| name.ends_with("_return_thunk"));
        places.set_return_thunks(thunks.map(|(address, _)| *address).collect());
        for code in profile.mmio.iter() {
            for (start, length) in &code.ranges {
                let start = start.wrapping_add(slide);
                places.add_device_code(start, start.saturating_add(*length), code.record);
            }
        }
        let mut definitions = common_definitions(profile);
        for function in &profile.functions {
            if let Place::Image(address) = function.place {
                let symbol = function.symbols.first().map_or("", String::as_str);
                let address = address.wrapping_add(slide);
                definitions.extend(self.place(
                    function,
                    symbol,
                    None,
                    address,
                    function.size,
                    capture,
                    places,
                ));
            }
        }
        definitions
    }

    /// Places what is in a module; returns its number too.
    pub fn place_module(
        &mut self,
        profile: &Profile,
        capture: &Capture,
        module: &LoadedModule,
        places: &mut Places,
    ) -> (u32, Vec<Definition>) {
        let start = module.functions.iter().map(|f| f.1).min().unwrap_or(0);
        let end = module.functions.iter().map(|f| f.1.saturating_add(f.2)).max().unwrap_or(0);
        for code in profile.mmio.iter().filter(|c| c.modules.contains(&module.name)) {
            places.add_device_code(start, end, code.record);
        }
        let mut definitions = Vec::new();
        for function in profile.functions.iter().filter(|f| may_be_in(f, &module.name)) {
            for symbol in &function.symbols {
                let found = module.functions.iter().find(|(name, ..)| name == symbol);
                if let Some((name, address, length)) = found {
                    let module = Some(module.name.as_str());
                    definitions
                        .extend(self.place(function, name, module, *address, *length, capture, places));
                    break;
                }
            }
        }
        self.symbols.extend(module.functions.iter().map(|(name, address, _)| (*address, name.clone())));
        self.symbols.sort();
        let id = self.modules.len() as u32;
        let entries = definitions.iter().filter(|d| matches!(d, Definition::Probe(p) if p.at == At::Entry));
        let probes = entries.count() as u32;
        let defined = Module { id, name: module.name.clone(), text: (start, end), probes };
        self.modules.push(defined.clone());
        definitions.insert(0, Definition::Module(defined));
        (id, definitions)
    }

    /// Forgets a module; none if it is not known.
    pub fn remove_module(&mut self, name: &str, places: &mut Places) -> Option<u32> {
        let module = self.modules.iter().rev().find(|m| m.name == name)?;
        let (start, end) = module.text;
        places.remove(start, end);
        self.symbols.retain(|(address, _)| !(start..end).contains(address));
        self.named.retain(|address| !(start..end).contains(address));
        Some(module.id)
    }

    /// Definitions of the function addresses that a plan is about to record and that have no name yet.
    pub fn new_symbols(&mut self, plan: &Plan, cpu: &Cpu) -> Vec<Definition> {
        let mut definitions = Vec::new();
        for word in plan.words.iter().filter(|w| w.symbol) {
            let Source::Through(position, access) = &word.source else { continue };
            let Some(register) = ARGUMENTS.get(usize::from(*position)) else { continue };
            let address = crate::guest::follow(access, cpu.register(*register), cpu).unwrap_or(0);
            if address != 0 && self.named.insert(address) {
                definitions.extend(self.symbol(address));
            }
        }
        definitions
    }

    fn symbol(&self, address: u64) -> Option<Definition> {
        let at = self.symbols.binary_search_by_key(&address, |(a, _)| *a).ok()?;
        let name = self.symbols[at].1.clone();
        Some(Definition::Symbol(Symbol { address, name }))
    }

    #[allow(clippy::too_many_arguments, reason = "what a probe is made of")]
    fn place(
        &mut self,
        function: &Function,
        symbol: &str,
        module: Option<&str>,
        address: u64,
        length: u64,
        capture: &Capture,
        places: &mut Places,
    ) -> Vec<Definition> {
        let recorded = capture.layer(&function.layer) && function.action != Action::Fault;
        let kind = if recorded { self.number() } else { None };
        if kind.is_none() && function.action == Action::Record {
            return Vec::new();
        }
        let entry = Entry { kind, plan: function.entry.clone(), action: function.action };
        places.add_entry(address, Site::Entry(entry).keep());
        let words = function.entry.words.iter().map(|w| w.name.clone()).collect();
        let probe = |id, at, words, success| {
            Definition::Probe(Probe {
                id,
                at,
                function: function.name.clone(),
                symbol: symbol.to_owned(),
                module: module.map(str::to_owned),
                address,
                layer: function.layer.clone(),
                stage: function.stage.clone(),
                file: function.file.clone(),
                line: function.line,
                words,
                success,
            })
        };
        let mut definitions: Vec<_> = kind.map(|id| probe(id, At::Entry, words, None)).into_iter().collect();
        if let Some((exit, kind)) =
            function.exit.as_ref().filter(|_| recorded).zip(self.exit_number(function))
        {
            let site = Exit { kind, value: exit.value.is_some() };
            places.add_exits(address, length, Site::Exit(site).keep());
            let words = exit.value.iter().cloned().collect();
            definitions.push(probe(kind, At::Exit, words, exit.success));
        }
        definitions
    }

    fn exit_number(&mut self, function: &Function) -> Option<KindId> {
        function.exit.as_ref().and_then(|_| self.number())
    }

    /// The next free kind; none when there are no more.
    fn number(&mut self) -> Option<KindId> {
        let number = FIRST_PROBE.checked_add(self.next)?;
        self.next = self.next.checked_add(1)?;
        Some(number)
    }
}

/// Whether a function of the profile is to be looked for in this module.
fn may_be_in(function: &Function, module: &str) -> bool {
    match &function.place {
        Place::Image(_) => false,
        Place::Module(name) => name == module,
        Place::Elsewhere => true,
    }
}

/// What a trace says of itself before its first event.
fn common_definitions(profile: &Profile) -> Vec<Definition> {
    let kind = |k: &iotrace_schemas::event::Builtin| {
        let words = k.words.iter().map(|w| (*w).to_owned()).collect();
        Definition::Kind(Kind { id: k.id, name: k.name.into(), words })
    };
    let missing = profile.missing.iter().map(|m| {
        let topic = if m.partial { "partial-function" } else { "missing-function" };
        Definition::Note(Note {
            severity: Severity::Info,
            topic: topic.into(),
            text: format!("{}: {}", m.function, m.reason),
        })
    });
    let mut definitions: Vec<_> = BUILTINS.iter().map(kind).collect();
    definitions.extend(profile.constants.iter().cloned().map(Definition::Constant));
    definitions.extend(profile.devices.iter().cloned().map(Definition::Device));
    definitions.extend(missing);
    definitions
}
