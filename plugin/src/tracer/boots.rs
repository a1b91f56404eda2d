//! The boots of a guest: each is traced into a file of its own.
//!
//! In: what QEMU reports. Out: the same, for the tracer of the present boot. A boot ends with its kernel's shutdown event, or,
//! if the machine was reset without the kernel's doing, when the next one is found. What shows the next one: after code
//! outside of the kernel's part of the address space (the firmware, or what kexec jumps to) there is another kernel in the
//! place of the present one, or the present one starts again.

use super::ending::MIXED;
use super::error::InstallError;
use super::placement::Placement;
use super::{Tracer, tracer};
use crate::args::PluginArgs;
use crate::guest::{Search, find_kernel, is_kernel_at};
use crate::instrument::Places;
use crate::qemu::{self, Cpu, Instrument, MemoryAccess, TranslationBlock};
use crate::site::ProbeSite;
use iotrace_format::definition::Severity;
use iotrace_profile::Profile;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// Boots that are traced at most: what is attached to instructions is kept until QEMU ends.
const MOST: usize = 8;
/// How often the next kernel is looked for, as that of the first boot is.
const TRIES: u32 = 20;

/// The tracers of the boots so far.
pub struct Boots {
    tracers: [OnceLock<Tracer>; MOST],
    /// Place of the present one.
    present: AtomicUsize,
    /// The trace of the first one.
    out: PathBuf,
    /// Addresses of [`START`] and [`PANIC`] as linked; none if the image does not say.
    start: Option<u64>,
    panic: Option<u64>,
    waiting: Mutex<Waiting>,
}

/// Key of the note with the number of a boot, from the second one on.
const BOOT: &str = "boot";

/// The kernel's first function in C (init/main.c): called once in a boot, and its memory is given back.
const START: &str = "start_kernel";
/// A kernel that has ended by itself does not enter this (kernel/panic.c), unless with it.
const PANIC: &str = "panic";

/// How far the search for the next boot's kernel has come.
#[derive(Debug, Default)]
struct Waiting {
    /// Code outside of the kernel was translated since the kernel was found.
    left: bool,
    /// The same, since the kernel was last seen to be there.
    left_again: bool,
    tries: u32,
    /// No further boot is traced.
    over: bool,
}

impl Boots {
    /// The first boot.
    pub fn new(first: Tracer) -> Self {
        let (tracers, out) = ([const { OnceLock::new() }; MOST], first.args.out.clone());
        let [start, panic] = [START, PANIC].map(|name| address_of(name, &first.profile));
        _ = tracers[0].set(first);
        Self { tracers, present: AtomicUsize::new(0), out, start, panic, waiting: Mutex::default() }
    }

    fn present(&self) -> &Tracer {
        let place = self.present.load(Ordering::Acquire);
        self.tracers[place].get().expect("it was set before its place")
    }

    /// Looks for the next boot's kernel where a block is translated at this address.
    fn watch(&self, address: u64, cpu: &Cpu) {
        let tracer = self.present();
        if !tracer.session.is_active() && !tracer.has_shut_down() {
            return;
        }
        // Another vCPU may have found it meanwhile.
        let Ok(mut waiting) = self.waiting.lock() else { return };
        let memory = &cpu.arch().memory;
        if !memory.is_kernel(address) {
            (waiting.left, waiting.left_again) = (true, true);
        } else if waiting.left && !waiting.over && memory.images.contains(&address) {
            let tracer = self.present();
            let Some(slide) = tracer.slide() else { return };
            let linked = Some(address.wrapping_sub(slide));
            if self.panic == linked {
                tracer.goes_on(cpu);
            }
            let starts = self.start == linked;
            if starts || waiting.left_again && is_kernel_at(&tracer.profile, slide, cpu) != Some(true) {
                self.search(&mut waiting, tracer, cpu);
            }
            waiting.left_again = false;
        }
    }

    fn search(&self, waiting: &mut Waiting, ended: &Tracer, cpu: &Cpu) {
        match find_kernel(&ended.profile, cpu) {
            Search::Found(_) => *waiting = self.begin_next(ended),
            Search::Other(other) => {
                ended.was_reset();
                qemu::report(&format!("the guest started {other} after its kernel ended: not traced"));
                waiting.over = true;
            }
            Search::Nothing => {
                waiting.tries += 1;
                waiting.over = waiting.tries == TRIES;
            }
        }
    }

    /// Ends the trace of the boot that is over, and begins that of the next one.
    fn begin_next(&self, ended: &Tracer) -> Waiting {
        let place = self.present.load(Ordering::Acquire) + 1;
        ended.was_reset();
        ended.finish(false);
        let Some(next) = self.tracers.get(place) else {
            qemu::report(&format!(
                "the guest has started its kernel {place} times: further boots are not traced"
            ));
            return Waiting { over: true, ..Waiting::default() };
        };
        match ended.next_boot(place + 1, numbered(&self.out, place + 1)) {
            Ok(tracer) => {
                qemu::inform(&format!("boot {}: trace {}", place + 1, tracer.args.out.display()));
                _ = next.set(tracer);
                self.present.store(place, Ordering::Release);
                Waiting::default()
            }
            Err(error) => {
                qemu::report(&format!("boot {} of the guest is not traced: {error}", place + 1));
                Waiting { over: true, ..Waiting::default() }
            }
        }
    }
}

impl Tracer {
    /// The tracer of the boot behind this one, which has ended: its number, from 1 on, and its trace. Tables that this
    /// one needs no more are freed.
    fn next_boot(&self, boot: usize, out: PathBuf) -> Result<Self, InstallError> {
        if let (Ok(mut placement), Ok(mut places)) = (self.placement.lock(), self.places.lock()) {
            *placement = Placement::new(Arc::clone(&self.budget));
            *places = Places::new(Arc::clone(&self.budget));
        }
        let mut args = PluginArgs { out, resume: None, save_state: None, ..self.args.clone() };
        args.notes.retain(|(key, _)| key != BOOT);
        args.notes.push((BOOT.to_owned(), boot.to_string()));
        let (profile, clock) = (Arc::clone(&self.profile), Arc::clone(&self.clock));
        let next = tracer(self.guest.clone(), args, profile, clock, None)?;
        if self.mixed.load(Ordering::Relaxed) {
            next.mixed.store(true, Ordering::Relaxed);
            next.note(Severity::Warning, "vcpus", MIXED);
        }
        Ok(next)
    }
}

/// Where the image has a function.
fn address_of(name: &str, profile: &Profile) -> Option<u64> {
    profile.symbols.by_name(name).next().map(|symbol| symbol.addr)
}

/// The file for a boot's trace: `trace.2.iot` beside `trace.iot`.
fn numbered(first: &Path, boot: usize) -> PathBuf {
    match first.extension() {
        Some(extension) => {
            let mut ending = std::ffi::OsString::from(format!("{boot}."));
            ending.push(extension);
            first.with_extension(ending)
        }
        None => {
            let mut name = first.as_os_str().to_owned();
            name.push(format!(".{boot}"));
            name.into()
        }
    }
}

impl Instrument for Boots {
    fn vcpu_started(&self, cpu: &Cpu, told_apart: bool) {
        self.present().vcpu_started(cpu, told_apart);
    }

    fn counted(&self, instructions: u64) {
        self.present().counted(instructions);
    }

    fn block_begun(&self, number: u64) {
        self.present().block_begun(number);
    }

    fn translate(&self, block: &TranslationBlock, cpu: Option<&Cpu>) {
        if let Some(cpu) = cpu {
            self.watch(block.address(), cpu);
        }
        self.present().translate(block, cpu);
    }

    fn flushed(&self) {
        self.present().flushed();
    }

    fn executed(&self, cpu: &Cpu, site: &'static ProbeSite) {
        self.present().executed(cpu, site);
    }

    fn accessed(&self, cpu: &Cpu, access: MemoryAccess, site: &'static ProbeSite) {
        self.present().accessed(cpu, access, site);
    }

    fn interrupted(&self, cpu: &Cpu, from: u64, to: u64) {
        self.present().interrupted(cpu, from, to);
    }

    fn exit(&self, broken: bool) {
        self.present().exit(broken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_boot_has_a_file_of_its_own() {
        let named = |first: &str| numbered(Path::new(first), 2).display().to_string();
        assert_eq!(named("/tmp/a.b/trace.iot"), "/tmp/a.b/trace.2.iot");
        assert_eq!(named("run.3/trace"), "run.3/trace.2");
        assert_eq!(named("x.y.iot"), "x.y.2.iot");
    }
}
