//! Translation time: decides what is attached to an instruction.
//!
//! In: places (functions, returns, code that accesses devices), a block that QEMU translates. Out: sites
//! attached to its instructions. An instruction that is no such place carries only the count.

use crate::qemu::{Block, Counter, Cpu, Instruction};
use crate::site::Site;
use iotrace_kernel::{Callee, LONGEST_CALL, call_before};
use iotrace_schemas::event::KERNEL_HALF;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;

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
    entries: FxHashMap<u64, Vec<&'static Site>>,
    /// Code of the functions whose returns are recorded.
    code: BTreeMap<u64, Range<()>>,
    devices: BTreeMap<u64, Range<bool>>,
    /// Where functions jump to in order to return.
    return_thunks: FxHashSet<u64>,
    /// Functions that end in a jump to a probed one.
    jumpers: FxHashSet<u64>,
    /// What functions call in order to call through a pointer.
    call_thunks: FxHashSet<u64>,
    /// Where the kernel is entered and left: an IRET elsewhere only serializes the processor.
    entry_text: std::ops::Range<u64>,
    /// Sites of instructions that may access devices, by address: blocks are translated more than once.
    device_sites: FxHashMap<u64, &'static Site>,
}

impl Places {
    /// Addresses a jump to which stands for a return, and a call of which for a call through a pointer.
    pub fn set_thunks(&mut self, returns: FxHashSet<u64>, calls: FxHashSet<u64>) {
        (self.return_thunks, self.call_thunks) = (returns, calls);
    }

    /// Functions behind whose calls a probed one may return.
    pub fn set_jumpers(&mut self, jumpers: FxHashSet<u64>) {
        self.jumpers = jumpers;
    }

    /// The code through which the kernel is entered and left.
    pub fn set_entry_text(&mut self, range: std::ops::Range<u64>) {
        self.entry_text = range;
    }

    /// The first instruction of a function or of an inlined instance.
    pub fn add_entry(&mut self, address: u64, site: &'static Site) {
        self.entries.entry(address).or_default().push(site);
    }

    /// The code of a function whose returns are recorded.
    pub fn add_code(&mut self, start: u64, length: u64) {
        self.code.insert(start, Range { end: start.saturating_add(length), what: () });
    }

    /// Code that accesses devices.
    pub fn add_device_code(&mut self, start: u64, end: u64, record: bool) {
        self.devices.insert(start, Range { end, what: record });
    }

    /// Forgets everything in a range: its module is gone.
    pub fn remove(&mut self, start: u64, end: u64) {
        self.entries.retain(|address, _| !(start..end).contains(address));
        self.code.retain(|address, _| !(start..end).contains(address));
        self.devices.retain(|address, _| !(start..end).contains(address));
        self.device_sites.retain(|address, _| !(start..end).contains(address));
    }

    /// Attaches what belongs to the instructions of a block.
    pub fn instrument(&mut self, block: &Block, counter: &Counter, fixed: &Fixed, cpu: Option<&Cpu>) {
        let kernel = block.address() >= KERNEL_HALF;
        // A call ends its block: the address behind it can only be the first of another one.
        let mut behind = kernel && cpu.is_some_and(|cpu| self.follows_call(block.address(), cpu));
        for instruction in block.instructions() {
            // The count comes first: a callback finds its own instruction counted.
            instruction.count(counter);
            if std::mem::take(&mut behind) {
                instruction.on_execution(fixed.behind);
            }
            let (bytes, length) = instruction.bytes();
            match &bytes[..length] {
                [0x0f, 0xa2, ..] => instruction.on_execution(fixed.cpuid),
                [0xf4, ..] if kernel => instruction.on_execution(fixed.halt),
                [0x48, 0xcf] if self.entry_text.contains(&instruction.address()) => {
                    instruction.on_execution(fixed.iret);
                }
                code if kernel => self.kernel_instruction(&instruction, code, fixed),
                _ => {}
            }
        }
    }

    fn kernel_instruction(&mut self, instruction: &Instruction, code: &[u8], fixed: &Fixed) {
        let address = instruction.address();
        for site in self.entries.get(&address).into_iter().flatten() {
            instruction.on_execution(site);
        }
        if is_return(code, address, &self.return_thunks) && at(&self.code, address).is_some() {
            instruction.on_execution(fixed.ret);
        }
        if let Some(&record) = at(&self.devices, address) {
            let make = || Site::Device { pc: address, record }.keep();
            instruction.on_access(self.device_sites.entry(address).or_insert_with(make));
        }
    }
}

impl Places {
    /// Whether the bytes before `address` are a call of a probed function, or a call through a pointer in a
    /// probed function. What is no call and looks like one does no harm: no open call returns there.
    fn follows_call(&self, address: u64, cpu: &Cpu) -> bool {
        let mut before = [0; LONGEST_CALL];
        if !cpu.read(address.wrapping_sub(LONGEST_CALL as u64), &mut before) {
            return false;
        }
        let probed = || at(&self.code, address.wrapping_sub(1)).is_some();
        match call_before(&before, address) {
            Some(Callee::Address(target)) => {
                self.entries.contains_key(&target)
                    || self.jumpers.contains(&target)
                    || self.call_thunks.contains(&target) && probed()
            }
            Some(Callee::Pointer) => probed(),
            None => false,
        }
    }
}

/// Sites that do not depend on the kernel.
#[derive(Debug)]
pub struct Fixed {
    /// CPUID, which may be a mark.
    pub cpuid: &'static Site,
    /// HLT.
    pub halt: &'static Site,
    /// RET.
    pub ret: &'static Site,
    /// The address behind a call.
    pub behind: &'static Site,
    /// IRET.
    pub iret: &'static Site,
}

impl Fixed {
    /// Makes them.
    pub fn new() -> Self {
        Self {
            cpuid: Site::Cpuid.keep(),
            halt: Site::Halt.keep(),
            ret: Site::Return.keep(),
            behind: Site::Behind.keep(),
            iret: Site::Iret.keep(),
        }
    }
}

fn at<T>(ranges: &BTreeMap<u64, Range<T>>, address: u64) -> Option<&T> {
    let (_, range) = ranges.range(..=address).next_back()?;
    (address < range.end).then_some(&range.what)
}

/// RET, with or without a REP prefix or an operand, or a jump to a return thunk.
fn is_return(code: &[u8], address: u64, thunks: &FxHashSet<u64>) -> bool {
    match *code {
        [0xc3 | 0xc2, ..] | [0xf3, 0xc3, ..] => true,
        [0xe9, a, b, c, d] => {
            let distance = i64::from(i32::from_le_bytes([a, b, c, d]));
            thunks.contains(&address.wrapping_add(5).wrapping_add_signed(distance))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_are_known_by_their_bytes() {
        let thunks = |address| FxHashSet::from_iter([address]);
        assert!(is_return(&[0xc3], 0, &thunks(0)));
        assert!(is_return(&[0xf3, 0xc3], 0, &thunks(0)));
        assert!(is_return(&[0xe9, 0xfb, 0x0f, 0, 0], 0x1000, &thunks(0x2000)));
        assert!(!is_return(&[0xe9, 0xfb, 0x0f, 0, 0], 0x1000, &thunks(0x3000)));
        assert!(!is_return(&[0x90], 0, &thunks(0)));
    }

    #[test]
    fn what_lay_in_a_module_goes_with_it() {
        let mut places = Places::default();
        let site = Site::Halt.keep();
        places.add_entry(0x1000, site);
        places.add_entry(0x3000, site);
        places.add_code(0x1000, 0x10);
        assert!(at(&places.code, 0x100f).is_some() && at(&places.code, 0x1010).is_none());
        places.remove(0x1000, 0x2000);
        assert!(at(&places.code, 0x1000).is_none());
        assert_eq!(places.entries.keys().collect::<Vec<_>>(), [&0x3000]);
    }
}
