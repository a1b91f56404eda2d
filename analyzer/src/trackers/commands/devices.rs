//! Which physical address is which register.

use crate::ranges::Ranges;
use crate::trackers::RoleValues;
use crate::unsaved::Unsaved;
use bincode::{Decode, Encode};
use iotrace_format::definition::{Device, DeviceRegister};
use iotrace_format::role::Role;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};

const BARS: [(Role, Role); 6] = [
    (Role::Bar0, Role::Bar0End),
    (Role::Bar1, Role::Bar1End),
    (Role::Bar2, Role::Bar2End),
    (Role::Bar3, Role::Bar3End),
    (Role::Bar4, Role::Bar4End),
    (Role::Bar5, Role::Bar5End),
];

/// A base address register of an enabled device, mapped.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
struct Mapped {
    /// Number of the base address register.
    bar: u8,
    /// Last physical address.
    last: u64,
    /// The device, if its registers are known.
    device: usize,
}

/// A device of the catalog.
#[derive(Debug, Clone)]
struct Known {
    device: Device,
    /// Places of its registers, by their offsets, for each base address register.
    registers: BTreeMap<u8, Ranges>,
}

/// Devices of the catalog, and where the guest mapped them.
#[derive(Debug, Clone, Default, Encode, Decode)]
pub struct Devices {
    known: Unsaved<Vec<Known>>,
    /// The first of each vendor and device number.
    by_number: Unsaved<FxHashMap<(u16, u16), usize>>,
    /// By the first physical address; none overlaps another.
    mapped: BTreeMap<u64, Mapped>,
}

impl Devices {
    /// Takes in a device of the catalog.
    pub fn define(&mut self, device: &Device) {
        let mut registers = BTreeMap::<u8, Vec<_>>::new();
        for (at, register) in device.registers.iter().enumerate() {
            let last = register.offset.saturating_add(u64::from(register.width.max(1) - 1));
            registers.entry(register.bar).or_default().push((at, register.offset, last));
        }
        let registers = registers.into_iter().map(|(bar, ranges)| (bar, Ranges::new(ranges)));
        self.by_number.entry((device.vendor, device.device)).or_insert(self.known.len());
        self.known.push(Known { device: device.clone(), registers: registers.collect() });
    }

    /// Takes over where devices are.
    pub fn resume(&mut self, others: &Self) {
        self.mapped = others.mapped.clone();
    }

    /// A device was enabled: its registers are where its BARs say from now on.
    pub fn enabled(&mut self, words: &RoleValues<'_>) {
        let get = |field| words.get(field).unwrap_or(0);
        let number = u16::try_from(get(Role::PciVendor)).ok().zip(u16::try_from(get(Role::PciDevice)).ok());
        let Some(&device) = number.and_then(|number| self.by_number.get(&number)) else { return };
        for (bar, (begin, end)) in (0..).zip(BARS) {
            self.map(device, bar, (get(begin), get(end)));
        }
    }

    /// Maps one base address register of a known device, in the place of what was there.
    fn map(&mut self, device: usize, bar: u8, (first, last): (u64, u64)) {
        if first == 0 || last <= first {
            return;
        }
        let before = self.mapped.range(..first).next_back().filter(|(_, mapped)| mapped.last >= first);
        let within = self.mapped.range(first..=last);
        let gone: Vec<u64> = before.into_iter().chain(within).map(|(first, _)| *first).collect();
        gone.iter().for_each(|first| _ = self.mapped.remove(first));
        self.mapped.insert(first, Mapped { bar, last, device });
    }

    /// The devices that were enabled, in the order of the catalog.
    pub fn present(&self) -> impl Iterator<Item = &Device> {
        let mapped: BTreeSet<usize> = self.mapped.values().map(|mapped| mapped.device).collect();
        mapped.into_iter().filter_map(|at| self.known.get(at)).map(|known| &known.device)
    }

    /// The device and register at a physical address: name, offset in the BAR, and the register's
    /// description if the catalog has one.
    #[must_use]
    pub fn find(&self, address: u64) -> Option<(&str, u8, u64, Option<&DeviceRegister>)> {
        let (first, mapped) = self.mapped.range(..=address).next_back()?;
        let Known { device, registers } = self.known.get(mapped.device).filter(|_| mapped.last >= address)?;
        let offset = address - first;
        let register = registers.get(&mapped.bar).and_then(|ranges| ranges.find(offset));
        Some((&device.name, mapped.bar, offset, register.and_then(|at| device.registers.get(at))))
    }

    /// Whether writing `value` to `address` passes on a command.
    #[must_use]
    pub fn is_doorbell(&self, address: u64, value: u64) -> bool {
        let register = self.find(address).and_then(|(_, _, _, register)| register);
        register.is_some_and(|r| r.doorbell && value & r.mask == r.mask)
    }
}

#[cfg(test)]
mod tests;
