//! What is saved of a placement when QEMU ends, and placed again in another QEMU that goes on from there.
//!
//! In: modules with their functions, what the trace has defined so far. Out: the same sites under the same numbers, and
//! definitions of what is new.

use super::{Loaded, MODULE, Placement, is_new};
use crate::args::Capture;
use crate::budget::Kept;
use crate::guest::{FUNCTION, LoadedModule};
use crate::instrument::Places;
use crate::qemu::Cpu;
use crate::state::{SavedModule, State};
use iotrace_format::definition::{Definition, Probe};
use iotrace_format::event::KindId;
use iotrace_profile::Profile;

impl Placement {
    /// Goes on where another trace of the guest was: what it has defined keeps its numbers.
    pub fn resume(&mut self, definitions: Vec<Definition>, state: &State) {
        (self.next, self.loaded) = (state.numbers, state.loaded);
        for definition in definitions {
            match definition {
                Definition::Probe(probe) => {
                    let number = probe.id;
                    self.known.entry(probe.address).or_default().push((Probe { id: 0, ..probe }, number));
                }
                Definition::Symbol(symbol) => _ = is_new(&mut self.named, &self.budget, symbol.address),
                Definition::Site(site) => _ = is_new(&mut self.told, &self.budget, site.address),
                _ => {}
            }
        }
    }

    /// What is to be saved: modules, how many were loaded, numbers that are taken.
    pub fn save(&self) -> (Vec<SavedModule>, u32, u16) {
        let saved = |loaded: &Loaded| SavedModule {
            module: loaded.module.clone(),
            functions: loaded.functions.clone(),
        };
        (self.modules.iter().map(saved).collect(), self.loaded, self.next)
    }

    /// By how many bytes the kernel was moved.
    pub fn slide(&self) -> u64 {
        self.slide
    }

    /// Whether returns are recorded under a number.
    pub fn records_exit(&self, kind: KindId) -> bool {
        self.exits.contains(&kind)
    }

    /// Places what is in a module that was loaded before.
    pub fn restore_module(
        &mut self,
        profile: &Profile,
        capture: &Capture,
        saved: SavedModule,
        places: &mut Places,
        cpu: &Cpu,
    ) -> Vec<Definition> {
        let SavedModule { module, functions } = saved;
        if !self.budget.take(Kept::Module, MODULE) {
            return Vec::new();
        }
        let mut kept = 0;
        for function in functions.iter() {
            let bytes = FUNCTION + function.name.len();
            kept += if self.budget.take(Kept::Function, bytes) { bytes } else { 0 };
        }
        let loaded = LoadedModule { name: module.name.clone(), functions, kept };
        let definitions = self.place_in(profile, capture, &loaded, module.text, places, cpu);
        self.modules.push(Loaded { module, functions: loaded.functions, kept });
        definitions
    }
}
