//! Functions of the profile, where they are in the guest.
//!
//! In: the profile, a module that was loaded. Out: addresses, the definitions of probes there.

use crate::guest::LoadedModule;
use iotrace_format::definition::{At, Probe, Success};
use iotrace_format::role::Role;
use iotrace_format::stage::Stage;
use iotrace_kernel::KernelSymbol;
use iotrace_profile::plan::FieldSource;
use iotrace_profile::{FunctionLocation, ProbedFunction};
use std::ops::Range;

/// A function at the address it has in the guest.
pub struct GuestFunction<'a> {
    /// The function.
    pub function: &'a ProbedFunction,
    /// The first of its names that is there.
    pub symbol: &'a str,
    /// Where it is.
    pub address: u64,
    /// Bytes.
    pub length: u64,
    /// A part of its code that stands elsewhere.
    pub cold: Option<Range<u64>>,
}

/// The names and the roles of an event's words.
pub type EventFields = (Vec<String>, Vec<Option<Role>>);

impl GuestFunction<'_> {
    /// Its entry or return, as an event type that has no number yet.
    pub fn probe(&self, module: Option<&str>, at: At, words: EventFields, success: Option<Success>) -> Probe {
        let (words, roles) = words;
        let ProbedFunction { name, layer, stage, label, file, line, .. } = self.function;
        Probe {
            id: 0,
            at,
            function: name.clone(),
            symbol: self.symbol.to_owned(),
            module: module.map(str::to_owned),
            address: self.address,
            layer: *layer,
            stage: stage.clone(),
            label: label.clone(),
            file: file.clone(),
            line: *line,
            words,
            roles,
            success,
            returns: self.function.exit.as_ref().filter(|_| at == At::Exit).and_then(|exit| exit.returns),
            inside: self.function.inside.clone(),
        }
    }
}

/// A symbol of the image where it is in a guest whose kernel was moved by `slide`.
pub fn moved(symbol: KernelSymbol<'_>, slide: u64) -> KernelSymbol<'_> {
    KernelSymbol { addr: symbol.addr.wrapping_add(slide), ..symbol }
}

/// The argument of a task switch that is the task which runs next.
pub fn next_task(function: &ProbedFunction) -> Option<u8> {
    let switches = function.stage == Some(Stage::TaskSwitch);
    let next = function.entry.words.iter().find(|word| switches && word.role == Some(Role::NextTask))?;
    match next.source {
        FieldSource::Argument(at) => Some(at),
        _ => None,
    }
}

/// The argument that what the plugin does itself is about: the first that the catalog names.
pub fn subject(function: &ProbedFunction) -> Option<u8> {
    function.entry.words.iter().find_map(|word| match word.source {
        FieldSource::Argument(at) => Some(at),
        _ => None,
    })
}

/// Where a function of the profile is in a module, under the first of its names.
pub fn find_in<'a>(function: &'a ProbedFunction, module: &'a LoadedModule) -> Option<GuestFunction<'a>> {
    let named = |symbol: &String| module.functions.by_name(symbol).next();
    let symbol = function.symbols.iter().find_map(named)?;
    let part = module.functions.iter().find(|other| other.cold_part_of() == Some(symbol.name));
    Some(GuestFunction {
        function,
        symbol: symbol.name,
        address: symbol.addr.wrapping_add(function.offset),
        length: symbol.size,
        cold: part.map(|part| part.addr..part.addr.saturating_add(part.size)),
    })
}

/// Whether a function of the profile is to be looked for in this module.
pub fn may_be_in(function: &ProbedFunction, module: &str) -> bool {
    match &function.place {
        FunctionLocation::Image(_) => false,
        FunctionLocation::Module(name) => name == module,
        FunctionLocation::Elsewhere => true,
    }
}
