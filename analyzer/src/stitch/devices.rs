//! Which physical address is which register.

use super::probes::{Field, Words};
use iotrace_schemas::definition::{Device, Register};

const BARS: [(Field, Field); 6] = [
    (Field::Bar0, Field::Bar0End),
    (Field::Bar1, Field::Bar1End),
    (Field::Bar2, Field::Bar2End),
    (Field::Bar3, Field::Bar3End),
    (Field::Bar4, Field::Bar4End),
    (Field::Bar5, Field::Bar5End),
];

/// A base address register of an enabled device, mapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// Number of the base address register.
    pub bar: u8,
    /// First and last physical address.
    pub range: (u64, u64),
    /// The device, if its registers are known.
    pub device: usize,
}

/// Devices of the catalog, and where the guest mapped them.
#[derive(Debug, Clone, Default)]
pub struct Devices {
    known: Vec<Device>,
    mapped: Vec<Mapped>,
}

impl Devices {
    /// Takes in a device of the catalog.
    pub fn define(&mut self, device: &Device) {
        self.known.push(device.clone());
    }

    /// A device was enabled: its registers are where its BARs say from now on.
    pub fn enabled(&mut self, words: &Words<'_>) {
        let get = |field| words.get(field).unwrap_or(0);
        let (vendor, number) = (get(Field::PciVendor), get(Field::PciDevice));
        let is = |d: &Device| (u64::from(d.vendor), u64::from(d.device)) == (vendor, number);
        let Some(device) = self.known.iter().position(is) else { return };
        for (bar, (begin, end)) in (0..).zip(BARS) {
            self.map(device, bar, (get(begin), get(end)));
        }
    }

    /// Maps one base address register of a known device.
    pub fn map(&mut self, device: usize, bar: u8, range: (u64, u64)) {
        if range.0 == 0 || range.1 <= range.0 {
            return;
        }
        self.mapped.retain(|m| m.range.1 < range.0 || m.range.0 > range.1);
        self.mapped.push(Mapped { bar, range, device });
    }

    /// The devices that were enabled, in the order of the catalog.
    pub fn present(&self) -> impl Iterator<Item = &Device> {
        let mapped = |at: usize| self.mapped.iter().any(|m| m.device == at);
        self.known.iter().enumerate().filter(move |(at, _)| mapped(*at)).map(|(_, device)| device)
    }

    /// The device and register at a physical address: name, offset in the BAR, and the register's
    /// description if the catalog has one.
    #[must_use]
    pub fn find(&self, address: u64) -> Option<(&str, u8, u64, Option<&Register>)> {
        let mapped = self.mapped.iter().find(|m| (m.range.0..=m.range.1).contains(&address))?;
        let device = self.known.get(mapped.device)?;
        let offset = address - mapped.range.0;
        let covers = |r: &&Register| {
            r.bar == mapped.bar && (r.offset..r.offset + u64::from(r.width.max(1))).contains(&offset)
        };
        Some((&device.name, mapped.bar, offset, device.registers.iter().find(covers)))
    }

    /// Whether writing `value` to `address` passes on a command.
    #[must_use]
    pub fn is_doorbell(&self, address: u64, value: u64) -> bool {
        let register = self.find(address).and_then(|(_, _, _, register)| register);
        register.is_some_and(|r| r.doorbell && value & r.mask == r.mask)
    }
}
