//! Modules of the guest's kernel come and go.
//!
//! In: the entries of the functions that load and unload them. Out: placed sites, definitions, events.

use super::Tracer;
use super::placement::MODULE;
use crate::budget::Kept;
use crate::guest;
use crate::qemu::Cpu;
use iotrace_format::event;
use std::sync::atomic::Ordering;

impl Tracer {
    /// A module is about to be initialized; its `struct module` is at `address`.
    pub(super) fn module_loaded(&self, cpu: &Cpu, clock: u64, address: u64) {
        let Some(access) = &self.profile.module else { return };
        let Ok((has_room, image)) = self.placement.lock().map(|all| (all.has_room(), all.image())) else {
            return;
        };
        if !has_room {
            self.budget.leave_out(Kept::Module, 1);
        }
        if !has_room || !self.budget.take(Kept::Module, MODULE) {
            return self.tell_of_memory();
        }
        let Some(module) = guest::read_module(access, address, cpu, &image, &self.budget) else {
            self.budget.give_back(MODULE);
            _ = self.unreadable.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let (Ok(mut placement), Ok(mut places)) = (self.placement.lock(), self.places.lock()) else { return };
        let (number, definitions) =
            placement.place_module(&self.profile, &self.args.capture, module, &mut places, cpu);
        self.writer.define(definitions);
        self.tell_of_memory();
        self.record(cpu, |r| r.builtin(cpu, clock, event::MODULE_LOAD, &[number.into()]));
    }

    /// The function is entered that frees the module whose `struct module` is at `address`.
    pub(super) fn module_unloaded(&self, cpu: &Cpu, clock: u64, address: u64) {
        let Some(access) = &self.profile.module else { return };
        let Some(name) = guest::module_name(access, address, cpu) else { return };
        let (Ok(mut placement), Ok(mut places)) = (self.placement.lock(), self.places.lock()) else { return };
        if let Some(module) = placement.remove_module(&name, &mut places) {
            self.addresses.symbols.forget_all(module.text.0, module.text.1);
            self.addresses.sites.forget_all(module.text.0, module.text.1);
            self.record(cpu, |r| r.builtin(cpu, clock, event::MODULE_UNLOAD, &[module.id.into()]));
        }
    }
}
