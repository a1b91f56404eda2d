//! What a trace says about itself.

use crate::hash::Map;
use iotrace_format::definition::{
    At, CallSite, Constant, Definition, Device, Module, Note, Probe, TraceInfo,
};
use iotrace_format::event::{BUILTINS, FIRST_PROBE, KindId};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// What the names of the softirqs' enumerators end with.
const SOFTIRQ: &str = "_SOFTIRQ";

/// All definitions read so far.
#[derive(Debug, Clone, Default)]
pub struct Definitions {
    /// Who wrote it, of what.
    pub trace: TraceInfo,
    /// Built-in kinds: name and names of the words, by number.
    pub kinds: BTreeMap<KindId, (String, Vec<String>)>,
    /// Probes by number.
    pub probes: BTreeMap<KindId, Probe>,
    /// Modules in the order of their loading.
    pub modules: Vec<Module>,
    /// Names of addresses.
    pub symbols: Map<u64, String>,
    /// Devices whose registers are known.
    pub devices: Vec<Device>,
    /// What could not be done.
    pub notes: Vec<Note>,
    /// Enumerators of the kernel.
    pub constants: BTreeMap<String, i64>,
    /// Names of the enumerators of softirqs by their values.
    softirqs: BTreeMap<i64, BTreeSet<String>>,
    /// Places that functions are called from, by the address behind the call.
    pub sites: Map<u64, CallSite>,
    /// Definitions of unknown tags.
    pub skipped: u64,
}

impl Definitions {
    /// Takes in one more.
    pub fn add(&mut self, definition: &Definition) {
        match definition.clone() {
            Definition::Trace(info) => self.trace = info,
            Definition::Kind(kind) => {
                self.kinds.insert(kind.id, (kind.name, kind.words));
            }
            Definition::Probe(probe) => {
                self.probes.insert(probe.id, probe);
            }
            Definition::Module(module) => self.modules.push(module),
            Definition::Symbol(symbol) => {
                self.symbols.insert(symbol.address, symbol.name);
            }
            Definition::Device(device) => self.devices.push(device),
            Definition::Note(note) => self.notes.push(note),
            Definition::Site(site) => {
                self.sites.insert(site.address, site);
            }
            Definition::Constant(constant) => self.add_constant(constant),
            // Whoever numbers objects and follows hand-offs takes them.
            Definition::Numbers(_) | Definition::HandOff(_) | Definition::Begin(_) => {}
        }
    }

    fn add_constant(&mut self, Constant { name, value }: Constant) {
        let before = self.constants.insert(name.clone(), value);
        if name.ends_with(SOFTIRQ) {
            if let Some(names) = before.and_then(|before| self.softirqs.get_mut(&before)) {
                names.remove(&name);
            }
            self.softirqs.entry(value).or_default().insert(name);
        }
    }

    /// What views call a kind of event: a built-in's name, or the function with `()` (entry) or `→` (exit).
    #[must_use]
    pub fn kind_name(&self, kind: KindId) -> String {
        if let Some(probe) = self.probes.get(&kind) {
            let title = probe.title();
            return match probe.at {
                At::Entry => format!("{title}()"),
                At::Exit => format!("{title} returns"),
                At::Inlined => format!("{title} (inlined)"),
                At::Inserted => title.into_owned(),
            };
        }
        let builtin = BUILTINS.iter().find(|b| b.id == kind).map(|b| b.name.to_owned());
        let name = self.kinds.get(&kind).map(|(name, _)| name.clone()).or(builtin);
        name.unwrap_or_else(|| format!("{}-{kind}", if kind < FIRST_PROBE { "kind" } else { "probe" }))
    }

    /// What views call a probe's function ([`Probe::title`]), or another kind of event.
    #[must_use]
    pub fn title(&self, kind: KindId) -> Cow<'_, str> {
        self.probes.get(&kind).map_or_else(|| self.kind_name(kind).into(), Probe::title)
    }

    /// A probe's function by the catalog's name, or what views call another kind of event.
    #[must_use]
    pub fn function_name(&self, kind: KindId) -> Cow<'_, str> {
        let of_probe = self.probes.get(&kind).map(|probe| probe.function.as_str().into());
        of_probe.unwrap_or_else(|| self.kind_name(kind).into())
    }

    /// Names of a kind's words.
    #[must_use]
    pub fn word_names(&self, kind: KindId) -> Vec<&str> {
        if let Some(probe) = self.probes.get(&kind) {
            return probe.words.iter().map(String::as_str).collect();
        }
        if let Some((_, words)) = self.kinds.get(&kind) {
            return words.iter().map(String::as_str).collect();
        }
        BUILTINS.iter().find(|b| b.id == kind).map(|b| b.words.to_vec()).unwrap_or_default()
    }

    /// Name of a softirq, as this kernel's enumerators have it (include/linux/interrupt.h); its number if they
    /// are not known.
    #[must_use]
    pub fn softirq(&self, number: u64) -> String {
        let names = i64::try_from(number).ok().and_then(|number| self.softirqs.get(&number));
        let named = names.and_then(BTreeSet::first);
        named.map_or_else(|| number.to_string(), |name| name.trim_end_matches(SOFTIRQ).to_owned())
    }

    /// Release of the kernel, as uname(2) has it; none if the trace has no version of a kernel.
    #[must_use]
    pub fn release(&self) -> Option<&str> {
        let rest = self.trace.banner.strip_prefix("Linux version ")?;
        rest.split(' ').next().filter(|release| !release.is_empty())
    }

    /// The value of a note that the user gave; none if it is empty.
    #[must_use]
    pub fn note(&self, key: &str) -> Option<&str> {
        let note = self.trace.notes.iter().find(|(k, _)| k == key);
        note.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_goes_by_this_kernels_name_with_the_catalogs_in_brackets() {
        let probe = |id, at, symbol: &str| Probe {
            function: "submit_bio_noacct".into(),
            symbol: symbol.into(),
            id,
            at,
            ..Probe::default()
        };
        let mut definitions = Definitions::default();
        for (id, at, symbol) in [
            (64, At::Entry, "generic_make_request"),
            (65, At::Exit, "generic_make_request.part.0"),
            (66, At::Entry, "submit_bio_noacct.isra.0"),
            (67, At::Inlined, "do_direct_IO"),
        ] {
            definitions.add(&Definition::Probe(probe(id, at, symbol)));
        }
        let names = [64, 65, 66, 67].map(|kind| definitions.kind_name(kind));
        assert_eq!(
            names,
            [
                "generic_make_request [submit_bio_noacct]()",
                "generic_make_request [submit_bio_noacct] returns",
                "submit_bio_noacct()",
                "submit_bio_noacct (inlined)",
            ]
        );
        assert_eq!(definitions.title(64), "generic_make_request [submit_bio_noacct]");
        assert_eq!(definitions.function_name(64), "submit_bio_noacct");
        assert_eq!(definitions.title(1), definitions.kind_name(1));
    }

    #[test]
    fn a_softirq_has_the_name_that_it_was_given_last() {
        let mut definitions = Definitions::default();
        let mut define = |name: &str, value| {
            definitions.add(&Definition::Constant(Constant { name: name.into(), value }));
            [3, 4].map(|number| definitions.softirq(number))
        };
        assert_eq!(define("BLOCK", 4), ["3", "4"]);
        assert_eq!(define("NET_RX_SOFTIRQ", 3), ["NET_RX", "4"]);
        assert_eq!(define("BLOCK_SOFTIRQ", 3), ["BLOCK", "4"]);
        assert_eq!(define("BLOCK_SOFTIRQ", 4), ["NET_RX", "BLOCK"]);
        assert_eq!(define("BLOCK_SOFTIRQ", -1), ["NET_RX", "4"]);
    }
}
