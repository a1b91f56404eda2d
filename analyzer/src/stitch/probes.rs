//! What each probe's words mean, found by their names once, when the probe is defined.

use super::Join;
use crate::hash::Map;
use iotrace_schemas::definition::{At, Probe, Success};
use iotrace_schemas::event::{Event, FIRST_PROBE};
use rustc_hash::{FxHashMap, FxHashSet};
use std::rc::Rc;

/// What a probe tells the stitcher: its stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // named as the catalog's stages
pub enum Signal {
    BioSubmit,
    BioQueue,
    BioSplit,
    BioChain,
    BioEnter,
    BioEnd,
    RqGet,
    RqInit,
    Merge(Join),
    RqMerge,
    RqPlug,
    RqInsert,
    RqInsertMerge,
    RqRequeue,
    RqDispatch,
    RqIssue,
    RqComplete,
    RqAnswered,
    RqSoftirq,
    RqUpdate,
    RqEnd,
    RqFree,
    CmdPrepare,
    CmdDispatch,
    CmdStart,
    CmdDriverDone,
    CmdDone,
    CmdFinish,
    FlushInsert,
    FlushStep,
    FlushEnd,
    IrqEntry,
    IrqHandler,
    IrqDriver,
    PciEnable,
    Vfs(&'static str),
    Syscall,
    CacheWrite,
    TaskWake,
    TaskNew,
    TaskSwitch,
    TaskWait,
    WorkQueue,
    WorkRun,
    TimerStart,
    TimerRun,
    SoftirqRaise,
    SoftirqRun,
    SoftirqBlock,
    SoftirqAction,
    IrqFrame,
    ExcFrame,
    HwRun,
    HwWork,
    HwRequeue,
    HwRestart,
    IssueDirect,
    PlugFlush,
    /// Nothing.
    Other,
}

impl Signal {
    fn of(stage: &str) -> Self {
        match stage {
            "bio.submit" => Self::BioSubmit,
            "bio.queue" => Self::BioQueue,
            "bio.split" => Self::BioSplit,
            "bio.chain" => Self::BioChain,
            "bio.enter" => Self::BioEnter,
            "bio.end" => Self::BioEnd,
            "rq.get" => Self::RqGet,
            "rq.init" => Self::RqInit,
            "merge.back" => Self::Merge(Join::Back),
            "merge.front" => Self::Merge(Join::Front),
            "merge.discard" => Self::Merge(Join::Discard),
            "rq.merge" => Self::RqMerge,
            "rq.plug" => Self::RqPlug,
            "rq.insert" => Self::RqInsert,
            "rq.insert_merge" => Self::RqInsertMerge,
            "rq.requeue" => Self::RqRequeue,
            "rq.dispatch" => Self::RqDispatch,
            "rq.issue" => Self::RqIssue,
            "rq.complete" => Self::RqComplete,
            "rq.answered" => Self::RqAnswered,
            "rq.softirq" => Self::RqSoftirq,
            "rq.update" => Self::RqUpdate,
            "rq.end" => Self::RqEnd,
            "rq.free" => Self::RqFree,
            "cmd.prepare" => Self::CmdPrepare,
            "cmd.dispatch" => Self::CmdDispatch,
            "cmd.start" => Self::CmdStart,
            "cmd.driver_done" => Self::CmdDriverDone,
            "cmd.done" => Self::CmdDone,
            "cmd.finish" => Self::CmdFinish,
            "flush.insert" => Self::FlushInsert,
            "flush.step" => Self::FlushStep,
            "flush.end" => Self::FlushEnd,
            "irq.entry" => Self::IrqEntry,
            "irq.handler" => Self::IrqHandler,
            "irq.driver" => Self::IrqDriver,
            "pci.enable" => Self::PciEnable,
            "vfs.read" => Self::Vfs("vfs.read"),
            "vfs.write" => Self::Vfs("vfs.write"),
            "vfs.fsync" => Self::Vfs("vfs.fsync"),
            "cache.write" => Self::CacheWrite,
            "task.wake" => Self::TaskWake,
            "task.new" => Self::TaskNew,
            "task.switch" => Self::TaskSwitch,
            "work.queue" => Self::WorkQueue,
            "work.run" => Self::WorkRun,
            "timer.start" => Self::TimerStart,
            "timer.run" => Self::TimerRun,
            "softirq.raise" => Self::SoftirqRaise,
            "softirq.run" => Self::SoftirqRun,
            "softirq.block" => Self::SoftirqBlock,
            "irq.frame" => Self::IrqFrame,
            "exc.frame" => Self::ExcFrame,
            "hw.run" | "sq.run" => Self::HwRun,
            "hw.work" => Self::HwWork,
            "hw.requeue" => Self::HwRequeue,
            "hw.restart" => Self::HwRestart,
            "issue.direct" => Self::IssueDirect,
            "plug.flush" | "plug.finish" => Self::PlugFlush,
            _ if stage.starts_with("softirq.") => Self::SoftirqAction,
            _ if stage.starts_with("sys.") => Self::Syscall,
            _ if stage.starts_with("task.wait") => Self::TaskWait,
            _ => Self::Other,
        }
    }
}

macro_rules! fields {
    ($($field:ident = $name:literal,)*) => {
        /// A word that the stitcher looks for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs)] // each is named by its word
        pub enum Field { $($field,)* }

        const NAMES: &[&str] = &[$($name,)*];
    };
}

fields! {
    Bio = "bio", BioDev = "bio.dev", BioSector = "bio.sector", BioSize = "bio.size", BioOp = "bio.op",
    BioStatus = "bio.status", BioTraced = "bio.traced", BioChained = "bio.chained",
    BioRemaining = "bio.remaining", BioEndIo = "bio.end_io", BioPrivate = "bio.private",
    Parent = "parent", Sectors = "sectors",
    Rq = "rq", RqDev = "rq.dev", RqSector = "rq.sector", RqSize = "rq.size", RqOp = "rq.op", RqBio = "rq.bio", RqBiotail = "rq.biotail",
    DataRq = "data.rq", CmdRq = "cmd.rq", CcbRq = "ccb.rq",
    Next = "next", NextSector = "next.sector", NextSize = "next.size", NextOp = "next.op",
    Cmd = "cmd", CcbCmd = "ccb.cmd", CmdResult = "cmd.result",
    Error = "error", Bytes = "bytes", Step = "seq", Vector = "vector", Irq = "desc.irq", Handler = "desc.handler",
    FileIno = "file.ino", FileDev = "file.dev", Count = "count", Position = "pos.value",
    FileName0 = "file.name0", FileName1 = "file.name1", FileName2 = "file.name2", FileName3 = "file.name3",
    Caller = "caller", Fd = "fd", RegsFd = "regs.fd", RegsCount = "regs.count", RegsPos = "regs.pos", Pos = "pos",
    IocbPos = "iocb.pos", IocbIno = "iocb.ino", IocbDev = "iocb.dev", IterCount = "iter.count", Len = "len",
    MappingIno = "mapping.ino", MappingDev = "mapping.dev",
    BioMapping = "bio.page_mapping", BioIndex = "bio.page_index", BioOffset = "bio.page_offset",
    BioPageIno = "bio.page_ino", BioPageDev = "bio.page_dev",
    Task = "task", PrevTask = "prev", NextTask = "next", Work = "work", WorkFunc = "work.func",
    Timer = "timer", TimerFunc = "timer.func", Nr = "nr",
    PciVendor = "pci.vendor", PciDevice = "pci.device",
    Bar0 = "pci.bar0", Bar0End = "pci.bar0_end", Bar1 = "pci.bar1", Bar1End = "pci.bar1_end",
    Bar2 = "pci.bar2", Bar2End = "pci.bar2_end", Bar3 = "pci.bar3", Bar3End = "pci.bar3_end",
    Bar4 = "pci.bar4", Bar4End = "pci.bar4_end", Bar5 = "pci.bar5", Bar5End = "pci.bar5_end",
}

const NONE: u8 = u8::MAX;

#[derive(Debug, Clone)]
struct Known {
    signal: Signal,
    stage: Rc<str>,
    /// Of a system call: its name.
    syscall: Rc<str>,
    at: At,
    function: u16,
    index: [u8; NAMES.len()],
}

/// What is known of a function.
#[derive(Debug)]
struct About {
    name: Rc<str>,
    has_exit: bool,
    success: Option<Success>,
}

/// All probes defined so far.
#[derive(Debug, Default)]
pub struct Probes {
    known: Vec<Option<Rc<Known>>>,
    functions: Map<(String, String, Option<String>), u16>,
    /// By the functions' numbers.
    about: Vec<About>,
    /// Numbers of the modules whose drivers pass commands on.
    modules: Map<Option<String>, u32>,
    /// Those that tell when a command is put into the controller's queue.
    starting: FxHashSet<u32>,
    /// The module of each dispatch function.
    dispatching: FxHashMap<u16, u32>,
}

impl Probes {
    /// Takes in a probe.
    pub fn define(&mut self, probe: &Probe) {
        let Some(at) = probe.id.checked_sub(FIRST_PROBE).map(usize::from) else { return };
        let function = self.function(probe);
        let signal = Signal::of(&probe.stage);
        // One whose command cannot be read in this kernel does not tell which is started.
        let told = |word: &String| ["cmd", "cmd.rq", "ccb.cmd", "ccb.rq"].contains(&word.as_str());
        if signal == Signal::CmdStart && probe.words.iter().any(told) {
            let module = self.module(probe);
            self.starting.insert(module);
        }
        if signal == Signal::CmdDispatch {
            let module = self.module(probe);
            self.dispatching.insert(function, module);
        }
        if probe.at == At::Exit {
            let about = &mut self.about[usize::from(function)];
            (about.has_exit, about.success) = (true, probe.success);
        }
        let stage: Rc<str> = probe.stage.as_str().into();
        let known = Known {
            signal,
            syscall: match signal {
                Signal::Syscall => stage.trim_start_matches("sys.").into(),
                _ => Rc::clone(&stage),
            },
            stage,
            at: probe.at,
            function,
            index: index(&probe.words),
        };
        self.known.resize_with(self.known.len().max(at + 1), || None);
        self.known[at] = Some(Rc::new(known));
    }

    fn function(&mut self, probe: &Probe) -> u16 {
        let next = self.about.len() as u16;
        let key = (probe.function.clone(), probe.symbol.clone(), probe.module.clone());
        let number = *self.functions.entry(key).or_insert(next);
        if number == next {
            self.about.push(About { name: probe.function.as_str().into(), has_exit: false, success: None });
        }
        number
    }

    fn module(&mut self, probe: &Probe) -> u32 {
        let next = self.modules.len() as u32;
        *self.modules.entry(probe.module.clone()).or_insert(next)
    }

    /// The words of an event of a probe; none if it was not defined.
    pub fn words<'a>(&self, event: &Event<'a>) -> Option<Words<'a>> {
        let at = usize::from(event.kind.checked_sub(FIRST_PROBE)?);
        let known = self.known.get(at)?.as_ref()?;
        let has_exit = self.about.get(usize::from(known.function)).is_some_and(|about| about.has_exit);
        Some(Words { known: Rc::clone(known), words: event.words, has_exit })
    }

    /// Name of a function.
    pub fn name(&self, function: u16) -> Rc<str> {
        self.about.get(usize::from(function)).map_or_else(|| Rc::from(""), |about| Rc::clone(&about.name))
    }

    /// Whether the value that a function returned means success; without such a meaning it always does.
    pub fn succeeded(&self, function: u16, returned: Option<u64>) -> bool {
        match (self.about.get(usize::from(function)).and_then(|about| about.success), returned) {
            (Some(success), Some(value)) => success.holds(value),
            _ => true,
        }
    }

    /// Whether the driver with this dispatch function tells when it starts a command.
    pub fn tells_start(&self, function: u16) -> bool {
        self.dispatching.get(&function).is_some_and(|module| self.starting.contains(module))
    }
}

fn index(words: &[String]) -> [u8; NAMES.len()] {
    let mut index = [NONE; NAMES.len()];
    for (to, name) in index.iter_mut().zip(NAMES) {
        *to = words.iter().position(|word| word == name).map_or(NONE, |at| at as u8);
    }
    index
}

/// The words of one event, by name.
#[derive(Debug)]
pub struct Words<'a> {
    known: Rc<Known>,
    words: &'a [u64],
    has_exit: bool,
}

impl Words<'_> {
    /// A word; none if the probe has none of that name.
    pub fn get(&self, field: Field) -> Option<u64> {
        self.words.get(usize::from(self.known.index[field as usize])).copied()
    }

    /// The request that the event is about, whichever argument leads to it.
    pub fn request(&self) -> Option<u64> {
        [Field::Rq, Field::CmdRq, Field::DataRq, Field::CcbRq]
            .into_iter()
            .find_map(|field| self.get(field))
            .filter(|rq| *rq != 0)
    }

    /// The command that the event is about.
    pub fn command(&self) -> Option<u64> {
        self.get(Field::Cmd).or(self.get(Field::CcbCmd)).filter(|cmd| *cmd != 0)
    }

    /// What it tells.
    pub fn signal(&self) -> Signal {
        self.known.signal
    }

    /// Entry or exit.
    pub fn at(&self) -> At {
        self.known.at
    }

    /// Number of the function: the same for its entry and its exits.
    pub fn function(&self) -> u16 {
        self.known.function
    }

    /// Whether the function's exits are probed as well.
    pub fn has_exit(&self) -> bool {
        self.has_exit
    }

    /// Its stage in the catalog.
    pub fn stage(&self) -> Rc<str> {
        Rc::clone(&self.known.stage)
    }

    /// Of a system call: its name, as `write`.
    pub fn syscall(&self) -> Rc<str> {
        Rc::clone(&self.known.syscall)
    }

    /// The first of several words that the probe has.
    pub fn any<const N: usize>(&self, fields: [Field; N]) -> Option<u64> {
        fields.into_iter().find_map(|field| self.get(field))
    }
}
