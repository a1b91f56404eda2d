//! Puts the parts together: what QEMU reports becomes places, records and definitions.

mod boots;
mod ending;
mod error;
mod modules;
mod others;
mod placement;
mod preface;
mod profile;
mod resuming;

use crate::args::{MmioScope, PluginArgs};
use crate::budget::Budget;
use crate::clock::GuestClock;
use crate::follow::follow;
use crate::guest::{self, Search};
use crate::instrument::{Fixed, Places, count};
use crate::pending::Pending;
use crate::qemu::{self, Cpu, GuestInfo, Icount, Instrument, MemoryAccess, PerVcpu, TranslationBlock};
use crate::record::{AddressCaches, Recorder, Undefined, subject};
use crate::session::{SessionState, SessionSwitch};
use crate::site::{EntryProbe, ExitProbe, KernelFunction, ProbeSite};
use crate::state::Resumed;
use crate::window::Window;
use crate::writer::Writer;
use boots::Boots;
use ending::MIXED;
use error::InstallError;
use iotrace_arch::{Arch, Exception};
use iotrace_format::definition::{Definition, Layout, Note, Severity, TraceInfo};
use iotrace_format::event::{self, KindId, ShutdownReason};
use iotrace_profile::{Action, Profile, summary};
use placement::Placement;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// The tracer of one boot of the guest.
struct Tracer {
    args: PluginArgs,
    guest: GuestInfo,
    profile: Arc<Profile>,
    clock: Arc<GuestClock>,
    writer: Arc<Writer>,
    recorders: PerVcpu<Recorder>,
    addresses: Arc<AddressCaches>,
    places: Mutex<Places>,
    placement: Mutex<Placement>,
    budget: Arc<Budget>,
    fixed: Fixed,
    pending: Pending,
    window: Window,
    /// The task whose name changes, or did last.
    renaming: AtomicU64,
    session: SessionSwitch,
    /// The vCPU on which the kernel has ended, and why.
    shut_down: OnceLock<(u32, ShutdownReason)>,
    /// It has not, as it turned out.
    went_on: AtomicBool,
    /// What was known of the guest at the snapshot that it goes on from, until that is used.
    resumed: Mutex<Option<Resumed>>,
    /// Events may be of another vCPU than they say.
    mixed: AtomicBool,
    /// Events that no vCPU's recorder could take.
    missing: AtomicU64,
    /// Modules whose symbols could not be read.
    unreadable: AtomicU64,
    /// Bits of what was found to differ from the plugin API.
    fallbacks: AtomicU8,
    /// The trace is written to its end.
    closed: AtomicBool,
}

/// Prepares the tracing: called once, when QEMU loads the plugin.
///
/// # Errors
/// [`InstallError`]; QEMU then does not start.
pub fn install(guest: GuestInfo, args: &[String]) -> Result<Box<dyn Instrument>, InstallError> {
    let Some(arch) = Arch::named(&guest.target).filter(|_| guest.system) else {
        return Err(InstallError::Guest { target: guest.target, system: guest.system });
    };
    qemu::set_arch(arch);
    let args = PluginArgs::parse(args)?;
    let profile = profile::load(&args)?;
    if profile.arch != arch.name {
        return Err(InstallError::Arch { guest: arch.name, profile: profile.arch });
    }
    args.capture.check(&profile)?;
    let resumed = args.resume.as_deref().map(Resumed::read).transpose()?;
    qemu::inform(&summary::summary(&profile).to_string());
    let clock = Arc::new(GuestClock::new(guest.max_vcpus));
    Ok(Box::new(Boots::new(tracer(guest, args, Arc::new(profile), clock, resumed)?)))
}

fn tracer(
    guest: GuestInfo,
    args: PluginArgs,
    profile: Arc<Profile>,
    clock: Arc<GuestClock>,
    resumed: Option<Resumed>,
) -> Result<Tracer, InstallError> {
    let writer = Arc::new(Writer::start(&args.out)?);
    let addresses = Arc::new(AddressCaches::new());
    let recorder = |i| Recorder::new(i, Arc::clone(&writer), Arc::clone(&addresses));
    let recorders = PerVcpu::new(guest.max_vcpus, recorder);
    let window = Window::new(args.capture.window.as_ref());
    let budget = Arc::new(Budget::new(args.memory));
    Ok(Tracer {
        args,
        guest,
        profile,
        clock,
        writer,
        recorders,
        addresses,
        places: Mutex::new(Places::new(Arc::clone(&budget))),
        placement: Mutex::new(Placement::new(Arc::clone(&budget))),
        budget,
        fixed: Fixed::new(),
        pending: Pending::new(),
        window,
        renaming: AtomicU64::new(0),
        session: SessionSwitch::default(),
        shut_down: OnceLock::new(),
        went_on: AtomicBool::new(false),
        resumed: Mutex::new(resumed),
        mixed: AtomicBool::new(false),
        missing: AtomicU64::new(0),
        unreadable: AtomicU64::new(0),
        fallbacks: AtomicU8::new(0),
        closed: AtomicBool::new(false),
    })
}

impl Tracer {
    fn record(&self, cpu: &Cpu, code: impl FnOnce(&mut Recorder)) {
        let full = self.recorders.with(cpu.index(), |recorder| {
            code(recorder);
            recorder.was_full(cpu)
        });
        match full {
            // The blocks of all vCPUs stand near one another in the file: a reader merges them by clock.
            Some(true) => self.flush(),
            Some(false) => {}
            None => _ = self.missing.fetch_add(1, Ordering::Relaxed),
        }
        if self.writer.failed() {
            self.session.stop();
        }
    }

    /// Looks for the kernel in guest memory while it is not known.
    fn search(&self, cpu: &Cpu, address: u64) {
        if self.args.resume.is_some() {
            return self.resume(cpu);
        }
        if !cpu.arch().memory.images.contains(&address) {
            return;
        }
        let is_last = self.session.count_try();
        match guest::find_kernel(&self.profile, cpu) {
            Search::Found(slide) => self.begin(slide, cpu),
            Search::Other(other) => self.wrong_kernel(&other),
            Search::Nothing if is_last => self.wrong_kernel("unknown"),
            Search::Nothing => {}
        }
    }

    /// The kernel is there, before its first block is translated: everything in its image is placed and defined.
    fn begin(&self, slide: u64, cpu: &Cpu) {
        let (Ok(mut placement), Ok(mut places)) = (self.placement.lock(), self.places.lock()) else { return };
        if self.session.state() != SessionState::Searching {
            // Another vCPU has found it meanwhile.
            return;
        }
        let icount = self.found(slide);
        let definitions = placement.place_image(&self.profile, &self.args.capture, slide, &mut places, cpu);
        self.writer.define(definitions);
        self.begin_recorders(slide, icount);
        self.session.found(self.args.capture.from.is_none());
    }

    /// The kernel was found, moved by this many bytes: the clock goes on from QEMU's own, and the trace is defined.
    fn found(&self, slide: u64) -> Option<Icount> {
        let icount = self.clock.icount();
        icount.into_iter().for_each(|icount| self.clock.follow(icount));
        self.define_trace(slide, icount.map(|icount| icount.shift()));
        icount
    }

    fn begin_recorders(&self, slide: u64, icount: Option<Icount>) {
        for vcpu in self.recorders.indices() {
            let context = self.profile.context.moved(slide, qemu::arch());
            let only = self.args.capture.only.clone();
            self.recorders.with(vcpu, |r| r.begin(context, only, icount));
        }
    }

    fn define_trace(&self, slide: u64, icount_shift: Option<u8>) {
        let info = TraceInfo {
            writer: concat!("iotrace ", env!("CARGO_PKG_VERSION")).into(),
            target: self.guest.target.clone(),
            plugin_api: self.guest.api,
            vcpus: self.guest.vcpus as u32,
            icount_shift,
            banner: self.profile.banner.clone(),
            build_id: self.profile.build_id.clone(),
            slide,
            notes: self.args.notes.clone(),
            layout: Layout::of(&qemu::arch().memory),
        };
        self.writer.define(vec![Definition::Trace(info)]);
    }

    fn note(&self, severity: Severity, topic: &str, text: &str) {
        self.writer.define(vec![Definition::Note(Note { severity, topic: topic.into(), text: text.into() })]);
    }

    fn enter(&self, cpu: &Cpu, clock: u64, entry: &EntryProbe) {
        if let Some(exit) = entry.exit {
            self.pending.enter(cpu.stack(), exit);
        }
        let mut undefined = [None; 2];
        self.record(cpu, |r| {
            r.entry(cpu, clock, entry);
            undefined = r.take_undefined();
        });
        undefined.into_iter().flatten().for_each(|address| self.define_address(address));
        self.act(cpu, clock, entry);
        if entry.action == Action::TaskBegin && self.records(clock) {
            self.record(cpu, |r| r.task(cpu, clock, subject(cpu, entry)));
        }
    }

    /// A function is entered that is not of the catalog.
    fn enter_other(&self, cpu: &Cpu, clock: u64, function: &KernelFunction) {
        let Some((kind, exit)) = *function.probe.get_or_init(|| self.define_other(function)) else { return };
        self.pending.enter(cpu.stack(), exit);
        self.record(cpu, |r| r.function(cpu, clock, kind));
    }

    fn define_other(&self, function: &KernelFunction) -> Option<(KindId, ExitProbe)> {
        let (numbers, definitions) = self.placement.lock().ok()?.number_other(function);
        self.writer.define(definitions);
        numbers
    }

    /// Whether events are recorded at this clock: the beginning was met, and it is in the window.
    fn records(&self, clock: u64) -> bool {
        self.session.state() == SessionState::Recording && self.window.contains(clock)
    }

    /// Whether an event is recorded: the beginning was met, or this is it. Before that, and outside of the window,
    /// only what has to be known later is.
    fn begins(&self, cpu: &Cpu, clock: u64, site: &'static ProbeSite) -> bool {
        if self.records(clock) {
            return true;
        }
        match site {
            ProbeSite::Entry(entry) => {
                let first = self.session.state() == SessionState::Armed && self.window.contains(clock);
                let fulfilled = entry.begins.as_ref().filter(|_| first).and_then(|tests| {
                    self.recorders.with(cpu.index(), |recorder| recorder.begins(cpu, entry, tests))
                });
                if fulfilled == Some(true) {
                    self.session.begin();
                    return true;
                }
                if !entry.lasting {
                    self.act(cpu, clock, entry);
                }
                entry.lasting
            }
            // Marks: where the workload begins and ends.
            ProbeSite::Mark => true,
            _ => false,
        }
    }

    /// What the plugin does itself when a function is entered.
    fn act(&self, cpu: &Cpu, clock: u64, entry: &EntryProbe) {
        match entry.action {
            Action::Record => {}
            Action::ModuleLoad => self.module_loaded(cpu, clock, subject(cpu, entry)),
            Action::ModuleUnload => self.module_unloaded(cpu, clock, subject(cpu, entry)),
            // After the record of this entry, which still has the task under its old name.
            Action::TaskBegin | Action::TaskRename => {
                let task = subject(cpu, entry);
                self.renaming.store(task, Ordering::Relaxed);
                self.addresses.forget_task(task);
                let stack = self.profile.context.stack.as_ref().filter(|_| entry.action == Action::TaskBegin);
                if let Some(stack) = stack.and_then(|stack| follow(stack, task, cpu)) {
                    self.pending.forget(stack..stack.saturating_add(cpu.arch().memory.stack_size));
                }
            }
            Action::Shutdown(reason) => self.shutdown(cpu, clock, reason),
            // Done before the clock was read.
            Action::Fault => {}
        }
    }

    /// Defines an address that an event mentions for the first time.
    fn define_address(&self, address: Undefined) {
        let Ok(mut placement) = self.placement.lock() else { return };
        let definition = match address {
            Undefined::Symbol(address) => placement.new_symbol(&self.profile, address),
            Undefined::Site(address) => placement.new_site(&self.profile, address),
        };
        if let Some(definition) = definition {
            self.writer.define(vec![definition]);
        }
    }

    /// An open call returns, if there is one whose return address lies at `stack`.
    fn leave(&self, cpu: &Cpu, clock: u64, stack: u64) {
        if let Some(exit) = self.pending.leave(stack) {
            let renamed = exit.renames.then(|| self.renaming.load(Ordering::Relaxed));
            // It may have been named again by its old name meanwhile.
            renamed.into_iter().for_each(|task| self.addresses.forget_task(task));
            self.record(cpu, |r| {
                renamed.into_iter().for_each(|task| r.task(cpu, clock, task));
                r.exit(cpu, clock, stack, exit);
            });
        }
    }

    /// QEMU does not count an instruction whose access to memory faults, nor those behind it; the inline count has
    /// counted them. One that could not be fetched was not translated, and so not counted by either.
    fn fault(&self, cpu: &Cpu) {
        if !self.clock.counts() {
            return;
        }
        if let Exception::Access(pc) = cpu.arch().code.fault(cpu) {
            self.clock.set_back(1);
            self.left_block(cpu, pc);
        }
    }

    /// A block was left at the instruction at `pc`.
    fn left_block(&self, cpu: &Cpu, pc: u64) {
        if !self.clock.counts() {
            return;
        }
        if let Ok(places) = self.places.lock() {
            self.clock.left_block(&places, cpu, pc);
        }
    }
}

impl Instrument for Tracer {
    fn vcpu_started(&self, cpu: &Cpu, told_apart: bool) {
        if !cpu.prepare() {
            self.note(Severity::Error, "registers", "QEMU does not provide all registers that are needed");
            qemu::report("QEMU does not provide all registers that are needed: arguments will be missing");
        }
        if !told_apart && !self.mixed.swap(true, Ordering::Relaxed) {
            self.note(Severity::Warning, "vcpus", MIXED);
            qemu::report(MIXED);
        }
    }

    fn counted(&self, instructions: u64) {
        self.clock.counter().add(instructions);
    }

    fn block_begun(&self, number: u64) {
        self.clock.counter().enter_block(number);
    }

    fn translate(&self, block: &TranslationBlock, cpu: Option<&Cpu>) {
        let state = self.session.state();
        if state == SessionState::Stopped {
            // The clock goes on for the next boot.
            if self.has_shut_down() && self.clock.counts() {
                count(block, self.clock.counter());
            }
            return;
        }
        let searching = state == SessionState::Searching;
        if let Some(back) = (!searching).then(|| self.clock.gone_back(|| self.last_event())).flatten() {
            return self.end_in_the_past(back);
        }
        if let Some(cpu) = cpu.filter(|_| searching) {
            self.search(cpu, block.address());
        }
        if !self.session.is_active() {
            // The count goes on from QEMU's own once the kernel is there. QEMU keeps blocks by where they lie in
            // memory: some of the kernel's are first executed, and translated, at other addresses than its own.
            if self.clock.counts() {
                count(block, self.clock.counter());
            }
        } else if let Ok(mut places) = self.places.lock() {
            places.instrument(block, &self.clock, &self.fixed, cpu);
        }
        self.tell_of_memory();
        self.tell_of_fallbacks();
    }

    fn flushed(&self) {
        self.clock.flushed();
        if let Ok(mut places) = self.places.lock() {
            places.flushed();
        }
    }

    fn executed(&self, cpu: &Cpu, site: &'static ProbeSite) {
        if matches!(site, ProbeSite::Entry(entry) if entry.action == Action::Fault) {
            self.fault(cpu);
        }
        if !self.session.is_active() {
            if matches!(site, ProbeSite::Entry(entry) if entry.action == Action::TaskBegin) {
                self.goes_on(cpu);
            }
            return;
        }
        // What most calls and jumps lead to is no return of an open call.
        let closes = match site {
            ProbeSite::Return => Some(cpu.stack()),
            // The return has taken its address from the stack.
            ProbeSite::Behind => Some(cpu.stack().wrapping_sub(cpu.arch().registers.return_slot)),
            _ => None,
        };
        if closes.is_some_and(|stack| !self.pending.is_open(stack)) {
            return;
        }
        let clock = self.clock.before(cpu);
        if !self.begins(cpu, clock, site) {
            return;
        }
        if let Some(stack) = closes {
            return self.leave(cpu, clock, stack);
        }
        match site {
            ProbeSite::Entry(entry) => self.enter(cpu, clock, entry),
            ProbeSite::Function(function) => self.enter_other(cpu, clock, function),
            ProbeSite::ExceptionReturn => {
                let to = cpu.arch().code.returns_to(cpu);
                self.record(cpu, |r| r.builtin(cpu, clock, event::EXCEPTION_RETURN, &[to]));
            }
            ProbeSite::Halt => self.record(cpu, |r| r.builtin(cpu, clock, event::IDLE, &[])),
            ProbeSite::Mark => {
                if let Some(words) = cpu.arch().code.mark(cpu) {
                    self.record(cpu, |r| r.builtin(cpu, clock, event::MARK, &words));
                    self.marked(words[0], clock);
                }
            }
            ProbeSite::Return | ProbeSite::Behind | ProbeSite::Device { .. } => {}
        }
    }

    fn accessed(&self, cpu: &Cpu, access: MemoryAccess, site: &'static ProbeSite) {
        let ProbeSite::Device { pc, record } = *site else { return };
        self.left_block(cpu, pc);
        if !self.session.is_active() {
            return;
        }
        let count = self.clock.icount().map(|icount| icount.read());
        if let Some(back) = self.clock.gone_back_at_access(count.map(|(executed, _)| executed)) {
            return self.end_in_the_past(back);
        }
        let mut clock = self.clock.before(cpu);
        self.record(cpu, |r| {
            let drift = count.map_or(0, |(executed, now)| r.synchronize(clock, executed, now));
            self.clock.set_back(drift);
            clock = clock.wrapping_sub(drift.cast_unsigned());
            if record && self.args.capture.mmio != MmioScope::None && self.records(clock) {
                r.device(cpu, clock, access, pc);
            }
        });
    }

    fn interrupted(&self, cpu: &Cpu, from: u64, to: u64) {
        if !self.session.is_active() || !self.args.capture.interrupts {
            return;
        }
        // Between instructions: the one before is counted, there is none in execution.
        let clock = self.clock.now(cpu);
        if self.records(clock) {
            self.record(cpu, |r| r.builtin(cpu, clock, event::INTERRUPT, &[from, to]));
        }
    }

    fn exit(&self, broken: bool) {
        self.finish(broken);
    }
}

#[cfg(test)]
mod tests;
