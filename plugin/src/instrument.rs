//! Translation time: decides what is attached to an instruction.
//!
//! In: places (functions, returns, code that accesses devices), a block that QEMU translates. Out: sites
//! attached to its instructions. An instruction that is no such place carries only the count.

use crate::guest::KERNEL_HALF;
use crate::qemu::{Block, Counter, Instruction};
use crate::site::Site;
use rustc_hash::FxHashMap;
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
    entries: FxHashMap<u64, &'static Site>,
    exits: BTreeMap<u64, Range<&'static Site>>,
    returns: FxHashMap<u64, &'static Site>,
    devices: BTreeMap<u64, Range<bool>>,
    /// Where functions jump to in order to return, with return thunks.
    thunks: Vec<u64>,
    /// Sites of instructions that may access devices, by address: blocks are translated more than once.
    device_sites: FxHashMap<u64, &'static Site>,
}

impl Places {
    /// Addresses that a jump to stands for a return.
    pub fn set_return_thunks(&mut self, thunks: Vec<u64>) {
        self.thunks = thunks;
    }

    /// A function's first instruction.
    pub fn add_entry(&mut self, address: u64, site: &'static Site) {
        self.entries.insert(address, site);
    }

    /// An address that a function returns to.
    pub fn add_return(&mut self, address: u64, site: &'static Site) {
        self.returns.insert(address, site);
    }

    /// The returns of a function.
    pub fn add_exits(&mut self, start: u64, length: u64, site: &'static Site) {
        self.exits.insert(start, Range { end: start.saturating_add(length), what: site });
    }

    /// Code that accesses devices.
    pub fn add_device_code(&mut self, start: u64, end: u64, record: bool) {
        self.devices.insert(start, Range { end, what: record });
    }

    /// Forgets everything in a range: its module is gone.
    pub fn remove(&mut self, start: u64, end: u64) {
        self.entries.retain(|address, _| !(start..end).contains(address));
        self.returns.retain(|address, _| !(start..end).contains(address));
        self.exits.retain(|address, _| !(start..end).contains(address));
        self.devices.retain(|address, _| !(start..end).contains(address));
        self.device_sites.retain(|address, _| !(start..end).contains(address));
    }

    /// Attaches what belongs to the instructions of a block.
    pub fn instrument(&mut self, block: &Block, counter: &Counter, fixed: &Fixed) {
        let kernel = block.address() >= KERNEL_HALF;
        for instruction in block.instructions() {
            // The count comes first: a callback finds its own instruction counted.
            instruction.count(counter);
            let (bytes, length) = instruction.bytes();
            match &bytes[..length] {
                [0x0f, 0xa2, ..] => instruction.on_execution(fixed.cpuid),
                [0xf4, ..] if kernel => instruction.on_execution(fixed.halt),
                code if kernel => self.kernel_instruction(&instruction, code),
                _ => {}
            }
        }
    }

    fn kernel_instruction(&mut self, instruction: &Instruction, code: &[u8]) {
        let address = instruction.address();
        // A function has returned before the next one is entered.
        for site in self.returns.get(&address).into_iter().chain(self.entries.get(&address)) {
            instruction.on_execution(site);
        }
        if is_return(code, address, &self.thunks)
            && let Some(site) = at(&self.exits, address)
        {
            instruction.on_execution(site);
        }
        if let Some(&record) = at(&self.devices, address) {
            let make = || Site::Device { pc: address, record }.keep();
            instruction.on_access(self.device_sites.entry(address).or_insert_with(make));
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
}

impl Fixed {
    /// Makes them.
    pub fn new() -> Self {
        Self { cpuid: Site::Cpuid.keep(), halt: Site::Halt.keep() }
    }
}

fn at<T>(ranges: &BTreeMap<u64, Range<T>>, address: u64) -> Option<&T> {
    let (_, range) = ranges.range(..=address).next_back()?;
    (address < range.end).then_some(&range.what)
}

/// RET, with or without a REP prefix or an operand, or a jump to a return thunk.
fn is_return(code: &[u8], address: u64, thunks: &[u64]) -> bool {
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
        assert!(is_return(&[0xc3], 0, &[]));
        assert!(is_return(&[0xf3, 0xc3], 0, &[]));
        assert!(is_return(&[0xe9, 0xfb, 0x0f, 0, 0], 0x1000, &[0x2000]));
        assert!(!is_return(&[0xe9, 0xfb, 0x0f, 0, 0], 0x1000, &[0x3000]));
        assert!(!is_return(&[0x90], 0, &[]));
    }

    #[test]
    fn what_lay_in_a_module_goes_with_it() {
        let mut places = Places::default();
        let site = Site::Halt.keep();
        places.add_entry(0x1000, site);
        places.add_entry(0x3000, site);
        places.add_exits(0x1000, 0x10, site);
        assert!(at(&places.exits, 0x100f).is_some() && at(&places.exits, 0x1010).is_none());
        places.remove(0x1000, 0x2000);
        assert!(at(&places.exits, 0x1000).is_none());
        assert_eq!(places.entries.keys().collect::<Vec<_>>(), [&0x3000]);
    }
}
