//! Places the profile's functions at the addresses they have in the guest.
//!
//! In: the profile, where the kernel is, a module that was loaded. Out: sites in their places, and the
//! definitions that tell a reader of the trace what they are.
//!
//! - `found`: functions of the profile, where they are in the guest.
//! - `saved`: what is saved of it, and placed again in another QEMU.

mod function;
mod saved;

use super::others::{self, Other};
use super::preface;
use crate::args::{Capture, MmioScope, Mode};
use crate::budget::{Budget, Kept};
use crate::guest::LoadedModule;
use crate::instrument::Places;
use crate::qemu::Cpu;
use crate::site::{self, EntryProbe, ExitProbe, ProbeSite};
pub use function::subject;
use function::{GuestFunction, find_in, may_be_in, moved, next_task};
use iotrace_format::definition::{
    AddressName, At, CallSite, Definition, Module, Note, Probe, ReturnType, Severity, SiteFrame,
};
use iotrace_format::event::{FIRST_PROBE, KindId};
use iotrace_format::layer::Layer;
use iotrace_format::stage::Stage;
use iotrace_kernel::{KernelSymbol, SymbolTable};
use iotrace_profile::plan::EntryPlan;
use iotrace_profile::{Action, FunctionLocation, Profile};
use rustc_hash::{FxHashMap, FxHashSet};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// What has been placed.
#[derive(Debug, Default)]
pub struct Placement {
    next: u16,
    /// There were more probes than numbers.
    exhausted: bool,
    told_exhausted: bool,
    /// Modules that were loaded so far.
    loaded: u32,
    /// Those that are loaded, the latest last.
    modules: Vec<Loaded>,
    /// Functions that have a probe, by address.
    placed: FxHashSet<u64>,
    /// Probes that the trace defined before the moment that it is resumed at, by address; each with number 0, and its
    /// number.
    known: FxHashMap<u64, Vec<(Probe, KindId)>>,
    /// Numbers of exits that are recorded.
    exits: FxHashSet<KindId>,
    named: FxHashSet<u64>,
    told: FxHashSet<u64>,
    slide: u64,
    /// The text of the image. Whatever the guest says of its modules, no function in it is theirs.
    image: Range<u64>,
    budget: Arc<Budget>,
}

/// A module that is loaded.
#[derive(Debug)]
struct Loaded {
    module: Module,
    functions: SymbolTable,
    /// Bytes of the budget that are given back when it is unloaded.
    kept: usize,
}

/// Bytes of the budget for a module, beside its functions.
pub const MODULE: usize = 512;
/// Modules that may be loaded at a time. (A kernel with all of Debian's has some 4,000.)
const MODULES: usize = 8192;
/// Bytes of the budget for an address that was defined.
const ADDRESS: usize = 32;
/// Addresses that may be defined as functions, and as places behind calls. (What does I/O in a kernel calls from some
/// 10,000 places.)
const ADDRESSES: usize = 1 << 18;
/// Bytes of the budget, beside names, for a function that is not of the catalog.
const OTHER_FUNCTION: usize = 400;

/// Bytes of the budget for a probe in a module.
fn bytes_of(plan: &EntryPlan) -> usize {
    512 + 160 * plan.words.len() + 32 * plan.arguments.len()
}

impl Placement {
    /// Nothing is placed; there is room for what the budget has.
    pub fn new(budget: Arc<Budget>) -> Self {
        Self { budget, ..Self::default() }
    }

    /// Places what is in the kernel image, and defines everything that does not depend on modules.
    pub fn place_image(
        &mut self,
        profile: &Profile,
        capture: &Capture,
        slide: u64,
        places: &mut Places,
        cpu: &Cpu,
    ) -> Vec<Definition> {
        self.slide = slide;
        let range = |linked: &Range<u64>| linked.start.wrapping_add(slide)..linked.end.wrapping_add(slide);
        let all = |linked: &[u64]| linked.iter().map(|address| address.wrapping_add(slide)).collect();
        places.set_thunks(all(&profile.thunks.returns), all(&profile.thunks.calls));
        places.set_entry_text(range(&profile.anchors.entry_text));
        let (start, end) = profile.anchors.text;
        self.image = range(&(start..end));
        if capture.mmio == MmioScope::All {
            places.add_all_device_code();
        }
        for code in profile.mmio.iter() {
            for (start, length) in &code.ranges {
                let start = start.wrapping_add(slide);
                places.add_device_code(start, start.saturating_add(*length), code.record);
            }
        }
        let mut definitions = preface::definitions(profile, capture.mode);
        let mut found = Vec::new();
        for function in &profile.functions {
            if let FunctionLocation::Image(address) = function.place {
                let symbol = function.symbols.first().map_or("", String::as_str);
                let address = address.wrapping_add(slide);
                let cold = function.cold.as_ref().map(range);
                found.push(GuestFunction { function, symbol, address, length: function.size, cold });
            }
        }
        definitions.extend(self.place_all(&found, None, capture, places, cpu));
        if capture.mode == Mode::Full {
            let symbols = profile.symbols.iter().map(|symbol| moved(symbol, slide));
            let others = others::functions(symbols, cpu.arch().code);
            let returns = |other: &Other<'_>| profile.returns.in_image(other.code.start.wrapping_sub(slide));
            self.place_others(others, None, returns, places, cpu);
        }
        places.add_jumpers(&Vec::from_iter(profile.jumpers.iter().map(range)), cpu);
        places.add_callers(profile.callers.iter().map(range));
        definitions
    }

    /// Whether another module may be loaded.
    pub fn has_room(&self) -> bool {
        self.modules.len() < MODULES
    }

    /// The text of the image.
    pub fn image(&self) -> Range<u64> {
        self.image.clone()
    }

    /// Places what is in a module; returns its number too.
    pub fn place_module(
        &mut self,
        profile: &Profile,
        capture: &Capture,
        module: LoadedModule,
        places: &mut Places,
        cpu: &Cpu,
    ) -> (u32, Vec<Definition>) {
        // It cannot be loaded twice: the last one's end was not seen.
        self.remove_module(&module.name, places);
        let start = module.functions.iter().map(|f| f.addr).min().unwrap_or(0);
        let end = module.functions.iter().map(|f| f.addr.saturating_add(f.size)).max().unwrap_or(0);
        let mut definitions = self.place_in(profile, capture, &module, (start, end), places, cpu);
        let id = self.loaded;
        self.loaded = self.loaded.wrapping_add(1);
        let entries = definitions.iter().filter(|d| matches!(d, Definition::Probe(p) if p.at == At::Entry));
        let probes = entries.count() as u32;
        let defined = Module { id, name: module.name, text: (start, end), probes };
        definitions.insert(0, Definition::Module(defined.clone()));
        self.modules.push(Loaded { module: defined, functions: module.functions, kept: module.kept });
        (id, definitions)
    }

    fn place_in(
        &mut self,
        profile: &Profile,
        capture: &Capture,
        module: &LoadedModule,
        (start, end): (u64, u64),
        places: &mut Places,
        cpu: &Cpu,
    ) -> Vec<Definition> {
        for code in profile.mmio.iter().filter(|c| c.modules.contains(&module.name)) {
            places.add_device_code(start, end, code.record);
        }
        let candidates = profile.functions.iter().filter(|f| may_be_in(f, &module.name));
        let found: Vec<_> = candidates.filter_map(|function| find_in(function, module)).collect();
        let name = Some(module.name.as_str());
        let definitions = self.place_all(&found, name, capture, places, cpu);
        if !found.is_empty() {
            places.add_module(start..end);
        }
        if capture.mode == Mode::Full {
            let others = others::functions(module.functions.iter(), cpu.arch().code);
            let returns = |other: &Other<'_>| profile.returns.in_module(&module.name, other.name);
            self.place_others(others, name, returns, places, cpu);
        } else {
            let code = module.functions.iter().map(|f| f.addr..f.addr.saturating_add(f.size));
            places.add_jumpers(&Vec::from_iter(code), cpu);
        }
        definitions
    }

    /// Forgets a module; none if it is not known.
    pub fn remove_module(&mut self, name: &str, places: &mut Places) -> Option<Module> {
        let at = self.modules.iter().rposition(|loaded| loaded.module.name == name)?;
        let Loaded { module, kept, .. } = self.modules.remove(at);
        // What is between the functions of a forged module may be another one's, or the image's.
        let ours = module.text.0..module.text.1;
        let overlapping = |(start, end): (u64, u64)| start < ours.end && ours.start < end;
        let mut others =
            Vec::from_iter(self.modules.iter().map(|m| m.module.text).filter(|t| overlapping(*t)));
        others.push((self.image.start, self.image.end));
        let is_gone = |address: u64| {
            ours.contains(&address) && !others.iter().any(|(start, end)| (*start..*end).contains(&address))
        };
        let is_outside = |address: &u64| !is_gone(*address);
        places.remove(is_gone);
        self.placed.retain(is_outside);
        let defined = self.named.len() + self.told.len();
        self.named.retain(is_outside);
        self.told.retain(is_outside);
        let undefined = defined - self.named.len() - self.told.len();
        self.budget.give_back(MODULE + kept + undefined * ADDRESS);
        Some(module)
    }

    /// Places what is not of the catalog.
    fn place_others<'a>(
        &mut self,
        functions: impl Iterator<Item = Other<'a>>,
        module: Option<&str>,
        returns: impl Fn(&Other<'a>) -> Option<ReturnType>,
        places: &mut Places,
        cpu: &Cpu,
    ) {
        let mut code = Vec::new();
        for other in functions {
            let address = other.code.start;
            if places.is_entry_text(address) {
                continue;
            }
            // What is in the image does not depend on the guest.
            let bytes = module.map_or(0, |module| OTHER_FUNCTION + other.name.len() + module.len());
            if !self.budget.take(Kept::Function, bytes) {
                continue;
            }
            let returns = returns(&other);
            code.push(other.code);
            if other.entered && self.placed.insert(address) {
                let (name, module) = (other.name.to_owned(), module.map(str::to_owned));
                let function =
                    site::KernelFunction { address, name, module, returns, probe: OnceLock::new() };
                places.add_function(address, ProbeSite::Function(function).keep());
            }
        }
        places.add_functions(&code, cpu);
    }

    /// Numbers a function that is not of the catalog, which is recorded for the first time; none if there is no
    /// number left.
    pub fn number_other(
        &mut self,
        function: &site::KernelFunction,
    ) -> (Option<(KindId, ExitProbe)>, Vec<Definition>) {
        let probe = |at, words, returns| Probe {
            at,
            returns,
            function: function.name.clone(),
            symbol: function.name.clone(),
            module: function.module.clone(),
            address: function.address,
            layer: Layer::Other,
            words,
            ..Probe::default()
        };
        let mut definitions = Vec::new();
        let value = function.returns != Some(ReturnType::Void);
        let words = Vec::from_iter(value.then(|| "ret".to_owned()));
        let entered = self.number(probe(At::Entry, vec![], None), &mut definitions);
        let left =
            entered.and_then(|_| self.number(probe(At::Exit, words, function.returns), &mut definitions));
        let Some((entered, kind)) = entered.zip(left) else {
            return (None, self.exhausted().into_iter().collect());
        };
        // What a function of the catalog that jumped to this one returns is this one's value.
        (Some((entered, ExitProbe { kind, value, always: false, renames: false })), definitions)
    }

    /// The symbol whose code is at an address, and the module it is in.
    fn symbol_at<'a>(
        &'a self,
        profile: &'a Profile,
        address: u64,
    ) -> Option<(KernelSymbol<'a>, Option<&'a str>)> {
        let in_module = |Loaded { module, functions, .. }: &'a Loaded| {
            let (start, end) = module.text;
            let symbol = functions.at(address).filter(|_| (start..=end).contains(&address))?;
            Some((symbol, Some(&*module.name)))
        };
        let in_image = || {
            let symbol = profile.symbols.at(address.wrapping_sub(self.slide))?;
            Some((moved(symbol, self.slide), None))
        };
        if self.image.contains(&address) {
            return in_image();
        }
        self.modules.iter().rev().find_map(in_module).or_else(in_image)
    }

    /// The name of a function's address, if it was not defined before.
    pub fn new_symbol(&mut self, profile: &Profile, address: u64) -> Option<Definition> {
        if self.named.contains(&address) {
            return None;
        }
        let (symbol, _) = self.symbol_at(profile, address).filter(|(symbol, _)| symbol.addr == address)?;
        let name = symbol.name.to_owned();
        is_new(&mut self.named, &self.budget, address)
            .then_some(Definition::Symbol(AddressName { address, name }))
    }

    /// The functions that an address behind a call is in, if it was not defined before.
    pub fn new_site(&mut self, profile: &Profile, address: u64) -> Option<Definition> {
        if self.told.contains(&address) {
            return None;
        }
        // Not that of the call itself first: the guest's own tracing puts the address of a function in the place of one.
        let behind = self.symbol_at(profile, address);
        let (symbol, module) = behind.or_else(|| self.symbol_at(profile, address.wrapping_sub(1)))?;
        let offset = address.wrapping_sub(symbol.addr);
        let frames = match module {
            Some(module) => profile.sites_of(module, symbol.name, offset),
            None => profile.site(address.wrapping_sub(self.slide)),
        };
        let frames = frames.map_or_else(
            || vec![SiteFrame { function: symbol.name.to_owned(), file: String::new(), line: 0 }],
            <[_]>::to_vec,
        );
        is_new(&mut self.told, &self.budget, address).then_some(Definition::Site(CallSite {
            address,
            offset,
            frames,
        }))
    }

    fn place_all(
        &mut self,
        found: &[GuestFunction<'_>],
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
                text: "more probes than a trace can number: later ones are missing".into(),
            })
        };
        (self.exhausted && !std::mem::replace(&mut self.told_exhausted, true)).then(note)
    }

    fn place(
        &mut self,
        found: &GuestFunction<'_>,
        module: Option<&str>,
        capture: &Capture,
        places: &mut Places,
        cpu: &Cpu,
    ) -> Vec<Definition> {
        let GuestFunction { function, address, length, .. } = *found;
        if module.is_some() && !self.budget.take(Kept::Function, bytes_of(&function.entry)) {
            return Vec::new();
        }
        let recorded = capture.layer(function.layer);
        let begins = capture.from.as_ref().filter(|_| recorded).and_then(|from| from.tests(function));
        // An exception is its task's own.
        let lasting = function.stage.as_ref().is_some_and(Stage::is_context_record);
        let always = lasting
            || [Layer::Irq, Layer::Softirq].contains(&function.layer)
                && function.stage != Some(Stage::ExceptionFrame);
        let mut plan = function.entry.clone();
        // What tells of devices, and with which event the recording begins, is needed all the same.
        if capture.mode == Mode::Thin && !lasting && begins.is_none() {
            plan = EntryPlan { arguments: plan.arguments, ..EntryPlan::default() };
        }
        let words = plan.words.iter().map(|word| (word.name.clone(), word.role)).unzip();
        let at = if function.inside.is_empty() { At::Entry } else { At::Inlined };
        let mut definitions = Vec::new();
        let entered = recorded.then(|| found.probe(module, at, words, None));
        let kind = entered.and_then(|probe| self.number(probe, &mut definitions));
        if kind.is_none() && function.action == Action::Record {
            return Vec::new();
        }
        let leaving = function.exit.as_ref().filter(|_| recorded);
        let left = leaving.and_then(|exit| {
            let probe = found.probe(
                module,
                At::Exit,
                exit.value.iter().cloned().map(|name| (name, None)).unzip(),
                exit.success,
            );
            Some((exit, self.number(probe, &mut definitions)?))
        });
        let exit = left.map(|(exit, kind)| ExitProbe {
            kind,
            value: exit.value.is_some(),
            always,
            renames: function.action == Action::TaskRename,
        });
        let (action, next, begins) =
            (function.action, next_task(function), begins.filter(|_| kind.is_some()));
        let subject = subject(function);
        let entry = EntryProbe { kind, plan, action, exit, begins, always, lasting, next, subject };
        places.add_entry(address, ProbeSite::Entry(entry).keep());
        if kind.is_some() && function.inside.is_empty() {
            self.placed.insert(address);
        }
        if left.is_some() {
            let parts = std::iter::once(address..address.saturating_add(length)).chain(found.cold.clone());
            places.add_code(&Vec::from_iter(parts), cpu);
        }
        definitions
    }

    /// The number of a probe: that which it had before, or the next free one, with its definition; none when there are no
    /// more.
    fn number(&mut self, probe: Probe, definitions: &mut Vec<Definition>) -> Option<KindId> {
        let same = |known: &&(Probe, KindId)| known.0 == probe;
        let known =
            self.known.get(&probe.address).and_then(|known| known.iter().find(same)).map(|known| known.1);
        let is_exit = probe.at == At::Exit;
        let number = known.or_else(|| {
            let id = self.next_number()?;
            definitions.push(Definition::Probe(Probe { id, ..probe }));
            Some(id)
        })?;
        if is_exit {
            self.exits.insert(number);
        }
        Some(number)
    }

    /// The next free kind; none when there are no more.
    fn next_number(&mut self) -> Option<KindId> {
        // The highest number stands for the columns that all events have, see FORMAT.md.
        let number = FIRST_PROBE.checked_add(self.next).filter(|number| *number < KindId::MAX);
        match number {
            Some(_) => self.next += 1,
            None => self.exhausted = true,
        }
        number
    }
}

/// Whether an address was not defined before; it is from now on, if there is room for it.
fn is_new(defined: &mut FxHashSet<u64>, budget: &Budget, address: u64) -> bool {
    if defined.len() == ADDRESSES {
        budget.leave_out(Kept::Address, 1);
        return false;
    }
    !defined.contains(&address) && budget.take(Kept::Address, ADDRESS) && defined.insert(address)
}

#[cfg(test)]
mod tests;
