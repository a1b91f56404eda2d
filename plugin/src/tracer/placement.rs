//! Places the profile's functions at the addresses they have in the guest.
//!
//! In: the profile, where the kernel is, a module that was loaded. Out: sites in their places, and the
//! definitions that tell a reader of the trace what they are.
//!

use super::others::{self, hot};
use super::preface;
use crate::args::{Capture, Mmio, Mode};
use crate::guest::LoadedModule;
use crate::instrument::Places;
use crate::qemu::Cpu;
use crate::site::{self, Entry, Exit, Site};
use iotrace_profile::plan::Source;
use iotrace_profile::{Action, CodeSymbol, Function, Place, Profile};
use iotrace_schemas::catalog::OTHER;
use iotrace_schemas::definition::{
    At, Definition, Module, Note, Probe, Severity, Site as CallSite, SiteFrame, Success, Symbol,
};
use iotrace_schemas::event::{FIRST_PROBE, KindId};
use rustc_hash::{FxHashMap, FxHashSet};
use std::ops::Range;
use std::sync::OnceLock;

/// What has been placed.
#[derive(Debug, Default)]
pub struct Placement {
    next: u16,
    /// There were more probes than numbers.
    exhausted: bool,
    told_exhausted: bool,
    modules: Vec<Module>,
    /// Functions that have a probe, by address.
    placed: FxHashSet<u64>,
    /// Functions by address, to name the addresses that events mention.
    symbols: Vec<(u64, String)>,
    named: FxHashSet<u64>,
    told: FxHashSet<u64>,
    slide: u64,
}

impl Placement {
    /// Places what is in the kernel image, and defines everything that does not depend on modules.
    pub fn place_image(
        &mut self,
        profile: &Profile,
        capture: &Capture,
        slide: u64,
        places: &mut Places,
        cpu: &Cpu,
    ) -> Vec<Definition> {
        let moved = |s: &CodeSymbol| (s.address.wrapping_add(slide), s.name.clone());
        (self.slide, self.symbols) = (slide, profile.symbols.iter().map(moved).collect());
        // arch/x86/lib/retpoline.S
        let named = |fits: &dyn Fn(&str) -> bool| {
            let symbols = self.symbols.iter().filter(|(_, name)| fits(name));
            symbols.map(|(address, _)| *address).collect()
        };
        places.set_thunks(
            named(&|name| name.ends_with("_return_thunk")),
            named(&|name| name.starts_with("__x86_indirect_")),
        );
        // arch/x86/kernel/vmlinux.lds.S
        let label = |wanted: &str| self.symbols.iter().find(|(_, name)| name == wanted).map(|(a, _)| *a);
        if let (Some(start), Some(end)) = (label("__entry_text_start"), label("__entry_text_end")) {
            places.set_entry_text(start..end);
        }
        if capture.mmio == Mmio::All {
            places.add_all_device_code();
        }
        for code in profile.mmio.iter() {
            for (start, length) in &code.ranges {
                let start = start.wrapping_add(slide);
                places.add_device_code(start, start.saturating_add(*length), code.record);
            }
        }
        let mut definitions = preface::definitions(profile, capture.mode);
        let cold = self.cold();
        let mut found = Vec::new();
        for function in &profile.functions {
            if let Place::Image(address) = function.place {
                let symbol = function.symbols.first().map_or("", String::as_str);
                let address = address.wrapping_add(slide);
                let cold = cold.get(symbol).cloned();
                found.push(Found { function, symbol, address, length: function.size, cold });
            }
        }
        definitions.extend(self.place_all(&found, None, capture, places, cpu));
        if capture.mode == Mode::Full {
            let symbols: Vec<_> = profile
                .symbols
                .iter()
                .map(|s| (s.name.as_str(), s.address.wrapping_add(slide), s.length))
                .collect();
            self.place_others(&symbols, None, places, cpu);
        }
        let jumpers = profile.jumpers.iter().filter_map(|address| self.extent(address.wrapping_add(slide)));
        places.add_jumpers(&Vec::from_iter(jumpers), cpu);
        definitions
    }

    /// A function's code, up to the next symbol.
    fn extent(&self, start: u64) -> Option<Range<u64>> {
        let next = self.symbols.partition_point(|(address, _)| *address <= start);
        Some(start..self.symbols.get(next)?.0)
    }

    /// What the compiler took out of functions because it is seldom executed, by the functions' symbols.
    fn cold(&self) -> FxHashMap<String, Range<u64>> {
        let pairs = self.symbols.windows(2);
        pairs.filter_map(|pair| Some((hot(&pair[0].1)?.to_owned(), pair[0].0..pair[1].0))).collect()
    }

    /// Places what is in a module; returns its number too.
    pub fn place_module(
        &mut self,
        profile: &Profile,
        capture: &Capture,
        module: &LoadedModule,
        places: &mut Places,
        cpu: &Cpu,
    ) -> (u32, Vec<Definition>) {
        let start = module.functions.iter().map(|f| f.1).min().unwrap_or(0);
        let end = module.functions.iter().map(|f| f.1.saturating_add(f.2)).max().unwrap_or(0);
        for code in profile.mmio.iter().filter(|c| c.modules.contains(&module.name)) {
            places.add_device_code(start, end, code.record);
        }
        let candidates = profile.functions.iter().filter(|f| may_be_in(f, &module.name));
        let found: Vec<_> = candidates.filter_map(|function| find_in(function, module)).collect();
        let name = Some(module.name.as_str());
        let mut definitions = self.place_all(&found, name, capture, places, cpu);
        if capture.mode == Mode::Full {
            let mut symbols: Vec<_> = module
                .functions
                .iter()
                .map(|(name, address, length)| (name.as_str(), *address, *length))
                .collect();
            symbols.sort_by_key(|(name, address, _)| (*address, *name));
            self.place_others(&symbols, name, places, cpu);
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
    pub fn remove_module(&mut self, name: &str, places: &mut Places) -> Option<Module> {
        let module = self.modules.iter().rev().find(|m| m.name == name)?.clone();
        let (start, end) = module.text;
        places.remove(start, end);
        self.symbols.retain(|(address, _)| !(start..end).contains(address));
        self.placed.retain(|address| !(start..end).contains(address));
        self.named.retain(|address| !(start..end).contains(address));
        self.told.retain(|address| !(start..end).contains(address));
        Some(module)
    }

    /// Places what is not of the catalog: symbols by ascending address.
    fn place_others(
        &mut self,
        symbols: &[(&str, u64, u64)],
        module: Option<&str>,
        places: &mut Places,
        cpu: &Cpu,
    ) {
        let mut code = Vec::new();
        for other in others::functions(symbols) {
            let address = other.code.start;
            if places.is_entry_text(address) {
                continue;
            }
            code.push(other.code);
            if other.entered && self.placed.insert(address) {
                let (name, module) = (other.name.to_owned(), module.map(str::to_owned));
                let function = site::Function { address, name, module, probe: OnceLock::new() };
                places.add_function(address, Site::Function(function).keep());
            }
        }
        places.add_functions(&code, cpu);
    }

    /// Numbers a function that is not of the catalog, which is recorded for the first time; none if there is no
    /// number left.
    pub fn number_other(&mut self, function: &site::Function) -> (Option<(KindId, Exit)>, Vec<Definition>) {
        let numbers = self.number().and_then(|entered| Some((entered, self.number()?)));
        let Some((entered, left)) = numbers else { return (None, self.exhausted().into_iter().collect()) };
        let probe = |id, at, words| {
            Definition::Probe(Probe {
                id,
                at,
                function: function.name.clone(),
                symbol: function.name.clone(),
                module: function.module.clone(),
                address: function.address,
                layer: OTHER.to_owned(),
                words,
                ..Probe::default()
            })
        };
        // What a function of the catalog that jumped to this one returns is this one's value.
        let exit = Exit { kind: left, value: true, always: false, renames: false };
        (
            Some((entered, exit)),
            vec![probe(entered, At::Entry, vec![]), probe(left, At::Exit, vec!["ret".to_owned()])],
        )
    }

    /// The name of a function's address, if it was not defined before.
    pub fn new_symbol(&mut self, address: u64) -> Option<Definition> {
        if !self.named.insert(address) {
            return None;
        }
        let at = self.symbols.binary_search_by_key(&address, |(a, _)| *a).ok()?;
        let name = self.symbols[at].1.clone();
        Some(Definition::Symbol(Symbol { address, name }))
    }

    /// The functions that an address behind a call is in, if it was not defined before.
    pub fn new_site(&mut self, profile: &Profile, address: u64) -> Option<Definition> {
        if !self.told.insert(address) {
            return None;
        }
        let after = self.symbols.partition_point(|(start, _)| *start <= address);
        let (start, name) = self.symbols.get(after.checked_sub(1)?)?;
        let offset = address - start;
        let module = self.modules.iter().rev().find(|m| (m.text.0..=m.text.1).contains(&address));
        let frames = match module {
            Some(module) => profile.sites_of(&module.name, name, offset),
            None => profile.site(address.wrapping_sub(self.slide)),
        };
        let frames = frames.map_or_else(
            || vec![SiteFrame { function: name.clone(), file: String::new(), line: 0 }],
            <[_]>::to_vec,
        );
        Some(Definition::Site(CallSite { address, offset, frames }))
    }

    fn place_all(
        &mut self,
        found: &[Found<'_>],
        module: Option<&str>,
        capture: &Capture,
        places: &mut Places,
        cpu: &Cpu,
    ) -> Vec<Definition> {
        let mut definitions = Vec::new();
        for function in found {
            definitions.extend(self.place(function, module, capture, places, cpu));
        }
        definitions.extend(self.exhausted());
        definitions
    }

    /// Tells once that there were more probes than numbers.
    fn exhausted(&mut self) -> Option<Definition> {
        let note = || {
            Definition::Note(Note {
                severity: Severity::Warning,
                topic: "probes".into(),
                text: "there are more probes than a trace can number: later ones are missing".into(),
            })
        };
        (self.exhausted && !std::mem::replace(&mut self.told_exhausted, true)).then(note)
    }

    fn place(
        &mut self,
        found: &Found<'_>,
        module: Option<&str>,
        capture: &Capture,
        places: &mut Places,
        cpu: &Cpu,
    ) -> Vec<Definition> {
        let Found { function, address, length, .. } = *found;
        let recorded = capture.layer(&function.layer);
        let kind = if recorded { self.number() } else { None };
        if kind.is_none() && function.action == Action::Record {
            return Vec::new();
        }
        let leaving = function.exit.as_ref().filter(|_| recorded);
        let left = leaving.and_then(|exit| Some((exit, self.number()?)));
        // An exception is its task's own.
        let lasting = function.stage == "pci.enable";
        let always = lasting
            || ["irq", "softirq"].contains(&function.layer.as_str()) && !function.stage.starts_with("exc.");
        let exit = left.map(|(exit, kind)| Exit {
            kind,
            value: exit.value.is_some(),
            always,
            renames: function.action == Action::TaskRename,
        });
        let begins = capture.from.as_ref().filter(|_| kind.is_some()).and_then(|from| from.tests(function));
        let (action, next) = (function.action, next_task(function));
        let mut plan = function.entry.clone();
        // What tells of devices, and with which event the recording begins, is needed all the same.
        if capture.mode == Mode::Thin && !lasting && begins.is_none() {
            (plan.words, plan.list) = (Vec::new(), None);
        }
        let words = plan.words.iter().map(|w| w.name.clone()).collect();
        let entry = Entry { kind, plan, action, exit, begins, always, lasting, next };
        places.add_entry(address, Site::Entry(entry).keep());
        let at = if function.inside.is_empty() { At::Entry } else { At::Inlined };
        if kind.is_some() && function.inside.is_empty() {
            self.placed.insert(address);
        }
        let entered = kind.map(|id| found.probe(module, id, at, words, None));
        let mut definitions = Vec::from_iter(entered);
        if let Some((exit, kind)) = left {
            let parts = std::iter::once(address..address.saturating_add(length)).chain(found.cold.clone());
            places.add_code(&Vec::from_iter(parts), cpu);
            let words = exit.value.iter().cloned().collect();
            definitions.push(found.probe(module, kind, At::Exit, words, exit.success));
        }
        definitions
    }

    /// The next free kind; none when there are no more.
    fn number(&mut self) -> Option<KindId> {
        // The highest number stands for the columns that all events have, see FORMAT.md.
        let number = FIRST_PROBE.checked_add(self.next).filter(|number| *number < KindId::MAX);
        match number {
            Some(_) => self.next += 1,
            None => self.exhausted = true,
        }
        number
    }
}

/// A function at the address it has in the guest.
struct Found<'a> {
    function: &'a Function,
    symbol: &'a str,
    address: u64,
    /// Bytes.
    length: u64,
    /// A part of its code that stands elsewhere.
    cold: Option<Range<u64>>,
}

impl Found<'_> {
    fn probe(
        &self,
        module: Option<&str>,
        id: KindId,
        at: At,
        words: Vec<String>,
        success: Option<Success>,
    ) -> Definition {
        let Function { name, layer, stage, file, line, .. } = self.function;
        Definition::Probe(Probe {
            id,
            at,
            function: name.clone(),
            symbol: self.symbol.to_owned(),
            module: module.map(str::to_owned),
            address: self.address,
            layer: layer.clone(),
            stage: stage.clone(),
            file: file.clone(),
            line: *line,
            words,
            success,
            inside: self.function.inside.clone(),
        })
    }
}

/// The argument of a task switch that is the task which runs next.
fn next_task(function: &Function) -> Option<u8> {
    let switches = function.stage == "task.switch";
    let next = function.entry.words.iter().find(|word| switches && word.name == "next")?;
    match next.source {
        Source::Argument(at) => Some(at),
        _ => None,
    }
}

/// Where a function of the profile is in a module, under the first of its names.
fn find_in<'a>(function: &'a Function, module: &'a LoadedModule) -> Option<Found<'a>> {
    let named = |symbol: &String| module.functions.iter().find(|(name, ..)| name == symbol);
    let (symbol, address, length) = function.symbols.iter().find_map(named)?;
    let parts = module.functions.iter().find(|(name, ..)| hot(name) == Some(symbol));
    let cold = parts.map(|(_, start, length)| *start..start.saturating_add(*length));
    Some(Found { function, symbol, address: address.wrapping_add(function.offset), length: *length, cold })
}

/// Whether a function of the profile is to be looked for in this module.
fn may_be_in(function: &Function, module: &str) -> bool {
    match &function.place {
        Place::Image(_) => false,
        Place::Module(name) => name == module,
        Place::Elsewhere => true,
    }
}
