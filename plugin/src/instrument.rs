//! Translation time: decides what is attached to an instruction.
//!
//! In: places (functions, returns, code that accesses devices), a block that QEMU translates. Out: sites
//! attached to its instructions. Those that are no such place are counted together at the first of them, if translated
//! code has to count.

use crate::blocks::Blocks;
use crate::budget::{Budget, Kept};
use crate::clock::GuestClock;
use crate::qemu::{self, Counter, Cpu, Instruction, TranslationBlock};
use crate::site::ProbeSite;
use iotrace_arch::{Callee, Code, InstructionKind};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A range of code: one past its last address, and what is known of it.
#[derive(Debug)]
struct Range<T> {
    end: u64,
    what: T,
}

/// Where sites are.
#[derive(Debug, Default)]
pub struct Places {
    /// At one address there may be a function and instances inlined at its very beginning, in this order.
    entries: FxHashMap<u64, Vec<&'static ProbeSite>>,
    /// Code of the functions whose returns are recorded.
    code: BTreeMap<u64, Range<()>>,
    devices: BTreeMap<u64, Range<bool>>,
    /// All code of the kernel may access devices, and all such accesses are recorded.
    all_devices: bool,
    /// Functions whose returns are recorded and that may end in a jump to another one.
    leaving: FxHashSet<u64>,
    /// Where functions jump to in order to return.
    return_thunks: FxHashSet<u64>,
    /// Functions that end in a jump to a probed one that may end in another.
    jumpers: FxHashSet<u64>,
    /// What functions call in order to call through a pointer.
    call_thunks: FxHashSet<u64>,
    /// Code that calls some of the functions through pointers, and whose own returns are not recorded.
    callers: BTreeMap<u64, Range<()>>,
    /// Modules that have some of the functions: whatever is in them may call those through pointers.
    modules: BTreeMap<u64, Range<()>>,
    /// Where the kernel is entered and left: an exception return elsewhere only serializes the processor.
    entry_text: std::ops::Range<u64>,
    /// Sites of instructions that may access devices, by address: blocks are translated more than once.
    device_sites: FxHashMap<u64, &'static ProbeSite>,
    blocks: Blocks,
    budget: Arc<Budget>,
}

/// Bytes of code that are looked through at once: more than any module has.
const LOOKED_THROUGH: u64 = 256 << 20;
/// No call has more bytes.
const LONGEST: usize = 16;
/// Bytes of the budget for an instruction that may access a device.
const DEVICE: usize = 192;

/// What is attached to an instruction.
#[derive(Debug, Clone, Copy)]
enum Attached {
    /// To its execution.
    Execution(&'static ProbeSite),
    /// To its accesses to devices.
    Access(&'static ProbeSite),
}

impl Places {
    /// Nowhere; there is room for what the budget has.
    pub fn new(budget: Arc<Budget>) -> Self {
        Self { blocks: Blocks::new(Arc::clone(&budget)), budget, ..Self::default() }
    }

    /// Addresses a jump to which stands for a return, and a call of which for a call through a pointer.
    pub fn set_thunks(&mut self, returns: FxHashSet<u64>, calls: FxHashSet<u64>) {
        (self.return_thunks, self.call_thunks) = (returns, calls);
    }

    /// Adds those of some functions that end in a jump to one that may itself end in a jump. What another one ends in
    /// is a return, and seen there.
    pub fn add_jumpers(&mut self, functions: &[std::ops::Range<u64>], cpu: &Cpu) {
        let mut kept = 0;
        let mut rest = Vec::new();
        let some = looked_through(functions);
        self.budget.leave_out(Kept::Code, (functions.len() - some.len()) as u64);
        for function in some {
            let code = cpu.code(function).unwrap_or_default();
            let jumps = cpu.arch().code.jumps(&code, function.start);
            let bytes = jumps.len() * size_of::<u64>();
            // Most functions have none.
            if bytes != 0 && self.budget.take(Kept::Code, bytes) {
                kept += bytes;
                rest.push((function.start, Vec::from_iter(jumps.into_iter().map(|(_, to)| to))));
            }
        }
        loop {
            let leads_out = |to: &u64| self.leaving.contains(to) || self.jumpers.contains(to);
            let (found, others): (Vec<_>, Vec<_>) =
                rest.into_iter().partition(|(_, targets)| targets.iter().any(leads_out));
            if found.is_empty() {
                break;
            }
            self.jumpers.extend(found.into_iter().map(|(start, _)| start));
            rest = others;
        }
        self.budget.give_back(kept);
    }

    /// Functions that call some of those whose returns are recorded through pointers.
    pub fn add_callers(&mut self, functions: impl Iterator<Item = std::ops::Range<u64>>) {
        self.callers.extend(functions.map(|f| (f.start, Range { end: f.end, what: () })));
    }

    /// The text of a module that has functions whose returns are recorded.
    pub fn add_module(&mut self, text: std::ops::Range<u64>) {
        self.modules.insert(text.start, Range { end: text.end, what: () });
    }

    /// The code through which the kernel is entered and left.
    pub fn set_entry_text(&mut self, range: std::ops::Range<u64>) {
        self.entry_text = range;
    }

    /// The first instruction of a function or of an inlined instance.
    pub fn add_entry(&mut self, address: u64, site: &'static ProbeSite) {
        self.entries.entry(address).or_default().push(site);
    }

    /// The first instruction of a function, before what is inlined there.
    pub fn add_function(&mut self, address: u64, site: &'static ProbeSite) {
        self.entries.entry(address).or_default().insert(0, site);
    }

    /// Whether the kernel is entered or left through the code at an address.
    pub fn is_entry_text(&self, address: u64) -> bool {
        self.entry_text.contains(&address)
    }

    /// Functions whose returns are recorded, where one that they jump to is mostly another of them: its return is
    /// that of both.
    pub fn add_functions(&mut self, functions: &[std::ops::Range<u64>], cpu: &Cpu) {
        for function in functions {
            self.code.insert(function.start, Range { end: function.end, what: () });
        }
        let (some, others) = functions.split_at(looked_through(functions).len());
        for function in some {
            if self.may_leave(std::slice::from_ref(function), cpu, |to| self.code.contains_key(&to)) {
                self.leaving.insert(function.start);
            }
        }
        self.leaving.extend(others.iter().map(|function| function.start));
        self.add_jumpers(functions, cpu);
    }

    /// A function whose returns are recorded: its code, which may be in several parts, the one that begins with its
    /// entry first.
    pub fn add_code(&mut self, parts: &[std::ops::Range<u64>], cpu: &Cpu) {
        for part in parts {
            self.code.insert(part.start, Range { end: part.end, what: () });
        }
        if self.may_leave(parts, cpu, |_| false) {
            self.leaving.extend(parts.first().map(|part| part.start));
        }
    }

    /// Whether a function may end in a jump to where its return is not seen.
    fn may_leave(&self, parts: &[std::ops::Range<u64>], cpu: &Cpu, is_seen: impl Fn(u64) -> bool) -> bool {
        let inside = |to: u64| {
            self.return_thunks.contains(&to) || parts.iter().any(|part| part.contains(&to)) || is_seen(to)
        };
        parts.iter().any(|part| {
            let code = cpu.code(part);
            code.is_none_or(|code| {
                code.is_empty() || cpu.arch().code.may_jump_out(&code, part.start, &inside)
            })
        })
    }

    /// Code that accesses devices.
    pub fn add_device_code(&mut self, start: u64, end: u64, record: bool) {
        self.devices.insert(start, Range { end, what: record });
    }

    /// All code of the kernel accesses devices.
    pub fn add_all_device_code(&mut self) {
        self.all_devices = true;
        self.device_sites.clear();
    }

    /// Whether a function or an inlined instance begins at an address.
    #[cfg(test)]
    pub fn has_entry(&self, address: u64) -> bool {
        self.entries.contains_key(&address)
    }

    /// Forgets everything at some addresses: their module is gone.
    pub fn remove(&mut self, is_gone: impl Fn(u64) -> bool) {
        self.entries.retain(|address, _| !is_gone(*address));
        self.code.retain(|address, _| !is_gone(*address));
        self.leaving.retain(|address| !is_gone(*address));
        self.jumpers.retain(|address| !is_gone(*address));
        self.devices.retain(|address, _| !is_gone(*address));
        self.modules.retain(|address, _| !is_gone(*address));
        // Sites of instructions that access devices stay: the next module may be there.
    }

    /// Attaches what belongs to the instructions of a block.
    pub fn instrument(
        &mut self,
        block: &TranslationBlock,
        clock: &GuestClock,
        fixed: &Fixed,
        cpu: Option<&Cpu>,
    ) {
        let attached = self.attached(block, fixed, cpu, clock.counts());
        if clock.counts() {
            self.count_runs(block, &attached, clock.counter());
            return;
        }
        let last = block.instructions().len().wrapping_sub(1);
        for (at, what) in attached {
            let (instruction, behind) = (block.instruction(at), (last - at) as u64);
            match what {
                Attached::Execution(site) => {
                    instruction.tell_behind(clock.counter(), behind);
                    instruction.on_execution(site);
                }
                Attached::Access(site) => {
                    instruction.tell_behind_access(clock.counter(), behind);
                    instruction.on_access(site);
                }
            }
        }
    }

    /// Has the instructions of a block counted in runs that end where something is attached.
    fn count_runs(&mut self, block: &TranslationBlock, attached: &[(usize, Attached)], counter: &Counter) {
        let Some(last) = block.instructions().len().checked_sub(1) else { return };
        let ends_run = |at: usize| at == last || attached.iter().any(|(place, _)| *place == at);
        let lengths = block.instructions().enumerate().map(|(at, i)| (i.bytes().1 as u8, ends_run(at)));
        let number = self.blocks.add(block.address(), lengths);
        let mut begin = 0;
        for end in (0..=last).filter(|at| ends_run(*at)) {
            // The count comes first: a callback finds its own instruction counted, and none behind it.
            block.instruction(begin).count(counter, (end + 1 - begin) as u64);
            begin = end + 1;
            for (_, what) in attached.iter().filter(|(place, _)| *place == end) {
                match what {
                    Attached::Execution(site) => block.instruction(end).on_execution(site),
                    Attached::Access(site) => block.instruction(end).on_access(site),
                }
            }
        }
        // Behind the callbacks: that of a fault's handler looks for the block that was left.
        block.instruction(0).tell_block(counter, number);
    }

    /// How many instructions behind the one at `pc` were counted in advance in a block that was left there.
    pub fn counted_behind(&self, block: u64, pc: u64) -> u64 {
        self.blocks.rest(block, pc)
    }

    /// QEMU has thrown all translated blocks away.
    pub fn flushed(&mut self) {
        self.blocks.flush();
    }

    /// What is attached to the instructions of a block: in their order, by their place in it.
    fn attached(
        &mut self,
        block: &TranslationBlock,
        fixed: &Fixed,
        cpu: Option<&Cpu>,
        counts: bool,
    ) -> Vec<(usize, Attached)> {
        let (mut attached, arch) = (Vec::new(), qemu::arch());
        let kernel = arch.memory.is_kernel(block.address());
        // A call ends its block: the address behind it can only be the first of another one.
        if kernel && cpu.is_some_and(|cpu| self.follows_call(block.address(), cpu)) {
            attached.push((0, Attached::Execution(fixed.behind)));
        }
        let last = block.instructions().len().wrapping_sub(1);
        let devices = kernel && self.accesses_devices(block);
        let mut address = block.address();
        for (at, instruction) in block.instructions().enumerate() {
            let length = instruction.length();
            if let Some(sites) = self.entries.get(&address) {
                attached.extend(sites.iter().map(|site| (at, Attached::Execution(site))));
            }
            // Asking for the bytes of an instruction takes longer than all else that is done with most of them.
            if at == last || devices || arch.code.may_be_mark(length) {
                let (bytes, length) = instruction.bytes();
                let what = self.by_bytes(address, &bytes[..length], kernel, devices, arch.code, fixed);
                attached.extend(what.map(|what| (at, what)));
            }
            address = address.wrapping_add(length as u64);
        }
        if counts && attached.is_empty() && block.instructions().len() == 1 {
            attached.extend(self.alone(&block.instruction(0), kernel, arch.code).map(|what| (0, what)));
        }
        attached
    }

    /// QEMU translates an instruction that accesses a device anew, alone in a block, if it was not the last of its
    /// block: there the clock can be compared wherever the access was made.
    fn alone(&mut self, instruction: &Instruction, kernel: bool, code: &dyn Code) -> Option<Attached> {
        let (bytes, length) = instruction.bytes();
        let bytes = &bytes[..length];
        let may = code.may_be_left_early(bytes) && (!kernel || code.may_access_device(bytes));
        may.then(|| self.device_site(instruction.address(), false).map(Attached::Access)).flatten()
    }

    /// What is attached to an instruction for what it does. All but marks and accesses are the last of their block.
    fn by_bytes(
        &mut self,
        address: u64,
        bytes: &[u8],
        kernel: bool,
        devices: bool,
        code: &dyn Code,
        fixed: &Fixed,
    ) -> Option<Attached> {
        let returns = || at(&self.code, address).map(|()| Attached::Execution(fixed.returns));
        match code.instruction(bytes, address) {
            InstructionKind::Mark => Some(Attached::Execution(fixed.mark)),
            _ if !kernel => None,
            InstructionKind::Halt => Some(Attached::Execution(fixed.halt)),
            // Elsewhere the kernel returns so to itself, to serialize the processor.
            InstructionKind::ExceptionReturn
                if self.entry_text.contains(&address) || at(&self.callers, address).is_some() =>
            {
                Some(Attached::Execution(fixed.exception_return))
            }
            InstructionKind::Return => returns(),
            InstructionKind::Jump(to) if self.return_thunks.contains(&to) => returns(),
            _ if devices && code.may_access_device(bytes) => {
                let known = at(&self.devices, address).copied();
                let record = if self.all_devices { Some(true) } else { known };
                self.device_site(address, record?).map(Attached::Access)
            }
            _ => None,
        }
    }

    /// Whether some code of a block accesses devices.
    fn accesses_devices(&self, block: &TranslationBlock) -> bool {
        let last = block.instructions().next_back().map_or(block.address(), |last| last.address());
        self.all_devices || overlapping(&self.devices, block.address(), last).is_some()
    }

    /// The site of an instruction that may access a device; none if there is no room for it.
    fn device_site(&mut self, pc: u64, record: bool) -> Option<&'static ProbeSite> {
        let is_same =
            |site: &&&ProbeSite| matches!(site, ProbeSite::Device { record: old, .. } if *old == record);
        if let Some(site) = self.device_sites.get(&pc).filter(is_same) {
            return Some(site);
        }
        self.budget.take(Kept::Device, DEVICE).then(|| {
            let site = ProbeSite::Device { pc, record }.keep();
            self.device_sites.insert(pc, site);
            site
        })
    }
}

/// The first of some functions, whose code together is not too much to be looked through.
fn looked_through(functions: &[std::ops::Range<u64>]) -> &[std::ops::Range<u64>] {
    let sums = functions.iter().scan(0_u64, |sum, function| {
        *sum = sum.saturating_add(function.end.saturating_sub(function.start));
        Some(*sum)
    });
    &functions[..sums.take_while(|sum| *sum <= LOOKED_THROUGH).count()]
}

impl Places {
    /// Whether the bytes before `address` are a call of a probed function that may end in a jump, or a call through a
    /// pointer in a probed function, a known caller or a module that has probed functions. What is no call and looks
    /// like one does no harm: no open call returns there.
    fn follows_call(&self, address: u64, cpu: &Cpu) -> bool {
        let code = cpu.arch().code;
        let mut bytes = [0; LONGEST];
        let Some(before) = bytes.get_mut(..code.longest_call()) else { return false };
        if !cpu.read(address.wrapping_sub(before.len() as u64), before) {
            return false;
        }
        let before_it = address.wrapping_sub(1);
        let probed =
            || [&self.code, &self.callers, &self.modules].iter().any(|of| at(of, before_it).is_some());
        match code.call_before(before, address) {
            Some(Callee::Address(target)) => {
                let leaves = |to: u64| self.leaving.contains(&to) || self.jumpers.contains(&to);
                leaves(target)
                    || leaves(code.behind_padding(target))
                    || self.call_thunks.contains(&target) && probed()
            }
            Some(Callee::Pointer) => probed(),
            None => false,
        }
    }
}

/// Counts the instructions of a block, and does nothing else.
pub fn count(block: &TranslationBlock, counter: &Counter) {
    let mut instructions = block.instructions();
    let length = instructions.len() as u64;
    if let Some(first) = instructions.next() {
        first.count(counter, length);
    }
}

/// Sites that do not depend on the kernel.
#[derive(Debug)]
pub struct Fixed {
    /// What may be a mark.
    pub mark: &'static ProbeSite,
    /// The processor waits for an interrupt.
    pub halt: &'static ProbeSite,
    /// A return from a function.
    pub returns: &'static ProbeSite,
    /// The address behind a call.
    pub behind: &'static ProbeSite,
    /// A return from an interrupt or an exception.
    pub exception_return: &'static ProbeSite,
}

impl Fixed {
    /// Makes them.
    pub fn new() -> Self {
        Self {
            mark: ProbeSite::Mark.keep(),
            halt: ProbeSite::Halt.keep(),
            returns: ProbeSite::Return.keep(),
            behind: ProbeSite::Behind.keep(),
            exception_return: ProbeSite::ExceptionReturn.keep(),
        }
    }
}

fn at<T>(ranges: &BTreeMap<u64, Range<T>>, address: u64) -> Option<&T> {
    overlapping(ranges, address, address)
}

/// The last of the ranges that has one of these addresses, both included.
fn overlapping<T>(ranges: &BTreeMap<u64, Range<T>>, first: u64, last: u64) -> Option<&T> {
    let (_, range) = ranges.range(..=last).next_back()?;
    (first < range.end).then_some(&range.what)
}

#[cfg(test)]
mod tests;
